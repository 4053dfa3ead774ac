//! State of one pass over the sections, and the steps that all its readers share.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::blocks::{Block, Item, Line};
use super::draft::Draft;
use super::head::Head;
use super::keywords::{Attribute, Keywords, Rank};
use super::lexicon::Lexicon;
use super::list_classifier::{Evidence, label_and_value};
use super::sections::Section;
use super::title::Title;
use super::{fields, items};
use crate::planning::plan::{Progress, SkipReason};
use crate::planning::planner::Options;

/// Position of the reader in the plan.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WalkContext {
    pub(super) parent: Option<usize>,
    /// Rank of the enclosing section that is read as work.
    pub(super) work: Option<Rank>,
    pub(super) skip: Option<SkipReason>,
    pub(super) year: Option<i32>,
    pub(super) is_steps: bool,
    /// Whether the heading or label above names a timeline or milestones.
    pub(super) is_schedule: bool,
    /// Whether an enclosing section is work by its form.
    pub(super) is_explicit: bool,
    /// Whether the sections beside this one are work by their form.
    pub(super) is_among_work: bool,
    /// Whether this section is one of several numbered steps.
    pub(super) is_among_steps: bool,
    /// Whether the sections beside this one are the columns of a board.
    pub(super) is_board: bool,
    /// Whether a section beside this one has a list of work by its words.
    pub(super) is_beside_work: bool,
    /// Whether the sections beside this one are times without a date: now, next, later.
    pub(super) is_among_horizons: bool,
    /// The state that the column or the heading above gives to rows that state none.
    pub(super) standing: Progress,
    /// Number of the current list, shared by its rows.
    pub(super) group: usize,
}

/// Results that all passes over a text share.
#[derive(Default)]
pub(super) struct Seen {
    /// How lists are written, by their place in memory: the sections outlive the passes.
    evidence: RefCell<HashMap<*const Item, Evidence>>,
    /// Whether lines state work, by their bytes.
    marked: RefCell<HashMap<(usize, usize), bool>>,
}

pub(super) struct Walker<'a> {
    pub(super) text: &'a str,
    /// Sections that may describe another row, deferred until all rows are known.
    pub(super) deferred: Vec<(&'a Section, WalkContext)>,
    pub(super) keywords: &'a Lexicon<'a>,
    pub(super) options: Options,
    pub(super) draft: Draft,
    pub(super) threshold: Rank,
    pub(super) is_last_pass: bool,
    /// Whether several sections contain work directly, so that each becomes a phase.
    pub(super) keeps_containers: bool,
    /// Span of the title heading; empty if the title is not a heading.
    pub(super) title: Range<usize>,
    /// Span of the title, even if it is not a heading.
    pub(super) title_span: Range<usize>,
    /// First top-level row of each title and each unit, used to recognise restatements.
    pub(super) root_titles: BTreeMap<String, usize>,
    pub(super) root_units: BTreeMap<(String, String), usize>,
    /// Units in the titles of top-level rows: "Phase 3: User Story 1".
    pub(super) root_mentions: BTreeSet<(String, String)>,
    pub(super) groups: usize,
    /// Whether the text has lists or tables.
    pub(super) has_lists: bool,
    seen: &'a Seen,
}

impl<'a> Walker<'a> {
    /// Starts a pass that treats sections of at least `threshold` as work.
    pub(super) fn new(
        text: &'a str,
        keywords: &'a Lexicon<'a>,
        options: Options,
        title: &Title,
        threshold: Rank,
        seen: &'a Seen,
    ) -> Self {
        Self {
            text,
            deferred: Vec::new(),
            keywords,
            options,
            draft: Draft::default(),
            threshold,
            is_last_pass: false,
            keeps_containers: false,
            title: title.heading.clone(),
            title_span: title.span.clone().unwrap_or(0..0),
            root_titles: BTreeMap::new(),
            root_units: BTreeMap::new(),
            root_mentions: BTreeSet::new(),
            groups: 0,
            has_lists: false,
            seen,
        }
    }

