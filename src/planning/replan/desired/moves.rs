//! Places tasks: new tasks into the tree, existing tasks at their new position in the description.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::Rows;
use super::tree::Tree;
use crate::domain::id::TaskId;
use crate::planning::replan::context::Context;
use crate::planning::replan::matching::Matched;

/// Tasks that move, and tasks that stay despite a move in the description, with the reason.
#[derive(Debug, Default)]
pub struct Moves {
    pub made: BTreeSet<TaskId>,
    pub kept: BTreeMap<TaskId, &'static str>,
}

/// Places every task in the tree. If the moves together would turn a person's link into a cycle,
/// they are tried one by one.
pub fn moves(
    context: &Context<'_>,
    matched: &Matched<'_>,
    rows: &Rows<'_>,
    tree: &mut Tree,
) -> Moves {
    let deepest = context.state.lake.as_ref().map_or(5, |lake| lake.max_depth).into();
    let before = tree.clone();
    let mut moves = place_all(matched, rows, tree, deepest, false);
    if !tree.is_acyclic() {
        *tree = before;
        moves = place_all(matched, rows, tree, deepest, true);
    }
    reorder(context, matched, rows, &mut moves);
    moves
}

fn place_all(
    matched: &Matched<'_>,
    rows: &Rows<'_>,
    tree: &mut Tree,
    deepest: usize,
    carefully: bool,
) -> Moves {
    let mut moves = Moves::default();
    for (row, task) in rows.tasks().enumerate() {
        let Some(id) = task else { continue };
        let wanted = rows.planned_parent(row);
        let Some(known) = matched.live(row) else {
            let parent = nearest_allowed_parent(tree, wanted, deepest);
            tree.put(id, parent);
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
            obstacle(tree, id, wanted, deepest, carefully)
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

/// Moves a task in the tree, or leaves it in place and returns the reason.
fn obstacle(
    tree: &mut Tree,
    id: TaskId,
    wanted: Option<TaskId>,
    deepest: usize,
    carefully: bool,
) -> Option<&'static str> {
    if wanted.is_some_and(|parent| !tree.holds(parent)) {
        return Some("the task it would stand below was deleted");
    }
    if wanted.is_some_and(|parent| tree.is_within(parent, id)) {
        return Some("its new parent was moved below it by hand");
    }
    let from = tree.parent(id);
    tree.put(id, wanted);
    let reason = if tree.deepest_below(id) > deepest {
        "the tasks below it would stand too deep"
    } else if carefully && !tree.is_acyclic() {
        "a dependency made by hand would become a circle"
    } else {
        return None;
    };
    tree.put(id, from);
    Some(reason)
}

/// Returns the lowest task from `wanted` upwards that can have another level below it.
fn nearest_allowed_parent(tree: &Tree, wanted: Option<TaskId>, deepest: usize) -> Option<TaskId> {
    let mut at = wanted;
    while let Some(parent) = at.filter(|parent| tree.depth(*parent) >= deepest) {
        at = tree.parent(parent);
    }
    at
}

/// Moves siblings whose statements changed places. The order set by people is ignored: only the old
/// and new order of the lines count.
fn reorder(context: &Context<'_>, matched: &Matched<'_>, rows: &Rows<'_>, moves: &mut Moves) {
    let mut siblings: BTreeMap<Option<TaskId>, Vec<(usize, usize)>> = BTreeMap::new();
    for row in 0..rows.len() {
        let Some(known) = matched.live(row) else { continue };
        let stays = !moves.made.contains(&known.task.id)
            && known.task.parent_id == rows.planned_parent(row);
        if let Some(line) = known.task.source_line.filter(|_| stays) {
            siblings.entry(known.task.parent_id).or_default().push((row, line as usize));
        }
    }
    for group in siblings.values() {
        let lines: Option<Vec<usize>> =
            group.iter().map(|(row, _)| context.plan().nodes[*row].line()).collect();
        // Without lines, the order of the statements in the text is unknown.
        if !lines.is_some_and(|lines| lines.is_sorted()) {
            continue;
        }
        let stay = longest_rise(&group.iter().map(|(_, line)| *line).collect::<Vec<_>>());
        for (at, (row, _)) in group.iter().enumerate() {
            let Some(known) = matched.live(*row) else { continue };
            if !stay.contains(&at) && !known.task.status.is_closed() {
                moves.made.insert(known.task.id);
            }
        }
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
