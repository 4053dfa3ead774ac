//! Reading the inbox row by row, however its writer changed the table: columns of other types, nullable or missing ones,
//! more of them, values that cannot be. What of a row cannot be read is said of that row alone; a file that cannot be read
//! is named, and the others are read.
//!
//! The reader holds the bytes of a column of one row group at a time, and gives rows in parts of so many rows and bytes, of long
//! texts only the start, so its memory grows neither with the table nor with what a row holds.

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
use crate::store::error::StoreError;
use crate::store::table_log::{LiveFile, TableLog};

/// Rows read at a time, and bytes of patch sets, but always a row.
const ROWS: usize = 1024;
const BYTES: usize = 16 << 20;
/// No file of Parquet's is shorter.
pub const SHORTEST: u64 = 12;
/// A file of at most so many bytes is read at once.
const SMALL: u64 = 1 << 20;
/// How much of the end of a larger one is read first.
const FOOTER: u64 = 64 << 10;

/// How many bytes of a text are read. A longer one is only measured, and its start kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Longest {
    /// Of a request_id, of a user, and of a time that is a text.
    pub name: usize,
    pub patch_set: usize,
}

impl Longest {
    /// What is told of any request; one that holds more is refused.
    pub const OF_REQUESTS: Self = Self { name: 4096, patch_set: 4 << 20 };
    /// What SQL sees, which is all of every request and of most that were refused.
    pub const IN_SQL: Self = Self { name: 128 << 10, patch_set: 8 << 20 };
    pub const NONE: Self = Self { name: usize::MAX, patch_set: usize::MAX };
}

/// The inbox at one version.
pub struct Inbox {
    log: TableLog,
    files: Vec<LiveFile>,
}

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: usize,
    pub group: usize,
    pub row: usize,
}

/// A row without its patch set.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxRow {
    pub place: Place,
    pub request_id: Cell,
    pub at: Cell,
    pub user: Cell,
}

/// Which columns a scan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// All but the patch set.
    Light,
    All,
}

/// Rows of a scan.
pub enum Scanned {
    /// Rows, and where they were asked for their patch sets.
    Rows(Vec<InboxRow>, Vec<Cell>),
    /// A file, or the rest of it, that cannot be read.
    Unreadable(StoreError),
}

/// A reading of the whole table, a part at a time.
pub struct Scan {
    inbox: Arc<Inbox>,
    columns: Columns,
    longest: Longest,
    file: usize,
    open: Option<OpenFile>,
    group: usize,
    rows: Option<Rows>,
    patch_sets: Option<PatchSets>,
    /// Rows whose patch sets are not read yet.
    pending: Vec<InboxRow>,
}

/// A file whose end has been read.
struct OpenFile {
    inbox: Arc<Inbox>,
    number: usize,
    whole: Option<Arc<Part>>,
    metadata: ParquetMetaData,
}

/// The rows of a row group, in parts.
struct Rows {
    path: String,
    place: Place,
    left: usize,
    columns: [Cells; 3],
}

/// The patch sets of a row group.
struct PatchSets {
    path: String,
    next: usize,
    cells: Cells,
}

const SHORTER: &str = "it is shorter than the log says";

impl Inbox {
    /// `None` where there is no table.
    pub async fn open(log: TableLog) -> Result<Option<Self>, StoreError> {
        let Some(table) = log.load().await? else { return Ok(None) };
        table.others.may_write()?;
        Ok(Some(Self { log, files: table.files.into_values().collect() }))
    }

    /// With the files of a version that is known already.
    pub fn of(log: TableLog, files: Vec<LiveFile>) -> Self {
        Self { log, files }
    }

