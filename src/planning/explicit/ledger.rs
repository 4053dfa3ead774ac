//! The place of every line of a description in its plan.

use serde::Serialize;

use crate::planning::plan::{Plan, SkipReason, Span};

/// The lines of a text that hold words, each with its place in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ledger {
    lines: Vec<LedgerLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerLine {
    /// 1-based.
    pub line: usize,
    pub place: Place,
}

/// Where a line is in the plan. Rows and requirements are named by their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The title of the project.
    Title,
    /// A row begins on the line.
    Row(String),
    /// The line belongs to the row, as part of its description.
    Detail(String),
    Requirement(String),
    /// The line is not work, for the reason given.
    Context(SkipReason),
    /// Nothing in the plan accounts for the line.
    Lost,
}

impl Ledger {
    /// Assigns each line that holds a letter or a digit to one place.
    pub fn of(text: &str, plan: &Plan) -> Self {
        let count = text.split('\n').count();
        let mut places: Vec<Option<Place>> = vec![None; count];
        let mut fill = |span: Option<Span>, place: &dyn Fn() -> Place| {
            for line in span.into_iter().flat_map(|span| span.start_line..=span.end_line) {
                if let Some(slot) = line.checked_sub(1).and_then(|at| places.get_mut(at)) {
                    *slot = Some(place());
                }
            }
        };
        // From the weakest claim to the strongest: a later one replaces an earlier one. Rows come
        // parents first, so that the deepest row claims a line.
        for node in &plan.nodes {
            fill(node.span, &|| Place::Detail(node.key.clone()));
        }
        let mut skipped: Vec<_> = plan.skipped.iter().collect();
        skipped
            .sort_by_key(|part| part.span.map(|span| span.start_byte.wrapping_sub(span.end_byte)));
        for part in skipped {
            fill(part.span, &|| Place::Context(part.reason));
        }
        for requirement in &plan.requirements {
            fill(requirement.span, &|| Place::Requirement(requirement.key.clone()));
        }
        for node in &plan.nodes {
            let first = node.span.map(|span| Span { end_line: span.start_line, ..span });
            fill(first, &|| Place::Row(node.key.clone()));
        }
        let title = plan.title_span.map(|span| Span { end_line: span.start_line, ..span });
        let has_row = title.is_some_and(|title| {
            plan.nodes.iter().any(|node| node.line() == Some(title.start_line))
        });
        if !has_row {
            fill(title, &|| Place::Title);
        }
        let lines = text.split('\n').zip(places).enumerate();
        let lines = lines.filter(|(_, (line, _))| line.contains(char::is_alphanumeric));
        let entry = |(at, (_, place)): (usize, (&str, Option<Place>))| LedgerLine {
            line: at + 1,
            place: place.unwrap_or(Place::Lost),
        };
        Self { lines: lines.map(entry).collect() }
    }

    pub fn lines(&self) -> &[LedgerLine] {
        &self.lines
    }

    /// Returns the place of a line; `None` if the line holds no words.
    pub fn place(&self, line: usize) -> Option<&Place> {
        let at = self.lines.binary_search_by_key(&line, |entry| entry.line).ok()?;
        self.lines.get(at).map(|entry| &entry.place)
    }
}
