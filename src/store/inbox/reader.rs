//! Reads the inbox row by row, however its writer changed the table: columns of other types,
//! nullable, missing or additional columns, impossible values. An unreadable value is reported only
//! for its row; an unreadable file is reported, and the others are read.
//!
//! The reader holds the bytes of a column of one row group at a time. It returns rows in parts of
//! limited size, and only the start of long texts, so its memory use grows neither with the table
//! nor with the size of a row.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime};
use deltalake::parquet::errors::ParquetError;
use deltalake::parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};

use super::cells::{Cell, Cells, Found, Part, find};
use crate::store::delta_log::table::LiveFile;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;

/// Maximum rows, and bytes of patch sets, read at a time; at least one row is read.
const ROWS: usize = 1024;
const BYTES: usize = 16 << 20;
/// Minimum size of a Parquet file.
pub const MIN_FILE_BYTES: u64 = 12;
/// Maximum size of a file that is read at once.
const SMALL_FILE_BYTES: u64 = 1 << 20;
/// Bytes read first from the end of a larger file.
const FOOTER: u64 = 64 << 10;

/// Maximum bytes read of a text. A longer text is only measured, and its start kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextLimits {
    /// Limit for a request_id, a user, and a time stored as text.
    pub name: usize,
    pub patch_set: usize,
}

impl TextLimits {
    /// Limits for requests; a larger request is refused.
    pub const OF_REQUESTS: Self = Self { name: 4096, patch_set: 4 << 20 };
    /// Limits for SQL, which thus sees all of every request and of most refused ones.
    pub const IN_SQL: Self = Self { name: 128 << 10, patch_set: 8 << 20 };
    pub const NONE: Self = Self { name: usize::MAX, patch_set: usize::MAX };
}

/// The inbox at one version.
pub struct Inbox {
    log: TableLog,
    files: Vec<LiveFile>,
}

/// Position of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPosition {
    pub file: usize,
    pub group: usize,
    pub row: usize,
}

/// A row without its patch set.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxRow {
    pub place: RowPosition,
    pub request_id: Cell,
    pub at: Cell,
    pub user: Cell,
}

/// Columns that a scan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// All columns except the patch set.
    Light,
    All,
}

/// Result of a scan step.
pub enum Scanned {
    /// Rows, and their patch sets if requested.
    Rows(Vec<InboxRow>, Vec<Cell>),
    /// A file that cannot be read, or not to its end.
    Unreadable(StoreError),
}

/// A scan of the whole table, a part at a time.
pub struct Scan {
    inbox: Arc<Inbox>,
    columns: Columns,
    longest: TextLimits,
    file: usize,
    open: Option<OpenFile>,
    group: usize,
    rows: Option<Rows>,
    patch_sets: Option<PatchSets>,
    /// Rows with patch sets that are not read yet.
    pending: Vec<InboxRow>,
}

/// A file with its footer already read.
struct OpenFile {
    inbox: Arc<Inbox>,
    number: usize,
    whole: Option<Arc<Part>>,
    metadata: ParquetMetaData,
}

/// Rows of a row group, in parts.
struct Rows {
    path: String,
    place: RowPosition,
    left: usize,
    columns: [Cells; 3],
}

/// Patch sets of a row group.
struct PatchSets {
    path: String,
    next: usize,
    cells: Cells,
}

const SHORTER: &str = "it is shorter than the log says";

impl Inbox {
    /// Opens the inbox; `None` if there is no table.
    pub async fn open(log: TableLog) -> Result<Option<Self>, StoreError> {
        let Some(table) = log.load().await? else { return Ok(None) };
        table.others.may_write()?;
        Ok(Some(Self { log, files: table.files.into_values().collect() }))
    }

    /// Returns the inbox with the files of a known version.
    pub fn of(log: TableLog, files: Vec<LiveFile>) -> Self {
        Self { log, files }
    }

