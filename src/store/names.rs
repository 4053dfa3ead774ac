//! Names of the tables that are neither folded nor appended.

/// The table that every change goes through. Its location determines the lake's.
pub const JOURNAL: &str = "journal";
/// The table in which other writers request changes.
pub const INBOX: &str = "inbox";
