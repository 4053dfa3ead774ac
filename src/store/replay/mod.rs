//! Replays the journal part by part: a few buckets of projects at a time, so that only one part of
//! a large lake is in memory. The comparison of every record with the journal and the rebuild of a
//! table use this.
//!
//! A first scan of the whole journal ([`JournalScan`]) determines the weight of each bucket, the
//! erased rows and what remains of them, and the final bucket of each record that moved between
//! projects: its whole history is replayed there.

mod scan;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::erasure::unnamed;
use super::error::StoreError;
use super::format::Format;
use super::journal::encoding::RowKey;
use super::journal::entry::JournalFile;
use super::journal::files::Files;
use super::journal::merge::Merge;
use super::row::{Row, Stream};
use super::tables::bucket;
use crate::domain::any_record::AnyRecord;
use crate::domain::record::Entity;
pub use scan::JournalScan;

/// Bytes of the journal's uncompressed rows that are replayed at a time. In memory, the records,
/// the changes of their fields and the rows being decoded take about three times that.
pub const REPLAY_BUDGET_BYTES: u64 = 96 << 20;

/// The journal, for replay part by part.
pub struct BucketReplay<'f> {
    files: &'f Files,
    /// Files to replay.
    of: Vec<JournalFile>,
    format: &'f Format,
    scan: Arc<JournalScan>,
    orphans: Mutex<BTreeSet<Orphan>>,
}

/// A row that changes a record that no row has created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    pub seq: u64,
    pub ordinal: u32,
    pub entity: Entity,
    pub id: Uuid,
}

/// Records of each entity by id.
pub type Records = HashMap<Entity, HashMap<Uuid, AnyRecord>>;

/// Seq up to which each entity's records are wanted, and the last seq that is replayed at all.
#[derive(Clone, Debug)]
pub struct ReplayBounds {
    pub ends: BTreeMap<Entity, u64>,
    pub last: u64,
}

/// Reason why a part could not be replayed.
#[derive(Debug)]
pub enum Stop {
    /// The files could not be read.
    Unread(StoreError),
    /// The rows of a set do not make valid records.
    Unsound { seq: u64, err: StoreError },
}

impl Stop {
    /// Returns the set whose rows do not make valid records.
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Unread(_) => None,
            Self::Unsound { seq, .. } => Some(*seq),
        }
    }

    pub fn err(self) -> StoreError {
        match self {
            Self::Unread(err) | Self::Unsound { err, .. } => err,
        }
    }
}

impl<'f> BucketReplay<'f> {
    pub fn new(
        files: &'f Files,
        of: Vec<JournalFile>,
        format: &'f Format,
        scan: JournalScan,
    ) -> Self {
        Self { files, of, format, scan: Arc::new(scan), orphans: Mutex::default() }
    }

    /// Splits all buckets into parts of at most `budget` bytes, or of one bucket.
    pub fn split(&self, budget: u64) -> Vec<BTreeSet<u32>> {
        split(&self.scan.weights, budget)
    }

    /// Returns the rows skipped so far because they change records that no row has created.
    pub fn orphans(&self) -> BTreeSet<Orphan> {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the records of some buckets as of the end of their entity. `changed` is called, in
    /// order, with every row of a task that was in one of these buckets after the row.
    pub async fn replay(
        &self,
        buckets: &BTreeSet<u32>,
        until: &ReplayBounds,
        mut changed: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<Records, Stop> {
        let wanted = {
            let (scan, buckets, until) = (Arc::clone(&self.scan), buckets.clone(), until.clone());
            Arc::new(move |row: &RowKey| {
                let end = until.ends.get(&row.entity).filter(|_| row.seq <= until.last);
                end.is_some_and(|end| {
                    let own = bucket(row.entity, row.project);
                    buckets.contains(&scan.home(row.entity, row.id, *end).unwrap_or(own))
                        || row.entity == Entity::Task && buckets.contains(&own)
                })
            })
        };
        let streams: BTreeSet<Stream> = until.ends.keys().map(|entity| entity.stream()).collect();
        let of = self.of.iter().filter(|file| streams.contains(&file.stream)).cloned();
        let mut rows = Merge::new(self.files, of, Some(wanted));
        let (mut records, mut later) = (Records::new(), Records::new());
        while let Some(row) = rows.next().await {
            let mut row = row.map_err(|(_, err)| Stop::Unread(err))?;
            let seq = row.seq;
            if let Some(place) = self.scan.erasures.restore(slice::from_mut(&mut row)) {
                return Err(Stop::Unsound { seq, err: unnamed(place) });
            }
            let own = bucket(row.entity, row.project_id);
            let end = until.ends.get(&row.entity).copied().unwrap_or_default();
            if buckets.contains(&self.scan.home(row.entity, row.entity_id, end).unwrap_or(own)) {
                let at_end = records.entry(row.entity).or_default();
                let replayed = if row.seq <= end {
                    self.replay_row(&row, at_end, |_| None)
                } else {
                    self.replay_row(&row, later.entry(row.entity).or_default(), |id| {
                        at_end.get(id).cloned()
                    })
                };
                replayed.map_err(|err| Stop::Unsound { seq, err })?;
            }
            if row.entity == Entity::Task && buckets.contains(&own) {
                changed(&row).map_err(|err| Stop::Unsound { seq, err })?;
            }
        }
        Ok(records)
    }

    /// Applies a row to its record, from `records` or from `before`.
    fn replay_row(
        &self,
        row: &Row,
        records: &mut HashMap<Uuid, AnyRecord>,
        before: impl FnOnce(&Uuid) -> Option<AnyRecord>,
    ) -> Result<(), StoreError> {
        let known = records.remove(&row.entity_id).or_else(|| before(&row.entity_id));
        match self.format.replay(row, known)? {
            Some(record) => drop(records.insert(row.entity_id, record)),
            None => {
                let orphan = Orphan {
                    seq: row.seq,
                    ordinal: row.ordinal,
                    entity: row.entity,
                    id: row.entity_id,
                };
                self.orphans.lock().unwrap_or_else(PoisonError::into_inner).insert(orphan);
            }
        }
        Ok(())
    }
}

/// Splits buckets, in order, into parts of as many as fit.
fn split(weights: &[u64], budget: u64) -> Vec<BTreeSet<u32>> {
    let mut parts: Vec<BTreeSet<u32>> = Vec::new();
    let mut held = 0;
    for (bucket, weight) in (0..).zip(weights) {
        match parts.last_mut().filter(|_| held + weight <= budget) {
            Some(part) => {
                part.insert(bucket);
                held += weight;
            }
            None => {
                parts.push(BTreeSet::from([bucket]));
                held = *weight;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_many_buckets_as_fit_and_none_is_left_out() {
        let parts = split(&[5, 0, 5, 1, 20, 3], 10);
        assert_eq!(
            parts,
            [
                BTreeSet::from([0, 1, 2]),
                BTreeSet::from([3]),
                BTreeSet::from([4]),
                BTreeSet::from([5])
            ]
        );
        assert_eq!(split(&[0; 64], 10), [(0..64).collect()]);
    }
}
