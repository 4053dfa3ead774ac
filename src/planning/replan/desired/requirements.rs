//! The requirements that the plan states and those that it no longer states.

use std::collections::BTreeSet;

use crate::domain::id::{EntityId, RequirementId};
use crate::planning::replan::context::Context;
use crate::planning::replan::matching::Matched;
use crate::planning::valid_plan::ValidPlan;

#[derive(Debug)]
pub struct Requirements {
    /// Requirement of each requirement of the plan; `None` if a person deleted it.
    pub ids: Vec<Option<RequirementId>>,
    /// Requirements that the description no longer states, and that no person covered.
    pub ended: BTreeSet<RequirementId>,
}

impl Requirements {
    pub fn of(context: &Context<'_>, matched: &Matched<'_>) -> Self {
        let plan = context.plan();
        let ids = plan.requirements.iter().enumerate().map(|(index, stated)| {
            match matched.requirements.existing(index) {
                Some(known) => known.record.deleted_at.is_none().then_some(known.record.id),
                None => {
                    let name = format!("requirement {}", stated.key);
                    Some(RequirementId::of(context.new_id(&name)))
                }
            }
        });
        let kept: BTreeSet<usize> =
            matched.requirements.of_plan.iter().flatten().copied().collect();
        let ended = matched.requirements.known.iter().enumerate().filter(|(index, known)| {
            known.record.deleted_at.is_none()
                && !kept.contains(index)
                && known.was_stated
                && !is_covered_by_hand(context, matched, known.record.id)
        });
        Self { ids: ids.collect(), ended: ended.map(|(_, known)| known.record.id).collect() }
    }

    /// Returns the requirements that each row covers.
    pub fn covered_by_rows(&self, plan: &ValidPlan) -> Vec<BTreeSet<RequirementId>> {
        let rows = plan.rows();
        let mut covers = vec![BTreeSet::new(); plan.nodes.len()];
        for (requirement, id) in plan.requirements.iter().zip(&self.ids) {
            let Some(id) = id else { continue };
            for row in requirement.covered_by.iter().filter_map(|key| rows.get(key.as_str())) {
                covers[*row].insert(*id);
            }
        }
        covers
    }
}

fn is_covered_by_hand(context: &Context<'_>, matched: &Matched<'_>, id: RequirementId) -> bool {
    let mut covers = context.project.into_iter().flat_map(|project| project.coverage_of(id.uuid()));
    covers
        .any(|cover| matched.base_of(cover.task_id).is_none_or(|base| !base.answers.contains(&id)))
}
