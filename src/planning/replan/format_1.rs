//! The merge base of a project that was last planned in format 1. There, no record stored which
//! rows and requirements the last description stated; the plan of that description tells it. The
//! next plan that changes the project stores the whole base.

use std::collections::{BTreeMap, BTreeSet};

use super::merge_base::{MergeBase, RequirementBase, normal};
use crate::domain::state::ProjectState;
use crate::planning::plan::{Plan, fitting_title};

/// Adds what the last description stated to the base that the records store. Without its plan, the
/// description counts as stating none of the deleted tasks and none of the requirements.
pub(super) fn complete(base: &mut MergeBase, project: &ProjectState, previous: Option<&Plan>) {
    let mut rows: BTreeMap<(String, Option<u32>), usize> = BTreeMap::new();
    for node in previous.into_iter().flat_map(|plan| &plan.nodes) {
        let line = node.line().and_then(|line| u32::try_from(line).ok());
        *rows.entry((normal(&fitting_title(&node.title)), line)).or_default() += 1;
    }
    let mut tasks: Vec<_> = project.tasks().collect();
    tasks.sort_by_key(|task| (!task.is_live(), task.key.number()));
    for task in tasks {
        let Some(known) = base.tasks.get_mut(&task.id) else { continue };
        // A person deleted the task if the last planned description still states it on the task's
        // source line, which every plan updates. Otherwise a plan or an undo deleted it.
        let left = rows.get_mut(&(normal(known.title()), task.source_line));
        let is_stated =
            left.is_some_and(|left| std::mem::replace(left, left.saturating_sub(1)) > 0);
        known.gone |= !task.is_live() && !is_stated;
    }
    let stated = previous.into_iter().flat_map(|plan| &plan.requirements);
    let stated: BTreeSet<String> = stated.map(|known| normal(&known.text)).collect();
    let planned = project.requirements().filter(|requirement| {
        requirement.source.is_some() && stated.contains(&normal(requirement.text.as_str()))
    });
    base.requirements.extend(
        planned.map(|requirement| (requirement.id, RequirementBase::of(requirement.text.as_str()))),
    );
}
