//! Moves a task to another place among its siblings, another parent or another project.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Applier, ApplyResult};
use crate::domain::any_record::AnyRecord;
use crate::domain::hint::Hint;
use crate::domain::id::{EntityId, ProjectId, TaskId};
use crate::domain::key::TaskKey;
use crate::domain::link::{LinkKind, TaskLink};
use crate::domain::patch::{Op, Patch, Placement};
use crate::domain::state::ProjectState;
use crate::domain::task::Task;
use crate::domain::value::FieldValue;
use crate::domain::violation::{Rule, Violation};

/// Distance between the positions of siblings, so that a task fits between two others without
/// renumbering.
const GAP: i64 = 1024;
/// Minimum distance after a single sibling is renumbered.
const MIN_GAP: i64 = 2;

impl Applier<'_> {
    pub(super) fn relocate(&mut self, patch: &Patch) -> ApplyResult {
        let known = self.violations.len();
        let record = self.target(patch)?;
        let AnyRecord::Task(task) = record else {
            let message = format!("a {} cannot be moved", record.entity().noun());
            return self.fail(Violation::new(self.patch, Rule::Operation, message).field("entity"));
        };
        let from = task.project_id;
        let task = self.live_task(from, task.id, "id")?;
        if let Some(field) =
            patch.fields.keys().find(|field| !matches!(field.as_str(), "parent_id" | "project_id"))
        {
            let err = Violation::new(
                self.patch,
                Rule::Operation,
                "a move takes parent_id, project_id and place only",
            );
            return self
                .fail(err.field(format!("fields.{field}")).hint("use op update for other fields"));
        }
        if patch.fields.is_empty() && patch.place.is_none() {
            let err = Violation::new(
                self.patch,
                Rule::Shape,
                "a move must give a destination: parent_id, project_id or place",
            );
            return self.fail(err.field("fields"));
        }
        let to = match patch.fields.get("project_id") {
            None => from,
            Some(value) => match ProjectId::read(value) {
                Ok(to) => to,
                Err(invalid) => {
                    return self.fail(
                        Violation::new(self.patch, Rule::Value, invalid.0)
                            .field("fields.project_id"),
                    );
                }
            },
        };
        self.project(to)?;
        let named = patch.fields.get("parent_id");
        let named = named
            .map(|value| if value.is_null() { Ok(None) } else { TaskId::read(value).map(Some) });
        let parent_id = match named {
            None if to == from => task.parent_id,
            None => None,
            Some(Ok(parent)) => parent,
            Some(Err(invalid)) => {
                return self.fail(
                    Violation::new(self.patch, Rule::Value, invalid.0).field("fields.parent_id"),
                );
            }
        };
        let parent = match parent_id {
            Some(id) => Some(self.live_task(to, id, "fields.parent_id")?),
            None => None,
        };
        // A place among the same siblings does not depend on the kind of the parent.
        if to != from || parent_id != task.parent_id {
            self.check_parent_kind(parent.as_deref(), "fields.parent_id")?;
        }
        let below_itself = parent.as_ref().is_some_and(|parent| {
            to == from
                && self
                    .state
                    .project(from)
                    .is_some_and(|project| project.is_within(parent.id, task.id))
        });
        if below_itself {
            let message = format!("{} cannot be below itself", task.key);
            return self.fail(
                Violation::new(self.patch, Rule::OwnDescendant, message).field("fields.parent_id"),
            );
        }

        let branch: Vec<Arc<Task>> = match self.state.project(from) {
            Some(project) => project.descendants(task.id).into_iter().cloned().collect(),
            None => Vec::new(),
        };
        if to != from {
            self.detach_from_project(&task, &branch, to)?;
        }
        self.touch_graph(to);
        let keeps_place = patch.place.is_none() && to == from && parent_id == task.parent_id;
        let mut moved = Arc::unwrap_or_clone(Arc::clone(&task));
        if to != from {
            self.rename(&mut moved, to);
        }
        self.attach_to_parent(&mut moved, parent.as_deref())?;
        if !keeps_place {
            moved.position = self.position(to, moved.parent_id, patch, moved.id)?;
        }
        self.write(
            Op::Move,
            AnyRecord::Task(Arc::new(moved)),
            Some(AnyRecord::Task(task).record_key()),
        );
        for below in branch {
            let mut moved = Arc::unwrap_or_clone(Arc::clone(&below));
            if to != from {
                self.rename(&mut moved, to);
            }
            let parent =
                moved.parent_id.and_then(|parent| self.state.project(to)?.task(parent).cloned());
            self.attach_to_parent(&mut moved, parent.as_deref())?;
            if moved != *below {
                self.write(
                    Op::Move,
                    AnyRecord::Task(Arc::new(moved)),
                    Some(AnyRecord::Task(below).record_key()),
                );
            }
        }
        if self.violations.len() > known { Err(super::Failed) } else { Ok(()) }
    }

    /// Gives a task from another project a key in its new project: its former key there, if it had
    /// one. The key that it leaves still finds it.
    fn rename(&mut self, task: &mut Task, to: ProjectId) {
        let left = task.key.to_string();
        let next = self.next_number(to);
        self.assign_key(task, to, next);
        let prefix = format!("{}-", task.key.project());
        let had = task.former_keys.0.iter().position(|key| key.starts_with(&prefix));
        if let Some(number) =
            had.and_then(|at| task.former_keys.0.remove(at).parse::<TaskKey>().ok())
        {
            self.assign_key(task, to, number.number());
        }
        task.former_keys.0.push(left);
    }

    /// Deletes the links to requirements, which cannot cross projects, and moves the links that
    /// start in the branch. Refuses the move if a dependency would cross projects.
    fn detach_from_project(
        &mut self,
        task: &Task,
        branch: &[Arc<Task>],
        to: ProjectId,
    ) -> ApplyResult {
        let from = task.project_id;
        let ids: BTreeSet<TaskId> = branch.iter().map(|task| task.id).chain([task.id]).collect();
        let project = self.project(from)?;
        let mut links: Vec<_> =
            ids.iter().flat_map(|id| project.all_links_at(*id)).cloned().collect();
        links.sort_by_key(|link| link.id);
        links.dedup_by_key(|link| link.id);
        let answers: Vec<_> =
            ids.iter().flat_map(|id| project.coverage_of(id.uuid())).cloned().collect();
        let is_torn = |link: &&Arc<TaskLink>| {
            let is_inside = ids.contains(&link.from_id) && ids.contains(&link.to_id);
            link.deleted_at.is_none() && link.kind == LinkKind::DependsOn && !is_inside
        };
        let outer = links.iter().find(is_torn);
        if let Some(link) = outer {
            let name = |id| project.task(id).map_or_else(String::new, |task| task.key.to_string());
            let (waiting, waited) = (name(link.from_id), name(link.to_id));
            let message =
                format!("{waiting} depends on {waited}, but a dependency cannot cross projects");
            let hint = Hint::UnlinkTasks { dependent: waiting, prerequisite: waited };
            let err = Violation::new(self.patch, Rule::DependencyAcrossProjects, message);
            return self.fail(err.field("fields.project_id").hint(hint));
        }
        let highest = self.next_number(from) - 1;
        if let Some(project) = self.state.project(from).and_then(|state| state.project()).cloned() {
            let mut left = Arc::unwrap_or_clone(Arc::clone(&project));
            left.left_number = highest;
            self.write(
                Op::Update,
                AnyRecord::Project(Arc::new(left)),
                Some(AnyRecord::Project(project).record_key()),
            );
        }
        for answer in answers {
            self.end(Op::Unlink, AnyRecord::TaskRequirement(answer));
        }
        // Deleted links too: a link belongs to the project of the task that it starts from, and a
        // restore looks for it there.
        for link in links.into_iter().filter(|link| ids.contains(&link.from_id)) {
            let mut moved = Arc::unwrap_or_clone(Arc::clone(&link));
            moved.project_id = to;
            self.write(
                Op::Move,
                AnyRecord::TaskLink(Arc::new(moved)),
                Some(AnyRecord::TaskLink(link).record_key()),
            );
        }
        Ok(())
    }

    /// Returns the position of a task at the place of the patch among the children of `parent`.
    /// Makes room if there is none.
    pub(super) fn position(
        &mut self,
        project: ProjectId,
        parent: Option<TaskId>,
        patch: &Patch,
        task: TaskId,
    ) -> ApplyResult<i64> {
        let state = self.project(project)?;
        let is_other = |other: &&Arc<Task>| other.id != task;
        let sibling = |id: TaskId| {
            state.task(id).filter(|other| other.id != task && other.parent_id == parent)
        };
        let (before, after) = match patch.place.unwrap_or(Placement::Last) {
            Placement::First => (None, state.children(parent).find(is_other)),
            Placement::Last => (state.children(parent).rev().find(is_other), None),
            Placement::After(id) => match sibling(id) {
                Some(before) => {
                    (Some(before), state.behind(parent, (before.position, id)).find(is_other))
                }
                None => return self.no_sibling(id),
            },
            Placement::Before(id) => match sibling(id) {
                Some(after) => {
                    (state.before(parent, (after.position, id)).find(is_other), Some(after))
                }
                None => return self.no_sibling(id),
            },
        };
        let is_free = |position: &i64| {
            before.is_none_or(|before| before.position < *position)
                && after.is_none_or(|after| *position < after.position)
        };
        if let Some(position) = patch.position.filter(is_free) {
            return Ok(position);
        }
        match (before, after) {
            (None, None) => Ok(0),
            (Some(before), None) => Ok(before.position + GAP),
            (None, Some(after)) => Ok(after.position - GAP),
            (Some(before), Some(after)) if after.position - before.position > 1 => {
                Ok(before.position + (after.position - before.position) / 2)
            }
            (Some(before), Some(_)) => {
                let (start, renumbered) =
                    (before.position, renumber_after(state, parent, before, task));
                for (sibling, position) in renumbered.siblings {
                    let slot = AnyRecord::Task(Arc::clone(&sibling)).record_key();
                    let moved = Task { position, ..Arc::unwrap_or_clone(sibling) };
                    self.write(Op::Move, AnyRecord::Task(Arc::new(moved)), Some(slot));
                }
                Ok(start + renumbered.gap)
            }
        }
    }

    fn no_sibling<T>(&mut self, id: TaskId) -> ApplyResult<T> {
        let err = Violation::new(
            self.patch,
            Rule::UnknownReference,
            "names a task that is not a sibling there",
        )
        .field("place");
        self.lost(id.uuid(), err)
    }
}

