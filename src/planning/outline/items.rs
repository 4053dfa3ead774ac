//! Reads one line of work: its title, and everything else that people write into it.
//!
//! `3. [x] **Ship it** (2 days, @anna) - COMPLETED` is the title "Ship it" with a number, a status,
//! a duration and an owner.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::dates;
use super::head::Head;
use super::keywords::{Keywords, normalized};
use super::lexicon::Lexicon;
use super::notes;
use super::titles::{is_picture, title, without_lead_in};
use super::units::{NUMBERING, Unit, UnitClass};
use crate::planning::plan::Progress;
use crate::planning::planner::Options;
use crate::text::pattern;

static IDENTIFIER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^\[?(?P<id>[A-Z]{1,8}-\d{1,5}(?:\.\d{1,3})*)\]?\s*(?::|-\s|\u{2013}|\u{2014}|\)|\.\s)\s*",
    )
});

static STATUS_MACRO: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\{status:(?:[^{}|]*\|)*\s*title=(?P<title>[^{}|]+)(?:\|[^{}]*)?\}"));

/// A state in the notation of org-mode: "TODO Write the summary".
static STATE_WORD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<state>TODO|NEXT|DONE|WAITING|WAIT|HOLD|STARTED|DOING|IN-?PROGRESS|CANCELL?ED):?\s+(?:\[#[A-C]\]\s+)?",
    )
});

static ORG_DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\s*\b(?P<name>DEADLINE|SCHEDULED): ?<(?P<date>\d{4}-\d{2}-\d{2})[^>]{0,20}>")
});

static OUTLINE_ID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\[?(?P<id>(?P<prefix>[A-Z]{1,8}-?)\d{1,5}(?:\.\d{1,3})*)\]?\s+"));

static NAMED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?P<id>[A-Z]{1,4}\d{1,4})\s*(?::|-\s|\u{2013}|\u{2014}|\)|\.\s)"));

