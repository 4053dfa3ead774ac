//! The words that a reader of one text knows: the keywords of its language, and the people that the
//! text names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::LazyLock;

use regex::Regex;

use super::keywords::Keywords;
use crate::text::pattern;

const NAME: &str = r"\p{Lu}\p{Ll}[\p{Ll}'\x{2019}-]*";
const AND: &str = r"\s*(?:,|&|\+|/|\band\b|\bund\b|\by\b|\bet\b)\s*";

/// Names in brackets, or behind a dash, a comma or an arrow, that end there.
static OWNER_PLACE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?:[(\[]|\s[-\x{{2013}}\x{{2014}}]\s|[,;.]\s|\x{{2192}}\s*|->\s*)\**(?P<names>{NAME}(?:{AND}{NAME})*)\**\s*(?P<end>$|[)\],;.\x{{2714}}\x{{2713}}]|\x{{2192}})"
    ))
});
/// A detail that only work has, beside a name.
static DETAIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\d+(?:[.,]\d+)?\s*(?:d|h|w|m|days?|hours?|weeks?|min)\b|\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\x{2714}|\x{2713}",
    )
});
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"\p{L}[\p{L}'\x{2019}-]*"));
static PERSON: LazyLock<Regex> = LazyLock::new(|| pattern(NAME));

/// Keywords and people. Derefs to the keywords.
pub(super) struct Lexicon<'k> {
    keywords: &'k Keywords,
    people: BTreeSet<String>,
    /// Capitalized words within sentences that the text never writes in small letters.
    agents: BTreeSet<String>,
    /// The letters of ids with which several items begin: "PAY-", "T".
    id_prefixes: BTreeSet<String>,
}

impl Deref for Lexicon<'_> {
    type Target = Keywords;

    fn deref(&self) -> &Keywords {
        self.keywords
    }
}

impl<'k> Lexicon<'k> {
    /// Collects the people of a text.
    pub(super) fn of(text: &str, keywords: &'k Keywords) -> Self {
        Self {
            keywords,
            people: people(text),
            agents: agents(text),
            id_prefixes: id_prefixes(text),
        }
    }

    #[cfg(test)]
    pub(super) fn english() -> Lexicon<'static> {
        Lexicon {
            keywords: Keywords::english(),
            people: BTreeSet::new(),
            agents: BTreeSet::new(),
            id_prefixes: BTreeSet::new(),
        }
    }

    pub(super) fn is_id_prefix(&self, prefix: &str) -> bool {
        self.id_prefixes.contains(prefix)
    }

    /// Whether a capitalized word may be someone who works: a person, or a department such as "IT".
    pub(super) fn is_agent(&self, name: &str) -> bool {
        self.people.contains(name) || self.agents.contains(name)
    }

    /// Returns the people that a note names, if it names nothing else: "Ana", "Ana & Bo".
    pub(super) fn people<'t>(&self, note: &'t str) -> Vec<&'t str> {
        let names: Vec<&str> = PERSON
            .find_iter(note)
            .map(|found| found.as_str())
            .filter(|name| self.people.contains(*name))
            .collect();
        let mut rest = note.to_owned();
        names.iter().for_each(|name| rest = rest.replacen(name, "", 1));
        let is_joint = |word: &str| matches!(word, "and" | "und" | "y" | "et");
        match WORD.find_iter(&rest).all(|word| is_joint(word.as_str())) {
            true => names,
            false => Vec::new(),
        }
    }
}

/// Returns the letters of ids with which several lines begin, with different numbers.
fn id_prefixes(text: &str) -> BTreeSet<String> {
    static ID: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"^[\s>*+|-]*(?:\d+[.)]\s+)?(?:\[.?\]\s+)?\[?(?P<prefix>[A-Z]{1,8}-?)(?P<number>\d{1,5})(?:\.\d+)*\]?[\s:|]",
        )
    });
    let mut numbers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in text.lines().filter_map(|line| ID.captures(line)) {
        numbers.entry(found["prefix"].to_owned()).or_default().insert(found["number"].to_owned());
    }
    numbers.into_iter().filter(|(_, numbers)| numbers.len() > 1).map(|(prefix, _)| prefix).collect()
}

/// Returns the capitalized words that a text uses as names of owners: several times in the place of
/// an owner, at least once beside a detail that only work has, and never in small letters.
fn people(text: &str) -> BTreeSet<String> {
    let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for line in text.lines() {
        let has_detail = DETAIL.is_match(line);
        for found in OWNER_PLACE.captures_iter(line) {
            let names = found.name("names").map_or("", |names| names.as_str());
            for name in PERSON.find_iter(names) {
                let count = places.entry(name.as_str()).or_default();
                count.0 += 1;
                count.1 += usize::from(has_detail);
            }
        }
    }
    if places.is_empty() {
        return BTreeSet::new();
    }
    let small: BTreeSet<&str> = WORD.find_iter(text).map(|word| word.as_str()).collect();
    let is_name = |name: &str| !small.contains(name.to_lowercase().as_str()) && !is_month(name);
    let counted = places.into_iter().filter(|(_, (places, details))| *places > 1 && *details > 0);
    counted.map(|(name, _)| name).filter(|name| is_name(name)).map(str::to_owned).collect()
}

/// Returns the capitalized words that stand within sentences, or begin several of them, and never
/// in small letters.
fn agents(text: &str) -> BTreeSet<String> {
    static CAPITALIZED: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?P<before>^|[\s(])(?P<name>\p{Lu}\p{L}+)\b"));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', '|', '`'])) {
        for found in CAPITALIZED.captures_iter(line) {
            let name = found.name("name").map_or("", |name| name.as_str());
            let start = found.name("name").map_or(0, |name| name.start());
            let before = line[..start].trim_end();
            let opens = before.is_empty() || before.ends_with(['.', '!', '?', ':', '*', '-']);
            *counts.entry(name).or_default() += if opens { 1 } else { 2 };
        }
    }
    let small: BTreeSet<&str> = WORD.find_iter(text).map(|word| word.as_str()).collect();
    let is_name = |name: &str| {
        !small.contains(name.to_lowercase().as_str()) && !is_month(name) && name.len() > 1
    };
    let known = counts.into_iter().filter(|(name, count)| *count > 1 && is_name(name));
    known.map(|(name, _)| name.to_owned()).collect()
}

/// Whether a word is the name of a month or a day, which stand where names do.
fn is_month(name: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    const DAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let name = name.to_lowercase();
    let is = |word: &&str| {
        **word == name || (name.len() == 3 && word.starts_with(&name)) || name == "sept"
    };
    MONTHS.iter().chain(&DAYS).any(is)
}
