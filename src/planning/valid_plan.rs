//! The check of a plan, whatever planner it is from.
//!
//! Checks the form: keys, levels, links, evidence, and the limits of the fields that will store the
//! values. Whether the plan fits the text is not checked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use chrono::NaiveDate;
use serde::Serialize;

use super::plan::{Basis, LinkBasis, Node, NodeKind, Plan, Span, Stats};
use super::plan_problem::{PlanProblem, PlanRule};
use super::planner::Options;
use super::unverified::Unverified;
use crate::domain::link::DependencyType;
use crate::domain::task_graph::{TaskGraph, task_of};
use crate::domain::time::Minutes;
use crate::domain::value::{FieldValue, InvalidValue, LongText, Name, Title};

/// Maximum number of problems to report; a planner that makes more has to begin again anyway.
const MAX_PROBLEMS: usize = 50;
/// Maximum number of cycles to report.
const MAX_CYCLES: usize = 10;

/// A plan that passed the check.
///
/// - Keys are unique, and every reference names a row or a requirement of the plan.
/// - A parent comes before its children, and no row is below the maximum level.
/// - Links join no row with itself or its ancestor, and form no cycle.
/// - Every text, estimate and date fits its field. A title is one visible line; only the plan's own
///   may be empty.
/// - Spans lie inside the text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ValidPlan {
    plan: Plan,
    #[serde(skip)]
    parents: Vec<Option<usize>>,
}

impl Deref for ValidPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

impl ValidPlan {
    /// Checks a plan of `text`. Returns every problem at once, up to a limit.
    pub fn check(
        plan: Unverified<Plan>,
        text: &str,
        options: Options,
    ) -> Result<Self, Vec<PlanProblem>> {
        let plan = plan.into_inner();
        let mut check = Check::of(&plan, text, options);
        check.rows();
        check.links();
        check.requirements();
        check.notes();
        let Check { parents, problems, .. } = check;
        if !problems.is_empty() {
            return Err(problems);
        }
        let stats = Stats::of(text, &plan);
        Ok(Self { plan: Plan { stats, ..plan }, parents })
    }

    /// Returns the index of the parent of each row.
    pub fn parents(&self) -> &[Option<usize>] {
        &self.parents
    }

    /// Returns the index of each row by key.
    pub fn rows(&self) -> BTreeMap<&str, usize> {
        by_key(&self.plan)
    }
}

fn by_key(plan: &Plan) -> BTreeMap<&str, usize> {
    plan.nodes.iter().enumerate().map(|(index, node)| (node.key.as_str(), index)).collect()
}

struct Check<'a> {
    plan: &'a Plan,
    text: &'a str,
    options: Options,
    lines: usize,
    /// Rows by key; of several rows with one key, the last.
    rows: BTreeMap<&'a str, usize>,
    requirements: BTreeSet<&'a str>,
    /// Requirements with the rows that cover them, as the requirements state it.
    covered: BTreeSet<(&'a str, &'a str)>,
    parents: Vec<Option<usize>>,
    problems: Vec<PlanProblem>,
}

impl<'a> Check<'a> {
    fn of(plan: &'a Plan, text: &'a str, options: Options) -> Self {
        Self {
            plan,
            text,
            options,
            lines: text.matches('\n').count() + 1,
            rows: by_key(plan),
            requirements: plan.requirements.iter().map(|entry| entry.key.as_str()).collect(),
            covered: (plan.requirements.iter())
                .flat_map(|entry| entry.covered_by.iter().map(|row| (&*entry.key, row.as_str())))
                .collect(),
            parents: Vec::with_capacity(plan.nodes.len()),
            problems: Vec::new(),
        }
    }

