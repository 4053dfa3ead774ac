//! Reads the tree of sections into rows, statements and skips.
//!
//! Only sections at or above a [`Rank`] count as work; the caller lowers the rank until the text
//! yields a plan. A text with a roadmap is therefore planned from its roadmap, and its feature list
//! becomes statements to be covered.

use std::ops::Range;

use super::blocks::{Block, Line};
use super::draft::{Draft, Row};
use super::front_matter::FrontMatter;
use super::keywords::{Attribute, HeadingRole, Rank, normalized};
use super::lexicon::Lexicon;
use super::lines::{is_placeholder, item_line, join};
use super::paragraphs::is_mail_header;
use super::requirements::{has_modal, may_contain_requirements};
use super::rows::describes_one_thing;
use super::section_classifier::SectionKind;
use super::sections::Section;
use super::title::Title;
use super::units::UnitClass;
use super::walker::{Seen, WalkContext, Walker};
use super::{dates, dependencies, items, tables};
use crate::planning::plan::{Progress, SkipReason};
use crate::planning::planner::Options;

/// Reads the whole text, treating sections of at least `threshold` as work.
pub(super) fn read<'a>(
    text: &'a str,
    keywords: &'a Lexicon<'a>,
    options: Options,
    root: &'a Section,
    title: &Title,
    threshold: Rank,
    seen: &'a Seen,
) -> Draft {
    let mut walker = Walker::new(text, keywords, options, title, threshold, seen);
    walker.keeps_containers = walker.direct_containers(root) > 1;
    let place = WalkContext { year: dates::only_year(&title.text), ..WalkContext::default() };
    let words = format!(" {} ", normalized(&title.text));
    let is_steps = (keywords.statements.procedures.iter())
        .any(|procedure| words.contains(&format!(" {procedure} ")));
    let place = WalkContext { is_steps, ..place };
    walker.has_lists = holds_lists(root);
    let place = walker.task_file(root, place);
    let place = if !keywords.knows_words() {
        WalkContext { work: Some(Rank::Plan), ..place }
    } else {
        place
    };
    let is_letter = keywords.knows_words() && walker.is_letter(root);
    let work = place.work.or(is_letter.then_some(Rank::Plan));
    let place = WalkContext { is_explicit: is_letter, work, ..place };
    walker.content(root, place);
    walker.describing_sections();
    if threshold <= Rank::Evidence && walker.draft.rows.is_empty() {
        walker.plain_letter(root, place);
    }
    walker.draft.sort_siblings();
    walker.draft.hoist_containers();
    walker.draft
}

/// Whether a section, at any depth, has a list or a table.
fn holds_lists(section: &Section) -> bool {
    let is_list = |block: &Block| matches!(block, Block::List { .. } | Block::Table { .. });
    section.blocks.iter().any(is_list) || section.children.iter().any(holds_lists)
}

impl<'a> Walker<'a> {
    /// Creates a task from a file whose front matter describes one.
    fn task_file(&mut self, root: &'a Section, place: WalkContext) -> WalkContext {
        let Some(Block::FrontMatter { span }) = root.blocks.first() else {
            return place;
        };
        let matter = FrontMatter::read(&self.text[span.clone()]);
        if !matter.is_task() {
            return place;
        }
        let title = matter.value("title").unwrap_or_default();
        let head = items::head(self.keywords, self.options, place.year, title, 0);
        let mut row = Row::of_head(head, span.clone(), 0..self.text.len());
        row.names.extend(matter.value("id").map(str::to_owned));
        row.from_heading = true;
        let Some(index) = self.add(row, place) else {
            return place;
        };
        for (key, values) in matter.entries() {
            let Some(field) = self.keywords.attribute(key) else {
                continue;
            };
            for value in values {
                self.apply_field(index, field, value, span.clone(), place.year);
            }
        }
        WalkContext { parent: Some(index), work: Some(Rank::Plan), ..place }
    }

