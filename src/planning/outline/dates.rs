//! Reads calendar dates and weeks from a text.
//!
//! A date counts only if its year is known, either from the date itself or from a heading above. No
//! clock is read, so "next Friday" stays text.

use std::ops::Range;
use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate};
use regex::Regex;

use crate::domain::day;
use crate::text::pattern;

/// Start and due date of a task, as stated in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) not_before: Option<NaiveDate>,
    pub(super) due: Option<NaiveDate>,
}

/// Year for days without one, of which only the form matters.
const ANY_LEAP_YEAR: i32 = 2000;

/// English month names, and those of German, Spanish, French and Italian that differ.
static MONTH_NAME: &str = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|januar|februar|m\x{e4}rz|mai|juni|juli|oktober|dezember|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|janvier|f\x{e9}vrier|mars|avril|juin|juillet|ao\x{fb}t|septembre|octobre|novembre|d\x{e9}cembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre)";

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)\b(?P<y>\d{{4}})-(?P<m>\d{{2}})-(?P<d>\d{{2}})\b|\b(?P<mn>{MONTH_NAME})\.? (?P<md>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?P<my>\d{{4}})\b)?|\b(?P<dd>\d{{1,2}})(?:st|nd|rd|th|er|\.)?(?: de)? (?P<dn>{MONTH_NAME})\b\.?(?:,?(?: de)? (?P<dy>\d{{4}})\b)?|(?P<cy>\d{{4}})\x{{5e74}}(?P<cm>\d{{1,2}})\x{{6708}}(?P<cd>\d{{1,2}})\x{{65e5}}|\b(?P<pd>\d{{1,2}})\.(?P<pm>\d{{1,2}})\.(?P<py>\d{{4}})\b|\b(?P<sa>\d{{1,2}})/(?P<sb>\d{{1,2}})/(?P<sy>\d{{4}})\b"
    ))
});
static SAME_MONTH_END: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(?:-|\u{2013}|\u{2014}|to)\s*(\d{1,2})(?:\D|$)"));
static RANGE_SIGN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*\\?(?:-|\u{2013}|\u{2014}|to|until|through)\s*$"));
static START_CUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:not before|no earlier than|starting(?: on| from)?|ab(?: dem)?|desde(?: el)?|\x{e0} partir du|starts?(?: on)?|start(?: date)?:|from|kick-?off(?: on)?:?)\s*$",
    )
});
static DUE_CUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:due(?: date)?(?: on| by)?:?|by|until|bis(?: zum)?|hasta(?: el)?|antes del?|avant(?: le)?|entro(?: il)?|fecha l\x{ed}mite:?|before|deadline:?|no later than|ends?(?: on)?:?|complete[sd]? by|target(?: date)?:?)\s*$",
    )
});
static YEAR: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(20\d{2})\b"));
static WEEKS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?P<unit>weeks?|months?)\s*(?P<a>\d{1,3})(?:\s*(?:-|\u{2013}|\u{2014}|to|and|&)\s*(?:weeks?|months?)?\s*(?P<b>\d{1,3}))?",
    )
});
static BARE_RANGE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(\d{1,3})(?:\s*(?:-|\u{2013}|\u{2014}|to)\s*(\d{1,3}))?\s*$"));

/// Returns the start and end that a text states; `year` completes dates without one.
///
/// A date after a word like "by" or "due" is an end, and after "from" a start. Two dates joined by
/// a dash are both. A bare date means nothing unless `bare_is_due` is set (for a column or field
/// named "due").
pub(super) fn window(text: &str, year: Option<i32>, bare_is_due: bool) -> Window {
    let found = dates(text, year);
    let mut window = Window::default();
    for (position, (start, end, date)) in found.iter().enumerate() {
        let before = &text[..*start];
        let after = &text[*end..];
        if let Some((next_start, _, next)) = found.get(position + 1)
            && RANGE_SIGN.is_match(&text[*end..*next_start])
            && date <= next
        {
            return Window { not_before: Some(*date), due: Some(*next) };
        }
        let same_month = SAME_MONTH_END
            .captures(after)
            .and_then(|found| found[1].parse().ok())
            .and_then(|day| date.with_day(day))
            .filter(|last| last >= date);
        if let Some(last) = same_month {
            return Window { not_before: Some(*date), due: Some(last) };
        }
        if START_CUE.is_match(before) {
            window.not_before.get_or_insert(*date);
        } else if DUE_CUE.is_match(before) || bare_is_due {
            window.due.get_or_insert(*date);
        }
    }
    window
}

/// Returns the date that a whole text states.
pub(super) fn whole(text: &str) -> Option<NaiveDate> {
    match dates(text, None).as_slice() {
        [(0, end, date)] if *end == text.len() => Some(*date),
        _ => None,
    }
}