/// Siblings with new positions that leave room before the first of them.
struct Renumbered {
    siblings: Vec<(Arc<Task>, i64)>,
    gap: i64,
}

/// Renumbers the fewest siblings behind `before` that have enough room among them. The more
/// siblings it takes, the larger the required gap; a series of tasks moved to one place then
/// renumbers only a few siblings each time.
fn renumber_after(
    state: &ProjectState,
    parent: Option<TaskId>,
    before: &Task,
    task: TaskId,
) -> Renumbered {
    let mut behind = state
        .behind(parent, (before.position, before.id))
        .filter(|other| other.id != task)
        .peekable();
    let mut siblings: Vec<&Arc<Task>> = Vec::new();
    let mut wanted = MIN_GAP;
    let gap = loop {
        let count = siblings.len().max(1);
        siblings.extend(behind.by_ref().take(count));
        let Some(next) = behind.peek() else { break GAP };
        let gap = (next.position - before.position) / (siblings.len() as i64 + 2);
        if gap >= wanted {
            break gap;
        }
        wanted = (2 * wanted).min(GAP / 2);
    };
    let position = |index: usize| before.position + gap * (index as i64 + 2);
    let numbered = siblings
        .into_iter()
        .enumerate()
        .map(|(index, sibling)| (Arc::clone(sibling), position(index)));
    Renumbered {
        siblings: numbered.filter(|(sibling, position)| sibling.position != *position).collect(),
        gap,
    }
}
