//! Tracks which of the journal's files are live, and reads and writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStore;
use uuid::Uuid;

use super::chain::Links;
use super::encoding::{self, Batches, RowKey, RowPredicate};
use super::entry::{self, Entry, JournalFile};
use crate::domain::record::Entity;
use crate::store::delta_log::action::Add;
use crate::store::delta_log::paths::checked_path;
use crate::store::delta_log::table::{ForeignChanges, LiveFile, Table};
use crate::store::delta_log::table_log::TableLog;
use crate::store::erasure::{Erasures, unnamed};
use crate::store::error::StoreError;
use crate::store::mark::Mark;
use crate::store::row::{Row, Stream};
use crate::store::stream_seqs::StreamSeqs;

/// Error text for a log in which no row was committed by Lakeplan.
const NOT_OURS: &str = "no row in it was committed by Lakeplan: another engine made this log, by a clone, an import or a conversion, or the entries that Lakeplan wrote are lost";

/// Error text for a journal whose last set has lost its last row.
const NO_LAST_ROW: &str = "it does not end with the last row of a set";

/// State of the journal's files.
#[derive(Clone)]
pub struct Files {
    pub log: TableLog,
    /// Seq up to which the current tables of each stream are folded, as stated by the journal.
    pub folded: StreamSeqs,
    /// Seq at which each current table was last written, as far as the journal states it.
    pub written: BTreeMap<String, u64>,
    /// Marks of those positions, as stored in the log.
    pub(super) marks: BTreeMap<String, i64>,
    /// Cache of computed marks. Marks never change, so all readers share it.
    pub(super) known: Arc<Mutex<BTreeMap<u64, Mark>>>,
    /// Location of the lake, if known.
    pub(super) place: Option<Arc<str>>,
    /// Tables and versions for which a warning was logged that the table is not read.
    pub(super) warned: Arc<Mutex<BTreeSet<(String, u64)>>>,
    /// Whether a table ahead of the journal counts as a table of another lake.
    pub(super) ignores_tables_ahead: bool,
    /// Changes of other writers that are not trusted.
    pub others: ForeignChanges,
    /// Id of the table, as stated in its log.
    pub table_id: Option<Uuid>,
    live: BTreeMap<String, JournalFile>,
    /// Live files by their highest patch set id, as text.
    by_id: BTreeSet<(String, String)>,
    /// Live files by their last seq.
    by_end: BTreeSet<(u64, String)>,
    /// Cache of what erases left of rows. It never changes, so all readers share it.
    erasures: Arc<Mutex<Erasures>>,
}

impl Files {
    /// Creates the state of an unread journal; `root` is the store of the whole lake.
    pub fn new(root: Arc<dyn ObjectStore>) -> Self {
        let (live, by_id, by_end) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self {
            log: TableLog::new(root, "journal"),
            folded: StreamSeqs::default(),
            written: BTreeMap::new(),
            marks: BTreeMap::new(),
            known: Arc::default(),
            place: None,
            warned: Arc::default(),
            ignores_tables_ahead: false,
            others: ForeignChanges::default(),
            table_id: None,
            live,
            by_id,
            by_end,
            erasures: Arc::default(),
        }
    }

    /// Sets the location of the lake.
    pub fn at(self, place: &str) -> Self {
        Self { place: Some(place.into()), ..self }
    }

    /// Sets whether a table ahead of the journal counts as a table of another lake. Without it,
    /// such a table of the same lake cannot be distinguished from a journal that has lost its end.
    pub fn passing_over_ahead(self, passes: bool) -> Self {
        Self { ignores_tables_ahead: passes, ..self }
    }

    pub fn live(&self) -> impl Iterator<Item = &JournalFile> {
        self.live.values()
    }

    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// Returns a copy with only the files that end after a seq. That is enough to read the rows
    /// after it: what an erase left of a row comes after the row.
    pub fn after(&self, seq: u64) -> Self {
        let (live, by_id, by_end) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut later = Self {
            log: self.log.clone(),
            folded: self.folded,
            written: self.written.clone(),
            marks: self.marks.clone(),
            known: Arc::clone(&self.known),
            place: self.place.clone(),
            warned: Arc::clone(&self.warned),
            ignores_tables_ahead: self.ignores_tables_ahead,
            others: ForeignChanges::default(),
            table_id: None,
            live,
            by_id,
            by_end,
            erasures: Arc::clone(&self.erasures),
        };
        self.ending_after(seq).cloned().for_each(|file| later.add(file));
        later
    }

