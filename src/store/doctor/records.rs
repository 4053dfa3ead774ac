//! Compares the records of a current table with those that the journal makes.

use std::collections::HashMap;

use deltalake::arrow::array::RecordBatch;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::any_record::AnyRecord;
use crate::domain::record::Entity;
use crate::store::error::StoreError;
use crate::store::tables::columns;

/// Records of an entity that a table should hold and that were not found in it yet.
pub struct ExpectedRecords {
    entity: Entity,
    records: HashMap<Uuid, AnyRecord>,
}

impl ExpectedRecords {
    pub fn new(entity: Entity, records: HashMap<Uuid, AnyRecord>) -> Self {
        Self { entity, records }
    }

    /// Takes rows of the table and describes what is wrong with them.
    pub fn take(&mut self, batch: &RecordBatch, path: &str) -> Result<Vec<String>, StoreError> {
        let found = columns::decode(self.entity, batch, path)?;
        Ok(found.iter().filter_map(|record| self.error_of(record)).collect())
    }

    fn error_of(&mut self, record: &AnyRecord) -> Option<String> {
        let id = record.id();
        match self.records.remove(&id) {
            None => Some(format!("the row {id} is missing from the journal or appears twice")),
            Some(known) if known != *record => {
                let (journal, found) = record.diff(&known);
                Some(format!(
                    "the row {id} has {}, but the journal has {}",
                    Value::Object(found),
                    Value::Object(journal)
                ))
            }
            Some(_) => None,
        }
    }

    /// Describes the records that the table lacks.
    pub fn rest(self) -> Vec<String> {
        let mut ids: Vec<Uuid> = self.records.into_keys().collect();
        ids.sort_unstable();
        ids.into_iter().map(|id| format!("the row {id} is missing")).collect()
    }
}
