//! Places tasks: new tasks into the tree, existing tasks at their new position in the description.

use std::collections::{BTreeMap, BTreeSet};

use super::Replanner;
use super::task_graph::TaskGraph;
use crate::domain::id::TaskId;

/// Tasks that move, and tasks that stay despite a move in the description, with the reason.
#[derive(Default)]
pub(super) struct Moves {
    pub made: BTreeSet<TaskId>,
    pub kept: BTreeMap<TaskId, &'static str>,
}

impl Replanner<'_> {
    /// Places every task. If the moves together would turn a person's link into a cycle, they are
    /// tried one by one.
    pub(super) fn moves(&mut self) -> Moves {
        let before = self.graph.clone();
        let mut moves = self.place_all(false);
        if !self.graph.is_acyclic() {
            self.graph = before;
            moves = self.place_all(true);
        }
        self.reorder(&mut moves);
        moves
    }

    fn place_all(&mut self, carefully: bool) -> Moves {
        let mut moves = Moves::default();
        for index in 0..self.tasks.len() {
            let Some(id) = self.tasks[index] else { continue };
            let wanted = self.planned_parent(index);
            let Some(known) = self.live(index) else {
                let parent = self.nearest_allowed_parent(wanted);
                self.graph.put(id, parent);
                continue;
            };
            let task = known.task;
            if known.base.parent == wanted || task.parent_id == wanted {
                continue;
            }
            let obstacle = if task.status.is_closed() {
                Some("finished work is not moved")
            } else if task.parent_id != known.base.parent {
                Some("it was moved by hand since it was planned")
            } else {
                self.obstacle(id, wanted, carefully)
            };
            match obstacle {
                Some(reason) => {
                    moves.kept.insert(id, reason);
                }
                None => {
                    moves.made.insert(id);
                }
            }
        }
        moves
    }

    /// Moves a task in the shape, or leaves it in place and returns the reason.
    fn obstacle(
        &mut self,
        id: TaskId,
        wanted: Option<TaskId>,
        carefully: bool,
    ) -> Option<&'static str> {
        if wanted.is_some_and(|parent| !self.graph.holds(parent)) {
            return Some("the task it would stand below was deleted");
        }
        if wanted.is_some_and(|parent| self.graph.is_within(parent, id)) {
            return Some("its new parent was moved below it by hand");
        }
        let from = self.graph.parent(id);
        self.graph.put(id, wanted);
        let reason = if self.graph.deepest_below(id) > self.deepest {
            "the tasks below it would stand too deep"
        } else if carefully && !self.graph.is_acyclic() {
            "a dependency made by hand would become a circle"
        } else {
            return None;
        };
        self.graph.put(id, from);
        Some(reason)
    }

    /// Returns the lowest task from `wanted` upwards that can have another level below it.
    fn nearest_allowed_parent(&self, wanted: Option<TaskId>) -> Option<TaskId> {
        let mut at = wanted;
        while let Some(parent) = at.filter(|parent| self.graph.depth(*parent) >= self.deepest) {
            at = self.graph.parent(parent);
        }
        at
    }

    /// Moves siblings whose statements changed places. The order set by people is ignored: only the
    /// old and new order of the lines count.
    fn reorder(&self, moves: &mut Moves) {
        let mut siblings: BTreeMap<Option<TaskId>, Vec<(usize, usize)>> = BTreeMap::new();
        for index in 0..self.tasks.len() {
            let Some(known) = self.live(index) else { continue };
            let stays = !moves.made.contains(&known.task.id)
                && known.task.parent_id == self.planned_parent(index);
            if let Some(line) = known.task.source_line.filter(|_| stays) {
                siblings.entry(known.task.parent_id).or_default().push((index, line as usize));
            }
        }
        for group in siblings.values() {
            let lines: Option<Vec<usize>> =
                group.iter().map(|(index, _)| self.input.plan.nodes[*index].line()).collect();
            // Without lines, the order of the statements in the text is unknown.
            if !lines.is_some_and(|lines| lines.is_sorted()) {
                continue;
            }
            let stay = longest_rise(&group.iter().map(|(_, line)| *line).collect::<Vec<_>>());
            for (at, (index, _)) in group.iter().enumerate() {
                let Some(known) = self.live(*index) else { continue };
                if !stay.contains(&at) && !known.task.status.is_closed() {
                    moves.made.insert(known.task.id);
                }
            }
        }
    }
}

impl TaskGraph {
    fn deepest_below(&self, id: TaskId) -> usize {
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
}

/// Returns the indices of a longest non-decreasing subsequence.
fn longest_rise(values: &[usize]) -> BTreeSet<usize> {
    // For each length, the index of the smallest last value of such a subsequence.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; values.len()];
    for (index, value) in values.iter().enumerate() {
        let length = ends.partition_point(|end| values[*end] <= *value);
        before[index] = length.checked_sub(1).map(|shorter| ends[shorter]);
        if length == ends.len() { ends.push(index) } else { ends[length] = index }
    }
    std::iter::successors(ends.last().copied(), |index| before[*index]).collect()
}

#[cfg(test)]
mod tests {
    use super::longest_rise;

    #[test]
    fn one_that_jumped_is_the_one_that_moves() {
        assert_eq!(longest_rise(&[4, 1, 2, 3]).into_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(longest_rise(&[1, 1, 5, 2]).len(), 3);
        assert!(longest_rise(&[]).is_empty());
    }
}
