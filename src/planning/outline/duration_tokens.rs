//! Splits a text into the numbers, words and signs of a duration.

use std::ops::Range;

#[derive(Debug)]
pub(super) struct Token {
    pub(super) word: String,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
}

/// Splits the text into numbers, words and single signs; "30min" gives two tokens.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut class = Class::Space;
    for (at, c) in text.char_indices() {
        let next = Class::of(c, class, text[at + c.len_utf8()..].chars().next());
        let end = at + c.len_utf8();
        match tokens.last_mut() {
            Some(last) if next == class && matches!(next, Class::Digit | Class::Letter) => {
                last.word.extend(c.to_lowercase());
                last.span.end = end;
            }
            _ if next != Class::Space => {
                tokens.push(Token { word: c.to_lowercase().collect(), span: at..end });
            }
            _ => {}
        }
        class = next;
    }
    tokens
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Digit,
    Letter,
    Sign,
}

impl Class {
    fn of(c: char, before: Class, after: Option<char>) -> Self {
        // "0.5", "0,5" and "1,000" are one number each.
        let decimal_point = matches!(c, '.' | ',')
            && before == Class::Digit
            && after.is_some_and(|next| next.is_ascii_digit());
        if c.is_ascii_digit() || decimal_point {
            Class::Digit
        } else if c.is_alphabetic() {
            Class::Letter
        } else if c.is_whitespace() {
            Class::Space
        } else {
            Class::Sign
        }
    }
}
