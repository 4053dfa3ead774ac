//! Third step: what has to change, and the report.

mod change;
mod links;
mod project;
mod removed;
mod requirements;
mod tasks;

pub use change::Change;

use change::Diff;

use super::context::Context;
use super::desired::Desired;
use super::matching::Matched;
use super::merge_base::MergeBase;
use super::report::Row;

/// Compares the project with how it should be. The order of the changes is the order of the
/// patches: users, the project, requirements, tasks, links, removed tasks, removed requirements.
pub fn diff(
    context: &Context<'_>,
    base: &MergeBase,
    matched: &Matched<'_>,
    desired: &Desired<'_>,
) -> Diff {
    let mut diff = Diff::default();
    project::users(matched, &mut diff);
    project::project(context, base, &mut diff);
    requirements::stated(context, matched, desired, &mut diff);
    links::kept(context, desired, &mut diff);
    tasks::rows(context, matched, desired, &mut diff);
    links::links(context, desired, &mut diff);
    links::coverage(context, matched, desired, &mut diff);
    removed::tasks(matched, desired, &mut diff);
    removed::forgotten(context, base, matched, &mut diff);
    requirements::ended(matched, desired, &mut diff);
    diff.report.rows = (context.plan().nodes.iter().zip(desired.rows.tasks()))
        .map(|(node, task)| Row { key: node.key.clone(), task })
        .collect();
    diff
}
