//! Merges dependencies and covered requirements from the current plan, the previous plan and
//! people's edits.

use std::sync::Arc;

use super::Replanner;
use super::merge_base::MergeBase;
use super::report::Mark;
use crate::domain::id::{EntityId, RequirementId, TaskId, derived};
use crate::domain::link::{DependencyType, LinkKind, TaskLink};
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::domain::value::FieldValue;
use crate::planning::plan::fitting_title;

impl Replanner<'_> {
    /// Records the prerequisites and covered requirements of every row.
    pub(super) fn want_links(&mut self, requirements: &[Option<RequirementId>]) {
        let plan = self.input.plan;
        let rows = plan.rows();
        for link in &plan.links {
            let (Some(from), Some(to)) = (rows.get(link.from.as_str()), rows.get(link.to.as_str()))
            else {
                continue;
            };
            if let (Some(_), Some(to)) = (self.tasks[*from], self.tasks[*to]) {
                self.wanted[*from].insert(to);
            }
        }
        for (requirement, id) in plan.requirements.iter().zip(requirements) {
            let Some(id) = id else { continue };
            for row in requirement.covered_by.iter().filter_map(|key| rows.get(key.as_str())) {
                self.wanted_requirements[*row].insert(*id);
            }
        }
    }

    /// Removes dependencies that the plan created and no longer contains.
    pub(super) fn unlink(&mut self) {
        for index in 0..self.tasks.len() {
            let Some(known) = self.live(index) else { continue };
            for to in &known.base.after {
                let input = self.wanted[index].contains(to);
                let Some(link) = self.dependency(known.task.id, *to).filter(|_| !input).cloned()
                else {
                    continue;
                };
                let id = link.id.uuid();
                let is_edited =
                    link.dependency != DependencyType::FinishToStart || link.lag_minutes.get() != 0;
                let title = self.link_title(link.from_id, link.to_id);
                if is_edited {
                    let item = self
                        .report
                        .push(Mark::Kept, Entity::TaskLink, id, &title)
                        .between(known.task.id, *to);
                    item.because(
                        "no longer in the description; it was edited since it was planned",
                    );
                    continue;
                }
                self.graph.unlink(known.task.id, *to);
                self.removed_links.push(link);
            }
        }
    }

    fn dependency(&self, from: TaskId, to: TaskId) -> Option<&Arc<TaskLink>> {
        let mut links = self.project?.links_at(from);
        links.find(|link| {
            link.kind == LinkKind::DependsOn && link.from_id == from && link.to_id == to
        })
    }

    /// Whether the plan's link is missing and was not removed by a person.
    fn is_missing(&self, index: usize, from: TaskId, to: TaskId) -> bool {
        let stated_before = self.live(index).is_some_and(|known| known.base.after.contains(&to));
        !stated_before && self.dependency(from, to).is_none()
    }

    fn missing(&self) -> Vec<(TaskId, TaskId)> {
        let rows =
            self.tasks.iter().enumerate().filter_map(|(index, task)| Some((index, (*task)?)));
        let links = rows
            .flat_map(|(index, from)| self.wanted[index].iter().map(move |to| (index, from, *to)));
        links
            .filter(|(index, from, to)| self.is_missing(*index, *from, *to))
            .map(|(_, from, to)| (from, to))
            .collect()
    }

    /// Finds the new dependencies that would form a cycle with a person's changes.
    pub(super) fn try_links(&mut self) {
        let missing = self.missing();
        let before = self.graph.clone();
        for (from, to) in &missing {
            self.graph.link(*from, *to);
        }
        if self.graph.is_acyclic() {
            return;
        }
        self.graph = before;
        for (from, to) in missing {
            self.graph.link(from, to);
            if !self.graph.is_acyclic() {
                self.graph.unlink(from, to);
                self.left_out.insert((from, to));
            }
        }
    }

    /// Returns the dependencies that the plan owns from now on.
    pub(super) fn remembered_links(
        &self,
        index: usize,
        from: TaskId,
        old: Option<&MergeBase>,
    ) -> Vec<TaskId> {
        let is_ours = |to: &&TaskId| {
            let stated_before = old.is_some_and(|base| base.after.contains(to));
            stated_before
                || (!self.left_out.contains(&(from, **to)) && self.dependency(from, **to).is_none())
        };
        self.wanted[index].iter().filter(is_ours).copied().collect()
    }

    pub(super) fn remembered_answers(
        &self,
        index: usize,
        task: TaskId,
        old: Option<&MergeBase>,
    ) -> Vec<RequirementId> {
        let is_ours = |requirement: &&RequirementId| {
            let stated_before = old.is_some_and(|base| base.answers.contains(requirement));
            stated_before || !self.is_covered(task, **requirement)
        };
        self.wanted_requirements[index].iter().filter(is_ours).copied().collect()
    }

    fn is_covered(&self, task: TaskId, requirement: RequirementId) -> bool {
        let mut answers =
            self.project.into_iter().flat_map(|project| project.coverage_of(task.uuid()));
        answers.any(|answer| answer.requirement_id == requirement)
    }

    pub(super) fn link(&mut self) {
        for link in std::mem::take(&mut self.removed_links) {
            // Deleting a task also removes its links.
            if self.deleted_tasks.contains(&link.from_id)
                || self.deleted_tasks.contains(&link.to_id)
            {
                continue;
            }
            let title = self.link_title(link.from_id, link.to_id);
            let item = self.report.push(Mark::Gone, Entity::TaskLink, link.id.uuid(), &title);
            item.between(link.from_id, link.to_id).because("no longer in the description");
            let patch = self.patch(Op::Unlink, Entity::TaskLink, link.id.uuid());
            let patch = patch
                .expecting("dependency", link.dependency.json())
                .expecting("lag_minutes", link.lag_minutes.get());
            self.patches.push(patch);
        }
        for (from, to) in self.missing() {
            let id = derived(self.set, &format!("link {from} {to}"));
            let title = self.link_title(from, to);
            if self.left_out.contains(&(from, to)) {
                let item =
                    self.report.push(Mark::LeftOut, Entity::TaskLink, id, &title).between(from, to);
                item.because("it would close a circle with a dependency made by hand");
                continue;
            }
            self.report.push(Mark::New, Entity::TaskLink, id, &title).between(from, to);
            let patch = self
                .patch(Op::Link, Entity::TaskLink, id)
                .with("from_id", from.json())
                .with("to_id", to.json());
            self.patches.push(patch.with("kind", LinkKind::DependsOn.json()));
        }
    }

    /// Updates the links between tasks and requirements.
    pub(super) fn answer(&mut self) {
        for index in 0..self.tasks.len() {
            let Some(task) = self.tasks[index] else { continue };
            let old: &[RequirementId] =
                self.live(index).map(|known| known.base.answers.as_slice()).unwrap_or_default();
            let ended = old.iter().filter(|id| {
                !self.wanted_requirements[index].contains(id)
                    && !self.ended_requirements.contains(id)
            });
            let ended: Vec<RequirementId> = ended.copied().collect();
            for answer in
                self.project.into_iter().flat_map(|project| project.coverage_of(task.uuid()))
            {
                if ended.contains(&answer.requirement_id) {
                    self.patches.push(self.patch(
                        Op::Unlink,
                        Entity::TaskRequirement,
                        answer.id.uuid(),
                    ));
                }
            }
            let is_new = |id: &&RequirementId| !old.contains(id) && !self.is_covered(task, **id);
            let new: Vec<RequirementId> =
                self.wanted_requirements[index].iter().filter(is_new).copied().collect();
            for requirement in new {
                let id = derived(self.set, &format!("answer {task} {requirement}"));
                let patch = self.patch(Op::Link, Entity::TaskRequirement, id);
                self.patches.push(
                    patch.with("task_id", task.json()).with("requirement_id", requirement.json()),
                );
            }
        }
    }

    fn link_title(&self, from: TaskId, to: TaskId) -> String {
        let title = |id: TaskId| {
            let known = self
                .project
                .and_then(|project| project.task(id))
                .map(|task| task.title.to_string());
            let planned = || {
                let row = self.tasks.iter().position(|task| *task == Some(id))?;
                Some(fitting_title(&self.input.plan.nodes[row].title))
            };
            known.or_else(planned).unwrap_or_default()
        };
        format!("{:?} waits for {:?}", title(from), title(to))
    }
}
