//! Compares the folded tables with the journal, a few buckets at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use object_store::ObjectStore;

use super::changes::Changes;
use super::checkup::{Checkup, FOLD, LOST_END, PASSED_OVER, REFOLD, RESTORE, message};
use super::records::ExpectedRecords;
use crate::store::delta_log::table::{LiveFile, Table};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::location::catalog::features::WAY_OUT_OF_FOLDED;
use crate::store::replay::{BucketReplay, Records, ReplayBounds};
use crate::store::row::{Row, Stream};
use crate::store::tables::read::{Distrust, TableState, batches};
use crate::store::tables::{BUCKET, BUCKETS, FoldedTable, TABLES};

/// Maximum number of rows of a table that are reported individually.
const MAX_FINDINGS: usize = 1000;

/// A readable folded table.
pub struct TableCheck {
    table: FoldedTable,
    log: TableLog,
    found: Table,
    seq: u64,
    rows: usize,
    wrong: usize,
    /// Whether its files were readable so far.
    is_readable: bool,
    /// Whether the journal defines what the table should hold.
    is_compared: bool,
}

/// What the rows of some buckets are compared with.
enum Against {
    /// Nothing is known about the rows; they are only counted.
    Nothing,
    Records(ExpectedRecords),
    Changes(Changes),
}

impl Against {
    /// Takes rows of the table and describes what is wrong with them.
    fn take(&mut self, batch: &RecordBatch, path: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Records(wanted) => wanted.take(batch, path),
            Self::Changes(changes) => changes.take(batch, path).map(|()| Vec::new()),
        }
    }

    /// Describes what the table lacks.
    fn rest(self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Records(wanted) => wanted.rest(),
            Self::Changes(changes) => changes.rest(),
        }
    }
}

/// Compares every folded table with the journal. If the journal cannot be replayed, the tables are
/// only read.
pub async fn check(
    checkup: &mut Checkup,
    mut standing: Vec<TableCheck>,
    parts: Option<&BucketReplay<'_>>,
    budget: u64,
) -> Result<(), StoreError> {
    let ahead = standing.iter().filter(|at| at.is_compared && at.seq > checkup.sets);
    if let Some(at) = ahead.max_by_key(|at| at.seq) {
        let (name, seq, end) = (at.table.name(), at.seq, checkup.sets);
        checkup.find(
            "journal",
            format!("it ends at seq {end}, but {name} is folded to {seq}: the journal lost its end, or {name} comes from a copy"),
            LOST_END,
        );
    }
    let until = until(&standing);
    let changed_to =
        standing.iter().find(|at| at.table == FoldedTable::Changes).map_or(0, |at| at.seq);
    let mut parts = parts;
    for buckets in
        parts.map_or_else(|| vec![(0..BUCKETS as u32).collect()], |parts| parts.split(budget))
    {
        let mut changes = Changes::default();
        let noted = |row: &Row| if row.seq <= changed_to { changes.note(row) } else { Ok(()) };
        let mut replayed = None;
        if let Some(whole) = parts {
            match whole.replay(&buckets, &until, noted).await {
                Ok(records) => replayed = Some((records, changes)),
                Err(stop) => {
                    let place = stop
                        .seq()
                        .map_or_else(|| "journal".to_owned(), |seq| format!("journal, seq {seq}"));
                    checkup.unread(place, stop.err(), RESTORE)?;
                    parts = None;
                }
            }
        }
        for at in standing.iter_mut().filter(|at| at.is_readable) {
            let against = at.against(replayed.as_mut(), checkup.sets);
            if let Err(err) = at.compare(checkup, &buckets, against).await {
                at.is_readable = false;
                checkup.unread(at.table.name(), err, REFOLD)?;
            }
        }
    }
    for orphan in parts.iter().flat_map(|parts| parts.orphans()) {
        let what = format!(
            "it changes the {} {}, which no row created; it is ignored",
            orphan.entity.noun(),
            orphan.id
        );
        checkup.find(format!("journal, row {}.{}", orphan.seq, orphan.ordinal), what, PASSED_OVER);
    }
    for at in standing {
        if at.wrong > MAX_FINDINGS {
            let what = format!(
                "{} more of its rows are missing, extra or different from the journal",
                at.wrong - MAX_FINDINGS
            );
            checkup.find(at.table.name(), what, REFOLD);
        }
        if at.is_readable {
            checkup.tables.push((at.table.name(), at.rows, at.seq));
        }
    }
    Ok(())
}

