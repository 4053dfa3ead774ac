//! Taking erased payloads out of the lake.

use std::sync::Arc;

use super::DeltaStore;
use crate::domain::any::Slot;
use crate::store::Erased;
use crate::store::Store;
use crate::store::erasure::Place;
use crate::store::error::StoreError;
use crate::store::journal::entry::JournalFile;
use crate::store::journal::files::Files;
use crate::store::table_log::TableLog;
use crate::store::tables::{TABLES, bucket, in_bucket};
use crate::store::writer::Message;

impl DeltaStore {
    /// Takes every payload that an erase names out of the journal, after the tables show what stands in its place.
    pub async fn erase_named(&self) -> Result<Erased, StoreError> {
        self.fold().await?;
        self.ask(|answer| Message::Erase { answer }).await
    }

    /// How many files of the journal hold these rows, and how many of its table the record.
    pub async fn files_holding(
        &self,
        rows: &[Place],
        record: Slot,
    ) -> Result<(usize, usize), StoreError> {
        let mut files = Files::new(Arc::clone(&self.root));
        files.load().await?;
        let holds = |file: &&JournalFile| {
            rows.iter().any(|(seq, _)| (file.seq.0..=file.seq.1).contains(seq))
        };
        let journal = files.live().filter(holds).count();
        let Some(table) = TABLES.iter().find(|table| table.entity == record.entity) else {
            return Ok((journal, 0));
        };
        let log = TableLog::new(Arc::clone(&self.root), table.name);
        let table = log.load().await?;
        Ok((
            journal,
            table.map_or(0, |table| in_bucket(&table, bucket(record.entity, record.project)).len()),
        ))
    }
}
