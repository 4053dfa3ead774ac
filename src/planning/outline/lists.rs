//! Reads lists of work, item by item.

use std::ops::Range;

use super::blocks::{Block, Item, Line};
use super::dates;
use super::draft::{Mention, Row};
use super::items;
use super::keywords::{HeadingRole, Rank, normalized};
use super::labels;
use super::lines::{is_placeholder, item_line};
use super::list_classifier::{is_field, label_and_value, starts_with_verb};
use super::walker::{WalkContext, Walker};
use crate::planning::plan::{Progress, SkipReason};

impl Walker<'_> {
    pub(super) fn list(
        &mut self,
        list: &[Item],
        span: Range<usize>,
        place: WalkContext,
        has_rows_below: bool,
        lead_in: &str,
    ) {
        let evidence = self.evidence(list);
        let is_work = match (place.skip, place.work) {
            (Some(_), _) => false,
            (None, Some(_)) if !self.keywords.knows_words() => true,
            (None, Some(rank)) => match place.parent {
                None => evidence.is_listed_work(),
                Some(parent) => {
                    let row = &self.draft.rows[parent];
                    let phase_like = rank == Rank::Plan
                        && (row.is_phase_unit() || row.depth == 0)
                        && row.from_heading;
                    let is_listed = place.is_explicit && row.from_heading;
                    if is_listed
                        || phase_like
                            && !has_rows_below
                            && self.draft.rows[parent].children.is_empty()
                    {
                        evidence.is_listed_work() && !negative(lead_in)
                    } else {
                        evidence.are_subtasks() && !negative(lead_in)
                    }
                }
            },
            (None, None) => {
                evidence.is_explicit()
                    || (self.threshold <= Rank::Evidence && evidence.is_strong())
                    || (self.threshold <= Rank::List && evidence.may_be_the_work())
            }
        };
        if is_work {
            let work = place.work.or(Some(self.threshold));
            self.items(list, WalkContext { work, ..place });
            return;
        }
        match place.parent {
            Some(parent) => {
                for item in list {
                    self.field_item(parent, item, place);
                }
                self.describe(parent, span);
            }
            None => self.plain_items(list, span, place, evidence),
        }
    }

    fn field_item(&mut self, parent: usize, item: &Item, place: WalkContext) {
        let Some(line) = item_line(item) else { return };
        if !self.field_line(parent, &line, place) {
            self.draft.rows[parent].mentions.push(Mention::of_text(&line.text, line.span));
        }
    }

    /// Reads one item of a list of work. Returns its row, if it became one.
    fn item(&mut self, item: &Item, place: WalkContext) -> Option<usize> {
        let line = item_line(item)?;
        if is_placeholder(&line.text) {
            self.draft.skip(item.span.clone(), &line.text, SkipReason::Placeholder);
            return None;
        }
        if let Some(parent) = place.parent {
            if self.field_line(parent, &line, place) || is_field(self.keywords, &line) {
                self.describe(parent, item.span.clone());
                return None;
            }
            if self.labelled_part(item, &line, parent, place) {
                return None;
            }
            if self.is_prerequisite(&line) {
                self.draft.rows[parent]
                    .mentions
                    .push(Mention::of_text(&line.text, line.span.clone()));
                self.describe(parent, item.span.clone());
                return None;
            }
        } else if let Some(HeadingRole::Skip(reason)) =
            self.label_role(&line, false).filter(|role| ends_work(*role))
        {
            self.draft.skip(item.span.clone(), &line.text, reason);
            return None;
        }
        let index = self.row_of_item(item, &line, place)?;
        let below =
            WalkContext { parent: Some(index), is_steps: false, is_schedule: false, ..place };
        for block in item.blocks.iter().skip(1) {
            self.below_item(block, index, below, item.checked.is_some());
        }
        Some(index)
    }

    /// Adds a row for the item's first line. If the row would be too deep, its text goes to the
    /// parent.
    fn row_of_item(&mut self, item: &Item, line: &Line, place: WalkContext) -> Option<usize> {
        let event = place.is_schedule.then(|| dates::leading(&line.text, place.year)).flatten();
        let (text, strong) = match event {
            Some((_, after)) => (&line.text[after..], line.strong.saturating_sub(after)),
            None => (line.text.as_str(), line.strong),
        };
        let head = items::head(self.keywords, self.options, place.year, text, strong);
        if !head.title.contains(char::is_alphanumeric) {
            self.keep(item.span.clone(), place);
            return None;
        }
        let shortened = head.shortened;
        let mut row = Row::of_head(head, line.span.clone(), item.span.clone());
        row.names.extend(labels::label(&self.text[item.span.clone()]));
        if let Some((date, _)) = event.filter(|_| row.stated.is_none()) {
            row.window.due = Some(date);
        }
        row.is_milestone = place.is_schedule && row.stated.is_none() && dates::is_event(&line.text);
        // An item with checked and open parts is half done, as in org-mode.
        if has_checkboxes_below(item) && row.is_cancelled {
            row.is_cancelled = false;
            row.standing = Progress::Started;
        }
        if line.struck && item.checked == Some(false) {
            row.is_cancelled = true;
        } else if item.checked == Some(true) || line.struck {
            row.standing = Progress::Done;
        }
        let is_open_box = item.checked == Some(false)
            && place.standing == Progress::Done
            && place.parent.is_some();
        if row.standing == Progress::Open && !is_open_box {
            row.standing = place.standing;
        }
        row.group = place.group;
        row.is_step = place.is_steps && item.number.is_some();
        if shortened {
            row.description.push(line.text.trim().to_owned());
            row.mentions.push(Mention::of_text(&line.text, line.span.clone()));
        }
        let added = self.add(row, place);
        if let (None, Some(parent)) = (added, place.parent) {
            self.describe(parent, item.span.clone());
            self.draft.skip(item.span.clone(), &line.text, SkipReason::Folded);
            if !self.draft.folded.contains(&parent) {
                self.draft.folded.push(parent);
            }
        }
        added
    }

    /// Reads a block below the first line of an item that is a row.
    fn below_item(&mut self, block: &Block, index: usize, below: WalkContext, is_box: bool) {
        match block {
            Block::List { items, span, .. } => {
                let evidence = self.evidence(items);
                // Below a checkbox, items without one are notes on it, unless they are clearly work.
                let is_listed = !is_box || self.draft.rows[index].is_phase_unit();
                let is_work =
                    (is_listed && evidence.is_listed_work()) || evidence.are_nested_subtasks();
                if is_work || !self.keywords.knows_words() || has_labelled_parts(self, items) {
                    self.items(items, below);
                } else {
                    for item in items {
                        self.field_item(index, item, below);
                    }
                    self.describe(index, span.clone());
                }
            }
            Block::Paragraph { lines, span } => {
                for line in lines {
                    self.field_line(index, line, below);
                }
                self.describe(index, span.clone());
            }
            Block::Code { span } => self.skip_code(span.clone()),
            other => self.describe(index, other.span()),
        }
    }

    /// Reads the items of one list of work.
    fn items(&mut self, items: &[Item], place: WalkContext) {
        let place = WalkContext { group: self.next_group(), ..place };
        for item in items {
            self.item(item, place);
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

    fn label_role(&self, line: &Line, inside: bool) -> Option<HeadingRole> {
        let bold = line.bold_start();
        let label = match label_and_value(line) {
            Some((label, _)) => label,
            None if line.is_all_strong() => bold,
            None => return None,
        };
        self.keywords.heading(label, inside)
    }

    /// Reads a label such as "Activities:" with a list below it, which is not a row but contains
    /// rows.
    fn labelled_part(
        &mut self,
        item: &Item,
        line: &Line,
        parent: usize,
        place: WalkContext,
    ) -> bool {
        let Some(role) = self.label_role(line, true) else {
            return false;
        };
        let has_list = item.blocks.iter().skip(1).any(|block| matches!(block, Block::List { .. }));
        let value_is_empty = label_and_value(line).is_none_or(|(_, value)| value.is_empty());
        match role {
            HeadingRole::Children if has_list && value_is_empty => {
                for block in item.blocks.iter().skip(1) {
                    if let Block::List { items, .. } = block {
                        self.items(items, place);
                    } else {
                        self.describe(parent, block.span());
                    }
                }
                true
            }
            HeadingRole::Criteria if has_list && value_is_empty => {
                self.describe(parent, item.span.clone());
                for block in item.blocks.iter().skip(1) {
                    if let Block::List { items, .. } = block {
                        self.criteria_items(items, place, false);
                    }
                }
                true
            }
            HeadingRole::Detail if value_is_empty || self.is_detail_label(line) => {
                self.describe(parent, item.span.clone());
                true
            }
            HeadingRole::Skip(reason) if ends_work(role) => {
                self.draft.skip(item.span.clone(), &line.text, reason);
                true
            }
            _ => false,
        }
    }

    /// Whether a line only says what must be finished before: "Blocked by 4.4 and 6".
    fn is_prerequisite(&self, line: &Line) -> bool {
        const MAX_WORDS: usize = 9;
        let text = line.text.trim();
        let words = &self.keywords.dependencies;
        let lower = text.to_lowercase();
        let starts = |cue: &String| {
            lower.strip_prefix(cue.as_str()).is_some_and(|rest| rest.starts_with([' ', ':']))
        };
        let is_cue = words.strong.iter().chain(&words.weak).any(starts);
        let acts = text
            .split_once(',')
            .is_some_and(|(_, rest)| starts_with_verb(self.keywords, rest.trim()));
        is_cue && !acts && text.split_whitespace().count() <= MAX_WORDS
    }

    fn is_detail_label(&self, line: &Line) -> bool {
        label_and_value(line).is_some_and(|(label, _)| {
            self.keywords.statements.attributes.contains(&normalized(label))
        })
    }
}

/// Whether an item has checkboxes below it.
fn has_checkboxes_below(item: &Item) -> bool {
    let mut lists = item.blocks.iter().filter_map(|block| match block {
        Block::List { items, .. } => Some(items),
        _ => None,
    });
    lists.any(|items| items.iter().any(|part| part.checked.is_some()))
}

/// Whether an item with this label is not work although its neighbours are.
fn ends_work(role: HeadingRole) -> bool {
    use SkipReason::{Future, NonGoals, OpenQuestions, OutOfScope, Risks};
    matches!(role, HeadingRole::Skip(Future | NonGoals | OpenQuestions | OutOfScope | Risks))
}

/// Whether a lead-in such as "Without this:" introduces what is wrong instead of what to do.
fn negative(lead_in: &str) -> bool {
    let lead_in = lead_in.to_lowercase();
    lead_in.ends_with(':')
        && (lead_in.starts_with("without")
            || lead_in.contains("should not")
            || lead_in.contains("not include"))
}

fn has_labelled_parts(walker: &Walker<'_>, items: &[Item]) -> bool {
    items.iter().filter_map(item_line).any(|line| {
        matches!(
            walker.label_role(&line, true),
            Some(HeadingRole::Children | HeadingRole::Criteria)
        ) && line.text.trim_end_matches('*').ends_with(':')
    })
}
