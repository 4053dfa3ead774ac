//! What each section is: a row, parts of one, statements, or no work.

use super::blocks::Block;
use super::cues::{Attribute, HeadingRole, Rank, normalised};
use super::evidence::{Evidence, label_and_value};
use super::sections::Section;
use super::statements::may_state;
use super::units::{Unit, UnitClass};
use super::walk::{Place, Walker};
use crate::planning::plan::SkipReason;

/// A label of more words is a sentence that leads in a list, not the name of a group.
const LABEL_NAME_WORDS: usize = 4;

/// What to do with a section.
pub(super) enum Reading {
    /// The heading is no row; its content is read in place.
    Through(Place),
    Row,
    /// Parts of the row above.
    Parts,
    Detail,
    Field(Attribute),
    Criteria,
    Order,
    Statements,
    Skip(SkipReason),
}

impl Walker<'_> {
    /// A template's instruction: the whole section stands in one pair of brackets.
    pub(super) fn is_unfilled(&self, section: &Section) -> bool {
        let (Some(first), Some(last)) = (section.blocks.first(), section.blocks.last()) else {
            return false;
        };
        let whole = self.text[first.span().start..last.span().end].trim();
        section.children.is_empty()
            && whole.starts_with('[')
            && whole.ends_with(']')
            && !whole.contains("](")
            && whole.matches('[').count() == 1
            && whole.split_whitespace().count() > 3
    }

    pub(super) fn reading(&self, section: &Section, place: Place) -> Reading {
        let text = section.title();
        if self.is_unfilled(section) {
            return Reading::Skip(SkipReason::Placeholder);
        }
        let Some(heading) = &section.heading else {
            return Reading::Through(place);
        };
        let unit = Unit::leading(self.cues, text).map(|(unit, _)| unit);
        let (name, value) = label_and_value(&heading.line)
            .filter(|_| heading.is_label && unit.is_none())
            .unwrap_or((text, ""));
        let role = self.cues.heading(name, place.parent.is_some());
        if heading.line.span == self.title {
            return match role {
                Some(HeadingRole::Work(Rank::Plan)) => {
                    Reading::Through(Place { work: Some(Rank::Plan), ..place })
                }
                _ => Reading::Through(place),
            };
        }
        if let Some(reason) = place.skip
            && !self.holds_a_plan(reason, unit.as_ref(), role)
        {
            return skipped_reading(reason, role);
        }
        let place = Place { skip: None, ..place };
        if let Some(unit) =
            unit.filter(|_| !matches!(role, Some(HeadingRole::Criteria | HeadingRole::Skip(_))))
        {
            let rank = if unit.class == UnitClass::Feature && !unit.number.contains('.') {
                Rank::Feature
            } else {
                Rank::Plan
            };
            return if place.work.is_some() || rank >= self.threshold {
                Reading::Row
            } else {
                Reading::Statements
            };
        }
        if text.trim_end_matches(['*', ' ']).ends_with('?') {
            return Reading::Skip(SkipReason::Faq);
        }
        if value.is_empty()
            && let Some(reading) = self.field_reading(section, name, place)
        {
            return reading;
        }
        match role {
            Some(HeadingRole::Skip(reason)) => Reading::Skip(reason),
            Some(HeadingRole::Work(rank)) => self.work_reading(section, place, rank),
            Some(HeadingRole::Order) => Reading::Order,
            Some(HeadingRole::Criteria) => Reading::Criteria,
            Some(HeadingRole::Detail) if place.parent.is_some() => Reading::Detail,
            Some(HeadingRole::Children) if place.parent.is_some() => Reading::Parts,
            _ if place.work.is_some() && heading.is_label => self.label_reading(section, place),
            _ if place.work.is_some() => Reading::Row,
            _ if self.threshold == Rank::Evidence && self.has_strong_list(section) => Reading::Row,
            _ => Reading::Through(place),
        }
    }

    /// Whether a section inside a skipped one is work all the same.
    fn holds_a_plan(
        &self,
        reason: SkipReason,
        unit: Option<&Unit>,
        role: Option<HeadingRole>,
    ) -> bool {
        // "Requirement 2.1" is numbered like a plan, "Requirement 4" like a list.
        let is_unit = unit.is_some_and(|unit| match unit.class {
            UnitClass::Phase | UnitClass::Task => true,
            UnitClass::Feature => unit.number.contains('.'),
            UnitClass::Time => false,
        });
        let is_plan = match role {
            Some(HeadingRole::Work(Rank::Plan)) => true,
            Some(HeadingRole::Work(Rank::Scope)) => self.threshold <= Rank::Scope,
            _ => false,
        };
        (is_unit || is_plan) && may_hold_a_plan(reason)
    }

    /// "Estimated effort" and the like as a heading.
    fn field_reading(&self, section: &Section, name: &str, place: Place) -> Option<Reading> {
        let attribute = self.cues.attribute(name)?;
        let is_group = match attribute {
            Attribute::Acceptance | Attribute::Week => true,
            Attribute::Status => holds_list(section),
            _ => false,
        };
        if is_group {
            None
        } else if place.parent.is_some() && section.children.is_empty() {
            Some(Reading::Field(attribute))
        } else if place.work.is_none() && attribute == Attribute::Estimate {
            Some(Reading::Skip(SkipReason::Metadata))
        } else {
            None
        }
    }

    pub(super) fn work_reading(&self, section: &Section, place: Place, rank: Rank) -> Reading {
        let is_container = self.cues.is_container(section.title());
        if place.work.is_some() {
            return match (is_container, place.parent.is_some()) {
                (true, true) => Reading::Parts,
                (true, false) if !self.keeps_containers || !holds_list(section) => {
                    Reading::Through(place)
                }
                (false, _) if section.is_label() => self.label_reading(section, place),
                _ => Reading::Row,
            };
        }
        if rank < self.threshold {
            return Reading::Statements;
        }
        let place = Place { work: Some(rank), ..place };
        let shown = self.keeps_containers && holds_list(section);
        if is_container && !shown { Reading::Through(place) } else { Reading::Row }
    }

    /// A label of unknown meaning inside work: a row of its own, parts of the row above, or detail.
    pub(super) fn label_reading(&self, section: &Section, place: Place) -> Reading {
        let evidence = self.first_evidence(section);
        let is_lead_in = section.heading.as_ref().is_some_and(|heading| {
            let line = &heading.line;
            let words = line.text.split_whitespace().count();
            let opens_sentence = self.cues.statements.lead_ins.contains(&first_word(&line.text))
                || self.says_steps(&line.text);
            !line.is_all_strong()
                && Unit::leading(self.cues, &line.text).is_none()
                && (place.parent.is_some() || opens_sentence || words > LABEL_NAME_WORDS)
        });
        if is_lead_in && place.parent.is_none() {
            return Reading::Through(place);
        }
        let above_is_phase = !is_lead_in && self.is_phase_above(place);
        match evidence {
            Some(evidence) if evidence.is_parts() && above_is_phase => Reading::Row,
            Some(evidence) if evidence.is_parts() => Reading::Parts,
            Some(evidence)
                if place.parent.is_none()
                    && evidence.is_listed_work()
                    && !self.follows_a_list() =>
            {
                Reading::Row
            }
            _ if place.parent.is_some() => Reading::Detail,
            _ => Reading::Skip(SkipReason::Prose),
        }
    }

    /// Whether the last top row came from a list: a label after it comments on the list.
    pub(super) fn follows_a_list(&self) -> bool {
        self.draft.roots.last().is_some_and(|row| !self.draft.rows[*row].from_heading)
    }

    pub(super) fn is_phase_above(&self, place: Place) -> bool {
        place.parent.is_none_or(|parent| self.draft.rows[parent].is_phase_unit())
    }

    pub(super) fn first_evidence(&self, section: &Section) -> Option<Evidence> {
        section.blocks.iter().find_map(|block| match block {
            Block::List { items, .. } => Some(Evidence::of(self.cues, items)),
            _ => None,
        })
    }

    pub(super) fn has_strong_list(&self, section: &Section) -> bool {
        self.first_evidence(section).is_some_and(Evidence::is_strong)
    }

    pub(super) fn says_steps(&self, text: &str) -> bool {
        let text = normalised(text);
        let padded = format!(" {text} ");
        self.cues.dependencies.steps.iter().any(|cue| padded.contains(&format!(" {cue} ")))
    }
}

/// A section inside one that is no work: it may still state what must be true.
fn skipped_reading(reason: SkipReason, role: Option<HeadingRole>) -> Reading {
    let may_bind = may_state(reason) || reason == SkipReason::Metrics;
    match role {
        Some(HeadingRole::Criteria) if may_bind => Reading::Criteria,
        Some(HeadingRole::Order) if may_bind => Reading::Order,
        Some(HeadingRole::Skip(own)) => Reading::Skip(own),
        _ if reason == SkipReason::PlannedElsewhere => Reading::Statements,
        _ => Reading::Skip(reason),
    }
}

/// Whether a plan may hide in a subsection of a section skipped for this reason.
pub(super) fn may_hold_a_plan(reason: SkipReason) -> bool {
    matches!(
        reason,
        SkipReason::Overview
            | SkipReason::Status
            | SkipReason::Design
            | SkipReason::PlannedElsewhere
    )
}

pub(super) fn holds_list(section: &Section) -> bool {
    section.blocks.iter().any(|block| matches!(block, Block::List { .. } | Block::Table { .. }))
}

pub(super) fn first_word(text: &str) -> String {
    crate::text::stem::words(text).next().unwrap_or_default()
}
