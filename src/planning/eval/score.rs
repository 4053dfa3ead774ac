//! Compares a plan with the right answer.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::gold::{Gold, GoldNode, Verdict};
use crate::planning::explicit::{Account, Fate, Ledger, Place};
use crate::planning::plan::{Node, Plan};

/// How well a plan fits the right answer. Scores of several texts can be added.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Score {
    /// Rows of the plan against pieces of work.
    pub nodes: Tally,
    /// Parents of the rows found, of all pieces of work found.
    pub parents: Tally,
    /// Pieces of work that the plan holds as a row or in the text of one.
    pub coverage: Tally,
    pub edges: Tally,
    /// Explicit marks that the plan holds, or whose lines it names as no work.
    pub explicit: Tally,
    /// Requirements with the right verdict.
    pub verdicts: Tally,
    /// Lines of work that are no row.
    pub missing: Vec<usize>,
    /// Lines of rows that are no work.
    pub invented: Vec<usize>,
}

/// Numbers of right answers, of answers, and of wanted answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub right: usize,
    pub given: usize,
    pub wanted: usize,
}

impl Tally {
    /// Returns the share of the given answers that are right; 1 if none was given.
    pub fn precision(self) -> f64 {
        share(self.right, self.given)
    }

    /// Returns the share of the wanted answers that were given; 1 if none was wanted.
    pub fn recall(self) -> f64 {
        share(self.right, self.wanted)
    }

    /// Returns the harmonic mean of precision and recall.
    pub fn f1(self) -> f64 {
        share(2 * self.right, self.given + self.wanted)
    }

    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.given += other.given;
        self.wanted += other.wanted;
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

impl Score {
    /// Scores a plan of `text`.
    pub fn of(text: &str, plan: &Plan, gold: &Gold) -> Self {
        let found = Matched::of(plan, gold);
        let ledger = Ledger::of(text, plan);
        let account = Account::of(text, plan);
        let optional: BTreeSet<usize> = gold.optional.iter().copied().collect();
        let is_optional = |node: &Node| node.line().is_some_and(|line| optional.contains(&line));
        let invented: Vec<&Node> = (plan.nodes.iter().enumerate())
            .filter(|(at, node)| !found.rows.contains_key(at) && !is_optional(node))
            .map(|(_, node)| node)
            .collect();
        let missing = |at: &usize| found.gold[*at].is_none();
        let is_held = |node: &GoldNode| {
            matches!(ledger.place(node.line), Some(Place::Row(_) | Place::Detail(_)))
        };
        let count = gold.nodes.len();
        let right = found.rows.len();
        let stated: usize = account.counts.iter().map(|count| count.stated).sum();
        let lost = account.unread.iter().filter(|unread| unread.fate == Fate::Lost).count();
        Self {
            nodes: Tally { right, given: right + invented.len(), wanted: count },
            parents: found.parents(plan, gold),
            coverage: Tally {
                right: (0..count).filter(|at| !missing(at) || is_held(&gold.nodes[*at])).count(),
                given: count,
                wanted: count,
            },
            edges: found.edges(plan, gold),
            explicit: Tally { right: stated - lost, given: stated, wanted: stated },
            verdicts: verdicts(plan, gold),
            missing: (0..count).filter(missing).map(|at| gold.nodes[at].line).collect(),
            invented: invented.iter().filter_map(|node| node.line()).collect(),
        }
    }

