//! Records an erase. It changes no record; it names rows of the journal.

use super::{Applier, ApplyResult};
use crate::domain::change::Change;
use crate::domain::erase::fields;
use crate::domain::patch::Patch;
use crate::domain::record::Fields;
use crate::domain::violation::{Rule, Violation};

impl Applier<'_> {
    pub(super) fn erase(&mut self, patch: &Patch) -> ApplyResult {
        let record = self.target(patch)?;
        if fields(patch.entity).is_empty() {
            let message = format!("a {} has nothing that can be erased", patch.entity.noun());
            return self.fail(Violation::new(self.patch, Rule::Operation, message).field("op"));
        }
        self.changes.push(Change {
            entity: patch.entity,
            id: patch.id,
            project: record.project(),
            op: patch.op,
            before: Fields::new(),
            after: patch.fields.clone(),
        });
        Ok(())
    }
}