/// Reads a line of work. `strong` is the length in bytes of its bold start.
pub(super) fn head(
    keywords: &Lexicon<'_>,
    options: Options,
    year: Option<i32>,
    text: &str,
    strong: usize,
) -> Head {
    let mut head = Head { weeks: dates::weeks(text), ..Head::default() };
    let strong = with_plain_marks(&text[..strong.min(text.len())]).len();
    let text = &with_plain_marks(text);
    let whole = text.trim();
    // Wikis write a state as a macro: "{status:colour=Green|title=DONE}".
    let mut rest = STATUS_MACRO.replace_all(whole, "($title)").into_owned();
    let mut strong = strong.saturating_sub(text.len() - text.trim_start().len()).min(rest.len());
    let mut strip = |rest: &mut String, bytes: usize| {
        rest.drain(..bytes);
        strong = strong.saturating_sub(bytes);
    };

    if let Some(bytes) = literal_checkbox(&rest, &mut head) {
        strip(&mut rest, bytes);
    }
    let bytes = leading_marks(keywords, &rest, &mut head);
    strip(&mut rest, bytes);
    if let Some(found) = STATE_WORD.captures(&rest) {
        match &found["state"] {
            "DONE" => head.reaches(Progress::Done),
            "STARTED" | "DOING" | "IN-PROGRESS" | "INPROGRESS" => head.reaches(Progress::Started),
            "CANCELLED" | "CANCELED" => head.is_cancelled = true,
            _ => {}
        }
        head.has_mark = true;
        let bytes = found.get(0).map_or(0, |found| found.end());
        strip(&mut rest, bytes);
    }
    if let Some(found) = NUMBERING.captures(&rest) {
        let number = found.name("a").or(found.name("b")).or(found.name("c"));
        head.names.extend(number.map(|number| number.as_str().to_owned()));
        let bytes = found.get(0).map_or(0, |found| found.end());
        strip(&mut rest, bytes);
    }
    let bytes = leading_marks(keywords, &rest, &mut head);
    strip(&mut rest, bytes);
    if let Some(found) = IDENTIFIER.captures(&rest) {
        head.names.push(found["id"].to_owned());
        let bytes = found.get(0).map_or(0, |found| found.end());
        if rest[bytes..].contains(char::is_alphanumeric) {
            strip(&mut rest, bytes);
        }
    }
    // "PAY-801 Add the key", in a text with several such names.
    if let Some(found) = OUTLINE_ID.captures(&rest)
        && keywords.is_id_prefix(&found["prefix"])
    {
        head.names.push(found["id"].to_owned());
        let bytes = found.get(0).map_or(0, |found| found.end());
        if rest[bytes..].contains(char::is_alphanumeric) {
            strip(&mut rest, bytes);
        }
    }
    // "S3: make a bucket" may be a name as well as a number, so it stays in the title.
    if let Some(found) = NAMED.captures(&rest) {
        head.names.push(found["id"].to_owned());
    }
    if let Some((unit, bytes)) = Unit::leading(keywords, &rest) {
        let after =
            rest[bytes..].trim_start_matches([':', '-', '.', ' ', '\u{2013}', '\u{2014}', '*']);
        let stripped = rest.len() - after.len();
        head.names.push(unit.number.clone());
        if matches!(unit.class, UnitClass::Task | UnitClass::Feature)
            && after.contains(char::is_alphanumeric)
            && !after.starts_with('(')
        {
            strip(&mut rest, stripped);
        }
        head.unit = Some(unit);
    }
    let bytes = sequence_word(keywords, &rest, &mut head);
    strip(&mut rest, bytes);
    let bytes = commitment(keywords, &rest);
    strip(&mut rest, bytes);
    head.window = dates::window(&rest, year, false);
    if let Some((date, kept)) = dates::beside_title(&rest, year)
        && head.window == dates::Window::default()
    {
        head.window.due = Some(date);
        let removed = kept.start;
        rest = rest[kept].to_owned();
        strong = strong.saturating_sub(removed).min(rest.len());
    }
    // "DEADLINE: <2026-12-10 Thu>"
    while let Some(found) = ORG_DATE.captures(&rest) {
        let date = dates::whole(&found["date"]);
        match &found["name"] {
            "DEADLINE" => head.window.due = date,
            _ => head.window.not_before = date,
        }
        let range = found.get(0).map_or(0..0, |found| found.range());
        rest.replace_range(range, "");
    }
    // An owner can precede a removed ending: "Ship it @ann, depends on 2" and "Ship it @ann, due
    // 2027-01-31".
    notes::owners(keywords, &mut rest, &mut head);
    notes::deadline(&mut rest, year);
    notes::clause(keywords, &mut rest, &mut head);
    notes::owners(keywords, &mut rest, &mut head);
    notes::groups(keywords, options, &mut rest, &mut head);
    notes::sentences(keywords, options, &mut rest, &mut head);
    notes::divided(keywords, options, &mut rest, &mut head);
    notes::tail(keywords, options, &mut rest, &mut head);
    notes::owners(keywords, &mut rest, &mut head);
    if rest.trim_end().ends_with(':') {
        let kept = without_lead_in(keywords, rest.trim_end_matches([':', ' '])).len();
        rest.truncate(kept);
        strong = strong.min(kept);
    }
    let (title, shortened) = title(&rest, strong);
    head.shortened = shortened;
    head.title = title;
    // "[-]" means canceled for most writers, and half done for those who say so.
    if whole.starts_with("[-]") && head.standing == Progress::Started {
        head.is_cancelled = false;
    }
    let words = normalized(&head.title);
    if keywords.durations.horizons.iter().any(|horizon| words.contains(horizon.as_str())) {
        head.stated = None;
    }
    head
}

/// Returns the mark and the length of a checkbox such as `[x] ` in running text. Includes marks
/// that Markdown does not know.
pub(super) fn checkbox(text: &str) -> Option<(char, usize)> {
    let inside = text.strip_prefix('[')?;
    if let Some(rest) = inside.strip_prefix("] ") {
        return Some((' ', text.len() - rest.trim_start().len()));
    }
    let mark = inside.chars().next()?;
    let rest = inside.strip_prefix(mark)?.strip_prefix(']')?;
    matches!(mark, ' ' | 'x' | 'X' | '/' | '-' | '~' | '>' | '\u{2713}' | '\u{2714}')
        .then(|| (mark, text.len() - rest.trim_start().len()))
}

/// Returns the text with the brackets and commas of East Asian texts as ASCII.
fn with_plain_marks(text: &str) -> Cow<'_, str> {
    const WIDE: [(char, &str); 6] = [
        ('\u{ff08}', " ("),
        ('\u{ff09}', ")"),
        ('\u{3001}', ", "),
        ('\u{ff0c}', ", "),
        ('\u{ff1a}', ": "),
        ('\u{ff1b}', "; "),
    ];
    if !text.contains(WIDE.map(|(wide, _)| wide)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(WIDE.iter().fold(text.to_owned(), |text, (wide, plain)| text.replace(*wide, plain)))
}

