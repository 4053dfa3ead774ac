//! Finds the rows that a phrase such as "task 3" or "the import" names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::draft::{Draft, Row};
use super::keywords::Keywords;
use super::units::Unit;
use crate::text::pattern;
use crate::text::similarity::TitleIndex;
use crate::text::stem::{self, content_words};

/// Minimum similarity between a phrase and the title it refers to.
const LIKENESS_FLOOR: f64 = 0.62;
/// The same minimum after an ambiguous keyword such as "after".
const WEAK_LIKENESS_FLOOR: f64 = 0.8;
/// Minimum similarity for showing a title as a guess.
const GUESS_FLOOR: f64 = 0.35;
/// Minimum lead of the best title over the second best.
const LEAD: f64 = 0.05;

/// Maximum number of rows that share the words of a name; more are no name.
const COMMON: usize = 400;

pub(super) static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:(?P<word>\p{L}+)s?\s+)?#?(?P<number>\d{1,4}(?:\.\d{1,3})*)(?:\s*(?:-|\u{2013}|to|through)\s*(?P<last>\d{1,4}))?(?:\s+(?:\p{L}+\s?){0,3})?$",
    )
});
pub(super) static IDENTIFIER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b[A-Za-z]{1,8}-\d{1,5}(?:\.\d{1,3})*\b"));

/// Short names of rows, such as "T1" or "M2".
static SHORT_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[A-Za-z]{1,4}\d{1,4}$"));

/// The rows that a phrase can name.
pub(super) struct Targets<'a> {
    draft: &'a Draft,
    keywords: &'a Keywords,
    titles: TitleIndex,
    /// Rows by their lower-case numbers and ids.
    names: BTreeMap<String, Vec<usize>>,
    /// Rows by the content words of their titles.
    holders: BTreeMap<String, BTreeSet<usize>>,
    /// Rows by the lower-case words of their titles, in order.
    words: BTreeMap<String, Vec<usize>>,
    /// Rows by the capital letter that ends a part of their titles: "building A".
    letters: BTreeMap<String, BTreeSet<usize>>,
}

/// An item of a list outside the plan, and the row that it refers to.
#[derive(Debug, Clone)]
pub(super) struct ListedItem {
    pub(super) name: String,
    pub(super) row: Option<usize>,
    pub(super) title: String,
}

/// Resolved target of a phrase.
pub(super) enum Target {
    Rows(Vec<usize>),
    Unsure(Option<usize>),
}

impl<'a> Targets<'a> {
    pub(super) fn new(draft: &'a Draft, keywords: &'a Keywords) -> Self {
        let titles = TitleIndex::new(draft.rows.iter().map(|row| row.title.as_str()));
        let mut holders: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (index, row) in draft.rows.iter().enumerate() {
            for word in content_words(&row.title) {
                holders.entry(word).or_default().insert(index);
            }
        }
        let mut words: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut letters: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (index, row) in draft.rows.iter().enumerate() {
            for word in stem::words(&row.title) {
                let rows = words.entry(word).or_default();
                if rows.last() != Some(&index) {
                    rows.push(index);
                }
            }
            for letter in row.title.split(['(', ',', ':']).filter_map(closing_letter) {
                letters.entry(letter.to_owned()).or_default().insert(index);
            }
        }
        Self { draft, keywords, titles, names: names(draft), holders, words, letters }
    }

    /// Returns the rows by their lower-case names.
    pub(super) fn names(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.names
    }

