//! Reads current tables back into records: a whole table, or the records of some projects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::error::ArrowError;
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use deltalake::parquet::file::metadata::ParquetMetaData;
use object_store::ObjectStore;
use serde_json::Value;
use uuid::Uuid;

use super::columns::decode;
use super::{BUCKET, CurrentTable, TABLES, TXN, bucket, definition};
use crate::domain::any_record::AnyRecord;
use crate::domain::id::ProjectId;
use crate::domain::key::TaskKey;
use crate::domain::link::LinkKind;
use crate::domain::patch::Op;
use crate::domain::record::{Entity, Fields};
use crate::domain::state::State;
use crate::store::decode;
use crate::store::delta_log::entry::LogEntry;
use crate::store::delta_log::spec::{Column, matches_schema};
use crate::store::delta_log::table::{LiveFile, Table};
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::mark::FoldPosition;
use crate::store::row::Row;
use crate::store::scope::{Scope, in_every_scope};

/// Number of rows read or written at a time.
pub const ROW_GROUP: usize = 8192;

/// Maximum number of log entries searched for the earlier positions of a table that is ahead of the
/// journal.
const MAX_VERSIONS_BACK: u64 = 100;

/// State of a folded table in storage.
#[derive(Debug)]
pub enum TableState {
    Missing,
    /// A table that cannot be trusted, and the reason. It is never read; the next fold rebuilds it
    /// from the journal.
    Untrusted(Table, Distrust),
    /// A table with an unreadable log, the error, and the last version that has anything in the
    /// log.
    Broken(StoreError, u64),
    /// The table, and the seq to which it states it is folded.
    Ready(Table, u64),
}

/// Reason for not trusting a folded table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// Its columns differ from this binary's columns.
    Columns,
    /// Another writer committed to it.
    Foreign,
    /// It was folded from another journal: of another lake, or of a copy that diverged.
    OtherJournal,
    /// It states an earlier seq than the journal knows for its last write: it is an older copy.
    Behind { seq: u64, written: u64 },
    /// It does not state how far it is folded.
    NoSeq,
    /// Another writer gave it features that Lakeplan does not write.
    Features,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Columns => f.write_str("its columns do not match this version of lakeplan"),
            Self::Foreign => f.write_str("another writer changed its files"),
            Self::Behind { seq, written } => {
                write!(
                    f,
                    "it is an older copy: it was written at seq {written}, but says that it was written at seq {seq}"
                )
            }
            Self::OtherJournal => f.write_str(
                "it was folded from another journal, such as that of a copy of the lake",
            ),
            Self::NoSeq => f.write_str("it does not say how far it is folded"),
            Self::Features => {
                f.write_str("another writer enabled table features that Lakeplan does not write")
            }
        }
    }
}

/// Loads a table with these columns and checks it against the journal. Before the journal was read
/// there is nothing to check against. For a table ahead of the journal that was read, only its lake
/// can be checked; the caller checks its statements.
pub async fn find(
    log: &TableLog,
    columns: &[Column],
    files: Option<&Files>,
) -> Result<TableState, StoreError> {
    let found = match log.load().await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(TableState::Missing),
        Err(err @ StoreError::Damaged { .. }) => {
            return Ok(TableState::Broken(err, log.last().await?));
        }
        Err(err) => return Err(err),
    };
    if found.others.features.is_some() {
        return Ok(TableState::Untrusted(found, Distrust::Features));
    }
    if !found.described.as_ref().is_some_and(|described| matches_schema(&described.schema, columns))
    {
        return Ok(TableState::Untrusted(found, Distrust::Columns));
    }
    if !definition::is_sealed(&found) {
        return Ok(TableState::Untrusted(found, Distrust::Foreign));
    }
    let seq = found.txns.get(TXN).and_then(|seq| u64::try_from(*seq).ok());
    // Only the table itself states this.
    let Some(seq) = seq else {
        return Ok(TableState::Untrusted(found, Distrust::NoSeq));
    };
    if let Some(files) = files {
        let written = files.written_at(log.folder());
        if seq < written {
            return Ok(TableState::Untrusted(found, Distrust::Behind { seq, written }));
        }
        let is_own = if seq > files.end() {
            files.is_of_lake(definition::lake(&found)).await? && was_own(log, &found, files).await?
        } else {
            files.knows(log.folder(), seq, definition::mark(&found.txns, seq)).await?
        };
        if !is_own {
            return Ok(TableState::Untrusted(found, Distrust::OtherJournal));
        }
    }
    Ok(TableState::Ready(found, seq))
}