    fn direct_containers(&self, section: &Section) -> usize {
        let role = self.keywords.heading(section.title(), false);
        let selected = matches!(role, Some(HeadingRole::Work(rank)) if rank >= self.threshold);
        let has_list = section.blocks.iter().any(|block| matches!(block, Block::List { .. }));
        let own = usize::from(selected && has_list && self.keywords.is_container(section.title()));
        own + section.children.iter().map(|child| self.direct_containers(child)).sum::<usize>()
    }

    fn section(&mut self, section: &'a Section, place: WalkContext) {
        let heading = section.heading.as_ref().map_or(0..0, |heading| heading.line.span.clone());
        let place = WalkContext {
            year: dates::only_year(section.title()).or(place.year),
            is_steps: place.is_steps || self.says_steps(section.title()),
            is_schedule: self.says_schedule(section.title()),
            ..place
        };
        match self.reading(section, place) {
            SectionKind::Through(place) => {
                self.container(section);
                self.content(section, place);
            }
            SectionKind::Row => self.row_of_section(section, place),
            SectionKind::Parts => {
                if let (Some(parent), Some(heading)) = (place.parent, &section.heading) {
                    self.field_line(parent, &heading.line, place);
                }
                self.content(
                    section,
                    WalkContext { work: place.work.or(Some(Rank::Plan)), ..place },
                );
            }
            SectionKind::Detail => self.detail(section, place),
            SectionKind::Field(attribute) => self.field_of_section(section, attribute, place),
            SectionKind::Criteria => self.criteria(section, place),
            SectionKind::Order => self.order(section),
            SectionKind::Statements if !self.is_last_pass && describes_one_thing(section) => {
                self.deferred.push((section, place))
            }
            SectionKind::Statements => {
                self.draft.skip(heading, section.title(), SkipReason::PlannedElsewhere);
                self.content(
                    section,
                    WalkContext { skip: Some(SkipReason::PlannedElsewhere), ..place },
                );
            }
            SectionKind::Skip(reason) => self.skip_section(section, reason, place),
        }
    }

    /// Assigns each section that describes a feature to the row that builds it.
    fn describing_sections(&mut self) {
        self.is_last_pass = true;
        for (section, place) in std::mem::take(&mut self.deferred) {
            let Some(row) = self.row_described(section) else {
                self.section(section, place);
                continue;
            };
            self.draft.skip(section.span(), section.title(), SkipReason::Restated);
            self.content(
                section,
                WalkContext { parent: Some(row), work: Some(Rank::Feature), skip: None, ..place },
            );
        }
    }

    /// Whether a text has no sections, such as a mail: its title may be a heading, and lists may have
    /// labels.
    fn is_letter(&self, root: &Section) -> bool {
        let is_label = |section: &Section| {
            section.is_label()
                && section.heading.as_ref().is_some_and(|heading| !heading.line.is_all_strong())
                && section.title().contains(char::is_lowercase)
        };
        let is_title = |section: &Section| {
            section.heading.as_ref().is_some_and(|heading| heading.line.span == self.title)
                && section.children.iter().all(is_label)
        };
        root.children.iter().all(|section| is_label(section) || is_title(section))
    }

    /// Reads the sentences of a text without lists or sections, such as a mail.
    fn plain_letter(&mut self, root: &Section, place: WalkContext) {
        let is_plain = |section: &Section| {
            section.heading.as_ref().is_none_or(|heading| heading.line.span == self.title)
        };
        if root.children.iter().all(is_plain) {
            self.sentences(&root.blocks, place, false);
            for section in &root.children {
                self.sentences(&section.blocks, place, false);
            }
        }
    }

