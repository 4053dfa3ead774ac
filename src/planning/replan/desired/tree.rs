//! Task tree and dependencies of a project after a re-plan. Moves and links are tested on it first,
//! so that changes made by people never cause a re-plan to be rejected.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::id::TaskId;
use crate::domain::link::DependencyType;
use crate::domain::state::ProjectState;
use crate::domain::task_graph::TaskGraph;

#[derive(Clone, Debug, Default)]
pub struct Tree {
    parents: BTreeMap<TaskId, Option<TaskId>>,
    links: BTreeSet<(TaskId, TaskId)>,
}

impl Tree {
    /// Builds the graph of a project's live tasks and dependencies.
    pub fn of(project: Option<&ProjectState>) -> Self {
        let Some(project) = project else { return Self::default() };
        let parents = project
            .tasks()
            .filter(|task| task.is_live())
            .map(|task| (task.id, task.parent_id))
            .collect();
        let links = project.dependencies().map(|link| (link.from_id, link.to_id)).collect();
        Self { parents, links }
    }

    pub fn put(&mut self, task: TaskId, parent: Option<TaskId>) {
        self.parents.insert(task, parent);
    }

    pub fn remove(&mut self, task: TaskId) {
        self.parents.remove(&task);
    }

    pub fn holds(&self, task: TaskId) -> bool {
        self.parents.contains_key(&task)
    }

    pub fn parent(&self, task: TaskId) -> Option<TaskId> {
        self.parents.get(&task).copied().flatten()
    }

    pub fn children(&self) -> BTreeMap<TaskId, Vec<TaskId>> {
        let mut children: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
        for (task, parent) in &self.parents {
            if let Some(parent) = parent {
                children.entry(*parent).or_default().push(*task);
            }
        }
        children
    }

    /// Returns the number of levels above the task.
    pub fn depth(&self, task: TaskId) -> usize {
        self.above(task).count()
    }

    /// Returns the depth of the deepest task in the task's branch.
    pub fn deepest_below(&self, id: TaskId) -> usize {
        let own = self.depth(id);
        let children = self.children();
        let mut open = vec![(id, own)];
        let mut deepest = own;
        while let Some((at, depth)) = open.pop() {
            deepest = deepest.max(depth);
            open.extend(children.get(&at).into_iter().flatten().map(|child| (*child, depth + 1)));
        }
        deepest
    }

    pub fn is_within(&self, task: TaskId, ancestor: TaskId) -> bool {
        task == ancestor || self.above(task).any(|id| id == ancestor)
    }

    fn above(&self, task: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        // A tree is never higher than its number of nodes; the limit stops a walk on a cyclic
        // structure.
        std::iter::successors(self.parent(task), |id| self.parent(*id)).take(self.parents.len())
    }

    pub fn link(&mut self, from: TaskId, to: TaskId) {
        self.links.insert((from, to));
    }

    pub fn unlink(&mut self, from: TaskId, to: TaskId) {
        self.links.remove(&(from, to));
    }

    /// Whether the dependencies are valid: none joins a task and its ancestor, and no chain of
    /// them, parents included, forms a cycle.
    pub fn is_acyclic(&self) -> bool {
        if self.links.is_empty() {
            return true;
        }
        if self
            .links
            .iter()
            .any(|(from, to)| self.is_within(*from, *to) || self.is_within(*to, *from))
        {
            return false;
        }
        let tree = self.parents.iter().flat_map(|(task, parent)| [Some(*task), *parent]).flatten();
        let ends = self.links.iter().flat_map(|(from, to)| [*from, *to]);
        let ids: Vec<TaskId> = tree.chain(ends).collect::<BTreeSet<_>>().into_iter().collect();
        let at = |id: &TaskId| ids.binary_search(id).ok();
        let mut graph = TaskGraph::new(ids.len());
        for (task, parent) in &self.parents {
            let Some(task) = at(task) else { continue };
            graph.add_task(task);
            if let Some(parent) = parent.as_ref().and_then(at) {
                graph.add_child(parent, task);
            }
        }
        for (from, to) in &self.links {
            if let (Some(from), Some(to)) = (at(from), at(to)) {
                graph.add_dependency(from, to, DependencyType::FinishToStart, ());
            }
        }
        graph.points().is_acyclic()
    }
}
