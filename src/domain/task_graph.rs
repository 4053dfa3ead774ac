//! Tasks in time as a graph: parents, dependencies, cycles and order.
//!
//! Each task has two points, its start and its finish. A parent starts before its children and
//! finishes after them, and a dependency ties one point of a task to one point of another. An edge
//! leads from the earlier point to the later one, so tasks are feasible if the graph has no cycle.
//!
//! Tasks and nodes are indices. Edges keep the order in which they were added, so the results are
//! the same for the same input.

use std::collections::VecDeque;

use super::link::DependencyType;

/// A directed graph. Each edge has a label; an edge that says nothing has the default label.
#[derive(Clone, Debug)]
pub struct Graph<L> {
    edges: Vec<Vec<(usize, L)>>,
}

/// A cycle: its nodes in order, and the labels of its edges. The last label is of the edge from the
/// last node to the first.
pub type Cycle<L> = (Vec<usize>, Vec<L>);

impl<L: Copy> Graph<L> {
    pub fn new(nodes: usize) -> Self {
        Self { edges: vec![Vec::new(); nodes] }
    }

    pub fn add(&mut self, from: usize, to: usize, label: L) {
        self.edges[from].push((to, label));
    }

    /// Returns the edges from a node: their ends and labels.
    pub fn edges(&self, node: usize) -> &[(usize, L)] {
        &self.edges[node]
    }

    pub fn is_acyclic(&self) -> bool {
        self.sort().0.len() == self.edges.len()
    }

    /// Returns the nodes in topological order. Nodes on a cycle, and those behind one, come last.
    pub fn order(&self) -> Vec<usize> {
        let (mut order, waits) = self.sort();
        order.extend((0..waits.len()).filter(|node| waits[*node] > 0));
        order
    }

    /// Returns the nodes that can be ordered, and for every node the number of edges to it from
    /// nodes that cannot.
    fn sort(&self) -> (Vec<usize>, Vec<usize>) {
        let mut waits = vec![0usize; self.edges.len()];
        for (to, _) in self.edges.iter().flatten() {
            waits[*to] += 1;
        }
        let mut ready: VecDeque<usize> =
            (0..waits.len()).filter(|node| waits[*node] == 0).collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(node) = ready.pop_front() {
            order.push(node);
            for (to, _) in &self.edges[node] {
                waits[*to] -= 1;
                if waits[*to] == 0 {
                    ready.push_back(*to);
                }
            }
        }
        (order, waits)
    }

    /// Returns the cycles that a depth-first search finds, at most `max`. Without a cycle, the
    /// result is empty.
    pub fn cycles(&self, max: usize) -> Vec<Cycle<L>> {
        let mut found = Vec::new();
        let (mut done, mut on_path) =
            (vec![false; self.edges.len()], vec![false; self.edges.len()]);
        // The path of the search: each node, the label of the edge that led to it, and the index of
        // its next edge.
        let mut path: Vec<(usize, Option<L>, usize)> = Vec::new();
        for start in 0..self.edges.len() {
            if done[start] {
                continue;
            }
            on_path[start] = true;
            path.push((start, None, 0));
            while let Some((node, _, next)) = path.last_mut() {
                let edge = self.edges[*node].get(*next).copied();
                *next += 1;
                match edge {
                    None => {
                        done[*node] = true;
                        on_path[*node] = false;
                        path.pop();
                    }
                    Some((to, label)) if on_path[to] => {
                        let from = path.iter().position(|(node, ..)| *node == to).unwrap_or(0);
                        let nodes = path[from..].iter().map(|(node, ..)| *node).collect();
                        let labels = path[from + 1..].iter().filter_map(|(_, label, _)| *label);
                        found.push((nodes, labels.chain([label]).collect()));
                        if found.len() >= max {
                            return found;
                        }
                    }
                    Some((to, label)) => {
                        if !done[to] {
                            on_path[to] = true;
                            path.push((to, Some(label), 0));
                        }
                    }
                }
            }
        }
        found
    }

    /// Returns the labels along a shortest path between two nodes; `None` if there is no path.
    pub fn path(&self, from: usize, to: usize) -> Option<Vec<L>> {
        let mut came: Vec<Option<(usize, L)>> = vec![None; self.edges.len()];
        let mut open = VecDeque::from([from]);
        while let Some(at) = open.pop_front() {
            if at == to {
                let step = |at: &usize| came[*at].filter(|_| *at != from).map(|(before, _)| before);
                let back = std::iter::successors(Some(to), step);
                let mut labels: Vec<L> =
                    back.filter_map(|at| came[at].map(|(_, label)| label)).collect();
                labels.reverse();
                return Some(labels);
            }
            for &(next, label) in &self.edges[at] {
                if next != from && came[next].is_none() {
                    came[next] = Some((at, label));
                    open.push_back(next);
                }
            }
        }
        None
    }

