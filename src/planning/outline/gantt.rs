//! Reads Gantt charts of Mermaid as work: sections are phases, and the tags after a colon hold the
//! state, the id, the start and the duration of a task.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::draft::{Mention, Row};
use super::keywords::{Attribute, Rank};
use super::rows::plain_words;
use super::walker::{WalkContext, Walker};
use super::{dates, durations, titles};
use crate::planning::plan::{Progress, SkipReason};
use crate::text::pattern;

static FENCE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^\s*(?:`{3,}|~{3,})\s*\{?\.?mermaid\b[^\n]*\n\s*(?:%%[^\n]*\n\s*)*gantt\b")
});
static DURATION: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d+(?:\.\d+)?(?:m|h|d|w|M|y)$"));
/// Statements of a chart that hold no work.
static SETTING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:gantt|title|dateFormat|axisFormat|tickInterval|excludes|includes|todayMarker|weekday|weekend|inclusiveEndDates|click|accTitle|accDescr|%%|`{3}|~{3})",
    )
});

impl Walker<'_> {
    /// Reads a code block that is a Gantt chart. Returns whether it is one.
    pub(super) fn gantt(&mut self, code: &Range<usize>, place: WalkContext) -> bool {
        let Some(text) = self.text.get(code.clone()).filter(|text| FENCE.is_match(text)) else {
            return false;
        };
        let top = WalkContext {
            skip: None,
            work: place.work.or(Some(Rank::Plan)),
            is_explicit: true,
            group: self.next_group(),
            ..place
        };
        let titles = self.draft.rows.iter().enumerate();
        let mut known: BTreeMap<String, usize> =
            titles.map(|(index, row)| (plain_words(&row.title), index)).collect();
        let mut inside = top;
        let mut at = code.start;
        for raw in text.split_inclusive('\n') {
            let line = raw.trim();
            let start = at + (raw.len() - raw.trim_start().len());
            let span = start..start + line.len();
            at += raw.len();
            if line.is_empty() {
                continue;
            }
            if let Some(name) = line.strip_prefix("section ") {
                let title = titles::clean(name);
                let row =
                    Row { title, head: span.clone(), span, from_heading: true, ..Row::default() };
                let parent = self.add(row, top).or(top.parent);
                inside = WalkContext { parent, group: self.next_group(), ..top };
            } else if let Some((name, tags)) =
                line.split_once(':').filter(|_| !SETTING.is_match(line))
            {
                let row = self.gantt_task(name.trim(), tags, span.clone());
                self.add_or_absorb(row, inside, &mut known);
                if let Some(parent) = inside.parent {
                    let whole = &mut self.draft.rows[parent].span;
                    whole.end = whole.end.max(span.end);
                }
            } else {
                self.draft.skip(span, line, SkipReason::Markup);
            }
        }
        true
    }

    fn gantt_task(&self, name: &str, tags: &str, span: Range<usize>) -> Row {
        let mut row = Row {
            title: titles::clean(name),
            head: span.clone(),
            span: span.clone(),
            ..Row::default()
        };
        let mut is_milestone = false;
        let mut has_start = false;
        for tag in tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            match tag {
                "done" => row.standing = Progress::Done,
                "active" => row.standing = Progress::Started,
                "crit" | "vert" => {}
                "milestone" => is_milestone = true,
                _ => {
                    if let Some(ids) = tag.strip_prefix("after ") {
                        has_start = true;
                        row.mentions.extend(ids.split_whitespace().map(|id| Mention {
                            field: Some(Attribute::Depends),
                            ..Mention::of_text(id, span.clone())
                        }));
                    } else if let Some(date) = dates::whole(tag) {
                        match has_start {
                            true => row.window.due = Some(date),
                            false => row.window.not_before = Some(date),
                        }
                        has_start = true;
                    } else if DURATION.is_match(tag) {
                        if !tag.trim_start_matches(['0', '.']).starts_with(char::is_alphabetic) {
                            row.stated =
                                durations::parse(self.keywords, self.options.day_minutes, tag);
                        }
                    } else if !tag.starts_with("until ") {
                        row.names.push(tag.to_owned());
                    }
                }
            }
        }
        row.is_milestone = is_milestone && row.stated.is_none();
        if is_milestone {
            row.window.due = row.window.due.or(row.window.not_before.take());
        }
        // Without a start, a task begins when the one before it ends.
        row.is_next = !has_start;
        row
    }

    /// Adds a row, or its values to the row with the same title that the text has already.
    fn add_or_absorb(&mut self, row: Row, place: WalkContext, known: &mut BTreeMap<String, usize>) {
        let words = plain_words(&row.title);
        match known.get(&words).copied() {
            Some(known) => {
                self.draft.skip(row.head.clone(), &row.title, SkipReason::Restated);
                self.draft.rows[known].names.extend(row.names.iter().cloned());
                self.draft.rows[known].absorb(row);
            }
            None => {
                let index = self.add(row, place);
                known.extend(index.map(|index| (words, index)));
            }
        }
    }
}