    /// Adds the numbers of another text; lists of lines are kept per text only.
    pub fn add(&mut self, other: &Self) {
        self.nodes.add(other.nodes);
        self.parents.add(other.parents);
        self.coverage.add(other.coverage);
        self.edges.add(other.edges);
        self.explicit.add(other.explicit);
        self.verdicts.add(other.verdicts);
    }
}

/// Which row of the plan stands for which piece of work.
struct Matched {
    /// The row of each piece of work.
    gold: Vec<Option<usize>>,
    /// The piece of work of each row.
    rows: BTreeMap<usize, usize>,
}

impl Matched {
    fn of(plan: &Plan, gold: &Gold) -> Self {
        let mut matched = Self { gold: vec![None; gold.nodes.len()], rows: BTreeMap::new() };
        for (at, wanted) in gold.nodes.iter().enumerate() {
            let words = words(wanted.text.as_deref().unwrap_or(&wanted.title));
            let is_alone = gold.nodes.iter().filter(|other| other.line == wanted.line).count() == 1;
            let candidates =
                plan.nodes.iter().enumerate().filter(|(row, node)| {
                    !matched.rows.contains_key(row) && comes_from(node, wanted)
                });
            let best = candidates
                .map(|(row, node)| (likeness(&words, &node.title), row))
                .filter(|(likeness, _)| is_alone && wanted.text.is_none() || *likeness >= 0.5)
                .max_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(&one.1)));
            if let Some((_, row)) = best {
                matched.gold[at] = Some(row);
                matched.rows.insert(row, at);
            }
        }
        matched
    }

    fn parents(&self, plan: &Plan, gold: &Gold) -> Tally {
        let key = |line: usize| {
            let at = gold.nodes.iter().position(|node| node.line == line)?;
            Some(plan.nodes[self.gold[at]?].key.as_str())
        };
        let right = self.rows.iter().filter(|(row, at)| {
            plan.nodes[**row].parent.as_deref() == gold.nodes[**at].parent.and_then(key)
        });
        let count = self.rows.len();
        Tally { right: right.count(), given: count, wanted: count }
    }

    fn edges(&self, plan: &Plan, gold: &Gold) -> Tally {
        let wanted: BTreeSet<(usize, usize)> =
            gold.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let line = |key: &str| {
            let row = plan.nodes.iter().position(|node| node.key == key)?;
            match self.rows.get(&row) {
                Some(at) => Some(gold.nodes[*at].line),
                None => plan.nodes[row].line(),
            }
        };
        let given: BTreeSet<(usize, usize)> = plan
            .links
            .iter()
            .filter_map(|link| Some((line(&link.from)?, line(&link.to)?)))
            .collect();
        let right = wanted.intersection(&given).count();
        Tally { right, given: given.len(), wanted: wanted.len() }
    }
}

/// Whether a row comes from the line of a piece of work. Of work in running text, the row may begin
/// with its paragraph.
fn comes_from(node: &Node, wanted: &GoldNode) -> bool {
    let Some(span) = node.span else { return false };
    match &wanted.text {
        None => span.start_line == wanted.line,
        Some(_) => (span.start_line..=span.end_line).contains(&wanted.line),
    }
}

fn verdicts(plan: &Plan, gold: &Gold) -> Tally {
    let right = gold.requirements.iter().filter(|wanted| {
        let words = words(&wanted.text);
        let found = (plan.requirements.iter())
            .filter(|found| {
                found
                    .span
                    .is_some_and(|span| (span.start_line..=span.end_line).contains(&wanted.line))
            })
            .max_by(|one, other| {
                likeness(&words, &one.text).total_cmp(&likeness(&words, &other.text))
            });
        found.is_some_and(|found| match wanted.verdict {
            Verdict::Not => found.covered_by.is_empty(),
            Verdict::Covered | Verdict::Partly => {
                let line = |key: &String| {
                    plan.nodes.iter().find(|node| node.key == *key).and_then(Node::line)
                };
                let mut by = found.covered_by.iter().filter_map(line).peekable();
                by.peek().is_some()
                    && (wanted.by.is_empty() || by.any(|line| wanted.by.contains(&line)))
            }
        })
    });
    let count = gold.requirements.len();
    Tally { right: right.count(), given: count, wanted: count }
}

fn words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Returns the share of the words that two texts have in common, of the shorter one.
fn likeness(wanted: &BTreeSet<String>, title: &str) -> f64 {
    let title = words(title);
    share(wanted.intersection(&title).count(), wanted.len().min(title.len()).max(1))
}
