//! Copies a lake: its journal, up to one position, to a new location, and the rows recorded beside
//! it until then. Backups and restores are such copies.
//!
//! On the way, every row of the journal is checked against its digest and every set against the
//! chain, so that damage is not copied silently. Erased rows are copied as they are; the erase that
//! names them must be copied with them, because they could not be replayed without it. The log of
//! the copy starts with one entry; the current tables are not copied but folded from the copied
//! journal. The inbox starts empty: its requests were made to the other lake. The copy keeps the
//! root of the original in its lake row, so it knows that it is a copy.
//!
//! A copy is complete or states that it is not. A [`Marker`] is put first and entry 0 of the
//! journal last, so a location with a journal holds the whole copy. A repeat of an interrupted copy
//! takes the position and the names of its files from the marker, keeps the existing files, and
//! continues. If the journal is complete and only the marker was left, a repeat finishes the copy.
//! If somebody has changed that journal since, it is a separate lake, and the copy is refused.

mod marker;

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::delta::LakeLocation;
use super::delta_log::action::Action;
use super::delta_log::table_log::TableLog;
use super::erasure::{Erasures, RowAddress, unnamed};
use super::error::StoreError;
use super::event_tables::copy::UpTo;
use super::event_tables::{self, APPENDED};
use super::inbox;
use super::journal::files::Files;
use super::journal::{entry, schema};
use super::lake_tables::LakeTables;
use super::mark::Mark;
use super::row::{Hash, Row, next_chain};
use crate::domain::time::{AsOf, Instant};
use crate::runtime::{Clock, Random, uuid_v7};

pub use marker::FOLDER;
use marker::Marker;
pub(super) use marker::{check_finished, no_lake};

/// A finished copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    pub seq: u64,
    pub at: Instant,
    pub chain: Hash,
    pub rows: usize,
}

