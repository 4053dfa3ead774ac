//! The journal's files: which ones are live, and reading and writing them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use deltalake::kernel::Action;
use object_store::ObjectStore;
use uuid::Uuid;

use super::batch::{self, Batches, Glance, Wanted};
use super::chain::Links;
use super::entry::{self, Entry, JournalFile};
use crate::domain::record::Entity;
use crate::store::erasure::{Erasures, unnamed};
use crate::store::error::StoreError;
use crate::store::foreign::Others;
use crate::store::mark::Mark;
use crate::store::row::Row;
use crate::store::table_log::{LiveFile, Table, TableLog, checked_path};

/// What is wrong with a log in which no row is of a commit of Lakeplan.
const NOT_OURS: &str = "no row in it was committed by Lakeplan: another engine made this log, by a clone, an import or a conversion, or the entries that Lakeplan wrote are lost";

/// What is known of the journal's files.
#[derive(Clone)]
pub struct Files {
    pub log: TableLog,
    /// How far the journal says the current tables are folded.
    pub folded: u64,
    /// The seq that each current table was last written at, as far as the journal says.
    pub written: BTreeMap<String, u64>,
    /// The marks of those positions, as the log holds them.
    pub(super) marks: BTreeMap<String, i64>,
    /// The marks of positions that were looked up. They never change, so all who read share them.
    pub(super) known: Arc<Mutex<BTreeMap<u64, Mark>>>,
    /// Where the lake is, if it is known.
    pub(super) place: Option<Arc<str>>,
    /// The tables, each with its version, of which it was told that they are not read.
    pub(super) told: Arc<Mutex<BTreeSet<(String, u64)>>>,
    /// Tables that are ahead of the journal count as those of another.
    pub(super) passes_over_ahead: bool,
    /// What other writers did that does not count.
    pub others: Others,
    /// The id of the table, as its log has it.
    pub table_id: Option<Uuid>,
    live: BTreeMap<String, JournalFile>,
    /// The live files by their highest patch set id, as text.
    by_id: BTreeSet<(String, String)>,
    /// The live files by their last seq.
    by_end: BTreeSet<(u64, String)>,
    /// What erases left of rows, as far as it was looked for. It never changes, so all who read share it.
    erasures: Arc<Mutex<Erasures>>,
}

impl Files {
    /// `root` is the store of the whole lake.
    pub fn new(root: Arc<dyn ObjectStore>) -> Self {
        let (live, by_id, by_end) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self {
            log: TableLog::new(root, "journal"),
            folded: 0,
            written: BTreeMap::new(),
            marks: BTreeMap::new(),
            known: Arc::default(),
            place: None,
            told: Arc::default(),
            passes_over_ahead: false,
            others: Others::default(),
            table_id: None,
            live,
            by_id,
            by_end,
            erasures: Arc::default(),
        }
    }

    /// The same of the lake at this place.
    pub fn at(self, place: &str) -> Self {
        Self { place: Some(place.into()), ..self }
    }

    /// The same where tables that are ahead of the journal are to count as those of another, if `passes` says so. Without it
    /// nothing tells one of the same lake from a journal that has lost its end.
    pub fn passing_over_ahead(self, passes: bool) -> Self {
        Self { passes_over_ahead: passes, ..self }
    }

    pub fn live(&self) -> impl Iterator<Item = &JournalFile> {
        self.live.values()
    }

    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// The same of the files that end after a seq, which is all that reading rows after it takes: what an erase left of a
    /// row stands after the row.
    pub fn after(&self, seq: u64) -> Self {
        let (live, by_id, by_end) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut later = Self {
            log: self.log.clone(),
            folded: self.folded,
            written: self.written.clone(),
            marks: self.marks.clone(),
            known: Arc::clone(&self.known),
            place: self.place.clone(),
            told: Arc::clone(&self.told),
            passes_over_ahead: self.passes_over_ahead,
            others: Others::default(),
            table_id: None,
            live,
            by_id,
            by_end,
            erasures: Arc::clone(&self.erasures),
        };
        self.ending_after(seq).cloned().for_each(|file| later.add(file));
        later
    }

