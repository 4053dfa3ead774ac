//! Checks the dependencies of a project after the whole set is applied.
//!
//! A dependency ties one end of a task to one end of another. A parent starts before its children
//! and finishes after them, so each task is two points: its start and its finish. The plan is
//! feasible only if no chain of "not before" leads from a point back to itself. A cycle among the
//! links alone is refused even if types and lags would allow it, because people read it as a cycle.

use std::collections::{BTreeMap, BTreeSet};

use super::Applier;
use crate::domain::id::{TaskId, TaskLinkId};
use crate::domain::link::DependencyType;
use crate::domain::state::ProjectState;
use crate::domain::violation::{Rule, Violation};

/// Maximum number of cycles to report; more would say nothing new.
const MAX_CYCLES: usize = 10;

/// Start (`false`) or finish (`true`) of a task.
type Point = (TaskId, bool);
type Edges<N> = BTreeMap<N, Vec<(N, Option<TaskLinkId>)>>;

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
        let mut links: Edges<TaskId> = BTreeMap::new();
        for link in state.dependencies() {
            links.entry(link.from_id).or_default().push((link.to_id, Some(link.id)));
        }
        for (mut tasks, ids) in cycles(&links) {
            // A cycle has no first task, so it is shown starting at its lowest key.
            let number = |id: &TaskId| state.task(*id).map_or(u32::MAX, |task| task.key.number());
            let lowest = (0..tasks.len()).min_by_key(|at| number(&tasks[*at])).unwrap_or(0);
            tasks.rotate_left(lowest);
            let names: Vec<String> =
                tasks.iter().chain(tasks.first()).map(|id| name(*id)).collect();
            found.push(self.circle(patch, &ids, &names.join(" waits for ")));
        }
        if !found.is_empty() {
            return found;
        }
        for (points, ids) in cycles(&points(state)) {
            let mut names: Vec<String> = points.iter().map(|(id, _)| name(*id)).collect();
            names.dedup();
            let message = format!("{} block each other through their parents", names.join(", "));
            found.push(self.circle(patch, &ids, &message));
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

/// Builds the graph of points; an edge leads from the earlier point to the later one.
fn points(state: &ProjectState) -> Edges<Point> {
    let mut edges: Edges<Point> = BTreeMap::new();
    let mut add = |from: Point, to: Point, link| edges.entry(from).or_default().push((to, link));
    let involved: BTreeSet<TaskId> =
        state.dependencies().flat_map(|link| [link.from_id, link.to_id]).collect();
    let mut seen = BTreeSet::new();
    for id in involved {
        let mut at = Some(id);
        while let Some(task) = at.and_then(|id| state.task(id)).filter(|task| seen.insert(task.id))
        {
            add((task.id, false), (task.id, true), None);
            if let Some(parent) = task.parent_id {
                add((parent, false), (task.id, false), None);
                add((task.id, true), (parent, true), None);
            }
            at = task.parent_id;
        }
    }
    for link in state.dependencies() {
        let (held_by, holds) = match link.dependency {
            DependencyType::FinishToStart => (true, false),
            DependencyType::StartToStart => (false, false),
            DependencyType::FinishToFinish => (true, true),
            DependencyType::StartToFinish => (false, true),
        };
        add((link.to_id, held_by), (link.from_id, holds), Some(link.id));
    }
    edges
}

/// Returns the cycles that a depth-first search finds, each with its nodes in order and its links.
fn cycles<N: Copy + Ord>(edges: &Edges<N>) -> Vec<(Vec<N>, Vec<TaskLinkId>)> {
    let mut found = Vec::new();
    let mut done: BTreeSet<N> = BTreeSet::new();
    for start in edges.keys() {
        // The path of the search: each node, the link that led to it, and the index of its next
        // edge.
        let mut path: Vec<(N, Option<TaskLinkId>, usize)> = vec![(*start, None, 0)];
        let mut on_path: BTreeSet<N> = BTreeSet::from([*start]);
        if done.contains(start) {
            continue;
        }
        while let Some((node, _, next)) = path.last_mut() {
            let edge = edges.get(node).and_then(|out| out.get(*next)).copied();
            *next += 1;
            match edge {
                None => {
                    done.insert(*node);
                    on_path.remove(node);
                    path.pop();
                }
                Some((to, link)) if on_path.contains(&to) => {
                    let from = path.iter().position(|(node, ..)| *node == to).unwrap_or(0);
                    let nodes = path[from..].iter().map(|(node, ..)| *node).collect();
                    let links = path[from + 1..]
                        .iter()
                        .filter_map(|(_, link, _)| *link)
                        .chain(link)
                        .collect();
                    found.push((nodes, links));
                    if found.len() >= MAX_CYCLES {
                        return found;
                    }
                }
                Some((to, link)) => {
                    if !done.contains(&to) {
                        on_path.insert(to);
                        path.push((to, link, 0));
                    }
                }
            }
        }
    }
    found
}
