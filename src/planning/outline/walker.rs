//! State of one pass over the sections, and the steps that all its readers share.

use std::collections::BTreeMap;
use std::ops::Range;

use super::blocks::{Block, Line};
use super::draft::Draft;
use super::fields;
use super::keywords::{Attribute, Keywords, Rank};
use super::list_classifier::label_and_value;
use super::sections::Section;
use super::title::Title;
use crate::planning::plan::SkipReason;
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
    /// Number of the current list, shared by its rows.
    pub(super) group: usize,
}

pub(super) struct Walker<'a> {
    pub(super) text: &'a str,
    /// Sections that may describe another row, deferred until all rows are known.
    pub(super) deferred: Vec<(&'a Section, WalkContext)>,
    pub(super) keywords: &'a Keywords,
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
    pub(super) groups: usize,
}

impl<'a> Walker<'a> {
    /// Starts a pass that treats sections of at least `threshold` as work.
    pub(super) fn new(
        text: &'a str,
        keywords: &'a Keywords,
        options: Options,
        title: &Title,
        threshold: Rank,
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
            groups: 0,
        }
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
