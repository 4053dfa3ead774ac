//! Copying a lake: its journal, up to one position, into a new place, and what was noted beside it until then. A backup
//! is such a copy, and so is a restore.
//!
//! Every row of the journal is checked against its digest and every set against the chain on the way, so that damage is
//! not carried on in silence. Erased rows are copied as they are; the erase that names them must be copied with them,
//! because without it they could not be replayed. The log of the copy begins anew with one entry; the current tables are
//! not copied but folded from it. The inbox begins empty: its requests were made to the other lake. The copy keeps the
//! root it was made at in its own row, so it knows that it is one.

use std::sync::Arc;

use futures::StreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

use super::appended::copy::UpTo;
use super::appended::{self, APPENDED};
use super::delta::Root;
use super::erasure::{Erasures, Place, unnamed};
use super::error::StoreError;
use super::inbox;
use super::journal::files::Files;
use super::journal::{entry, schema};
use super::row::{Hash, Row, next_chain};
use super::table_log::{TableLog, entry_bytes};
use super::tables::LakeTables;
use crate::domain::time::{AsOf, Instant};
use crate::runtime::{Clock, Random, uuid_v7};

/// A copy that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    pub seq: u64,
    pub at: Instant,
    pub chain: Hash,
    pub rows: usize,
}

/// Copies the lake at `from` to `to`, which must be empty, up to a position or moment, or all of it.
pub async fn copy(
    from: &Root,
    to: &Root,
    up_to: Option<AsOf>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Copied, StoreError> {
    refuse_used(to).await?;
    let mut source = Files::new(Arc::clone(&from.store));
    if source.load().await?.is_none() {
        return Err(StoreError::NotALake { root: from.url.to_string() });
    }
    if let Some(AsOf::Seq(seq)) = up_to
        && seq > source.end()
    {
        return Err(StoreError::AfterItsEnd { seq, end: source.end() });
    }
    // Looked at before anything is written: what may not be read would make half a copy.
    for table in APPENDED {
        TableLog::new(Arc::clone(&from.store), table.name).head().await?;
    }
    let target = Files::new(Arc::clone(&to.store));
    let wanted = |row: &Row| match up_to {
        None => true,
        Some(AsOf::Seq(seq)) => row.seq <= seq,
        Some(AsOf::Time(at)) => row.at <= at,
    };
    let mut files: Vec<_> = source.live().cloned().collect();
    files.sort_by_key(|file| file.seq);
    let mut actions = Vec::new();
    let mut sets: Vec<(u64, u32, Row)> = Vec::new();
    let mut erasures = Erasures::default();
    let mut erased: Vec<Place> = Vec::new();
    for file in &files {
        let mut rows = source.read_rows(file, 0).await?;
        rows.retain(&wanted);
        rows.sort_by_key(|row| (row.seq, row.ordinal));
        if rows.is_empty() {
            continue;
        }
        let kept: Vec<&Row> = rows.iter().collect();
        actions.push(target.put_rows(0, uuid_v7(clock.now(), random), &kept).await?);
        rows.iter().try_for_each(|row| erasures.note(row))?;
        erased.extend(rows.iter().filter(|row| row.is_erased()).map(|row| (row.seq, row.ordinal)));
        // Only what the chain needs is kept; the payload stays in the files.
        sets.extend(rows.into_iter().map(|row| {
            let sound = row.is_erased() || row.compute_digest() == row.digest;
            let digest = if sound { row.digest } else { [0; 32] };
            (row.seq, row.ordinal, Row { before: None, after: None, digest, ..row })
        }));
    }
    sets.sort_by_key(|(seq, ordinal, _)| (*seq, *ordinal));
    let copied = verify(&sets)?;
    if let Some((seq, ordinal)) = erased.into_iter().find(|place| !erasures.names(*place)) {
        return Err(match up_to {
            Some(_) => StoreError::ErasedSince { seq, ordinal, up_to: copied.seq },
            None => unnamed((seq, ordinal)),
        });
    }
    let attempt = uuid_v7(clock.now(), random);
    let mut first = entry::json_of(&[entry::commit_info("CLONE", attempt, copied.at)])?;
    first.extend(schema::actions(attempt, clock.now()));
    actions.push(entry::txn(entry::TXN, copied.seq));
    first.extend(entry::json_of(&actions)?);
    target
        .log
        .put_entry(0, entry_bytes(&first))
        .await
        .map_err(|fault| StoreError::storage("writing", "journal/_delta_log", fault))?;
    let until = UpTo { place: up_to, at: copied.at };
    for table in APPENDED {
        appended::copy::copy(table, &from.store, &to.store, until, clock, random).await?;
    }
    inbox::ensure(&to.store, clock.now(), random).await?;
    Ok(copied)
}

/// The copied sets are all there and unchanged.
fn verify(rows: &[(u64, u32, Row)]) -> Result<Copied, StoreError> {
    let mut chain: Hash = [0; 32];
    for (expected, set) in (1..).zip(rows.chunk_by(|a, b| a.0 == b.0)) {
        let seq = set[0].0;
        chain = next_chain(chain, set.iter().map(|(_, _, row)| row.digest));
        if seq != expected || set.last().and_then(|(_, _, row)| row.chain) != Some(chain) {
            return Err(StoreError::damaged(format!("journal, seq {seq}"), "the hash chain breaks here, so it is not copied"));
        }
    }
    let Some((seq, _, last)) = rows.last() else {
        return Err(StoreError::BeforeItsTime);
    };
    Ok(Copied { seq: *seq, at: last.at, chain, rows: rows.len() })
}

async fn refuse_used(root: &Root) -> Result<(), StoreError> {
    for name in LakeTables::names() {
        match root.store.list(Some(&Path::from(name))).next().await {
            None => {}
            Some(Ok(_)) => return Err(StoreError::CopyOntoLake { root: root.url.to_string() }),
            Some(Err(fault)) => return Err(StoreError::storage("listing", root.url.to_string(), fault)),
        }
    }
    Ok(())
}
