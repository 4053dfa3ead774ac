//! What a command answers: the same thing as JSON and as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::CliError;
use crate::text::visible::{visible, visible_json};

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub json: Value,
    pub text: String,
    /// How many of what, for who only wants to know that.
    pub counts: BTreeMap<&'static str, u64>,
    /// Bytes that are the answer whatever the output format, such as a Parquet file.
    raw: Option<Vec<u8>>,
    /// What was done and stays so, whether or not the answer arrives.
    standing: Option<String>,
}

impl Reply {
    pub fn new(json: Value, text: impl Into<String>) -> Self {
        Self { json, text: text.into(), ..Self::default() }
    }

    pub fn raw(bytes: Vec<u8>) -> Self {
        Self { raw: Some(bytes), ..Self::default() }
    }

    /// One that was written to standard output already.
    pub fn written() -> Self {
        Self::raw(Vec::new())
    }

    /// The same, with how many there are of something.
    pub fn counting(mut self, what: &'static str, number: usize) -> Self {
        self.counts.insert(what, number as u64);
        self
    }

    /// The same, for a command that did something: what stands, such as `seq 7 is committed`.
    pub fn standing(mut self, what: impl Into<String>) -> Self {
        self.standing = Some(what.into());
        self
    }

    /// The same where the command did not say itself what stands.
    pub fn standing_unless_said(mut self, what: impl FnOnce() -> String) -> Self {
        self.standing.get_or_insert_with(what);
        self
    }

    /// Writes the answer to standard output. Text goes to a person and JSON to any reader, so nothing hidden is in either;
    /// bytes are data and go as they are.
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
            // Whoever read the answer has seen enough of it.
            Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    }

    /// What is said where the answer could not be written.
    pub fn unread(&self, fault: io::Error) -> CliError {
        match self.standing.clone() {
            Some(what) => CliError::Unread { what, fault },
            None => CliError::Output(fault),
        }
    }
}

/// A table without the columns in which no row says anything, so that the others have room.
pub fn table_of_said(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let is_said: Vec<bool> =
        (0..header.len()).map(|at| rows.iter().any(|row| !row[at].is_empty())).collect();
    let said = |at: &usize| is_said[*at];
    let header: Vec<&str> = (0..header.len()).filter(said).map(|at| header[at]).collect();
    let row = |row: Vec<String>| {
        row.into_iter().enumerate().filter(|(at, _)| is_said[*at]).map(|(_, cell)| cell).collect()
    };
    table(&header, rows.into_iter().map(row))
}

/// A table that fits the terminal.
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

/// A cell whose indentation stays where its text is broken into lines.
fn indented(cell: &str) -> String {
    let text = cell.trim_start_matches(' ');
    let hard: String = std::iter::repeat_n(HARD_SPACE, cell.len() - text.len()).collect();
    hard + text
}

/// Rows as a table where that can be read, else each row as a page of names and values.
pub fn rows(header: &[&str], rows: Vec<Vec<String>>) -> String {
    // A column is still read well when its longest value is broken into lines of this many characters.
    let narrow = |at: usize| {
        rows.iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
            .min(24)
            .max(header[at].len())
    };
    let needed: usize = (0..header.len()).map(|at| narrow(at) + 2).sum();
    // To break a text of many thousand characters into lines takes longer than anyone waits.
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

/// The width of what is not a terminal, unless COLUMNS says otherwise.
fn width() -> u16 {
    crate::config::variable("COLUMNS").and_then(|columns| columns.parse().ok()).unwrap_or(120)
}

/// `1 task`, `2 tasks`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The width there is to write in.
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
        let told = table_of_said(
            &["title", "due", "key"],
            vec![vec![long, String::new(), "PAY-1".to_owned()]],
        );
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines.len() > 2 && lines[1].starts_with("    word"), "{told}");
        assert!(
            lines[0].starts_with("TITLE") && lines[0].ends_with("KEY") && !lines[0].contains("DUE"),
            "{told}"
        );
    }
}