/// Whether a text is a day without a year: "10 May", "5/14".
pub(super) fn is_day(text: &str) -> bool {
    static DAY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d{1,2}[./]\d{1,2}\.?$"));
    let text = text.trim();
    DAY.is_match(text)
        || matches!(dates(text, Some(ANY_LEAP_YEAR)).as_slice(), [(0, end, _)] if *end == text.len())
}

/// Returns the date before or after a title, and the range of the title: "15/03/2027: go live",
/// "Go live ..... 2027-03-15".
pub(super) fn beside_title(text: &str, year: Option<i32>) -> Option<(NaiveDate, Range<usize>)> {
    static JOINT: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"^\s*(?::|\x{2013}|\x{2014}|-|\.{2,}|\t|\x{2026}+)\s*$|^\s+-\s+$")
    });
    let [(start, end, date)] = dates(text, year).try_into().ok()?;
    let trimmed = text.trim_end().len();
    if start == 0 {
        let rest = &text[end..];
        let title = rest.find(char::is_alphanumeric)?;
        return JOINT.is_match(&rest[..title]).then_some((date, end + title..text.len()));
    }
    if end == trimmed {
        let before = &text[..start];
        let title = before.trim_end_matches(|c: char| !c.is_alphanumeric() && c != ')').len();
        return (title > 0 && JOINT.is_match(&before[title..])).then_some((date, 0..title));
    }
    None
}

/// Whether a text begins or ends with the day of an event, with or without a year: "Jan 31: go live".
pub(super) fn is_event(text: &str) -> bool {
    let year = Some(ANY_LEAP_YEAR);
    leading(text, year).is_some() || beside_title(text, year).is_some()
}

/// Returns the date with which a text begins, and the place of the words after it. `None` if the
/// date begins a range.
pub(super) fn leading(text: &str, year: Option<i32>) -> Option<(NaiveDate, usize)> {
    let found = dates(text, year);
    let (start, end, date) = found.first()?;
    let after = &text[*end..];
    let words = after.trim_start_matches([' ', ':', '*', ',', '.', '-', '\u{2013}', '\u{2014}']);
    let is_range = SAME_MONTH_END.is_match(after)
        || found.get(1).is_some_and(|(next, _, _)| RANGE_SIGN.is_match(&text[*end..*next]));
    let is_first = !text[..*start].contains(char::is_alphanumeric);
    (is_first && !is_range && words.contains(char::is_alphanumeric))
        .then(|| (*date, text.len() - words.len()))
}

/// Whether a text begins or ends with a full date.
pub(super) fn is_dated(text: &str) -> bool {
    dates(text, None).iter().any(|(start, end, _)| {
        let is_bare = |text: &str| !text.contains(char::is_alphanumeric);
        is_bare(&text[..*start]) || is_bare(&text[*end..])
    })
}

/// Returns the word and first byte of a deadline such as "due 2031-04-05" at the end of the text.
pub(super) fn closing_deadline(text: &str, year: Option<i32>) -> Option<(&str, usize)> {
    let (start, end, _) = dates(text, year).pop()?;
    let cue = DUE_CUE.find(&text[..start])?;
    let opens_word = text[..cue.start()].ends_with(|c: char| !c.is_alphanumeric());
    let closes = !text[end..].contains(char::is_alphanumeric);
    (opens_word && closes).then(|| (cue.as_str(), cue.start()))
}

/// Returns the year of the text if it names exactly one.
pub(super) fn only_year(text: &str) -> Option<i32> {
    let mut years: Vec<i32> =
        YEAR.captures_iter(text).filter_map(|found| found[1].parse().ok()).collect();
    years.dedup();
    match years.as_slice() {
        [year] => Some(*year),
        _ => None,
    }
}

/// Reads "Weeks 3-4" as (3, 4); a month counts as four weeks.
pub(super) fn weeks(text: &str) -> Option<(u32, u32)> {
    let found = WEEKS.captures(text)?;
    let first: u32 = found["a"].parse().ok()?;
    let last = found.name("b").and_then(|b| b.as_str().parse().ok()).unwrap_or(first);
    let months = found["unit"].to_ascii_lowercase().starts_with('m');
    in_order(if months { (4 * first.checked_sub(1)? + 1, 4 * last) } else { (first, last) })
}

/// Reads a cell of a "Week" column: "3", "1-2", or any text that [`weeks`] accepts.
pub(super) fn week_cell(text: &str) -> Option<(u32, u32)> {
    let Some(found) = BARE_RANGE.captures(text) else {
        return weeks(text);
    };
    let first: u32 = found[1].parse().ok()?;
    let last = found.get(2).and_then(|last| last.as_str().parse().ok()).unwrap_or(first);
    in_order((first, last))
}

