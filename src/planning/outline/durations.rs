//! Reads stated durations of work: "3 days", "2-4 hours", "about two weeks", "1h30m".
//!
//! A duration is working time. Days and longer units are converted with the working day, never with
//! 24 hours. The words and their sizes are keyword data.

use std::ops::Range;

use super::duration_tokens::{Token, tokens};
use super::keywords::Keywords;
use crate::domain::time::{Estimate, Minutes};

/// A duration found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatedDuration {
    pub(super) range: Estimate,
    /// The words in the text.
    pub(super) text: String,
}

/// How exact the text is about the amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hedge {
    Exact,
    About,
    AtMost,
    AtLeast,
}

/// Low and high amount of some unit.
type Amount = (f64, f64);

/// Reads the whole text as one duration. Further words may follow only after " over ", " in " and
/// the like.
pub(super) fn parse(keywords: &Keywords, day_minutes: u32, text: &str) -> Option<StatedDuration> {
    let (range, stated) = find(keywords, day_minutes, text)?;
    let before = text[..range.start].trim_matches(|c: char| !c.is_alphanumeric());
    let after = text[range.end..].trim_start();
    let after_is_fine = after.is_empty()
        || !after.starts_with(|c: char| c.is_alphanumeric())
        || keywords.durations.trailers.iter().any(|word| starts_with_word(after, word));
    let before_is_fine = before.is_empty()
        || keywords.durations.introducers.iter().any(|word| before.eq_ignore_ascii_case(word));
    (before_is_fine && after_is_fine).then_some(stated)
}

/// Returns the first duration in the text and its byte range.
pub(super) fn find(
    keywords: &Keywords,
    day_minutes: u32,
    text: &str,
) -> Option<(Range<usize>, StatedDuration)> {
    let tokens = tokens(text);
    (0..tokens.len()).find_map(|start| {
        let mut reader = Reader { keywords, day_minutes, tokens: &tokens, at: start };
        let range = reader.duration()?;
        let bytes = tokens[start].span.start..tokens[reader.at - 1].span.end;
        let stated = StatedDuration { range, text: text[bytes.clone()].to_owned() };
        Some((bytes, stated))
    })
}

