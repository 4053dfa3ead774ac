//! Makes a change: resolves it, commits it, and returns the outcome as a response or an error.

use chrono::DateTime;
use futures::TryStreamExt;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::resolve::{name_of, resolve};
use super::{RequestContext, Service, ServiceError};
use crate::domain::apply::patch_preview::PatchPreview;
use crate::domain::apply::{Conflict, Rejection, apply};
use crate::domain::change::Change;
use crate::domain::hint::Hint;
use crate::domain::id::{EntityId, PatchSetId, TaskId};
use crate::domain::patch::{Op, Patch, PatchSet, Source};
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::domain::violation::{Rule, Violation};
use crate::exchange::patchset::Request;
use crate::store::lake_state::ledger::{CLOCK_SKEW, CommittedSet, repeat};
use crate::store::row::Stream;
use crate::store::{Outcome, Scope, StoreError};

/// Maximum number of attempts for a change that depends on a state that others may change
/// concurrently.
pub(super) const MAX_ATTEMPTS: usize = 5;

/// A committed change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Committed {
    /// For an inbox request, this may be the patch set of another row.
    #[serde(rename = "patch_set_id")]
    pub id: PatchSetId,
    pub seq: u64,
    /// Whether the change was already committed, so that this was a repeat.
    pub repeated: bool,
    /// Keys of the created projects and tasks, by id.
    #[serde(serialize_with = "by_id")]
    pub keys: Vec<(Uuid, String)>,
}

