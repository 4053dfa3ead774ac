//! Words and their likeness, shared by every reader of free text.

pub mod similarity;
pub mod stem;
