//! Applies a patch set patch by patch, for callers that need the state of the lake at a point
//! within the set.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Applier, Marks, Rollback};
use crate::domain::id::{PatchSetId, ProjectId};
use crate::domain::patch::{Patch, PatchSet, Source};
use crate::domain::state::State;
use crate::domain::time::Instant;
use crate::domain::value::Name;
use crate::domain::violation::Violation;

/// State to which the patches of a set are applied one by one. Rules on the whole set, such as that
/// its dependencies form no cycle, are not checked.
#[derive(Debug)]
pub struct PatchPreview {
    state: State,
    set: PatchSet,
    scope: BTreeSet<ProjectId>,
    taken: usize,
    /// Ids that refused patches would have created. `violations` holds the reasons.
    failed: BTreeSet<Uuid>,
    violations: Vec<Violation>,
}

impl PatchPreview {
    /// Starts from `state`, with the id and actor of a patch set.
    pub fn new(state: &State, id: PatchSetId, actor: &Name, source: Source) -> Self {
        let set = PatchSet::new(id, actor.clone(), source, Vec::new());
        let scope = state.project_ids().collect();
        Self {
            state: state.clone(),
            set,
            scope,
            taken: 0,
            failed: BTreeSet::new(),
            violations: Vec::new(),
        }
    }

    /// State of the lake after the patches so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Applies the next patch. A refused patch leaves the state unchanged. Returns its violations,
    /// unless the reason is that an earlier patch did not create a record.
    pub fn take(&mut self, patch: &Patch) -> &[Violation] {
        self.scope.extend(patch.project);
        let message = self.violations.len();
        let mut applier = Applier {
            state: &mut self.state,
            sync: None,
            set: &self.set,
            at: Instant::default(),
            marks: Marks::of(&self.set, Instant::default()),
            patch: self.taken,
            changes: Vec::new(),
            rollback: Rollback::default(),
            violations: std::mem::take(&mut self.violations),
            conflict: None,
            scope: std::mem::take(&mut self.scope),
            failed: std::mem::take(&mut self.failed),
            graphs: BTreeMap::new(),
            linked: BTreeMap::new(),
        };
        applier.apply_patch(patch);
        let Applier { rollback, violations, scope, failed, .. } = applier;
        (self.scope, self.taken, self.violations, self.failed) =
            (scope, self.taken + 1, violations, failed);
        if self.violations.len() > message || self.failed.contains(&patch.id) {
            rollback.undo(&mut self.state);
        }
        &self.violations[message..]
    }
}
