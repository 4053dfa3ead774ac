//! Adds rows and finds the rows that a text restates or describes.

use std::collections::BTreeSet;

use super::draft::Row;
use super::items;
use super::sections::Section;
use super::units::Unit;
use super::walker::{WalkContext, Walker};
use crate::planning::plan::SkipReason;
use crate::text::stem::content_words;

impl Walker<'_> {
    /// Adds a row, or merges it into the row it restates; `None` if it would be too deep.
    pub(super) fn add(&mut self, mut row: Row, place: WalkContext) -> Option<usize> {
        if let Some(first) = row.title.chars().next().filter(|c| c.is_lowercase())
            && row
                .title
                .split_whitespace()
                .next()
                .is_some_and(|word| word.chars().all(char::is_alphabetic))
            && self
                .keywords
                .kind_of_verb(row.title.split_whitespace().next().unwrap_or_default())
                .is_some()
        {
            row.title.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
        }
        if let Some(known) = self.restated(&row, place) {
            self.draft.skip(row.head.clone(), &row.title, SkipReason::Restated);
            self.draft.rows[known].absorb(row);
            return Some(known);
        }
        let depth = place.parent.map_or(0, |parent| self.draft.rows[parent].depth + 1);
        if depth > self.options.max_depth {
            return None;
        }
        let index = self.draft.place(row, place.parent);
        if place.parent.is_none() {
            self.remember_root(index);
        }
        Some(index)
    }

    /// Returns the top-level row that this row restates, such as a phase in a later timeline table.
    fn restated(&self, row: &Row, place: WalkContext) -> Option<usize> {
        if place.parent.is_some() {
            return None;
        }
        let plain = plain_words(&row.title);
        let of_unit = row
            .unit
            .as_ref()
            .filter(|_| row.is_phase_unit())
            .and_then(|unit| self.root_units.get(&(unit.word.clone(), unit.number.clone())));
        let same_unit =
            of_unit.filter(|known| overlap(&plain, &plain_words(&self.draft.rows[**known].title)));
        let same_title = self.root_titles.get(&plain);
        same_unit.or(same_title).copied().filter(|known| self.draft.rows[*known].group != row.group)
    }

    /// Returns the only row with a number, for a text that is nothing but the number.
    pub(super) fn numbered_row(&self, text: &str) -> Option<usize> {
        let number = text.trim();
        if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let is_named = |row: &Row| row.names.iter().any(|name| name == number);
        let rows = self.draft.rows.iter().enumerate();
        let mut found = rows.filter(|(_, row)| is_named(row)).map(|(at, _)| at);
        let row = found.next()?;
        found.next().is_none().then_some(row)
    }

    fn remember_root(&mut self, index: usize) {
        let row = &self.draft.rows[index];
        self.root_mentions.extend(Unit::all_mentioned(self.keywords, &row.title));
        self.root_titles.entry(plain_words(&row.title)).or_insert(index);
        if let Some(unit) = row.unit.as_ref().filter(|_| row.is_phase_unit()) {
            self.root_units.entry((unit.word.clone(), unit.number.clone())).or_insert(index);
        }
    }

    /// Returns the only leaf whose title, without its verb, matches the heading.
    pub(super) fn row_described(&self, section: &Section) -> Option<usize> {
        const LIKENESS: f64 = 0.75;
        let words = |text: &str| -> BTreeSet<String> { content_words(text).into_iter().collect() };
        let head = items::head(self.keywords, self.options, None, section.title(), 0);
        let wanted = words(&head.title);
        let likeness = |row: &Row| {
            let object = match row.title.split_once(' ') {
                Some((verb, object)) if self.keywords.kind_of_verb(verb).is_some() => object,
                _ => row.title.as_str(),
            };
            let own = words(object);
            let common = wanted.intersection(&own).count();
            if common < 2 { 0.0 } else { common as f64 / wanted.len().max(own.len()) as f64 }
        };
        let leaves = self.draft.rows.iter().enumerate().filter(|(_, row)| row.children.is_empty());
        let mut found: Vec<(usize, f64)> = leaves
            .map(|(index, row)| (index, likeness(row)))
            .filter(|(_, score)| *score >= LIKENESS)
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        match found.as_slice() {
            [(index, _)] => Some(*index),
            [(index, best), (_, second), ..] if best > second => Some(*index),
            _ => None,
        }
    }
}

fn overlap(a: &str, b: &str) -> bool {
    let words = |text: &str| content_words(text);
    let (a, b) = (words(a), words(b));
    let common = a.iter().filter(|word| b.contains(word)).count();
    common * 2 >= a.len().min(b.len()).max(1)
}

pub(super) fn plain_words(text: &str) -> String {
    crate::text::stem::words(text).collect::<Vec<_>>().join(" ")
}

/// Whether a section has only labels below it and is not a group of further sections.
pub(super) fn describes_one_thing(section: &Section) -> bool {
    !section.is_label()
        && !section.blocks.is_empty()
        && section.children.iter().all(|child| child.is_label())
}