/// Copies the lake at `from` to `to`, up to a position or time, or all of it. The target must be
/// empty or hold the same copy unfinished; that is finished up to its original position. The marker
/// stays until [`finish`].
pub async fn copy(
    from: &LakeLocation,
    to: &LakeLocation,
    up_to: Option<AsOf>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Copied, StoreError> {
    let mut begun = Marker::read(to.store.as_ref()).await?;
    if begun.is_none() {
        check_unused(to).await?;
    }
    let mut source = Files::new(Arc::clone(&from.store));
    if source.load().await?.is_none() {
        return Err(no_lake(&from.store, from.url.as_str()).await);
    }
    if let Some(AsOf::Seq(seq)) = up_to
        && seq > source.end()
    {
        return Err(StoreError::AfterItsEnd { seq, end: source.end() });
    }
    // Check the tables before writing anything: an unreadable one would make half a copy.
    for table in APPENDED {
        TableLog::new(Arc::clone(&from.store), table.name).head().await?;
    }
    let mut target = Files::new(Arc::clone(&to.store));
    // A marker beside a journal belongs to a complete copy whose last steps are missing.
    let is_there = begun.is_some() && target.load().await?.is_some();
    let end = begun.as_ref().map_or_else(|| source.end(), |marker| marker.end);
    let wanted = |row: &Row| match up_to {
        None => row.seq <= end,
        Some(AsOf::Seq(seq)) => row.seq <= seq,
        Some(AsOf::Time(at)) => row.at <= at && row.seq <= end,
    };
    let mut files: Vec<_> = source.live().cloned().collect();
    files.sort_by_key(|file| file.seq);
    let mut actions = Vec::new();
    let mut sets: Vec<(u64, u32, Row)> = Vec::new();
    let mut erasures = Erasures::default();
    let mut erased: Vec<RowAddress> = Vec::new();
    for file in &files {
        let mut rows = source.read_rows(file, 0).await?;
        rows.retain(&wanted);
        rows.sort_by_key(|row| (row.seq, row.ordinal));
        let Some(first) = rows.first() else { continue };
        let marker = match begun.take() {
            Some(marker) => marker,
            None => {
                let marker = Marker {
                    lake: first.entity_id,
                    from: from.url.to_string(),
                    up_to: Marker::position(up_to),
                    end,
                    attempt: uuid_v7(clock.now(), random),
                    begun_at: clock.now(),
                };
                marker.put(to.store.as_ref()).await?
            }
        };
        if sets.is_empty()
            && (marker.lake != first.entity_id
                || marker.up_to != Marker::position(up_to)
                || marker.end != end)
        {
            return Err(marker.unfinished(to.url.as_str()));
        }
        let kept: Vec<&Row> = rows.iter().collect();
        if !is_there {
            let id = file_id(&marker, &file.path);
            actions.push(target.put_rows_if_absent(id, &kept).await?.into());
        }
        begun = Some(marker);
        rows.iter().try_for_each(|row| erasures.note(row))?;
        erased.extend(rows.iter().filter(|row| row.is_erased()).map(|row| (row.seq, row.ordinal)));
        // Keep only what the chain needs; the payload stays in the files.
        sets.extend(rows.into_iter().map(|row| {
            let sound = row.is_erased() || row.compute_digest() == row.digest;
            let digest = if sound { row.digest } else { [0; 32] };
            (row.seq, row.ordinal, Row { before: None, after: None, digest, ..row })
        }));
    }
    sets.sort_by_key(|(seq, ordinal, _)| (*seq, *ordinal));
    let copied = verify(&sets)?;
    let Some(marker) = begun else { return Err(StoreError::BeforeItsTime) };
    if let Some((seq, ordinal)) = erased.into_iter().find(|place| !erasures.names(*place)) {
        return Err(match source.end() > copied.seq {
            true => StoreError::ErasedSince { seq, ordinal, up_to: copied.seq },
            false => unnamed((seq, ordinal)),
        });
    }
    let until = UpTo { place: up_to, seq: copied.seq, at: copied.at };
    for table in APPENDED {
        event_tables::copy::copy(table, &from.store, &to.store, until, clock, random).await?;
    }
    inbox::ensure(&to.store, clock.now(), random).await?;
    if is_there {
        return unchanged(&target, copied, to).await;
    }
    let mut first = vec![Action::from(entry::commit_info("CLONE", marker.attempt, copied.at))];
    first.extend(schema::actions(marker.attempt, marker.begun_at));
    actions.push(entry::txn(entry::TXN, copied.seq));
    actions.push(entry::chain_txn(Mark::of(copied.seq, &copied.chain)));
    first.extend(actions);
    if target.log.create(&first).await? {
        return Ok(copied);
    }
    let there = target.read_entry(0).await?;
    if there.and_then(|entry| entry.attempt) == Some(marker.attempt) {
        Ok(copied)
    } else {
        Err(StoreError::CopyOntoLake { root: to.url.to_string() })
    }
}

/// Returns the existing copy, if it is unchanged: a journal that continues is a separate lake.
async fn unchanged(
    target: &Files,
    copied: Copied,
    to: &LakeLocation,
) -> Result<Copied, StoreError> {
    let (root, seq) = (to.url.to_string(), target.end());
    if seq > copied.seq {
        return Err(StoreError::CopyChanged { root, seq });
    }
    let chain = target.read_last().await?.and_then(|row| row.chain);
    if seq == copied.seq && chain == Some(copied.chain) {
        Ok(copied)
    } else {
        Err(StoreError::CopyOntoLake { root })
    }
}

/// Finishes a copy that is complete and folded.
pub async fn finish(to: &dyn ObjectStore) -> Result<(), StoreError> {
    marker::remove(to).await
}

/// Returns the id in the name of a file's copy. It is the same in every repeat, which reads the
/// same rows from the same file.
fn file_id(marker: &Marker, path: &str) -> Uuid {
    let digest = Sha256::new().chain_update(marker.attempt).chain_update(path).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, hashed)| *byte = hashed);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Checks that the copied sets are complete and unchanged.
fn verify(rows: &[(u64, u32, Row)]) -> Result<Copied, StoreError> {
    let mut chain: Hash = [0; 32];
    for (expected, set) in (1..).zip(rows.chunk_by(|a, b| a.0 == b.0)) {
        let seq = set[0].0;
        chain = next_chain(chain, set.iter().map(|(_, _, row)| row.digest));
        if seq != expected || set.last().and_then(|(_, _, row)| row.chain) != Some(chain) {
            return Err(StoreError::damaged(
                format!("journal, seq {seq}"),
                "the hash chain breaks here, so it is not copied",
            ));
        }
    }
    let Some((seq, _, last)) = rows.last() else {
        return Err(StoreError::BeforeItsTime);
    };
    Ok(Copied { seq: *seq, at: last.at, chain, rows: rows.len() })
}

/// Fails if a name that the copy needs for a table is taken, by a table or by another folder. The
/// files of that folder would be taken for the table's, and vacuumed.
async fn check_unused(root: &LakeLocation) -> Result<(), StoreError> {
    let named = || root.url.to_string();
    let failed = |err| StoreError::storage("listing", root.url.to_string(), err);
    let mut occupied = None;
    for name in LakeTables::names() {
        if root
            .store
            .list(Some(&Path::from(format!("{name}/_delta_log"))))
            .try_next()
            .await
            .map_err(failed)?
            .is_some()
        {
            return Err(StoreError::CopyOntoLake { root: named() });
        }
        if occupied.is_none()
            && root.store.list(Some(&Path::from(name))).try_next().await.map_err(failed)?.is_some()
        {
            occupied = Some(name);
        }
    }
    occupied.map_or(Ok(()), |name| Err(StoreError::Occupied { root: named(), name }))
}
