//! Groups blocks into sections by their headings.
//!
//! People mark headings in more ways than Markdown supports: a bold line, a line in capitals,
//! "Phase 2: Harvest", "Requirements:". Each of them opens a section.

use std::ops::Range;

use super::blocks::{Block, Item, Line};
use super::keywords::{HeadingRole, Keywords, Rank};
use super::list_classifier::label_and_value;
use super::units::Unit;

/// A heading and its content. The first section of a text has no heading.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) heading: Option<Heading>,
    /// Blocks before the first subsection.
    pub(super) blocks: Vec<Block>,
    pub(super) children: Vec<Section>,
    level: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Heading {
    pub(super) line: Line,
    /// Whether the heading is a bold line or "Label:" instead of a real heading.
    pub(super) is_label: bool,
}

impl Section {
    /// Returns the range from the heading to the end of the section's last block.
    pub(super) fn span(&self) -> Range<usize> {
        let mut span: Option<Range<usize>> =
            self.heading.as_ref().map(|heading| heading.line.span.clone());
        for part in self.blocks.iter().map(Block::span).chain(self.children.iter().map(Self::span))
        {
            let whole = span.get_or_insert_with(|| part.clone());
            whole.start = whole.start.min(part.start);
            whole.end = whole.end.max(part.end);
        }
        span.unwrap_or(0..0)
    }

    pub(super) fn title(&self) -> &str {
        self.heading.as_ref().map_or("", |heading| heading.line.text.as_str())
    }

    pub(super) fn is_label(&self) -> bool {
        self.heading.as_ref().is_some_and(|heading| heading.is_label)
    }
}

/// Levels between those of real headings, which are multiples of ten.
const LABEL_BOLD: u32 = 5;
const LABEL_PLAIN: u32 = 7;
const CAPITALS: u32 = 12;
const UNIT_LINE: u32 = 14;

/// Builds the tree of sections and returns its root, which has no heading.
pub(super) fn tree(text: &str, blocks: Vec<Block>, keywords: &Keywords) -> Section {
    let has_headings =
        blocks.iter().any(|block| matches!(block, Block::Heading { level: 1 | 2, .. }));
    let mut outline =
        Outline { keywords, has_headings, is_on_list: false, stack: vec![Section::default()] };
    let mut blocks = blocks.into_iter().peekable();
    while let Some(block) = blocks.next() {
        let next_is_content =
            blocks.peek().is_some_and(|next| !matches!(next, Block::Heading { .. }));
        let next_is_list = matches!(
            blocks.peek(),
            Some(Block::List { .. } | Block::Table { .. } | Block::Code { .. })
        );
        let next_is_paragraph = matches!(blocks.peek(), Some(Block::Paragraph { .. }));
        outline.is_on_list = matches!(
            blocks.peek(),
            Some(Block::List { span, .. }) if is_adjacent(text, &block, span.start)
        );
        match block {
            Block::Heading { level, line } => outline.open(line, u32::from(level) * 10, false),
            Block::Paragraph { lines, span } => {
                outline.paragraph(lines, span, next_is_content, next_is_list)
            }
            Block::List { ordered: true, mut items, .. }
                if next_is_paragraph && is_agenda_item(&items) =>
            {
                let item = items.pop();
                outline.agenda_item(item);
            }
            Block::List { ordered, items, span } => outline.list(ordered, items, span),
            other => outline.add(other),
        }
    }
    outline.finish()
}

struct Outline<'a> {
    keywords: &'a Keywords,
    has_headings: bool,
    /// Whether a list begins on the line after the paragraph that is read.
    is_on_list: bool,
    /// Open sections, outermost first, with increasing levels.
    stack: Vec<Section>,
}

