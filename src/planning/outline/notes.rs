//! Reads notes beside a title: owners, dates, efforts, statuses and prerequisites, in brackets or
//! at the end.

use std::sync::LazyLock;

use regex::Regex;

use super::dates::{self, Window};
use super::durations;
use super::head::Head;
use super::keywords::{Keywords, normalized};
use super::lexicon::Lexicon;
use super::titles::{first_sentence, is_picture, without_code};
use crate::planning::plan::Progress;
use crate::planning::planner::Options;
use crate::text::pattern;

static GROUP: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\(([^()]{1,160})\)|\[([^\[\]]{1,160})\]"));
static NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\p{Lu}\p{Ll}[\p{L}'\x{2019}-]*(?: \p{Lu}[\p{L}'\x{2019}-]*\.?)?$"));
static HANDLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:^|[\s(,])@(\p{L}[\p{L}\p{M}0-9_.'\x{2019}-]{0,60}[\p{L}\p{M}0-9_])")
});
static OWNER_NOTE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:(?:owner|assignee|responsible)\s*:\s*|assigned to:?\s+)@?(\p{L}[\p{L}\p{M}0-9_'\x{2019}-]*(?:\.[\p{L}\p{M}0-9_-]+)*(?: \p{Lu}[\p{L}\p{M}0-9_'\x{2019}-]*)?)",
    )
});
static TRAILING_PART: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<head>.*\S)\s*(?:\s-|:|,|;|\u{2013}|\u{2014})\s*(?P<tail>[^,;:\u{2013}\u{2014}]{1,60})$",
    )
});
/// Matches ", effort: 1d".
static TRAILING_FIELD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<head>.*\S)\s*(?:\s-|,|;|\u{2013}|\u{2014})\s*(?P<tail>\p{L}[\p{L} ]{1,20}:\s*[^,;:\u{2013}\u{2014}]{1,40})$",
    )
});
/// Matches "~2d"; "limit it to ~20h" is excluded by its preceding word.
static TRAILING_ESTIMATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?P<head>.*\b(?P<before>\p{L}+))\s(?P<tail>[~\u{2248}]\d+(?:\.\d+)?[mhdw])$")
});

/// Reads owners such as "(owner: Ann)" and a final "@ann", and removes them from the line.
pub(super) fn owners(keywords: &Lexicon<'_>, rest: &mut String, head: &mut Head) {
    if keywords.knows_words()
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

/// Returns the start of the final words that begin with "#", including the space before them.
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

/// Removes the owners from the end.
fn strip_handles(rest: &mut String, head: &Head) {
    while let Some(at) = rest.rfind('@') {
        let handle = &rest[at + 1..];
        let is_last = !handle.is_empty()
            && handle
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\'' | '\u{2019}'));
        let starts_word = rest[..at].ends_with([' ', ',', '(']);
        if !is_last || !starts_word || !head.owners.iter().any(|owner| owner == handle) {
            break;
        }
        let kept = rest[..at].trim_end_matches([' ', ',', '-', ':', '\u{2013}', '\u{2014}']).len();
        rest.truncate(kept);
    }
}

/// Removes a deadline such as "due 2027-01-31", which was already read, from the end. "by" and
/// "before" may belong to a sentence, so they are removed only after an owner or a bracketed note.
pub(super) fn deadline(rest: &mut String, year: Option<i32>) {
    let Some((cue, at)) = dates::closing_deadline(rest, year) else { return };
    let before = rest[..at].trim_end_matches([' ', ',', ';', '-', '\u{2013}', '\u{2014}']);
    let is_label =
        ["due", "deadline"].iter().any(|word| cue.to_ascii_lowercase().starts_with(word));
    let follows_note = before.ends_with([')', ']'])
        || before.rsplit(' ').next().is_some_and(|word| word.starts_with('@'));
    // A deadline inside a bracketed note belongs to the note.
    let is_outside = before.matches(['(', '[']).count() == before.matches([')', ']']).count();
    if before.contains(' ') && is_outside && (is_label || follows_note) {
        let kept = before.len();
        rest.truncate(kept);
    }
}

