//! Maintains an appended table: rows older than the retention are dropped, and the small files of
//! each past day are compacted into one, which holds every key once.
//!
//! This is a commit like any other, at the next version. If an appending process took that version,
//! the commit is prepared again from the new table, so it never removes a row that it has not
//! rewritten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use deltalake::arrow::array::{BooleanArray, RecordBatch};
use deltalake::arrow::compute::filter_record_batch;
use object_store::ObjectStore;

use super::{EventTable, rows};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::delta_log::action::{Action, Add, CommitInfo, Remove};
use crate::store::delta_log::commit::{Commit, CommitOutcome, NextEntry, PutResult, commit};
use crate::store::delta_log::table::{LiveFile, Table};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;

/// Minimum size of a file that is no longer compacted.
const LARGE_FILE_BYTES: i64 = 16 << 20;
/// Maximum number of attempts for a version; the work is then left to the next run.
const MAX_ATTEMPTS: usize = 10;

/// Result of maintaining an appended table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionStats {
    /// Dropped rows that were older than the retention.
    pub expired: usize,
    /// Number of compacted files, and of the resulting files.
    pub from: usize,
    pub into: usize,
    /// Rows that existed twice.
    pub duplicates: usize,
}

/// Drops rows that are too old on the day `from`, and compacts the files of past days.
pub async fn compact(
    table: &EventTable,
    root: &Arc<dyn ObjectStore>,
    from: NaiveDate,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<CompactionStats, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    maintain(&log, clock, random, &Compacting { table, from, random }).await
}

/// A way to maintain a table.
#[async_trait]
pub trait Maintenance: Sync {
    /// Prepares a commit after this version; `None` if there is nothing to do.
    async fn prepare(
        &self,
        log: &TableLog,
        current: &Table,
        now: Instant,
    ) -> Result<Prepared, StoreError>;
}

/// Actions of a commit, and their effect.
pub type Prepared = Option<(Vec<Action>, CompactionStats)>;

/// Maintains a table with a commit at the next version, prepared again if another process took it.
pub async fn maintain(
    log: &TableLog,
    clock: &dyn Clock,
    random: &dyn Random,
    way: &dyn Maintenance,
) -> Result<CompactionStats, StoreError> {
    let mut maintaining = Maintaining { log, clock, way, stats: CompactionStats::default() };
    match commit(&mut maintaining, MAX_ATTEMPTS, random).await? {
        CommitOutcome::Committed { .. } => Ok(maintaining.stats),
        CommitOutcome::NothingToDo | CommitOutcome::Contended => Ok(CompactionStats::default()),
    }
}

/// Maintains a table whose log Lakeplan may write.
struct Maintaining<'a> {
    log: &'a TableLog,
    clock: &'a dyn Clock,
    way: &'a dyn Maintenance,
    /// Effect of the entry that was decided on last.
    stats: CompactionStats,
}

#[async_trait]
impl Commit for Maintaining<'_> {
    async fn decide(&mut self) -> Result<Option<NextEntry>, StoreError> {
        let begun = self.clock.now();
        let Some(current) = self.log.load().await? else { return Ok(None) };
        if let Err(err) = current.others.may_write() {
            tracing::warn!(
                %err,
                "{} is not kept up; only Lakeplan may write the lake's tables, and SQL users write to inbox: drop the feature with ALTER TABLE … DROP FEATURE …, or create a copy without it with lakeplan backup; the copy is a lake of its own",
                self.log.folder()
            );
            return Ok(None);
        }
        let prepared = self.way.prepare(self.log, &current, begun).await?;
        Ok(prepared.map(|(actions, stats)| {
            self.stats = stats;
            NextEntry { version: current.version + 1, actions, begun }
        }))
    }

    async fn put(&mut self, entry: &NextEntry) -> Result<PutResult, StoreError> {
        let put = self.log.try_commit(entry, self.clock).await;
        put.map_err(|err| StoreError::storage("writing", self.log.folder(), err))
    }
}

struct Compacting<'a> {
    table: &'a EventTable,
    from: NaiveDate,
    random: &'a dyn Random,
}

#[async_trait]
impl Maintenance for Compacting<'_> {
    async fn prepare(
        &self,
        log: &TableLog,
        current: &Table,
        now: Instant,
    ) -> Result<Prepared, StoreError> {
        prepare(self, log, current, now).await
    }
}

