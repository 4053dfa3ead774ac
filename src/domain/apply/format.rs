//! Raises the format of a lake with the first change that an earlier binary would misread.

use std::sync::Arc;

use super::Applier;
use crate::domain::any_record::AnyRecord;
use crate::domain::change::Change;
use crate::domain::lake::PLAN_BASE;
use crate::domain::patch::Op;
use crate::domain::record::Entity;

impl Applier<'_> {
    /// Raises a lake of format 1 if the set changes a planned value, the kind of a task, or the
    /// metadata, where format 1 keeps the planned values. A binary of format 1 would miss the planned
    /// values, and its next plan would create every task again. It would also take a milestone for a
    /// task, and could give it an estimate.
    pub(super) fn raise_format(&mut self) {
        let old = self.state.lake.clone().filter(|lake| lake.format_writer < PLAN_BASE);
        let Some(old) = old.filter(|_| self.changes.iter().any(needs_format_2)) else { return };
        let mut lake = old.as_ref().clone();
        lake.format_reader = lake.format_reader.max(PLAN_BASE);
        lake.format_writer = PLAN_BASE;
        let place = AnyRecord::Lake(old).record_key();
        self.write(Op::Update, AnyRecord::Lake(Arc::new(lake)), Some(place));
    }
}

fn needs_format_2(change: &Change) -> bool {
    let is_planned = matches!(change.entity, Entity::Task | Entity::Project);
    let sets = |field: &str| change.after.contains_key(field);
    sets("plan_base")
        || (is_planned && sets("metadata"))
        || (change.entity == Entity::Task && sets("kind"))
}
