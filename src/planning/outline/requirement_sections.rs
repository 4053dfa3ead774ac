//! Reads sections of acceptance criteria and sections that state an order.

use super::blocks::{Block, Item};
use super::draft::{Mention, OrderNote};
use super::items;
use super::keywords::HeadingRole;
use super::lines::item_line;
use super::list_classifier::label_and_value;
use super::sections::Section;
use super::titles;
use super::walker::{WalkContext, Walker};
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
                    let evidence = self.evidence(items);
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

    pub(super) fn order(&mut self, section: &Section) {
        let reason = match self.keywords.heading(section.title(), false) {
            Some(HeadingRole::Skip(reason)) => reason,
            _ => SkipReason::Restated,
        };
        self.draft.skip(section.span(), section.title(), reason);
        let mut open: Vec<&Section> = vec![section];
        while let Some(section) = open.pop() {
            for block in &section.blocks {
                match block {
                    Block::List { items, .. } => {
                        items.iter().for_each(|item| self.order_item(item));
                    }
                    Block::Paragraph { lines, .. } => {
                        let orders =
                            lines.iter().map(|line| (line.text.clone(), line.span.clone()));
                        self.draft.orders.extend(orders);
                    }
                    _ => {}
                }
            }
            open.extend(section.children.iter().rev());
        }
    }

    fn order_item(&mut self, item: &Item) {
        let Some(line) = item_line(item) else { return };
        // "**Polish (Phase 5)**: Depends on all user stories"
        let strong = Some((line.bold_start(), &line.text[line.bold_start().len()..]));
        let strong =
            strong.filter(|(_, value)| line.strong > 0 && value.trim_start().starts_with(':'));
        let labelled = strong
            .map(|(label, value)| (label, value.trim_start_matches([':', ' '])))
            .or_else(|| label_and_value(&line))
            .filter(|(_, value)| !value.is_empty());
        let (name, value) = labelled.unwrap_or((line.text.as_str(), ""));
        let mut head = items::head(self.keywords, self.options, None, name, line.strong);
        head.names.extend(item.number.map(|number| number.to_string()));
        if labelled.is_some() {
            head.title = titles::clean(name);
        }
        let value = Some(value).filter(|value| !value.is_empty());
        let texts = head.asides.iter().map(String::as_str).chain(value);
        let mut mentions: Vec<Mention> =
            texts.map(|text| Mention::of_text(text, line.span.clone())).collect();
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
        self.draft.orders.push((line.text.clone(), line.span.clone()));
        self.draft.order_notes.push(OrderNote { title: head.title, names: head.names, mentions });
    }
}