async fn prepare(
    way: &Compacting<'_>,
    log: &TableLog,
    current: &Table,
    now: Instant,
) -> Result<Prepared, StoreError> {
    let Compacting { table, from, random } = *way;
    let today = now.date_naive();
    let mut days: BTreeMap<NaiveDate, Vec<&LiveFile>> = BTreeMap::new();
    for file in current.files.values() {
        if let Some(day) = rows::day(file) {
            days.entry(day).or_default().push(file);
        }
    }
    let mut actions = vec![Action::from(CommitInfo::new("COMPACT", now))];
    let (mut compacted, mut expired_days) = (CompactionStats::default(), 0);
    for (day, files) in days.range(..today) {
        if *day < from - TimeDelta::days(table.days) {
            expired_days += 1;
            compacted.expired +=
                files.iter().filter_map(|file| rows::recorded(file)).sum::<usize>();
            actions.extend(files.iter().map(|file| Action::from(file.remove(now))));
            continue;
        }
        let small: Vec<&&LiveFile> =
            files.iter().filter(|file| file.size < LARGE_FILE_BYTES).collect();
        if small.len() < 2 {
            continue;
        }
        let (mut known, mut batches, mut found) = (BTreeSet::new(), Vec::new(), 0);
        for file in &small {
            for batch in rows::read(table, log, file).await? {
                found += batch.num_rows();
                batches.push(unknown(table, &batch, &mut known)?);
            }
        }
        let joined = rows::parquet(table, &batches)?;
        let add = rows::put(log, &day.to_string(), joined, known.len(), now, random).await?;
        for file in &small {
            actions.push(Remove { data_change: false, ..file.remove(now) }.into());
        }
        actions.push(Add { data_change: false, ..add }.into());
        compacted.from += small.len();
        compacted.into += 1;
        compacted.duplicates += found - known.len();
    }
    let doubted = days.keys().filter(|day| **day < today - TimeDelta::days(table.days)).count();
    if from < today && doubted > expired_days {
        tracing::warn!(
            table = table.name,
            "rows of {} days are kept beyond their {} days: today is {today} by this machine's clock, {} days after the lake was \
             last in use; they expire when the clock is right, or after some days of use",
            doubted - expired_days,
            table.days,
            (today - from).num_days(),
        );
    }
    Ok((actions.len() > 1).then_some((actions, compacted)))
}

/// Returns the rows of a batch with new keys.
fn unknown(
    table: &EventTable,
    batch: &RecordBatch,
    known: &mut BTreeSet<Vec<String>>,
) -> Result<RecordBatch, StoreError> {
    let is_new: BooleanArray =
        rows::keys(table, batch).into_iter().map(|key| Some(known.insert(key))).collect();
    filter_record_batch(batch, &is_new)
        .map_err(|err| StoreError::storage("encoding", table.name, err))
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use serde_json::json;

    use super::*;
    use crate::domain::record::Fields;
    use crate::runtime::{ManualClock, SeededRandom};
    use crate::store::event_tables::RUNS;

    fn run(number: u32) -> Fields {
        let row = json!({
            "run_id": format!("run {number}"), "started_at": "2026-09-21T12:00:00Z", "duration_ms": 1, "command": "task",
            "actor": "ana", "seq": number, "version": "0.1.0",
        });
        row.as_object().cloned().unwrap()
    }

    async fn found(log: &TableLog) -> (usize, Vec<String>) {
        let table = log.load().await.unwrap().unwrap();
        let mut keys = Vec::new();
        for file in table.files.values() {
            for batch in rows::read(&RUNS, log, file).await.unwrap() {
                assert!(batch.num_rows() <= rows::recorded(file).unwrap());
                keys.extend(rows::keys(&RUNS, &batch).into_iter().flatten());
            }
        }
        keys.sort();
        (table.files.len(), keys)
    }

    #[tokio::test]
    async fn it_joins_past_days_loses_no_row_and_drops_what_is_old() {
        let root: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let clock = ManualClock::new(
            chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
            TimeDelta::milliseconds(1),
        );
        let random = SeededRandom::new(1);
        let log = TableLog::new(Arc::clone(&root), RUNS.name);
        for number in 100..140 {
            RUNS.append(&root, &[run(number)], &clock, &random).await.unwrap();
        }
        RUNS.append(&root, &[run(100), run(139)], &clock, &random).await.unwrap();
        let none = compact(&RUNS, &root, clock.now().date_naive(), &clock, &random).await.unwrap();
        assert_eq!(none, CompactionStats::default(), "today's files are appended beside");
        clock.advance(TimeDelta::days(1));

        // Another process appends between preparation and commit: the version is taken and the work
        // prepared again.
        let before = log.load().await.unwrap().unwrap();
        let way = Compacting { table: &RUNS, from: clock.now().date_naive(), random: &random };
        let (actions, _) = prepare(&way, &log, &before, clock.now()).await.unwrap().unwrap();
        RUNS.append(&root, &[run(140)], &clock, &random).await.unwrap();
        let lost = log.put_commit(before.version + 1, &actions).await.unwrap();
        assert_eq!(lost, PutResult::LookAgain);
        let done = compact(&RUNS, &root, clock.now().date_naive(), &clock, &random).await.unwrap();
        assert_eq!(done, CompactionStats { expired: 0, from: 41, into: 1, duplicates: 2 });
        let (files, keys) = found(&log).await;
        assert_eq!(files, 2, "one of yesterday and one of today");
        assert_eq!(keys, (100..=140).map(|number| format!("run {number}")).collect::<Vec<_>>());

        clock.advance(TimeDelta::days(RUNS.days));
        let done = compact(&RUNS, &root, clock.now().date_naive(), &clock, &random).await.unwrap();
        assert_eq!(done, CompactionStats { expired: 40, ..CompactionStats::default() });
        assert_eq!(found(&log).await, (1, vec!["run 140".to_owned()]));
        assert_eq!(
            compact(&RUNS, &root, clock.now().date_naive(), &clock, &random).await.unwrap(),
            CompactionStats::default()
        );
    }
}
