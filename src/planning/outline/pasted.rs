//! Reads tables that were pasted from a spreadsheet: lines with cells between tabs.

use std::ops::Range;

use super::blocks::{Block, Line, Row};

/// Lines that a table must have, besides its header.
const MIN_ROWS: usize = 2;

/// Takes the pasted tables out of a text. Returns the text with their lines blanked, byte for byte,
/// and the blocks of each table. A line with a single cell divides a table and names a group.
pub(super) fn tables(text: &str) -> (String, Vec<Block>) {
    let mut rest = text.to_owned();
    let mut blocks = Vec::new();
    let mut run: Vec<(Range<usize>, &str)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let span = at..at + line.trim_end_matches(['\n', '\r']).len();
        at += line.len();
        if cells(line).count() > 1 || (line.contains('\t') && !run.is_empty()) {
            run.push((span, line));
        } else if !line.trim().is_empty() || run.is_empty() {
            close(&mut run, &mut rest, &mut blocks);
        }
    }
    close(&mut run, &mut rest, &mut blocks);
    (rest, blocks)
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.trim_end().split('\t').map(str::trim).filter(|cell| !cell.is_empty())
}

/// Ends a run of lines. It is a table if most lines have as many cells as the first, or nearly so.
fn close(run: &mut Vec<(Range<usize>, &str)>, rest: &mut String, blocks: &mut Vec<Block>) {
    const MIN_COLUMNS: usize = 3;
    let lines = std::mem::take(run);
    let Some((header_span, header)) = lines.first().cloned() else { return };
    let columns = header.trim_end().split('\t').count();
    let full = lines.iter().filter(|(_, line)| line.matches('\t').count() + 2 >= columns.max(2));
    let is_indented = header.starts_with('\t');
    if columns < MIN_COLUMNS || is_indented || full.count() <= MIN_ROWS {
        return;
    }
    let split = |line: &str| -> Vec<String> {
        line.trim_end_matches(['\n', '\r']).split('\t').map(|cell| cell.trim().to_owned()).collect()
    };
    let names = split(header);
    let mut rows: Vec<Row> = Vec::new();
    let mut start = header_span;
    let push = |rows: &mut Vec<Row>, start: &Range<usize>, blocks: &mut Vec<Block>| {
        if let Some(last) = rows.last() {
            let span = start.start..last.span.end;
            blocks.push(Block::Table { header: names.clone(), rows: std::mem::take(rows), span });
        }
    };
    for (span, line) in lines.iter().skip(1) {
        if cells(line).count() == 1 {
            push(&mut rows, &start, blocks);
            let name = cells(line).next().unwrap_or_default().to_owned();
            let offset = line.len() - line.trim_start().len();
            let own = span.start + offset..span.end;
            let line = Line { text: name, span: own.clone(), ..Line::default() };
            blocks.push(Block::Heading { level: 3, line });
            start = own;
        } else {
            rows.push(Row { cells: split(line), span: span.clone() });
        }
    }
    push(&mut rows, &start, blocks);
    let whole = lines.first().map_or(0, |(span, _)| span.start)
        ..lines.last().map_or(0, |(span, _)| span.end);
    let blank: String = rest[whole.clone()]
        .chars()
        .map(|c| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) })
        .collect();
    rest.replace_range(whole, &blank);
}
