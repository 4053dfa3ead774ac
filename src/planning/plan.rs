//! The plan: what a planner hands back, before anything is stored.
//!
//! Keys (`P1.T2.S1`, `R3`) are local to one plan. Spans point into the text the
//! planner was given, so that every row can be shown next to its source.

use std::ops::Range;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::task::Priority;
use crate::domain::time::Estimate;

/// A hierarchical plan read out of one description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub title: String,
    pub title_span: Option<Span>,
    /// Set when the text is not English: cue words were not applied.
    pub language_note: Option<String>,
    /// Document order, parents before their children.
    pub nodes: Vec<Node>,
    /// Acyclic, also when a link between parents is read as one between their leaves.
    pub links: Vec<PlanLink>,
    pub unresolved: Vec<Unresolved>,
    pub requirements: Vec<Requirement>,
    pub problems: Vec<Problem>,
    /// What was read and deliberately not planned, in document order.
    pub skipped: Vec<Skipped>,
    pub stats: Stats,
}

/// One row of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub key: String,
    pub parent: Option<String>,
    pub kind: NodeKind,
    pub title: String,
    /// Source text that belongs to the row and is not a row itself.
    pub description: String,
    pub span: Span,
    pub standing: Standing,
    pub estimate: NodeEstimate,
    pub priority: Option<Priority>,
    pub owner: Option<String>,
    pub due: Option<NaiveDate>,
    pub not_before: Option<NaiveDate>,
    /// First and last week counted from the start of the project, as stated.
    pub relative_week: Option<(u32, u32)>,
    pub origin: Origin,
    pub requirement_keys: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    Phase,
    Task,
    Subtask,
}

/// How far the text says that a row is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    #[default]
    Open,
    Started,
    Done,
}

/// A three-point estimate and where it comes from. `low <= likely <= high`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEstimate {
    pub range: Estimate,
    pub basis: Basis,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Basis {
    /// The text says so, in these words.
    Stated { text: String },
    /// A range for this kind of work.
    Kind { kind: String },
    /// The sum of the children.
    Children,
    /// A share of what an ancestor's stated duration or weeks leave room for.
    Share { of: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Origin {
    Stated,
    /// Made only to fit the size rule; says nothing the text does not say.
    Split {
        of: String,
        part: u32,
        parts: u32,
    },
}

/// `from` cannot start before `to` is finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLink {
    pub from: String,
    pub to: String,
    pub basis: LinkBasis,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LinkBasis {
    /// A cue of the text, such as "depends on".
    Cue { word: String, span: Span },
    /// Consecutive items of a list the text calls steps.
    Steps { span: Span },
    /// Consecutive numbered phases ("Phase 1", "Phase 2") whose weeks do not overlap.
    Phases { span: Span },
}

impl LinkBasis {
    pub fn span(&self) -> Span {
        match self {
            Self::Cue { span, .. } | Self::Steps { span } | Self::Phases { span } => *span,
        }
    }
}

/// A dependency the text states but whose target could not be named for certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    pub from: String,
    pub text: String,
    pub span: Span,
    pub best_guess: Option<String>,
}

/// A statement of the text that says what must be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    pub key: String,
    pub text: String,
    pub span: Span,
    pub covered_by: Vec<String>,
}

/// Something the author should know; never a reason to withhold the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: ProblemCode,
    pub message: String,
    pub nodes: Vec<String>,
    pub lines: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProblemCode {
    #[serde(rename = "E-DEP-CYCLE")]
    DependencyCycle,
    #[serde(rename = "E-DEP-FAMILY")]
    DependencyOnFamily,
    #[serde(rename = "W-OWNERS")]
    SeveralOwners,
    #[serde(rename = "W-DATES")]
    DatesConflict,
    #[serde(rename = "W-SUM")]
    ChildrenExceedParent,
    #[serde(rename = "W-DUPLICATE")]
    DuplicateTitle,
    #[serde(rename = "W-UNCOVERED")]
    UncoveredRequirement,
    #[serde(rename = "W-OVERSIZE")]
    Oversize,
    #[serde(rename = "W-DEPTH")]
    DepthFolded,
    #[serde(rename = "W-NO-WORK")]
    NoWork,
}

impl ProblemCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DependencyCycle => "E-DEP-CYCLE",
            Self::DependencyOnFamily => "E-DEP-FAMILY",
            Self::SeveralOwners => "W-OWNERS",
            Self::DatesConflict => "W-DATES",
            Self::ChildrenExceedParent => "W-SUM",
            Self::DuplicateTitle => "W-DUPLICATE",
            Self::UncoveredRequirement => "W-UNCOVERED",
            Self::Oversize => "W-OVERSIZE",
            Self::DepthFolded => "W-DEPTH",
            Self::NoWork => "W-NO-WORK",
        }
    }
}

/// A piece of the text that is no work, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub span: Span,
    pub what: String,
    pub reason: SkipReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    Goals,
    NonGoals,
    OutOfScope,
    Personas,
    Background,
    Problem,
    Overview,
    Motivation,
    Risks,
    Glossary,
    OpenQuestions,
    Metrics,
    Assumptions,
    References,
    Appendix,
    Alternatives,
    Drawbacks,
    Faq,
    AboutAuthor,
    Example,
    Code,
    History,
    Status,
    Future,
    Resources,
    Impact,
    Design,
    Contents,
    Metadata,
    Markup,
    Table,
    /// Requirements and features of a text whose plan is stated in another section.
    PlannedElsewhere,
    /// A heading that only holds rows or requirements and is none itself.
    Container,
    /// Work that the text calls cancelled.
    Cancelled,
    /// Says again what a row of the plan already says.
    Restated,
    /// Running text without a statement of work.
    Prose,
    /// A template's bracketed instruction, not yet filled in.
    Placeholder,
    /// Deeper than the plan may be; kept in the parent's description.
    Folded,
}

/// A piece of the source: bytes half-open, lines 1-based and inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    pub start_byte: usize,
    pub end_byte: usize,
    pub start_line: usize,
    pub end_line: usize,
}

impl Span {
    pub fn bytes(self) -> Range<usize> {
        self.start_byte..self.end_byte
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub lines: usize,
    pub words: usize,
    pub phases: usize,
    pub tasks: usize,
    pub subtasks: usize,
    pub done: usize,
    pub depth: usize,
    pub links: usize,
    pub requirements: usize,
    pub covered: usize,
    pub skipped: usize,
}