impl Outline<'_> {
    fn open(&mut self, line: Line, level: u32, is_label: bool) {
        let ends = |open: &Section| {
            let is_mere_label = open.is_label() && !matches!(open.level, CAPITALS | UNIT_LINE);
            open.heading.is_some() && (open.level >= level || (is_mere_label && !is_label))
        };
        while self.stack.last().is_some_and(ends) {
            self.close();
        }
        let heading = Some(Heading { line, is_label });
        self.stack.push(Section { heading, level, ..Section::default() });
    }

    fn close(&mut self) {
        if self.stack.len() > 1
            && let Some(done) = self.stack.pop()
            && let Some(parent) = self.stack.last_mut()
        {
            parent.children.push(done);
        }
    }

    fn add(&mut self, block: Block) {
        if let Some(open) = self.stack.last_mut() {
            open.blocks.push(block);
        }
    }

    fn finish(mut self) -> Section {
        while self.stack.len() > 1 {
            self.close();
        }
        self.stack.pop().unwrap_or_default()
    }

    /// Returns the level of a label, below that of its real heading.
    fn label_level(&self, offset: u32) -> u32 {
        let real =
            self.stack.iter().rev().find(|open| !open.is_label()).map_or(0, |open| open.level);
        real + offset
    }

    fn paragraph(
        &mut self,
        mut lines: Vec<Line>,
        span: Range<usize>,
        followed: bool,
        list_follows: bool,
    ) {
        // "**Phase A (Pilot):** Ship the portal."
        if let Some(first) = lines.first()
            && !first.is_all_strong()
            && Unit::leading(self.keywords, first.bold_start()).is_some()
            && first.text[first.strong..].trim_start_matches([':', ' ']).contains(' ')
        {
            let (label, rest) = split_label(lines.remove(0));
            self.open(label, self.label_level(LABEL_BOLD), true);
            lines.splice(0..0, rest);
            if lines.is_empty() {
                return;
            }
            return self.add(Block::Paragraph { lines, span });
        }
        let more = lines.len() > 1;
        if let Some(level) = lines
            .first()
            .and_then(|line| self.heading_level(line, more || followed, more, list_follows))
        {
            let line = lines.remove(0);
            self.open(line, level, true);
        }
        if let Some(first) = lines.first() {
            let span = first.span.start.max(span.start)..span.end;
            let after_list = self.stack.last().is_some_and(|open| {
                open.is_label() && matches!(open.blocks.last(), Some(Block::List { .. }))
            });
            if after_list && span.start == lines[0].span.start {
                // A label's section ends with its list.
                self.close();
            }
            self.add(Block::Paragraph { lines, span });
        }
    }

    /// Returns the section level of a line that is a heading in disguise.
    fn heading_level(
        &self,
        line: &Line,
        followed: bool,
        more: bool,
        list_follows: bool,
    ) -> Option<u32> {
        const MAX_CHARS: usize = 110;
        const LABEL_WORDS: usize = 8;
        const NAME_WORDS: usize = 5;
        let text = line.text.trim();
        let words = text.split_whitespace().count();
        if text.len() > MAX_CHARS
            || text.ends_with(['.', ',', ';'])
            || !followed
            || text.starts_with('[')
        {
            return None;
        }
        let is_unit = Unit::leading(self.keywords, text).is_some();
        let is_field = label_and_value(line).is_some_and(|(label, value)| {
            !value.is_empty() && self.keywords.attribute(label).is_some()
        });
        if is_field && !is_unit {
            return None;
        }
        let has_only_state = line.strong > 0
            && line.text[line.strong..].trim().starts_with("{status:")
            && line.text.trim_end().ends_with('}');
        if line.is_all_strong() || has_only_state || names_package(line) {
            return Some(self.label_level(LABEL_BOLD));
        }
        if is_capitals(text) {
            return Some(if self.has_atx_parent() {
                self.label_level(LABEL_BOLD)
            } else {
                CAPITALS
            });
        }
        if is_unit && !more {
            return Some(if self.has_atx_parent() {
                self.label_level(LABEL_BOLD)
            } else {
                UNIT_LINE
            });
        }
        let labels_list = text.ends_with(':') && list_follows && !more && words <= LABEL_WORDS;
        // A short line directly above a list names it, with and without a colon.
        let names_list = self.is_on_list
            && !more
            && (words <= NAME_WORDS || line.is_emphasized)
            && !text.ends_with(['.', '!', '?', ','])
            && text.starts_with(char::is_alphanumeric);
        if labels_list || names_list {
            return Some(self.label_level(LABEL_PLAIN));
        }
        let known = !more
            && words <= LABEL_WORDS
            && !text.contains(['.', '?'])
            && text.starts_with(char::is_uppercase);
        let names_section = matches!(
            self.keywords.heading(text, false),
            Some(HeadingRole::Work(_) | HeadingRole::Skip(_))
        );
        (known && names_section && (list_follows || self.keywords.is_exact(text)))
            .then(|| self.label_level(LABEL_BOLD))
    }

    fn has_atx_parent(&self) -> bool {
        self.has_headings
            && self.stack.iter().any(|open| open.level > 0 && !open.is_label() && open.level < 20)
    }

    /// Adds a list. If its items are headings ("4. **Weekly timeline:**"), each item opens a
    /// section.
    fn list(&mut self, ordered: bool, items: Vec<Item>, span: Range<usize>) {
        let roles: Vec<Option<HeadingRole>> =
            items.iter().map(|item| self.item_role(item)).collect();
        let known = roles.iter().flatten().count();
        let plans =
            roles.iter().flatten().any(|role| matches!(role, HeadingRole::Work(Rank::Plan)));
        if !plans || known * 2 < items.len() {
            self.add(Block::List { ordered, items, span });
            return;
        }
        let level = self.label_level(LABEL_BOLD);
        for item in items {
            let mut blocks = item.blocks.into_iter();
            if let Some(Block::Paragraph { mut lines, span }) = blocks.next() {
                let first = lines.remove(0);
                let (label, rest) = split_label(first);
                self.open(label, level, true);
                let lines: Vec<Line> = rest.into_iter().chain(lines).collect();
                if let Some(first) = lines.first() {
                    let span = first.span.start..span.end;
                    self.add(Block::Paragraph { lines, span });
                }
            }
            for block in blocks {
                self.add(block);
            }
        }
    }

    /// Opens a section for the only item of a list that running text follows: "1. Minutes".
    fn agenda_item(&mut self, item: Option<Item>) {
        let Some(Item { blocks, .. }) = item else { return };
        if let Some(Block::Paragraph { mut lines, .. }) = blocks.into_iter().next()
            && !lines.is_empty()
        {
            let level = self.label_level(LABEL_BOLD);
            self.open(lines.remove(0), level, true);
        }
    }

    fn item_role(&self, item: &Item) -> Option<HeadingRole> {
        let Some(Block::Paragraph { lines, .. }) = item.blocks.first() else {
            return None;
        };
        let line = lines.first().filter(|line| line.strong > 0 && !line.text.contains("...."))?;
        let label = line.bold_start().trim_end_matches([':', ' ']);
        self.keywords.heading(label, false)
    }
}