    /// Returns the only row that a name means: its id, its number with its unit, or its whole title.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        let name = name.trim().trim_matches(['"', '\'', '`', '*', '.', ',', ':', '-', ' ']).trim();
        let words = stem::words(name).collect::<Vec<_>>().join(" ");
        if let [row] = self.rows_named(name.trim_start_matches('#')).as_slice() {
            return Some(*row);
        }
        // "Task 3" is the item 3 of a numbered list.
        if let Some((word, number)) = name.split_once(' ')
            && self.is_unit_word(word)
            && !self.names_a_phase(word)
            && let [row] = self.rows_named(number.trim()).as_slice()
        {
            return Some(*row);
        }
        let is_unit = |unit: &Unit| format!("{} {}", unit.word, unit.number) == words;
        let is_titled = |row: &Row| {
            stem::words(&row.title).collect::<Vec<_>>().join(" ") == words
                || row.unit.as_ref().is_some_and(is_unit)
        };
        let rows = self.draft.rows.iter().enumerate();
        let mut found = rows.filter(|(_, row)| is_titled(row)).map(|(at, _)| at);
        let row = found.next().filter(|_| !words.is_empty())?;
        found.next().is_none().then_some(row)
    }

    /// Returns the row with the title most similar to the whole text, if it is similar enough.
    pub(super) fn titled(&self, title: &str) -> Option<usize> {
        self.containing(title).or_else(|| {
            let matches = self.titles.matches(title);
            matches.first().filter(|best| best.score >= LIKENESS_FLOOR).map(|best| best.index)
        })
    }

    /// Returns the only row whose title contains a name of several words.
    fn containing(&self, title: &str) -> Option<usize> {
        let outside = title.split('(').next().unwrap_or(title);
        let wanted: Vec<String> = stem::words(outside).collect();
        let contains = |row: &Row| {
            let words: Vec<String> = stem::words(&row.title).collect();
            words.windows(wanted.len()).any(|words| words == wanted.as_slice())
        };
        // One word names a phase only: "Polish".
        let is_name = |row: &Row| wanted.len() > 1 || row.is_phase_unit();
        let holders = wanted.iter().map(|word| self.words.get(word));
        let fewest =
            holders.collect::<Option<Vec<_>>>()?.into_iter().min_by_key(|rows| rows.len())?;
        let rows = fewest.iter().filter(|_| fewest.len() <= COMMON);
        let mut found = rows.filter(|row| {
            let row = &self.draft.rows[**row];
            is_name(row) && contains(row)
        });
        let row = found.next()?;
        found.next().is_none().then_some(*row)
    }

    /// Returns the rows that a phrase names. Of a short aside, such as "after licence", one word is
    /// enough if only one title has it.
    pub(super) fn resolve(
        &self,
        from: usize,
        phrase: &str,
        known: &[ListedItem],
        strong: bool,
        is_aside: bool,
    ) -> Target {
        let phrase = phrase
            .trim()
            .trim_matches(['"', '\'', '`', '*', '.', ',', '\u{201c}', '\u{201d}'])
            .trim();
        let lower = phrase.to_lowercase();
        if let Some(rows) = self.all_of(from, &lower) {
            return Target::Rows(rows);
        }
        if self.keywords.dependencies.previous.contains(&lower) {
            let means_previous = lower.contains(' ');
            return match self.previous(from).filter(|_| means_previous) {
                Some(row) => Target::Rows(vec![row]),
                None => Target::Unsure(None),
            };
        }
        if let Some(found) = NUMBERED.captures(phrase) {
            let word = found.name("word").map(|word| word.as_str());
            // "3.1" and "#3" are names anywhere; after "after", "3" may be an amount.
            let is_name = strong
                || found["number"].contains('.')
                || phrase.starts_with('#')
                || self.is_before(from, phrase);
            let is_number = |word: &str| {
                self.keywords.columns.number.iter().any(|name| name == &word.to_lowercase())
            };
            if word.map_or(is_name, |word| self.is_unit_word(word) || is_number(word)) {
                return self.numbered(
                    from,
                    word,
                    &found["number"],
                    found.name("last").map(|last| last.as_str()),
                    known,
                );
            }
        }
        if strong
            && phrase.starts_with(char::is_alphabetic)
            && !phrase.contains(' ')
            && let [row] = self.rows_named(phrase).as_slice()
            && *row != from
        {
            return Target::Rows(vec![*row]);
        }
        if SHORT_NAME.is_match(phrase)
            && let [row] = self.rows_named(phrase).as_slice()
            && *row != from
        {
            return Target::Rows(vec![*row]);
        }
        if let Some(id) = IDENTIFIER.find(phrase) {
            let rows = self.rows_named(id.as_str());
            if let [row] = rows.as_slice() {
                return Target::Rows(vec![*row]);
            }
            if id.as_str().len() == phrase.len() {
                return Target::Unsure(None);
            }
        }
        self.alike(from, phrase, strong, is_aside)
    }

    /// Whether a bare number is that of an item before this one in the same numbered list.
    fn is_before(&self, from: usize, number: &str) -> bool {
        let value = |text: &str| text.parse::<u32>().ok();
        let own = self.draft.rows[from].names.iter().find_map(|name| value(name));
        let is_beside = |row: &usize| self.draft.rows[*row].group == self.draft.rows[from].group;
        value(number).zip(own).is_some_and(|(number, own)| number < own)
            && self.names.get(number).is_some_and(|rows| rows.iter().any(is_beside))
    }

    pub(super) fn is_unit_word(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let singular = word.strip_suffix('s').unwrap_or(&word);
        let units = &self.keywords.units;
        [&units.phase, &units.time, &units.task, &units.feature]
            .into_iter()
            .any(|words| words.iter().any(|unit| *unit == word || unit == singular))
    }

    /// Whether a word names a counted phase or time.
    fn names_a_phase(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.keywords.units.phase.contains(&word) || self.keywords.units.time.contains(&word)
    }

    fn rows_named(&self, name: &str) -> Vec<usize> {
        self.names.get(&name.to_lowercase()).cloned().unwrap_or_default()
    }

    fn numbered(
        &self,
        from: usize,
        word: Option<&str>,
        number: &str,
        last: Option<&str>,
        known: &[ListedItem],
    ) -> Target {
        let numbers: Vec<String> =
            match (number.parse::<u32>(), last.and_then(|last| last.parse::<u32>().ok())) {
                (Ok(first), Some(last)) if first < last && last - first < 50 => {
                    (first..=last).map(|n| n.to_string()).collect()
                }
                _ => vec![number.to_owned()],
            };
        let rows: Vec<Option<usize>> =
            numbers.iter().map(|number| self.one_numbered(from, word, number, known)).collect();
        if let Some(rows) = rows.into_iter().collect::<Option<Vec<usize>>>() {
            return Target::Rows(rows);
        }
        let titled = known.iter().find(|known| known.name == number);
        Target::Unsure(
            titled
                .and_then(|known| self.titles.matches(&known.title).first().map(|best| best.index)),
        )
    }

    /// Returns the row with a number: of the named unit, in the same list, or the only such row.
    fn one_numbered(
        &self,
        from: usize,
        word: Option<&str>,
        number: &str,
        known: &[ListedItem],
    ) -> Option<usize> {
        if !known.is_empty() {
            return known.iter().find(|known| known.name == number).and_then(|known| known.row);
        }
        let rows = &self.draft.rows;
        let unit_word = word
            .map(str::to_lowercase)
            .map(|word| word.strip_suffix('s').map(str::to_owned).unwrap_or(word));
        let candidates: Vec<usize> =
            self.rows_named(number).into_iter().filter(|row| *row != from).collect();
        let by_unit: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|row| {
                rows[*row].unit.as_ref().is_some_and(|unit| {
                    Some(&unit.word) == unit_word.as_ref() && unit.number == number
                })
            })
            .collect();
        if let [row] = by_unit.as_slice() {
            return Some(*row);
        }
        if unit_word.as_ref().is_some_and(|word| self.names_a_phase(word)) {
            return None;
        }
        let siblings: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|row| {
                rows[*row].parent == rows[from].parent && rows[*row].group == rows[from].group
            })
            .collect();
        match (siblings.as_slice(), candidates.as_slice()) {
            ([row], _) | (_, [row]) => Some(*row),
            _ => None,
        }
    }

    fn previous(&self, from: usize) -> Option<usize> {
        let siblings = match self.draft.rows[from].parent {
            Some(parent) => &self.draft.rows[parent].children,
            None => &self.draft.roots,
        };
        let at = siblings.iter().position(|row| *row == from)?;
        siblings.get(at.checked_sub(1)?).copied()
    }

    /// Returns the row whose title a phrase refers to, if it is unambiguous.
    fn alike(&self, from: usize, phrase: &str, strong: bool, is_aside: bool) -> Target {
        let (floor, guess_floor) = if strong {
            (LIKENESS_FLOOR, GUESS_FLOOR)
        } else {
            (WEAK_LIKENESS_FLOOR, LIKENESS_FLOOR)
        };
        if let Some(row) = self.lettered(from, phrase) {
            return Target::Rows(vec![row]);
        }
        const ARTICLES: [&str; 14] = [
            "the", "der", "die", "das", "dem", "den", "el", "la", "los", "las", "le", "les", "il",
            "lo",
        ];
        let first = phrase.split(' ').next().unwrap_or_default().to_lowercase();
        let is_definite = is_aside || ARTICLES.contains(&first.as_str());
        let phrase = self.without_noise(phrase);
        if strong && let Some(row) = self.containing(&phrase).filter(|row| *row != from) {
            return Target::Rows(vec![row]);
        }
        if let Some(row) = self.only_holder(from, &phrase, is_definite) {
            return Target::Rows(vec![row]);
        }
        let is_family = |row: usize| {
            row == from || self.draft.is_ancestor(row, from) || self.draft.is_ancestor(from, row)
        };
        let mut matches =
            self.titles.matches(&phrase).into_iter().filter(|found| !is_family(found.index));
        let Some(best) = matches.next() else {
            return Target::Unsure(None);
        };
        let rival = matches.find(|other| best.score - other.score < LEAD);
        let is_sure = best.score >= floor
            && rival.is_none_or(|rival| self.is_nearer(from, best.index, rival.index));
        match is_sure {
            true => Target::Rows(vec![best.index]),
            false => Target::Unsure(Some(best.index).filter(|_| best.score >= guess_floor)),
        }
    }

    /// Returns the rows that "all user stories" or "all tests" names: those that begin with the noun.
    fn all_of(&self, from: usize, phrase: &str) -> Option<Vec<usize>> {
        const FILLERS: [&str; 5] = ["the", "other", "desired", "of", "remaining"];
        let mut words = phrase.split_whitespace().peekable();
        words.next_if(|word| matches!(*word, "all" | "every"))?;
        let nouns: Vec<&str> = words.filter(|word| !FILLERS.contains(word)).collect();
        let nouns = content_words(&nouns.join(" "));
        let begins = |row: &Row| {
            let title = content_words(&row.title);
            let at = title.iter().position(|word| Some(word) == nouns.first());
            let start = if row.unit.is_some() { 2 } else { 0 };
            at.is_some_and(|at| at <= start && title[at..].starts_with(&nouns))
        };
        let is_other = |row: usize| row != from && !self.draft.is_ancestor(row, from);
        let holders = self.holders.get(nouns.first()?).filter(|rows| rows.len() <= COMMON)?;
        let found: Vec<usize> = (holders.iter().copied())
            .filter(|row| is_other(*row) && begins(&self.draft.rows[*row]))
            .collect();
        (found.len() > 1).then_some(found)
    }

    /// Returns the numbered phases from a number on: "Phase 3+".
    pub(super) fn phases_from(&self, title: &str) -> Vec<usize> {
        static OPEN_ENDED: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"(?i)\b(?P<word>\p{L}+) (?P<number>\d{1,3})\+"));
        let Some(found) = OPEN_ENDED.captures(title) else { return Vec::new() };
        let Ok(first) = found["number"].parse::<u32>() else { return Vec::new() };
        let word = found["word"].to_lowercase();
        let is_later = |row: &Row| {
            row.unit.as_ref().is_some_and(|unit| {
                unit.word == word && unit.number.parse().is_ok_and(|number: u32| number >= first)
            })
        };
        let rows = self.draft.rows.iter().enumerate();
        rows.filter(|(_, row)| is_later(row)).map(|(at, _)| at).collect()
    }

    /// Returns the only row whose title has a capital letter as a word: "building A".
    fn lettered(&self, from: usize, phrase: &str) -> Option<usize> {
        let mut found = self.letters.get(phrase)?.iter().filter(|row| **row != from);
        let row = found.next()?;
        found.next().is_none().then_some(*row)
    }

    /// Returns the only row whose title holds all content words of a phrase. A single word must be
    /// definite: "the import".
    fn only_holder(&self, from: usize, phrase: &str, is_definite: bool) -> Option<usize> {
        let wanted: BTreeSet<String> = content_words(phrase).into_iter().collect();
        if wanted.is_empty() || (wanted.len() < 2 && !is_definite) {
            return None;
        }
        let holds = |row: usize, word: &String| {
            self.holders.get(word).is_some_and(|rows| rows.contains(&row))
        };
        // "Lyon interlock test" names the interlock test below the phase "Lyon".
        let holds_with_parents = |row: usize| {
            let own = wanted.iter().filter(|word| holds(row, word)).count();
            let above = |word: &String| {
                std::iter::successors(Some(row), |row| self.draft.rows[*row].parent)
                    .any(|row| holds(row, word))
            };
            own * 2 > wanted.len() && wanted.iter().all(above)
        };
        // A row that holds most of the words holds at least one of the rarer half of them.
        let mut holders: Vec<&BTreeSet<usize>> =
            wanted.iter().filter_map(|word| self.holders.get(word)).collect();
        holders.sort_by_key(|rows| rows.len());
        holders.truncate(wanted.len().div_ceil(2));
        if holders.iter().map(|rows| rows.len()).sum::<usize>() > COMMON {
            return None;
        }
        let candidates = holders.into_iter().flatten().copied();
        let mut rows: BTreeSet<usize> = candidates.filter(|row| holds_with_parents(*row)).collect();
        let is_family =
            |row: usize| self.draft.is_ancestor(row, from) || self.draft.is_ancestor(from, row);
        rows.remove(&from);
        rows.retain(|row| !is_family(*row));
        match rows.into_iter().collect::<Vec<_>>().as_slice() {
            [row] => Some(*row),
            _ => None,
        }
    }

    /// Of two similar titles, prefers a sibling to a row with another parent.
    fn is_nearer(&self, from: usize, row: usize, rival: usize) -> bool {
        let parent = |row: usize| self.draft.rows[row].parent;
        parent(row) == parent(from) && parent(rival) != parent(from)
    }

    fn without_noise(&self, phrase: &str) -> String {
        let mut phrase = phrase.trim().to_owned();
        loop {
            let lower = phrase.to_lowercase();
            let noise = self.keywords.dependencies.noise.iter().find(|noise| {
                lower.starts_with(&format!("{noise} ")) && lower.len() == phrase.len()
            });
            match noise {
                Some(noise) => drop(phrase.drain(..=noise.len())),
                None => break,
            }
        }
        // "Foundational phase completion"
        const ENDINGS: [&str; 5] = [" completion", " being complete", " phase", " task", " step"];
        while let Some(kept) = ENDINGS.iter().find_map(|ending| phrase.strip_suffix(ending)) {
            phrase.truncate(kept.len());
        }
        phrase
    }
}

/// Returns the capital letter after the last space of a text.
fn closing_letter(text: &str) -> Option<&str> {
    let (_, last) = text.trim_end().rsplit_once(' ')?;
    (last.len() == 1 && last.starts_with(|c: char| c.is_ascii_uppercase())).then_some(last)
}

fn names(draft: &Draft) -> BTreeMap<String, Vec<usize>> {
    let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, row) in draft.rows.iter().enumerate() {
        let own: BTreeSet<String> = row.names.iter().map(|name| name.to_lowercase()).collect();
        for name in own {
            names.entry(name).or_default().push(index);
        }
    }
    names
}
