//! What people write beside a title: owners, dates, efforts, states and prerequisites, in brackets or at the end.

use std::sync::LazyLock;

use regex::Regex;

use super::Options;
use super::cues::{Cues, normalised, pattern};
use super::dates::{self, Window};
use super::durations;
use super::items::Head;
use super::wording::{is_picture, without_code};
use crate::planning::plan::Standing;

static GROUP: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\(([^()]{1,160})\)|\[([^\[\]]{1,160})\]"));
static HANDLE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|[\s(,])@(\p{L}[\p{L}0-9_-]{1,38})\b"));
static OWNER_NOTE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:(?:owner|assignee|responsible)\s*:\s*|assigned to:?\s+)@?(\p{L}[\p{L}0-9_-]*(?: \p{Lu}[\p{L}0-9_-]*)?)",
    )
});
static TRAILING_PART: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<head>.*\S)\s*(?:\s-|:|,|;|\u{2013}|\u{2014})\s*(?P<tail>[^,;:\u{2013}\u{2014}]{1,60})$",
    )
});
/// ", effort: 1d"
static TRAILING_FIELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<head>.*\S)\s*(?:\s-|,|;|\u{2013}|\u{2014})\s*(?P<tail>\p{L}[\p{L} ]{1,20}:\s*[^,;:\u{2013}\u{2014}]{1,40})$",
    )
});
/// "~2d", but for "limit it to ~20h"
static TRAILING_ESTIMATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?P<head>.*\b(?P<before>\p{L}+))\s(?P<tail>[~\u{2248}]\d+(?:\.\d+)?[mhdw])$")
});

