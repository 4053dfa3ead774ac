//! Formats in and out: patch sets as JSON, and their schema.
//!
//! Belongs here: reading what people and programs hand in, strictly, and writing what they take away. Does not: what
//! a patch set means (that is `domain`) or who `PAY-42` is (that is `service`). Data leaves as values.

pub mod json;
pub mod patchset;
pub mod schema;
