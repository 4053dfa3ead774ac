//! Classifies each section: a row, parts of a row, statements, or no work.

use super::blocks::{Block, Item};
use super::keywords::{Attribute, HeadingRole, Rank, normalized};
use super::lines::{first_word, is_negated, item_line};
use super::list_classifier::{Evidence, label_and_value};
use super::requirement_names::leading_id;
use super::requirements::{announces_outcomes, may_contain_requirements};
use super::sections::{Section, names_package};
use super::units::{Unit, UnitClass};
use super::walker::{WalkContext, Walker};
use super::work_evidence::yields_to_marks;
use crate::planning::plan::SkipReason;

/// Maximum number of words in a group name; a longer label is a sentence that introduces a list.
const LABEL_NAME_WORDS: usize = 4;

/// How to read a section.
pub(super) enum SectionKind {
    /// The heading is not a row; the content is read in place.
    Through(WalkContext),
    Row,
    /// Parts of the parent row.
    Parts,
    Detail,
    Field(Attribute),
    Criteria,
    Order,
    Statements,
    Skip(SkipReason),
}

impl Walker<'_> {
    /// Whether the whole section is a template instruction in one pair of brackets.
    fn is_unfilled(&self, section: &Section) -> bool {
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

    pub(super) fn reading(&self, section: &Section, place: WalkContext) -> SectionKind {
        let text = section.title();
        if self.is_unfilled(section) {
            return SectionKind::Skip(SkipReason::Placeholder);
        }
        let Some(heading) = &section.heading else {
            return SectionKind::Through(place);
        };
        let unit = Unit::leading(self.keywords, text).map(|(unit, _)| unit);
        let (name, value) = label_and_value(&heading.line)
            .filter(|_| heading.is_label && unit.is_none())
            .unwrap_or((text, ""));
        let role = self.keywords.heading(name, place.parent.is_some());
        if heading.line.span == self.title {
            // "Product roadmap" makes its own list work, but not every section below it.
            let is_plan = matches!(role, Some(HeadingRole::Work(Rank::Plan)));
            let is_whole = section.children.is_empty() || self.keywords.is_exact(text);
            let work = (is_plan && is_whole).then_some(Rank::Plan);
            return SectionKind::Through(WalkContext { work: work.or(place.work), ..place });
        }
        if place.is_among_horizons && self.is_horizon(text) && section.blocks.iter().any(is_list) {
            return SectionKind::Row;
        }
        if place.is_board
            && let Some(standing) = self.column(text)
        {
            let work = place.work.or(Some(Rank::Plan));
            return SectionKind::Through(WalkContext {
                work,
                standing,
                is_explicit: true,
                ..place
            });
        }
        if is_negated(text) {
            return SectionKind::Skip(SkipReason::OutOfScope);
        }
        if role != Some(HeadingRole::Order) && self.restates(section) {
            return SectionKind::Skip(SkipReason::Restated);
        }
        let is_explicit = self.is_explicit(section);
        // A goal may have a date. Only boxes and efforts make work of a list of goals.
        let are_goals = role == Some(HeadingRole::Skip(SkipReason::Goals))
            && !self.lists(section).any(|list| list.boxes > 0 || list.sized * 2 >= list.items);
        let is_explicit = is_explicit && !are_goals;
        if let Some(reason) = place.skip
            && !self.holds_a_plan(reason, unit.as_ref(), role)
            && !(is_explicit && yields_to_marks(reason))
        {
            return skipped_reading(reason, role);
        }
        let place = WalkContext { skip: None, ..place };
        if let Some(unit) =
            unit.filter(|_| !matches!(role, Some(HeadingRole::Criteria | HeadingRole::Skip(_))))
        {
            let rank = if unit.class == UnitClass::Feature && !unit.number.contains('.') {
                Rank::Feature
            } else {
                Rank::Plan
            };
            return if place.work.is_some() || rank >= self.threshold {
                SectionKind::Row
            } else {
                SectionKind::Statements
            };
        }
        if text.trim_end_matches(['*', ' ']).ends_with('?') {
            return SectionKind::Skip(SkipReason::Faq);
        }
        if value.is_empty()
            && let Some(reading) = self.field_reading(section, name, place)
        {
            return reading;
        }
        if role.is_none() && !is_explicit && announces_outcomes(self.keywords, text) {
            return SectionKind::Criteria;
        }
        if !self.keywords.knows_words() && role.is_none() && self.only_tells(section) {
            return SectionKind::Skip(SkipReason::Prose);
        }
        match role {
            Some(HeadingRole::Skip(reason))
                if yields_to_marks(reason)
                    && (is_explicit || (place.is_explicit && self.has_listed_work(section))) =>
            {
                SectionKind::Row
            }
            // What the work depends on, and perhaps the order of the tasks.
            Some(HeadingRole::Skip(SkipReason::Assumptions)) if names_dependencies(text) => {
                SectionKind::Order
            }
            // If nothing else is work, a list of phases is, even in an overview.
            Some(HeadingRole::Skip(reason))
                if yields_to_marks(reason)
                    && self.threshold <= Rank::Evidence
                    && self.lists(section).any(|list| list.units * 2 > list.items) =>
            {
                SectionKind::Through(WalkContext { work: Some(Rank::Plan), ..place })
            }
            Some(HeadingRole::Skip(reason)) => SectionKind::Skip(reason),
            Some(HeadingRole::Work(rank)) => self.work_reading(section, place, rank),
            Some(HeadingRole::Order) => SectionKind::Order,
            Some(HeadingRole::Criteria) => SectionKind::Criteria,
            Some(HeadingRole::Detail)
                if place.is_explicit && !heading.is_label && self.has_listed_work(section) =>
            {
                SectionKind::Row
            }
            Some(HeadingRole::Detail) if place.work.is_some() && lists_ids(section) => {
                SectionKind::Through(WalkContext { is_explicit: true, ..place })
            }
            Some(HeadingRole::Detail) if place.parent.is_some() => SectionKind::Detail,
            Some(HeadingRole::Children) if place.parent.is_some() => SectionKind::Parts,
            _ if place.work.is_some() && names_package(&heading.line) => SectionKind::Row,
            _ if place.work.is_some() && heading.is_label => self.label_reading(section, place),
            _ if place.work.is_some() => SectionKind::Row,
            _ if is_explicit || section.children.iter().any(|child| self.holds_explicit(child)) => {
                SectionKind::Row
            }
            _ if place.is_among_steps => SectionKind::Row,
            _ if place.is_among_work && self.has_listed_work(section) => SectionKind::Row,
            _ if self.threshold <= Rank::Evidence && self.has_strong_list(section) => {
                SectionKind::Row
            }
            _ if place.is_beside_work && self.has_listed_work(section) => SectionKind::Row,
            _ if self.threshold <= Rank::List
                && self.lists(section).any(Evidence::may_be_the_work) =>
            {
                SectionKind::Row
            }
            _ => SectionKind::Through(place),
        }
    }

    /// Whether a section inside a skipped section is still work.
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

    /// Whether a section is running text beside others that list work.
    fn only_tells(&self, section: &Section) -> bool {
        let is_text =
            |block: &Block| matches!(block, Block::Paragraph { .. } | Block::Markup { .. });
        let is_marked = |block: &Block| match block {
            Block::Paragraph { lines, .. } => {
                lines.len() > 1 || lines.iter().any(|line| self.is_marked(line))
            }
            _ => false,
        };
        self.has_lists
            && section.children.is_empty()
            && !section.blocks.is_empty()
            && section.blocks.iter().all(is_text)
            && !section.blocks.iter().any(is_marked)
            && Unit::leading(self.keywords, section.title()).is_none()
    }

    /// Classifies headings that are fields, such as "Estimated effort".
    fn field_reading(
        &self,
        section: &Section,
        name: &str,
        place: WalkContext,
    ) -> Option<SectionKind> {
        let attribute = self.keywords.attribute(name)?;
        let is_group = match attribute {
            Attribute::Acceptance | Attribute::Week => true,
            Attribute::Status => holds_list(section),
            _ => false,
        };
        if is_group {
            None
        } else if place.parent.is_some() && section.children.is_empty() {
            Some(SectionKind::Field(attribute))
        } else if place.work.is_none() && attribute == Attribute::Estimate {
            Some(SectionKind::Skip(SkipReason::Metadata))
        } else {
            None
        }
    }

    fn work_reading(&self, section: &Section, place: WalkContext, rank: Rank) -> SectionKind {
        // In a text read by its form everything is work, except what its heading calls a need.
        if !self.keywords.knows_words() && rank < self.threshold && !self.holds_explicit(section) {
            return SectionKind::Statements;
        }
        let is_container = self.keywords.is_container(section.title());
        if place.work.is_some() {
            return match (is_container, place.parent.is_some()) {
                (true, true) => SectionKind::Parts,
                (true, false) if !self.keeps_containers || !holds_list(section) => {
                    SectionKind::Through(place)
                }
                (false, _) if section.is_label() => self.label_reading(section, place),
                _ => SectionKind::Row,
            };
        }
        if rank < self.threshold && !self.is_explicit(section) {
            return SectionKind::Statements;
        }
        let place = WalkContext { work: Some(rank), ..place };
        let shown = self.keeps_containers && holds_list(section);
        if is_container && !shown { SectionKind::Through(place) } else { SectionKind::Row }
    }

    /// Classifies a label of unknown meaning inside work: a row, parts of the parent row, or
    /// detail.
    fn label_reading(&self, section: &Section, place: WalkContext) -> SectionKind {
        let evidence = self.first_evidence(section);
        let is_lead_in = section.heading.as_ref().is_some_and(|heading| {
            let line = &heading.line;
            let words = line.text.split_whitespace().count();
            let opens_sentence =
                self.keywords.statements.lead_ins.contains(&first_word(&line.text))
                    || self.says_steps(&line.text);
            !line.is_all_strong()
                && line.text.trim_end().ends_with(':')
                && Unit::leading(self.keywords, &line.text).is_none()
                && (opens_sentence || words > LABEL_NAME_WORDS)
        });
        if is_lead_in && place.parent.is_none() {
            return SectionKind::Through(place);
        }
        let above_is_phase = !is_lead_in && self.is_phase_above(place);
        match evidence {
            Some(evidence)
                if above_is_phase
                    && (evidence.are_subtasks()
                        || (place.is_explicit && evidence.is_listed_work())) =>
            {
                SectionKind::Row
            }
            Some(evidence) if evidence.are_subtasks() => SectionKind::Parts,
            Some(evidence)
                if place.parent.is_none()
                    && evidence.is_listed_work()
                    && !self.follows_a_list() =>
            {
                SectionKind::Row
            }
            _ if place.parent.is_some() => SectionKind::Detail,
            None if place.is_explicit => SectionKind::Through(place),
            Some(_) if !self.keywords.knows_words() => SectionKind::Through(place),
            _ => SectionKind::Skip(SkipReason::Prose),
        }
    }

    /// Whether the last top-level row came from a list. A label after it comments on the list.
    fn follows_a_list(&self) -> bool {
        self.draft.roots.last().is_some_and(|row| !self.draft.rows[*row].from_heading)
    }

    fn is_phase_above(&self, place: WalkContext) -> bool {
        place.parent.is_none_or(|parent| {
            let row = &self.draft.rows[parent];
            row.is_phase_unit() || (place.is_explicit && row.from_heading)
        })
    }

    fn first_evidence(&self, section: &Section) -> Option<Evidence> {
        section.blocks.iter().find_map(|block| match block {
            Block::List { items, .. } => Some(self.evidence(items)),
            _ => None,
        })
    }

    pub(super) fn has_strong_list(&self, section: &Section) -> bool {
        self.first_evidence(section).is_some_and(Evidence::is_strong)
    }

    /// Whether a sentence says that the work beside it is done in the order of the text.
    pub(super) fn orders_all(&self, text: &str) -> bool {
        let padded = format!(" {} ", normalized(text));
        (self.keywords.dependencies.steps.iter())
            .any(|cue| cue.contains(' ') && padded.contains(&format!(" {cue} ")))
    }

    /// Whether a heading or label names dates on which something is reached.
    pub(super) fn says_schedule(&self, text: &str) -> bool {
        let names = &self.keywords.statements.schedules;
        let words = normalized(text);
        words.split(' ').any(|word| names.iter().any(|name| name == word))
    }

    pub(super) fn says_steps(&self, text: &str) -> bool {
        let text = normalized(text);
        let padded = format!(" {text} ");
        self.keywords.dependencies.steps.iter().any(|cue| padded.contains(&format!(" {cue} ")))
    }
}

