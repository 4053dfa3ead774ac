//! Matches statements of what must be true with the rows that cover them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::draft::Draft;
use super::requirement_names::{self, Names};
use super::requirements::is_story;
use crate::text::pattern;
use crate::text::stem::content_words;

/// Parenthesised text, which explains a statement and need not be covered.
static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\([^()]*\)"));

/// Share of a statement's words, weighted by rarity, that a row must contain.
const COVERED: f64 = 0.32;
/// Share of a statement's words, weighted by rarity, of which one word is enough.
const ENOUGH: f64 = 0.5;
/// Share of a title's words, weighted by rarity, that a statement must contain.
const TITLE_COVERED: f64 = 0.6;
/// The same share if the title is short and one of the words is rare.
const NAMED: f64 = 0.3;
/// Maximum number of content words in a short title.
const SHORT: usize = 3;
/// Maximum number of rows that contain a rare word.
const RARE: usize = 2;
/// Minimum number of content words in common between a statement and a covering row.
const WORDS_IN_COMMON: usize = 2;
/// Maximum number of rows that contain a word; a more common word distinguishes none.
const COMMON: usize = 400;
/// Maximum number of rows that resemble one statement.
const MAX_ROWS: usize = 3;

/// Returns the rows that cover each statement, best first.
///
/// Rows that name a statement by its id cover it. If the writer links most statements in this way,
/// the others are not covered. A statement inside a row is covered by the rows below that row that
/// resemble it, or else by that row. Any other is covered by the rows that resemble it: they contain
/// much of its words, or it contains most of the words of their titles. A story is covered by the
/// rows that cover its criteria.
pub(super) fn coverage(text: &str, draft: &Draft, is_english: bool) -> Vec<Vec<usize>> {
    let names = requirement_names::names(text, &draft.statements);
    let named = requirement_names::references(text, draft, &names);
    let of = |name: &Option<String>| {
        name.as_ref().and_then(|name| named.get(name.as_str())).cloned().unwrap_or_default()
    };
    let own: Vec<BTreeSet<usize>> = names.iter().map(|names| of(&names.own)).collect();
    let with_names = names.iter().filter(|names| names.own.is_some()).count();
    let linked = own.iter().filter(|rows| !rows.is_empty()).count();
    let links_most = linked > 0 && linked * 2 >= with_names;
    let words = Words::of(draft, is_english);
    let mut covered: Vec<Vec<usize>> = Vec::with_capacity(names.len());
    for (at, statement) in draft.statements.iter().enumerate() {
        let rows = match statement.owner {
            _ if !own[at].is_empty() => own[at].iter().copied().collect(),
            _ if links_most && names[at].own.is_some() => Vec::new(),
            Some(owner) if draft.rows[owner].children.is_empty() => vec![owner],
            Some(owner) => {
                let is_below = |row| draft.is_ancestor(owner, row);
                let below = words.holding(&statement.text, &is_below, true);
                if below.is_empty() { vec![owner] } else { below }
            }
            None => words.like(&statement.text, |_| true),
        };
        covered.push(rows);
    }
    cover_stories(draft, &names, &named, &mut covered);
    covered
}

/// Gives each story the rows that name it, and those of the other statements in its group.
fn cover_stories(
    draft: &Draft,
    names: &[Names],
    named: &BTreeMap<&str, BTreeSet<usize>>,
    covered: &mut [Vec<usize>],
) {
    let is_story = |at: usize| names[at].own.is_none() && is_story(&draft.statements[at].text);
    let mut rows_of: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (at, rows) in covered.iter().enumerate().filter(|(at, _)| !is_story(*at)) {
        if let Some(group) = &names[at].group {
            rows_of.entry(group).or_default().extend(rows);
        }
    }
    for (at, rows) in covered.iter_mut().enumerate().filter(|(at, _)| is_story(*at)) {
        let Some(group) = &names[at].group else { continue };
        let of = |known: &BTreeMap<&str, BTreeSet<usize>>| known.get(group.as_str()).cloned();
        let mut found = of(named).unwrap_or_default();
        found.extend(of(&rows_of).unwrap_or_default());
        if !found.is_empty() {
            *rows = found.into_iter().collect();
        }
    }
}

/// The content words of rows.
struct Words {
    is_english: bool,
    rows: usize,
    /// The words of each title.
    titles: Vec<BTreeSet<String>>,
    /// Rows by the words that they contain.
    holders: BTreeMap<String, Vec<usize>>,
}

