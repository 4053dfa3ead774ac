//! Converts a description to patches: a complete project at first, only the differences later.
//!
//! # Rules of a re-plan
//! - An unchanged statement keeps its task and the task's id, even if a person has moved the task.
//! - A changed statement updates a field only if the plan has a new value and the task still has
//!   the plan's previous value. A person's edit wins, and the report mentions it. The merge base
//!   has the plan's previous values.
//! - A moved statement moves its task. A new statement creates a task.
//! - A removed statement deletes its task only if nobody touched the task: it has its planned
//!   status, no spent time, no edits, links or moves by a person, and no subtask that stays. Any
//!   other task stays and is reported.
//! - A statement marked as cancelled cancels its task and the tasks below, unless a person started
//!   or closed the task. A statement that returns reopens the task cancelled this way.
//! - Apart from that, a closed task is never reopened, renamed, moved or re-estimated; only its line
//!   numbers follow the text.
//! - A task deleted by a person is not created again while its statement is unchanged.
//! - Dependencies and covered requirements follow the description if the plan created them. A link
//!   created by a person stays. A link removed by a person is not created again. A link that would
//!   form a cycle with a person's link is left out.
//!
//! Planning the same description twice gives no patches. Every update expects the values that it
//! replaces, so a concurrent change causes a conflict and is never overwritten.
//!
//! # Steps
//! Each step is a function from the results of the steps before it:
//! 1. `matching`: which task, requirement and user each part of the plan means.
//! 2. `desired`: how tasks, links and requirements should be, with respect to people's changes.
//! 3. `diff`: what has to change, and the report.
//! 4. `patches`: the changes as patches.

mod base_storage;
mod context;
mod desired;
mod diff;
mod format_1;
mod matching;
mod merge_base;
mod patches;
pub mod report;
mod task_fields;

pub use base_storage::needs_previous;
pub use context::Description;

use context::Context;
use report::Report;

use crate::domain::id::{PatchSetId, ProjectId};
use crate::domain::patch::Patch;
use crate::domain::state::{ProjectState, State};
use crate::planning::plan::Plan;

/// Patches and report of a re-plan.
#[derive(Clone, Debug)]
pub struct Replan {
    pub project: ProjectId,
    pub patches: Vec<Patch>,
    pub report: Report,
}

/// Plans the changes that bring `project` (a new project if `None`) in line with the description.
/// `previous` is the plan of the project's current description, extracted again, for a project that
/// [`needs_previous`]; `None` if there is none. Ids are derived from `set`.
pub fn replan(
    state: &State,
    project: Option<&ProjectState>,
    input: Description<'_>,
    previous: Option<&Plan>,
    set: PatchSetId,
) -> Replan {
    let base = base_storage::read(project, previous);
    let context = Context::new(state, project, input, set);
    let matched = matching::matched(&context, &base);
    let desired = desired::desired(&context, &matched);
    let mut diff = diff::diff(&context, &base, &matched, &desired);
    if !base.is_complete && diff.changes.iter().all(|made| made.sets_only(base_storage::FIELD)) {
        // Nothing changes, so the missing part of the base is stored by a later plan.
        diff.changes.clear();
    }
    let patches = patches::patches(&diff.changes, context.id);
    Replan { project: context.id, patches, report: diff.report }
}

#[cfg(test)]
mod tests;
