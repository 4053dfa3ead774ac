//! The records of a current table against those that the journal makes.

use std::collections::HashMap;

use deltalake::arrow::array::RecordBatch;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::any::AnyRecord;
use crate::domain::record::Entity;
use crate::store::error::StoreError;
use crate::store::tables::columns;

/// The records of an entity that a table should hold, and that were not met in it yet.
pub struct Wanted {
    entity: Entity,
    records: HashMap<Uuid, AnyRecord>,
}

impl Wanted {
    pub fn new(entity: Entity, records: HashMap<Uuid, AnyRecord>) -> Self {
        Self { entity, records }
    }

    /// What is wrong with rows of the table.
    pub fn take(&mut self, batch: &RecordBatch, path: &str) -> Result<Vec<String>, StoreError> {
        let found = columns::decode(self.entity, batch, path)?;
        Ok(found.iter().filter_map(|record| self.fault_of(record)).collect())
    }

    fn fault_of(&mut self, record: &AnyRecord) -> Option<String> {
        let id = record.id();
        match self.records.remove(&id) {
            None => Some(format!("the row {id} is not in the journal, or is there twice")),
            Some(known) if known != *record => {
                let (journal, found) = record.touched(&known);
                Some(format!(
                    "the row {id} says {}, the journal {}",
                    Value::Object(found),
                    Value::Object(journal)
                ))
            }
            Some(_) => None,
        }
    }

    /// What the table lacks.
    pub fn rest(self) -> Vec<String> {
        let mut ids: Vec<Uuid> = self.records.into_keys().collect();
        ids.sort_unstable();
        ids.into_iter().map(|id| format!("the row {id} is missing")).collect()
    }
}