/// Whether a line begins with the bold id and name of a piece of work: "**T1.2 Permits** (M2-M6)".
pub(super) fn names_package(line: &Line) -> bool {
    let bold = line.bold_start();
    let id = bold.split_whitespace().next().unwrap_or_default().trim_end_matches(':');
    let letters = id.chars().take_while(char::is_ascii_uppercase).count();
    let is_id = (1..=4).contains(&letters)
        && id[letters..].starts_with(|c: char| c.is_ascii_digit())
        && id[letters..].chars().all(|c| c.is_ascii_digit() || c == '.');
    is_id && line.text[line.strong..].trim_start().starts_with(['(', '–', '-', '['])
}

/// Whether a list is one short line, as a point of an agenda is.
fn is_agenda_item(items: &[Item]) -> bool {
    const MAX_WORDS: usize = 6;
    let [Item { blocks, checked: None, .. }] = items else { return false };
    match blocks.as_slice() {
        [Block::Paragraph { lines, .. }] => matches!(
            lines.as_slice(),
            [line] if line.text.split_whitespace().count() <= MAX_WORDS
                && !line.text.trim_end().ends_with(['.', ':', '!'])
        ),
        _ => false,
    }
}

/// Whether a list begins on the line after a paragraph.
fn is_adjacent(text: &str, block: &Block, list: usize) -> bool {
    let Block::Paragraph { lines, .. } = block else { return false };
    let end = lines.last().map_or(list, |line| line.span.end);
    text.get(end..list).is_some_and(|gap| gap.matches('\n').count() == 1)
}

/// Splits "**Label:** text" after its bold start.
fn split_label(line: Line) -> (Line, Option<Line>) {
    let rest = line
        .text
        .get(line.strong..)
        .unwrap_or_default()
        .trim_start_matches([':', ' ', '-', '\u{2013}', '\u{2014}'])
        .to_owned();
    if line.strong == 0 || rest.is_empty() {
        return (line, None);
    }
    let mut label = line.clone();
    label.text.truncate(line.strong);
    (label, Some(Line { text: rest, strong: 0, ..line }))
}

/// Whether all letters of the line are capitals, and enough of them.
fn is_capitals(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 4
        && !text.chars().any(char::is_lowercase)
        && text.chars().any(char::is_uppercase)
        && !text.contains(" MUST ")
        && !text.contains(" SHALL ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::outline::parser;

    /// Returns the tree as indented headings.
    fn shape(text: &str) -> Vec<String> {
        fn walk(section: &Section, depth: usize, lines: &mut Vec<String>) {
            for child in &section.children {
                lines.push(format!("{}{}", " ".repeat(depth), child.title().trim_end_matches(':')));
                walk(child, depth + 1, lines);
            }
        }
        let mut lines = Vec::new();
        walk(&tree(text, parser::read(text), Keywords::english()), 0, &mut lines);
        lines
    }

    #[test]
    fn disguised_headings_open_sections() {
        assert_eq!(shape("GARDEN WORK\n\nDig first.\n"), ["GARDEN WORK"]);
        assert_eq!(
            shape("# Garden\n\n**Spring**\n\n- dig\n\n**Autumn**\n\n- rake\n"),
            ["Garden", " Spring", " Autumn"]
        );
        assert_eq!(
            shape("Phase 1: Spring\n\n- dig\n\nPhase 2: Autumn\n\n- rake\n"),
            ["Phase 1: Spring", "Phase 2: Autumn"]
        );
        assert_eq!(
            shape("## Spring\n\nNeeds:\n- spade\n\n## Autumn\n"),
            ["Spring", " Needs", "Autumn"]
        );
    }

    #[test]
    fn running_text_opens_none() {
        assert!(shape("This is a plain sentence.\n\nAnother one follows here.\n").is_empty());
    }

    #[test]
    fn list_items_that_are_headings_open_sections() {
        let text = "1. **Abstract:** We garden.\n2. **Weekly Timeline:**\n\n| Week | Tasks |\n|--|--|\n| 1 | Dig |\n";
        assert_eq!(shape(text), ["Abstract", "Weekly Timeline"]);
    }
}