    /// Reads the blocks and then the subsections.
    fn content(&mut self, section: &'a Section, place: WalkContext) {
        let rows_before = self.draft.rows.len();
        let has_rows_below = section.children.iter().any(|child| {
            matches!(self.reading(child, place), SectionKind::Row | SectionKind::Through(_))
        });
        self.blocks(&section.blocks, place, has_rows_below);
        let is_own_plan =
            place.work.is_some_and(|rank| rank == Rank::Feature || rank == Rank::Scope);
        if self.draft.rows.len() == rows_before
            && is_own_plan
            && place.parent.is_none()
            && place.skip.is_none()
        {
            self.sentences(&section.blocks, place, true);
        }
        let columns = section.children.iter().filter(|child| self.column(child.title()).is_some());
        let is_board = columns.count() > 1;
        let horizons =
            section.children.iter().filter(|child| self.is_horizon(child.title())).count();
        let is_among_horizons = horizons > 1;
        let is_beside_work = self.threshold <= Rank::Evidence
            && section.children.iter().any(|child| self.has_strong_list(child));
        let is_among_work = self.are_work(&section.children);
        let is_among_steps = self.are_steps(&section.children);
        let group = self.next_group();
        let place = WalkContext {
            is_among_work,
            is_among_steps,
            is_board,
            is_among_horizons,
            is_beside_work,
            group,
            ..place
        };
        for child in &section.children {
            self.section(child, place);
        }
        if self.draft.rows.len() == rows_before
            && place.work.is_some()
            && place.parent.is_none()
            && place.skip.is_none()
        {
            self.sentences(&section.blocks, place, false);
        }
    }

    fn row_of_section(&mut self, section: &'a Section, place: WalkContext) {
        let Some(heading) = &section.heading else {
            return;
        };
        let line = &heading.line;
        let head = items::head(self.keywords, self.options, place.year, &line.text, 0);
        if head.title.is_empty() {
            return self.skip_section(section, SkipReason::Markup, place);
        }
        if section
            .blocks
            .iter()
            .all(|block| matches!(block, Block::Code { .. } | Block::Markup { .. }))
            && section.children.is_empty()
            && !section.blocks.is_empty()
            && !place.is_among_steps
            && head.unit.is_none()
        {
            return self.skip_section(section, SkipReason::Code, place);
        }
        let mut row = Row::of_head(head, line.span.clone(), section.span());
        row.from_heading = true;
        row.is_step = place.is_among_steps && row.unit.is_none() && !row.names.is_empty();
        row.group = if row.is_step { place.group } else { self.next_group() };
        if line.struck {
            row.standing = Progress::Done;
        }
        if let Some(index) = self.add(row, place) {
            let work = place.work.or(Some(self.threshold));
            let is_unit = self.draft.rows[index]
                .unit
                .as_ref()
                .is_some_and(|unit| unit.class != UnitClass::Feature);
            let is_explicit = place.is_explicit
                || place.is_among_steps
                || is_unit
                || self.is_explicit(section)
                || self.holds_explicit(section);
            let standing = match self.draft.rows[index].standing {
                Progress::Done => Progress::Done,
                _ => place.standing,
            };
            let place = WalkContext {
                parent: Some(index),
                work,
                skip: None,
                is_explicit,
                standing,
                // The parts of a step are steps.
                is_steps: place.is_steps || place.is_among_steps,
                ..place
            };
            self.content(section, place);
        } else {
            self.detail(section, place);
        }
    }

    fn detail(&mut self, section: &'a Section, place: WalkContext) {
        let Some(parent) = place.parent else {
            return self.skip_section(section, SkipReason::Prose, place);
        };
        self.describe(parent, section.span());
        self.code_below(&section.blocks);
    }

    fn field_of_section(&mut self, section: &'a Section, attribute: Attribute, place: WalkContext) {
        let Some(parent) = place.parent else { return };
        for block in &section.blocks {
            let lines: Vec<Line> = match block {
                Block::Paragraph { lines, .. } => lines.clone(),
                Block::List { items, .. } => items.iter().filter_map(item_line).collect(),
                _ => Vec::new(),
            };
            for line in lines {
                self.apply_field(parent, attribute, &line.text, line.span.clone(), place.year);
            }
        }
        self.describe(parent, section.span());
    }

    fn skip_section(&mut self, section: &'a Section, reason: SkipReason, place: WalkContext) {
        let mut own =
            section.heading.as_ref().map_or(section.span(), |heading| heading.line.span.clone());
        if let Some(last) = section.blocks.last() {
            own.end = own.end.max(last.span().end);
        }
        self.draft.skip(own, section.title(), reason);
        if may_contain_requirements(reason) {
            self.modal_statements(&section.blocks);
        }
        for child in &section.children {
            self.section(
                child,
                WalkContext { skip: Some(reason), work: None, parent: None, ..place },
            );
        }
    }