/// Returns whether a table ahead of the journal was folded from the journal up to the journal's
/// end, as far as the last entries of the table's log show.
async fn was_own(log: &TableLog, table: &Table, files: &Files) -> Result<bool, StoreError> {
    for version in (table.version.saturating_sub(MAX_VERSIONS_BACK)..=table.version).rev() {
        let Some(bytes) = log.get_entry(version).await? else { break };
        let Ok(entry) = LogEntry::read(&bytes) else { break };
        let seq = entry.txns.get(TXN).and_then(|seq| u64::try_from(*seq).ok());
        if let Some(seq) = seq.filter(|seq| *seq <= files.end()) {
            return files.had_mark_at(seq, definition::mark(&entry.txns, seq)).await;
        }
    }
    Ok(true)
}

/// Returns a current table for reading; `None` if it is missing or not trusted.
pub(super) async fn readable(
    log: &TableLog,
    entity: Entity,
    files: Option<&Files>,
) -> Result<Option<(Table, FoldPosition)>, StoreError> {
    // A caller that reads the table repeatedly logs this once.
    let was_reported =
        |version: u64| files.is_some_and(|files| files.was_reported(log.folder(), version));
    Ok(match find(log, &definition::columns(entity), files).await? {
        TableState::Ready(table, seq) => {
            let mark = definition::mark(&table.txns, seq);
            Some((table, FoldPosition { seq, mark }))
        }
        TableState::Missing => None,
        TableState::Broken(_, last) if was_reported(last) => None,
        TableState::Untrusted(table, _) if was_reported(table.version) => None,
        TableState::Broken(err, _) => {
            tracing::warn!(%err, "the table {} is read from the journal, and the next fold rebuilds it", log.folder());
            None
        }
        TableState::Untrusted(_, why @ Distrust::Features) => {
            tracing::warn!(
                "the table {} is read from the journal: {why}; run lakeplan fold --rebuild with the table's name to rebuild it without the feature",
                log.folder()
            );
            None
        }
        TableState::Untrusted(_, why) => {
            tracing::warn!(
                "the table {} is not used: {why}; it is read from the journal, and the next fold rebuilds it",
                log.folder()
            );
            None
        }
    })
}

/// Records of a scope in a current table, and the position to which it states it is folded.
#[derive(Debug)]
pub struct Contents {
    pub entity: Entity,
    pub records: Vec<AnyRecord>,
    pub stand: FoldPosition,
}

/// Reads a current table as far as a scope asks; `None` if there is no readable table.
pub async fn one(
    root: &Arc<dyn ObjectStore>,
    table: &CurrentTable,
    scope: &Scope,
    files: Option<&Files>,
) -> Result<Option<Contents>, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let Some((found, stand)) = readable(&log, table.entity, files).await? else { return Ok(None) };
    let wanted = match scope {
        Scope::Projects(projects) if !in_every_scope(table.entity) => {
            Some(KeyFilter::projects(projects))
        }
        _ => None,
    };
    let records = records(&log, &found, table.entity, wanted.as_ref()).await?;
    Ok(Some(Contents { entity: table.entity, records, stand }))
}

/// Reads the wanted records of a table.
pub async fn records(
    log: &TableLog,
    table: &Table,
    entity: Entity,
    wanted: Option<&KeyFilter>,
) -> Result<Vec<AnyRecord>, StoreError> {
    let mut records = Vec::new();
    for file in
        table.files.values().filter(|file| wanted.is_none_or(|wanted| wanted.may_be_in(file)))
    {
        let path = format!("{}/{}", log.folder(), file.path);
        for batch in selected(&path, log.get_live(&file.path).await?, wanted, &[])? {
            records.extend(decode(entity, &batch?, &path)?);
        }
    }
    Ok(records)
}

/// Key that finds a record's project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordLookup {
    Id(Entity, Uuid),
    /// A key that a task had before it moved to another project.
    FormerKey(TaskKey),
}

impl RecordLookup {
    /// Returns the loaded project that holds the record.
    pub fn project_in(&self, state: &State) -> Option<ProjectId> {
        match self {
            Self::Id(entity, id) => state.home(*entity, *id),
            Self::FormerKey(key) => state.task_by_key(key).map(|task| task.project_id),
        }
    }

    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(_, id) => Some(*id),
            Self::FormerKey(_) => None,
        }
    }

    pub fn former_key(&self) -> Option<&TaskKey> {
        match self {
            Self::Id(..) => None,
            Self::FormerKey(key) => Some(key),
        }
    }

    /// Returns the value as stored in its column.
    pub fn text(&self) -> String {
        match self {
            Self::Id(_, id) => id.hyphenated().to_string(),
            Self::FormerKey(key) => key.to_string(),
        }
    }

    /// Returns whether a change states the record's project.
    pub fn matches_change(&self, row: &Row) -> bool {
        match self {
            Self::Id(entity, id) => row.entity == *entity && row.entity_id == *id,
            Self::FormerKey(key) => {
                let states_match = |after: &Fields| {
                    after
                        .get("former_keys")?
                        .as_array()
                        .map(|keys| keys.iter().any(|is| *is == key.to_string()))
                };
                row.entity == Entity::Task
                    && row.op == Op::Move
                    && row.after_fields().ok().as_ref().and_then(states_match) == Some(true)
            }
        }
    }

    pub fn entity(&self) -> Entity {
        match self {
            Self::Id(entity, _) => *entity,
            Self::FormerKey(_) => Entity::Task,
        }
    }
}

