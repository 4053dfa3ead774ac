//! Describes the problems of a plan for its author.

use crate::domain::time::Minutes;
use std::collections::BTreeMap;

use super::acyclic::Refused;
use super::draft::Draft;
use super::links::Link;
use crate::planning::plan::{Node, Problem, ProblemCode, Requirement};

/// Rows with their keys, for messages.
pub(super) struct Rows<'a> {
    pub(super) draft: &'a Draft,
    /// Nodes by row index.
    pub(super) nodes: &'a [Node],
}

impl Rows<'_> {
    fn problem(
        &self,
        code: ProblemCode,
        message: String,
        rows: &[usize],
        lines: Vec<usize>,
    ) -> Problem {
        let nodes = rows.iter().map(|row| self.nodes[*row].key.clone()).collect();
        Problem { code, message, nodes, lines }
    }

    fn title(&self, row: usize) -> &str {
        &self.nodes[row].title
    }

    fn line(&self, row: usize) -> usize {
        self.nodes[row].line().unwrap_or_default()
    }

    pub(super) fn cycle(&self, refused: &Refused, line_of: impl Fn(&Link) -> usize) -> Problem {
        let link = &refused.link;
        let describe_link = |link: &Link| {
            format!(
                "line {} says \"{}\" after \"{}\"",
                line_of(link),
                self.title(link.from),
                self.title(link.to)
            )
        };
        let against: Vec<String> = refused.against.iter().map(describe_link).collect();
        let against = if against.is_empty() {
            "one of them contains the other".to_owned()
        } else {
            against.join(" and ")
        };
        let message =
            format!("{}, but {}; the first is left out of the plan", describe_link(link), against);
        let lines = std::iter::once(link).chain(&refused.against).map(line_of).collect();
        self.problem(ProblemCode::DependencyCycle, message, &[link.from, link.to], lines)
    }

    pub(super) fn family(&self, link: &Link, line: usize) -> Problem {
        let (part, whole) = if self.draft.is_ancestor(link.from, link.to) {
            (link.to, link.from)
        } else {
            (link.from, link.to)
        };
        let message = format!(
            "line {line} makes \"{}\" wait for \"{}\", but \"{}\" is part of \"{}\"",
            self.title(link.from),
            self.title(link.to),
            self.title(part),
            self.title(whole)
        );
        self.problem(ProblemCode::DependencyOnFamily, message, &[link.from, link.to], vec![line])
    }

    /// Returns the problems of single rows and of siblings, in document order.
    pub(super) fn of_rows(&self, order: &[usize]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for &index in order {
            let row = &self.draft.rows[index];
            let line = self.line(index);
            if row.owners.len() > 1 {
                let message = format!(
                    "line {line}: \"{}\" names several owners ({}); the first is taken",
                    self.title(index),
                    row.owners.join(", ")
                );
                problems.push(self.problem(
                    ProblemCode::SeveralOwners,
                    message,
                    &[index],
                    vec![line],
                ));
            }
            if let (Some(start), Some(due)) = (row.window.not_before, row.window.due)
                && start > due
            {
                let message = format!(
                    "line {line}: \"{}\" is due {due} but cannot start before {start}",
                    self.title(index)
                );
                problems.push(self.problem(
                    ProblemCode::DatesConflict,
                    message,
                    &[index],
                    vec![line],
                ));
            }
            problems.extend(self.sum(index));
        }
        problems.extend(self.duplicates());
        problems
    }

    fn sum(&self, index: usize) -> Option<Problem> {
        let row = &self.draft.rows[index];
        let own = row.stated.as_ref()?;
        let children: u32 = row
            .children
            .iter()
            .filter_map(|child| self.draft.rows[*child].stated.as_ref())
            .map(|stated| stated.range.low.get())
            .sum();
        let is_split = row.children.iter().any(|child| self.draft.rows[*child].head == row.head);
        if is_split || children <= own.range.high.get() {
            return None;
        }
        let line = self.line(index);
        let message = format!(
            "line {line}: \"{}\" is stated as {} but its parts add up to at least {}",
            self.title(index),
            own.text,
            Minutes::new(children)
        );
        Some(self.problem(ProblemCode::ChildrenExceedParent, message, &[index], vec![line]))
    }

    fn duplicates(&self) -> Vec<Problem> {
        let mut known: BTreeMap<(Option<usize>, String), usize> = BTreeMap::new();
        let mut problems = Vec::new();
        for index in self.draft.preorder() {
            let row = &self.draft.rows[index];
            let Some(first) = known.get(&(row.parent, row.title.to_lowercase())).copied() else {
                known.insert((row.parent, row.title.to_lowercase()), index);
                continue;
            };
            let lines = vec![self.line(first), self.line(index)];
            let message = format!(
                "lines {} and {} both say \"{}\"; both are kept",
                lines[0], lines[1], row.title
            );
            problems.push(self.problem(
                ProblemCode::DuplicateTitle,
                message,
                &[first, index],
                lines,
            ));
        }
        problems
    }

    pub(super) fn dates(&self, links: &[Link]) -> Vec<Problem> {
        links
            .iter()
            .filter_map(|link| {
                let (from, to) = (&self.nodes[link.from], &self.nodes[link.to]);
                let (due, needed) = (from.due?, to.due?);
                let lines = vec![self.line(link.from), self.line(link.to)];
                (needed > due).then(|| {
                    let message = format!(
                        "\"{}\" (line {}) is due {due}, before what it waits for: \"{}\" (line {}) is due {needed}",
                        from.title, lines[0], to.title, lines[1]
                    );
                    self.problem(ProblemCode::DatesConflict, message, &[link.from, link.to], lines)
                })
            })
            .collect()
    }

    pub(super) fn oversize(&self, row: usize) -> Problem {
        let line = self.line(row);
        let text = self.draft.rows[row].stated.as_ref().map_or("", |stated| stated.text.as_str());
        let message = format!(
            "line {line}: \"{}\" takes {text}; it is too large to split without knowing its parts",
            self.title(row)
        );
        self.problem(ProblemCode::Oversize, message, &[row], vec![line])
    }

    pub(super) fn folded(&self, row: usize) -> Problem {
        let line = self.line(row);
        let message = format!(
            "line {line}: the levels below \"{}\" are deeper than the plan may be and stand in its description",
            self.title(row)
        );
        self.problem(ProblemCode::DepthFolded, message, &[row], vec![line])
    }
}

pub(super) fn uncovered(requirement: &Requirement) -> Problem {
    let line = requirement.span.map(|span| span.start_line).unwrap_or_default();
    let text: String = requirement.text.chars().take(160).collect();
    Problem {
        code: ProblemCode::UncoveredRequirement,
        message: format!("line {line}: no task covers \"{text}\""),
        nodes: Vec::new(),
        lines: vec![line],
    }
}

pub(super) fn all_cancelled() -> Problem {
    let message = "all work that the text lists is cancelled".to_owned();
    Problem { code: ProblemCode::NoWork, message, nodes: Vec::new(), lines: Vec::new() }
}

pub(super) fn no_work(reasons: &str) -> Problem {
    let message = format!(
        "the text lists no work the planner can read{reasons}; add a section such as \"Tasks\" with a list"
    );
    Problem { code: ProblemCode::NoWork, message, nodes: Vec::new(), lines: Vec::new() }
}
