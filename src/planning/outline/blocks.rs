//! Blocks of a text: headings, paragraphs, lists and tables, each with its byte range.

use std::ops::Range;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    Heading { level: u8, line: Line },
    Paragraph { lines: Vec<Line>, span: Range<usize> },
    List { ordered: bool, items: Vec<Item>, span: Range<usize> },
    Table { header: Vec<String>, rows: Vec<Row>, span: Range<usize> },
    Code { span: Range<usize> },
    Quote { blocks: Vec<Block>, span: Range<usize> },
    Markup { span: Range<usize> },
    FrontMatter { span: Range<usize> },
}

impl Block {
    pub(super) fn span(&self) -> Range<usize> {
        match self {
            Self::Heading { line, .. } => line.span.clone(),
            Self::Paragraph { span, .. }
            | Self::List { span, .. }
            | Self::Table { span, .. }
            | Self::Code { span }
            | Self::Quote { span, .. }
            | Self::Markup { span }
            | Self::FrontMatter { span } => span.clone(),
        }
    }
}

impl Block {
    /// Moves a table, a list, a paragraph or a heading by a number of bytes.
    pub(super) fn shift(&mut self, bytes: usize) {
        let moved = |span: &mut Range<usize>| *span = span.start + bytes..span.end + bytes;
        match self {
            Self::Heading { line, .. } => moved(&mut line.span),
            Self::Table { rows, span, .. } => {
                rows.iter_mut().for_each(|row| moved(&mut row.span));
                moved(span);
            }
            Self::List { items, span, .. } => {
                for item in items {
                    moved(&mut item.span);
                    item.blocks.iter_mut().for_each(|block| block.shift(bytes));
                }
                moved(span);
            }
            Self::Paragraph { lines, span } => {
                lines.iter_mut().for_each(|line| moved(&mut line.span));
                moved(span);
            }
            _ => {}
        }
    }
}

/// A line of running text without its markup; code keeps its backticks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// Length in bytes of the bold start of `text`.
    pub(super) strong: usize,
    /// Whether the whole line is in italics.
    pub(super) is_emphasized: bool,
    /// Whether the whole line is struck through.
    pub(super) struck: bool,
}

impl Line {
    /// Returns the bold start of the line, or an empty string.
    pub(super) fn bold_start(&self) -> &str {
        self.text.get(..self.strong).unwrap_or_default()
    }

    pub(super) fn is_all_strong(&self) -> bool {
        let end = self.text.trim_end_matches([' ', ':', '.']).len();
        self.strong > 0 && self.strong >= end
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) number: Option<u64>,
    pub(super) checked: Option<bool>,
    pub(super) span: Range<usize>,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) span: Range<usize>,
}