/// Classifies a section inside a skipped section, which may still state requirements.
fn skipped_reading(reason: SkipReason, role: Option<HeadingRole>) -> SectionKind {
    let may_bind = may_contain_requirements(reason) || reason == SkipReason::Metrics;
    match role {
        Some(HeadingRole::Criteria) if may_bind => SectionKind::Criteria,
        Some(HeadingRole::Order) if may_bind => SectionKind::Order,
        Some(HeadingRole::Skip(own)) => SectionKind::Skip(own),
        _ if reason == SkipReason::PlannedElsewhere => SectionKind::Statements,
        _ => SectionKind::Skip(reason),
    }
}

/// Whether a section skipped for this reason may contain a plan in a subsection.
fn may_hold_a_plan(reason: SkipReason) -> bool {
    matches!(
        reason,
        SkipReason::Overview
            | SkipReason::Status
            | SkipReason::Design
            | SkipReason::PlannedElsewhere
    )
}

/// Whether each item of the section's list begins with an id of two parts: "D1.1 Site dossier".
fn lists_ids(section: &Section) -> bool {
    let has_id = |item: &Item| {
        item_line(item)
            .is_some_and(|line| leading_id(&line.text).is_some_and(|id| id.contains('.')))
    };
    let mut lists = section.blocks.iter().filter_map(|block| match block {
        Block::List { items, .. } => Some(items),
        _ => None,
    });
    section.children.is_empty() && lists.next().is_some_and(|items| items.iter().all(has_id))
}

fn names_dependencies(heading: &str) -> bool {
    normalized(heading).split(' ').any(|word| matches!(word, "dependencies" | "dependency"))
}

fn is_list(block: &Block) -> bool {
    matches!(block, Block::List { .. })
}

fn holds_list(section: &Section) -> bool {
    section.blocks.iter().any(|block| matches!(block, Block::List { .. } | Block::Table { .. }))
}
