//! Input and output formats: patch sets as JSON and their schema, and records as JSON.
//!
//! In scope: strict reading of input from people and programs, and writing of output. Out of scope:
//! what a patch set means (`domain`) and which record `PAY-42` is (`service`). Output: values.

pub mod json;
pub mod patchset;
pub mod schema;
pub mod view;