    /// Every row, from the first file on; of a longer text only its start.
    pub fn scan(self: &Arc<Self>, columns: Columns, longest: Longest) -> Scan {
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

    /// The patch sets of rows, each handed to `take`; a file that cannot be read is [`StoreError::Damaged`]. Patch sets of
    /// more than `longest` bytes are only measured.
    pub async fn patch_sets(
        self: &Arc<Self>,
        places: &BTreeSet<Place>,
        longest: usize,
        mut take: impl FnMut(Place, Result<Cell, StoreError>),
    ) -> Result<(), StoreError> {
        let places: Vec<Place> = places.iter().copied().collect();
        for of_file in places.chunk_by(|a, b| a.file == b.file) {
            let file = match self.file(of_file[0].file).await {
                Err(fault @ StoreError::Damaged { .. }) => {
                    take(of_file[0], Err(fault));
                    continue;
                }
                file => file?,
            };
            for of_group in of_file.chunk_by(|a, b| a.group == b.group) {
                let mut patch_sets = match file.patch_sets(of_group[0].group).await {
                    Err(fault @ StoreError::Damaged { .. }) => {
                        take(of_group[0], Err(fault));
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

    /// Opens a file. One that cannot be read as Parquet is [`StoreError::Damaged`].
    async fn file(self: &Arc<Self>, number: usize) -> Result<OpenFile, StoreError> {
        let Some(file) = self.files.get(number) else {
            return Err(StoreError::damaged(
                self.log.folder(),
                format!("there is no file {number}"),
            ));
        };
        let size = file.size.unsigned_abs();
        if size < SHORTEST {
            return Err(StoreError::damaged(
                self.path(file),
                format!("it has {size} bytes, which is no Parquet"),
            ));
        }
        let begin = if size <= SMALL { 0 } else { size - FOOTER };
        let mut end = self.part(file, begin, size).await?;
        let mut reader = ParquetMetaDataReader::new();
        loop {
            match reader.try_parse_sized(&end.bytes, size) {
                Ok(()) => break,
                Err(ParquetError::NeedMoreData(needed)) => {
                    end = self.part(file, size.saturating_sub(needed as u64), size).await?;
                }
                Err(fault) => return Err(self.damaged(file, &fault)),
            }
        }
        let metadata = reader.finish().map_err(|fault| self.damaged(file, &fault))?;
        Ok(OpenFile {
            inbox: Arc::clone(self),
            number,
            whole: (end.start == 0).then(|| Arc::new(end)),
            metadata,
        })
    }

    async fn part(&self, file: &LiveFile, start: u64, end: u64) -> Result<Part, StoreError> {
        let path = self.path(file);
        // The log writes paths as parts of a URL.
        let location = Path::from_url_path(&file.path)
            .map_err(|fault| StoreError::damaged(path.clone(), fault.to_string()))?;
        match self.log.store().get_range(&location, start..end).await {
            Ok(bytes) if bytes.len() as u64 == end - start => Ok(Part { start, bytes }),
            Ok(_) => Err(StoreError::damaged(path, SHORTER)),
            Err(Error::NotFound { .. }) => Err(StoreError::damaged(path, "the file is missing")),
            // What a storage says of a range behind the end differs; the size tells.
            Err(fault) => Err(match self.log.store().head(&location).await {
                Ok(meta) if meta.size < end => StoreError::damaged(path, SHORTER),
                _ => StoreError::storage("reading", path, fault),
            }),
        }
    }

    fn path(&self, file: &LiveFile) -> String {
        format!("{}/{}", self.log.folder(), file.path)
    }

    fn damaged(&self, file: &LiveFile, fault: &ParquetError) -> StoreError {
        StoreError::damaged(self.path(file), fault.to_string())
    }
}

impl Scan {
    /// The next rows; `None` at the end. An error is one of the way to the storage, not of what is stored.
    pub async fn next(&mut self) -> Result<Option<Scanned>, StoreError> {
        loop {
            match self.step().await {
                Ok(Step::Rows(rows, patch_sets)) => {
                    return Ok(Some(Scanned::Rows(rows, patch_sets)));
                }
                Ok(Step::Done) => {}
                Ok(Step::End) => return Ok(None),
                Err(fault @ StoreError::Damaged { .. }) => {
                    (self.open, self.rows, self.patch_sets, self.group) = (None, None, None, 0);
                    self.pending.clear();
                    self.file += 1;
                    return Ok(Some(Scanned::Unreadable(fault)));
                }
                Err(fault) => return Err(fault),
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
            None => return Ok(Step::End),
        }
        Ok(Step::Done)
    }
}

enum Step {
    Rows(Vec<InboxRow>, Vec<Cell>),
    Done,
    End,
}

impl OpenFile {
    fn groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    fn live(&self) -> &LiveFile {
        &self.inbox.files[self.number]
    }

    /// The rows of a row group.
    async fn rows(&self, group: usize) -> Result<Rows, StoreError> {
        let metadata = self.metadata.row_group(group);
        let columns = [
            self.cells(metadata, "request_id").await?,
            self.cells(metadata, "at").await?,
            self.cells(metadata, "user").await?,
        ];
        let left = usize::try_from(metadata.num_rows()).unwrap_or_default();
        let place = Place { file: self.number, group, row: 0 };
        Ok(Rows { path: self.inbox.path(self.live()), place, left, columns })
    }

    /// The patch sets of a row group.
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
                        "a column lies outside it",
                    ));
                }
                Arc::new(self.inbox.part(file, start, end).await?)
            }
        };
        Cells::open(group, at, part).map_err(|fault| self.inbox.damaged(file, &fault))
    }
}

impl Rows {
    /// The next rows; none at the end.
    fn next(&mut self, longest: usize) -> Result<Vec<InboxRow>, StoreError> {
        let number = self.left.min(ROWS);
        let mut read = |at: usize| {
            let cells = self.columns[at].next(number, longest);
            cells.map_err(|fault| StoreError::damaged(self.path.clone(), fault.to_string()))
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
                place: Place { row: first.row + offset, ..first },
                request_id,
                at,
                user,
            })
            .collect())
    }
}

impl PatchSets {
    /// The patch set of a row; rows are asked for in their order. One of more than `longest` bytes is only measured.
    fn of(&mut self, row: usize, longest: usize) -> Result<Cell, StoreError> {
        let skipped = row.saturating_sub(self.next);
        let read = self.cells.skip(skipped).and_then(|()| self.cells.next(1, longest));
        let found =
            read.map_err(|fault| StoreError::damaged(self.path.clone(), fault.to_string()))?;
        self.next = row + 1;
        found.into_iter().next().ok_or_else(|| {
            StoreError::damaged(self.path.clone(), "a column has fewer values than it says")
        })
    }

    /// The next values, for who reads all of them: so many, or fewer where these are long.
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
    /// The text, with what is no UTF-8 replaced, or the start of one that is too long; `None` where there is none.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::NotUtf8(text) | Self::TooLong { start: text, .. } => {
                Some(text)
            }
            Self::Null | Self::Time(_) | Self::Unfit(_) => None,
        }
    }

    /// The time in microseconds since 1970; a text is read as RFC 3339, or as SQL writes a time, in UTC.
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
