//! The folded tables against the journal, a few buckets at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use object_store::ObjectStore;

use super::changes::Changes;
use super::records::Wanted;
use super::{Checkup, FOLD, LOST_END, PASSED_OVER, REFOLD, RESTORE, told};
use crate::store::catalog::features::WAY_OUT_OF_FOLDED;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::parts::{Parts, Records, Until};
use crate::store::row::Row;
use crate::store::table_log::{LiveFile, Table, TableLog};
use crate::store::tables::read::{Distrust, Found, batches};
use crate::store::tables::{BUCKET, BUCKETS, FoldedTable, TABLES};

/// So many rows of a table are told of one by one; of one that is wrong throughout nobody reads a million.
const MOST: usize = 1000;

/// A folded table that can be read.
pub struct Standing {
    table: FoldedTable,
    log: TableLog,
    found: Table,
    seq: u64,
    rows: usize,
    wrong: usize,
    /// Its files could be read so far.
    is_readable: bool,
    /// The journal tells what it should hold.
    is_compared: bool,
}

/// What a table's rows of some buckets are compared with.
enum Against {
    /// Nothing is known of what they should be; they are only counted.
    Nothing,
    Records(Wanted),
    Changes(Changes),
}

impl Against {
    /// What is wrong with rows of the table.
    fn take(&mut self, batch: &RecordBatch, path: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Records(wanted) => wanted.take(batch, path),
            Self::Changes(changes) => changes.take(batch, path).map(|()| Vec::new()),
        }
    }

    /// What the table lacks.
    fn rest(self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Records(wanted) => wanted.rest(),
            Self::Changes(changes) => changes.rest(),
        }
    }
}

/// Compares every folded table with the journal. Where it cannot be replayed, the tables are only read.
pub async fn check(
    checkup: &mut Checkup,
    mut standing: Vec<Standing>,
    parts: Option<&Parts<'_>>,
    budget: u64,
) -> Result<(), StoreError> {
    let ahead = standing.iter().filter(|at| at.is_compared && at.seq > checkup.sets);
    if let Some(at) = ahead.max_by_key(|at| at.seq) {
        let (name, seq, end) = (at.table.name(), at.seq, checkup.sets);
        checkup.find(
            "journal",
            format!("it ends at seq {end}, and {name} is folded to {seq}: the journal lost its end, or {name} is a copy's"),
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
                    checkup.unread(place, stop.fault(), RESTORE)?;
                    parts = None;
                }
            }
        }
        for at in standing.iter_mut().filter(|at| at.is_readable) {
            let against = at.against(replayed.as_mut(), checkup.sets);
            if let Err(fault) = at.compare(checkup, &buckets, against).await {
                at.is_readable = false;
                checkup.unread(at.table.name(), fault, REFOLD)?;
            }
        }
    }
    for orphan in parts.iter().flat_map(|parts| parts.orphans()) {
        let what = format!(
            "it changes the {} {}, which no row has made; it is passed over",
            orphan.entity.noun(),
            orphan.id
        );
        checkup.find(format!("journal, row {}.{}", orphan.seq, orphan.ordinal), what, PASSED_OVER);
    }
    for at in standing {
        if at.wrong > MOST {
            let what = format!(
                "{} more of its rows are missing, too many or not what the journal says",
                at.wrong - MOST
            );
            checkup.find(at.table.name(), what, REFOLD);
        }
        if at.is_readable {
            checkup.tables.push((at.table.name(), at.rows, at.seq));
        }
    }
    Ok(())
}

/// How far each entity's records are compared. Of what has no table the rows are replayed all the same.
fn until(standing: &[Standing]) -> Until {
    let end = |table| {
        standing
            .iter()
            .find(|at| at.table == FoldedTable::Current(table))
            .map_or(u64::MAX, |at| at.seq)
    };
    Until { ends: TABLES.iter().map(|table| (table.entity, end(table))).collect(), last: u64::MAX }
}

/// The tables that there are to compare, which the journal knows to be folded up to a seq.
pub async fn find(
    checkup: &mut Checkup,
    root: &Arc<dyn ObjectStore>,
    files: &Files,
) -> Result<Vec<Standing>, StoreError> {
    let (mut standing, mut missing) = (Vec::new(), Vec::new());
    let known = files.folded;
    let mut is_folded = known > 0;
    for table in FoldedTable::all() {
        match table.find(root, Some(files)).await {
            Ok(Found::Whole(found, seq)) => {
                is_folded |= table != FoldedTable::Changes;
                let seq = seq.max(known);
                standing.push(Standing {
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
            Ok(Found::Outdated(_, why @ Distrust::Features)) => {
                checkup.find(table.name(), why.to_string(), WAY_OUT_OF_FOLDED)
            }
            Ok(Found::Outdated(_, why)) => checkup.find(table.name(), why.to_string(), FOLD),
            Ok(Found::Broken(fault, _)) => {
                checkup.find(format!("{}/_delta_log", table.name()), told(&fault), FOLD)
            }
            Ok(Found::Nothing) => missing.push(table.name()),
            Err(fault) => checkup.unread(table.name(), fault, REFOLD)?,
        }
    }
    // Before the first fold there are none.
    for name in missing.into_iter().filter(|_| is_folded) {
        checkup.find(name, "the table is missing", REFOLD);
    }
    Ok(standing)
}

impl Standing {
    /// Only its files are read: nothing tells what it should hold.
    pub fn only_read(&mut self) {
        self.is_compared = false;
    }

    /// What it is compared with of a part that was replayed. One that is ahead of the journal says what the journal lost.
    fn against(&self, replayed: Option<&mut (Records, Changes)>, sets: u64) -> Against {
        match (self.table, replayed.filter(|_| self.seq <= sets)) {
            (_, None) => Against::Nothing,
            (FoldedTable::Changes, Some((_, changes))) => Against::Changes(std::mem::take(changes)),
            (FoldedTable::Current(table), Some((records, _))) => Against::Records(Wanted::new(
                table.entity,
                records.remove(&table.entity).unwrap_or_default(),
            )),
        }
    }

    /// Reads its files of some buckets and tells what is wrong with them.
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
        for what in wrong.iter().take(MOST.saturating_sub(self.wrong)) {
            checkup.find(self.table.name(), what, REFOLD);
        }
        self.wrong += wrong.len();
        Ok(())
    }
}

/// The bucket whose rows a file holds. What is in none that there is belongs nowhere, and is looked at with the first.
fn bucket_of(file: &LiveFile) -> u32 {
    let bucket = file.partitions.get(BUCKET).and_then(|bucket| bucket.as_deref()?.parse().ok());
    bucket.filter(|bucket| u64::from(*bucket) < BUCKETS).unwrap_or(0)
}
