//! Reads statements of what must be true, in lists and sentences that are not work.

use std::ops::Range;

use super::blocks::{Block, Item, Line};
use super::draft::Statement;
use super::lines::{is_placeholder, item_line, join};
use super::list_classifier::{Evidence, label_and_value};
use super::requirements::{has_modal, may_contain_requirements};
use super::titles;
use super::walker::{WalkContext, Walker};
use crate::planning::plan::SkipReason;

/// Maximum start position of a list of fields that describes the document.
const METADATA_REACH: usize = 400;

impl Walker<'_> {
    /// Reads a list outside the plan: as statements of a requirements section, or as skipped.
    pub(super) fn plain_items(
        &mut self,
        list: &[Item],
        span: Range<usize>,
        place: WalkContext,
        evidence: Evidence,
    ) {
        let states = place.skip == Some(SkipReason::PlannedElsewhere)
            || (place.work.is_some() && evidence.modals * 2 > evidence.items);
        if states && evidence.fields * 2 < evidence.items.max(1) {
            for item in list {
                let line = item_line(item)
                    .filter(|line| !is_placeholder(&line.text) && !names_a_group(item, line));
                if let Some(line) = line {
                    self.state(&line, item.span.clone(), None);
                }
            }
            return;
        }
        let all_fields = place.parent.is_none()
            && list.iter().filter_map(item_line).all(|line| label_and_value(&line).is_some());
        if all_fields && span.start < METADATA_REACH && place.skip.is_none() {
            let what = list.first().and_then(item_line).map(|line| line.text).unwrap_or_default();
            return self.draft.skip(span, &what, SkipReason::Metadata);
        }
        let reason = place.skip.unwrap_or(if evidence.is_strong() {
            SkipReason::PlannedElsewhere
        } else {
            SkipReason::Prose
        });
        let what = list.first().and_then(item_line).map(|line| line.text).unwrap_or_default();
        self.draft.skip(span, &what, reason);
        if may_contain_requirements(reason) {
            for line in list.iter().filter_map(item_line) {
                if has_modal(self.keywords, &line.text) {
                    self.state(&line, line.span.clone(), None);
                }
            }
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
}

/// Whether an item is only a short name for the list below it.
fn names_a_group(item: &Item, line: &Line) -> bool {
    const SHORT: usize = 5;
    let outside = line.text.split('(').next().unwrap_or_default();
    item.blocks.len() > 1 && outside.split_whitespace().count() <= SHORT
}
