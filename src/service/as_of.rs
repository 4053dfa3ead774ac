//! Reads past states of the lake.

use std::collections::BTreeSet;

use futures::StreamExt;

use super::ServiceError;
use crate::domain::any_record::RecordKey;
use crate::domain::hint::Hint;
use crate::domain::id::ProjectId;
use crate::domain::patch::Op;
use crate::domain::state::State;
use crate::domain::time::AsOf;
use crate::store::row::{Row, Stream};
use crate::store::{Format, Scope, Snapshot, Store, StoreError};

/// Reads the lake at an earlier point, by reverting every later change, newest first. Projects
/// outside the scope are outlines.
pub async fn read_as_of(
    store: &dyn Store,
    scope: &Scope,
    as_of: AsOf,
) -> Result<Snapshot, ServiceError> {
    let mut scope = scope.clone();
    loop {
        let now = store.snapshot(&scope).await?;
        match rewind(store, &scope, now, as_of).await? {
            Rewound::To(mut then) => {
                let others: Vec<ProjectId> =
                    then.state.project_ids().filter(|id| !scope.holds(Some(*id))).collect();
                others.into_iter().for_each(|project| then.state.evict(project));
                return Ok(then);
            }
            // A record that was in two projects since can be reverted only with both loaded.
            Rewound::Needs(others) => {
                let own = scope.projects().into_iter().flatten().copied();
                scope = Scope::of(own.chain(others));
            }
        };
    }
}

enum Rewound {
    To(Snapshot),
    Needs(BTreeSet<ProjectId>),
}

async fn rewind(
    store: &dyn Store,
    scope: &Scope,
    now: Snapshot,
    as_of: AsOf,
) -> Result<Rewound, ServiceError> {
    if let AsOf::Seq(seq) = as_of
        && seq > now.seq
    {
        let message = format!("there is no seq {seq} yet; the last is {}", now.seq);
        let hint = Some(Hint::ListChanges);
        return Err(ServiceError::Parameter { name: "as_of", message, hint });
    }
    let is_past = |row: &Row| match as_of {
        AsOf::Seq(seq) => row.seq <= seq,
        AsOf::Time(at) => row.at <= at,
    };
    let Snapshot { mut state, seq: head, at: mut kept_at } = now;
    let mut needs = BTreeSet::new();
    // Reads every row, so that the seq is one of the lake and not of the scope.
    let mut rows = store.changes_back(Stream::Work, &Scope::All).await?;
    let mut kept = 0;
    while let Some(row) = rows.next().await.transpose()? {
        if row.seq > head {
            // It was committed after the snapshot.
            continue;
        }
        if is_past(&row) {
            (kept, kept_at) = (row.seq, row.at);
            break;
        }
        if !scope.concerns(&row) {
            continue;
        }
        let ends = row.source_project().map(|left| [Some(left), row.project_id]);
        needs.extend(
            ends.into_iter().flatten().flatten().filter(|project| !scope.holds(Some(*project))),
        );
        if needs.is_empty() {
            take_out(&mut state, &row)?;
        }
    }
    if !needs.is_empty() {
        return Ok(Rewound::Needs(needs));
    }
    let seq = match as_of {
        AsOf::Seq(wanted) => wanted,
        AsOf::Time(_) => kept,
    };
    if seq == 0 || kept == 0 {
        return Err(ServiceError::Parameter {
            name: "as_of",
            message: "the lake did not exist at that time".to_owned(),
            hint: Some(Hint::SeeFirstChange),
        });
    }
    Ok(Rewound::To(Snapshot { seq, at: kept_at, state }))
}

fn take_out(state: &mut State, row: &Row) -> Result<(), StoreError> {
    let damaged = |what: String| StoreError::Damaged {
        path: format!("journal row {}.{}", row.seq, row.ordinal),
        what,
    };
    let before = Format::default().change(row)?.before;
    let slot = RecordKey { entity: row.entity, id: row.entity_id, project: row.project_id };
    if matches!(row.op, Op::Create | Op::Link) {
        state.remove(slot);
        return Ok(());
    }
    let Some(mut record) = state.get(slot) else {
        return Err(damaged("it changed a record that does not exist".to_owned()));
    };
    for (field, value) in &before {
        // A value that its field cannot hold reads as absent, in the past as well.
        if let Err(err) = record.restore(field, value) {
            tracing::debug!("journal row {}.{}: {field} {err}", row.seq, row.ordinal);
        }
    }
    if record.record_key() != slot {
        state.remove(slot);
    }
    state.put(record);
    Ok(())
}