    /// The live files that end after a seq, in the order of their ends.
    fn ending_after(&self, seq: u64) -> impl Iterator<Item = &JournalFile> {
        self.by_end
            .range((seq.saturating_add(1), String::new())..)
            .filter_map(|(_, path)| self.live.get(path))
    }

    /// The live files that by their statistics may hold the set of an id.
    pub fn with_id<'f>(&'f self, id: &'f str) -> impl Iterator<Item = &'f JournalFile> {
        // Fresh ids are greater than all there were, so the files of old ones are not even looked at.
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

    /// Finds the head and its live files from the log itself; `None` where there is no journal.
    pub async fn load(&mut self) -> Result<Option<u64>, StoreError> {
        match self.log.load().await? {
            Some(table) => self.take(table).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes in what a log tells of the journal; the version of its head. Refused where nothing of it is Lakeplan's: a lake
    /// has a first row from its first entry on, so the log is not the one that Lakeplan wrote.
    pub async fn take(&mut self, table: Table) -> Result<u64, StoreError> {
        self.folded =
            table.txns.get(entry::FOLDED).and_then(|seq| u64::try_from(*seq).ok()).unwrap_or(0);
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
        // The log says beside its files where they end, so a last entry that lost one is noticed.
        if let Some(said) = table.txns.get(entry::TXN).and_then(|seq| u64::try_from(*seq).ok())
            && said != self.end()
        {
            let what = format!(
                "its files end at seq {}, and its log says that it ends at seq {said}",
                self.end()
            );
            return Err(StoreError::damaged(self.log.folder(), what));
        }
        if self.live.is_empty() {
            return Err(StoreError::damaged(format!("{}/_delta_log", self.log.folder()), NOT_OURS));
        }
        Ok(table.version)
    }

    /// A file of another writer that does not say what is in it, as its rows tell.
    async fn describe(&self, file: LiveFile) -> Result<JournalFile, StoreError> {
        let name = format!("{}/{}", self.log.folder(), file.path);
        let Some(stream) = entry::stream(&file) else {
            return Err(StoreError::damaged(
                name,
                "its entry in the log does not say which stream's rows it holds",
            ));
        };
        let bounds = batch::bounds(&name, stream, self.log.get_live(&file.path).await?)?;
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

    /// Compactions of others that did not say so themselves hold as many rows as there were.
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

    /// Notes what an entry added and removed.
    pub fn note(&mut self, entry: &Entry) {
        self.folded = self.folded.max(entry.folded.unwrap_or(0));
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

    /// The seq that a current table was last written at, as the journal says; 0 where it does not say.
    pub fn written_at(&self, table: &str) -> u64 {
        self.written.get(table).copied().unwrap_or(0)
    }

    /// Notes the files this process has just committed.
    pub fn note_added(&mut self, files: Vec<JournalFile>) {
        files.into_iter().for_each(|file| self.add(file));
    }

    /// Writes rows of one stream and one day as a file; gives the action that would add it.
    pub async fn put_rows(
        &self,
        version: u64,
        attempt: Uuid,
        rows: &[&Row],
    ) -> Result<Action, StoreError> {
        let Some(first) = rows.first() else {
            return Err(StoreError::damaged(self.log.folder(), "a file without rows"));
        };
        let path = path(version, attempt, first);
        let file = batch::write(rows)
            .map_err(|fault| StoreError::storage("encoding", path.clone(), fault))?;
        let size = file.len();
        let path = self.log.put_checked(&path, file).await?;
        Ok(entry::add(&path, size, rows, first.at))
    }

    /// The same under a name that an earlier attempt may have written these rows to already; version 0 is to add it.
    pub async fn put_rows_once(&self, id: Uuid, rows: &[&Row]) -> Result<Action, StoreError> {
        let Some(first) = rows.first() else {
            return Err(StoreError::damaged(self.log.folder(), "a file without rows"));
        };
        let path = path(0, id, first);
        let file =
            batch::write(rows).map_err(|err| StoreError::storage("encoding", path.clone(), err))?;
        let (path, size) = (checked_path(&path, &file), file.len());
        if !self.log.has(&path).await? {
            self.log.put_if_absent(&path, file).await?;
        }
        Ok(entry::add(&path, size, rows, first.at))
    }

    /// The last seq there is.
    pub fn end(&self) -> u64 {
        self.by_end.last().map_or(0, |(end, _)| *end)
    }

    /// How many rows the files hold that end after a seq.
    pub fn count_after(&self, seq: u64) -> usize {
        self.ending_after(seq).map(|file| file.rows).sum()
    }

    /// The files hold every seq there is.
    pub fn refuse_gap(&self) -> Result<(), StoreError> {
        let mut ranges: Vec<(u64, u64)> = self.live().map(|file| file.seq).collect();
        ranges.sort_unstable();
        let mut last = 0;
        for (first, end) in ranges {
            if first > last + 1 {
                let what = format!("seq {first} follows seq {last}; what is between is missing");
                return Err(StoreError::damaged(self.log.folder(), what));
            }
            last = last.max(end);
        }
        Ok(())
    }

    /// How far a table of an entity is up to date that is folded to `seq`: the next change of its kind comes later.
    pub fn reach(&self, entity: Entity, seq: u64) -> u64 {
        let waiting = self.live().filter(|file| file.seq.1 > seq && file.may_hold(entity));
        waiting.map(|file| file.seq.0.max(seq + 1) - 1).min().unwrap_or_else(|| self.end().max(seq))
    }

    /// The rows of these entities after the seq of each that concern the caller, in order.
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
        links.refuse_break()?;
        rows.sort_by_key(|row| (row.seq, row.ordinal));
        Ok(rows)
    }

    /// The rows of a file whose seq is greater than `after`, to be replayed or shown: erased ones with what their erase
    /// left of them.
    pub async fn read_whole(&self, file: &JournalFile, after: u64) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.read_rows(file, after).await?;
        if self.known_erasures(|erasures| erasures.restore(&mut rows)).is_none() {
            return Ok(rows);
        }
        let mut found = Erasures::default();
        // The erase came after what it names.
        for later in self.live().filter(|later| later.seq.1 > file.seq.0) {
            for row in self.read_rows(later, file.seq.0).await? {
                found.note(&row)?;
            }
        }
        let missing = self.known_erasures(|erasures| {
            erasures.extend(found);
            erasures.restore(&mut rows)
        });
        missing.map_or(Ok(rows), |place| Err(unnamed(place)))
    }

    fn known_erasures<T>(&self, look: impl FnOnce(&mut Erasures) -> T) -> T {
        look(&mut self.erasures.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rows of a file whose seq is greater than `after`, as they stand in it.
    pub async fn read_rows(&self, file: &JournalFile, after: u64) -> Result<Vec<Row>, StoreError> {
        let bytes = self.log.get_live(&file.path).await?;
        batch::read(&self.name(file), file.stream, bytes, after, file.is_sorted())
    }

    /// The rows of a file as they stand in it, to be decoded as they are taken; all of them, or those that are wanted.
    pub async fn open_rows(
        &self,
        file: &JournalFile,
        wanted: Option<Wanted>,
    ) -> Result<Batches, StoreError> {
        batch::rows(
            &self.name(file),
            file.stream,
            self.log.get_live(&file.path).await?,
            wanted,
            file.is_sorted(),
        )
    }

    /// A glance at every row of a file, and how many bytes its rows are when they are not compressed.
    pub async fn glance(&self, file: &JournalFile) -> Result<(Vec<Glance>, u64), StoreError> {
        batch::glance(&self.name(file), self.log.get_live(&file.path).await?)
    }

    /// The journal's last row.
    pub async fn read_last(&self) -> Result<Option<Row>, StoreError> {
        let Some(file) = self.live().max_by_key(|file| file.seq) else { return Ok(None) };
        let bytes = self.log.get_live(&file.path).await?;
        let last = batch::read_last(&self.name(file), file.stream, bytes, file.is_sorted())?;
        match last {
            Some(row) if row.seq == file.seq.1 && row.chain.is_some() => {
                row.chain.iter().for_each(|chain| self.note_mark(row.seq, chain));
                Ok(Some(row))
            }
            _ => Err(StoreError::damaged(
                self.name(file),
                "it does not end with the last row of a set",
            )),
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