impl Words {
    fn of(draft: &Draft, is_english: bool) -> Self {
        let mut holders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, row) in draft.rows.iter().enumerate() {
            let mut words: BTreeSet<String> = topics(&row.title, is_english).into_iter().collect();
            if row.children.is_empty() {
                words.extend(row.description.iter().flat_map(|text| topics(text, is_english)));
            }
            // "Write tests" below "Import" means tests of the import.
            if let Some(parent) = row.parent {
                words.extend(topics(&draft.rows[parent].title, is_english));
            }
            for word in words {
                holders.entry(word).or_default().push(index);
            }
        }
        let titles =
            draft.rows.iter().map(|row| topics(&row.title, is_english).into_iter().collect());
        Self { is_english, rows: draft.rows.len(), titles: titles.collect(), holders }
    }

    /// Returns the candidates that contain enough of a statement's words. Of "Label: text", the
    /// label alone may be enough.
    fn like(&self, statement: &str, is_candidate: impl Fn(usize) -> bool) -> Vec<usize> {
        let whole = self.holding(statement, &is_candidate, false);
        let label = statement.split_once(": ").map(|(label, _)| label);
        match label.filter(|label| label.split_whitespace().count() >= 2) {
            Some(label) if whole.is_empty() => self.holding(label, &is_candidate, false),
            _ => whole,
        }
    }

    /// Returns the candidates that contain enough words. Of candidates that are `near` the statement,
    /// one word is enough.
    fn holding(
        &self,
        statement: &str,
        is_candidate: &impl Fn(usize) -> bool,
        is_near: bool,
    ) -> Vec<usize> {
        let outside: String = GROUP.replace_all(statement, " ").into_owned();
        let wanted: BTreeSet<String> = topics(&outside, self.is_english).into_iter().collect();
        let holding = |word: &str| self.holders.get(word).map_or(&[][..], Vec::as_slice);
        let weight = |word: &str| {
            let known = holding(word).len();
            (1.0 + (self.rows as f64 + 1.0) / (known as f64 + 1.0)).ln()
        };
        let total: f64 = wanted.iter().map(|word| weight(word)).sum();
        let mut common: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
        for word in wanted.iter().filter(|word| holding(word).len() <= COMMON) {
            for row in holding(word).iter().filter(|row| is_candidate(**row)) {
                let entry = common.entry(*row).or_default();
                entry.0 += weight(word);
                entry.1 += 1;
            }
        }
        let needed = WORDS_IN_COMMON.min(wanted.len());
        let is_like = |row: usize, shared: f64, words: usize| {
            let title = &self.titles[row];
            let in_title_weight: f64 = title.intersection(&wanted).map(|word| weight(word)).sum();
            let in_title = title.intersection(&wanted).count();
            let title_weight: f64 = title.iter().map(|word| weight(word)).sum();
            let has_rare = || title.intersection(&wanted).any(|word| holding(word).len() <= RARE);
            is_near
                || (words >= needed && shared >= COVERED * total)
                || shared >= ENOUGH * total
                || (in_title >= needed && in_title_weight >= TITLE_COVERED * title_weight)
                || (title.len() <= SHORT && in_title_weight >= NAMED * title_weight && has_rare())
        };
        let mut found: Vec<(usize, f64)> = common
            .into_iter()
            .filter(|(row, (shared, words))| is_like(*row, *shared, *words))
            .map(|(row, (shared, _))| (row, shared))
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.into_iter().take(MAX_ROWS).map(|(row, _)| row).collect()
    }
}

/// Returns the words of a text that say what it is about. Languages other than English build long
/// words from short ones, or write no spaces, so of these only the first letters, or each pair of
/// letters, are compared.
fn topics(text: &str, is_english: bool) -> Vec<String> {
    const STEM: usize = 6;
    let is_ideograph = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}');
    let mut topics = Vec::new();
    for word in content_words(text) {
        let letters: Vec<char> = word.chars().collect();
        if letters.iter().any(|c| is_ideograph(*c)) {
            topics.extend(letters.windows(2).map(|pair| pair.iter().collect::<String>()));
        } else if letters.len() > STEM && !is_english {
            topics.push(letters[..STEM].iter().collect());
        } else {
            topics.push(word);
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::super::{Options, outline};
    use crate::planning::plan::ProblemCode;

    const TEXT: &str = "# Orchard\n\n## Requirements\n\n- Visitors must see opening hours on the gate\n- The cider press must be cleaned every night\n\n## Tasks\n\n- Paint opening hours for visitors on the gate\n- Plant ten apple trees\n";

    #[test]
    fn a_statement_is_covered_by_the_task_that_says_it() {
        let plan = outline(TEXT, Options::default());
        assert_eq!(plan.requirements[0].covered_by, ["T1"]);
        assert!(plan.nodes[0].requirement_keys.contains(&"R1".to_owned()));
    }

    #[test]
    fn an_uncovered_statement_is_reported_with_its_line() {
        let plan = outline(TEXT, Options::default());
        assert!(plan.requirements[1].covered_by.is_empty());
        let problem = plan
            .problems
            .iter()
            .find(|problem| problem.code == ProblemCode::UncoveredRequirement)
            .unwrap();
        assert_eq!(problem.lines, [6]);
        assert!(problem.message.contains("cider press"));
    }

    #[test]
    fn two_words_in_common_are_not_enough_for_a_long_statement() {
        let text = "# Orchard\n\n## Requirements\n\n- Apple trees must survive late frost, heavy snow, strong wind and hungry deer\n- Cider must taste\n\n## Tasks\n\n- Plant ten apple trees\n- Dig the bed\n";
        let plan = outline(text, Options::default());
        assert!(plan.requirements.iter().all(|requirement| requirement.covered_by.is_empty()));
    }

    #[test]
    fn a_statement_inside_a_task_belongs_to_it() {
        let text = "# Shed\n\n## Tasks\n\n### Build the roof\n\nAcceptance criteria:\n\n- It keeps the rain out\n- It carries snow\n";
        let plan = outline(text, Options::default());
        assert_eq!(plan.requirements.len(), 2);
        assert!(plan.requirements.iter().all(|requirement| requirement.covered_by == ["T1"]));
    }
}
