//! Reads structure that people show by layout instead of Markdown: drawn tables, aligned columns,
//! outlines by indentation, and lists in HTML.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::blocks::{Block, Item, Line, Row};
use crate::text::pattern;

static TAG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)\b[^<>\n]{0,300}>"));
/// Marks at the start of a line that Markdown reads.
static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^\s*(?:[-*+\x{2022}#>|`~\x{2500}-\x{257f}]|\d{1,3}[.)]|[A-Za-z][.)]\s|\[)")
});
/// Signs of code and of data.
static CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[{}<>=;\\]|: |:$|^\s*//"));
static GAP: LazyLock<Regex> = LazyLock::new(|| pattern(r" {2,}|\t+"));

/// A line without its end, and its bytes.
type Lines<'t> = Vec<(Range<usize>, &'t str)>;

/// Takes the parts that have a layout out of a text. Returns the text with these lines blanked, byte
/// for byte, and the blocks of the parts.
pub(super) fn blocks(text: &str) -> (String, Vec<Block>) {
    let mut rest = text.to_owned();
    let mut blocks = Vec::new();
    let mut run: Lines<'_> = Vec::new();
    let (mut at, mut is_code) = (0, false);
    for line in text.split_inclusive('\n').chain(std::iter::once("")) {
        let bare = line.trim_end_matches(['\n', '\r']);
        let span = at..at + bare.len();
        at += line.len();
        is_code ^= bare.trim_start().starts_with("```") || bare.trim_start().starts_with("~~~");
        if !bare.trim().is_empty() && !is_code {
            run.push((span, bare));
            continue;
        }
        let lines = std::mem::take(&mut run);
        let is_first = blocks.is_empty()
            && lines.first().is_some_and(|(span, _)| text[..span.start].trim().is_empty());
        let found = drawn_table(&lines)
            .or_else(|| aligned_columns(&lines))
            .or_else(|| indented_outline(&lines, is_first));
        if let (Some(found), Some((first, _)), Some((last, _))) =
            (found, lines.first(), lines.last())
        {
            blank(&mut rest, first.start..last.end);
            blocks.extend(found);
        }
    }
    (rest, blocks)
}

/// Replaces the tags of lists and headings by marks of Markdown, byte for byte, if the text has lists
/// in HTML.
pub(super) fn without_html(text: &str) -> Cow<'_, str> {
    if !text.contains("<li") {
        return Cow::Borrowed(text);
    }
    TAG.replace_all(text, |found: &regex::Captures<'_>| {
        let length = found[0].len();
        let name = found["name"].to_lowercase();
        // A form feed is no space to Markdown, which would read many spaces as code.
        let padded = |mark: &str| format!("{mark} {}", "\u{c}".repeat(length - mark.len() - 1));
        match (found["end"].is_empty(), name.as_str()) {
            (true, "li") => padded("-"),
            (true, "h1") => padded("#"),
            (true, "h2") => padded("##"),
            (true, "h3" | "h4" | "h5" | "h6") => padded("###"),
            (_, "ul" | "ol" | "div" | "body" | "html") => " ".repeat(length),
            _ => "\u{c}".repeat(length),
        }
    })
}

fn blank(text: &mut String, range: Range<usize>) {
    let blank: String = text[range.clone()]
        .chars()
        .map(|c| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) })
        .collect();
    text.replace_range(range, &blank);
}

fn table(header: Vec<String>, rows: Vec<Row>, lines: &Lines<'_>) -> Option<Vec<Block>> {
    let span = lines.first()?.0.start..lines.last()?.0.end;
    Some(vec![Block::Table { header, rows, span }])
}

/// Reads a table with borders of characters: "+----+----+" and "│ 1 │ Order │".
fn drawn_table(lines: &Lines<'_>) -> Option<Vec<Block>> {
    const MIN_LINES: usize = 3;
    let is_border = |line: &str| {
        let line = line.trim();
        line.len() > 2
            && line
                .chars()
                .all(|c| matches!(c, '+' | '-' | '=' | '|' | ' ' | '\u{2500}'..='\u{257f}'))
            && line.contains(['-', '=', '\u{2500}', '\u{2501}', '\u{2550}'])
    };
    let is_bar = |c: char| matches!(c, '|' | '\u{2502}' | '\u{2503}' | '\u{2551}');
    let is_row =
        |line: &str| line.trim().starts_with(is_bar) && line.trim().matches(is_bar).count() > 2;
    // Markdown reads tables whose border holds bars only.
    let has_corners =
        lines.iter().any(|(_, line)| is_border(line) && !line.trim().starts_with('|'));
    if lines.len() < MIN_LINES
        || !has_corners
        || !lines.iter().all(|(_, line)| is_border(line) || is_row(line))
    {
        return None;
    }
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches(is_bar).split(is_bar).map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = lines.iter().filter(|(_, line)| !is_border(line));
    let header = cells(rows.next()?.1);
    let rows = rows.map(|(span, line)| Row { cells: cells(line), span: span.clone() }).collect();
    table(header, rows, lines)
}

