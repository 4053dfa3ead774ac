//! The answer of a careful reader, as stored beside a description.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The right plan of a description. Lines are 1-based.
#[derive(Debug, Clone, Deserialize)]
pub struct Gold {
    pub nodes: Vec<GoldNode>,
    #[serde(default)]
    pub edges: Vec<GoldEdge>,
    #[serde(default)]
    pub requirements: Vec<GoldRequirement>,
    /// Lines on which careful readers disagree; they count neither way.
    #[serde(default)]
    pub optional: Vec<usize>,
    #[serde(flatten)]
    _notes: BTreeMap<String, serde_json::Value>,
}

/// A piece of work, a group or a milestone.
#[derive(Debug, Clone, Deserialize)]
pub struct GoldNode {
    pub line: usize,
    /// The words that state the work, if the line states several pieces of it.
    pub text: Option<String>,
    #[serde(default)]
    pub title: String,
    pub parent: Option<usize>,
    #[serde(flatten)]
    _notes: BTreeMap<String, serde_json::Value>,
}

/// The work on line `from` cannot start before the work on line `to` is finished.
#[derive(Debug, Clone, Deserialize)]
pub struct GoldEdge {
    pub from: usize,
    pub to: usize,
    #[serde(flatten)]
    _notes: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct GoldRequirement {
    pub line: usize,
    #[serde(default)]
    pub text: String,
    pub verdict: Verdict,
    #[serde(default)]
    pub by: Vec<usize>,
    #[serde(flatten)]
    _notes: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Covered,
    Partly,
    Not,
}
