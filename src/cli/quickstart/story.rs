//! What the tour shows: the description, its change, and the results of the steps.

use crate::domain::state::State;
use crate::service::change::Committed;
use crate::service::plan::Preview;

/// Folder that the tour creates.
pub const FOLDER: &str = "lakeplan-quickstart";
/// Description that the tour plans.
pub const TEXT: &str = include_str!("description.md");
/// Sentence of the description that changes, before and after.
pub const SENTENCE: (&str, &str) = (
    "- Copy the exchange rates every night (4 hours), depends on \"Set up service principals and grants\"",
    "- Copy the exchange rates and fuel prices every night (1 day), depends on \"Land the customer export\"",
);

/// Results of the steps of the tour.
pub struct Story {
    pub first: Preview,
    pub planned: Committed,
    pub done_key: String,
    pub changed_key: String,
    pub second: Preview,
    pub replanned: Committed,
    pub undone: Committed,
    /// The lake before the undo, read afterwards.
    pub then: State,
    pub now: State,
    /// Answers to [`QUESTIONS`], each with its rows.
    pub answers: Vec<Vec<Vec<String>>>,
}

/// SQL queries of the tour.
pub const QUESTIONS: [&str; 2] = [
    "SELECT assignee, tasks, remaining_minutes / 60 AS hours FROM workload ORDER BY hours DESC, assignee LIMIT 3",
    "SELECT coverage, count(*) AS requirements FROM requirement_coverage GROUP BY coverage ORDER BY coverage",
];
