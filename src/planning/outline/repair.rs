//! Repairs tables that blank lines or missing fences break.

use std::ops::Range;

use super::blocks::{Block, Item, Line, Row};
use super::items::checkbox;

/// Joins the rows of broken tables, and makes items of lines that begin with a checkbox.
pub(super) fn repaired(blocks: Vec<Block>) -> Vec<Block> {
    let mut result: Vec<Block> = Vec::with_capacity(blocks.len());
    for block in blocks {
        match block {
            Block::Paragraph { lines, .. }
                if lines.iter().filter(|line| checkbox(line.text.trim()).is_some()).count() > 1 =>
            {
                result.extend(boxes(lines));
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

/// Returns the lines before the first checkbox as a paragraph, and a list of the others.
fn boxes(lines: Vec<Line>) -> Vec<Block> {
    let mut before: Vec<Line> = Vec::new();
    let mut items: Vec<Item> = Vec::new();
    for line in lines {
        let span = line.span.clone();
        match (checkbox(line.text.trim()), items.last_mut()) {
            (Some(_), _) => {
                let block = Block::Paragraph { lines: vec![line], span: span.clone() };
                items.push(Item { number: None, checked: None, span, blocks: vec![block] });
            }
            (None, Some(Item { span: whole, blocks, .. })) => {
                whole.end = span.end;
                if let Some(Block::Paragraph { lines, span: inner }) = blocks.last_mut() {
                    inner.end = span.end;
                    lines.push(line);
                }
            }
            (None, None) => before.push(line),
        }
    }
    let span = |first: &Range<usize>, last: &Range<usize>| first.start..last.end;
    let mut blocks = Vec::new();
    if let (Some(first), Some(last)) = (before.first(), before.last()) {
        let span = span(&first.span, &last.span);
        blocks.push(Block::Paragraph { lines: before, span });
    }
    if let (Some(first), Some(last)) = (items.first(), items.last()) {
        let span = span(&first.span, &last.span);
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