fn in_order((first, last): (u32, u32)) -> Option<(u32, u32)> {
    (first <= last).then_some((first, last))
}

fn dates(text: &str, year: Option<i32>) -> Vec<(usize, usize, NaiveDate)> {
    DATE.captures_iter(text)
        .filter_map(|found| {
            let whole = found.get(0)?;
            let number =
                |name: &str| found.name(name).and_then(|part| part.as_str().parse::<u32>().ok());
            let stated_year =
                |name: &str| number(name).and_then(|year| i32::try_from(year).ok()).or(year);
            let date = if let Some(month) = number("m") {
                NaiveDate::from_ymd_opt(stated_year("y")?, month, number("d")?)
            } else if let Some(name) = found.name("mn") {
                NaiveDate::from_ymd_opt(stated_year("my")?, month(name.as_str())?, number("md")?)
            } else if let Some(month) = number("cm") {
                NaiveDate::from_ymd_opt(stated_year("cy")?, month, number("cd")?)
            } else if let Some(month) = number("pm") {
                NaiveDate::from_ymd_opt(stated_year("py")?, month, number("pd")?)
            } else if let (Some(first), Some(second)) = (number("sa"), number("sb")) {
                // Without a number above 12, the day may be the first or the second one.
                let (day, month) = match (first > 12, second > 12) {
                    (true, false) => (first, second),
                    (false, true) => (second, first),
                    _ if first == second => (first, second),
                    _ => return None,
                };
                NaiveDate::from_ymd_opt(stated_year("sy")?, month, day)
            } else {
                let name = found.name("dn")?;
                NaiveDate::from_ymd_opt(stated_year("dy")?, month(name.as_str())?, number("dd")?)
            };
            // A date that a lake cannot store stays text.
            let date = date.filter(|date| day::is_storable(*date))?;
            Some((whole.start(), whole.end(), date))
        })
        .collect()
}

fn month(name: &str) -> Option<u32> {
    const STARTS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const OTHERS: [(&str, u32); 17] = [
        ("ene", 1),
        ("gen", 1),
        ("f\u{e9}v", 2),
        ("m\u{e4}r", 3),
        ("abr", 4),
        ("avr", 4),
        ("mai", 5),
        ("mag", 5),
        ("juin", 6),
        ("giu", 6),
        ("juil", 7),
        ("lug", 7),
        ("ao\u{fb}", 8),
        ("ago", 8),
        ("okt", 10),
        ("ott", 10),
        ("d", 12),
    ];
    let name = name.to_lowercase();
    let english = STARTS.iter().position(|start| name.starts_with(start));
    let other =
        || OTHERS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, month)| *month);
    english.and_then(|at| u32::try_from(at + 1).ok()).or_else(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i32, month: u32, day: u32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(year, month, day)
    }

    #[test]
    fn due_dates_need_a_cue_and_a_year() {
        assert_eq!(window("ship by 2031-04-05", None, false).due, date(2031, 4, 5));
        assert_eq!(window("due: April 5, 2031", None, false).due, date(2031, 4, 5));
        assert_eq!(window("before 5th April 2031", None, false).due, date(2031, 4, 5));
        assert_eq!(window("by April 5", None, false), Window::default());
        assert_eq!(window("by April 5", Some(2031), false).due, date(2031, 4, 5));
        assert_eq!(window("we met on 2031-04-05", None, false), Window::default());
        assert_eq!(window("2031-04-05", None, true).due, date(2031, 4, 5));
    }

    #[test]
    fn ranges_give_both_ends() {
        let both = Window { not_before: date(2031, 5, 25), due: date(2031, 5, 31) };
        assert_eq!(window("May 25 - May 31", Some(2031), false), both);
        assert_eq!(window("May 25\u{2013}31", Some(2031), false), both);
        assert_eq!(window("2031-05-25 to 2031-05-31", None, false), both);
    }

    #[test]
    fn impossible_dates_are_no_dates() {
        assert_eq!(window("by 2031-02-30", None, true), Window::default());
        assert_eq!(window("by June 99", Some(2031), true), Window::default());
    }

    #[test]
    fn weeks_and_months() {
        assert_eq!(weeks("(Weeks 1-4)"), Some((1, 4)));
        assert_eq!(weeks("Week 3: glue"), Some((3, 3)));
        assert_eq!(weeks("Months 2-3"), Some((5, 12)));
        assert_eq!(weeks("Weeks 9-2"), None);
        assert_eq!(week_cell("1\u{2013}2"), Some((1, 2)));
        assert_eq!(week_cell("5"), Some((5, 5)));
    }

    #[test]
    fn only_an_unambiguous_year_is_inherited() {
        assert_eq!(only_year("June-August 2031, 12 weeks"), Some(2031));
        assert_eq!(only_year("2031 to 2032"), None);
    }
}
