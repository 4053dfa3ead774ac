//! Reads sections that state requirements and sections that state an order.

use std::ops::Range;

use super::blocks::{Block, Item, Line};
use super::draft::{Mention, OrderNote, Statement};
use super::extract::{WalkContext, Walker};
use super::items;
use super::list_classifier::{Evidence, starts_with_verb};
use super::lists::{item_line, join};
use super::requirements::has_modal;
use super::sections::Section;
use super::titles;
use crate::planning::plan::SkipReason;

impl Walker<'_> {
    pub(super) fn criteria(&mut self, section: &Section, place: WalkContext) {
        self.container(section);
        let owner = place.parent;
        if let Some(parent) = owner {
            self.describe(parent, section.span());
        }
        for block in &section.blocks {
            match block {
                Block::List { items, .. } => {
                    let evidence = Evidence::of(self.keywords, items);
                    let as_parts = owner.is_some()
                        && evidence.verbs * 5 >= evidence.items * 3
                        && evidence.items > 1;
                    self.criteria_items(items, place, as_parts);
                }
                Block::Paragraph { lines, .. } => {
                    for line in lines {
                        self.statement_or_skip(line, owner);
                    }
                }
                Block::Code { span } => self.skip_code(span.clone()),
                _ => {}
            }
        }
        for child in &section.children {
            self.criteria(child, place);
        }
    }

    /// Reads acceptance criteria. Criteria written as instructions ("Add ...") also become
    /// subtasks.
    pub(super) fn criteria_items(&mut self, items: &[Item], place: WalkContext, as_parts: bool) {
        let place = WalkContext { group: self.next_group(), ..place };
        for item in items {
            let Some(line) = item_line(item) else {
                continue;
            };
            let mut owner = place.parent;
            if as_parts && starts_with_verb(self.keywords, &line.text) {
                owner = self.item(item, place).or(owner);
            }
            self.state(&line, item.span.clone(), owner);
        }
    }

    pub(super) fn statement_or_skip(&mut self, line: &Line, owner: Option<usize>) {
        if has_modal(self.keywords, &line.text) {
            self.state(line, line.span.clone(), owner);
        } else if owner.is_none() {
            self.draft.skip(line.span.clone(), &line.text, SkipReason::Prose);
        }
    }

    pub(super) fn state(&mut self, line: &Line, span: Range<usize>, owner: Option<usize>) {
        let text = titles::clean(titles::without_numbering(line.text.trim()));
        if text.split_whitespace().count() < 2 {
            return;
        }
        self.draft.statements.push(Statement { text, span, owner });
    }

    /// Reads the "must" sentences of a section that is not work.
    pub(super) fn modal_statements(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Paragraph { lines, .. } => {
                    let line = join(lines);
                    if lines.len() <= 4
                        && has_modal(self.keywords, &line.text)
                        && titles::first_sentence(&line.text).len() == line.text.len()
                    {
                        self.state(&line, line.span.clone(), None);
                    }
                }
                Block::List { items, .. } => {
                    for line in items.iter().filter_map(item_line) {
                        if has_modal(self.keywords, &line.text) {
                            self.state(&line, line.span.clone(), None);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn order(&mut self, section: &Section) {
        self.draft.skip(section.span(), section.title(), SkipReason::Restated);
        let mut open: Vec<&Section> = vec![section];
        while let Some(section) = open.pop() {
            for block in &section.blocks {
                if let Block::List { items, .. } = block {
                    for item in items {
                        self.order_item(item);
                    }
                }
            }
            open.extend(section.children.iter().rev());
        }
    }

    pub(super) fn order_item(&mut self, item: &Item) {
        let Some(line) = item_line(item) else { return };
        let mut head = items::head(self.keywords, self.options, None, &line.text, line.strong);
        head.names.extend(item.number.map(|number| number.to_string()));
        let mut mentions: Vec<Mention> =
            head.asides.iter().map(|aside| Mention::of_text(aside, line.span.clone())).collect();
        for block in item.blocks.iter().skip(1) {
            if let Block::List { items, .. } = block {
                mentions.extend(
                    items
                        .iter()
                        .filter_map(item_line)
                        .map(|line| Mention::of_text(&line.text, line.span)),
                );
            }
        }
        self.draft.order_notes.push(OrderNote { title: head.title, names: head.names, mentions });
    }
}

/// Whether "must" is binding in a section of this kind.
pub(super) fn may_contain_requirements(reason: SkipReason) -> bool {
    use SkipReason::{Assumptions, Design, Goals, Overview, PlannedElsewhere, Prose};
    matches!(reason, Goals | Assumptions | Design | Overview | PlannedElsewhere | Prose)
}