    /// Returns how the items of a list are written. A list is looked at for each section around it,
    /// so the answer is kept.
    pub(super) fn evidence(&self, items: &[Item]) -> Evidence {
        let key = items.as_ptr();
        let known = self.seen.evidence.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let evidence = Evidence::of(self.keywords, items);
            self.seen.evidence.borrow_mut().insert(key, evidence);
            evidence
        })
    }

    /// Returns whether a line states work by its marks, outside of a section with a year.
    pub(super) fn is_marked(&self, line: &Line) -> bool {
        let key = (line.span.start, line.span.end);
        let known = self.seen.marked.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let head = items::head(self.keywords, self.options, None, &line.text, line.strong);
            let is_marked = states_work(self.keywords, line, &head);
            self.seen.marked.borrow_mut().insert(key, is_marked);
            is_marked
        })
    }

    pub(super) fn next_group(&mut self) -> usize {
        self.groups += 1;
        self.groups
    }

    /// Adds text to the description of a row, unless its last text is the same.
    pub(super) fn describe(&mut self, row: usize, span: Range<usize>) {
        let text = dedented(&self.text[span.clone()]);
        let known = self.draft.rows[row].description.last();
        if !text.is_empty() && known != Some(&text) {
            self.draft.rows[row].description.push(text);
        }
    }

    /// Adds text to the description of the row, or records it as skipped if there is none.
    pub(super) fn keep(&mut self, span: Range<usize>, place: WalkContext) {
        match place.parent {
            Some(parent) => self.describe(parent, span),
            None => {
                let what = self.text[span.clone()].trim().to_owned();
                self.draft.skip(span, &what, place.skip.unwrap_or(SkipReason::Prose));
            }
        }
    }

    /// Records a heading that is not a row as skipped, unless it is the title.
    pub(super) fn container(&mut self, section: &Section) {
        if let Some(heading) = &section.heading {
            let span = heading.line.span.clone();
            if span != self.title_span {
                self.draft.skip(span, &heading.line.text, SkipReason::Container);
            }
        }
    }

    /// Records code inside a described section as skipped, because code is never work.
    pub(super) fn code_below(&mut self, blocks: &[Block]) {
        for block in blocks {
            if let Block::Code { span } = block {
                self.skip_code(span.clone());
            }
        }
    }

    pub(super) fn skip_code(&mut self, span: Range<usize>) {
        let what = self.text[span.clone()]
            .lines()
            .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with(['`', '~']));
        let what = what.unwrap_or("code").trim().to_owned();
        self.draft.skip(span, &what, SkipReason::Code);
    }

    /// Reads a field such as "Priority: high". Returns whether the line was a field.
    pub(super) fn field_line(&mut self, parent: usize, line: &Line, place: WalkContext) -> bool {
        let Some((label, value)) = label_and_value(line) else {
            return false;
        };
        let Some(attribute) = self.keywords.attribute(label).filter(|_| !value.is_empty()) else {
            return false;
        };
        self.apply_field(parent, attribute, value, line.span.clone(), place.year);
        true
    }

    /// Writes a field's value into the row; ignores unreadable values.
    pub(super) fn apply_field(
        &mut self,
        row: usize,
        field: Attribute,
        value: &str,
        span: Range<usize>,
        year: Option<i32>,
    ) {
        let row = &mut self.draft.rows[row];
        fields::apply(self.keywords, self.options, row, field, value, span, year);
    }
}

/// Returns the text without the indentation that all its lines share.
fn dedented(text: &str) -> String {
    let indent = text
        .lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len())
        .min()
        .unwrap_or(0);
    let lines: Vec<&str> = text
        .lines()
        .enumerate()
        .map(
            |(at, line)| if at == 0 { line.trim_start() } else { line.get(indent..).unwrap_or("") },
        )
        .collect();
    lines.join("\n").trim().to_owned()
}

/// Whether a line states work by its marks: an owner, an effort, a due date or a status.
pub(super) fn states_work(keywords: &Keywords, line: &Line, head: &Head) -> bool {
    let label = label_and_value(line);
    let is_field = label.is_some_and(|(label, _)| keywords.attribute(label).is_some());
    let has_detail = head.stated.is_some() || !head.owners.is_empty() || head.window.due.is_some();
    let is_callout = label.is_some() && line.strong > 0 && !line.is_all_strong();
    let has_state = head.standing != Progress::Open && !is_callout;
    !is_field && (has_detail || has_state) && head.title.contains(' ')
}
