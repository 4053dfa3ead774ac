//! Settings at the top level, which every command has.

/// Default settings, with the documentation of each.
pub const DEFAULTS: &str = include_str!("default.toml");
/// Settings file that is read if none is given.
pub const FILE: &str = "lakeplan.toml";
/// Keys at the top level. Their values are strings.
pub const KEYS: &[&str] = &["lake", ACTOR, "output", TARGET, "query_memory"];
pub const ACTOR: &str = "actor";
/// Key at the top level, and the table with a section for each target. TOML has one name for both.
pub const TARGET: &str = "target";
/// Table of the references to secrets.
pub const SECRETS: &str = "secrets";
pub const TARGETS: &[&str] = &["dev", "staging", "prod"];
pub const OUTPUTS: &[&str] = &["text", "json"];
