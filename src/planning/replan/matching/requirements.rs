//! Matches requirements by text.

use std::collections::BTreeMap;

use crate::domain::requirement::Requirement;
use crate::domain::state::ProjectState;
use crate::planning::plan;
use crate::planning::replan::merge_base::{MergeBase, RequirementBase, normal};
use crate::text::similarity::TitleIndex;

/// Minimum similarity for treating a changed text as the same requirement.
const FLOOR: f64 = 0.6;

/// A requirement created by an earlier plan.
#[derive(Debug)]
pub struct ExistingRequirement<'a> {
    pub record: &'a Requirement,
    /// Absent if no earlier description states it.
    pub base: Option<&'a RequirementBase>,
    /// Whether the previous description states its text. Otherwise a person edited it.
    pub was_stated: bool,
}

/// The planned requirements of a project, including deleted ones, and those that the plan states.
#[derive(Debug)]
pub struct Requirements<'a> {
    pub known: Vec<ExistingRequirement<'a>>,
    /// Index into `known` for each requirement of the plan; `None` if it is new.
    pub of_plan: Vec<Option<usize>>,
}

impl<'a> Requirements<'a> {
    pub fn of(
        plan: &[plan::Requirement],
        project: Option<&'a ProjectState>,
        base: &'a MergeBase,
    ) -> Self {
        let all = project.into_iter().flat_map(ProjectState::requirements);
        let known: Vec<ExistingRequirement<'a>> = all
            .filter(|record| record.source.is_some())
            .map(|record| {
                let base = base.requirements.get(&record.id);
                let was_stated = base.is_some_and(|base| base.states(record.text.as_str()));
                ExistingRequirement { record, base, was_stated }
            })
            .collect();
        let of_plan = matches(plan, &known);
        Self { known, of_plan }
    }

    /// Returns the existing requirement that the plan's requirement at an index means.
    pub fn existing(&self, index: usize) -> Option<&ExistingRequirement<'a>> {
        self.of_plan[index].map(|known| &self.known[known])
    }
}

/// Returns the index of the existing requirement for each requirement of the plan, by equal text or
/// else by similar text.
fn matches(input: &[plan::Requirement], known: &[ExistingRequirement<'_>]) -> Vec<Option<usize>> {
    let mut waiting: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut order: Vec<usize> = (0..known.len()).collect();
    order.sort_by_key(|index| {
        (
            known[*index].record.deleted_at.is_none(),
            std::cmp::Reverse(known[*index].record.source_line),
        )
    });
    for index in order {
        let text = normal(known[index].record.text.as_str());
        // A person deleted the requirement if the last planned description still states it.
        if known[index].record.deleted_at.is_none() || known[index].was_stated {
            waiting.entry(text).or_default().push(index);
        }
    }
    let mut found: Vec<Option<usize>> = input
        .iter()
        .map(|input| waiting.get_mut(&normal(&input.text)).and_then(Vec::pop))
        .collect();
    let mut is_taken = vec![false; known.len()];
    found.iter().flatten().for_each(|index| is_taken[*index] = true);
    let index = TitleIndex::new(known.iter().map(|known| known.record.text.as_str()));
    for (input, found) in input.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        let alike = index.matches(&input.text).into_iter().take_while(|alike| alike.score >= FLOOR);
        *found = alike
            .map(|alike| alike.index)
            .find(|index| !is_taken[*index] && known[*index].record.deleted_at.is_none());
        found.iter().for_each(|index| is_taken[*index] = true);
    }
    found
}
