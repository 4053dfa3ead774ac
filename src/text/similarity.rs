//! Compares short texts by their rare common words.

use std::collections::{BTreeMap, BTreeSet};

use super::stem::content_words;

/// Index of titles that finds the title a phrase refers to.
///
/// Words are weighted by their rarity among the titles. If every title in a plan says "task", that
/// word distinguishes nothing.
#[derive(Debug, Default)]
pub struct TitleIndex {
    titles: Vec<BTreeSet<String>>,
    initials: Vec<String>,
    holders: BTreeMap<String, Vec<usize>>,
}

/// Similarity of a title to a phrase: 0 for nothing in common, 1 for the same words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    pub index: usize,
    pub score: f64,
}

impl TitleIndex {
    pub fn new<'a>(titles: impl IntoIterator<Item = &'a str>) -> Self {
        let mut index = Self::default();
        for (position, title) in titles.into_iter().enumerate() {
            let words: BTreeSet<String> = content_words(title).into_iter().collect();
            for word in &words {
                index.holders.entry(word.clone()).or_default().push(position);
            }
            index.titles.push(words);
            index.initials.push(initials(title));
        }
        index
    }

    /// Returns the titles with any word of the phrase, best first; ties in title order.
    ///
    /// The score combines the share of the phrase in the title (three quarters) and the share of
    /// the title in the phrase (one quarter), because people shorten a title when they refer to it.
    ///
    /// A word in very many titles is not enough for a match, so the cost of a query is independent
    /// of the number of titles.
    pub fn matches(&self, phrase: &str) -> Vec<Match> {
        const COMMON: usize = 200;
        let wanted: BTreeSet<String> = content_words(phrase).into_iter().collect();
        let total: f64 = wanted.iter().map(|word| self.weight(word)).sum();
        let mut candidates: BTreeSet<usize> = BTreeSet::new();
        for word in &wanted {
            let holders = self.holders.get(word).map_or(&[][..], Vec::as_slice);
            if holders.len() <= COMMON {
                candidates.extend(holders);
            }
        }
        let mut found: Vec<Match> = candidates
            .into_iter()
            .map(|index| {
                let title = &self.titles[index];
                let own: f64 = title.iter().map(|word| self.weight(word)).sum();
                let common: f64 = wanted.intersection(title).map(|word| self.weight(word)).sum();
                Match { index, score: 0.75 * common / total + 0.25 * common / own }
            })
            .collect();
        if is_acronym(phrase) {
            for (index, initials) in self.initials.iter().enumerate() {
                if initials.starts_with(phrase.trim()) && !found.iter().any(|m| m.index == index) {
                    found.push(Match { index, score: 0.9 });
                }
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index)));
        found
    }

    fn weight(&self, word: &str) -> f64 {
        let holders = self.holders.get(word).map_or(0, Vec::len);
        let titles = self.titles.len().max(1) as f64;
        (1.0 + titles / (1.0 + holders as f64)).ln()
    }
}

fn is_acronym(phrase: &str) -> bool {
    let phrase = phrase.trim();
    phrase.len() >= 3 && phrase.chars().all(|c| c.is_ascii_uppercase())
}

fn initials(title: &str) -> String {
    title
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.chars().next())
        .filter(|first| first.is_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortened_title_is_found_first() {
        let index =
            TitleIndex::new(["Payment gateway integration", "Invoice layout", "Integration tests"]);
        let best = index.matches("the payment gateway");
        assert_eq!(best[0].index, 0);
        assert!(best[0].score > 0.8, "{best:?}");
    }

    #[test]
    fn an_acronym_finds_its_words() {
        let index = TitleIndex::new(["Write guide", "Content Delivery Network setup"]);
        assert_eq!(index.matches("CDN")[0].index, 1);
    }

    #[test]
    fn a_stranger_matches_nothing() {
        assert!(TitleIndex::new(["Write guide"]).matches("database").is_empty());
    }
}
