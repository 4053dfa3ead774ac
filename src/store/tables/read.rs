//! Reading current tables back into records: all of a table, or what concerns some projects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use deltalake::DeltaTable;
use deltalake::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::error::ArrowError;
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::{ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter};
use deltalake::parquet::file::metadata::ParquetMetaData;
use object_store::ObjectStore;
use uuid::Uuid;

use super::columns::decode;
use super::{BUCKET, CurrentTable, TXN, bucket};
use crate::domain::any::AnyRecord;
use crate::domain::id::{EntityId, ProjectId};
use crate::domain::key::TaskKey;
use crate::domain::record::Entity;
use crate::domain::state::State;
use crate::store::error::StoreError;
use crate::store::scope::{Scope, in_every_scope};
use crate::store::table_log::{LiveFile, Table, TableLog};

/// Rows read or written at a time.
pub const ROW_GROUP: usize = 8192;

/// A folded table and the seq it says it is folded to; `None` where it does not exist yet.
pub async fn load(log: &TableLog) -> Result<Option<(Table, u64)>, StoreError> {
    let mut txns = BTreeMap::from([(TXN, None)]);
    let Some(found) = log.load(&mut txns).await? else { return Ok(None) };
    let seq = txns.get(TXN).copied().flatten().and_then(|seq| u64::try_from(seq).ok());
    let seq = seq.ok_or_else(|| StoreError::damaged(log.folder(), "it does not say how far it is folded"))?;
    Ok(Some((found, seq)))
}

/// What a current table holds of a scope, and the seq to which it says it is folded.
#[derive(Debug)]
pub struct Contents {
    pub entity: Entity,
    pub records: Vec<AnyRecord>,
    pub seq: u64,
}

/// A current table, as far as a scope asks; `None` where it does not exist yet.
pub async fn one(root: &Arc<dyn ObjectStore>, table: &CurrentTable, scope: &Scope) -> Result<Option<Contents>, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let Some((found, seq)) = load(&log).await? else { return Ok(None) };
    let wanted = match scope {
        Scope::Projects(projects) if !in_every_scope(table.entity) => Some(Wanted::projects(projects)),
        _ => None,
    };
    let records = records(&log, &found, table.entity, wanted.as_ref()).await?;
    Ok(Some(Contents { entity: table.entity, records, seq }))
}

/// The wanted records of a table.
pub async fn records(
    log: &TableLog,
    table: &Table,
    entity: Entity,
    wanted: Option<&Wanted>,
) -> Result<Vec<AnyRecord>, StoreError> {
    let mut records = Vec::new();
    for file in table.files.iter().filter(|file| wanted.is_none_or(|wanted| wanted.may_be_in(file))) {
        let path = format!("{}/{}", log.folder(), file.path);
        for batch in selected(&path, log.get_live(&file.path).await?, wanted, &[])? {
            records.extend(decode(entity, &batch?, &path)?);
        }
    }
    Ok(records)
}

/// What to find a record's project by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    Id(Entity, Uuid),
    /// A key that a task had before it moved to another project.
    FormerKey(TaskKey),
}

impl Sought {
    /// The project at hand that holds the record.
    pub fn project_in(&self, state: &State) -> Option<ProjectId> {
        match self {
            Self::Id(Entity::Project, id) => state.project(ProjectId::of(*id))?.project().map(|project| project.id),
            Self::Id(entity, id) => {
                state.projects().find_map(|project| project.get(*entity, *id)).and_then(|record| record.project())
            }
            Self::FormerKey(key) => state.task_by_key(key).map(|task| task.project_id),
        }
    }

    pub fn entity(&self) -> Entity {
        match self {
            Self::Id(entity, _) => *entity,
            Self::FormerKey(_) => Entity::Task,
        }
    }
}

/// The project that holds a record, as the record's table tells it.
pub async fn project_of(
    root: &Arc<dyn ObjectStore>,
    table: &CurrentTable,
    sought: &Sought,
) -> Result<Option<ProjectId>, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let Some((found, _)) = load(&log).await? else { return Ok(None) };
    let wanted = match sought {
        Sought::Id(_, id) => Wanted::id(*id),
        Sought::FormerKey(key) => Wanted { column: "former_keys", values: BTreeSet::from([key.to_string()]), buckets: None },
    };
    for file in found.files.iter().filter(|file| wanted.may_be_in(file)) {
        let path = format!("{}/{}", table.name, file.path);
        for batch in selected(&path, log.get_live(&file.path).await?, Some(&wanted), &["project_id"])? {
            let batch = batch?;
            let projects = batch.column_by_name("project_id").and_then(|column| column.as_string_opt::<i32>());
            if let Some(project) = projects.and_then(|projects| projects.iter().flatten().next()) {
                return Ok(project.parse().ok());
            }
        }
    }
    Ok(None)
}

