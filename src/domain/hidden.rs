//! Detects invisible characters: controls, fillers, and those that Unicode lets a renderer ignore.

/// Whether a character is invisible or controls how text is shown: controls (including line feed
/// and tab), direction marks, zero-width characters, fillers that look like a space, line and
/// paragraph separators, variation selectors, and tags. Besides controls and separators, these are
/// Unicode's Default_Ignorable_Code_Point, the Braille blank, and the annotation marks.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Whether a text shows nothing: it holds only spaces and hidden characters.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| letter.is_whitespace() || is_hidden(letter))
}

/// Whether a character controls a terminal or ends a line: a control, or a line or paragraph
/// separator. A name must not contain one.
pub fn is_control(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}