    /// Returns the live files that end after a seq, ordered by their ends.
    fn ending_after(&self, seq: u64) -> impl Iterator<Item = &JournalFile> {
        self.by_end
            .range((seq.saturating_add(1), String::new())..)
            .filter_map(|(_, path)| self.live.get(path))
    }

    /// Returns the live files that may hold the set of an id, by their statistics.
    pub fn with_id<'f>(&'f self, id: &'f str) -> impl Iterator<Item = &'f JournalFile> {
        // New ids are greater than all existing ones, so files with older ids are skipped.
        let from = (id.to_owned(), String::new());
        self.by_id
            .range(from..)
            .filter_map(|(_, path)| self.live.get(path))
            .filter(move |file| file.ids.0.as_str() <= id)
    }

    fn add(&mut self, file: JournalFile) {
        self.by_id.insert((file.ids.1.clone(), file.path.clone()));
        self.by_end.insert((file.seq.1, file.path.clone()));
        self.live.insert(file.path.clone(), file);
    }

    fn remove(&mut self, path: &str) {
        if let Some(file) = self.live.remove(path) {
            self.by_end.remove(&(file.seq.1, file.path.clone()));
            self.by_id.remove(&(file.ids.1, file.path));
        }
    }

    /// Loads the head and its live files from the log; `None` if there is no journal.
    pub async fn load(&mut self) -> Result<Option<u64>, StoreError> {
        match self.log.load().await? {
            Some(table) => self.take(table).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes over the state of a loaded log and returns the version of its head. Fails if no row is
    /// Lakeplan's: a lake has a first row from its first entry on, so this is not the log that
    /// Lakeplan wrote.
    pub async fn take(&mut self, table: Table) -> Result<u64, StoreError> {
        self.folded = entry::folded(&table.txns);
        self.written =
            table.txns.iter().filter_map(|(app, version)| entry::written(app, *version)).collect();
        self.marks =
            table.txns.iter().filter_map(|(app, version)| entry::mark(app, *version)).collect();
        self.live.clear();
        self.by_id.clear();
        self.by_end.clear();
        self.others = table.others;
        self.table_id = table.described.and_then(|described| Uuid::try_parse(&described.id).ok());
        for file in table.files.into_values() {
            let described = match entry::file(&file) {
                Some(described) => described,
                None => self.describe(file).await?,
            };
            self.add(described);
        }
        self.settle()?;
        // The log states its last seq separately, so this notices a last entry that lost a file.
        if let Some(stated) = table.txns.get(entry::TXN).and_then(|seq| u64::try_from(*seq).ok())
            && stated != self.end()
        {
            let what = format!(
                "its files end at seq {}, but its log says that it ends at seq {stated}",
                self.end()
            );
            return Err(StoreError::damaged(self.log.folder(), what));
        }
        if self.live.is_empty() {
            return Err(StoreError::damaged(format!("{}/_delta_log", self.log.folder()), NOT_OURS));
        }
        Ok(table.version)
    }

    /// Describes another writer's file, whose log entry has no description, from its rows.
    async fn describe(&self, file: LiveFile) -> Result<JournalFile, StoreError> {
        let name = format!("{}/{}", self.log.folder(), file.path);
        let Some(stream) = entry::stream(&file) else {
            return Err(StoreError::damaged(
                name,
                "its entry in the log does not say which stream's rows it holds",
            ));
        };
        let bounds = encoding::bounds(&name, stream, self.log.get_live(&file.path).await?)?;
        Ok(JournalFile {
            path: file.path,
            size: file.size,
            stream,
            rows: bounds.rows,
            seq: bounds.seq,
            ids: bounds.ids,
            entities: Some(bounds.entities),
        })
    }

    /// Checks that other writers' compactions that did not state their row counts kept the number
    /// of rows.
    fn settle(&mut self) -> Result<(), StoreError> {
        for (version, before, paths) in std::mem::take(&mut self.others.unsettled) {
            let files: Vec<&JournalFile> =
                paths.iter().filter_map(|path| self.live.get(path)).collect();
            let after: usize = files.iter().map(|file| file.rows).sum();
            if files.len() == paths.len() && after as u64 != before {
                let place = format!("{}/_delta_log/{version:020}.json", self.log.folder());
                let what = format!(
                    "another writer put {before} rows into other files, and {after} are in these"
                );
                return Err(StoreError::damaged(place, what));
            }
        }
        Ok(())
    }

    /// Applies the files that an entry added and removed.
    pub fn note(&mut self, entry: &Entry) {
        self.folded = self.folded.max(entry.folded);
        self.written.extend(entry.written.iter().cloned());
        self.marks.extend(entry.marks.iter().cloned());
        let paths = entry.removed.iter().map(String::as_str);
        self.others.has_other_columns &= !entry.is_described;
        self.others.settle(paths.chain(entry.added.iter().map(|file| file.path.as_str())));
        for path in &entry.removed {
            self.remove(path);
        }
        for file in &entry.added {
            self.add(file.clone());
        }
    }

    /// Returns the seq at which a current table was last written, as stated by the journal; 0 if
    /// not stated.
    pub fn written_at(&self, table: &str) -> u64 {
        self.written.get(table).copied().unwrap_or(0)
    }

    /// Adds the files that this process has just committed.
    pub fn note_added(&mut self, files: Vec<JournalFile>) {
        files.into_iter().for_each(|file| self.add(file));
    }

    /// Writes rows of one stream and one day as a file and returns the action that would add it.
    pub async fn put_rows(
        &self,
        version: u64,
        attempt: Uuid,
        rows: &[&Row],
    ) -> Result<Add, StoreError> {
        let Some(first) = rows.first() else {
            return Err(StoreError::damaged(self.log.folder(), "a file without rows"));
        };
        let path = path(version, attempt, first);
        let file = encoding::write(rows)
            .map_err(|err| StoreError::storage("encoding", path.clone(), err))?;
        let size = file.len();
        let path = self.log.put_checked(&path, file).await?;
        Ok(entry::add(&path, size, rows, first.at))
    }

    /// Writes a file like [`Self::put_rows`], under a name that an earlier attempt may already have
    /// written these rows to. The name carries version 0, the entry that adds the file.
    pub async fn put_rows_if_absent(&self, id: Uuid, rows: &[&Row]) -> Result<Add, StoreError> {
        let Some(first) = rows.first() else {
            return Err(StoreError::damaged(self.log.folder(), "a file without rows"));
        };
        let path = path(0, id, first);
        let file = encoding::write(rows)
            .map_err(|err| StoreError::storage("encoding", path.clone(), err))?;
        let (path, size) = (checked_path(&path, &file), file.len());
        if !self.log.has(&path).await? {
            self.log.put_if_absent(&path, file).await?;
        }
        Ok(entry::add(&path, size, rows, first.at))
    }

    /// Returns the last seq.
    pub fn end(&self) -> u64 {
        self.by_end.last().map_or(0, |(end, _)| *end)
    }

    /// Returns the number of rows in the files of a stream that end after a seq.
    pub fn count_after(&self, stream: Stream, seq: u64) -> usize {
        let own = self.ending_after(seq).filter(|file| file.stream == stream);
        own.map(|file| file.rows).sum()
    }

    /// Returns the files of the other stream with rows of the sets that these files, of one stream,
    /// hold in part.
    pub fn beside(&self, files: &[JournalFile]) -> impl Iterator<Item = &JournalFile> {
        let stream = files.first().map(|file| file.stream);
        let first = files.iter().map(|file| file.seq.0).min().unwrap_or(0);
        let last = files.iter().map(|file| file.seq.1).max().unwrap_or(0);
        self.ending_after(first.saturating_sub(1))
            .filter(move |file| Some(file.stream) != stream && file.seq.0 <= last)
    }

    /// Checks that the files cover every seq.
    pub fn check_no_gap(&self) -> Result<(), StoreError> {
        let mut ranges: Vec<(u64, u64)> = self.live().map(|file| file.seq).collect();
        ranges.sort_unstable();
        let mut last = 0;
        for (first, end) in ranges {
            if first > last + 1 {
                let what =
                    format!("seq {first} follows seq {last}; the sets between them are missing");
                return Err(StoreError::damaged(self.log.folder(), what));
            }
            last = last.max(end);
        }
        Ok(())
    }

    /// Returns the seq up to which an entity's table that is folded to `seq` is up to date: the
    /// next change of that entity comes later.
    pub fn folded_through(&self, entity: Entity, seq: u64) -> u64 {
        let waiting = self.live().filter(|file| file.seq.1 > seq && file.may_hold(entity));
        waiting.map(|file| file.seq.0.max(seq + 1) - 1).min().unwrap_or_else(|| self.end().max(seq))
    }

    /// Returns the rows of these entities after each entity's seq that concern the caller, in
    /// order.
    pub async fn rows_behind(
        &self,
        seqs: &BTreeMap<Entity, u64>,
        concerns: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        let mut links = Links::default();
        for file in self.live() {
            let behind = seqs
                .iter()
                .filter(|(entity, seq)| file.seq.1 > **seq && file.may_hold(**entity))
                .map(|(_, seq)| *seq);
            if let Some(after) = behind.min() {
                let mut found = self.read_whole(file, after).await?;
                links.take(&found);
                found.retain(|row| {
                    seqs.get(&row.entity).is_some_and(|seq| row.seq > *seq) && concerns(row)
                });
                rows.append(&mut found);
            }
        }
        links.check_unbroken()?;
        rows.sort_by_key(|row| (row.seq, row.ordinal));
        Ok(rows)
    }

    /// Reads the rows of a file with a seq greater than `after` for replay or display: erased rows
    /// contain what their erase left of them.
    pub async fn read_whole(&self, file: &JournalFile, after: u64) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.read_rows(file, after).await?;
        if self.with_erasures(|erasures| erasures.restore(&mut rows)).is_none() {
            return Ok(rows);
        }
        let mut found = Erasures::default();
        // An erase is always later than the rows it names.
        for later in self.live().filter(|later| later.seq.1 > file.seq.0) {
            for row in self.read_rows(later, file.seq.0).await? {
                found.note(&row)?;
            }
        }
        let missing = self.with_erasures(|erasures| {
            erasures.extend(found);
            erasures.restore(&mut rows)
        });
        missing.map_or(Ok(rows), |place| Err(unnamed(place)))
    }

    fn with_erasures<T>(&self, look: impl FnOnce(&mut Erasures) -> T) -> T {
        look(&mut self.erasures.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the rows of a file with a seq greater than `after`, as stored.
    pub async fn read_rows(&self, file: &JournalFile, after: u64) -> Result<Vec<Row>, StoreError> {
        let bytes = self.log.get_live(&file.path).await?;
        encoding::read(&self.name(file), file.stream, bytes, after, file.is_sorted())
    }

    /// Opens the rows of a file, as stored, for lazy decoding: all rows, or the wanted ones.
    pub async fn open_rows(
        &self,
        file: &JournalFile,
        wanted: Option<RowPredicate>,
    ) -> Result<Batches, StoreError> {
        encoding::rows(
            &self.name(file),
            file.stream,
            self.log.get_live(&file.path).await?,
            wanted,
            file.is_sorted(),
        )
    }

    /// Reads the key of every row of a file, and the uncompressed size of its rows in bytes.
    pub async fn row_key(&self, file: &JournalFile) -> Result<(Vec<RowKey>, u64), StoreError> {
        encoding::row_key(&self.name(file), self.log.get_live(&file.path).await?)
    }

    /// Reads the journal's last row.
    pub async fn read_last(&self) -> Result<Option<Row>, StoreError> {
        let end = self.end();
        let mut last: Option<(String, Row)> = None;
        // The last set may have rows in the files of both streams.
        for file in self.ending_after(end.saturating_sub(1)) {
            let (name, bytes) = (self.name(file), self.log.get_live(&file.path).await?);
            let Some(row) = encoding::read_last(&name, file.stream, bytes, file.is_sorted())?
            else {
                return Err(StoreError::damaged(name, NO_LAST_ROW));
            };
            let place = (row.seq, row.ordinal);
            if last.as_ref().is_none_or(|(_, last)| (last.seq, last.ordinal) < place) {
                last = Some((name, row));
            }
        }
        match last {
            None => Ok(None),
            Some((_, row)) if row.seq == end && row.chain.is_some() => {
                row.chain.iter().for_each(|chain| self.note_mark(row.seq, chain));
                Ok(Some(row))
            }
            Some((name, _)) => Err(StoreError::damaged(name, NO_LAST_ROW)),
        }
    }

    fn name(&self, file: &JournalFile) -> String {
        format!("{}/{}", self.log.folder(), file.path)
    }

    pub async fn read_entry(&self, version: u64) -> Result<Option<Entry>, StoreError> {
        self.log.get_entry(version).await?.map(|bytes| entry::read(version, &bytes)).transpose()
    }
}

fn path(version: u64, attempt: Uuid, row: &Row) -> String {
    format!("stream={}/date={}/{version:020}-{attempt}.parquet", row.stream, row.date())
}