/// Recursive-descent parser over the tokens; `at` advances only past understood tokens.
struct Reader<'a> {
    keywords: &'a Keywords,
    day_minutes: u32,
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn duration(&mut self) -> Option<Estimate> {
        let hedge = self.hedge();
        let (low, high) = self.compound()?;
        Some(self.estimate(hedge, low, high))
    }

    /// Reads amounts in decreasing units: "1h 30m", "2 days and 4 hours".
    fn compound(&mut self) -> Option<Amount> {
        let (mut total, mut smallest) = self.measured(u32::MAX)?;
        loop {
            let before = self.at;
            if !self.eat(&["and"]) {
                self.eat(&[","]);
            }
            match self.measured(smallest) {
                Some((more, unit)) => {
                    total = (total.0 + more.0, total.1 + more.1);
                    smallest = unit;
                }
                None => {
                    self.at = before;
                    return Some(total);
                }
            }
        }
    }

    /// Reads an amount with a unit smaller than `below`. Returns the minutes and the unit's size.
    fn measured(&mut self, below: u32) -> Option<(Amount, u32)> {
        let start = self.at;
        let found = self.parse_measured(below);
        if found.is_none() {
            self.at = start;
        }
        found
    }

    fn parse_measured(&mut self, below: u32) -> Option<(Amount, u32)> {
        let (mut low, mut high) = self.amount()?;
        self.eat(&["-"]);
        let first = self.unit(below);
        if let Some(unit) = first {
            // "a day or two", "2 days to 3 days", "2h-4h"
            let before = self.at;
            if self.eat(&["or", "to", "-", "\u{2013}", "\u{2014}"]) {
                let further = self.amount().map(|further| (further, self.unit(u32::MAX)));
                match further {
                    // Each end has its own unit, so the lower end is known only after conversion to
                    // one unit.
                    Some(((less, more), Some(size))) => {
                        let ratio = f64::from(size) / f64::from(unit);
                        (low, high) = (low.min(less * ratio), high.max(more * ratio));
                    }
                    Some(((_, more), None)) if more > high && self.is_followed_by_no_word() => {
                        high = more
                    }
                    _ => self.at = before,
                }
            } else if self.eat(&["and"]) {
                if self.eat(&["a"]) && self.eat(&["half"]) {
                    low += 0.5;
                    high += 0.5;
                } else {
                    self.at = before;
                }
            }
        }
        let unit = first?;
        let size = f64::from(unit);
        Some(((low * size, high * size), unit))
    }

    /// Whether nothing follows that would give the number another meaning.
    fn is_followed_by_no_word(&self) -> bool {
        self.tokens.get(self.at).is_none_or(|next| !next.word.starts_with(char::is_alphanumeric))
    }

    fn amount(&mut self) -> Option<Amount> {
        let (low, mut high) = self.number()?;
        let before = self.at;
        if self.eat(&["-", "\u{2013}", "\u{2014}", "\u{2212}", "to", "or"]) {
            match self.number() {
                Some((_, more)) if more >= low => high = more,
                _ => self.at = before,
            }
        }
        Some((low, high))
    }

    fn number(&mut self) -> Option<Amount> {
        let token = self.tokens.get(self.at)?;
        if let Some(half) = fraction(&token.word) {
            self.at += 1;
            return Some((half, half));
        }
        if token.word.starts_with(|c: char| c.is_ascii_digit()) {
            let mut value: f64 = value_of(&token.word)?;
            self.at += 1;
            value = self.fraction_after(value);
            return Some((value, value));
        }
        if self.eat(&["half"]) {
            self.eat(&["a", "an"]);
            return Some((0.5, 0.5));
        }
        let word = self.keywords.durations.numbers.get(&token.word)?;
        self.at += 1;
        let vague =
            self.tokens.get(self.at).and_then(|next| self.keywords.durations.vague.get(&next.word));
        if let Some([low, high]) = vague {
            // "a few", "a couple of"
            self.at += 1;
            self.eat(&["of"]);
            return Some((*low, *high));
        }
        let value = if self.eat(&["half"]) { 0.5 } else { self.fraction_after(word[0]) };
        Some(if word[0] == word[1] { (value, value) } else { (word[0], word[1]) })
    }

    /// Reads the fraction in "1/2", "1 1/2" and "one and a half".
    fn fraction_after(&mut self, value: f64) -> f64 {
        let before = self.at;
        if self.eat(&["/"])
            && let Some(below) = self.digits().filter(|below| *below > 0.0)
        {
            return value / below;
        }
        self.at = before;
        if let Some(over) = self.digits()
            && self.eat(&["/"])
            && let Some(below) = self.digits().filter(|below| *below > 0.0)
        {
            return value + over / below;
        }
        self.at = before;
        if let Some(part) = self.tokens.get(self.at).and_then(|next| fraction(&next.word)) {
            self.at += 1;
            return value + part;
        }
        if self.eat(&["and"]) && self.eat(&["a"]) && self.eat(&["half"]) {
            return value + 0.5;
        }
        self.at = before;
        value
    }

    fn digits(&mut self) -> Option<f64> {
        let value = self.tokens.get(self.at)?.word.parse().ok()?;
        self.at += 1;
        Some(value)
    }

    /// Reads the next unit if it is smaller than `below`. Returns its size in minutes.
    fn unit(&mut self, below: u32) -> Option<u32> {
        let start = self.at;
        while self
            .eat_any(|word| self.keywords.durations.unit_adjectives.iter().any(|adj| adj == word))
        {
            self.eat(&["-"]);
        }
        let size = self.tokens.get(self.at).and_then(|token| {
            let inside_compound = below != u32::MAX || self.stands_alone();
            self.keywords.durations.unit_minutes(&token.word, self.day_minutes, inside_compound)
        });
        match size.filter(|size| *size < below) {
            Some(size) => {
                self.at += 1;
                Some(size)
            }
            None => {
                self.at = start;
                None
            }
        }
    }

    /// Whether the unit is attached to its number, the two end the brackets or the text, and only a
    /// hedge or a separate clause precedes them. "(30m)" and "(ana, 30m)" are durations, "10m rows"
    /// is not.
    fn stands_alone(&self) -> bool {
        let Some([number, unit]) =
            self.at.checked_sub(1).and_then(|at| self.tokens.get(at..=self.at))
        else {
            return false;
        };
        let is_amount = |token: &&Token| {
            token.word.starts_with(|c: char| c.is_ascii_digit())
                || ["-", "\u{2013}", "~"].contains(&token.word.as_str())
        };
        let before = self.tokens[..self.at].iter().rev().find(|token| !is_amount(token));
        let after = self.tokens.get(self.at + 1);
        let is_followed_by_no_word =
            |token: &Token| [")", "]", "-", "\u{2013}"].contains(&token.word.as_str());
        number.span.end == unit.span.start
            && before.is_none_or(|token| {
                ["(", "[", ",", "about", "max", "est", "."].contains(&token.word.as_str())
            })
            && after.is_none_or(is_followed_by_no_word)
    }

    fn hedge(&mut self) -> Hedge {
        let start = self.at;
        for (phrases, hedge) in [
            (&self.keywords.durations.about, Hedge::About),
            (&self.keywords.durations.at_most, Hedge::AtMost),
            (&self.keywords.durations.at_least, Hedge::AtLeast),
        ] {
            for phrase in phrases {
                if phrase.split(' ').all(|word| self.eat(&[word])) {
                    return hedge;
                }
                self.at = start;
            }
        }
        Hedge::Exact
    }

    fn estimate(&self, hedge: Hedge, low: f64, high: f64) -> Estimate {
        let (low, likely, high) = match hedge {
            Hedge::Exact => (low, (low + high) / 2.0, high),
            Hedge::About => (low * 0.8, (low + high) / 2.0, high * 1.25),
            Hedge::AtMost => (low * 0.5, (low + high) * 0.375, high),
            Hedge::AtLeast => (low, (low + high) * 0.625, high * 1.5),
        };
        Estimate { low: minutes(low), likely: minutes(likely), high: minutes(high) }
    }

    fn eat(&mut self, words: &[&str]) -> bool {
        self.eat_any(|word| words.contains(&word))
    }

    fn eat_any(&mut self, wanted: impl Fn(&str) -> bool) -> bool {
        let hit = self.tokens.get(self.at).is_some_and(|token| wanted(&token.word));
        self.at += usize::from(hit);
        hit
    }
}

