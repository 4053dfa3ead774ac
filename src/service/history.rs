//! The past: what happened, how things stood, and taking a change back.

use std::collections::BTreeMap;

use futures::TryStreamExt;

use super::change::Done;
use super::{Service, ServiceError};
use crate::domain::any::{AnyRecord, Slot};
use crate::domain::change::Change;
use crate::domain::id::{PatchSetId, ProjectId};
use crate::domain::invert::invert;
use crate::domain::patch::{Op, PatchSet, Source};
use crate::domain::time::{AsOf, Instant};
use crate::domain::value::LongText;
use crate::runtime::fresh_set_id;
use crate::store::row::{Row, Stream};
use crate::store::{Scope, Snapshot, Store, StoreError};

/// A committed patch set.
#[derive(Clone, Debug)]
pub struct Past {
    pub seq: u64,
    pub id: PatchSetId,
    pub at: Instant,
    pub actor: String,
    pub source: Source,
    pub reason: Option<String>,
    pub rows: Vec<Row>,
}

impl Service {
    /// The committed sets after a position, oldest first.
    pub async fn past(&self, after: u64, scope: &Scope) -> Result<Vec<Past>, ServiceError> {
        let rows: Vec<Row> = self.store.changes(after, Stream::Work, scope).await?.try_collect().await?;
        let mut sets: BTreeMap<u64, Past> = BTreeMap::new();
        for row in rows {
            let past = sets.entry(row.seq).or_insert_with(|| Past {
                seq: row.seq,
                id: row.patch_set_id,
                at: row.at,
                actor: row.actor.clone(),
                source: row.source,
                reason: row.reason.clone(),
                rows: Vec::new(),
            });
            past.rows.push(row);
        }
        Ok(sets.into_values().collect())
    }

    /// Takes back the set at `seq`, or the last one of this actor that is no undo itself and was not undone.
    pub async fn undo(&self, seq: Option<u64>) -> Result<(Past, Done), ServiceError> {
        let past = self.past(seq.map_or(0, |seq| seq.saturating_sub(1)), &Scope::All).await?;
        let chosen = match seq {
            Some(seq) => past.into_iter().find(|past| past.seq == seq),
            None => self.last_of_actor(past),
        };
        let Some(chosen) = chosen.filter(|past| past.source != Source::Maintenance) else {
            let (name, hint) = match seq {
                Some(seq) => (seq.to_string(), "lakeplan history shows the changes"),
                None => (self.actor.to_string(), "lakeplan undo SEQ takes back anyone's change; lakeplan history shows them"),
            };
            return Err(ServiceError::NotFound { what: "change to take back of", name, hint: Some(hint.to_owned()) });
        };
        let state = self.state().await?;
        let changes = chosen.rows.iter().map(change).collect::<Result<Vec<_>, _>>()?;
        let patches = invert(&changes, &state);
        if patches.is_empty() {
            return Err(ServiceError::input(format!("seq {}", chosen.seq), "changed nothing that can be taken back"));
        }
        let reason = LongText::new(&format!("undo of {}", chosen.seq)).ok();
        let set = PatchSet {
            id: fresh_set_id(self.clock.as_ref(), self.random.as_ref()),
            request_hash: [0; 32],
            actor: self.actor.clone(),
            source: Source::Undo,
            reason,
            patches,
            also: state.projects().filter_map(|found| Some(found.project()?.id)).collect(),
        };
        let done = self.commit(&state, set).await?;
        Ok((chosen, done))
    }

    fn last_of_actor(&self, past: Vec<Past>) -> Option<Past> {
        let undone: Vec<u64> = past
            .iter()
            .filter(|past| past.source == Source::Undo)
            .filter_map(|past| past.reason.as_ref()?.strip_prefix("undo of ")?.parse().ok())
            .collect();
        past.into_iter().rev().find(|past| {
            past.actor == self.actor.as_str()
                && past.source != Source::Undo
                && past.source != Source::Maintenance
                && !undone.contains(&past.seq)
        })
    }
}

/// The state as it was: every later change taken out again, the last one first.
pub async fn rewind(store: &dyn Store, now: Snapshot, as_of: AsOf, stream: Stream) -> Result<Snapshot, ServiceError> {
    let after = match as_of {
        AsOf::Seq(seq) => seq.saturating_sub(1),
        AsOf::Time(_) => 0,
    };
    if let AsOf::Seq(seq) = as_of
        && seq > now.seq
    {
        let message = format!("there is no seq {seq} yet; the last is {}", now.seq);
        return Err(ServiceError::Input { place: "--as-of".to_owned(), message, hint: Some("lakeplan history".to_owned()) });
    }
    let mut rows: Vec<Row> = store.changes(after, stream, &Scope::All).await?.try_collect().await?;
    // What came after the snapshot was taken is not in it.
    rows.retain(|row| row.seq <= now.seq);
    let past = |row: &&Row| match as_of {
        AsOf::Seq(seq) => row.seq <= seq,
        AsOf::Time(at) => row.at <= at,
    };
    let Snapshot { mut state, seq, at } = now;
    let kept = rows.iter().rfind(past).map(|row| (row.seq, row.at));
    for row in rows.iter().rev().take_while(|row| !past(row)) {
        take_out(&mut state, row)?;
    }
    let seq = match as_of {
        AsOf::Seq(wanted) => wanted.min(seq),
        AsOf::Time(_) => kept.map_or(0, |(seq, _)| seq),
    };
    if seq == 0 {
        let hint = Some("lakeplan history shows where it begins".to_owned());
        return Err(ServiceError::Input { place: "--as-of".to_owned(), message: "the lake did not exist then".to_owned(), hint });
    }
    Ok(Snapshot { seq, at: kept.map_or(at, |(_, at)| at), state })
}

fn take_out(state: &mut crate::domain::state::State, row: &Row) -> Result<(), StoreError> {
    let damaged = |what: String| StoreError::Damaged { path: format!("journal row {}.{}", row.seq, row.ordinal), what };
    let before = row.before_fields().map_err(|fault| damaged(fault.to_string()))?;
    let slot = Slot { entity: row.entity, id: row.entity_id, project: row.project_id };
    if matches!(row.op, Op::Create | Op::Link) {
        state.remove(slot);
        return Ok(());
    }
    let Some(mut record) = state.get(slot) else {
        return Err(damaged("it changed a record that is not there".to_owned()));
    };
    for (field, value) in &before {
        record.set(field, value).map_err(|misfit| damaged(format!("{field} {misfit}")))?;
    }
    if record.slot() != slot {
        state.remove(slot);
    }
    state.put(record);
    Ok(())
}

fn change(row: &Row) -> Result<Change, StoreError> {
    let damaged = |fault: serde_json::Error| StoreError::Damaged {
        path: format!("journal row {}.{}", row.seq, row.ordinal),
        what: fault.to_string(),
    };
    Ok(Change {
        entity: row.entity,
        id: row.entity_id,
        project: row.project_id,
        op: row.op,
        before: row.before_fields().map_err(damaged)?,
        after: row.after_fields().map_err(damaged)?,
    })
}

/// What one row says happened, for people.
pub fn subject(state: &crate::domain::state::State, row: &Row) -> String {
    super::resolve::name_of(state, row.entity, row.entity_id, row.project_id)
}

/// Rows whose record is in one of these slots.
pub fn concerns(row: &Row, project: Option<ProjectId>, record: Option<&AnyRecord>) -> bool {
    project.is_none_or(|project| row.project_id == Some(project)) && record.is_none_or(|record| record.id() == row.entity_id)
}
