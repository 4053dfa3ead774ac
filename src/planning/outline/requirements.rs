//! Matches statements of what must be true with the rows that cover them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::draft::Draft;
use super::keywords::{Keywords, normalized};
use crate::planning::plan::SkipReason;
use crate::text::pattern;
use crate::text::stem::content_words;

/// Parenthesised text, which explains a statement and need not be covered.
static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\([^()]*\)"));

/// Share of a statement's words, weighted by rarity, that a row must contain.
const COVERED: f64 = 0.32;
/// Minimum number of content words in common between a statement and a covering row.
const WORDS_IN_COMMON: usize = 2;
/// Maximum number of rows that contain a word; a more common word distinguishes none.
const COMMON: usize = 400;
/// Maximum number of rows listed for one statement.
const MAX_ROWS: usize = 3;

/// Whether the sentence says that something must be so.
pub(super) fn has_modal(keywords: &Keywords, text: &str) -> bool {
    if is_story(text) {
        return true;
    }
    let padded = format!(" {} ", normalized(text));
    let asks = text.trim_end().ends_with('?');
    !asks && keywords.statements.modals.iter().any(|modal| padded.contains(&format!(" {modal} ")))
}

/// Whether a sentence is a user story: "As a reader, I want to search".
fn is_story(text: &str) -> bool {
    static STORY: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)^(?:\*{0,2}user story:?\*{0,2}:?\s*)?as an? [^,.]{2,60}, (?:i|we) (?:want|need|can|would like)\b",
        )
    });
    STORY.is_match(text.trim())
}

/// Whether "must" is binding in a section of this kind.
pub(super) fn may_contain_requirements(reason: SkipReason) -> bool {
    use SkipReason::{Assumptions, Design, Goals, Overview, PlannedElsewhere, Prose};
    matches!(reason, Goals | Assumptions | Design | Overview | PlannedElsewhere | Prose)
}

/// Returns the rows that cover each statement, best first.
///
/// A statement inside a row's own section is covered by that row. Any other statement is covered by
/// the rows whose title and description contain most of its words.
pub(super) fn coverage(draft: &Draft) -> Vec<Vec<usize>> {
    let mut rows: Vec<BTreeSet<String>> = Vec::with_capacity(draft.rows.len());
    for row in &draft.rows {
        let mut words: BTreeSet<String> = content_words(&row.title).into_iter().collect();
        if row.children.is_empty() {
            words.extend(row.description.iter().flat_map(|text| content_words(text)));
        }
        // "Write tests" below "Import" means tests of the import.
        if let Some(parent) = row.parent {
            words.extend(content_words(&draft.rows[parent].title));
        }
        rows.push(words);
    }
    let mut holders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, words) in rows.iter().enumerate() {
        for word in words {
            holders.entry(word).or_default().push(index);
        }
    }
    draft
        .statements
        .iter()
        .map(|statement| match statement.owner {
            Some(owner) => vec![owner],
            None => {
                let label = statement
                    .text
                    .split_once(": ")
                    .map(|(label, _)| label)
                    .filter(|label| label.split_whitespace().count() >= 2);
                let whole = covering_rows(&statement.text, &holders, rows.len());
                match label {
                    Some(label) if whole.is_empty() => covering_rows(label, &holders, rows.len()),
                    _ => whole,
                }
            }
        })
        .collect()
}

fn covering_rows(statement: &str, holders: &BTreeMap<&str, Vec<usize>>, rows: usize) -> Vec<usize> {
    let outside: String = GROUP.replace_all(statement, " ").into_owned();
    let wanted: BTreeSet<String> = content_words(&outside).into_iter().collect();
    let weight = |word: &str| {
        let known = holders.get(word).map_or(0, Vec::len);
        (1.0 + (rows as f64 + 1.0) / (known as f64 + 1.0)).ln()
    };
    let total: f64 = wanted.iter().map(|word| weight(word)).sum();
    let mut common: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    for word in &wanted {
        let holding = holders.get(word.as_str()).map_or(&[][..], Vec::as_slice);
        for row in holding.iter().filter(|_| holding.len() <= COMMON) {
            let entry = common.entry(*row).or_default();
            entry.0 += weight(word);
            entry.1 += 1;
        }
    }
    let needed = WORDS_IN_COMMON.min(wanted.len());
    let mut found: Vec<(usize, f64)> = common
        .into_iter()
        .filter(|(_, (shared, words))| *words >= needed && *shared >= COVERED * total)
        .map(|(row, (shared, _))| (row, shared))
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    found.into_iter().take(MAX_ROWS).map(|(row, _)| row).collect()
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
