//! Reads tables of work: each row is a task, and the columns hold its details.

use super::blocks::{Line, Row as TableRow};
use super::draft::{Mention, Row};
use super::items;
use super::keywords::{Attribute, Rank, normalized};
use super::requirement_names::leading_id;
use super::titles;
use super::units::Unit;
use super::walker::{WalkContext, Walker};
use super::{dates, durations};
use crate::planning::plan::SkipReason;
use crate::text::pattern;
use std::sync::LazyLock;

use regex::Regex;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Title,
    WeakTitle,
    Number,
    Field(Attribute),
    Other,
}

/// Reads a table of requirements as statements. Returns whether it is one.
pub(super) fn statements(walker: &mut Walker<'_>, header: &[String], rows: &[TableRow]) -> bool {
    const NAMES: [&str; 7] =
        ["requirement", "requirements", "criterion", "criteria", "user story", "story", "need"];
    let Some(column) = header.iter().position(|name| NAMES.contains(&normalized(name).as_str()))
    else {
        return false;
    };
    for row in rows {
        let text = row.cells.get(column).map_or("", String::as_str);
        let line = Line { text: titles::clean(text), span: row.span.clone(), ..Line::default() };
        walker.state(&line, row.span.clone(), None);
    }
    true
}

/// Columns of a table that lists work.
struct WorkTable {
    columns: Vec<Column>,
    title: usize,
    /// Whether a column says how long, when, by whom or after what.
    has_details: bool,
}

/// Returns the columns of a table of work, by the names of the columns and by what their cells hold.
fn work_table(walker: &Walker<'_>, header: &[String], rows: &[TableRow]) -> Option<WorkTable> {
    let columns: Vec<Column> = header
        .iter()
        .enumerate()
        .map(|(at, name)| match column(walker, name) {
            Column::Other => by_content(walker, rows, at).unwrap_or(Column::Other),
            known => known,
        })
        .collect();
    let is_register = header.iter().any(|name| {
        let words = normalized(name);
        words.split(' ').any(|word| REGISTERS.contains(&word))
    });
    if is_register {
        return None;
    }
    let is_detail = |column: &Column| matches!(column, Column::Field(field) if *field != Attribute::Priority && *field != Attribute::Acceptance);
    let details = columns.iter().filter(|column| is_detail(column)).count();
    let of = |wanted: Column| columns.iter().position(|column| *column == wanted);
    // A title column of an unknown name is the one with the longest texts.
    let longest = || {
        let length = |at: &usize| -> usize {
            rows.iter().filter_map(|row| row.cells.get(*at)).map(|cell| cell.chars().count()).sum()
        };
        let others = (0..columns.len())
            .filter(|at| matches!(columns[*at], Column::Other | Column::WeakTitle));
        others.max_by_key(length).filter(|at| length(at) >= 8 * rows.len().max(1))
    };
    let title = of(Column::Title)
        .or_else(|| of(Column::WeakTitle).filter(|_| details > 0))
        .or_else(|| longest().filter(|_| details > 1))?;
    Some(WorkTable { columns, title, has_details: details > 0 })
}

/// Names of columns in registers of risks and the like, which list no work.
const REGISTERS: [&str; 9] = [
    "risk",
    "risks",
    "risiko",
    "mitigation",
    "likelihood",
    "probability",
    "impact",
    "riesgo",
    "risque",
];

/// Returns what a column holds, if most of its cells show it: efforts, dates or states.
fn by_content(walker: &Walker<'_>, rows: &[TableRow], at: usize) -> Option<Column> {
    let cells: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.cells.get(at))
        .map(|cell| cell.trim())
        .filter(|cell| cell.chars().any(char::is_alphanumeric))
        .collect();
    let most = |is: &dyn Fn(&str) -> bool| {
        cells.len() > 1 && cells.iter().filter(|cell| is(cell)).count() * 3 >= cells.len() * 2
    };
    let keywords = walker.keywords;
    let day = walker.options.day_minutes;
    let is_id = |cell: &str| leading_id(cell).is_some_and(|id| id.len() == cell.len());
    if most(&is_id) && (1..cells.len()).all(|at| !cells[..at].contains(&cells[at])) {
        return Some(Column::Number);
    }
    if most(&|cell| durations::parse(keywords, day, cell).is_some()) {
        return Some(Column::Field(Attribute::Estimate));
    }
    if most(&|cell| dates::whole(cell).is_some() || dates::is_day(cell)) {
        return Some(Column::Field(Attribute::Due));
    }
    let is_state = |cell: &str| keywords.status.is_state(&normalized(cell));
    most(&is_state).then_some(Column::Field(Attribute::Status))
}

/// Whether a table lists work by its form: it names work, and says how long, when or by whom.
pub(super) fn lists_work(walker: &Walker<'_>, header: &[String], rows: &[TableRow]) -> bool {
    work_table(walker, header, rows).is_some_and(|table| table.has_details)
}

