//! Removes erased payloads from the lake.

use std::sync::Arc;

use super::DeltaStore;
use crate::domain::any_record::RecordKey;
use crate::store::delta_log::table_log::TableLog;
use crate::store::erasure::RowAddress;
use crate::store::error::StoreError;
use crate::store::journal::entry::JournalFile;
use crate::store::journal::files::Files;
use crate::store::lake_state::writer::Message;
use crate::store::tables::{TABLES, bucket, files_in_bucket};
use crate::store::{Erased, Store};

impl DeltaStore {
    /// Removes every payload that an erase names from the journal, after the tables show the result
    /// of the erases.
    pub async fn rewrite_erased_files(&self) -> Result<Erased, StoreError> {
        self.fold().await?;
        self.ask(|answer| Message::Erase { answer }).await
    }

    /// Counts the journal files that hold these rows, and the files of the record's table that hold
    /// the record.
    pub async fn count_files_with(
        &self,
        rows: &[RowAddress],
        record: RecordKey,
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
            table.map_or(0, |table| {
                files_in_bucket(&table, bucket(record.entity, record.project)).len()
            }),
        ))
    }
}
