//! Reads tables of work: each row is a task, and the columns hold its details.

use super::blocks::Row as TableRow;
use super::dates;
use super::draft::Row;
use super::items;
use super::keywords::{Attribute, Rank, normalized};
use super::titles;
use super::units::Unit;
use super::walker::{WalkContext, Walker};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Title,
    WeakTitle,
    Number,
    Field(Attribute),
    Other,
}

/// Reads the table as tasks. Returns whether it is about work.
pub(super) fn read(
    walker: &mut Walker<'_>,
    header: &[String],
    rows: &[TableRow],
    place: WalkContext,
) -> bool {
    let columns: Vec<Column> = header.iter().map(|name| column(walker, name)).collect();
    let support = columns
        .iter()
        .any(|column| matches!(column, Column::Field(field) if *field != Attribute::Priority && *field != Attribute::Acceptance));
    let of = |wanted: Column| columns.iter().position(|column| *column == wanted);
    let title = of(Column::Title).or_else(|| of(Column::WeakTitle).filter(|_| support));
    let (Some(title), true) = (title, support || place.work.is_some()) else {
        return false;
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
        table_row(walker, header, &columns, row, title, prefix, place);
    }
    true
}

fn column(walker: &Walker<'_>, name: &str) -> Column {
    let keywords = walker.keywords;
    if keywords.columns.number.iter().any(|number| number == name.trim()) {
        return Column::Number;
    }
    let name = normalized(name.split('(').next().unwrap_or(name));
    if keywords.columns.title.contains(&name) {
        Column::Title
    } else if keywords.columns.number.contains(&name) {
        Column::Number
    } else if let Some(field) = keywords.attribute(&name) {
        Column::Field(field)
    } else if keywords.columns.weak_title.contains(&name) {
        Column::WeakTitle
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

fn table_row(
    walker: &mut Walker<'_>,
    header: &[String],
    columns: &[Column],
    row: &TableRow,
    title: usize,
    prefix: Option<usize>,
    place: WalkContext,
) {
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
    let head = items::head(walker.keywords, walker.options, place.year, &text, 0);
    if !head.title.contains(char::is_alphanumeric) {
        return;
    }
    let shortened = head.shortened;
    let mut draft = Row::of_head(head, row.span.clone(), row.span.clone());
    draft.group = place.group;
    if shortened {
        draft.description.push(titles::clean(&text));
    }
    let Some(index) = walker.add(draft, place) else {
        return;
    };
    for (at, column) in columns.iter().enumerate().filter(|(at, _)| *at != title) {
        other_cell(walker, index, *column, &header[at], cell(at), row, place);
    }
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
    name: &str,
    cell: &str,
    row: &TableRow,
    place: WalkContext,
) {
    let plain = titles::clean(cell);
    if plain.is_empty() {
        return;
    }
    match column {
        Column::Number => {
            walker.draft.rows[index].names.push(plain);
            return;
        }
        Column::Field(field) => {
            let value =
                if field == Attribute::Estimate { with_unit(name, &plain) } else { plain.clone() };
            walker.apply_field(index, field, &value, row.span.clone(), place.year);
        }
        Column::WeakTitle => {
            if let Some(weeks) = dates::weeks(&plain) {
                walker.draft.rows[index].weeks.get_or_insert(weeks);
            }
        }
        Column::Title | Column::Other => {}
    }
    walker.draft.rows[index].description.push(format!("{}: {plain}", titles::clean(name)));
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
