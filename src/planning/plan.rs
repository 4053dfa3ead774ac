//! The plan that a planner returns, before anything is stored.
//!
//! Keys (`P1.T2.S1`, `R3`) are local to one plan. Spans point into the planner's input text, so
//! that every row can be shown next to its source. Spans and bases are evidence: a planner gives
//! them if it can.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::task::Priority;
use crate::domain::time::Estimate;
use crate::domain::value::Title;

/// A hierarchical plan extracted from one description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub title: String,
    pub title_span: Option<Span>,
    /// Set if the text is not English and no keywords were applied.
    pub language_note: Option<String>,
    /// Rows in document order, parents before their children.
    pub nodes: Vec<Node>,
    /// Acyclic, even if a link between parents is interpreted as links between their leaves.
    pub links: Vec<PlanLink>,
    pub unresolved: Vec<Unresolved>,
    pub requirements: Vec<Requirement>,
    pub problems: Vec<Problem>,
    /// Parts of the text that were deliberately not planned, in document order.
    pub skipped: Vec<Skipped>,
    /// Counted again when the plan is checked.
    pub stats: Stats,
}

/// One row of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub key: String,
    pub parent: Option<String>,
    pub kind: NodeKind,
    pub title: String,
    /// Source text of the row, without its child rows.
    pub description: String,
    pub span: Option<Span>,
    pub standing: Progress,
    pub estimate: NodeEstimate,
    pub priority: Option<Priority>,
    pub owner: Option<String>,
    pub due: Option<NaiveDate>,
    pub not_before: Option<NaiveDate>,
    /// First and last week as stated, counted from the start of the project.
    pub relative_week: Option<(u32, u32)>,
    /// `None` if the planner does not say.
    pub origin: Option<Origin>,
    pub requirement_keys: Vec<String>,
}

impl Node {
    /// Returns the first line of the row, if its place in the text is known.
    pub fn line(&self) -> Option<usize> {
        self.span.map(|span| span.start_line)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    Phase,
    Task,
    Subtask,
    /// A point in time, at the row's due date. Its estimate is not stored, and no row is below it.
    Milestone,
}

/// Progress of a row as stated in the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    #[default]
    Open,
    Started,
    Done,
}

/// A three-point estimate and its basis, if the planner gives one. `low <= likely <= high`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEstimate {
    pub range: Estimate,
    pub basis: Option<Basis>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Basis {
    /// The text states it in these words.
    Stated { text: String },
    /// Default range for this kind of work.
    Kind { kind: String },
    /// Sum of the children.
    Children,
    /// A share of the stated duration or weeks of an ancestor.
    Share { of: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Origin {
    Stated,
    /// Created only to meet the size limit; adds nothing to the text.
    Split {
        of: String,
        part: u32,
        parts: u32,
    },
}

/// A dependency: `from` cannot start before `to` is finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLink {
    pub from: String,
    pub to: String,
    pub basis: Option<LinkBasis>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LinkBasis {
    /// A keyword in the text, such as "depends on".
    Cue { word: String, span: Span },
    /// Consecutive items of a list that the text calls steps.
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

/// A stated dependency whose target is uncertain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    pub from: String,
    pub text: String,
    pub span: Option<Span>,
    pub best_guess: Option<String>,
}

/// A statement in the text that says what must be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    pub key: String,
    pub text: String,
    pub span: Option<Span>,
    pub covered_by: Vec<String>,
}

/// A note for the author; never a reason to withhold the plan.
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

/// A part of the text that is not work, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub span: Option<Span>,
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
    /// Requirements and features of a text with its plan in another section.
    PlannedElsewhere,
    /// A heading that only groups rows or requirements.
    Container,
    /// Work marked as cancelled.
    Cancelled,
    /// Text that repeats a row of the plan.
    Restated,
    /// Running text without a statement of work.
    Prose,
    /// A bracketed template instruction that was not filled in.
    Placeholder,
    /// A level beyond the maximum depth; kept in the parent's description.
    Folded,
}

/// A range of the source text: half-open bytes; 1-based, inclusive lines.
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
    #[serde(default)]
    pub milestones: usize,
    pub done: usize,
    pub depth: usize,
    pub links: usize,
    pub requirements: usize,
    pub covered: usize,
    pub skipped: usize,
}

impl Stats {
    /// Counts the parts of a plan of `text`.
    pub fn of(text: &str, plan: &Plan) -> Self {
        let of_kind = |kind: NodeKind| plan.nodes.iter().filter(|node| node.kind == kind).count();
        let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
        for node in &plan.nodes {
            let above = node.parent.as_deref().and_then(|parent| depths.get(parent));
            let depth = above.map_or(0, |depth| depth + 1);
            depths.insert(&node.key, depth);
        }
        let covered =
            plan.requirements.iter().filter(|requirement| !requirement.covered_by.is_empty());
        Self {
            lines: text.matches('\n').count() + 1,
            words: text.split_whitespace().count(),
            phases: of_kind(NodeKind::Phase),
            tasks: of_kind(NodeKind::Task),
            subtasks: of_kind(NodeKind::Subtask),
            milestones: of_kind(NodeKind::Milestone),
            done: plan.nodes.iter().filter(|node| node.standing == Progress::Done).count(),
            depth: depths.into_values().max().unwrap_or(0),
            links: plan.links.len(),
            requirements: plan.requirements.len(),
            covered: covered.count(),
            skipped: plan.skipped.len(),
        }
    }
}

/// Converts a text to a title: one line within the length limit.
pub(super) fn fitting_title(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('\0', "");
    match line.chars().count() {
        0 => "Untitled".to_owned(),
        length if length <= Title::MAX => line,
        _ => line.chars().take(Title::MAX - 1).chain(['…']).collect(),
    }
}
