//! Finds statements of what must be true in the parts of a text that are no work: lists of criteria,
//! and lines with an id such as "KR1.1" or "/LF010/".

use super::blocks::{Block, Line};
use super::draft::{Draft, Row, Statement};
use super::keywords::{HeadingRole, Keywords, normalized};
use super::lines::{is_negated, is_placeholder, item_line};
use super::list_classifier::label_and_value;
use super::requirement_names::leading_id;
use super::requirements::names_outcomes;
use super::sections::Section;
use super::titles;
use crate::planning::plan::SkipReason;

/// Minimum number of words in a statement; fewer are a name.
const MIN_WORDS: usize = 3;

/// Adds the statements that the reader of the sections did not take.
pub(super) fn add(draft: &mut Draft, root: &Section, keywords: &Keywords) {
    let mut held: Vec<(usize, usize)> = (draft.rows.iter())
        .filter(|row| !row.from_heading)
        .map(|row| (row.head.start, row.head.end))
        .chain(draft.statements.iter().map(|known| (known.span.start, known.span.end)))
        .collect();
    held.sort_unstable();
    let mut found = Found { keywords, rows: &draft.rows, held, statements: Vec::new() };
    found.section(root, false);
    let rows = &draft.rows;
    // The innermost row around a statement comes last, because parents come before children.
    let owner = |at: usize| rows.iter().rposition(|row| row.span.contains(&at));
    let new: Vec<Statement> = (found.statements.into_iter())
        .map(|line| Statement {
            owner: owner(line.span.start),
            text: titles::clean(titles::without_numbering(line.text.trim())),
            span: line.span,
        })
        .collect();
    draft.statements.extend(new);
}

struct Found<'a> {
    keywords: &'a Keywords,
    rows: &'a [Row],
    /// Lines of rows and of known statements, sorted.
    held: Vec<(usize, usize)>,
    statements: Vec<Line>,
}

impl Found<'_> {
    fn section(&mut self, section: &Section, is_inside: bool) {
        let heading = section.title();
        if is_negated(heading) || self.is_closed(heading) {
            return;
        }
        let states = is_inside || names_outcomes(self.keywords, heading);
        for block in &section.blocks {
            match block {
                Block::List { items, .. } => {
                    for line in items.iter().filter_map(item_line) {
                        self.line(line, states);
                    }
                }
                Block::Paragraph { lines, .. } => {
                    for line in lines {
                        self.labelled(line);
                        self.line(line.clone(), false);
                    }
                }
                _ => {}
            }
        }
        for child in &section.children {
            self.section(child, states);
        }
    }

    /// Whether a label below a row states the aim of that row.
    fn is_goal_of_row(&self, label: &str, line: &Line) -> bool {
        let is_goal = matches!(normalized(label).as_str(), "goal" | "objective");
        is_goal && self.rows.iter().any(|row| row.span.contains(&line.span.start))
    }

    /// Reads "**Goal**: members list surplus seeds".
    fn labelled(&mut self, line: &Line) {
        if let Some((label, value)) = label_and_value(line)
            && line.strong > 0
            && (names_outcomes(self.keywords, label) || self.is_goal_of_row(label, line))
        {
            let value = Line { text: value.to_owned(), ..line.clone() };
            self.line(value, true);
        }
    }

    fn line(&mut self, line: Line, states: bool) {
        let text = line.text.trim();
        let is_statement = states || self.has_id(text);
        let is_name = text.split_whitespace().count() < MIN_WORDS && text.is_ascii();
        if is_statement
            && !is_name
            && !text.ends_with([':', '?'])
            && !is_placeholder(text)
            && !self.is_held(&line)
        {
            self.statements.push(line);
        }
    }

    /// Whether a line begins with the id of a requirement: "KR1.1", "NFR-3".
    fn has_id(&self, text: &str) -> bool {
        leading_id(text).is_some_and(|id| {
            let prefix = id.trim_end_matches(|c: char| !c.is_alphabetic());
            self.keywords.statements.id_prefixes.iter().any(|known| known == prefix)
        })
    }

    fn is_held(&self, line: &Line) -> bool {
        let after = self.held.partition_point(|(start, _)| *start < line.span.end);
        let near = &self.held[after.saturating_sub(2)..after];
        near.iter().any(|(_, end)| *end > line.span.start)
    }

    /// Whether a heading says that its lists are no goals of this work.
    fn is_closed(&self, heading: &str) -> bool {
        use SkipReason::{Future, History, NonGoals, OutOfScope, References, Risks};
        matches!(
            self.keywords.heading(heading, false),
            Some(HeadingRole::Skip(NonGoals | OutOfScope | Risks | Future | History | References))
        )
    }
}
