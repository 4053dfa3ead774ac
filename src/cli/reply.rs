//! Reply of a command, as JSON and as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::CliError;
use crate::text::visible::{visible, visible_json};

/// A reply.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub json: Value,
    pub text: String,
    /// Counts by name, for readers that need only these.
    pub counts: BTreeMap<&'static str, u64>,
    /// Bytes of a reply that ignores the output format, such as a Parquet file.
    raw: Option<Vec<u8>>,
    /// Completed work that stays even if the reply cannot be written.
    standing: Option<String>,
}

impl Reply {
    pub fn new(json: Value, text: impl Into<String>) -> Self {
        Self { json, text: text.into(), ..Self::default() }
    }

    pub fn raw(bytes: Vec<u8>) -> Self {
        Self { raw: Some(bytes), ..Self::default() }
    }

    /// Creates a reply that was already written to standard output.
    pub fn written() -> Self {
        Self::raw(Vec::new())
    }

    /// Adds a count.
    pub fn with_count(mut self, what: &'static str, number: usize) -> Self {
        self.counts.insert(what, number as u64);
        self
    }

    /// Sets the completed work, such as `seq 7 is committed`.
    pub fn standing(mut self, what: impl Into<String>) -> Self {
        self.standing = Some(what.into());
        self
    }

    /// Sets the completed work if the command did not.
    pub fn completed_or(mut self, what: impl FnOnce() -> String) -> Self {
        self.standing.get_or_insert_with(what);
        self
    }

    /// Writes the reply to standard output. Text and JSON contain no hidden characters, because
    /// people may read both; raw bytes are written as they are.
    pub fn print(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let written = match (&self.raw, json) {
            (Some(bytes), _) => out.write_all(bytes),
            (None, true) => {
                let json = format!("{:#}\n", self.json);
                out.write_all(visible_json(&json).as_bytes())
            }
            (None, false) => out
                .write_all(visible(self.text.trim_end()).as_bytes())
                .and_then(|()| out.write_all(b"\n")),
        };
        match written.and_then(|()| out.flush()) {
            // A reader that closed the pipe has seen enough.
            Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    }

    /// Returns the error for a reply that could not be written.
    pub fn unread(&self, err: io::Error) -> CliError {
        match self.standing.clone() {
            Some(what) => CliError::ReplyLost { what, err },
            None => CliError::Output(err),
        }
    }
}

/// Lays out a table without its empty columns, so that the others have room.
pub fn table_without_empty_columns(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let is_stated: Vec<bool> =
        (0..header.len()).map(|at| rows.iter().any(|row| !row[at].is_empty())).collect();
    let output = |at: &usize| is_stated[*at];
    let header: Vec<&str> = (0..header.len()).filter(output).map(|at| header[at]).collect();
    let row = |row: Vec<String>| {
        row.into_iter().enumerate().filter(|(at, _)| is_stated[*at]).map(|(_, cell)| cell).collect()
    };
    table(&header, rows.into_iter().map(row))
}

/// Lays out a table that fits the terminal.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !table.is_tty() {
        table.set_width(width());
    }
    table.set_header(header.iter().map(|name| name.to_uppercase()));
    table.add_rows(
        rows.into_iter().map(|row| row.into_iter().map(|cell| indented(&visible(&cell)))),
    );
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> =
        table.lines().map(|line| line.replace(HARD_SPACE, " ").trim_end().to_owned()).collect();
    lines.join("\n")
}

const HARD_SPACE: char = '\u{a0}';

/// Makes the indentation of a cell survive line breaking.
fn indented(cell: &str) -> String {
    let text = cell.trim_start_matches(' ');
    let hard: String = std::iter::repeat_n(HARD_SPACE, cell.len() - text.len()).collect();
    hard + text
}

/// Lays out rows as a table if it is readable, else each row as a list of names and values.
pub fn rows(header: &[&str], rows: Vec<Vec<String>>) -> String {
    // A column is still readable if its longest value is broken into lines of this many characters.
    let narrow = |at: usize| {
        rows.iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
            .min(24)
            .max(header[at].len())
    };
    let needed: usize = (0..header.len()).map(|at| narrow(at) + 2).sum();
    // Breaking a text of many thousand characters into lines takes too long.
    let is_short = rows.iter().flatten().all(|value| value.len() <= 10_000);
    if is_short && needed <= usize::from(Table::new().width().unwrap_or_else(width)) {
        return table(header, rows);
    }
    let longest = header.iter().map(|name| name.len()).max().unwrap_or(0);
    let line = |(name, value): (&&str, &String)| {
        format!("{name:<longest$}  {value}").trim_end().to_owned()
    };
    let page = |row: &Vec<String>| header.iter().zip(row).map(line).collect::<Vec<_>>().join("\n");
    rows.iter().map(page).collect::<Vec<_>>().join("\n\n")
}

/// Width of output that is not a terminal; COLUMNS overrides it.
fn width() -> u16 {
    crate::config::variable("COLUMNS").and_then(|columns| columns.parse().ok()).unwrap_or(120)
}

/// Formats a count: `1 task`, `2 tasks`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Available width.
pub fn terminal_width() -> u16 {
    let table = Table::new();
    if table.is_tty() { table.width().unwrap_or_else(width) } else { width() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_title_keeps_its_indentation_and_empty_columns_give_way() {
        let long = format!("    {}", "word ".repeat(60));
        let rendered = table_without_empty_columns(
            &["title", "due", "key"],
            vec![vec![long, String::new(), "PAY-1".to_owned()]],
        );
        let lines: Vec<&str> = rendered.lines().collect();
        assert!(lines.len() > 2 && lines[1].starts_with("    word"), "{rendered}");
        assert!(
            lines[0].starts_with("TITLE") && lines[0].ends_with("KEY") && !lines[0].contains("DUE"),
            "{rendered}"
        );
    }
}
