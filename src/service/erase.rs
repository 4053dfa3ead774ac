//! Erases personal data from a record: its current values and its past ones. `store::erasure`
//! describes the effect on the journal and what remains.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use serde_json::Value;

use super::change::Committed;
use super::{RequestContext, Service, ServiceError, find};
use crate::domain::any_record::{AnyRecord, RecordKey};
use crate::domain::erase::{mask, missing};
use crate::domain::hint::Hint;
use crate::domain::id::EntityId;
use crate::domain::patch::{Op, Patch, Source};
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::domain::user::User;
use crate::store::erasure::{Erasures, Remains, RowAddress, listed};
use crate::store::row::{Row, Stream};
use crate::store::{RecordLookup, Scope, Snapshot, StoreError};

/// Data that an erase of a record would remove.
#[derive(Clone, Debug)]
pub struct Erasable {
    pub record: RecordKey,
    /// Current name of the record for people.
    pub name: String,
    /// Fields of the current record that hold data to erase.
    pub fields: Vec<&'static str>,
    /// Rows of the journal that hold data to erase.
    pub rows: Vec<RowAddress>,
    /// Number of rows that name the person as their actor. They stay.
    pub as_actor: usize,
    /// Current and former names of the person, if the record is one.
    pub names: BTreeSet<String>,
}

impl Erasable {
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.rows.is_empty()
    }
}

impl Service {
    /// Returns the data that an erase of a user, task or project would remove. Includes deleted
    /// records.
    pub async fn find_erasable(
        &self,
        entity: Entity,
        name: &str,
    ) -> Result<Erasable, ServiceError> {
        let (Snapshot { seq, state, .. }, record) = self.record_to_erase(entity, name).await?;
        let past = self.past_values(&record, seq).await?;
        let slot = record.record_key();
        Ok(Erasable {
            record: slot,
            name: super::resolve::name_of(&state, slot.entity, slot.id, slot.project),
            fields: missing(&record).into_iter().map(|(field, _)| field).collect(),
            rows: past.holding.into_keys().collect(),
            as_actor: past.as_actor,
            names: past.names,
        })
    }

    /// Commits the erase of a record: neutral values for its current ones, and an erase that names
    /// every row with a past value. `None` if both were done before. The caller rewrites the
    /// journal's files.
    pub async fn erase(
        &self,
        key: RecordKey,
        context: &RequestContext,
    ) -> Result<Option<Committed>, ServiceError> {
        let (Snapshot { seq, state, .. }, record) = self.record(key).await?;
        let slot = record.record_key();
        let mut done = None;
        let neutral = missing(&record);
        // Rows are erased up to a seq at which the record is neutral; replayed, the masked rows end
        // in that record.
        let mut up_to = seq;
        if !neutral.is_empty() {
            let patch = Patch::new(Op::Update, slot.entity, slot.id, slot.project);
            let patch =
                neutral.into_iter().fold(patch, |patch, (field, value)| patch.with(field, value));
            let update = self.commit_erase(&state, patch, context).await?;
            up_to = update.seq;
            done = Some(update);
        }
        let past = self.past_values(&record, up_to).await?;
        let unnamed: Vec<_> =
            past.holding.iter().filter(|(place, _)| !past.named.names(**place)).collect();
        if !unnamed.is_empty() {
            let (field, rows) = listed(unnamed);
            let patch = Patch::new(Op::Erase, slot.entity, slot.id, slot.project).with(field, rows);
            done = Some(self.commit_erase(&state, patch, context).await?);
        }
        Ok(done)
    }

    async fn commit_erase(
        &self,
        state: &State,
        patch: Patch,
        context: &RequestContext,
    ) -> Result<Committed, ServiceError> {
        let set = context
            .through(Source::Maintenance)
            .patch_set(self.fresh_set_id(context), vec![patch])
            .because("erase");
        self.commit(state, set).await
    }

    async fn record_to_erase(
        &self,
        entity: Entity,
        name: &str,
    ) -> Result<(Snapshot, AnyRecord), ServiceError> {
        let words: &[&str] = if entity == Entity::Task { &[name] } else { &[] };
        let snapshot = self.read_projects_of(words, None).await?;
        let state = &snapshot.state;
        let record = match entity {
            Entity::User => AnyRecord::User(any_user(state, name)?),
            Entity::Project => AnyRecord::Project(find::project(state, name)?.1.clone()),
            Entity::Task => AnyRecord::Task(find::task(state, name)?.clone()),
            other => {
                return Err(ServiceError::input(
                    name,
                    format!("a {} has nothing that can be erased", other.noun()),
                ));
            }
        };
        Ok((snapshot, record))
    }

