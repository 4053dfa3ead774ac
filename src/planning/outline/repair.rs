//! Repairs two habits that Markdown does not support: typed bullets and broken tables.

use std::ops::Range;

use super::blocks::{Block, Item, Line, Row};

const TYPED_BULLETS: [char; 5] = ['\u{2022}', '\u{25aa}', '\u{25e6}', '\u{2023}', '\u{25cf}'];

/// Repairs typed bullets and broken tables at every depth of quotes and lists.
pub(super) fn repaired(blocks: Vec<Block>) -> Vec<Block> {
    let mut result: Vec<Block> = Vec::with_capacity(blocks.len());
    for block in blocks {
        match block {
            Block::Paragraph { lines, .. }
                if lines.iter().any(|line| line.text.starts_with(TYPED_BULLETS)) =>
            {
                result.extend(typed_list(lines));
            }
            Block::Paragraph { lines, span }
                if lines.iter().all(|line| line.text.matches('|').count() >= 2) =>
            {
                extend_table(&mut result, &lines, span);
            }
            other => result.push(other),
        }
    }
    result
}

fn typed_list(lines: Vec<Line>) -> Vec<Block> {
    let mut before: Vec<Line> = Vec::new();
    let mut items: Vec<Item> = Vec::new();
    for mut line in lines {
        if let Some(rest) = line.text.strip_prefix(TYPED_BULLETS) {
            line.text = rest.trim_start().to_owned();
            line.strong = 0;
            let span = line.span.clone();
            let block = Block::Paragraph { lines: vec![line], span: span.clone() };
            items.push(Item { number: None, checked: None, span, blocks: vec![block] });
        } else if let Some(Item { span, blocks, .. }) = items.last_mut() {
            span.end = line.span.end;
            if let Some(Block::Paragraph { lines, span }) = blocks.last_mut() {
                span.end = line.span.end;
                lines.push(line);
            }
        } else {
            before.push(line);
        }
    }
    let mut blocks = Vec::new();
    if let (Some(first), Some(last)) = (before.first(), before.last()) {
        let span = first.span.start..last.span.end;
        blocks.push(Block::Paragraph { lines: before, span });
    }
    if let (Some(first), Some(last)) = (items.first(), items.last()) {
        let span = first.span.start..last.span.end;
        blocks.push(Block::List { ordered: false, items, span });
    }
    blocks
}

fn extend_table(blocks: &mut Vec<Block>, lines: &[Line], whole: Range<usize>) {
    let is_fence = |text: &str| text.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '));
    let mut rows = lines.iter().filter(|line| !is_fence(&line.text)).map(|line| Row {
        cells: line
            .text
            .trim()
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect(),
        span: line.span.clone(),
    });
    if let Some(Block::Table { rows: known, span, .. }) = blocks.last_mut() {
        known.extend(rows);
        span.end = whole.end;
        return;
    }
    if let Some(header) = rows.next() {
        blocks.push(Block::Table { header: header.cells, rows: rows.collect(), span: whole });
    }
}
