//! Matches requirements by text; a requirement keeps its label.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Replanner;
use super::merge_base::normal;
use super::report::{FieldChange, Mark};
use crate::domain::id::{EntityId, RequirementId, derived};
use crate::domain::patch::Op;
use crate::domain::record::{Entity, Record};
use crate::domain::requirement::Requirement;
use crate::domain::value::FieldValue;
use crate::planning::plan::{self, Plan, fitting_title};
use crate::text::similarity::TitleIndex;

/// Minimum similarity for treating a changed text as the same requirement.
const FLOOR: f64 = 0.6;

impl Replanner<'_> {
    /// Creates, updates and removes requirements. Returns the id of each requirement of the plan;
    /// `None` if a person deleted it.
    pub(super) fn requirements(&mut self, previous: Option<&Plan>) -> Vec<Option<RequirementId>> {
        let stated_before: BTreeSet<String> = previous
            .into_iter()
            .flat_map(|plan| &plan.requirements)
            .map(|known| normal(&known.text))
            .collect();
        let all: Vec<Arc<Requirement>> = self
            .project
            .into_iter()
            .flat_map(|project| project.requirements())
            .filter(|r| r.source.is_some())
            .cloned()
            .collect();
        let matched = matches(&self.input.plan.requirements, &all, &stated_before);
        let mut next = self.next_label();
        let mut ids = Vec::with_capacity(matched.len());
        for (requirement, found) in self.input.plan.requirements.iter().zip(&matched) {
            match found.map(|index| Arc::clone(&all[index])) {
                None => {
                    ids.push(Some(self.state_requirement(requirement, next)));
                    next += 1;
                }
                Some(known) if known.deleted_at.is_some() => ids.push(None),
                Some(known) => {
                    self.restate(requirement, &known, &stated_before);
                    ids.push(Some(known.id));
                }
            }
        }
        let kept: BTreeSet<usize> = matched.into_iter().flatten().collect();
        for (index, known) in all.iter().enumerate().filter(|(_, known)| known.deleted_at.is_none())
        {
            if !kept.contains(&index)
                && stated_before.contains(&normal(known.text.as_str()))
                && !self.is_answered_by_hand(known.id)
            {
                self.ended_requirements.insert(known.id);
            }
        }
        ids
    }

    pub(super) fn end_requirements(&mut self) {
        for id in std::mem::take(&mut self.ended_requirements) {
            let Some(known) = self.project.and_then(|project| project.requirement(id)) else {
                continue;
            };
            let (text, title) =
                (known.text.json(), title(known.label.as_str(), known.text.as_str()));
            self.report
                .push(Mark::Gone, Entity::Requirement, id.uuid(), &title)
                .because("no longer in the description");
            self.patches.push(
                self.patch(Op::Delete, Entity::Requirement, id.uuid()).expecting("text", text),
            );
        }
    }

    /// Returns an unused label number. Labels are never reused, so R7 in an old report stays R7.
    fn next_label(&self) -> u32 {
        let labels = self
            .project
            .into_iter()
            .flat_map(|project| project.requirements())
            .map(|known| &known.label);
        labels
            .filter_map(|label| label.as_str().strip_prefix('R')?.parse::<u32>().ok())
            .max()
            .unwrap_or(0)
            .saturating_add(1)
    }

    fn state_requirement(&mut self, input: &plan::Requirement, number: u32) -> RequirementId {
        let id = RequirementId::of(derived(self.set, &format!("requirement {}", input.key)));
        let label = format!("R{number}");
        let mut patch = self
            .patch(Op::Create, Entity::Requirement, id.uuid())
            .with("project_id", self.id.json());
        patch = patch.with("label", label.as_str()).with("text", text(input));
        patch
            .fields
            .extend(self.lines(input.span).into_iter().filter(|(_, value)| !value.is_null()));
        self.patches.push(patch);
        self.report.push(Mark::New, Entity::Requirement, id.uuid(), &title(&label, &input.text));
        id
    }

    fn restate(
        &mut self,
        input: &plan::Requirement,
        known: &Requirement,
        stated_before: &BTreeSet<String>,
    ) {
        let mut fields = self.lines(input.span);
        let title = title(known.label.as_str(), known.text.as_str());
        if normal(known.text.as_str()) != normal(&input.text) {
            let change = FieldChange {
                field: "text".to_owned(),
                from: known.text.json(),
                to: text(input).into(),
            };
            if stated_before.contains(&normal(known.text.as_str())) {
                fields.insert("text".to_owned(), change.to.clone());
                self.report
                    .push(Mark::Changed, Entity::Requirement, known.id.uuid(), &title)
                    .changes
                    .push(change);
            } else {
                let item =
                    self.report.push(Mark::Kept, Entity::Requirement, known.id.uuid(), &title);
                item.because("edited since it was planned").changes.push(change);
            }
        }
        let mut patch = self.patch(Op::Update, Entity::Requirement, known.id.uuid());
        for (field, to) in fields {
            let from = known.get(&field).unwrap_or_default();
            if from != to {
                patch = patch.expecting(&field, from).with(&field, to);
            }
        }
        if !patch.fields.is_empty() {
            self.report.shifted += usize::from(!patch.fields.contains_key("text"));
            self.patches.push(patch);
        }
    }

    fn is_answered_by_hand(&self, id: RequirementId) -> bool {
        let mut answers =
            self.project.into_iter().flat_map(|project| project.coverage_of(id.uuid()));
        answers.any(|answer| {
            self.base_of(answer.task_id).is_none_or(|base| !base.answers.contains(&id))
        })
    }
}

fn text(input: &plan::Requirement) -> String {
    input.text.replace('\0', "")
}

fn title(label: &str, text: &str) -> String {
    format!("{label} {}", fitting_title(text))
}

/// Returns the index of the existing requirement for each requirement of the plan, by equal text or
/// else by similar text.
fn matches(
    input: &[plan::Requirement],
    known: &[Arc<Requirement>],
    stated_before: &BTreeSet<String>,
) -> Vec<Option<usize>> {
    let mut waiting: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut order: Vec<usize> = (0..known.len()).collect();
    order.sort_by_key(|index| {
        (known[*index].deleted_at.is_none(), std::cmp::Reverse(known[*index].source_line))
    });
    for index in order {
        let text = normal(known[index].text.as_str());
        // A person deleted the requirement if the last planned description still states it.
        if known[index].deleted_at.is_none() || stated_before.contains(&text) {
            waiting.entry(text).or_default().push(index);
        }
    }
    let mut found: Vec<Option<usize>> = input
        .iter()
        .map(|input| waiting.get_mut(&normal(&input.text)).and_then(Vec::pop))
        .collect();
    let mut is_taken = vec![false; known.len()];
    found.iter().flatten().for_each(|index| is_taken[*index] = true);
    let index = TitleIndex::new(known.iter().map(|known| known.text.as_str()));
    for (input, found) in input.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        let alike = index.matches(&input.text).into_iter().take_while(|alike| alike.score >= FLOOR);
        *found = alike
            .map(|alike| alike.index)
            .find(|index| !is_taken[*index] && known[*index].deleted_at.is_none());
        found.iter().for_each(|index| is_taken[*index] = true);
    }
    found
}
