//! Finds the title of a description: as stated, or its first words.

use std::ops::Range;

use super::blocks::{Block, Line};
use super::front_matter::FrontMatter;
use super::items;
use super::keywords::{HeadingRole, normalized};
use super::lexicon::Lexicon;
use super::list_classifier::label_and_value;
use super::sections::Section;
use super::titles::{self, clean, first_sentence};
use super::units::NUMBERING;
use crate::planning::planner::Options;

/// The title, its span, and the span of its heading.
#[derive(Debug, Default)]
pub(super) struct Title {
    pub(super) text: String,
    pub(super) span: Option<Range<usize>>,
    /// Empty if the title is not a heading.
    pub(super) heading: Range<usize>,
}

/// Finds the title in the front matter, in "Project title: …", in the leading heading, or in the
/// first line.
pub(super) fn find(text: &str, keywords: &Lexicon<'_>, root: &Section) -> Title {
    let heading = leading_heading(keywords, root);
    let named = front_matter_title(text, root).or_else(|| labelled(keywords, root));
    if let Some((title, span)) = named {
        return Title {
            text: title,
            span: Some(span),
            heading: heading.map_or(0..0, |(_, span)| span),
        };
    }
    if let Some((title, span)) = heading {
        return Title { text: title, span: Some(span.clone()), heading: span };
    }
    let opening = root.children.first().filter(|first| {
        matches!(keywords.heading(first.title(), false), Some(HeadingRole::Work(_)))
    });
    if let Some(heading) =
        opening.and_then(|first| first.heading.as_ref()).filter(|_| root.blocks.is_empty())
    {
        return Title {
            text: clean(&heading.line.text),
            span: Some(heading.line.span.clone()),
            heading: 0..0,
        };
    }
    match first_words(root) {
        Some((title, span)) => Title { text: title, span: Some(span), heading: 0..0 },
        None => Title::default(),
    }
}

fn front_matter_title(text: &str, root: &Section) -> Option<(String, Range<usize>)> {
    let Some(Block::FrontMatter { span }) = root.blocks.first() else {
        return None;
    };
    let title = clean(FrontMatter::read(&text[span.clone()]).value("title")?);
    (!title.is_empty()).then_some((title, span.clone()))
}

/// Returns the first heading if it is above all others and does not name a known kind of section.
fn leading_heading(keywords: &Lexicon<'_>, root: &Section) -> Option<(String, Range<usize>)> {
    let first = root.children.first()?;
    let heading = first.heading.as_ref()?;
    let leads = root.blocks.iter().all(|block| {
        matches!(block, Block::FrontMatter { .. } | Block::Markup { .. } | Block::Quote { .. })
    });
    let title = without_status(keywords, &heading.line.text);
    let known = keywords.heading(&title, false).is_some() && root.children.len() > 1;
    let is_unit = super::units::Unit::leading(keywords, &heading.line.text)
        .is_some_and(|_| root.children.len() > 1);
    let is_numbered = |section: &Section| {
        section.heading.as_ref().is_some_and(|heading| NUMBERING.is_match(&heading.line.text))
    };
    let is_first_of_several = root.children.len() > 1 && root.children.iter().all(is_numbered);
    (!heading.is_label && leads && !known && !is_unit && !is_first_of_several && !title.is_empty())
        .then(|| (title, heading.line.span.clone()))
}

/// Returns the title without a status: "Orchard ✅ COMPLETED" becomes "Orchard".
fn without_status(keywords: &Lexicon<'_>, text: &str) -> String {
    let head = items::head(keywords, Options::default(), None, text, 0);
    let whole = clean(text);
    if whole.starts_with(&head.title) && !head.shortened && !head.title.is_empty() {
        head.title
    } else {
        whole
    }
}

/// Returns a labelled title near the start: "Project title: Orchard", or the line after "Title".
fn labelled(keywords: &Lexicon<'_>, root: &Section) -> Option<(String, Range<usize>)> {
    const NEAR: usize = 120;
    const MAX_CHARS: usize = 200;
    let is_label = |text: &str| keywords.statements.title_labels.contains(&normalized(text));
    let mut lines = Vec::new();
    collect_lines(root, NEAR, &mut lines);
    lines.iter().enumerate().find_map(|(at, line)| {
        let (value, line) = match label_and_value(line) {
            Some((label, value)) if is_label(label) && !value.is_empty() => (value, *line),
            _ if is_label(&line.text) => (lines.get(at + 1)?.text.as_str(), *lines.get(at + 1)?),
            _ => return None,
        };
        let title = clean(value);
        (!keywords.is_empty_value(&title) && title.len() < MAX_CHARS)
            .then(|| (title, line.span.clone()))
    })
}

/// Collects the lines of text, headings and list items, in order.
fn collect_lines<'a>(section: &'a Section, most: usize, lines: &mut Vec<&'a Line>) {
    if let Some(heading) = &section.heading {
        lines.push(&heading.line);
    }
    collect_block_lines(&section.blocks, most, lines);
    for child in &section.children {
        if lines.len() < most {
            collect_lines(child, most, lines);
        }
    }
}

fn collect_block_lines<'a>(blocks: &'a [Block], most: usize, lines: &mut Vec<&'a Line>) {
    for block in blocks {
        if lines.len() >= most {
            return;
        }
        match block {
            Block::Paragraph { lines: own, .. } => lines.extend(own),
            Block::List { items, .. } => {
                for item in items {
                    collect_block_lines(&item.blocks, most, lines);
                }
            }
            _ => {}
        }
    }
}

/// Returns the first words of running text, without headings and template instructions.
fn first_words(root: &Section) -> Option<(String, Range<usize>)> {
    const NEAR: usize = 40;
    let mut lines = Vec::new();
    collect_lines(root, NEAR, &mut lines);
    let is_heading = |line: &Line| {
        root.children.iter().any(|child| {
            child.heading.as_ref().is_some_and(|heading| heading.line.span == line.span)
        })
    };
    let is_template = lines
        .iter()
        .find(|line| !is_heading(line))
        .is_some_and(|line| line.text.trim_start().starts_with('['));
    lines
        .into_iter()
        .filter(|_| !is_template)
        .filter(|line| !is_heading(line))
        .filter(|line| label_and_value(line).is_none())
        .find_map(|line| {
            let title = titles::short(first_sentence(line.text.trim()));
            (!title.is_empty()).then(|| (title, line.span.clone()))
        })
        .or_else(|| {
            let heading = root.children.first()?.heading.as_ref()?;
            Some((clean(&heading.line.text), heading.line.span.clone()))
        })
}