/// Reads the table as tasks. Returns whether it is about work.
pub(super) fn read(
    walker: &mut Walker<'_>,
    header: &[String],
    rows: &[TableRow],
    place: WalkContext,
) -> bool {
    let Some(WorkTable { columns, title, has_details }) = work_table(walker, header, rows) else {
        return false;
    };
    if !has_details && place.work.is_none() {
        return false;
    }
    let of = |wanted: Column| columns.iter().position(|column| *column == wanted);
    // A column "Step" may hold numbers only, beside the column that says what to do.
    let is_number = |at: usize| {
        let mut cells = rows.iter().filter_map(|row| row.cells.get(at)).peekable();
        cells.peek().is_some() && cells.all(|cell| !cell.contains(char::is_alphabetic))
    };
    let title = match of(Column::WeakTitle) {
        Some(weak) if is_number(title) && !is_number(weak) => weak,
        _ => title,
    };
    let prefix =
        (0..title).find(|at| columns[*at] == Column::Other).filter(|_| has_duplicates(rows, title));
    let group = walker.next_group();
    let place = WalkContext { skip: None, work: place.work.or(Some(Rank::Plan)), group, ..place };
    for row in rows {
        let is_total = |at: usize| {
            row.cells
                .get(at)
                .is_some_and(|cell| walker.keywords.columns.total.contains(&normalized(cell)))
        };
        if is_total(0) || is_total(title) {
            continue;
        }
        let table = Table { header, columns: &columns, rows, title, prefix, place };
        table_row(walker, &table, row);
    }
    true
}

fn column(walker: &Walker<'_>, name: &str) -> Column {
    let keywords = walker.keywords;
    if keywords.columns.number.iter().any(|number| number == name.trim()) {
        return Column::Number;
    }
    if matches!(normalized(name).as_str(), "days" | "hours" | "weeks" | "person days" | "man days")
    {
        return Column::Field(Attribute::Estimate);
    }
    let name = normalized(name.split('(').next().unwrap_or(name));
    let padded = format!(" {name} ");
    let names_work = || {
        keywords.columns.title.iter().any(|word| padded.contains(&format!(" {word} ")))
            && name.split(' ').count() <= 3
    };
    if keywords.columns.title.contains(&name) {
        Column::Title
    } else if keywords.columns.number.contains(&name) {
        Column::Number
    } else if let Some(field) = keywords.attribute(&name) {
        Column::Field(field)
    } else if keywords.columns.weak_title.contains(&name) {
        Column::WeakTitle
    } else if names_work() {
        Column::Title
    } else {
        Column::Other
    }
}

fn has_duplicates(rows: &[TableRow], title: usize) -> bool {
    let mut titles: Vec<&str> =
        rows.iter().filter_map(|row| row.cells.get(title)).map(String::as_str).collect();
    titles.sort_unstable();
    titles.windows(2).any(|pair| pair[0] == pair[1])
}

/// A table of work that is being read.
struct Table<'t> {
    header: &'t [String],
    columns: &'t [Column],
    rows: &'t [TableRow],
    title: usize,
    /// The column that distinguishes rows with the same title.
    prefix: Option<usize>,
    place: WalkContext,
}

impl Table<'_> {
    /// Returns the cells of a column.
    fn column(&self, at: usize) -> Vec<&str> {
        self.rows.iter().filter_map(|row| row.cells.get(at)).map(String::as_str).collect()
    }
}

fn table_row(walker: &mut Walker<'_>, table: &Table<'_>, row: &TableRow) {
    let &Table { header, columns, title, prefix, place, .. } = table;
    let cell = |at: usize| row.cells.get(at).map_or("", String::as_str);
    let mut parts = parts(cell(title));
    let window = period(walker, header, columns, row);
    let text = match (prefix, parts.len()) {
        (_, 0) => return,
        (Some(prefix), 1) => format!("{}: {}", cell(prefix), parts[0]),
        (_, 1) => parts.remove(0),
        // Several tasks in one cell: the period names the row, and the tasks go below it.
        _ => window.clone().unwrap_or_else(|| parts.remove(0)),
    };
    // "| 2 | 4 days |" says more about task 2.
    if let Some(known) = walker.numbered_row(&text) {
        for (at, column) in columns.iter().enumerate().filter(|(at, _)| *at != title) {
            other_cell(walker, known, *column, table, at, row);
        }
        return walker.draft.skip(row.span.clone(), &text, SkipReason::Restated);
    }
    let head = items::head(walker.keywords, walker.options, place.year, &text, 0);
    if !head.title.contains(char::is_alphanumeric) {
        return;
    }
    let shortened = head.shortened;
    let mut draft = Row::of_head(head, row.span.clone(), row.span.clone());
    draft.group = place.group;
    draft.is_step = place.is_steps;
    if shortened {
        draft.description.push(titles::clean(&text));
    }
    let Some(index) = walker.add(draft, place) else {
        return;
    };
    for (at, column) in columns.iter().enumerate().filter(|(at, _)| *at != title) {
        other_cell(walker, index, *column, table, at, row);
    }
    let names_milestones = walker.says_schedule(&header[title]);
    let row_read = &mut walker.draft.rows[index];
    row_read.is_milestone = (place.is_schedule || names_milestones)
        && row_read.window.due.is_some()
        && row_read.window.not_before.is_none()
        && row_read.stated.is_none();
    if parts.len() > 1 {
        let group = walker.next_group();
        for part in parts {
            let head = items::head(walker.keywords, walker.options, place.year, &part, 0);
            let mut draft = Row::of_head(head, row.span.clone(), row.span.clone());
            draft.group = group;
            walker.add(draft, WalkContext { parent: Some(index), ..place });
        }
    }
}