fn by_id<S: Serializer>(keys: &[(Uuid, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(keys.iter().map(|(id, key)| (id, key)))
}

impl Service {
    /// Resolves a request against the current lake and commits it.
    pub async fn change(
        &self,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Committed, ServiceError> {
        let state = self.state_for_request(request).await?;
        let resolved = self
            .resolve(&state, request, context)
            .and_then(|set| check_not_deleted(&state, &set).map(|()| set));
        match (resolved, request.id) {
            (Ok(set), _) => self.commit(&state, set).await,
            // It may already be committed, and its records may have been deleted since.
            (Err(refused), Some(id)) => {
                self.find_committed(&state, request, id, context).await?.ok_or(refused)
            }
            (Err(refused), None) => Err(refused),
        }
    }

    /// Returns the outcome of a request that was already committed under its id; `None` if it was
    /// not.
    pub(super) async fn find_committed(
        &self,
        state: &State,
        request: &Request,
        id: PatchSetId,
        context: &RequestContext,
    ) -> Result<Option<Committed>, ServiceError> {
        let empty = Request { patches: Vec::new(), ..request.clone() };
        let set = self.resolve(state, &Request { id: Some(id), ..empty }, context)?;
        let set = set.requested(request.hash());
        match self.commit(state, set).await {
            Ok(done) => Ok(Some(done)),
            // A new set without patches is refused.
            Err(ServiceError::Refused(_)) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// Returns the seq under which a request with this id was committed, if any. Refuses a
    /// different request with the same id. Reads only what was committed since the id was made.
    pub async fn committed_before(&self, request: &Request) -> Result<Option<u64>, ServiceError> {
        let Some((id, made)) =
            request.id.and_then(|id| Some((id, DateTime::from_timestamp_millis(id.millis()?)?)))
        else {
            return Ok(None);
        };
        let mut rows = self.store.changes_back(Stream::Work, &Scope::All).await?;
        while let Some(row) = rows.try_next().await? {
            if row.patch_set_id == id {
                return match repeat(
                    id,
                    request.hash(),
                    CommittedSet { seq: row.seq, request_hash: row.request_hash },
                ) {
                    None => Ok(Some(row.seq)),
                    Some(violation) => Err(ServiceError::Refused(vec![violation])),
                };
            }
            if row.at < made - CLOCK_SKEW {
                break;
            }
        }
        Ok(None)
    }

    /// Returns the changes that a request would make, without writing them.
    pub async fn preview(
        &self,
        request: &Request,
        context: &RequestContext,
    ) -> Result<Vec<Change>, ServiceError> {
        let state = self.state_for_request(request).await?;
        let set = self.resolve(&state, request, context)?;
        check_not_deleted(&state, &set)?;
        let mut state = self.state_for_set(&set).await?;
        match apply(&mut state, &set, context.now) {
            Ok(applied) => Ok(applied.changes),
            Err(Rejection::Refused(violations)) => Err(ServiceError::Refused(violations)),
            Err(Rejection::Conflicted(conflict)) => {
                Err(self.conflicted(&state, &set.patches, conflict))
            }
        }
    }

    pub(super) fn conflicted(
        &self,
        state: &State,
        patches: &[Patch],
        conflict: Conflict,
    ) -> ServiceError {
        let project = patches.get(conflict.patch).and_then(|patch| patch.project);
        ServiceError::Conflicted {
            subject: name_of(state, conflict.entity, conflict.id, project),
            conflict: Box::new(conflict),
        }
    }

    /// Resolves a request to its patch set, without committing it.
    pub fn resolve(
        &self,
        state: &State,
        request: &Request,
        context: &RequestContext,
    ) -> Result<PatchSet, ServiceError> {
        let id = request.id.unwrap_or_else(|| self.fresh_set_id(context));
        resolve(state, request, id, context).map_err(ServiceError::Refused)
    }

    /// Commits a patch set. `state` is used only to name records in the response.
    pub async fn commit(&self, state: &State, set: PatchSet) -> Result<Committed, ServiceError> {
        let (id, patches) = (set.id, set.patches.clone());
        let outcome = self.store.commit(vec![set]).await.pop();
        match outcome {
            Some(Outcome::Committed { seq, keys }) => {
                Ok(Committed { id, seq, repeated: false, keys })
            }
            Some(Outcome::AlreadyCommitted { seq, id }) => {
                Ok(Committed { id, seq, repeated: true, keys: Vec::new() })
            }
            Some(Outcome::Refused(violations)) => Err(ServiceError::Refused(violations)),
            Some(Outcome::Conflicted(conflict)) => Err(self.conflicted(state, &patches, conflict)),
            Some(Outcome::NotWritten { cause }) => Err(ServiceError::NotWritten(cause)),
            Some(Outcome::Unknown { patch_set_id, cause }) => {
                Err(ServiceError::Unknown { id: patch_set_id, cause })
            }
            None => Err(ServiceError::Unknown { id, cause: StoreError::WriterGone }),
        }
    }
}

/// Refuses an update of a task that is deleted at that point of the set. A deleted task can hold an
/// edit, for plans, sync and undo, but an author who names one has not noticed that it is deleted.
fn check_not_deleted(state: &State, set: &PatchSet) -> Result<(), ServiceError> {
    if set.source == Source::Plan {
        return Ok(());
    }
    let mut violations: Vec<Violation> = Vec::new();
    // Earlier patches matter only if one of them deletes or restores.
    let is_update = |patch: &Patch| (patch.op, patch.entity) == (Op::Update, Entity::Task);
    let first = set.patches.iter().position(|patch| matches!(patch.op, Op::Delete | Op::Restore));
    let depends = first.is_some_and(|first| set.patches[first..].iter().any(is_update));
    let mut ahead = depends.then(|| PatchPreview::new(state, set.id, &set.actor, set.source));
    for (index, patch) in set.patches.iter().enumerate() {
        let state = ahead.as_ref().map_or(state, PatchPreview::state);
        if is_update(patch)
            && let Some(task) = state.task(TaskId::of(patch.id)).filter(|task| !task.is_live())
        {
            let err = Violation::new(index, Rule::Deleted, format!("{} is deleted", task.key))
                .field("id");
            violations.push(err.hint(Hint::RestoreTask { key: task.key.clone() }));
        }
        if let Some(ahead) = &mut ahead {
            // The later check of the set reports what is wrong with the patch.
            ahead.take(patch);
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(ServiceError::Refused(violations)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::EntityId;
    use serde_json::json;

    #[test]
    fn a_committed_change_states_the_new_keys_by_id() {
        let id = PatchSetId::of(Uuid::from_u128(1));
        let keys = vec![(Uuid::from_u128(2), "PAY-1".to_owned())];
        let done = json!(Committed { id, seq: 7, repeated: false, keys });
        let expected = json!({
            "patch_set_id": "00000000-0000-0000-0000-000000000001", "seq": 7, "repeated": false,
            "keys": {"00000000-0000-0000-0000-000000000002": "PAY-1"},
        });
        assert_eq!(done, expected);
    }
}
