//! What an entry of a Delta log says, action by action, and whether Lakeplan wrote it.

use std::collections::BTreeMap;

use super::action::{Action, Add, Remove, decode};
use super::protocol::Protocol;
use super::table::TableMetadata;

/// Content of a log entry.
#[derive(Clone, Debug, Default)]
pub struct LogEntry {
    /// Whether Lakeplan wrote the entry.
    pub is_own: bool,
    /// Attempt id of a commit of the journal.
    pub attempt: Option<String>,
    /// Mark of the journal position that the commit was prepared for, as stored in the entry.
    pub follows: Option<i64>,
    pub operation: String,
    pub engine: String,
    pub added: Vec<Add>,
    pub removed: Vec<Remove>,
    pub txns: BTreeMap<String, i64>,
    pub described: Option<TableMetadata>,
    pub protocol: Option<Protocol>,
}

impl LogEntry {
    /// Parses an entry; returns the problem with an invalid one.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        decode(bytes).map(Self::of)
    }

    /// Returns the content of an entry of these actions.
    pub fn of(actions: Vec<Action>) -> Self {
        let mut entry = Self::default();
        actions.into_iter().for_each(|action| entry.take(action));
        entry
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::Add(add) => self.added.push(add),
            Action::Remove(remove) => self.removed.push(remove),
            Action::Txn(txn) => drop(self.txns.insert(txn.app_id, txn.version)),
            Action::MetaData(metadata) => {
                let (id, schema) = (metadata.id, metadata.schema_string);
                self.described = Some(TableMetadata { id, schema });
            }
            Action::Protocol(protocol) => self.protocol = Some(protocol),
            Action::CommitInfo(info) => {
                self.operation = info.operation().to_owned();
                self.engine = info.engine().to_owned();
                self.attempt = info.attempt().map(str::to_owned);
                self.follows = info.follows();
                self.is_own = info.is_own();
            }
            Action::Cdc(_)
            | Action::DomainMetadata(_)
            | Action::CheckpointMetadata(_)
            | Action::Sidecar(_) => {}
        }
    }

    /// Returns whether the entry adds or removes files.
    pub fn has_files(&self) -> bool {
        !self.added.is_empty() || !self.removed.is_empty()
    }
}
