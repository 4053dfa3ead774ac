//! Decides by the form of sections whether they are work: their own lists and tables, and the sections
//! beside them.

use super::blocks::{Block, Item};
use super::items;
use super::keywords::{HeadingRole, normalized};
use super::lines::item_line;
use super::list_classifier::{Evidence, starts_with_verb};
use super::sections::Section;
use super::tables;
use super::units::{NUMBERING, Unit, UnitClass};
use super::walker::Walker;
use crate::planning::plan::{Progress, SkipReason};

impl Walker<'_> {
    /// Whether the form of the section's own lists says that they are work.
    pub(super) fn is_explicit(&self, section: &Section) -> bool {
        let is_table = |block: &Block| match block {
            Block::Table { header, rows, .. } => tables::lists_work(self, header, rows),
            _ => false,
        };
        let is_line = |block: &Block| match block {
            Block::Paragraph { lines, .. } => lines.iter().any(|line| self.is_marked(line)),
            _ => false,
        };
        self.lists(section).any(Evidence::is_explicit)
            || section.blocks.iter().any(|block| is_table(block) || is_line(block))
    }

    /// Whether a subsection, at any depth, is work by its form.
    pub(super) fn holds_explicit(&self, section: &Section) -> bool {
        let role = self.keywords.heading(section.title(), false);
        let is_closed = match role {
            Some(HeadingRole::Skip(reason)) => !yields_to_marks(reason),
            Some(HeadingRole::Criteria | HeadingRole::Order) => true,
            _ => false,
        };
        let is_unit = Unit::leading(self.keywords, section.title())
            .is_some_and(|(unit, _)| unit.class != UnitClass::Feature)
            && self.lists(section).next().is_some();
        !is_closed
            && (is_unit
                || self.are_steps(&section.children)
                || self.is_explicit(section)
                || section.children.iter().any(|child| self.holds_explicit(child)))
    }

    /// Whether most of several sections with lists are work by their form, so that the others are
    /// work, too.
    pub(super) fn are_work(&self, sections: &[Section]) -> bool {
        let is_open = |section: &&Section| {
            let role = self.keywords.heading(section.title(), false);
            matches!(role, None | Some(HeadingRole::Work(_)))
        };
        let with_lists = |section: &&Section| {
            self.lists(section).next().is_some() || !section.children.is_empty()
        };
        let candidates: Vec<&Section> =
            sections.iter().filter(is_open).filter(with_lists).collect();
        if self.are_steps(sections) {
            return true;
        }
        let explicit: Vec<&&Section> =
            candidates.iter().filter(|section| self.holds_explicit(section)).collect();
        // Where every section of work has checkboxes, a section without one is something else.
        let by_boxes = explicit.iter().all(|section| self.holds_boxes(section));
        explicit.len() >= 2 && !by_boxes && explicit.len() * 3 >= candidates.len() * 2
    }

    /// Returns the state that a heading names as a column of a board: "To do", "Doing", "Done".
    pub(super) fn column(&self, heading: &str) -> Option<Progress> {
        let words = normalized(heading);
        let status = &self.keywords.status;
        let open = status.open.contains(&words)
            || matches!(words.as_str(), "backlog" | "next" | "up next" | "ready");
        status.standing(&words).or_else(|| open.then_some(Progress::Open))
    }

    /// Whether a heading names a time without a date: "Now", "Next", "Later".
    pub(super) fn is_horizon(&self, heading: &str) -> bool {
        const HORIZONS: [&str; 8] =
            ["now", "next", "later", "soon", "someday", "short term", "mid term", "long term"];
        HORIZONS.contains(&normalized(heading).as_str())
    }

    /// Whether sections are numbered in sequence and most begin with a verb or state an effort: the
    /// steps of a procedure.
    pub(super) fn are_steps(&self, sections: &[Section]) -> bool {
        let is_step = |section: &&Section| {
            let title = section.title();
            let number = NUMBERING.find(title);
            number.is_some_and(|number| {
                let rest = &title[number.end()..];
                let head = items::head(self.keywords, self.options, None, rest, 0);
                starts_with_verb(self.keywords, rest) || head.stated.is_some()
            })
        };
        let steps = sections.iter().filter(is_step).count();
        steps > 1 && steps * 2 > sections.len()
    }

    pub(super) fn holds_boxes(&self, section: &Section) -> bool {
        self.lists(section).any(|list| list.boxes > 0)
            || section.children.iter().any(|child| self.holds_boxes(child))
    }

    /// Whether the lists of a section speak of units that are rows already: "1. Complete Phase 1".
    pub(super) fn restates(&self, section: &Section) -> bool {
        let mut lists = section.blocks.iter().filter_map(|block| match block {
            Block::List { items, .. } => Some(items),
            _ => None,
        });
        let is_known = |item: &Item| {
            item_line(item).is_some_and(|line| {
                Unit::mentioned(self.keywords, &line.text).is_some_and(|unit| {
                    self.root_units.contains_key(&unit) || self.root_mentions.contains(&unit)
                })
            })
        };
        let restates = |items: &Vec<Item>| {
            let known = items.iter().filter(|item| is_known(item)).count();
            known > 1 && known * 2 >= items.len()
        };
        section.children.is_empty() && lists.next().is_some_and(restates)
    }

    pub(super) fn has_listed_work(&self, section: &Section) -> bool {
        self.lists(section).any(Evidence::is_listed_work)
    }

    pub(super) fn lists(&self, section: &Section) -> impl Iterator<Item = Evidence> {
        section.blocks.iter().filter_map(|block| match block {
            Block::List { items, .. } => Some(self.evidence(items)),
            _ => None,
        })
    }
}

/// Whether marks of work outrank a heading that is skipped for this reason.
pub(super) fn yields_to_marks(reason: SkipReason) -> bool {
    use SkipReason::{
        Assumptions, Background, Contents, Design, Future, Goals, Impact, Motivation, Overview,
        Problem, Resources, Status,
    };
    matches!(
        reason,
        Assumptions
            | Background
            | Contents
            | Design
            | Future
            | Goals
            | Impact
            | Motivation
            | Overview
            | Problem
            | Resources
            | Status
    )
}