/// Returns how far each entity's records are compared. Rows of entities without a table are
/// replayed anyway.
fn until(standing: &[TableCheck]) -> ReplayBounds {
    let end = |table| {
        standing
            .iter()
            .find(|at| at.table == FoldedTable::Current(table))
            .map_or(u64::MAX, |at| at.seq)
    };
    ReplayBounds {
        ends: TABLES.iter().map(|table| (table.entity, end(table))).collect(),
        last: u64::MAX,
    }
}

/// Returns the tables to compare, with the seq to which the journal or the table itself states they
/// are folded.
pub async fn find(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    files: &Files,
) -> Result<Vec<TableCheck>, StoreError> {
    let (mut standing, mut missing) = (Vec::new(), Vec::new());
    let mut is_folded: BTreeSet<Stream> =
        FoldedTable::streams().filter(|stream| files.folded.of(*stream) > 0).collect();
    for table in FoldedTable::all() {
        match table.find(root, Some(files)).await {
            Ok(TableState::Ready(found, seq)) => {
                if table != FoldedTable::Changes {
                    is_folded.insert(table.stream());
                }
                let seq = seq.max(files.folded.of(table.stream()));
                standing.push(TableCheck {
                    table,
                    log: table.log(root),
                    found,
                    seq,
                    rows: 0,
                    wrong: 0,
                    is_readable: true,
                    is_compared: true,
                });
            }
            Ok(TableState::Untrusted(_, why @ Distrust::Features)) => {
                checkup.find(table.name(), why.to_string(), WAY_OUT_OF_FOLDED)
            }
            Ok(TableState::Untrusted(_, why)) => checkup.find(table.name(), why.to_string(), FOLD),
            Ok(TableState::Broken(err, _)) => {
                checkup.find(format!("{}/_delta_log", table.name()), message(&err), FOLD)
            }
            Ok(TableState::Missing) => missing.push(table),
            Err(err) => checkup.unread(table.name(), err, REFOLD)?,
        }
    }
    // Before the first fold there are no tables.
    for table in missing.into_iter().filter(|table| is_folded.contains(&table.stream())) {
        checkup.find(table.name(), "the table is missing", REFOLD);
    }
    Ok(standing)
}

impl TableCheck {
    /// Only reads the files, because nothing defines what the table should hold.
    pub fn only_read(&mut self) {
        self.is_compared = false;
    }

    /// Returns what to compare the table with after replaying a part. A table ahead of the journal
    /// shows what the journal lost.
    fn against(&self, replayed: Option<&mut (Records, Changes)>, sets: u64) -> Against {
        match (self.table, replayed.filter(|_| self.seq <= sets)) {
            (_, None) => Against::Nothing,
            (FoldedTable::Changes, Some((_, changes))) => Against::Changes(std::mem::take(changes)),
            (FoldedTable::Current(table), Some((records, _))) => {
                Against::Records(ExpectedRecords::new(
                    table.entity,
                    records.remove(&table.entity).unwrap_or_default(),
                ))
            }
        }
    }

    /// Reads the table's files of some buckets and reports what is wrong with them.
    async fn compare(
        &mut self,
        checkup: &mut Checkup,
        buckets: &BTreeSet<u32>,
        against: Against,
    ) -> Result<(), StoreError> {
        let mut against = against;
        let files: Vec<&LiveFile> =
            self.found.files.values().filter(|file| buckets.contains(&bucket_of(file))).collect();
        let (mut rows, mut wrong) = (0, Vec::new());
        for file in files {
            let path = format!("{}/{}", self.table.name(), file.path);
            for batch in batches(&path, self.log.get_live(&file.path).await?)? {
                let batch = batch?;
                rows += batch.num_rows();
                wrong.extend(against.take(&batch, &path)?);
            }
        }
        wrong.extend(against.rest());
        self.rows += rows;
        for what in wrong.iter().take(MAX_FINDINGS.saturating_sub(self.wrong)) {
            checkup.find(self.table.name(), what, REFOLD);
        }
        self.wrong += wrong.len();
        Ok(())
    }
}

/// Returns the bucket of a file's rows. A file without a valid bucket is checked with the first
/// bucket.
fn bucket_of(file: &LiveFile) -> u32 {
    let bucket = file.partitions.get(BUCKET).and_then(|bucket| bucket.as_deref()?.parse().ok());
    bucket.filter(|bucket| u64::from(*bucket) < BUCKETS).unwrap_or(0)
}
