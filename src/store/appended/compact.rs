//! Upkeep of an appended table: what is older than its retention goes, and the small files of each past day become one,
//! in which every key is there once.
//!
//! It is a commit like any other, at the next slot. Where an appending process has the slot it is prepared anew from the
//! table as it then is, so it never removes a row that it has not written again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use deltalake::arrow::array::{BooleanArray, RecordBatch};
use deltalake::arrow::compute::filter_record_batch;
use object_store::{Error, ObjectStore};
use serde_json::{Value, json};

use super::{Appended, commit_info, rows};
use crate::domain::time::Instant;
use crate::runtime::{Clock, Random};
use crate::store::error::StoreError;
use crate::store::journal::STALE;
use crate::store::table_log::{LiveFile, Table, TableLog, entry_bytes};
use crate::store::tables::definition;

/// A file of so many bytes is not joined any more.
const LARGE: i64 = 16 << 20;
/// How often it tries to get a slot before it leaves the work to the next time.
const TRIES: usize = 10;

/// What was done to an appended table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condensed {
    /// Rows older than the retention, which are gone.
    pub expired: usize,
    /// Files that were joined, and what they became.
    pub from: usize,
    pub into: usize,
    /// Rows that were there twice.
    pub duplicates: usize,
}

/// Drops what is too old on a day, `from`, and joins the files of past days.
pub async fn condense(
    table: &Appended,
    root: &Arc<dyn ObjectStore>,
    from: NaiveDate,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Condensed, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    keep_up(&log, clock, &Condensing { table, from, random }).await
}

/// A way of keeping a table up.
#[async_trait]
pub trait Upkeep: Sync {
    /// What a commit after this version would do; `None` where there is nothing to do.
    async fn prepare(
        &self,
        log: &TableLog,
        current: &Table,
        now: Instant,
    ) -> Result<Prepared, StoreError>;
}

/// The actions of a commit, and what they do.
pub type Prepared = Option<(Vec<Value>, Condensed)>;

/// Keeps a table up with a commit at the next slot, prepared anew where another process has that.
pub async fn keep_up(
    log: &TableLog,
    clock: &dyn Clock,
    way: &dyn Upkeep,
) -> Result<Condensed, StoreError> {
    for _ in 0..TRIES {
        let begun = clock.now();
        let Some(current) = log.load().await? else { break };
        if let Err(fault) = current.others.may_write() {
            tracing::warn!(%fault, "{} is not kept up; {}", log.folder(), fault.hint().unwrap_or_default());
            break;
        }
        let Some((actions, condensed)) = way.prepare(log, &current, begun).await? else { break };
        match log.put_entry(current.version + 1, entry_bytes(&actions)).await {
            Ok(()) if clock.now() - begun <= STALE => return Ok(condensed),
            // It slept, so the commit may stand in a hole; the table itself tells whether there is something left to do.
            Ok(()) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
            Err(fault) => return Err(StoreError::storage("writing", log.folder(), fault)),
        }
    }
    Ok(Condensed::default())
}

struct Condensing<'a> {
    table: &'a Appended,
    from: NaiveDate,
    random: &'a dyn Random,
}

#[async_trait]
impl Upkeep for Condensing<'_> {
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
    way: &Condensing<'_>,
    log: &TableLog,
    current: &Table,
    now: Instant,
) -> Result<Prepared, StoreError> {
    let Condensing { table, from, random } = *way;
    let today = now.date_naive();
    let mut days: BTreeMap<NaiveDate, Vec<&LiveFile>> = BTreeMap::new();
    for file in current.files.values() {
        if let Some(day) = rows::day(file) {
            days.entry(day).or_default().push(file);
        }
    }
    let mut actions = vec![commit_info("COMPACT", now)];
    let (mut condensed, mut expired_days) = (Condensed::default(), 0);
    for (day, files) in days.range(..today) {
        if *day < from - TimeDelta::days(table.days) {
            expired_days += 1;
            condensed.expired +=
                files.iter().filter_map(|file| rows::recorded(file)).sum::<usize>();
            actions.extend(files.iter().map(|file| definition::remove(file, now)));
            continue;
        }
        let small: Vec<&&LiveFile> = files.iter().filter(|file| file.size < LARGE).collect();
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
        let mut add = rows::put(log, &day.to_string(), joined, known.len(), now, random).await?;
        add["add"]["dataChange"] = json!(false);
        for file in &small {
            let mut remove = definition::remove(file, now);
            remove["remove"]["dataChange"] = json!(false);
            actions.push(remove);
        }
        actions.push(add);
        condensed.from += small.len();
        condensed.into += 1;
        condensed.duplicates += found - known.len();
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
    Ok((actions.len() > 1).then_some((actions, condensed)))
}

/// The rows of a batch whose keys have not been seen.
fn unknown(
    table: &Appended,
    batch: &RecordBatch,
    known: &mut BTreeSet<Vec<String>>,
) -> Result<RecordBatch, StoreError> {
    let is_new: BooleanArray =
        rows::keys(table, batch).into_iter().map(|key| Some(known.insert(key))).collect();
    filter_record_batch(batch, &is_new)
        .map_err(|fault| StoreError::storage("encoding", table.name, fault))
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::domain::record::Fields;
    use crate::runtime::{ManualClock, SeededRandom};
    use crate::store::appended::RUNS;

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
        let none = condense(&RUNS, &root, clock.now().date_naive(), &clock, &random).await.unwrap();
        assert_eq!(none, Condensed::default(), "today's files are appended beside");
        clock.advance(TimeDelta::days(1));

        // Another process appends between preparation and commit: the slot is lost and the work prepared anew.
        let before = log.load().await.unwrap().unwrap();
        let way = Condensing { table: &RUNS, from: clock.now().date_naive(), random: &random };
        let (actions, _) = prepare(&way, &log, &before, clock.now()).await.unwrap().unwrap();
        RUNS.append(&root, &[run(140)], &clock, &random).await.unwrap();
        let lost = log.put_entry(before.version + 1, entry_bytes(&actions)).await;
        assert!(matches!(lost, Err(Error::AlreadyExists { .. })));
        let done = condense(&RUNS, &root, clock.now().date_naive(), &clock, &random).await.unwrap();
        assert_eq!(done, Condensed { expired: 0, from: 41, into: 1, duplicates: 2 });
        let (files, keys) = found(&log).await;
        assert_eq!(files, 2, "one of yesterday and one of today");
        assert_eq!(keys, (100..=140).map(|number| format!("run {number}")).collect::<Vec<_>>());

        clock.advance(TimeDelta::days(RUNS.days));
        let done = condense(&RUNS, &root, clock.now().date_naive(), &clock, &random).await.unwrap();
        assert_eq!(done, Condensed { expired: 40, ..Condensed::default() });
        assert_eq!(found(&log).await, (1, vec!["run 140".to_owned()]));
        assert_eq!(
            condense(&RUNS, &root, clock.now().date_naive(), &clock, &random).await.unwrap(),
            Condensed::default()
        );
    }
}