    /// Returns, for each node, whether it is on a cycle of several nodes.
    ///
    /// Uses Tarjan's algorithm for strongly connected components, with an explicit stack instead of
    /// recursion.
    pub fn nodes_on_cycles(&self) -> Vec<bool> {
        const UNSEEN: usize = usize::MAX;
        let nodes = self.edges.len();
        let (mut order, mut low) = (vec![UNSEEN; nodes], vec![0; nodes]);
        let (mut on_stack, mut cyclic) = (vec![false; nodes], vec![false; nodes]);
        let (mut stack, mut next_order) = (Vec::new(), 0);
        for root in 0..nodes {
            if order[root] != UNSEEN {
                continue;
            }
            let mut visits: Vec<(usize, usize)> = vec![(root, 0)];
            while let Some((at, edge)) = visits.pop() {
                if edge == 0 {
                    order[at] = next_order;
                    low[at] = next_order;
                    next_order += 1;
                    stack.push(at);
                    on_stack[at] = true;
                }
                if let Some(&(next, _)) = self.edges[at].get(edge) {
                    visits.push((at, edge + 1));
                    if order[next] == UNSEEN {
                        visits.push((next, 0));
                    } else if on_stack[next] {
                        low[at] = low[at].min(order[next]);
                    }
                    continue;
                }
                if low[at] == order[at] {
                    let from = stack.iter().rposition(|node| *node == at).unwrap_or(0);
                    let is_cycle = stack.len() - from > 1;
                    for node in stack.drain(from..) {
                        on_stack[node] = false;
                        cyclic[node] = is_cycle;
                    }
                }
                if let Some((parent, _)) = visits.last() {
                    low[*parent] = low[*parent].min(low[at]);
                }
            }
        }
        cyclic
    }
}

/// The graph of the points of tasks. Edges that follow from the tree have the default label.
#[derive(Clone, Debug)]
pub struct TaskGraph<L>(Graph<L>);

impl<L: Copy + Default> TaskGraph<L> {
    /// Creates the graph of a number of tasks, without any edges.
    pub fn new(tasks: usize) -> Self {
        Self(Graph::new(2 * tasks))
    }

    /// Puts the start of a task before its finish.
    pub fn add_task(&mut self, task: usize) {
        self.0.add(start(task), finish(task), L::default());
    }

    /// Puts a task inside its parent.
    pub fn add_child(&mut self, parent: usize, child: usize) {
        self.0.add(start(parent), start(child), L::default());
        self.0.add(finish(child), finish(parent), L::default());
    }

    /// Adds a dependency: `from` waits for `to`.
    pub fn add_dependency(&mut self, from: usize, to: usize, kind: DependencyType, label: L) {
        let (held_by, holds) = match kind {
            DependencyType::FinishToStart => (finish(to), start(from)),
            DependencyType::StartToStart => (start(to), start(from)),
            DependencyType::FinishToFinish => (finish(to), finish(from)),
            DependencyType::StartToFinish => (start(to), finish(from)),
        };
        self.0.add(held_by, holds, label);
    }

    pub fn points(&self) -> &Graph<L> {
        &self.0
    }
}

/// Returns the point at which a task starts.
pub fn start(task: usize) -> usize {
    2 * task
}

/// Returns the point at which a task finishes.
pub fn finish(task: usize) -> usize {
    2 * task + 1
}

/// Returns the task of a point.
pub fn task_of(point: usize) -> usize {
    point / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two phases with one task each: 0 holds 1, and 2 holds 3.
    fn two_phases() -> TaskGraph<Option<&'static str>> {
        let mut graph = TaskGraph::new(4);
        (0..4).for_each(|task| graph.add_task(task));
        graph.add_child(0, 1);
        graph.add_child(2, 3);
        graph
    }

    #[test]
    fn tasks_of_two_phases_that_wait_for_each_other_form_a_cycle() {
        let mut graph = two_phases();
        graph.add_dependency(1, 2, DependencyType::FinishToStart, Some("a"));
        assert!(graph.points().is_acyclic() && graph.points().cycles(10).is_empty());
        graph.add_dependency(3, 0, DependencyType::FinishToStart, Some("b"));
        assert!(!graph.points().is_acyclic());
        let cycles = graph.points().cycles(10);
        let mut labels: Vec<&str> = cycles[0].1.iter().filter_map(|label| *label).collect();
        labels.sort_unstable();
        assert_eq!(labels, ["a", "b"]);
        let on_cycles = graph.points().nodes_on_cycles();
        let starts: Vec<usize> = (0..4).filter(|task| on_cycles[start(*task)]).collect();
        let finishes: Vec<usize> = (0..4).filter(|task| on_cycles[finish(*task)]).collect();
        assert_eq!((starts, finishes), (vec![1, 3], vec![0, 1, 2, 3]));
    }

    #[test]
    fn a_dependency_between_starts_leaves_the_finishes_free() {
        let mut graph = TaskGraph::new(2);
        (0..2).for_each(|task| graph.add_task(task));
        graph.add_dependency(1, 0, DependencyType::StartToStart, ());
        graph.add_dependency(0, 1, DependencyType::FinishToFinish, ());
        assert!(graph.points().is_acyclic());
        graph.add_dependency(0, 1, DependencyType::StartToStart, ());
        assert!(!graph.points().is_acyclic());
    }

    #[test]
    fn the_order_follows_the_edges_and_ends_with_what_no_order_can_hold() {
        let mut graph = Graph::new(5);
        for (from, to) in [(3, 0), (0, 1), (2, 4), (4, 2)] {
            graph.add(from, to, ());
        }
        assert_eq!(graph.order(), [3, 0, 1, 2, 4]);
        assert!(!graph.is_acyclic());
        assert_eq!(graph.nodes_on_cycles(), [false, false, true, false, true]);
    }

    #[test]
    fn a_path_has_the_labels_of_its_edges() {
        let mut graph = Graph::new(4);
        for (from, to, label) in [(0, 1, 'a'), (1, 2, 'b'), (0, 3, 'c'), (3, 2, 'd'), (2, 0, 'e')] {
            graph.add(from, to, label);
        }
        assert_eq!(graph.path(0, 2), Some(vec!['a', 'b']));
        assert_eq!(graph.path(1, 3), Some(vec!['b', 'e', 'c']));
        assert_eq!(graph.path(1, 1), Some(Vec::new()));
        assert_eq!(Graph::<()>::new(2).path(0, 1), None);
    }
}