    fn refuse(&mut self, place: &str, rule: PlanRule, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            let (place, message) = (cut(place), message.into());
            self.problems.push(PlanProblem { place, rule, message });
        }
    }

    fn rows(&mut self) {
        let mut depths: Vec<u32> = Vec::with_capacity(self.plan.nodes.len());
        for (index, node) in self.plan.nodes.iter().enumerate() {
            if node.key.is_empty() {
                self.refuse("plan", PlanRule::Key, format!("row {} has no key", index + 1));
            } else if self.rows.get(node.key.as_str()) != Some(&index) {
                self.refuse(&node.key, PlanRule::Key, "several rows have this key");
            }
            let parent = node.parent.as_deref().and_then(|key| self.rows.get(key).copied());
            let parent = parent.filter(|parent| *parent < index);
            if let (Some(key), None) = (&node.parent, parent) {
                let message = format!("its parent {:?} is not a row above it", cut(key));
                self.refuse(&node.key, PlanRule::Parent, message);
            }
            if parent.is_some_and(|at| self.plan.nodes[at].kind == NodeKind::Milestone) {
                let message = "its parent is a milestone, which has no rows below it";
                self.refuse(&node.key, PlanRule::Parent, message);
            }
            let depth = parent.map_or(0, |parent| depths[parent].saturating_add(1));
            if depth > self.options.max_depth {
                let message = format!(
                    "it is at level {depth}, and the deepest level is {}",
                    self.options.max_depth
                );
                self.refuse(&node.key, PlanRule::Depth, message);
            }
            depths.push(depth);
            self.parents.push(parent);
            self.values(node);
            self.evidence(&node.key, node.span);
            for key in &node.requirement_keys {
                self.covers(&node.key, key);
            }
        }
    }

    /// Checks the values of a row against the fields that will store them.
    fn values(&mut self, node: &Node) {
        let text = |name: &str, found: Result<(), InvalidValue>| {
            found.err().map(|invalid| (PlanRule::Text, format!("its {name} {invalid}")))
        };
        let owner = node.owner.as_deref().and_then(|owner| Name::new(owner).err());
        let dates = [("due date", node.due), ("earliest start", node.not_before)];
        let dates = dates.into_iter().filter_map(|(name, date)| {
            let invalid = NaiveDate::read(&date?.json()).err()?;
            Some((PlanRule::Date, format!("its {name} {invalid}")))
        });
        let range = node.estimate.range;
        let is_ordered = range.low <= range.likely && range.likely <= range.high;
        // The sum of a parent is not stored.
        let is_sum = node.estimate.basis == Some(Basis::Children);
        let estimate = if !is_ordered {
            Some((PlanRule::EstimateOrder, "its estimate is not in the order low, likely, high"))
        } else if range.high > Minutes::MAX && !is_sum {
            Some((PlanRule::EstimateSize, "its estimate is longer than ten years"))
        } else {
            None
        };
        let found: Vec<(PlanRule, String)> = [
            text("title", Title::new(&node.title).map(drop)),
            text("description", LongText::new(&node.description).map(drop)),
            owner.map(|invalid| (PlanRule::Owner, format!("its owner {invalid}"))),
            estimate.map(|(rule, message)| (rule, message.to_owned())),
        ]
        .into_iter()
        .flatten()
        .chain(dates)
        .collect();
        for (rule, message) in found {
            self.refuse(&node.key, rule, message);
        }
    }

    fn links(&mut self) {
        let mut graph = TaskGraph::new(self.plan.nodes.len());
        for (index, parent) in self.parents.iter().enumerate() {
            graph.add_task(index);
            if let Some(parent) = parent {
                graph.add_child(*parent, index);
            }
        }
        let mut known = BTreeSet::new();
        for link in &self.plan.links {
            let place = format!("{} -> {}", cut(&link.from), cut(&link.to));
            self.evidence(&place, link.basis.as_ref().map(LinkBasis::span));
            let (from, to) = (self.row(&place, &link.from), self.row(&place, &link.to));
            let (Some(from), Some(to)) = (from, to) else { continue };
            if from == to {
                self.refuse(&place, PlanRule::SelfLink, "a row cannot wait for itself");
            } else if self.is_within(from, to) || self.is_within(to, from) {
                let message = "one of the two rows is part of the other";
                self.refuse(&place, PlanRule::LinkToRelative, message);
            } else if !known.insert((from, to)) {
                self.refuse(&place, PlanRule::DuplicateLink, "the link is stated twice");
            } else {
                graph.add_dependency(from, to, DependencyType::FinishToStart, ());
            }
        }
        for (points, _) in graph.points().cycles(MAX_CYCLES) {
            let mut keys: Vec<&str> =
                points.iter().map(|point| self.plan.nodes[task_of(*point)].key.as_str()).collect();
            keys.dedup();
            let message = format!("these rows wait for each other: {}", cut(&keys.join(", ")));
            self.refuse("plan", PlanRule::Cycle, message);
        }
    }

    fn is_within(&self, row: usize, ancestor: usize) -> bool {
        std::iter::successors(Some(row), |at| self.parents[*at]).any(|at| at == ancestor)
    }

    fn requirements(&mut self) {
        let mut known = BTreeSet::new();
        for requirement in &self.plan.requirements {
            let key = requirement.key.as_str();
            if key.is_empty() || !known.insert(key) {
                self.refuse(key, PlanRule::Key, "a requirement needs a key of its own");
            }
            if let Err(invalid) = LongText::new(&requirement.text) {
                self.refuse(key, PlanRule::Text, format!("its text {invalid}"));
            }
            for row in &requirement.covered_by {
                let found = self.row(key, row).map(|row| &self.plan.nodes[row]);
                if found.is_some_and(|node| !node.requirement_keys.contains(&requirement.key)) {
                    let message = format!("row {:?} does not say that it covers it", cut(row));
                    self.refuse(key, PlanRule::Coverage, message);
                }
            }
            self.evidence(key, requirement.span);
        }
    }

    /// Checks the plan's title and the parts that only inform people.
    fn notes(&mut self) {
        let title = &self.plan.title;
        if let Some(invalid) = Title::new(title).err().filter(|_| !title.is_empty()) {
            self.refuse("plan", PlanRule::Text, format!("its title {invalid}"));
        }
        self.evidence("plan", self.plan.title_span);
        for open in &self.plan.unresolved {
            let place = format!("{} -> {:?}", cut(&open.from), cut(&open.text));
            for row in std::iter::once(&open.from).chain(&open.best_guess) {
                self.row(&place, row);
            }
            self.evidence(&place, open.span);
        }
        for skipped in &self.plan.skipped {
            self.evidence(&skipped.what, skipped.span);
        }
        for key in self.plan.problems.iter().flat_map(|problem| &problem.nodes) {
            self.row("plan", key);
        }
    }

    /// Returns the row with a key, or refuses the reference.
    fn row(&mut self, place: &str, key: &str) -> Option<usize> {
        let found = self.rows.get(key).copied();
        if found.is_none() {
            let message = format!("there is no row {:?}", cut(key));
            self.refuse(place, PlanRule::UnknownRow, message);
        }
        found
    }

    /// Checks a requirement that a row says it covers.
    fn covers(&mut self, row: &str, key: &str) {
        if !self.requirements.contains(key) {
            let message = format!("there is no requirement {:?}", cut(key));
            self.refuse(row, PlanRule::UnknownRequirement, message);
        } else if !self.covered.contains(&(key, row)) {
            let message = format!("requirement {:?} does not list it", cut(key));
            self.refuse(row, PlanRule::Coverage, message);
        }
    }

    fn evidence(&mut self, place: &str, span: Option<Span>) {
        let Some(span) = span else { return };
        let lines =
            1 <= span.start_line && span.start_line <= span.end_line && span.end_line <= self.lines;
        if !lines || self.text.get(span.bytes()).is_none() {
            self.refuse(place, PlanRule::Evidence, "its place is not inside the text");
        }
    }
}

/// Cuts a text that a planner chose, for messages.
fn cut(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    match text.chars().count() {
        length if length > MAX_CHARS => text.chars().take(MAX_CHARS - 1).chain(['…']).collect(),
        _ => text.to_owned(),
    }
}