/// Looks up the projects that hold records with one of these values in a column, from the records'
/// table; `None` if that is not readable.
pub async fn projects_of(
    root: &Arc<dyn ObjectStore>,
    table: &CurrentTable,
    wanted: &KeyFilter,
    files: &Files,
) -> Result<Option<BTreeMap<String, ProjectId>>, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let Some((current, _)) = readable(&log, table.entity, Some(files)).await? else {
        return Ok(None);
    };
    let mut found = BTreeMap::new();
    for file in current.files.values().filter(|file| wanted.may_be_in(file)) {
        let path = format!("{}/{}", table.name, file.path);
        for batch in selected(
            &path,
            log.get_live(&file.path).await?,
            Some(wanted),
            &["project_id", wanted.column],
        )? {
            let batch = batch?;
            let projects =
                batch.column_by_name("project_id").and_then(|column| column.as_string_opt::<i32>());
            let values = batch.column_by_name(wanted.column);
            let (Some(projects), Some(values)) = (projects, values) else { continue };
            for row in 0..batch.num_rows() {
                let project = projects
                    .value(row)
                    .parse()
                    .map_err(|_| StoreError::damaged(&path, "a project's id is none"))?;
                found.extend(
                    texts(values, row)
                        .into_iter()
                        .filter(|text| wanted.values.contains(text))
                        .map(|text| (text, project)),
                );
            }
        }
        if found.len() == wanted.values.len() {
            break;
        }
    }
    Ok(Some(found))
}

/// Looks up the links to these tasks, each with its project, from the table of links; `None` if
/// that is not readable.
pub async fn links_to(
    root: &Arc<dyn ObjectStore>,
    tasks: impl IntoIterator<Item = Uuid>,
    files: &Files,
) -> Result<Option<Vec<(Uuid, ProjectId)>>, StoreError> {
    let Some(table) = TABLES.iter().find(|table| table.entity == Entity::TaskLink) else {
        return Ok(None);
    };
    let log = TableLog::new(Arc::clone(root), table.name);
    let Some((current, _)) = readable(&log, table.entity, Some(files)).await? else {
        return Ok(None);
    };
    let wanted = KeyFilter { column: "to_id", ..KeyFilter::ids(tasks) };
    let mut found = Vec::new();
    for file in current.files.values().filter(|file| wanted.may_be_in(file)) {
        let path = format!("{}/{}", table.name, file.path);
        for batch in selected(
            &path,
            log.get_live(&file.path).await?,
            Some(&wanted),
            &["id", "project_id", "kind"],
        )? {
            let batch = batch?;
            let text = |name: &str| {
                batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>())
            };
            let (Some(ids), Some(projects), Some(kinds)) =
                (text("id"), text("project_id"), text("kind"))
            else {
                return Err(StoreError::damaged(
                    &path,
                    "a column of the links is missing or of another type",
                ));
            };
            for row in (0..batch.num_rows())
                .filter(|row| kinds.value(*row) != LinkKind::DependsOn.as_str())
            {
                let id = Uuid::try_parse(ids.value(row)).ok().zip(projects.value(row).parse().ok());
                found.push(id.ok_or_else(|| {
                    StoreError::damaged(&path, "the id of a link or of its project is invalid")
                })?);
            }
        }
    }
    Ok(Some(found))
}

/// Returns the text of a row, or the texts of its list.
fn texts(column: &ArrayRef, row: usize) -> Vec<String> {
    if let Some(column) = column.as_string_opt::<i32>() {
        return vec![column.value(row).to_owned()];
    }
    let list = column
        .as_list_opt::<i32>()
        .filter(|lists| lists.is_valid(row))
        .map(|lists| lists.value(row));
    list.iter()
        .filter_map(|list| list.as_string_opt::<i32>())
        .flatten()
        .flatten()
        .map(str::to_owned)
        .collect()
}

/// Selects rows by the value of one column.
#[derive(Clone, Debug)]
pub struct KeyFilter {
    column: &'static str,
    values: BTreeSet<String>,
    /// Buckets that can hold the values; `None` for any.
    buckets: Option<BTreeSet<String>>,
}

