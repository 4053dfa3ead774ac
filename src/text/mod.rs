//! Compares words in free text for every reader of it, and makes free text safe to display.

pub mod masked;
pub mod nearest;
pub mod similarity;
pub mod stem;
pub mod visible;
