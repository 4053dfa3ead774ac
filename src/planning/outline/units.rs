//! Reads counted parts of a plan: "Phase 2", "Week 3", "Q1", "Task 4", and the numbers of items.

use std::sync::LazyLock;

use regex::Regex;

use super::keywords::Keywords;
use crate::text::pattern;

/// A counted part of the plan, such as "Phase 2" or "Week 3".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) word: String,
    pub(super) number: String,
    pub(super) class: UnitClass,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitClass {
    Phase,
    Time,
    Task,
    /// A story or requirement; work only if the text has no clearer plan.
    Feature,
}

static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?P<word>\p{L}+(?: (?:item|package))?)\s*#?(?P<number>\d{1,3}(?:\.\d{1,3})*(?:\s*(?:-|\u{2013}|\u{2014}|to|&|and)\s*\d{1,3}|\+)?|[A-H])\s*(?P<end>:|\.\s|\.$|-\s|\u{2013}|\u{2014}|\(|\)|$)",
    )
});

/// Matches "\u{7b2c}1\u{6bb5}\u{968e}" and "\u{7b2c}\u{4e00}\u{9636}\u{6bb5}": the first stage.
static CHINESE_UNIT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^\x{7b2c}(?P<number>[0-9\x{ff10}-\x{ff19}]{1,2}|[\x{4e00}\x{4e8c}\x{4e09}\x{56db}\x{4e94}\x{516d}\x{4e03}\x{516b}\x{4e5d}])(?P<word>\x{6bb5}\x{968e}|\x{9636}\x{6bb5}|\x{968e}\x{6bb5}|\x{9031}|\x{5468}|\x{671f})(?P<end>.?)",
    )
});

static QUARTER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[Qq](?P<number>[1-4])(?:[ /]+\d{4})?\s*(?P<end>:|-|\u{2013}|\u{2014}|\(|$)")
});

/// Matches "9 months out" and "5 days before".
static COUNTDOWN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?P<number>\d{1,3}) (?:days?|weeks?|months?) (?:before|out|prior|after|earlier)\b",
    )
});

/// Matches the number at the start of an item: "2.1 ", "#4 ", "3) ".
pub(super) static NUMBERING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^#?(?:(?P<a>\d{1,3}(?:\.\d{1,3})+)\.?|#(?P<b>\d{1,5}):?|(?P<c>\d{1,3})\\?[.)])\s+")
});

impl Unit {
    /// Returns the word in the singular.
    pub(super) fn noun(&self) -> &str {
        self.word.strip_suffix('s').unwrap_or(&self.word)
    }

    /// Returns the first and the last number: (7, 8) of "Weeks 7-8", (2, 2) of "Phase 2".
    pub(super) fn range(&self) -> Option<(u32, u32)> {
        let mut numbers =
            self.number.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        let first: u32 = numbers.next()?.parse().ok()?;
        let last = match numbers.next() {
            // "Phase 2.1" is no range.
            Some(_) if self.number.contains('.') => return None,
            Some(last) => last.parse().ok()?,
            None => first,
        };
        (first <= last).then_some((first, last))
    }

    /// Returns the word and number of the first unit that a text speaks of: "Complete Phase 1".
    pub(super) fn mentioned(keywords: &Keywords, text: &str) -> Option<(String, String)> {
        Self::all_mentioned(keywords, text).into_iter().next()
    }

    /// Returns the words and numbers of all units that a text speaks of.
    pub(super) fn all_mentioned(keywords: &Keywords, text: &str) -> Vec<(String, String)> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let pairs = words.windows(2).filter_map(|pair| {
            let word = pair[0].trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let number = pair[1].trim_matches(|c: char| !c.is_alphanumeric());
            let units = &keywords.units;
            let is_unit = units.phase.contains(&word) || units.feature.contains(&word);
            let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
            (is_unit && is_number).then(|| (word, number.to_owned()))
        });
        pairs.collect()
    }

    /// Reads "Phase 2: Harvest". Returns the unit and its length in bytes.
    pub(super) fn leading(keywords: &Keywords, text: &str) -> Option<(Self, usize)> {
        let text_start = text.len() - text.trim_start_matches(['*', ' ', '#']).len();
        let rest = &text[text_start..];
        if let Some(found) = QUARTER.captures(rest) {
            let unit = Self {
                word: "quarter".to_owned(),
                number: found["number"].to_owned(),
                class: UnitClass::Time,
            };
            return Some((unit, text_start + found.name("end").map_or(0, |end| end.start())));
        }
        if let Some(found) = COUNTDOWN.captures(rest) {
            let unit = Self {
                word: "countdown".to_owned(),
                number: found["number"].to_owned(),
                class: UnitClass::Time,
            };
            return Some((unit, text_start + found.get(0).map_or(0, |found| found.end())));
        }
        let found = CHINESE_UNIT.captures(rest).or_else(|| UNIT.captures(rest))?;
        let word = found["word"].to_lowercase();
        let class = [
            (&keywords.units.phase, UnitClass::Phase),
            (&keywords.units.time, UnitClass::Time),
            (&keywords.units.task, UnitClass::Task),
            (&keywords.units.feature, UnitClass::Feature),
        ]
        .into_iter()
        .find(|(words, _)| words.contains(&word))
        .map(|(_, class)| class)?;
        let end = found.name("end").map_or(0, |end| end.start());
        let digit = |c: char| match c {
            '\u{ff10}'..='\u{ff19}' => char::from_digit(c as u32 - 0xff10, 10).unwrap_or(c),
            c => ("\u{4e00}\u{4e8c}\u{4e09}\u{56db}\u{4e94}\u{516d}\u{4e03}\u{516b}\u{4e5d}"
                .chars())
            .position(|known| known == c)
            .and_then(|at| char::from_digit(at as u32 + 1, 10))
            .unwrap_or(c),
        };
        let number = found["number"].chars().map(digit).collect();
        Some((Self { word, number, class }, text_start + end))
    }
}
