//! Words and their likeness, shared by every reader of free text; and free text as a person may be shown it.

pub mod masked;
pub mod similarity;
pub mod stem;
pub mod visible;
