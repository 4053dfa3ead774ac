//! Converts parser events to blocks.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

use super::blocks::{Block, Item, Line, Row};
use crate::domain::hidden::is_blank;

/// Collects parser events. Containers are frames on a stack, so depth needs no recursion.
pub(super) struct Builder<'a> {
    text: &'a str,
    markdown: bool,
    frames: Vec<Frame>,
    /// Number of containers opened beyond [`MAX_NESTING`]; their text joins the last kept
    /// container.
    flattened: usize,
    inline: Inline,
}

/// Maximum nesting. Deeper nesting is an accident or an attack and would overflow the stack on
/// drop.
const MAX_NESTING: usize = 60;

enum Frame {
    Root { blocks: Vec<Block> },
    Quote { blocks: Vec<Block>, span: Range<usize> },
    List { ordered: Option<u64>, items: Vec<Item>, span: Range<usize> },
    Item { number: Option<u64>, checked: Option<bool>, blocks: Vec<Block>, span: Range<usize> },
    Table { header: Vec<String>, rows: Vec<Row>, span: Range<usize> },
}

/// Running text being collected.
#[derive(Default)]
struct Inline {
    lines: Vec<Line>,
    strong_depth: usize,
    emphasis_depth: usize,
    emphasized_bytes: usize,
    strike_depth: usize,
    image_depth: usize,
    struck_bytes: usize,
    cells: Vec<String>,
    in_code: bool,
    in_metadata: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(text: &'a str, markdown: bool) -> Self {
        Self {
            text,
            markdown,
            frames: vec![Frame::Root { blocks: Vec::new() }],
            flattened: 0,
            inline: Inline::default(),
        }
    }