/// Takes "(owner: Ann)", "@ann" at the end and the like out of the line.
pub(super) fn owners(cues: &Cues, rest: &mut String, head: &mut Head) {
    if cues.knows_words()
        && let Some(found) = OWNER_NOTE.captures(rest)
    {
        head.add_owner(&found[1]);
        let note = found.get(0).map_or(0..0, |note| note.range());
        // "Add the column owner: string" is about owners.
        let before = rest[..note.start].trim_end();
        let kept = before.trim_end_matches([',', ';', '-', '\u{2013}', '\u{2014}']).trim_end();
        if rest[note.end..].trim().is_empty() && kept.len() < before.len() && kept.contains(' ') {
            let kept = kept.len();
            rest.truncate(kept);
        }
    }
    let code_free = without_code(rest);
    for found in HANDLE.captures_iter(&code_free) {
        let (Some(whole), Some(handle)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let after = code_free[handle.end()..].trim_start_matches([')', ']', '.', ',', ' ']);
        let before = code_free[..whole.start()]
            .trim_end()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_lowercase();
        let is_object = matches!(
            before.as_str(),
            "with" | "using" | "via" | "from" | "use" | "to" | "the" | "add"
        );
        let in_group = whole.as_str().starts_with('(');
        let is_object = is_object || before == "/";
        let is_last = after.split_whitespace().all(|word| word.starts_with(['@', '#']));
        if (in_group || is_last) && !is_object {
            head.add_owner(handle.as_str());
        }
    }
    let (before_tags, tags) = rest.split_at(tags_at(rest));
    let (mut before_tags, tags) = (before_tags.to_owned(), tags.to_owned());
    strip_handles(&mut before_tags, head);
    *rest = before_tags + &tags;
}

/// Where the words begin that end the text and start with "#", the space before them included.
fn tags_at(text: &str) -> usize {
    let mut kept = text.len();
    while let Some((before, word)) = text[..kept].trim_end().rsplit_once(char::is_whitespace) {
        if !word.starts_with('#') || word.len() == 1 {
            break;
        }
        kept = before.trim_end().len();
    }
    kept
}

/// Takes the owners off the end.
fn strip_handles(rest: &mut String, head: &Head) {
    while let Some(at) = rest.rfind('@') {
        let handle = &rest[at + 1..];
        let is_last = !handle.is_empty()
            && handle.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        let starts_word = rest[..at].ends_with([' ', ',', '(']);
        if !is_last || !starts_word || !head.owners.iter().any(|owner| owner == handle) {
            break;
        }
        let kept = rest[..at].trim_end_matches([' ', ',', '-', ':', '\u{2013}', '\u{2014}']).len();
        rest.truncate(kept);
    }
}

/// Takes "due 2027-01-31" off the end, which was read already; "by" and "before" only where an owner or a note in brackets
/// stands before them, as they may belong to a sentence.
pub(super) fn deadline(rest: &mut String, year: Option<i32>) {
    let Some((cue, at)) = dates::closing_deadline(rest, year) else { return };
    let before = rest[..at].trim_end_matches([' ', ',', ';', '-', '\u{2013}', '\u{2014}']);
    let is_label =
        ["due", "deadline"].iter().any(|word| cue.to_ascii_lowercase().starts_with(word));
    let follows_note = before.ends_with([')', ']'])
        || before.rsplit(' ').next().is_some_and(|word| word.starts_with('@'));
    // Within a note in brackets it is one of its parts.
    let is_outside = before.matches(['(', '[']).count() == before.matches([')', ']']).count();
    if before.contains(' ') && is_outside && (is_label || follows_note) {
        let kept = before.len();
        rest.truncate(kept);
    }
}

/// Takes ", depends on ..." off the end; what it names is kept as an aside.
pub(super) fn clause(cues: &Cues, rest: &mut String, head: &mut Head) {
    let lower = without_code(rest).to_ascii_lowercase();
    let found = cues.dependencies.strong.iter().filter_map(|cue| {
        let at = lower.find(&format!(" {cue} "))?;
        let before = rest[..at].trim_end();
        let kept = before.trim_end_matches([',', ';', '-', '\u{2013}', '\u{2014}']).trim_end();
        (kept.len() < before.len() && kept.contains(' ') && !rest[at..].contains(". "))
            .then_some((kept.len(), at))
    });
    if let Some((kept, at)) = found.min() {
        head.asides.push(rest[at..].trim().to_owned());
        rest.truncate(kept);
    }
}

/// Takes parenthesised notes that describe the task out of its title.
pub(super) fn groups(cues: &Cues, options: Options, rest: &mut String, head: &mut Head) {
    let mut removed: Vec<(usize, usize)> = Vec::new();
    for found in GROUP.captures_iter(rest) {
        let (Some(whole), Some(inner)) = (found.get(0), found.get(1).or(found.get(2))) else {
            continue;
        };
        if is_note(cues, options, inner.as_str(), head) {
            removed.push((whole.start(), whole.end()));
        }
    }
    for (start, end) in removed.into_iter().rev() {
        let start = rest[..start].trim_end().len();
        rest.replace_range(start..end, "");
    }
}

/// Reads what stands in brackets; false when some of it is no note about the task. A state counts only where all of it is
/// notes and no other state is named: "(open, shipped, cancelled)" says what the task is about.
fn is_note(cues: &Cues, options: Options, inner: &str, head: &mut Head) -> bool {
    let before = (head.standing, head.is_cancelled, head.has_mark);
    let parts: Vec<&str> =
        inner.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let states = parts.iter().filter(|part| cues.status.is_state(&state_words(part))).count();
    // "after 3, 4 and the wood": what names no note belongs to the prerequisites before it.
    let mut prerequisites: Vec<&str> = Vec::new();
    let mut is_after_prerequisite = false;
    let mut known = 0;
    for part in &parts {
        if names_prerequisite(cues, part) {
            is_after_prerequisite = true;
        } else if note(cues, options, part, head) || calls_off(cues, part, head) {
            is_after_prerequisite = false;
            known += 1;
            continue;
        }
        if is_after_prerequisite {
            prerequisites.push(part);
            known += 1;
        }
    }
    if known < parts.len() || states > 1 {
        (head.standing, head.is_cancelled, head.has_mark) = before;
        // "(done, without the roof)" says first how far it is, and then more of it.
        if let Some(standing) = parts
            .first()
            .and_then(|part| cues.status.standing(&state_words(part)))
            .filter(|_| states == 1)
        {
            head.reaches(standing);
        }
        return false;
    }
    if !prerequisites.is_empty() {
        head.asides.push(prerequisites.join(", "));
    }
    !parts.is_empty()
}

/// "cancelled", where it is all that is said.
fn calls_off(cues: &Cues, text: &str, head: &mut Head) -> bool {
    let says_so = cues.status.cancelled.contains(&state_words(text));
    head.is_cancelled |= says_so;
    says_so
}

/// The words of a state, without the label before them: "status: in progress".
fn state_words(text: &str) -> String {
    let words = normalised(text);
    words.strip_prefix("status ").map(str::to_owned).unwrap_or(words)
}

/// Reads one short note about a task; false when it is not one.
fn note(cues: &Cues, options: Options, text: &str, head: &mut Head) -> bool {
    let bare = text.trim_matches(|c: char| is_picture(c) || c.is_whitespace() || c == '*');
    if let Some(stated) = durations::parse(cues, options.day_minutes, bare) {
        head.stated.get_or_insert(stated);
        return true;
    }
    if dates::weeks(bare).is_some_and(|_| bare.split_whitespace().count() <= 4) {
        return true;
    }
    if bare.split_whitespace().count() <= 5 && dates::window(bare, None, false) != Window::default()
    {
        return true;
    }
    let words = normalised(bare);
    if let Some(standing) = cues.status.standing(&state_words(bare)) {
        head.reaches(standing);
        return true;
    }
    let label =
        words.strip_suffix(" priority").or(words.strip_prefix("priority ")).unwrap_or(&words);
    if words.split(' ').count() <= 3
        && let Some(priority) = cues.priority(label)
        && (words != label
            || cues.status.open.contains(&words)
            || words.starts_with('p')
            || label == words)
    {
        head.priority.get_or_insert(priority);
        return true;
    }
    if cues.status.open.contains(&words) {
        head.has_mark = true;
        return true;
    }
    if let Some(handle) = HANDLE
        .captures(bare)
        .filter(|found| found.get(0).is_some_and(|whole| whole.len() == bare.len()))
    {
        head.add_owner(&handle[1]);
    }
    let is_handle = bare.starts_with('@') && !bare.contains(' ');
    is_handle || OWNER_NOTE.find(bare).is_some_and(|found| found.start() == 0)
}

fn names_prerequisite(cues: &Cues, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    cues.dependencies
        .strong
        .iter()
        .chain(&cues.dependencies.weak)
        .any(|cue| text.strip_prefix(cue.as_str()).is_some_and(|rest| rest.starts_with([' ', ':'])))
}

/// Takes notes after the last dash, colon or comma off the end.
pub(super) fn tail(cues: &Cues, options: Options, rest: &mut String, head: &mut Head) {
    for _ in 0..4 {
        let trimmed = rest.trim_end_matches(|c: char| {
            if cues.status.done_marks.contains(&c) {
                head.reaches(Standing::Done);
            }
            head.has_mark |= cues.status.open_marks.contains(&c);
            is_picture(c) || c.is_whitespace() || cues.status.done_marks.contains(&c)
        });
        rest.truncate(trimmed.len());
        if let Some(kept) = shouted_status(cues, rest, head) {
            rest.truncate(kept);
            continue;
        }
        let estimate =
            TRAILING_ESTIMATE.captures(rest).filter(|found| !cues.introduces(&found["before"]));
        let ends = [TRAILING_FIELD.captures(rest), TRAILING_PART.captures(rest), estimate];
        let Some(kept) = ends.into_iter().flatten().find_map(|found| {
            let tail = found["tail"].trim();
            let short = tail.split_whitespace().count() <= 5;
            let balanced = found["head"].matches(['(', '[']).count()
                == found["head"].matches([')', ']']).count();
            let sign = rest[found["head"].len()..].trim_start().chars().next();
            // "Add a state: in progress" is about states, and "open, cancelled" may go on what was before.
            let is_said = match sign {
                Some(':') => cues.status.standing(&state_words(tail)) != Some(Standing::Started),
                Some('-' | '\u{2013}' | '\u{2014}') if calls_off(cues, tail, head) => {
                    return Some(found["head"].len());
                }
                _ => true,
            };
            (short && balanced && is_said && note(cues, options, tail, head))
                .then(|| found["head"].len())
        }) else {
            return;
        };
        rest.truncate(kept);
    }
}

/// "… COMPLETED" and "… 🔄 MEDIUM PRIORITY": the bytes before the shouting.
fn shouted_status(cues: &Cues, text: &str, head: &mut Head) -> Option<usize> {
    let words: Vec<&str> = text.split_whitespace().collect();
    (1..=2.min(words.len().saturating_sub(1))).rev().find_map(|count| {
        let start = text.rfind(words[words.len() - count])?;
        let shout = &text[start..];
        // "Limit the WIP" is about it.
        let is_named = cues.introduces(words[words.len() - count - 1]);
        if shout.chars().any(char::is_lowercase)
            || !shout.chars().any(char::is_uppercase)
            || is_named
        {
            return None;
        }
        let said = normalised(shout);
        match cues.status.standing(&said) {
            Some(standing) => head.reaches(standing),
            None if cues.status.open.contains(&said) => head.has_mark = true,
            None if calls_off(cues, &said, head) => {}
            None => return None,
        }
        if let Some(label) = said.strip_suffix(" priority") {
            head.priority = head.priority.or(cues.priority(label));
        }
        Some(text[..start].trim_end().len())
    })
}
