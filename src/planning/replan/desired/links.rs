//! The dependencies that the plan wants, against those that exist and people's changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rows::Rows;
use super::tree::Tree;
use crate::domain::id::TaskId;
use crate::domain::link::{DependencyType, LinkKind, TaskLink};
use crate::domain::state::ProjectState;
use crate::planning::replan::context::Context;
use crate::planning::replan::matching::Matched;
use crate::planning::valid_plan::ValidPlan;

#[derive(Debug)]
pub struct Links<'a> {
    /// Prerequisite tasks of each row.
    pub after: Vec<BTreeSet<TaskId>>,
    pub stale: StaleLinks<'a>,
    /// Wanted dependencies that do not exist and that no person removed, as (dependent,
    /// prerequisite).
    pub missing: Vec<(TaskId, TaskId)>,
    /// Those of the missing dependencies that would form a cycle.
    pub left_out: BTreeSet<(TaskId, TaskId)>,
}

/// Dependencies that the plan created and no longer contains.
#[derive(Debug, Default)]
pub struct StaleLinks<'a> {
    pub removed: Vec<&'a Arc<TaskLink>>,
    /// Those that a person edited, which stay.
    pub kept: Vec<&'a Arc<TaskLink>>,
}

/// Returns the prerequisite tasks of each row.
pub fn prerequisites(plan: &ValidPlan, rows: &Rows<'_>) -> Vec<BTreeSet<TaskId>> {
    let by_key = plan.rows();
    let mut after = vec![BTreeSet::new(); plan.nodes.len()];
    for link in &plan.links {
        let ends = (by_key.get(link.from.as_str()), by_key.get(link.to.as_str()));
        let (Some(from), Some(to)) = ends else { continue };
        if let (Some(_), Some(to)) = (rows.task(*from), rows.task(*to)) {
            after[*from].insert(to);
        }
    }
    after
}

/// Finds the dependencies to remove and takes them out of the tree.
pub fn stale<'a>(
    context: &Context<'a>,
    matched: &Matched<'a>,
    after: &[BTreeSet<TaskId>],
    tree: &mut Tree,
) -> StaleLinks<'a> {
    let mut found = StaleLinks::default();
    for (row, wanted) in after.iter().enumerate() {
        let Some(known) = matched.live(row) else { continue };
        for to in known.base.after.iter().filter(|to| !wanted.contains(to)) {
            let Some(link) = dependency(context.project, known.task.id, *to) else { continue };
            let is_edited =
                link.dependency != DependencyType::FinishToStart || link.lag_minutes.get() != 0;
            if is_edited {
                found.kept.push(link);
            } else {
                tree.unlink(known.task.id, *to);
                found.removed.push(link);
            }
        }
    }
    found
}

/// Returns the wanted dependencies that are missing and were not removed by a person.
pub fn missing(
    context: &Context<'_>,
    matched: &Matched<'_>,
    rows: &Rows<'_>,
    after: &[BTreeSet<TaskId>],
) -> Vec<(TaskId, TaskId)> {
    let mut found = Vec::new();
    for (row, task) in rows.tasks().enumerate() {
        let Some(from) = task else { continue };
        let stated_before =
            |to: &TaskId| matched.live(row).is_some_and(|known| known.base.after.contains(to));
        let missing = after[row]
            .iter()
            .filter(|to| !stated_before(to) && dependency(context.project, from, **to).is_none());
        found.extend(missing.map(|to| (from, *to)));
    }
    found
}

/// Adds the new dependencies to the tree. Returns those that would form a cycle with a person's
/// changes, which are left out.
pub fn left_out(missing: &[(TaskId, TaskId)], tree: &mut Tree) -> BTreeSet<(TaskId, TaskId)> {
    let mut left_out = BTreeSet::new();
    let before = tree.clone();
    for (from, to) in missing {
        tree.link(*from, *to);
    }
    if tree.is_acyclic() {
        return left_out;
    }
    *tree = before;
    for (from, to) in missing {
        tree.link(*from, *to);
        if !tree.is_acyclic() {
            tree.unlink(*from, *to);
            left_out.insert((*from, *to));
        }
    }
    left_out
}

/// Returns the live dependency between two tasks.
pub fn dependency(
    project: Option<&ProjectState>,
    from: TaskId,
    to: TaskId,
) -> Option<&Arc<TaskLink>> {
    project?
        .links_at(from)
        .find(|link| link.kind == LinkKind::DependsOn && link.from_id == from && link.to_id == to)
}
