//! What a set would have done by each of its patches: for who must know how the lake stands at a point within it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Bench, Marks, Rollback};
use crate::domain::id::{PatchSetId, ProjectId};
use crate::domain::patch::{Patch, PatchSet, Source};
use crate::domain::state::State;
use crate::domain::time::Instant;
use crate::domain::value::Name;
use crate::domain::violation::Violation;

/// A state to which the patches of a set are applied one by one. What the whole set must hold to, such as that its
/// dependencies form no cycle, is not judged.
#[derive(Debug)]
pub struct Foresight {
    state: State,
    set: PatchSet,
    scope: BTreeSet<ProjectId>,
    taken: usize,
    /// What the patches so far that were refused would have created, and why they were.
    failed: BTreeSet<Uuid>,
    violations: Vec<Violation>,
}

impl Foresight {
    /// Begins at a state, as a set of this id and actor would.
    pub fn new(state: &State, id: PatchSetId, actor: &Name, source: Source) -> Self {
        let set = PatchSet {
            id,
            request_hash: [0; 32],
            actor: actor.clone(),
            source,
            reason: None,
            patches: Vec::new(),
            also: Vec::new(),
        };
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

    /// How the lake stands after the patches so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Applies the next patch. One that is refused leaves everything as it was; its violations are returned, unless it is
    /// refused for what an earlier one did not create.
    pub fn take(&mut self, patch: &Patch) -> &[Violation] {
        self.scope.extend(patch.project);
        let told = self.violations.len();
        let mut bench = Bench {
            state: &mut self.state,
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
        bench.judge_patch(patch);
        let Bench { rollback, violations, scope, failed, .. } = bench;
        (self.scope, self.taken, self.violations, self.failed) =
            (scope, self.taken + 1, violations, failed);
        if self.violations.len() > told || self.failed.contains(&patch.id) {
            rollback.undo(&mut self.state);
        }
        &self.violations[told..]
    }
}