/// Reads a checkbox at the start and returns its length in bytes.
fn literal_checkbox(text: &str, head: &mut Head) -> Option<usize> {
    let (mark, bytes) = checkbox(text)?;
    head.has_mark = true;
    match mark {
        'x' | 'X' | '\u{2713}' | '\u{2714}' => head.reaches(Progress::Done),
        '/' => head.reaches(Progress::Started),
        '-' | '~' => head.is_cancelled = true,
        _ => {}
    }
    Some(bytes)
}

/// Reads status marks, pictures and spaces at the start and returns their length in bytes.
fn leading_marks(keywords: &Keywords, text: &str, head: &mut Head) -> usize {
    let mut bytes = 0;
    for c in text.chars() {
        if keywords.status.done_marks.contains(&c) {
            head.reaches(Progress::Done);
        } else if keywords.status.open_marks.contains(&c) {
            head.has_mark = true;
        } else if !(is_picture(c) || c.is_whitespace()) {
            break;
        }
        bytes += c.len_utf8();
    }
    bytes
}

/// Reads "First, " or "Then, " at the start and returns its length in bytes.
fn sequence_word(keywords: &Keywords, text: &str, head: &mut Head) -> usize {
    let next = opening_word(&keywords.dependencies.then, text);
    head.is_next = next > 0;
    next.max(opening_word(&keywords.dependencies.first, text))
}

/// Returns the text without "First, " or "Then, " at its start.
pub(super) fn after_sequence_word<'t>(keywords: &Keywords, text: &'t str) -> &'t str {
    &text[sequence_word(keywords, text, &mut Head::default())..]
}

/// Returns the length of the first listed word that starts the text without being all of it.
fn opening_word(words: &[String], text: &str) -> usize {
    let lower = text.to_ascii_lowercase();
    let opens = |word: &&String| {
        lower
            .strip_prefix(word.as_str())
            .is_some_and(|rest| rest.starts_with(' ') && rest.trim().contains(' '))
    };
    words.iter().find(opens).map_or(0, |word| word.len() + 1)
}

