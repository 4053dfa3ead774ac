//! Reads the tables of a text: their cells, and what their columns hold.

use super::mark::MarkKind;

/// What a column holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Title,
    Detail(MarkKind),
    /// A column of tables that are not about work, such as a register of risks.
    Foreign,
    Other,
}

/// Names of columns, as single words. A column holds a detail if one of its words is listed.
const TITLES: &[&str] = &[
    "task",
    "tasks",
    "action",
    "actions",
    "activity",
    "activities",
    "step",
    "steps",
    "todo",
    "deliverable",
    "story",
    "item",
    "title",
    "summary",
    "description",
    "work",
    "what",
    "aufgabe",
    "tarea",
    "tâche",
];
const OWNERS: &[&str] =
    &["owner", "owners", "assignee", "assigned", "responsible", "who", "dri", "lead"];
const EFFORTS: &[&str] =
    &["effort", "estimate", "estimated", "duration", "hours", "days", "sp", "points", "size"];
const DATES: &[&str] = &["due", "deadline", "start", "end", "date", "eta"];
const STATES: &[&str] = &["status", "state", "done", "progress"];
const PRIORITIES: &[&str] = &["priority", "prio"];
const DEPENDENCIES: &[&str] =
    &["depends", "dependencies", "dependency", "predecessor", "predecessors", "blocked", "after"];
const FOREIGN: &[&str] = &[
    "risk",
    "risks",
    "impact",
    "mitigation",
    "likelihood",
    "probability",
    "metric",
    "option",
    "pros",
    "cons",
    "version",
    "role",
    "term",
    "before",
    "current",
];

impl Column {
    /// Returns what a column of this name holds.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let words: Vec<&str> =
            name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
        let details = [
            (OWNERS, MarkKind::Owner),
            (DATES, MarkKind::Date),
            (EFFORTS, MarkKind::Effort),
            (STATES, MarkKind::State),
            (PRIORITIES, MarkKind::Priority),
            (DEPENDENCIES, MarkKind::Dependency),
        ];
        if has(FOREIGN) {
            return Self::Foreign;
        }
        if let Some((_, kind)) = details.iter().find(|(list, _)| has(list)) {
            return Self::Detail(*kind);
        }
        if has(TITLES) { Self::Title } else { Self::Other }
    }
}

/// Whether a table with these columns lists work: it names a piece of work and details of it.
pub(super) fn lists_work(columns: &[Column]) -> bool {
    columns.contains(&Column::Title)
        && columns.iter().any(|column| matches!(column, Column::Detail(_)))
        && !columns.contains(&Column::Foreign)
}

/// Whether a cell holds nothing.
pub(super) fn is_empty(cell: &str) -> bool {
    let bare = cell.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let is_symbol = cell
        .chars()
        .any(|c| !c.is_ascii() && !c.is_alphanumeric() && c != '\u{2013}' && c != '\u{2014}');
    matches!(bare.as_str(), "tbd" | "n/a" | "na" | "none" | "tba" | "unassigned")
        || (bare.is_empty() && !is_symbol)
}

/// Whether a line is the rule below a table's header, such as `|---|:-:|`.
pub(super) fn is_rule(line: &str) -> bool {
    let bare = line.trim();
    bare.contains('-')
        && bare.contains('|')
        && bare.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t' | '+'))
}

/// Returns the cells of a table row. A bar behind a backslash is part of its cell.
pub(super) fn split(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut is_escaped = false;
    for c in line.chars() {
        match c {
            '|' if !is_escaped => cells.push(String::new()),
            _ => cells.last_mut().into_iter().for_each(|cell| cell.push(c)),
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    if cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}