    pub(super) fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, span),
            Event::End(tag) => self.end(tag, span),
            Event::Text(_) if self.inline.in_code || self.inline.in_metadata => {}
            Event::Text(text) => self.inline.push(&text, span),
            Event::Code(code) => self.inline.push(&format!("`{code}`"), span),
            Event::SoftBreak | Event::HardBreak => self.inline.break_line(),
            Event::InlineHtml(html) if html.starts_with("<br") => self.inline.break_line(),
            // "<team>-<role>" are words of the writer, not tags.
            Event::InlineHtml(html) if is_placeholder_tag(&html) => self.inline.push(&html, span),
            Event::TaskListMarker(done) => {
                if self.flattened == 0
                    && let Some(Frame::Item { checked, .. }) = self.frames.last_mut()
                {
                    *checked = Some(done);
                }
            }
            Event::Rule => self.push(Block::Markup { span }),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, span: Range<usize>) {
        match tag {
            Tag::List(_) | Tag::BlockQuote(_) | Tag::Item | Tag::Table(_)
                if self.is_too_deep(&tag) =>
            {
                self.close_loose_lines();
                self.flattened += 1;
            }
            Tag::Heading { .. } | Tag::Paragraph => self.close_loose_lines(),
            Tag::List(ordered) => {
                self.close_loose_lines();
                self.frames.push(Frame::List { ordered, items: Vec::new(), span });
            }
            Tag::Item => {
                let number = match self.frames.last() {
                    Some(Frame::List { ordered: Some(first), items, .. }) => {
                        Some(first.saturating_add(items.len() as u64))
                    }
                    _ => None,
                };
                self.frames.push(Frame::Item { number, checked: None, blocks: Vec::new(), span });
            }
            Tag::BlockQuote(_) => {
                self.close_loose_lines();
                self.frames.push(Frame::Quote { blocks: Vec::new(), span });
            }
            Tag::Table(_) => {
                self.close_loose_lines();
                self.frames.push(Frame::Table { header: Vec::new(), rows: Vec::new(), span });
            }
            Tag::CodeBlock(kind) => {
                self.close_loose_lines();
                self.inline.in_code = self.markdown || matches!(kind, CodeBlockKind::Fenced(_));
            }
            Tag::HtmlBlock => self.close_loose_lines(),
            Tag::MetadataBlock(_) => self.inline.in_metadata = true,
            Tag::Strong => self.inline.strong_depth += 1,
            Tag::Emphasis if is_within_word(self.text, &span) => {
                self.inline.push("*", span.start..span.start + 1)
            }
            Tag::Emphasis => self.inline.emphasis_depth += 1,
            Tag::Strikethrough => self.inline.strike_depth += 1,
            Tag::Image { .. } => self.inline.image_depth += 1,
            _ => {}
        }
    }

    fn is_too_deep(&self, tag: &Tag<'_>) -> bool {
        self.flattened > 0 || (self.frames.len() > MAX_NESTING && !matches!(tag, Tag::Item))
    }

    fn end(&mut self, tag: TagEnd, span: Range<usize>) {
        match tag {
            TagEnd::Heading(level) => {
                let lines = self.inline.take();
                let mut line = joined(&lines);
                line.span = span;
                if line.text.is_empty() {
                    self.push(Block::Markup { span: line.span });
                } else {
                    self.push(Block::Heading { level: level as u8, line });
                }
            }
            TagEnd::Paragraph => self.close_lines(span),
            TagEnd::CodeBlock => {
                let indented_prose = !self.inline.in_code;
                self.inline.in_code = false;
                self.inline.take();
                if indented_prose {
                    let lines = plain_lines(self.text, span.clone());
                    self.push(Block::Paragraph { lines, span });
                } else {
                    self.push(Block::Code { span });
                }
            }
            TagEnd::HtmlBlock => self.push(Block::Markup { span }),
            TagEnd::MetadataBlock(_) => {
                self.inline.in_metadata = false;
                self.push(Block::FrontMatter { span });
            }
            TagEnd::Strong => self.inline.strong_depth = self.inline.strong_depth.saturating_sub(1),
            TagEnd::Emphasis if is_within_word(self.text, &span) => {
                self.inline.push("*", span.end - 1..span.end)
            }
            TagEnd::Emphasis => {
                self.inline.emphasis_depth = self.inline.emphasis_depth.saturating_sub(1)
            }
            TagEnd::Strikethrough => {
                self.inline.strike_depth = self.inline.strike_depth.saturating_sub(1)
            }
            TagEnd::Image => self.inline.image_depth = self.inline.image_depth.saturating_sub(1),
            TagEnd::TableCell => {
                let cell: Vec<String> =
                    self.inline.take().into_iter().map(|line| line.text).collect();
                self.inline.cells.push(cell.join("\n").trim().to_owned());
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                let cells = std::mem::take(&mut self.inline.cells);
                if let Some(Frame::Table { header, rows, .. }) = self.frames.last_mut() {
                    if tag == TagEnd::TableHead {
                        *header = cells;
                    } else {
                        rows.push(Row { cells, span });
                    }
                }
            }
            TagEnd::Item | TagEnd::List(_) | TagEnd::BlockQuote(_) | TagEnd::Table => {
                self.close_loose_lines();
                if self.flattened > 0 {
                    self.flattened -= 1;
                } else {
                    self.close_frame();
                }
            }
            _ => {}
        }
    }

    fn close_frame(&mut self) {
        if self.frames.len() < 2 {
            return;
        }
        match self.frames.pop() {
            Some(Frame::Item { number, checked, blocks, mut span }) => {
                // The parser begins an item that is indented by a tab before its line break.
                let indent = self
                    .text
                    .get(span.clone())
                    .map_or(0, |item| item.len() - item.trim_start().len());
                span.start += indent;
                if let Some(Frame::List { items, .. }) = self.frames.last_mut() {
                    items.push(Item { number, checked, span, blocks });
                }
            }
            Some(Frame::List { ordered, items, span }) => {
                self.push(Block::List { ordered: ordered.is_some(), items, span });
            }
            Some(Frame::Quote { blocks, span }) => self.push(Block::Quote { blocks, span }),
            Some(Frame::Table { header, rows, span }) => {
                self.push(Block::Table { header, rows, span })
            }
            Some(Frame::Root { .. }) | None => {}
        }
    }

    /// Closes the text of a tight list item, which has no surrounding paragraph.
    fn close_loose_lines(&mut self) {
        let span = match (self.inline.lines.first(), self.inline.lines.last()) {
            (Some(first), Some(last)) => first.span.start..last.span.end,
            _ => return,
        };
        self.close_lines(span);
    }

    fn close_lines(&mut self, span: Range<usize>) {
        let lines = self.inline.take();
        if lines.is_empty() {
            self.push(Block::Markup { span });
        } else {
            self.push(Block::Paragraph { lines, span });
        }
    }

    fn push(&mut self, block: Block) {
        if let Some(
            Frame::Root { blocks } | Frame::Quote { blocks, .. } | Frame::Item { blocks, .. },
        ) = self.frames.last_mut()
        {
            blocks.push(block);
        }
    }

    pub(super) fn finish(mut self) -> Vec<Block> {
        while self.frames.len() > 1 {
            self.close_frame();
        }
        match self.frames.pop() {
            Some(Frame::Root { blocks }) => blocks,
            _ => Vec::new(),
        }
    }
}