/// A table of the lake as delta-rs reads it; `None` where it does not exist yet.
pub async fn delta_table(root: &Arc<dyn ObjectStore>, name: &str) -> Result<Option<DeltaTable>, StoreError> {
    let log = TableLog::new(Arc::clone(root), name);
    if log.get_entry(0).await?.is_none() && log.load(&mut BTreeMap::new()).await?.is_none() {
        return Ok(None);
    }
    let mut table = DeltaTable::new(log.delta()?);
    table.load().await.map_err(|fault| StoreError::damaged(name, fault.to_string()))?;
    Ok(Some(table))
}

/// Rows wanted by the value of one column.
#[derive(Clone, Debug)]
pub struct Wanted {
    column: &'static str,
    values: BTreeSet<String>,
    /// The buckets they can be in; `None` for any.
    buckets: Option<BTreeSet<String>>,
}

impl Wanted {
    fn projects(projects: &BTreeSet<ProjectId>) -> Self {
        Self {
            column: "project_id",
            values: projects.iter().map(ProjectId::to_string).collect(),
            buckets: Some(projects.iter().map(|project| bucket(Some(*project)).to_string()).collect()),
        }
    }

    fn id(id: Uuid) -> Self {
        Self { column: "id", values: BTreeSet::from([id.hyphenated().to_string()]), buckets: None }
    }

    /// Records by their ids, wherever they are.
    pub fn ids(ids: impl IntoIterator<Item = Uuid>) -> Self {
        let values = ids.into_iter().map(|id| id.hyphenated().to_string()).collect();
        Self { column: "id", values, buckets: None }
    }

    fn may_be_in(&self, file: &LiveFile) -> bool {
        let bucket = file.partitions.get(BUCKET).and_then(Option::as_deref);
        self.buckets.as_ref().is_none_or(|buckets| bucket.is_none_or(|bucket| buckets.contains(bucket)))
    }

    /// Whether some wanted value lies between two bounds.
    fn lies_within(&self, low: &[u8], high: &[u8]) -> bool {
        self.values.iter().any(|value| (low..=high).contains(&value.as_bytes()))
    }

    fn matches(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let column = batch.column(0);
        if let Some(texts) = column.as_string_opt::<i32>() {
            return Ok(texts.iter().map(|text| Some(text.is_some_and(|text| self.values.contains(text)))).collect());
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

/// The batches of a file, in its order.
pub fn batches(path: &str, file: Bytes) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
    selected(path, file, None, &[])
}

/// The batches of the wanted rows of a file, in its order; of all columns, or of those named. Row groups that by their
/// statistics hold none are passed over.
pub fn selected(
    path: &str,
    file: Bytes,
    wanted: Option<&Wanted>,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
    let path = path.to_owned();
    let damaged = move |fault: String| StoreError::damaged(path.clone(), fault);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|fault| damaged(fault.to_string()))?;
    let mut builder = builder.with_batch_size(ROW_GROUP);
    if !columns.is_empty() {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    if let Some(wanted) = wanted {
        let groups = groups_with(builder.metadata(), wanted);
        let mask = ProjectionMask::columns(builder.parquet_schema(), [wanted.column]);
        let wanted = wanted.clone();
        let predicate = ArrowPredicateFn::new(mask, move |batch| wanted.matches(&batch));
        builder = builder.with_row_groups(groups).with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
    }
    let reader = builder.build().map_err(|fault| damaged(fault.to_string()))?;
    Ok(reader.map(move |batch| batch.map_err(|fault| damaged(fault.to_string()))))
}

/// The row groups that may hold a wanted row.
fn groups_with(metadata: &ParquetMetaData, wanted: &Wanted) -> Vec<usize> {
    let columns = metadata.file_metadata().schema_descr();
    let index = columns.columns().iter().position(|column| column.path().string() == wanted.column);
    let may_hold = |group: usize| {
        let statistics = index.and_then(|index| metadata.row_group(group).column(index).statistics());
        let bounds = statistics.and_then(|bounds| Some((bounds.min_bytes_opt()?, bounds.max_bytes_opt()?)));
        bounds.is_none_or(|(low, high)| wanted.lies_within(low, high))
    };
    (0..metadata.num_row_groups()).filter(|group| may_hold(*group)).collect()
}
