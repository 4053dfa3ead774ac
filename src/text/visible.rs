//! Escapes characters that affect a terminal or a page without being visible, so that no stored
//! value can move a cursor, reorder a line, or pass for another text.

use std::borrow::Cow;
use std::path::Path;

pub use crate::domain::hidden::is_hidden;

/// Returns a readable text: hidden characters become escapes such as `\u{1b}`. Line feeds and tabs
/// stay, and a carriage return before a line feed is removed. A joiner stays between letters or
/// signs of joined scripts, such as Persian, Hindi and emoji. A selector stays after a sign that
/// has variants.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, &['\n', '\t'])
}

/// Returns the text like [`visible`], but on one line: escapes line feeds and tabs too.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    escaped(text, &[])
}

/// Returns readable text for bytes that are usually text, such as a file name. An invalid UTF-8
/// byte becomes an escape such as `\xe9`.
pub fn visible_bytes(bytes: &[u8]) -> String {
    let mut rendered = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        rendered.push_str(&visible_line(chunk.valid()));
        chunk.invalid().iter().for_each(|byte| rendered.push_str(&format!("\\x{byte:02x}")));
    }
    rendered
}

/// Returns a path as text: unchanged if it is valid UTF-8, else with its invalid bytes escaped.
pub fn path_text(path: &Path) -> String {
    path.to_str().map_or_else(|| visible_bytes(path.as_os_str().as_encoded_bytes()), str::to_owned)
}

/// Returns equivalent JSON without hidden characters. They occur only in its strings and are
/// escaped there.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    // JSON may contain line feeds and tabs outside strings, but never inside them.
    let is_unsafe = |letter: char| is_hidden(letter) && !matches!(letter, '\n' | '\t' | '\r');
    if !json.contains(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 64);
    for letter in json.chars() {
        if is_unsafe(letter) {
            letter
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(letter);
        }
    }
    Cow::Owned(safe)
}

fn escaped<'t>(text: &'t str, kept: &[char]) -> Cow<'t, str> {
    if !text.contains(|letter| is_hidden(letter) && !kept.contains(&letter)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    // The previous letter, and the sign that it is or belongs to.
    let (mut before, mut sign) = (None, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let after = letters.peek().copied();
        let is_of_line_end = letter == '\r' && after == Some('\n') && kept.contains(&'\n');
        let is_joiner = matches!(letter, '\u{200c}' | '\u{200d}')
            && sign.is_some_and(is_joinable)
            && after.is_some_and(is_joinable);
        let is_selector =
            before.is_some_and(|before| is_variant_selector_for(letter, before, after));
        if is_of_line_end {
        } else if !is_hidden(letter) || kept.contains(&letter) || is_joiner || is_selector {
            safe.push(letter);
        } else {
            safe.extend(letter.escape_unicode());
        }
        before = Some(letter);
        if !is_selector {
            sign = before;
        }
    }
    Cow::Owned(safe)
}

/// Whether a character can be joined to the next one. Latin, Greek and Cyrillic letters cannot.
fn is_joinable(letter: char) -> bool {
    letter >= '\u{600}' && !is_hidden(letter)
}

/// Whether a hidden character selects a variant of the sign before it: an emoji or symbol, a number
/// or sign on a key, an ideograph, or a Mongolian letter. A Braille blank between Braille signs
/// also counts.
fn is_variant_selector_for(letter: char, before: char, after: Option<char>) -> bool {
    let is_ideograph = matches!(before, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    match letter {
        '\u{fe0f}' if after == Some('\u{20e3}') => matches!(before, '0'..='9' | '#' | '*'),
        '\u{fe00}'..='\u{fe0f}' => {
            is_ideograph
                || matches!(before, '©' | '®')
                || before >= '\u{1000}' && !before.is_whitespace() && !is_hidden(before)
        }
        '\u{e0100}'..='\u{e01ef}' => is_ideograph,
        '\u{180b}'..='\u{180d}' | '\u{180f}' => matches!(before, '\u{1820}'..='\u{18aa}'),
        '\u{2800}' => {
            matches!(before, '\u{2801}'..='\u{28ff}')
                && matches!(after, Some('\u{2801}'..='\u{28ff}'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_and_shows_nothing_is_written_out() {
        assert_eq!(visible("\u{1b}[31mred\u{7}\u{7f}"), r"\u{1b}[31mred\u{7}\u{7f}");
        assert_eq!(visible("a\u{9b}31m\u{85}b"), r"a\u{9b}31m\u{85}b");
        assert_eq!(visible("\u{202e}gpj.exe\u{2066}\u{200f}"), r"\u{202e}gpj.exe\u{2066}\u{200f}");
        assert_eq!(
            visible("pay\u{200b}pal a\u{200d}b \u{feff}\u{2028}"),
            r"pay\u{200b}pal a\u{200d}b \u{feff}\u{2028}"
        );
        assert_eq!(visible("one\r\n\ttwo\rthree"), "one\n\ttwo\\u{d}three");
        assert_eq!(visible_line("one\n\ttwo"), r"one\u{a}\u{9}two");
    }

    #[test]
    fn fillers_and_selectors_of_nothing_are_written_out() {
        let hidden = [
            '\u{34f}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{180b}',
            '\u{180c}',
            '\u{180d}',
            '\u{180f}',
            '\u{2800}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{fe00}',
            '\u{fe0e}',
            '\u{fe0f}',
            '\u{fff0}',
            '\u{e0000}',
            '\u{e0100}',
            '\u{e0fff}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{1d17a}',
        ];
        for letter in hidden {
            let escape = letter.escape_unicode();
            assert_eq!(visible(&format!("pay{letter}pal")), format!("pay{escape}pal"));
            assert_eq!(visible(&format!("{letter}")), escape.to_string());
        }
        assert_eq!(visible("❤\u{fe0f}\u{fe01}"), "❤\u{fe0f}\\u{fe01}", "a sign has one");
        assert_eq!(visible("1\u{fe0f}0"), r"1\u{fe0f}0");
    }

    #[test]
    fn what_is_text_stays() {
        let signs = [
            "1\u{fe0f}\u{20e3} ©\u{fe0f} ☎\u{fe0e}",
            "👁\u{fe0f}\u{200d}🗨\u{fe0f}",
            "辻\u{e0100}",
            "ᠠ\u{180b}",
            "⠓⠑\u{2800}⠺",
        ];
        for text in signs {
            assert_eq!(visible(text), text);
        }
        for text in
            ["é ß 漢字 └─ Σ …", "👩\u{200d}💻 ❤\u{fe0f}", "می\u{200c}خواهم", "one\n\ttwo", ""]
        {
            assert!(matches!(visible(text), Cow::Borrowed(_)) || visible(text) == text, "{text}");
        }
    }

    #[test]
    fn a_name_that_is_no_text_shows_its_bytes() {
        assert_eq!(visible_bytes(b"caf\xe9.md"), r"caf\xe9.md");
        assert_eq!(visible_bytes("é\u{1b}\n".as_bytes()), r"é\u{1b}\u{a}");
    }

    #[test]
    fn json_keeps_its_values() {
        let value = serde_json::json!({"a\u{9b}": ["\u{1b}\u{7f}\u{85}\u{202e}\u{2028}\u{e0041}é", "\n\t"]});
        for json in [value.to_string(), format!("{value:#}")] {
            let safe = visible_json(&json);
            assert!(!safe.contains(|letter| is_hidden(letter) && letter != '\n'), "{safe}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }
}
