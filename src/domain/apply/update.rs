//! Updates the fields of a record.

use super::{Applier, ApplyResult};
use crate::domain::any_record::AnyRecord;
use crate::domain::link::LinkKind;
use crate::domain::patch::{Op, Patch, Source};
use crate::domain::violation::{Rule, Violation};

impl Applier<'_> {
    pub(super) fn update(&mut self, patch: &Patch) -> ApplyResult {
        let old = self.target(patch)?;
        if patch.fields.is_empty() {
            let err =
                Violation::new(self.patch, Rule::Shape, "an update must name at least one field");
            return self.fail(err.field("fields"));
        }
        let mut record = old.clone();
        if matches!(old, AnyRecord::Lake(_)) && self.set.source == Source::Maintenance {
            // Adopt and upgrade write fields of the lake's row that no author may write.
            for (field, value) in &patch.fields {
                if let Err(invalid) = record.set(field, value) {
                    return self.fail(
                        Violation::new(self.patch, Rule::Value, invalid.0)
                            .field(format!("fields.{field}")),
                    );
                }
            }
        } else {
            self.fill(&mut record, patch, false)?;
            self.check(&mut record, patch)?;
        }
        self.note_progress(&mut record, Some(&old));
        if let AnyRecord::TaskLink(link) = &record {
            if link.kind != LinkKind::DependsOn {
                let message = "only a dependency has a type and a lag";
                return self
                    .fail(Violation::new(self.patch, Rule::Operation, message).field("fields"));
            }
            self.touch_graph(link.project_id);
            self.linked.insert(link.id, self.patch);
        }
        self.write(Op::Update, record, Some(old.record_key()));
        self.note_cleared(patch, &old);
        Ok(())
    }

    /// Adds to the change the fields that the patch clears and that were already absent. If the
    /// journal holds an unreadable value, which counts as absent, the row then records that it is
    /// cleared.
    fn note_cleared(&mut self, patch: &Patch, old: &AnyRecord) {
        let Some(change) = self.changes.last_mut().filter(|change| change.id == patch.id) else {
            return;
        };
        for (name, _) in patch.fields.iter().filter(|(_, value)| value.is_null()) {
            if !change.after.contains_key(name)
                && let Some(absent) = old.get(name)
            {
                change.before.insert(name.clone(), absent.clone());
                change.after.insert(name.clone(), absent);
            }
        }
    }
}
