//! Compares words in free text for every reader of it, and makes free text safe to display.

pub mod masked;
pub mod nearest;
pub mod similarity;
pub mod stem;
pub mod visible;

use regex::Regex;

/// Compiles a pattern from the program, not from the input.
pub(crate) fn pattern(source: &str) -> Regex {
    Regex::new(source).unwrap_or_else(|error| unreachable!("a built-in pattern is valid: {error}"))
}