    fn blocks(&mut self, blocks: &[Block], place: WalkContext, has_rows_below: bool) {
        let mut lead_in = String::new();
        for (at, block) in blocks.iter().enumerate() {
            // "Steps are strictly in this order." may stand below the list or the table.
            let ends_steps = matches!(blocks.get(at + 1), Some(Block::Paragraph { lines, .. })
                if lines.first().is_some_and(|line| self.orders_all(&line.text)));
            match block {
                Block::Paragraph { lines, span } => {
                    lead_in = lines.last().map(|line| line.text.clone()).unwrap_or_default();
                    self.paragraph(lines, span.clone(), place);
                }
                Block::List { items, span, .. } => {
                    let is_steps = place.is_steps || ends_steps || self.says_steps(&lead_in);
                    let is_schedule = place.is_schedule || self.says_schedule(&lead_in);
                    self.list(
                        items,
                        span.clone(),
                        WalkContext { is_steps, is_schedule, ..place },
                        has_rows_below,
                        &lead_in,
                    );
                    lead_in.clear();
                }
                Block::Table { header, rows, span } => {
                    let is_steps = ends_steps || self.orders_all(&lead_in);
                    let place = WalkContext { is_steps, ..place };
                    if (place.skip.is_some_and(|reason| reason != SkipReason::PlannedElsewhere)
                        || !tables::read(self, header, rows, place))
                        && !tables::statements(self, header, rows)
                    {
                        self.draft.skip(span.clone(), &header.join(" | "), SkipReason::Table);
                    }
                }
                Block::Code { span } => {
                    if !self.gantt(span, place) {
                        self.skip_code(span.clone());
                    }
                }
                Block::Quote { span, .. } => self.keep(span.clone(), place),
                Block::FrontMatter { span } => {
                    self.draft.skip(span.clone(), "front matter", SkipReason::Metadata)
                }
                Block::Markup { .. } | Block::Heading { .. } => {}
            }
        }
    }

    fn paragraph(&mut self, lines: &[Line], span: Range<usize>, place: WalkContext) {
        if self.title_span.start <= span.start && span.start < self.title_span.end {
            return;
        }
        if lines.iter().all(|line| is_placeholder(&line.text)) || is_placeholder(&join(lines).text)
        {
            return self.draft.skip(span, &join(lines).text, SkipReason::Placeholder);
        }
        if is_mail_header(lines) || lines.first().is_some_and(|line| line.text.trim() == "--") {
            return self.draft.skip(span, &join(lines).text, SkipReason::Metadata);
        }
        let orders = lines.iter().filter(|line| dependencies::has_arrow(&line.text));
        let orders: Vec<_> = orders.map(|line| (line.text.clone(), line.span.clone())).collect();
        self.draft.orders.extend(orders);
        let is_prose = self.threshold == Rank::Prose
            && place.skip.is_none()
            && place.parent.is_none()
            && self.prose_rows(lines, place);
        // The text below "T1.2 Permits" describes that package.
        let is_package = |row: &Row| {
            let is_id = |name: &String| name.contains('.') && name.starts_with(char::is_alphabetic);
            row.from_heading && row.names.iter().any(is_id)
        };
        let describes = place.parent.is_some_and(|parent| is_package(&self.draft.rows[parent]));
        let may_list = !describes && place.is_explicit
            || (!self.keywords.knows_words() && place.work.is_some() && lines.len() > 1);
        if is_prose || (may_list && self.paragraph_rows(lines, place)) {
            return;
        }
        if let Some(parent) = place.parent {
            for line in lines {
                self.field_line(parent, line, place);
            }
            return self.describe(parent, span);
        }
        let line = join(lines);
        let reason = place.skip.unwrap_or(SkipReason::Prose);
        if may_contain_requirements(reason)
            && lines.len() <= 4
            && has_modal(self.keywords, &line.text)
        {
            return self.state(&line, span, None);
        }
        self.draft.skip(span, &line.text, reason);
    }
}