/// Returns the length of "We will " or "Must " before a work verb.
pub(super) fn commitment(keywords: &Keywords, text: &str) -> usize {
    let lower = text.to_ascii_lowercase();
    let promised =
        keywords.statements.commitments.iter().flat_map(|cue| {
            [cue.clone(), cue.replace(" ll", "'ll"), cue.replace(" ll", "\u{2019}ll")]
        });
    promised
        .filter(|cue| lower.strip_prefix(cue.as_str()).is_some_and(|rest| rest.starts_with(' ')))
        .map(|cue| cue.len() + 1)
        .find(|bytes| {
            lower[*bytes..]
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .is_some_and(|verb| keywords.kind_of_verb(verb).is_some())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task::Priority;

    fn read(text: &str) -> Head {
        head(&Lexicon::english(), Options::default(), None, text, 0)
    }

    #[test]
    fn titles_lose_everything_that_is_no_title() {
        let cases = [
            ("Set up the shed.", "Set up the shed"),
            ("3.1.2. Set up the shed:", "Set up the shed"),
            ("[ ] #4 Set up the shed", "Set up the shed"),
            ("T-12: Set up the shed", "Set up the shed"),
            ("Task 4: Set up the shed", "Set up the shed"),
            ("Set up the shed (2 days)", "Set up the shed"),
            ("Set up the shed - 3 hours", "Set up the shed"),
            ("Set up the shed (High Priority)", "Set up the shed"),
            ("Set up the shed (depends on 3 & 4)", "Set up the shed"),
            ("Set up the shed @anna", "Set up the shed"),
            ("Set up the shed (2 days) @anna, depends on the wood", "Set up the shed"),
            ("Set up the shed @anna, due 2027-03-19", "Set up the shed"),
            ("Set up the shed (1 day) @anna due 2027-03-19", "Set up the shed"),
            ("Set up the shed @anna by 19 March 2027", "Set up the shed"),
            ("Set up the shed (2h) due: 2027-03-19 @anna", "Set up the shed"),
            ("Set up the shed, due 19.03.2027", "Set up the shed"),
            ("Clear the shed before 2027-03-19", "Clear the shed before 2027-03-19"),
            ("Set up the shed (2 days, @anna, due 2027-03-19)", "Set up the shed"),
            (
                "Set up the shed (effort: 1d; owner: anna; depends on: the wood, the nails)",
                "Set up the shed",
            ),
            ("Set up the shed, owner: anna", "Set up the shed"),
            ("Set up the shed - cancelled", "Set up the shed"),
            ("Set up the shed, status: in progress", "Set up the shed"),
            ("Set up the shed (@anna.lee)", "Set up the shed"),
            ("Add the column owner: string", "Add the column owner: string"),
            ("Add a state: in progress", "Add a state: in progress"),
            ("Limit the WIP", "Limit the WIP"),
            ("Keep the shed under ~20h", "Keep the shed under ~20h"),
            ("Reduce the time to ~5m", "Reduce the time to ~5m"),
            ("Show states (open, shipped, cancelled)", "Show states (open, shipped, cancelled)"),
            (
                "Write it (requires review, 1d, see the list)",
                "Write it (requires review, 1d, see the list)",
            ),
            (
                "Fetch the weather of 2024-01-01 - 2024-12-31",
                "Fetch the weather of 2024-01-01 - 2024-12-31",
            ),
            ("Set up the shed ~2d", "Set up the shed"),
            ("Set up the shed, effort: 2d", "Set up the shed"),
            ("Set up the shed (3rd try, 2 days)", "Set up the shed (3rd try, 2 days)"),
            ("[-] Set up the shed", "Set up the shed"),
            ("Set up the shed @anna #north #2031", "Set up the shed #north #2031"),
            ("\u{2705} Set up the shed COMPLETED", "Set up the shed"),
            ("Set up `shed` (north side)", "Set up shed (north side)"),
            ("Phase 2: Harvest (Weeks 3-4)", "Phase 2: Harvest"),
        ];
        for (text, title) in cases {
            assert_eq!(read(text).title, title, "{text}");
        }
    }

    #[test]
    fn what_is_taken_out_is_kept_beside_the_title() {
        let head = read("[x] Set up the shed (2 days, critical) @anna");
        assert_eq!(head.standing, Progress::Done);
        assert_eq!(head.stated.map(|stated| stated.range.likely.get()), Some(960));
        assert_eq!(head.priority, Some(Priority::Critical));
        assert_eq!(head.owners, ["anna"]);
        assert_eq!(read("Set up the shed (2 days) @anna, depends on the wood").owners, ["anna"]);
        assert_eq!(read("Set up the shed (1 day) @anna due 2027-03-19").owners, ["anna"]);
        assert_eq!(
            read("Set up the shed due 19.03.2027").window.due,
            chrono::NaiveDate::from_ymd_opt(2027, 3, 19)
        );
        assert_eq!(read("Phase 2: Harvest (Weeks 3-4)").weeks, Some((3, 4)));
        assert_eq!(read("Dig (assigned to Ben)").owners, ["Ben"]);
        assert_eq!(read("Dig the bed @ben #north").owners, ["ben"]);
        for text in [
            "Dig (cancelled)",
            "Dig - cancelled",
            "Dig the bed CANCELLED",
            "Dig (status: cancelled)",
            "[-] Dig",
            "[~] Dig",
        ] {
            assert!(read(text).is_cancelled, "{text}");
        }
        for text in [
            "Show states (open, cancelled)",
            "Wire hooks (created, renewed, cancelled)",
            "Show open, cancelled",
        ] {
            assert!(!read(text).is_cancelled, "{text}");
        }
        for text in
            ["Handle jobs (queued, in progress, failed)", "Handle jobs (open, in progress, done)"]
        {
            assert_eq!(read(text).standing, Progress::Open, "{text}");
        }
        assert_eq!(read("Build the shed (done, without the roof)").standing, Progress::Done);
    }

    #[test]
    fn addresses_and_code_are_no_owners() {
        assert!(read("Mail anna@example.org about `@cached` things").owners.is_empty());
    }

    #[test]
    fn a_long_line_is_cut_where_one_pauses() {
        let head = read(
            "Dig the northern bed of the garden as deep as it goes. Then rest, because the soil is heavy and wet.",
        );
        assert_eq!(head.title, "Dig the northern bed of the garden as deep as it goes");
        assert!(head.shortened);
    }

    #[test]
    fn wide_characters_are_never_cut_in_two() {
        let text = "\u{8ba1}".repeat(400);
        assert!(read(&text).title.chars().all(|c| c == '\u{8ba1}'));
    }
}
