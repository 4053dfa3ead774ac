//! Changes records of the stream `sync`. They refer to nothing, so a change of one has no effect on
//! another record.

use super::{Applier, ApplyResult, Marks};
use crate::domain::any_record::{AnyRecord, RecordKey};
use crate::domain::patch::{Op, Patch};
use crate::domain::violation::{Rule, Violation};

impl Applier<'_> {
    pub(super) fn apply_sync(&mut self, patch: &Patch) -> ApplyResult {
        if self.sync.is_none() {
            let message = format!("a {} is changed by sync only", patch.entity.noun());
            return self.fail(Violation::new(self.patch, Rule::Operation, message).field("entity"));
        }
        match patch.op {
            Op::Create => self.create_sync(patch),
            Op::Update => self.update_sync(patch),
            Op::Delete => self.delete_sync(patch),
            op => {
                let message = format!("a {} cannot be the object of {op}", patch.entity.noun());
                self.fail(Violation::new(self.patch, Rule::Operation, message).field("op"))
            }
        }
    }

    fn create_sync(&mut self, patch: &Patch) -> ApplyResult {
        let slot = RecordKey { entity: patch.entity, id: patch.id, project: patch.project };
        if self.record(slot).is_some() {
            let message = format!("the {} {} exists already", patch.entity.noun(), patch.id);
            return self.fail(Violation::new(self.patch, Rule::AlreadyExists, message).field("id"));
        }
        let mut record = AnyRecord::empty(patch.entity, patch.id);
        self.fill(&mut record, patch, true)?;
        self.write(Op::Create, record, None);
        Ok(())
    }

    fn update_sync(&mut self, patch: &Patch) -> ApplyResult {
        let old = self.target(patch)?;
        if patch.fields.is_empty() {
            let err =
                Violation::new(self.patch, Rule::Shape, "an update must name at least one field");
            return self.fail(err.field("fields"));
        }
        let mut record = old.clone();
        self.fill(&mut record, patch, false)?;
        self.write(Op::Update, record, Some(old.record_key()));
        Ok(())
    }

    fn delete_sync(&mut self, patch: &Patch) -> ApplyResult {
        let old = self.target(patch)?;
        if !old.is_live() {
            let message = format!("the {} is deleted already", patch.entity.noun());
            return self.fail(Violation::new(self.patch, Rule::Deleted, message).field("id"));
        }
        let mut record = old.clone();
        let Marks { at, actor, set } = &self.marks;
        let stamps = [("deleted_at", at), ("deleted_by", actor), ("deleted_in", set)];
        // A record without these fields cannot be deleted.
        if stamps.iter().any(|(field, value)| record.set(field, value).is_err()) {
            let message = format!("a {} cannot be the object of delete", patch.entity.noun());
            return self.fail(Violation::new(self.patch, Rule::Operation, message).field("op"));
        }
        self.write(Op::Delete, record, Some(old.record_key()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::domain::apply::{Rejection, apply, apply_with};
    use crate::domain::id::{EntityId, PatchSetId};
    use crate::domain::patch::{Op, Patch, PatchSet, Source};
    use crate::domain::record::{Entity, SyncEntity};
    use crate::domain::state::State;
    use crate::domain::sync_state::SyncState;
    use crate::domain::time::Instant;
    use crate::domain::value::Name;
    use crate::domain::violation::Rule;

    const NOTE: Entity = Entity::Sync(SyncEntity::Note);

    fn set(patches: Vec<Patch>) -> PatchSet {
        let id = PatchSetId::of(Uuid::from_u128(9));
        PatchSet::new(id, Name::new("sync").unwrap(), Source::Sync, patches)
    }

    fn note(op: Op) -> Patch {
        Patch::new(op, NOTE, Uuid::from_u128(1), None)
    }

    /// Returns the rules that a set breaks.
    fn rules(sync: &mut SyncState, patches: Vec<Patch>) -> Vec<Rule> {
        let applied =
            apply_with(&mut State::default(), Some(sync), &set(patches), Instant::default());
        match applied {
            Err(Rejection::Refused(violations)) => {
                violations.into_iter().map(|violation| violation.rule).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_set_of_an_author_cannot_change_a_record_of_sync() {
        let mut state = State::default();
        let applied = apply(&mut state, &set(vec![note(Op::Create)]), Instant::default());
        let Err(Rejection::Refused(violations)) = applied else { panic!("{applied:?}") };
        assert_eq!(violations[0].rule, Rule::Operation);
        assert_eq!(violations[0].message, "a sync_note is changed by sync only");
    }

    #[test]
    fn records_of_sync_are_created_changed_deleted_and_rolled_back() {
        let (mut state, mut sync) = (State::default(), SyncState::default());
        let patches = vec![
            note(Op::Create).with("cursor", "a"),
            note(Op::Update).with("cursor", "b"),
            note(Op::Delete),
        ];
        let applied =
            apply_with(&mut state, Some(&mut sync), &set(patches), Instant::default()).unwrap();
        assert_eq!(applied.changes.len(), 3);
        assert_eq!(applied.changes[1].before["cursor"], "a");
        let kept = sync.get(NOTE, Uuid::from_u128(1)).unwrap().clone();
        assert_eq!(kept.get("cursor").unwrap(), "b");
        assert!(!kept.is_live());
        assert_eq!(state.records().count(), 0);

        // A refused set leaves no trace, and each rule is reported.
        let before = sync.clone();
        assert_eq!(rules(&mut sync, vec![note(Op::Create)]), [Rule::AlreadyExists]);
        assert_eq!(rules(&mut sync, vec![note(Op::Delete)]), [Rule::Deleted]);
        assert_eq!(rules(&mut sync, vec![note(Op::Update)]), [Rule::Shape]);
        assert_eq!(rules(&mut sync, vec![note(Op::Restore)]), [Rule::Operation]);
        let other = Patch::new(Op::Update, NOTE, Uuid::from_u128(2), None).with("epoch", 1);
        let patches = vec![note(Op::Update).with("cursor", "c"), other];
        assert_eq!(rules(&mut sync, patches), [Rule::UnknownReference]);
        assert_eq!(sync, before);

        applied.rollback.undo_with(&mut state, Some(&mut sync));
        assert_eq!(sync, SyncState::default());
    }
}