/// Removes ", depends on ..." from the end and keeps it as an aside.
pub(super) fn clause(keywords: &Keywords, rest: &mut String, head: &mut Head) {
    let lower = without_code(rest).to_ascii_lowercase();
    let found = keywords.dependencies.strong.iter().filter_map(|cue| {
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

/// Removes parenthesised notes about the task from its title.
pub(super) fn groups(keywords: &Lexicon<'_>, options: Options, rest: &mut String, head: &mut Head) {
    let mut removed: Vec<(usize, usize)> = Vec::new();
    for found in GROUP.captures_iter(rest) {
        let (Some(whole), Some(inner)) = (found.get(0), found.get(1).or(found.get(2))) else {
            continue;
        };
        if is_note(keywords, options, inner.as_str(), head) {
            removed.push((whole.start(), whole.end()));
        }
    }
    for (start, end) in removed.into_iter().rev() {
        let start = rest[..start].trim_end().len();
        rest.replace_range(start..end, "");
    }
}

/// Removes sentences after the first that consist of notes only: "Build it. 3d, Ana. Then rest".
pub(super) fn sentences(
    keywords: &Lexicon<'_>,
    options: Options,
    rest: &mut String,
    head: &mut Head,
) {
    let mut kept = String::new();
    let mut left = rest.as_str();
    while !left.is_empty() {
        let sentence = first_sentence(left);
        left = &left[sentence.len()..];
        let bare = sentence.trim().trim_end_matches('.');
        let is_first = kept.is_empty();
        if is_first || bare.is_empty() || !is_note(keywords, options, bare, head) {
            kept.push_str(sentence);
        }
    }
    let kept = kept.trim_end().to_owned();
    *rest = kept;
}

/// Reads a bracketed text and returns whether all of it is notes about the task. A status counts
/// only if it is the only one and everything else is notes: "(open, shipped, cancelled)" is the
/// subject of the task.
fn is_note(keywords: &Lexicon<'_>, options: Options, inner: &str, head: &mut Head) -> bool {
    // "2 days, 3 hours" is one effort.
    if let Some(stated) = durations::parse(keywords, options.day_minutes, inner.trim())
        && stated.text.len() == inner.trim().len()
    {
        head.stated.get_or_insert(stated);
        return true;
    }
    let before = (head.standing, head.is_cancelled, head.has_mark, head.has_worded_state);
    let parts: Vec<&str> =
        inner.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let states = parts.iter().filter(|part| keywords.status.is_state(&state_words(part))).count();
    // "after 3, 4 and the wood": a part that is not a note belongs to the prerequisites before it.
    let mut prerequisites: Vec<&str> = Vec::new();
    let mut is_after_prerequisite = false;
    let mut known = 0;
    let mut names: Vec<&str> = Vec::new();
    for part in &parts {
        if names_prerequisite(keywords, part) {
            is_after_prerequisite = true;
        } else if note(keywords, options, part, head) || calls_off(keywords, part, head) {
            is_after_prerequisite = false;
            known += 1;
            continue;
        }
        if is_after_prerequisite {
            prerequisites.push(part);
            known += 1;
        } else if NAME.is_match(part) {
            names.push(part);
        }
    }
    // Beside an effort or a date, a single name is the owner: "(4 days, Jonas)".
    if names.len() == 1 && known > 0 && known + 1 == parts.len() && states == 0 {
        head.add_owner(names[0]);
        known += 1;
    }
    if known < parts.len() || states > 1 {
        (head.standing, head.is_cancelled, head.has_mark, head.has_worded_state) = before;
        // "(done, without the roof)" starts with the status and then adds details.
        if let Some(standing) = parts
            .first()
            .and_then(|part| keywords.status.standing(&state_words(part)))
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

/// Whether the whole text is a word for cancelled work.
fn calls_off(keywords: &Keywords, text: &str, head: &mut Head) -> bool {
    let says_so = keywords.status.cancelled.contains(&state_words(text));
    head.is_cancelled |= says_so;
    says_so
}

/// Returns the words of a status without its label: "status: in progress".
fn state_words(text: &str) -> String {
    let words = normalized(text);
    words.strip_prefix("status ").map(str::to_owned).unwrap_or(words)
}

/// Reads one short note about a task. Returns whether it was one.
fn note(keywords: &Lexicon<'_>, options: Options, text: &str, head: &mut Head) -> bool {
    let bare = text.trim_matches(|c: char| is_picture(c) || c.is_whitespace() || c == '*');
    if let Some(stated) = durations::parse(keywords, options.day_minutes, bare) {
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
    if let Some(date) = dates::whole(bare) {
        head.window.due.get_or_insert(date);
        return true;
    }
    let words = normalized(bare);
    if let Some(standing) = keywords.status.standing(&state_words(bare)) {
        // Words are more exact than a mark before them: "✅ (in progress)".
        head.standing = standing;
        (head.has_mark, head.has_worded_state) = (true, true);
        return true;
    }
    let label =
        words.strip_suffix(" priority").or(words.strip_prefix("priority ")).unwrap_or(&words);
    if words.split(' ').count() <= 3
        && let Some(priority) = keywords.priority(label)
        && (words != label
            || keywords.status.open.contains(&words)
            || words.starts_with('p')
            || label == words)
    {
        head.priority.get_or_insert(priority);
        return true;
    }
    if keywords.status.open.contains(&words) {
        head.has_mark = true;
        return true;
    }
    let people = keywords.people(bare);
    if !people.is_empty() {
        people.into_iter().for_each(|name| head.add_owner(name));
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

fn names_prerequisite(keywords: &Keywords, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    keywords
        .dependencies
        .strong
        .iter()
        .chain(&keywords.dependencies.weak)
        .chain(&keywords.dependencies.reverse_strong)
        .chain(&keywords.dependencies.reverse_weak)
        .any(|cue| text.strip_prefix(cue.as_str()).is_some_and(|rest| rest.starts_with([' ', ':'])))
}

/// Reads notes that signs divide from the title: "Sow peas | @dan | 2d", "Rake leaves - Eve, 1 day".
pub(super) fn divided(
    keywords: &Lexicon<'_>,
    options: Options,
    rest: &mut String,
    head: &mut Head,
) {
    while let Some((title, last)) = rest.rsplit_once(" | ") {
        let (kept, last) = (title.trim_end().len(), last.trim().to_owned());
        if kept == 0 || !(last.is_empty() || is_note(keywords, options, &last, head)) {
            break;
        }
        rest.truncate(kept);
    }
    rest.truncate(rest.trim_end_matches([' ', '|']).len());
    for sign in [" \u{2014} ", " \u{2013} ", " - ", " // "] {
        if let Some((title, last)) = rest.rsplit_once(sign)
            && last.contains(',')
            && title.contains(' ')
        {
            let (kept, last) = (title.trim_end().len(), last.to_owned());
            if is_note(keywords, options, &last, head) {
                return rest.truncate(kept);
            }
        }
    }
}

/// Removes notes after the last dash, colon or comma from the end.
pub(super) fn tail(keywords: &Lexicon<'_>, options: Options, rest: &mut String, head: &mut Head) {
    for _ in 0..4 {
        let trimmed = rest.trim_end_matches(|c: char| {
            if keywords.status.done_marks.contains(&c) {
                head.reaches(Progress::Done);
            }
            head.has_mark |= keywords.status.open_marks.contains(&c);
            is_picture(c) || c.is_whitespace() || keywords.status.done_marks.contains(&c)
        });
        rest.truncate(trimmed.len());
        if let Some(kept) = shouted_status(keywords, rest, head) {
            rest.truncate(kept);
            continue;
        }
        let estimate =
            TRAILING_ESTIMATE.captures(rest).filter(|found| !keywords.introduces(&found["before"]));
        let ends = [TRAILING_FIELD.captures(rest), TRAILING_PART.captures(rest), estimate];
        let Some(kept) = ends.into_iter().flatten().find_map(|found| {
            let tail = found["tail"].trim();
            let short = tail.split_whitespace().count() <= 5;
            let balanced = found["head"].matches(['(', '[']).count()
                == found["head"].matches([')', ']']).count();
            let sign = rest[found["head"].len()..].trim_start().chars().next();
            // "Add a state: in progress" is about statuses, and "open, cancelled" may continue the
            // text before it.
            let is_stated = match sign {
                Some(':') => {
                    keywords.status.standing(&state_words(tail)) != Some(Progress::Started)
                }
                Some('-' | '\u{2013}' | '\u{2014}') if calls_off(keywords, tail, head) => {
                    return Some(found["head"].len());
                }
                _ => true,
            };
            // "2024-01-01 - 2024-12-31" is a period.
            let is_period = found["head"].ends_with(|c: char| c.is_ascii_digit())
                && dates::whole(tail).is_some();
            (short && balanced && is_stated && !is_period && note(keywords, options, tail, head))
                .then(|| found["head"].len())
        }) else {
            return;
        };
        rest.truncate(kept);
    }
}

/// Reads a final status in capitals, such as "… COMPLETED" and "… 🔄 MEDIUM PRIORITY". Returns the
/// length of the text before it.
fn shouted_status(keywords: &Keywords, text: &str, head: &mut Head) -> Option<usize> {
    let words: Vec<&str> = text.split_whitespace().collect();
    (1..=2.min(words.len().saturating_sub(1))).rev().find_map(|count| {
        let start = text.rfind(words[words.len() - count])?;
        let shout = &text[start..];
        // "Spark 4 DONE" names a version before its status.
        if shout.split_whitespace().any(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
            return None;
        }
        // "Limit the WIP" is about a status.
        let is_named = keywords.introduces(words[words.len() - count - 1]);
        if shout.chars().any(char::is_lowercase)
            || !shout.chars().any(char::is_uppercase)
            || is_named
        {
            return None;
        }
        let shouted = normalized(shout);
        match keywords.status.standing(&shouted) {
            Some(standing) => head.reaches(standing),
            None if keywords.status.open.contains(&shouted) => head.has_mark = true,
            None if calls_off(keywords, &shouted, head) => {}
            None => return None,
        }
        if let Some(label) = shouted.strip_suffix(" priority") {
            head.priority = head.priority.or(keywords.priority(label));
        }
        Some(text[..start].trim_end().len())
    })
}
