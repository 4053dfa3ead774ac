//! Words for the parts of a description that are no work.

use crate::planning::plan::{SkipReason, Skipped, Span};

/// Returns the parts of a text without work, with the reasons, as lines of an error.
pub(super) fn no_work(skipped: &[Skipped]) -> Vec<String> {
    const MAX_LINES: usize = 8;
    let words = skipped.iter().filter(|part| part.reason != SkipReason::Markup);
    let mut shown: Vec<String> = words
        .take(MAX_LINES)
        .map(|part| {
            let place = part.span.map(line_range).unwrap_or_default();
            let what: String = one_line(&part.what).chars().take(50).collect();
            format!("{place}  {}: {what}", reason(part.reason))
        })
        .collect();
    if skipped.len() > shown.len() {
        shown.push(format!("… {} more", skipped.len() - shown.len()));
    }
    shown
}

/// Describes a skip reason.
pub(super) fn reason(reason: SkipReason) -> String {
    match reason {
        SkipReason::Cancelled => "cancelled".to_owned(),
        SkipReason::PlannedElsewhere => "planned elsewhere".to_owned(),
        SkipReason::Container => "heading".to_owned(),
        SkipReason::Restated => "said before".to_owned(),
        SkipReason::Prose => "running text".to_owned(),
        SkipReason::Folded => "too deep".to_owned(),
        SkipReason::AboutAuthor => "about the author".to_owned(),
        other => serde_json::to_value(other)
            .ok()
            .and_then(|word| word.as_str().map(|word| word.replace('_', " ")))
            .unwrap_or_default(),
    }
}

/// Formats lines as `L12` or `L12-14`.
pub(super) fn line_range(span: Span) -> String {
    if span.end_line > span.start_line {
        format!("L{}-{}", span.start_line, span.end_line)
    } else {
        format!("L{}", span.start_line)
    }
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
