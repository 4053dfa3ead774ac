//! Second step: how tasks, links and requirements should be, with respect to people's changes.

pub mod links;
pub mod moves;
pub mod removed;
mod requirements;
pub mod rows;
mod tree;

use std::collections::BTreeSet;

use links::Links;
use moves::Moves;
use removed::Removed;
use requirements::Requirements;
use rows::Rows;
use tree::Tree;

use super::context::Context;
use super::matching::Matched;
use crate::domain::id::{RequirementId, TaskId};

/// The project as it should be.
#[derive(Debug)]
pub struct Desired<'a> {
    pub rows: Rows<'a>,
    pub requirements: Requirements,
    /// Covered requirements of each row.
    pub covers: Vec<BTreeSet<RequirementId>>,
    pub links: Links<'a>,
    pub moves: Moves,
    pub removed: Removed,
    /// The task tree and the dependencies afterwards.
    tree: Tree,
}

/// Decides what becomes of each part of the plan and of each planned record. Every decision sees
/// the effects of the ones before it on the tree.
pub fn desired<'a>(context: &Context<'a>, matched: &Matched<'a>) -> Desired<'a> {
    let rows = Rows::of(context, matched);
    let requirements = Requirements::of(context, matched);
    let mut tree = Tree::of(context.project);
    let after = links::prerequisites(context.plan(), &rows);
    let stale = links::stale(context, matched, &after, &mut tree);
    let moves = moves::moves(context, matched, &rows, &mut tree);
    let removed = removed::removed(context, matched, &mut tree);
    let missing = links::missing(context, matched, &rows, &after);
    let left_out = links::left_out(&missing, &mut tree);
    Desired {
        covers: requirements.covered_by_rows(context.plan()),
        requirements,
        links: Links { after, stale, missing, left_out },
        rows,
        moves,
        removed,
        tree,
    }
}

impl Desired<'_> {
    /// Returns the parent of a task afterwards.
    pub fn parent(&self, task: TaskId) -> Option<TaskId> {
        self.tree.parent(task)
    }
}
