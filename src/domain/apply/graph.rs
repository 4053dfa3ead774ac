//! Checks the dependencies of a project after the whole set is applied.
//!
//! The plan is feasible only if the graph of its tasks has no cycle. A cycle among the links alone is
//! refused even if types and lags would allow it, because people read it as a cycle.

use std::collections::BTreeSet;

use super::Applier;
use crate::domain::id::{TaskId, TaskLinkId};
use crate::domain::state::ProjectState;
use crate::domain::task_graph::{Graph, TaskGraph, task_of};
use crate::domain::violation::{Rule, Violation};

/// Maximum number of cycles to report; more would say nothing new.
const MAX_CYCLES: usize = 10;

impl Applier<'_> {
    pub(super) fn check_graphs(&mut self) {
        for (project, patch) in std::mem::take(&mut self.graphs) {
            let found = self
                .state
                .project(project)
                .map(|state| self.judge(state, patch))
                .unwrap_or_default();
            self.violations.extend(found);
        }
    }

    fn judge(&self, state: &ProjectState, patch: usize) -> Vec<Violation> {
        let name =
            |id: TaskId| state.task(id).map_or_else(|| id.to_string(), |task| task.key.to_string());
        let mut found = Vec::new();
        for link in state.dependencies() {
            if state.is_within(link.from_id, link.to_id)
                || state.is_within(link.to_id, link.from_id)
            {
                let (from, to) = (name(link.from_id), name(link.to_id));
                let at = self.linked.get(&link.id).copied().unwrap_or(patch);
                let message =
                    format!("{from} would depend on {to}, but one of the two is part of the other");
                let err =
                    Violation::new(at, Rule::DependencyOnRelative, message).field("fields.to_id");
                found.push(err.hint("a parent already depends on its subtasks; drop this link"));
            }
        }
        if !found.is_empty() {
            return found;
        }
        let ids = involved(state);
        let at = |id: TaskId| ids.binary_search(&id).ok();
        let mut links = Graph::new(ids.len());
        for link in state.dependencies() {
            if let (Some(from), Some(to)) = (at(link.from_id), at(link.to_id)) {
                links.add(from, to, link.id);
            }
        }
        for (tasks, links) in links.cycles(MAX_CYCLES) {
            let mut tasks: Vec<TaskId> = tasks.into_iter().map(|index| ids[index]).collect();
            // A cycle has no first task, so it is shown starting at its lowest key.
            let number = |id: &TaskId| state.task(*id).map_or(u32::MAX, |task| task.key.number());
            let lowest = (0..tasks.len()).min_by_key(|at| number(&tasks[*at])).unwrap_or(0);
            tasks.rotate_left(lowest);
            let names: Vec<String> =
                tasks.iter().chain(tasks.first()).map(|id| name(*id)).collect();
            found.push(self.circle(patch, &links, &names.join(" waits for ")));
        }
        if !found.is_empty() {
            return found;
        }
        for (points, links) in points(state, &ids).points().cycles(MAX_CYCLES) {
            let links: Vec<TaskLinkId> = links.into_iter().flatten().collect();
            let mut names: Vec<String> =
                points.into_iter().map(|point| name(ids[task_of(point)])).collect();
            names.dedup();
            let message = format!("{} block each other through their parents", names.join(", "));
            found.push(self.circle(patch, &links, &message));
        }
        found
    }

    fn circle(&self, patch: usize, links: &[TaskLinkId], message: &str) -> Violation {
        let at = links.iter().filter_map(|id| self.linked.get(id)).max().copied().unwrap_or(patch);
        let err = Violation::new(
            at,
            Rule::DependencyCycle,
            format!("the dependencies would make a circle: {message}"),
        );
        err.field("fields.to_id").hint("leave out one of these links")
    }
}

/// Builds the graph of the tasks that dependencies join, and of the tasks above them. `ids` are the
/// tasks by index, sorted.
fn points(state: &ProjectState, ids: &[TaskId]) -> TaskGraph<Option<TaskLinkId>> {
    let mut graph = TaskGraph::new(ids.len());
    let at = |id: TaskId| ids.binary_search(&id).ok();
    let joined: BTreeSet<TaskId> =
        state.dependencies().flat_map(|link| [link.from_id, link.to_id]).collect();
    let mut is_added = vec![false; ids.len()];
    for id in joined {
        let mut next = state.task(id);
        while let Some(task) = next
            && let Some(index) = at(task.id)
            && !std::mem::replace(&mut is_added[index], true)
        {
            graph.add_task(index);
            if let Some(parent) = task.parent_id.and_then(at) {
                graph.add_child(parent, index);
            }
            next = task.parent_id.and_then(|parent| state.task(parent));
        }
    }
    for link in state.dependencies() {
        if let (Some(from), Some(to)) = (at(link.from_id), at(link.to_id)) {
            graph.add_dependency(from, to, link.dependency, Some(link.id));
        }
    }
    graph
}

/// Returns the tasks that dependencies join and the tasks above them, sorted.
fn involved(state: &ProjectState) -> Vec<TaskId> {
    let mut found = BTreeSet::new();
    for id in state.dependencies().flat_map(|link| [link.from_id, link.to_id]) {
        let mut at = Some(id);
        while let Some(id) = at.filter(|id| found.insert(*id)) {
            at = state.task(id).and_then(|task| task.parent_id);
        }
    }
    found.into_iter().collect()
}
