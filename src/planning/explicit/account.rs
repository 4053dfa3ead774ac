//! Compares the explicit marks of a text with a plan of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ledger::{Ledger, Place};
use super::line_marks::marks;
use super::mark::{Mark, MarkKind};
use crate::domain::task::Priority;
use crate::planning::plan::{Basis, Node, Plan, Progress, SkipReason};

/// The explicit marks of a text, and which of them the plan holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Kinds that the text states, in the order of [`MarkKind`].
    pub counts: Vec<Count>,
    /// Marks that the plan does not hold, in the order of their lines.
    pub unread: Vec<UnreadMark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    pub kind: MarkKind,
    pub stated: usize,
    pub read: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadMark {
    #[serde(flatten)]
    pub mark: Mark,
    pub fate: Fate,
}

/// What became of a mark that the plan does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is in the text of this row only.
    InText(String),
    /// Its line is not work, for this reason.
    Context(SkipReason),
    Lost,
}

impl Account {
    /// Counts the marks of `text`, and looks for each of them in the plan.
    pub fn of(text: &str, plan: &Plan) -> Self {
        let ledger = Ledger::of(text, plan);
        let rows = Rows::of(plan);
        let mut counts: BTreeMap<MarkKind, (usize, usize)> = BTreeMap::new();
        let mut unread = Vec::new();
        for mark in marks(text) {
            let is_read = rows.hold(&mark, &ledger);
            let count = counts.entry(mark.kind).or_default();
            count.0 += 1;
            count.1 += usize::from(is_read);
            if !is_read {
                let fate = rows.fate(&mark, &ledger);
                unread.push(UnreadMark { mark, fate });
            }
        }
        let count = |(kind, (stated, read))| Count { kind, stated, read };
        Self { counts: counts.into_iter().map(count).collect(), unread }
    }

    /// Whether every mark is read, or its line is named as something that is not work.
    pub fn is_complete(&self) -> bool {
        self.unread.iter().all(|unread| unread.fate != Fate::Lost)
    }
}

/// The rows of a plan, by line and by key.
struct Rows<'p> {
    plan: &'p Plan,
    by_key: BTreeMap<&'p str, &'p Node>,
}

impl<'p> Rows<'p> {
    fn of(plan: &'p Plan) -> Self {
        Self { plan, by_key: plan.nodes.iter().map(|node| (node.key.as_str(), node)).collect() }
    }

    /// Returns the rows that a mark on this line may belong to: all that begin there, or else the
    /// one whose text holds it.
    fn at(&self, line: usize, ledger: &Ledger) -> Vec<&'p Node> {
        let here: Vec<&Node> =
            self.plan.nodes.iter().filter(|node| node.line() == Some(line)).collect();
        match ledger.place(line) {
            _ if !here.is_empty() => here,
            Some(Place::Detail(key)) => {
                self.by_key.get(key.as_str()).copied().into_iter().collect()
            }
            // A field such as "Owner: ana" may be listed as read and skipped.
            Some(Place::Context(SkipReason::Metadata)) => self.covering(line),
            _ => Vec::new(),
        }
    }

    fn covering(&self, line: usize) -> Vec<&'p Node> {
        let covers = |node: &&&Node| {
            node.span.is_some_and(|span| span.start_line <= line && line <= span.end_line)
        };
        self.plan.nodes.iter().rfind(|node| covers(&node)).into_iter().collect()
    }

    fn hold(&self, mark: &Mark, ledger: &Ledger) -> bool {
        let place = ledger.place(mark.line);
        let is_cancelled = place == Some(&Place::Context(SkipReason::Cancelled));
        if mark.kind.is_row() {
            return matches!(place, Some(Place::Row(_) | Place::Requirement(_) | Place::Title))
                || is_cancelled;
        }
        let rows = self.at(mark.line, ledger);
        let any = |holds: &dyn Fn(&Node) -> bool| rows.iter().any(|node| holds(node));
        match mark.kind {
            MarkKind::Owner => any(&|node| holds_owner(node, &mark.text)),
            MarkKind::Effort => any(&|node| holds_effort(node, &mark.text)),
            MarkKind::Date => any(&|node| holds_date(node, &mark.text)),
            MarkKind::State => is_cancelled || any(&|node| holds_state(node, &mark.text)),
            MarkKind::Priority => any(&|node| holds_priority(node, &mark.text)),
            MarkKind::Dependency => any(&|node| self.has_link(node)),
            MarkKind::Tag | MarkKind::Checkbox | MarkKind::TableRow | MarkKind::Step => false,
        }
    }

    fn has_link(&self, node: &Node) -> bool {
        let named = |key: &String| *key == node.key;
        self.plan.links.iter().any(|link| named(&link.from) || named(&link.to))
            || self.plan.unresolved.iter().any(|open| named(&open.from))
    }

    fn fate(&self, mark: &Mark, ledger: &Ledger) -> Fate {
        match ledger.place(mark.line) {
            Some(Place::Context(reason)) => Fate::Context(*reason),
            Some(Place::Detail(key) | Place::Row(key)) => Fate::InText(key.clone()),
            Some(Place::Requirement(key)) => Fate::InText(key.clone()),
            Some(Place::Title | Place::Lost) | None => Fate::Lost,
        }
    }
}

fn holds_owner(node: &Node, text: &str) -> bool {
    let text = text.to_lowercase();
    node.owner.as_ref().is_some_and(|owner| text.contains(&owner.to_lowercase()))
}

/// Whether the row holds the numbers of an effort. A planner that gives no evidence counts as
/// having read it if it estimates the row.
fn holds_effort(node: &Node, text: &str) -> bool {
    match &node.estimate.basis {
        Some(Basis::Stated { text: stated }) => {
            numbers(text).iter().all(|number| numbers(stated).contains(number))
        }
        Some(_) => false,
        None => true,
    }
}

fn numbers(text: &str) -> Vec<String> {
    let numbers = text.split(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','));
    let numbers = numbers.map(|number| number.trim_matches(['.', ',']).replace(',', "."));
    numbers.filter(|number| !number.is_empty()).collect()
}

fn holds_date(node: &Node, text: &str) -> bool {
    let dates = [node.due, node.not_before].into_iter().flatten();
    let mut dates = dates.map(|date| date.format("%Y-%m-%d").to_string()).peekable();
    let is_iso =
        text.split(|c: char| !c.is_ascii_digit()).next().is_some_and(|year| year.len() == 4);
    let has_any = dates.peek().is_some() || node.relative_week.is_some();
    if is_iso { dates.any(|date| text.contains(&date)) } else { has_any }
}

fn holds_state(node: &Node, text: &str) -> bool {
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let stated = if says(&["in progress", "wip", "started", "ongoing", "review", "\u{1f6a7}"])
        && !says(&["not started"])
    {
        Some(Progress::Started)
    } else if says(&["done", "complete", "finished", "\u{2705}", "\u{2714}", "\u{2611}"]) {
        Some(Progress::Done)
    } else if says(&["not started", "pending", "todo", "to do", "open", "planned"]) {
        Some(Progress::Open)
    } else {
        None
    };
    stated == Some(node.standing)
}

fn holds_priority(node: &Node, text: &str) -> bool {
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match node.priority {
        None => false,
        Some(Priority::Critical) => {
            says(&["p0", "critical", "urgent", "blocker", "highest", "!!!", "must"])
        }
        Some(Priority::High) => says(&["p1", "high", "!!", "should", "p0"]),
        Some(Priority::Medium) => says(&["p2", "medium", "normal", "!", "could"]),
        Some(Priority::Low) => says(&["p3", "p4", "low", "won't", "wont"]),
    }
}
