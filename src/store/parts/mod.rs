//! The journal replayed part by part: a few buckets of projects at a time, so that of a large lake only one part is in
//! memory. What compares every record with the journal and what makes a table anew from it go this way.
//!
//! A first look at the whole journal ([`Survey`]) says how heavy each bucket is, which rows were erased and what stays of
//! them, and in which bucket a record ends that moved from project to project: there its whole history is replayed.

mod survey;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::erasure::unnamed;
use super::error::StoreError;
use super::format::Format;
use super::journal::batch::Glance;
use super::journal::entry::JournalFile;
use super::journal::files::Files;
use super::journal::merge::Merge;
use super::row::{Row, Stream};
use super::tables::bucket;
use crate::domain::any::AnyRecord;
use crate::domain::record::Entity;
pub use survey::Survey;

/// How many bytes of the journal's rows, not compressed, are replayed at a time. In memory the records, the changes of
/// their fields and what is being decoded come to about three times that.
pub const BUDGET: u64 = 96 << 20;

/// The journal, to be replayed part by part.
pub struct Parts<'f> {
    files: &'f Files,
    /// Those that are replayed.
    of: Vec<JournalFile>,
    format: &'f Format,
    survey: Arc<Survey>,
    orphans: Mutex<BTreeSet<Orphan>>,
}

/// A row that changes a record which no row has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    pub seq: u64,
    pub ordinal: u32,
    pub entity: Entity,
    pub id: Uuid,
}

/// The records of each entity by their ids.
pub type Records = HashMap<Entity, HashMap<Uuid, AnyRecord>>;

/// How far each entity's records are wanted, and up to where rows are replayed at all.
#[derive(Clone, Debug)]
pub struct Until {
    pub ends: BTreeMap<Entity, u64>,
    pub last: u64,
}

/// Why a part could not be replayed.
#[derive(Debug)]
pub enum Stop {
    /// The files do not give their rows.
    Unread(StoreError),
    /// The rows of a set do not make records.
    Unsound { seq: u64, fault: StoreError },
}

impl Stop {
    /// The set whose rows do not make records.
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Unread(_) => None,
            Self::Unsound { seq, .. } => Some(*seq),
        }
    }

    pub fn fault(self) -> StoreError {
        match self {
            Self::Unread(fault) | Self::Unsound { fault, .. } => fault,
        }
    }
}

impl<'f> Parts<'f> {
    pub fn new(files: &'f Files, of: Vec<JournalFile>, format: &'f Format, survey: Survey) -> Self {
        let mut of = of;
        of.retain(|file| file.stream == Stream::Work);
        Self { files, of, format, survey: Arc::new(survey), orphans: Mutex::default() }
    }

    /// All buckets, in parts of at most so many bytes, or of one bucket.
    pub fn split(&self, budget: u64) -> Vec<BTreeSet<u32>> {
        split(&self.survey.weights, budget)
    }

    /// The rows that were passed over so far, because they change records which no row has made.
    pub fn orphans(&self) -> BTreeSet<Orphan> {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The records of some buckets as they are at the end of their entity. `changed` gets every row of a task that stood
    /// in one of these buckets after it, in order.
    pub async fn replay(
        &self,
        buckets: &BTreeSet<u32>,
        until: &Until,
        mut changed: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<Records, Stop> {
        let wanted = {
            let (survey, buckets, until) =
                (Arc::clone(&self.survey), buckets.clone(), until.clone());
            Arc::new(move |row: &Glance| {
                let end = until.ends.get(&row.entity).filter(|_| row.seq <= until.last);
                end.is_some_and(|end| {
                    let own = bucket(row.entity, row.project);
                    buckets.contains(&survey.home(row.entity, row.id, *end).unwrap_or(own))
                        || row.entity == Entity::Task && buckets.contains(&own)
                })
            })
        };
        let mut rows = Merge::new(self.files, self.of.iter().cloned(), Some(wanted));
        let (mut records, mut later) = (Records::new(), Records::new());
        while let Some(row) = rows.next().await {
            let mut row = row.map_err(|(_, fault)| Stop::Unread(fault))?;
            let seq = row.seq;
            if let Some(place) = self.survey.erasures.restore(slice::from_mut(&mut row)) {
                return Err(Stop::Unsound { seq, fault: unnamed(place) });
            }
            let own = bucket(row.entity, row.project_id);
            let end = until.ends.get(&row.entity).copied().unwrap_or_default();
            if buckets.contains(&self.survey.home(row.entity, row.entity_id, end).unwrap_or(own)) {
                let at_end = records.entry(row.entity).or_default();
                let replayed = if row.seq <= end {
                    self.replay_row(&row, at_end, |_| None)
                } else {
                    self.replay_row(&row, later.entry(row.entity).or_default(), |id| {
                        at_end.get(id).cloned()
                    })
                };
                replayed.map_err(|fault| Stop::Unsound { seq, fault })?;
            }
            if row.entity == Entity::Task && buckets.contains(&own) {
                changed(&row).map_err(|fault| Stop::Unsound { seq, fault })?;
            }
        }
        Ok(records)
    }

    /// Makes a record what a row says, from what is known of it or stood before.
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

/// Buckets one after the other, as many at a time as fit.
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