    /// Returns a record that was looked up before, with the current snapshot. A task may have moved
    /// to another project since.
    async fn record(&self, key: RecordKey) -> Result<(Snapshot, AnyRecord), ServiceError> {
        let moved = match key.entity {
            Entity::Task => self.store.find(&[RecordLookup::Id(key.entity, key.id)]).await?,
            _ => Vec::new(),
        };
        let project = moved.into_iter().flatten().next().or(key.project);
        let snapshot = self.read(&Scope::of(project), None).await?;
        let record = snapshot.state.get(RecordKey { project, ..key });
        let missing = || ServiceError::NotFound {
            what: key.entity.noun(),
            name: key.id.to_string(),
            hint: None,
        };
        Ok((snapshot, record.ok_or_else(missing)?))
    }

    async fn past_values(
        &self,
        record: &AnyRecord,
        up_to: u64,
    ) -> Result<PastValues, ServiceError> {
        let mut past = PastValues::default();
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut actors: BTreeMap<String, usize> = BTreeMap::new();
        note_names(&mut names, record, |field| record.get(field));
        let mut rows = self.store.changes(0, Stream::Work, &Scope::All).await?;
        while let Some(row) = rows.try_next().await? {
            *actors.entry(row.actor.clone()).or_default() += 1;
            if row.entity != record.entity() || row.entity_id != record.id() {
                continue;
            }
            past.named.note(&row)?;
            if row.op == Op::Erase || row.is_erased() || row.seq > up_to {
                continue;
            }
            past.note(&row, &mut names, record)?;
        }
        past.as_actor = names.iter().filter_map(|name| actors.get(name)).sum();
        past.names = names;
        Ok(past)
    }
}

/// Past values of a record to erase, from the journal.
#[derive(Default)]
struct PastValues {
    /// Rows that hold a value, and what remains of each.
    holding: BTreeMap<RowAddress, Remains>,
    /// Rows that earlier erases of the record already name.
    named: Erasures,
    as_actor: usize,
    names: BTreeSet<String>,
}

impl PastValues {
    fn note(
        &mut self,
        row: &Row,
        names: &mut BTreeSet<String>,
        record: &AnyRecord,
    ) -> Result<(), StoreError> {
        let damaged = |err: serde_json::Error| StoreError::Damaged {
            path: format!("journal row {}.{}", row.seq, row.ordinal),
            what: err.to_string(),
        };
        let before =
            row.before.is_some().then(|| row.before_fields()).transpose().map_err(damaged)?;
        let after = row.after.is_some().then(|| row.after_fields()).transpose().map_err(damaged)?;
        let masked = |payload: &Option<_>| {
            payload.as_ref().and_then(|payload| mask(row.entity, row.entity_id, payload))
        };
        let (left_before, left_after) = (masked(&before), masked(&after));
        if left_before.is_none() && left_after.is_none() {
            return Ok(());
        }
        for payload in before.iter().chain(&after) {
            note_names(names, record, |field| payload.get(field).cloned());
        }
        let remains = Remains { before: left_before.or(before), after: left_after.or(after) };
        self.holding.insert((row.seq, row.ordinal), remains);
        Ok(())
    }
}

/// Adds the current or former names of a user, except neutral ones.
fn note_names(
    names: &mut BTreeSet<String>,
    record: &AnyRecord,
    value: impl Fn(&str) -> Option<Value>,
) {
    if record.entity() != Entity::User {
        return;
    }
    let neutral = crate::domain::erase::neutral(record.entity(), record.id());
    let found = neutral.iter().filter(|(field, _)| matches!(*field, "handle" | "name" | "email"));
    let found = found.filter_map(|(field, neutral)| value(field).filter(|value| value != neutral));
    names.extend(found.filter_map(|value| value.as_str().map(str::to_owned)));
}

/// Finds a user by handle, e-mail address or id; falls back to a deleted user if no live one
/// matches.
fn any_user(state: &State, name: &str) -> Result<std::sync::Arc<User>, ServiceError> {
    let missing = match find::user(state, name) {
        Ok(user) => return Ok(user.clone()),
        Err(missing) => missing,
    };
    let handle = name.strip_prefix('@').unwrap_or(name);
    let is_meant = |user: &User| {
        user.handle.as_str() == handle
            || user.email.as_ref().is_some_and(|email| email.as_str() == name)
    };
    let found: Vec<_> = state.users().filter(|user| is_meant(user)).collect();
    match found.as_slice() {
        [] => Err(match missing {
            ServiceError::NotFound { what, name, .. } => {
                ServiceError::NotFound { what, name, hint: Some(Hint::FindErasedUser) }
            }
            other => other,
        }),
        [only] => Ok((*only).clone()),
        several => {
            let ids: Vec<String> = several.iter().map(|user| user.id.uuid().to_string()).collect();
            let hint = Some(format!("name one by its id: {}", ids.join(", ")).into());
            Err(ServiceError::Input {
                place: name.to_owned(),
                message: "several deleted users had this name".to_owned(),
                hint,
            })
        }
    }
}