/// Reads lines with the same number of columns, divided by several spaces.
fn aligned_columns(lines: &Lines<'_>) -> Option<Vec<Block>> {
    const MIN_LINES: usize = 3;
    const MIN_COLUMNS: usize = 3;
    let cells = |line: &str| -> Vec<String> {
        GAP.split(line.trim()).map(|cell| cell.trim().to_owned()).collect()
    };
    let columns = lines.first().map_or(0, |(_, line)| cells(line).len());
    let is_even =
        |(_, line): &(Range<usize>, &str)| !MARKED.is_match(line) && cells(line).len() == columns;
    if lines.len() < MIN_LINES || columns < MIN_COLUMNS || !lines.iter().all(is_even) {
        return None;
    }
    let first = cells(lines.first()?.1);
    let has_header = first.iter().all(|cell| !cell.contains(|c: char| c.is_ascii_digit()));
    let header = if has_header { first } else { vec![String::new(); columns] };
    let rows = lines.iter().skip(usize::from(has_header));
    let rows = rows.map(|(span, line)| Row { cells: cells(line), span: span.clone() }).collect();
    table(header, rows, lines)
}

/// Reads short lines without marks whose indentation nests them.
fn indented_outline(lines: &Lines<'_>, is_first: bool) -> Option<Vec<Block>> {
    const MIN_LINES: usize = 4;
    const MAX_CHARS: usize = 60;
    /// More is an accident or an attack.
    const MAX_INDENT: usize = 120;
    let indent = |line: &str| {
        let start = &line[..line.len() - line.trim_start().len()];
        start.chars().map(|c| if c == '\t' { 4 } else { 1 }).sum::<usize>()
    };
    let is_short = |(_, line): &(Range<usize>, &str)| {
        line.trim().chars().count() <= MAX_CHARS
            && !MARKED.is_match(line)
            && !CODE.is_match(line)
            && !line.trim_end().ends_with(['.', ',', '!'])
    };
    let depths: Vec<usize> = lines.iter().map(|(_, line)| indent(line)).collect();
    let top = *depths.first()?;
    let deeper = depths.iter().filter(|depth| **depth > top).count();
    let is_deep = depths.iter().any(|depth| *depth > MAX_INDENT);
    let is_outline =
        !is_deep && top == 0 && deeper > 1 && depths.iter().all(|depth| *depth == 0 || *depth > 1);
    if lines.len() < MIN_LINES || !is_outline || !lines.iter().all(is_short) {
        return None;
    }
    let line = |at: usize| {
        let (span, text) = &lines[at];
        let start = span.start + (text.len() - text.trim_start().len());
        Line { text: text.trim().to_owned(), span: start..span.end, ..Line::default() }
    };
    let roots = depths.iter().filter(|depth| **depth == 0).count();
    // The only root of an outline that opens the text is its title.
    if is_first && roots == 1 {
        let heading = Block::Heading { level: 1, line: line(0) };
        return Some(vec![heading, list(&depths, 1..lines.len(), &line)?]);
    }
    Some(vec![list(&depths, 0..lines.len(), &line)?])
}

/// Returns the lines of a range as a list. Lines that are indented more than the one before them
/// nest below it.
fn list(depths: &[usize], range: Range<usize>, line: &impl Fn(usize) -> Line) -> Option<Block> {
    let mut items: Vec<Item> = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let below =
            (at + 1..range.end).find(|next| depths[*next] <= depths[at]).unwrap_or(range.end);
        let own = line(at);
        let mut span = own.span.clone();
        let mut blocks = vec![Block::Paragraph { span: span.clone(), lines: vec![own] }];
        if let Some(inner) = (at + 1 < below).then(|| list(depths, at + 1..below, line)).flatten() {
            span.end = inner.span().end;
            blocks.push(inner);
        }
        items.push(Item { number: None, checked: None, span, blocks });
        at = below;
    }
    let span = items.first()?.span.start..items.last()?.span.end;
    Some(Block::List { ordered: false, items, span })
}