fn other_cell(
    walker: &mut Walker<'_>,
    index: usize,
    column: Column,
    table: &Table<'_>,
    at: usize,
    row: &TableRow,
) {
    let (name, place) = (&table.header[at], table.place);
    let cell = row.cells.get(at).map_or("", String::as_str);
    let plain = titles::clean(cell);
    if column == Column::Field(Attribute::Status) && plain.is_empty() {
        let span = row.span.clone();
        walker.apply_field(index, Attribute::Status, cell, span, place.year);
    }
    if plain.is_empty() {
        return;
    }
    match column {
        Column::Number => {
            walker.draft.rows[index].names.push(plain);
            return;
        }
        Column::Field(field) => {
            // A column "Date" or "When" may hold periods or days.
            if let (Attribute::Dates, Some(date)) = (field, dates::whole(&plain)) {
                walker.draft.rows[index].window.due.get_or_insert(date);
            }
            let value =
                if field == Attribute::Estimate { with_unit(name, &plain) } else { plain.clone() };
            walker.apply_field(index, field, &value, row.span.clone(), place.year);
        }
        Column::WeakTitle => {
            if let Some(weeks) = dates::weeks(&plain) {
                walker.draft.rows[index].weeks.get_or_insert(weeks);
            }
        }
        Column::Title => {}
        Column::Other => {
            let mut mention = Mention::of_text(&plain, row.span.clone());
            if names_rows(&plain, &table.column(at)) {
                mention.field = Some(Attribute::Depends);
            }
            walker.draft.rows[index].mentions.push(mention);
        }
    }
    walker.draft.rows[index].description.push(format!("{}: {plain}", titles::clean(name)));
}

/// Whether a cell holds nothing but numbers of other rows, in a column of remarks: "nr 11", "11, 7".
fn names_rows(cell: &str, column: &[&str]) -> bool {
    static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"(?i)^(?:(?:nr|no|row|item)\.? ?|#)?\d{1,3}(?:\s*[,&+]\s*#?\d{1,3})*$")
    });
    let is_worded = |cell: &&&str| cell.chars().filter(|c| c.is_alphabetic()).count() > 2;
    let filled = column.iter().filter(|cell| !cell.trim().is_empty());
    let (worded, all) = (filled.clone().filter(is_worded).count(), filled.count());
    NUMBERS.is_match(cell.trim()) && worded * 2 >= all
}

/// Adds the unit of the column: "10" under "Hours" becomes "10 hours".
fn with_unit(header: &str, value: &str) -> String {
    let is_bare =
        value.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | ' ' | '\u{2013}'));
    let unit = ["minute", "hour", "day", "week", "month"]
        .into_iter()
        .find(|unit| header.to_lowercase().contains(unit));
    match unit.filter(|_| is_bare) {
        Some(unit) => format!("{value} {unit}s"),
        None => value.to_owned(),
    }
}

/// Returns the tasks of one cell, typed as bullets or lines.
fn parts(cell: &str) -> Vec<String> {
    cell.split(['\n', '\u{2022}', '\u{25aa}'])
        .map(|part| part.trim().trim_start_matches("- ").trim())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Returns "Week 3" for a column named "Week", or the cell itself if it names a period.
fn period(
    walker: &Walker<'_>,
    header: &[String],
    columns: &[Column],
    row: &TableRow,
) -> Option<String> {
    columns.iter().enumerate().find_map(|(at, column)| {
        let cell = titles::clean(row.cells.get(at)?);
        match column {
            Column::Field(Attribute::Week) if cell.starts_with(|c: char| c.is_ascii_digit()) => {
                Some(format!("{} {cell}", titles::clean(&header[at])))
            }
            Column::Field(Attribute::Week) if !cell.is_empty() => Some(cell),
            Column::WeakTitle if Unit::leading(walker.keywords, &cell).is_some() => Some(cell),
            _ => None,
        }
    })
}