impl KeyFilter {
    fn projects(projects: &BTreeSet<ProjectId>) -> Self {
        Self {
            column: "project_id",
            values: projects.iter().map(ProjectId::to_string).collect(),
            buckets: Some(
                projects
                    .iter()
                    .map(|project| bucket(Entity::Task, Some(*project)).to_string())
                    .collect(),
            ),
        }
    }

    /// Selects records by their ids, in any bucket.
    pub fn ids(ids: impl IntoIterator<Item = Uuid>) -> Self {
        let values = ids.into_iter().map(|id| id.hyphenated().to_string()).collect();
        Self { column: "id", values, buckets: None }
    }

    /// Selects tasks by the keys they had before they moved.
    pub fn former_keys(keys: impl IntoIterator<Item = String>) -> Self {
        Self { column: "former_keys", values: keys.into_iter().collect(), buckets: None }
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Restricts the filter to these buckets.
    pub fn in_buckets(self, buckets: impl IntoIterator<Item = u32>) -> Self {
        Self {
            buckets: Some(buckets.into_iter().map(|bucket| bucket.to_string()).collect()),
            ..self
        }
    }

    fn may_be_in(&self, file: &LiveFile) -> bool {
        let bucket = file.partitions.get(BUCKET).and_then(Option::as_deref);
        if !self
            .buckets
            .as_ref()
            .is_none_or(|buckets| bucket.is_none_or(|bucket| buckets.contains(bucket)))
        {
            return false;
        }
        let stats: Option<Value> =
            file.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok());
        let bound = |side: &str| stats.as_ref()?[side][self.column].as_str();
        let bounds = bound("minValues").zip(bound("maxValues"));
        bounds.is_none_or(|(low, high)| self.lies_within(low.as_bytes(), high.as_bytes()))
    }

    /// Returns whether a wanted value is between two bounds.
    fn lies_within(&self, low: &[u8], high: &[u8]) -> bool {
        // Text order is byte order, so one lookup suffices for any number of values.
        match std::str::from_utf8(low) {
            Ok(low) => self
                .values
                .range::<str, _>((Bound::Included(low), Bound::Unbounded))
                .next()
                .is_some_and(|value| value.as_bytes() <= high),
            Err(_) => {
                self.values.iter().map(String::as_bytes).any(|value| (low..=high).contains(&value))
            }
        }
    }

    fn matches(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let column = batch.column(0);
        if let Some(texts) = column.as_string_opt::<i32>() {
            return Ok(texts
                .iter()
                .map(|text| Some(text.is_some_and(|text| self.values.contains(text))))
                .collect());
        }
        let Some(lists) = column.as_list_opt::<i32>() else {
            return Err(ArrowError::SchemaError(format!("{} holds no text", self.column)));
        };
        let any = |list: Option<Arc<dyn Array>>| {
            let texts = list.as_ref().and_then(|list| list.as_string_opt::<i32>());
            texts.is_some_and(|texts| texts.iter().flatten().any(|text| self.values.contains(text)))
        };
        Ok(lists.iter().map(|list| Some(any(list))).collect())
    }
}

/// Returns the batches of a file, in its order.
pub fn batches(
    path: &str,
    file: Bytes,
) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
    selected(path, file, None, &[])
}

/// Returns the batches of the wanted rows of a file, in its order, with all or the named columns.
/// Row groups that hold none, by their statistics, are skipped.
pub fn selected(
    path: &str,
    file: Bytes,
    wanted: Option<&KeyFilter>,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
    let mut builder = decode::open(path, file)?.with_batch_size(ROW_GROUP);
    if !columns.is_empty() {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    if let Some(wanted) = wanted {
        let groups = groups_with(builder.metadata(), wanted);
        let mask = ProjectionMask::columns(builder.parquet_schema(), [wanted.column]);
        let wanted = wanted.clone();
        let predicate = ArrowPredicateFn::new(mask, move |batch| wanted.matches(&batch));
        builder = builder
            .with_row_groups(groups)
            .with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
    }
    decode::batches(path, builder)
}

/// Returns the row groups that may hold a wanted row.
fn groups_with(metadata: &ParquetMetaData, wanted: &KeyFilter) -> Vec<usize> {
    let columns = metadata.file_metadata().schema_descr();
    let index = columns.columns().iter().position(|column| column.path().string() == wanted.column);
    let may_hold = |group: usize| {
        let statistics =
            index.and_then(|index| metadata.row_group(group).column(index).statistics());
        let bounds =
            statistics.and_then(|bounds| Some((bounds.min_bytes_opt()?, bounds.max_bytes_opt()?)));
        bounds.is_none_or(|(low, high)| wanted.lies_within(low, high))
    };
    (0..metadata.num_row_groups()).filter(|group| may_hold(*group)).collect()
}