fn fraction(word: &str) -> Option<f64> {
    match word {
        "\u{bd}" => Some(0.5),
        "\u{bc}" => Some(0.25),
        "\u{be}" => Some(0.75),
        _ => None,
    }
}

/// Rounds to minutes, limited to between one minute and ten working years; larger numbers do not
/// belong in a plan.
fn minutes(value: f64) -> Minutes {
    const MAX_MINUTES: f64 = 10.0 * 260.0 * 480.0;
    Minutes::new(value.round().clamp(1.0, MAX_MINUTES) as u32)
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        && !text[word.len()..].starts_with(char::is_alphanumeric)
}

/// Reads a number: a comma before exactly three digits separates thousands, any other is a decimal
/// comma.
fn value_of(word: &str) -> Option<f64> {
    let mut groups = word.split(',');
    let first = groups.next()?;
    let is_thousands =
        first.len() <= 3 && first != "0" && groups.clone().all(|group| group.len() == 3);
    let plain = if is_thousands { word.replace(',', "") } else { word.replacen(',', ".", 1) };
    plain.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(u32, u32, u32)> {
        parse(Keywords::english(), 480, text)
            .map(|found| found.range)
            .map(|range| (range.low.get(), range.likely.get(), range.high.get()))
    }

    #[test]
    fn durations_as_people_write_them() {
        let day = 480;
        let cases: &[(&str, u32, u32, u32)] = &[
            ("3 days", 3 * day, 3 * day, 3 * day),
            ("1 day", day, day, day),
            ("1d", day, day, day),
            ("2h", 120, 120, 120),
            ("2 hrs", 120, 120, 120),
            ("90 min", 90, 90, 90),
            ("45 minutes", 45, 45, 45),
            ("30min", 30, 30, 30),
            ("2-4 hours", 120, 180, 240),
            ("2 - 4 hours", 120, 180, 240),
            ("2 to 4 hours", 120, 180, 240),
            ("2h-4h", 120, 180, 240),
            ("2\u{2013}3 sprints", 20 * day, 25 * day, 30 * day),
            ("half a day", 240, 240, 240),
            ("half day", 240, 240, 240),
            ("a half day", 240, 240, 240),
            ("\u{bd} day", 240, 240, 240),
            ("1/2 day", 240, 240, 240),
            ("1 1/2 days", 720, 720, 720),
            ("1\u{bd} days", 720, 720, 720),
            ("one and a half days", 720, 720, 720),
            ("a day and a half", 720, 720, 720),
            ("1.5 days", 720, 720, 720),
            ("two weeks", 10 * day, 10 * day, 10 * day),
            ("about two weeks", 8 * day, 10 * day, 6000),
            ("approximately 2 weeks", 8 * day, 10 * day, 6000),
            ("~10 hours", 480, 600, 750),
            ("3 working days", 3 * day, 3 * day, 3 * day),
            ("3 person-days", 3 * day, 3 * day, 3 * day),
            ("2 business days", 2 * day, 2 * day, 2 * day),
            ("a day or two", day, 720, 2 * day),
            ("two or three days", 2 * day, 1200, 3 * day),
            ("a week", 5 * day, 5 * day, 5 * day),
            ("1w", 5 * day, 5 * day, 5 * day),
            ("1w 2d", 7 * day, 7 * day, 7 * day),
            ("1h30m", 90, 90, 90),
            ("1h 30min", 90, 90, 90),
            ("2 days and 4 hours", 1200, 1200, 1200),
            ("a couple of days", 2 * day, 2 * day, 2 * day),
            ("a few hours", 120, 180, 240),
            ("several days", 3 * day, 4 * day, 5 * day),
            ("up to 4 hours", 120, 180, 240),
            ("at least 2 days", 2 * day, 1200, 3 * day),
            ("one month", 20 * day, 20 * day, 20 * day),
            ("1-2 months", 20 * day, 30 * day, 40 * day),
            ("twelve weeks", 60 * day, 60 * day, 60 * day),
            ("an hour", 60, 60, 60),
            ("Estimated effort: 2-3 days", 2 * day, 1200, 3 * day),
            ("350 hours over 13 weeks", 21000, 21000, 21000),
            ("6-week", 30 * day, 30 * day, 30 * day),
            ("3 hours to 1 day", 180, 330, day),
            ("30 min - 2 hours", 30, 75, 120),
            ("1 day to 5 minutes", 5, 243, day),
            ("2 days - 3 hours", 180, 570, 2 * day),
            ("a day or 2 hours", 120, 300, day),
            ("2 to 3 days or 4 hours", 240, 840, 3 * day),
            ("3 days to 3 days", 3 * day, 3 * day, 3 * day),
        ];
        for &(text, low, likely, high) in cases {
            assert_eq!(read(text), Some((low, likely, high)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_stays_unread() {
        for text in [
            "",
            "soon",
            "week 3",
            "weeks 1-4",
            "3",
            "day one",
            "30 daylight lamps",
            "5 minutely jobs",
            "12 monkeys",
            "a",
            "half",
            "about",
            "1/0 day",
            "2 MB",
            "keep logs for 30 days of traffic",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_place_of_the_duration_is_exact() {
        let text = "\u{1f680} ship it \u{2014} about two weeks!";
        let (bytes, stated) = find(Keywords::english(), 480, text).unwrap();
        assert_eq!(&text[bytes], "about two weeks");
        assert_eq!(stated.text, "about two weeks");
    }

    #[test]
    fn absurd_numbers_are_bounded() {
        let (low, likely, high) = read("99999999999999999999 weeks").unwrap();
        assert!(low <= likely && likely <= high);
        assert_eq!(high, 1_248_000);
    }

    #[test]
    fn a_shorter_working_day_shortens_days_but_not_hours() {
        let day = parse(Keywords::english(), 360, "1 day").unwrap().range.likely.get();
        let hour = parse(Keywords::english(), 360, "1 hour").unwrap().range.likely.get();
        assert_eq!((day, hour), (360, 60));
    }
}
