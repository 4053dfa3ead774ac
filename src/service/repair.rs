//! Clears values that an earlier version accepted and that no field can hold, so that the journal
//! matches what is read.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use serde_json::Value;
use uuid::Uuid;

use super::change::Committed;
use super::{RequestContext, Service, ServiceError};
use crate::domain::patch::{Op, Patch, PatchSet, Source};
use crate::domain::record::Access;
use crate::domain::state::State;
use crate::domain::violation::Violation;
use crate::store::Scope;
use crate::store::row::Stream;
use crate::store::unreadable::{UnreadableValue, UnreadableValues};

/// A value to clear, and the name of its record for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    pub name: String,
    pub value: UnreadableValue,
    /// Reason why it cannot be cleared, if any.
    pub obstacle: Option<String>,
}

impl Service {
    /// Returns the current values in the journal that no field can hold.
    pub async fn find_repairs(&self) -> Result<Vec<Repair>, ServiceError> {
        let mut values = UnreadableValues::default();
        let mut rows = self.store.changes(0, Stream::Work, &Scope::All).await?;
        while let Some(row) = rows.try_next().await? {
            values.note(&row);
        }
        let standing = values.standing();
        if standing.is_empty() {
            return Ok(Vec::new());
        }
        let state = self.state(&Scope::All).await?;
        Ok(standing.into_iter().map(|value| repair(&state, value)).collect())
    }

    /// Clears the values, in one patch set if they fit. A value that the rules do not let it clear
    /// gets its `obstacle` set and stays.
    pub async fn clear(
        &self,
        repairs: &mut [Repair],
        context: &RequestContext,
    ) -> Result<Vec<Committed>, ServiceError> {
        let mut done = Vec::new();
        for some in repairs.chunks_mut(PatchSet::MAX_CHANGES / 2) {
            // A refused set is retried without the refused patches, so each attempt has fewer
            // patches.
            loop {
                let state = self.state(&Scope::All).await?;
                let mut patches: BTreeMap<Uuid, Patch> = BTreeMap::new();
                for Repair { value, .. } in some.iter().filter(|repair| repair.obstacle.is_none()) {
                    let project = state.home(value.entity, value.id);
                    let patch = patches.entry(value.id);
                    let patch = patch
                        .or_insert_with(|| Patch::new(Op::Update, value.entity, value.id, project));
                    patch.fields.insert(value.field.clone(), Value::Null);
                }
                if patches.is_empty() {
                    break;
                }
                let ids: Vec<Uuid> = patches.keys().copied().collect();
                match self
                    .commit(&state, self.clearing(patches.into_values().collect(), context))
                    .await
                {
                    Ok(committed) => {
                        done.push(committed);
                        break;
                    }
                    Err(ServiceError::Refused(violations)) => {
                        note_obstacles(some, &ids, violations)?
                    }
                    Err(err) => return Err(err),
                }
            }
        }
        Ok(done)
    }

    fn clearing(&self, patches: Vec<Patch>, context: &RequestContext) -> PatchSet {
        context
            .through(Source::Maintenance)
            .patch_set(self.fresh_set_id(context), patches)
            .because("upgrade: clear values that their fields cannot hold")
    }
}

/// Sets the obstacle of each repair whose patch was refused. Returns the refusal if it concerns
/// none of them.
fn note_obstacles(
    repairs: &mut [Repair],
    patches: &[Uuid],
    violations: Vec<Violation>,
) -> Result<(), ServiceError> {
    let mut is_noted = false;
    for violation in &violations {
        let refused = patches.get(violation.patch);
        for repair in repairs
            .iter_mut()
            .filter(|repair| repair.obstacle.is_none() && Some(&repair.value.id) == refused)
        {
            repair.obstacle = Some(violation.message.clone());
            is_noted = true;
        }
    }
    if is_noted { Ok(()) } else { Err(ServiceError::Refused(violations)) }
}

fn repair(state: &State, value: UnreadableValue) -> Repair {
    let name =
        super::resolve::name_of(state, value.entity, value.id, state.home(value.entity, value.id));
    let access = value.entity.field(&value.field).map(|field| field.access);
    let obstacle = match access {
        Some(Access::Editable | Access::Planner) => None,
        // A managed or required field keeps its value until it gets another one.
        _ => Some("the field cannot be cleared".to_owned()),
    };
    Repair { name, value, obstacle }
}