impl Inline {
    fn push(&mut self, text: &str, span: Range<usize>) {
        if self.image_depth > 0 {
            return;
        }
        if self.lines.is_empty() {
            self.break_line();
        }
        let Some(line) = self.lines.last_mut() else {
            return;
        };
        if line.span == (0..0) {
            line.span = span.clone();
        }
        if self.strong_depth > 0 && line.strong == line.text.len() {
            line.strong += text.len();
        }
        self.emphasized_bytes += if self.emphasis_depth > 0 { text.len() } else { 0 };
        self.struck_bytes += if self.strike_depth > 0 { text.len() } else { 0 };
        line.text.push_str(text);
        line.span.end = line.span.end.max(span.end);
        line.is_emphasized = self.emphasized_bytes > 0 && self.emphasized_bytes == line.text.len();
        line.struck = self.struck_bytes > 0 && self.struck_bytes == line.text.len();
    }

    fn break_line(&mut self) {
        self.struck_bytes = 0;
        self.emphasized_bytes = 0;
        self.lines.push(Line::default());
    }

    fn take(&mut self) -> Vec<Line> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| !is_blank(&line.text));
        self.struck_bytes = 0;
        self.emphasized_bytes = 0;
        lines
    }
}

/// Whether emphasis begins and ends within words: "2*3*4" is a product.
fn is_within_word(text: &str, span: &Range<usize>) -> bool {
    let before = text[..span.start].chars().next_back();
    let after = text[span.end..].chars().next();
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    is_word(before) && is_word(after) && text[span.clone()].starts_with('*')
}

/// Whether a tag is a word in angle brackets that HTML does not know.
fn is_placeholder_tag(html: &str) -> bool {
    const KNOWN: [&str; 28] = [
        "a", "abbr", "b", "br", "code", "del", "details", "div", "em", "font", "hr", "i", "img",
        "ins", "kbd", "mark", "p", "s", "small", "span", "strike", "strong", "sub", "summary",
        "sup", "u", "ul", "li",
    ];
    let name = html.trim_matches(['<', '>', '/']).to_lowercase();
    !html.starts_with("</")
        && !html.starts_with("<!")
        && !name.contains(['=', ' '])
        && !name.is_empty()
        && !KNOWN.contains(&name.as_str())
}

fn joined(lines: &[Line]) -> Line {
    let mut whole = Line::default();
    for line in lines {
        if !whole.text.is_empty() {
            whole.text.push(' ');
        }
        whole.strong = if whole.strong == whole.text.len() {
            whole.strong + line.strong
        } else {
            whole.strong
        };
        whole.text.push_str(line.text.trim());
        whole.struck = line.struck;
    }
    whole
}

fn plain_lines(text: &str, span: Range<usize>) -> Vec<Line> {
    let mut at = span.start;
    text[span]
        .split_inclusive('\n')
        .map(|raw| {
            let start = at;
            at += raw.len();
            Line {
                text: raw.trim().to_owned(),
                span: start..start + raw.trim_end().len(),
                ..Line::default()
            }
        })
        .filter(|line| !line.text.is_empty())
        .collect()
}
