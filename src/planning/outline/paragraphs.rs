//! Reads running text as work: lines with marks of work, several short lines, and sentences that say
//! who does what.

use std::ops::Range;

use super::blocks::Line;
use super::draft::{Mention, Row};
use super::lines::{is_negated, join};
use super::list_classifier::label_and_value;
use super::walker::{WalkContext, Walker};
use super::{dates, items, prose, titles};
use crate::planning::plan::SkipReason;

/// Maximum number of bytes of a line that stands for itself, instead of being broken from a longer one.
const SHORT_LINE: usize = 80;

impl Walker<'_> {
    /// Reads a paragraph in a section of work: lines with marks of work, else the sentences that state
    /// work. Returns whether there were any.
    pub(super) fn paragraph_rows(&mut self, lines: &[Line], place: WalkContext) -> bool {
        let is_group = place.parent.is_none_or(|parent| self.draft.rows[parent].from_heading);
        if !is_group {
            return false;
        }
        let place = WalkContext { group: self.next_group(), ..place };
        let whole = join(lines);
        if lines.len() > 1 && lines.iter().all(|line| self.is_marked(line)) {
            lines.iter().for_each(|line| self.line_row(line, place));
            return true;
        }
        let is_short = |line: &Line| {
            let text = line.text.trim();
            text.len() <= SHORT_LINE && !text.ends_with(['.', ',', ';', ':'])
        };
        if lines.len() > 1 && lines.iter().all(is_short) {
            for line in lines {
                self.short_line(line, place);
            }
            return true;
        }
        let is_one = titles::first_sentence(whole.text.trim()).len() == whole.text.trim().len();
        if is_one && self.is_marked(&whole) {
            self.line_row(&whole, place);
            return true;
        }
        self.prose_rows(lines, place)
    }

    /// Reads one of several short lines, which stand where a list would.
    fn short_line(&mut self, line: &Line, place: WalkContext) {
        let text = line.text.trim();
        if text.ends_with('?') {
            self.draft.skip(line.span.clone(), text, SkipReason::OpenQuestions);
        } else if is_negated(text) {
            self.draft.skip(line.span.clone(), text, SkipReason::OutOfScope);
        } else if label_and_value(line)
            .is_some_and(|(label, _)| self.keywords.attribute(label).is_some())
        {
            self.keep(line.span.clone(), place);
        } else {
            self.line_row(line, place);
        }
    }

    fn line_row(&mut self, line: &Line, place: WalkContext) {
        let head = items::head(self.keywords, self.options, place.year, &line.text, line.strong);
        let shortened = head.shortened;
        let mut row = Row::of_head(head, line.span.clone(), line.span.clone());
        row.is_milestone = place.is_schedule && row.stated.is_none() && dates::is_event(&line.text);
        if shortened {
            row.description.push(line.text.trim().to_owned());
            row.mentions.push(Mention::of_text(&line.text, line.span.clone()));
        }
        self.add(row, place);
    }

    /// Reads the sentences of a paragraph that state work. Returns whether there were any.
    pub(super) fn prose_rows(&mut self, lines: &[Line], place: WalkContext) -> bool {
        let whole = join(lines);
        let found = prose::stated(self.keywords, &whole.text);
        for (at, stated) in found.iter().enumerate() {
            let (clause, sentence) =
                (&whole.text[stated.clause.clone()], &whole.text[stated.sentence.clone()]);
            let head = items::head(self.keywords, self.options, place.year, clause.trim(), 0);
            // The sentences up to the next piece of work are about this one.
            let end = (found.get(at + 1)).map_or(whole.text.len(), |next| next.clause.start);
            let span = lines_of(lines, stated.clause.start, end.max(stated.clause.end));
            let mut row = Row::of_head(head, span.clone(), span.clone());
            row.description.push(sentence.trim().to_owned());
            row.mentions.push(Mention::of_text(sentence, span));
            let opening =
                whole.text[stated.sentence.start..stated.clause.start].trim().to_lowercase();
            row.is_next |= stated.is_then || self.keywords.dependencies.then.contains(&opening);
            row.owners.extend(stated.agent.clone().filter(|_| row.owners.is_empty()));
            self.add(row, place);
        }
        !found.is_empty()
    }
}

/// Returns the span of the lines that hold a part of their joined text.
fn lines_of(lines: &[Line], start: usize, end: usize) -> Range<usize> {
    let mut at = 0;
    let mut span: Option<Range<usize>> = None;
    for (number, line) in lines.iter().enumerate() {
        // As `join` does: the first line as it is, the others trimmed, with a space between.
        let text = if number == 0 { line.text.as_str() } else { line.text.trim() };
        let from = if number == 0 { at } else { at + 1 };
        at = from + text.len();
        let is_inside = from < end && at > start;
        if is_inside {
            let whole = span.get_or_insert_with(|| line.span.clone());
            whole.end = line.span.end;
        }
    }
    span.unwrap_or_else(|| join(lines).span)
}

/// Whether lines are the header of a mail, such as "From: …" and "Subject: …".
pub(super) fn is_mail_header(lines: &[Line]) -> bool {
    const NAMES: [&str; 14] = [
        "from", "to", "cc", "bcc", "date", "sent", "subject", "von", "an", "datum", "betreff",
        "de", "para", "asunto",
    ];
    let is_field = |line: &&Line| {
        line.text
            .split_once(':')
            .is_some_and(|(name, _)| NAMES.contains(&name.trim().to_lowercase().as_str()))
    };
    lines.len() > 1 && lines.iter().filter(is_field).count() == lines.len()
}
