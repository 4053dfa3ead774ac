//! Recognizes statements of what must be true.

use std::sync::LazyLock;

use regex::Regex;

use super::keywords::{Keywords, normalized};
use crate::planning::plan::SkipReason;
use crate::text::pattern;

/// Whether the sentence says that something must be so.
pub(super) fn has_modal(keywords: &Keywords, text: &str) -> bool {
    if is_story(text) {
        return true;
    }
    let padded = format!(" {} ", normalized(text));
    let asks = text.trim_end().ends_with('?');
    !asks && keywords.statements.modals.iter().any(|modal| padded.contains(&format!(" {modal} ")))
}

/// Whether a sentence is a user story: "As a reader, I want to search".
pub(super) fn is_story(text: &str) -> bool {
    static STORY: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)^(?:\*{0,2}user story:?\*{0,2}:?\s*)?as an? [^,.]{2,60}?,? (?:i|we) (?:want|need|can|would like)\b",
        )
    });
    STORY.is_match(text.trim())
}

/// Whether "must" is binding in a section of this kind.
pub(super) fn may_contain_requirements(reason: SkipReason) -> bool {
    use SkipReason::{Assumptions, Design, Goals, Overview, PlannedElsewhere, Prose};
    matches!(reason, Goals | Assumptions | Design | Overview | PlannedElsewhere | Prose)
}

/// Whether a heading or a label announces what must be true: "Success criteria", "Our goals".
pub(super) fn names_outcomes(keywords: &Keywords, heading: &str) -> bool {
    const MAX_WORDS: usize = 10;
    let words = normalized(heading);
    let padded = format!(" {words} ");
    words.split(' ').count() <= MAX_WORDS
        && (keywords.statements.outcomes.iter())
            .any(|outcome| padded.contains(&format!(" {outcome} ")))
}

/// Whether a heading only announces what must be true: "Success", "What must be true at the end".
pub(super) fn announces_outcomes(keywords: &Keywords, heading: &str) -> bool {
    let words = normalized(heading);
    let padded = format!(" {words} ");
    (keywords.statements.outcomes.iter()).any(|outcome| {
        *outcome == words || outcome.contains(' ') && padded.contains(&format!(" {outcome} "))
    })
}
