//! Reading current tables back into records.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::DeltaTable;
use deltalake::arrow::array::RecordBatch;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use object_store::ObjectStore;

use super::columns::decode;
use super::{CurrentTable, TABLES, TXN, field_changes};
use crate::domain::any::AnyRecord;
use crate::domain::record::Entity;
use crate::store::error::StoreError;
use crate::store::table_log::{Table, TableLog};

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

/// What a current table holds, and the seq to which it says it is folded.
pub struct Contents {
    pub name: &'static str,
    pub entity: Entity,
    pub records: Vec<AnyRecord>,
    pub seq: u64,
}

/// A current table; `None` where it does not exist yet.
pub async fn one(root: &Arc<dyn ObjectStore>, table: &CurrentTable) -> Result<Option<Contents>, StoreError> {
    let log = TableLog::new(Arc::clone(root), table.name);
    let Some((found, seq)) = load(&log).await? else { return Ok(None) };
    let mut records = Vec::new();
    for file in &found.files {
        let path = format!("{}/{}", table.name, file.path);
        for batch in batches(&path, log.get_live(&file.path).await?)? {
            records.extend(decode(table.entity, &batch?, &path)?);
        }
    }
    Ok(Some(Contents { name: table.name, entity: table.entity, records, seq }))
}

/// Every folded table; `None` while one is missing. Of `field_changes` only how far it is.
pub async fn all(root: &Arc<dyn ObjectStore>) -> Result<Option<Vec<Contents>>, StoreError> {
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let Some(contents) = one(root, table).await? else { return Ok(None) };
        tables.push(contents);
    }
    let Some((_, seq)) = load(&TableLog::new(Arc::clone(root), field_changes::NAME)).await? else { return Ok(None) };
    tables.push(Contents { name: field_changes::NAME, entity: Entity::Task, records: Vec::new(), seq });
    Ok(Some(tables))
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

/// The batches of a file, in its order.
pub fn batches(path: &str, file: Bytes) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
    let path = path.to_owned();
    let damaged = move |fault: String| StoreError::damaged(path.clone(), fault);
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.with_batch_size(ROW_GROUP).build());
    let reader = reader.map_err(|fault| damaged(fault.to_string()))?;
    Ok(reader.map(move |batch| batch.map_err(|fault| damaged(fault.to_string()))))
}