    /// Scans every row, from the first file on; a longer text is cut to its start.
    pub fn scan(self: &Arc<Self>, columns: Columns, longest: TextLimits) -> Scan {
        Scan {
            inbox: Arc::clone(self),
            columns,
            longest,
            file: 0,
            open: None,
            group: 0,
            rows: None,
            patch_sets: None,
            pending: Vec::new(),
        }
    }

    /// Passes the patch set of each row to `take`; an unreadable file is [`StoreError::Damaged`].
    /// Patch sets of more than `longest` bytes are only measured.
    pub async fn patch_sets(
        self: &Arc<Self>,
        places: &BTreeSet<RowPosition>,
        longest: usize,
        mut take: impl FnMut(RowPosition, Result<Cell, StoreError>),
    ) -> Result<(), StoreError> {
        let places: Vec<RowPosition> = places.iter().copied().collect();
        for of_file in places.chunk_by(|a, b| a.file == b.file) {
            let file = match self.file(of_file[0].file).await {
                Err(err @ StoreError::Damaged { .. }) => {
                    take(of_file[0], Err(err));
                    continue;
                }
                file => file?,
            };
            for of_group in of_file.chunk_by(|a, b| a.group == b.group) {
                let mut patch_sets = match file.patch_sets(of_group[0].group).await {
                    Err(err @ StoreError::Damaged { .. }) => {
                        take(of_group[0], Err(err));
                        continue;
                    }
                    patch_sets => patch_sets?,
                };
                for place in of_group {
                    let read = patch_sets.of(place.row, longest);
                    let is_damaged = read.is_err();
                    take(*place, read);
                    if is_damaged {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Opens a file. A file that is not readable as Parquet is [`StoreError::Damaged`].
    async fn file(self: &Arc<Self>, number: usize) -> Result<OpenFile, StoreError> {
        let Some(file) = self.files.get(number) else {
            return Err(StoreError::damaged(
                self.log.folder(),
                format!("there is no file {number}"),
            ));
        };
        let size = file.size.unsigned_abs();
        if size < MIN_FILE_BYTES {
            return Err(StoreError::damaged(
                self.path(file),
                format!("it has {size} bytes and is not a Parquet file"),
            ));
        }
        let begin = if size <= SMALL_FILE_BYTES { 0 } else { size - FOOTER };
        let mut end = self.part(file, begin, size).await?;
        let mut reader = ParquetMetaDataReader::new();
        loop {
            match reader.try_parse_sized(&end.bytes, size) {
                Ok(()) => break,
                Err(ParquetError::NeedMoreData(needed)) => {
                    end = self.part(file, size.saturating_sub(needed as u64), size).await?;
                }
                Err(err) => return Err(self.damaged(file, &err)),
            }
        }
        let metadata = reader.finish().map_err(|err| self.damaged(file, &err))?;
        Ok(OpenFile {
            inbox: Arc::clone(self),
            number,
            whole: (end.start == 0).then(|| Arc::new(end)),
            metadata,
        })
    }

    async fn part(&self, file: &LiveFile, start: u64, end: u64) -> Result<Part, StoreError> {
        let path = self.path(file);
        // The log stores paths as URL paths.
        let location = Path::from_url_path(&file.path)
            .map_err(|err| StoreError::damaged(path.clone(), err.to_string()))?;
        match self.log.store().get_range(&location, start..end).await {
            Ok(bytes) if bytes.len() as u64 == end - start => Ok(Part { start, bytes }),
            Ok(_) => Err(StoreError::damaged(path, SHORTER)),
            Err(Error::NotFound { .. }) => Err(StoreError::damaged(path, "the file is missing")),
            // Storages report a range beyond the end in different ways; the size decides.
            Err(err) => Err(match self.log.store().head(&location).await {
                Ok(meta) if meta.size < end => StoreError::damaged(path, SHORTER),
                _ => StoreError::storage("reading", path, err),
            }),
        }
    }

    fn path(&self, file: &LiveFile) -> String {
        format!("{}/{}", self.log.folder(), file.path)
    }

    fn damaged(&self, file: &LiveFile, err: &ParquetError) -> StoreError {
        StoreError::damaged(self.path(file), err.to_string())
    }
}

impl Scan {
    /// Returns the next rows; `None` at the end. An error concerns the access to the storage, not
    /// the stored data.
    pub async fn next(&mut self) -> Result<Option<Scanned>, StoreError> {
        loop {
            match self.step().await {
                Ok(Step::Rows(rows, patch_sets)) => {
                    return Ok(Some(Scanned::Rows(rows, patch_sets)));
                }
                Ok(Step::Done) => {}
                Ok(Step::LogPosition) => return Ok(None),
                Err(err @ StoreError::Damaged { .. }) => {
                    (self.open, self.rows, self.patch_sets, self.group) = (None, None, None, 0);
                    self.pending.clear();
                    self.file += 1;
                    return Ok(Some(Scanned::Unreadable(err)));
                }
                Err(err) => return Err(err),
            }
        }
    }

    async fn step(&mut self) -> Result<Step, StoreError> {
        if let Some(rows) = &mut self.rows {
            if self.pending.is_empty() {
                self.pending = rows.next(self.longest.name)?;
            }
            if !self.pending.is_empty() {
                let Some(patch_sets) = &mut self.patch_sets else {
                    return Ok(Step::Rows(std::mem::take(&mut self.pending), Vec::new()));
                };
                let patch_sets = patch_sets.next(self.pending.len(), self.longest.patch_set)?;
                let rest = self.pending.split_off(patch_sets.len());
                return Ok(Step::Rows(std::mem::replace(&mut self.pending, rest), patch_sets));
            }
            (self.rows, self.patch_sets) = (None, None);
            self.group += 1;
            return Ok(Step::Done);
        }
        match &self.open {
            Some(open) if self.group < open.groups() => {
                self.rows = Some(open.rows(self.group).await?);
                self.patch_sets = match self.columns {
                    Columns::Light => None,
                    Columns::All => Some(open.patch_sets(self.group).await?),
                };
            }
            Some(_) => {
                (self.open, self.group) = (None, 0);
                self.file += 1;
            }
            None if self.file < self.inbox.files.len() => {
                self.open = Some(self.inbox.file(self.file).await?)
            }
            None => return Ok(Step::LogPosition),
        }
        Ok(Step::Done)
    }
}

enum Step {
    Rows(Vec<InboxRow>, Vec<Cell>),
    Done,
    LogPosition,
}

impl OpenFile {
    fn groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    fn live(&self) -> &LiveFile {
        &self.inbox.files[self.number]
    }

    /// Opens the rows of a row group.
    async fn rows(&self, group: usize) -> Result<Rows, StoreError> {
        let metadata = self.metadata.row_group(group);
        let columns = [
            self.cells(metadata, "request_id").await?,
            self.cells(metadata, "at").await?,
            self.cells(metadata, "user").await?,
        ];
        let left = usize::try_from(metadata.num_rows()).unwrap_or_default();
        let place = RowPosition { file: self.number, group, row: 0 };
        Ok(Rows { path: self.inbox.path(self.live()), place, left, columns })
    }

    /// Opens the patch sets of a row group.
    async fn patch_sets(&self, group: usize) -> Result<PatchSets, StoreError> {
        let cells = self.cells(self.metadata.row_group(group), "patch_set").await?;
        Ok(PatchSets { path: self.inbox.path(self.live()), next: 0, cells })
    }

    async fn cells(&self, group: &RowGroupMetaData, name: &str) -> Result<Cells, StoreError> {
        let file = self.live();
        let partition =
            file.partitions.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
        if let Some((_, value)) = partition {
            return Ok(Cells::Same(value.clone().map_or(Cell::Null, Cell::Text)));
        }
        let at = match find(group, name) {
            Found::At(at) => at,
            Found::Nested => return Ok(Cells::Same(Cell::Unfit("a list or a structure"))),
            Found::Missing => return Ok(Cells::Same(Cell::Null)),
        };
        let part = match &self.whole {
            Some(whole) => Arc::clone(whole),
            None => {
                let chunk = group.column(at);
                let start = chunk
                    .dictionary_page_offset()
                    .unwrap_or(chunk.data_page_offset())
                    .min(chunk.data_page_offset());
                let (start, size) = (start.unsigned_abs(), chunk.compressed_size().unsigned_abs());
                let end = start.saturating_add(size);
                if end > file.size.unsigned_abs() {
                    return Err(StoreError::damaged(
                        self.inbox.path(file),
                        "a column is outside the file",
                    ));
                }
                Arc::new(self.inbox.part(file, start, end).await?)
            }
        };
        Cells::open(group, at, part).map_err(|err| self.inbox.damaged(file, &err))
    }
}

impl Rows {
    /// Returns the next rows; empty at the end.
    fn next(&mut self, longest: usize) -> Result<Vec<InboxRow>, StoreError> {
        let number = self.left.min(ROWS);
        let mut read = |at: usize| {
            let cells = self.columns[at].next(number, longest);
            cells.map_err(|err| StoreError::damaged(self.path.clone(), err.to_string()))
        };
        let (ids, times, users) = (read(0)?, read(1)?, read(2)?);
        if [ids.len(), times.len(), users.len()] != [number; 3] {
            return Err(StoreError::damaged(
                self.path.clone(),
                "a column has fewer values than it says",
            ));
        }
        let first = self.place;
        self.place.row += number;
        self.left -= number;
        let rows = ids.into_iter().zip(times).zip(users).enumerate();
        Ok(rows
            .map(|(offset, ((request_id, at), user))| InboxRow {
                place: RowPosition { row: first.row + offset, ..first },
                request_id,
                at,
                user,
            })
            .collect())
    }
}

impl PatchSets {
    /// Returns the patch set of a row; rows must be requested in order. A patch set of more than
    /// `longest` bytes is only measured.
    fn of(&mut self, row: usize, longest: usize) -> Result<Cell, StoreError> {
        let skipped = row.saturating_sub(self.next);
        let read = self.cells.skip(skipped).and_then(|()| self.cells.next(1, longest));
        let found = read.map_err(|err| StoreError::damaged(self.path.clone(), err.to_string()))?;
        self.next = row + 1;
        found.into_iter().next().ok_or_else(|| {
            StoreError::damaged(self.path.clone(), "a column has fewer values than it says")
        })
    }

    /// Returns the next `number` patch sets in sequence, or fewer if they are long.
    fn next(&mut self, number: usize, longest: usize) -> Result<Vec<Cell>, StoreError> {
        let (mut found, mut bytes) = (Vec::with_capacity(number), 0);
        while found.len() < number && bytes < BYTES {
            let cell = self.of(self.next, longest)?;
            bytes += cell.text().map_or(0, str::len);
            found.push(cell);
        }
        Ok(found)
    }
}

impl Cell {
    /// Returns the text, with invalid UTF-8 replaced, or the start of a text that is too long;
    /// `None` if the value is not a text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::NotUtf8(text) | Self::TooLong { start: text, .. } => {
                Some(text)
            }
            Self::Null | Self::Time(_) | Self::Unfit(_) => None,
        }
    }

    /// Returns the time in microseconds since 1970. A text is parsed as RFC 3339 or as an SQL
    /// timestamp in UTC.
    pub fn micros(&self) -> Option<i64> {
        match self {
            Self::Time(micros) => Some(*micros),
            Self::Text(text) => {
                let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_micros());
                let plain = || {
                    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
                        .map(|at| at.and_utc().timestamp_micros())
                };
                zoned.or_else(|_| plain()).ok()
            }
            Self::Null | Self::NotUtf8(_) | Self::TooLong { .. } | Self::Unfit(_) => None,
        }
    }
}
