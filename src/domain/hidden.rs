//! Characters that show nothing: controls, fillers, and what Unicode says may be ignored where text is shown.

/// Returns whether a character controls how text is shown or shows nothing itself: controls (also line feed and tab), marks
/// of direction, characters of no width, fillers that look like a space, separators of lines and paragraphs, selectors of
/// variants, and tags. Besides controls and separators these are the Default_Ignorable_Code_Point of Unicode, the blank of
/// Braille, and the marks of annotation.
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

/// Returns whether a text shows nothing: it holds only spaces and what is hidden.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| letter.is_whitespace() || is_hidden(letter))
}

/// Returns whether a character controls a terminal or ends a line: a control, or a separator of lines or paragraphs. A name
/// must not hold one.
pub fn is_control(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}
