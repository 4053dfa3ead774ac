//! Taking back what other writers did to the journal, so that its log says again what is believed of it.
//!
//! A commit like a compaction, at the next slot: files of the journal that were removed are added again, files that were
//! added are removed. Where another writer has the slot it is prepared anew.

use super::files::Files;
use super::slot::{self, Taken};
use super::{DEADLINE, Journal, entry, schema};
use crate::runtime::uuid_v7;
use crate::store::error::StoreError;
use crate::store::table_log::{LiveFile, entry_bytes};

/// How often it tries to get a slot.
const TRIES: usize = 10;

impl Journal {
    /// Takes back what does not count, if there is any. Refused where the journal may not be written, and where a file that
    /// another writer removed is gone: what it held is lost.
    pub(super) async fn take_back(&mut self) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            self.files.others.may_write()?;
            if !self.files.others.is_any() {
                return Ok(());
            }
            self.files.refuse_loss().await?;
            let at = self.ledger.time(self.clock.now());
            let attempt = uuid_v7(at, self.random.as_ref());
            let mut actions = vec![entry::commit_after(self.mark(), "TAKE BACK", attempt, at)];
            actions.extend(
                self.files.others.strange.values().map(|file| entry::remove_strange(file, at)),
            );
            actions.extend(self.files.others.lost.values().map(|file| entry::add_again(file, at)));
            let mut actions = entry::json_of(&actions)?;
            if self.files.others.has_other_columns {
                let [_, description] = schema::actions(self.files.table_id.unwrap_or(attempt), at);
                actions.push(description);
            }
            let bytes = entry_bytes(&actions);
            match slot::take(
                &self.files,
                self.version + 1,
                bytes,
                attempt,
                DEADLINE,
                self.random.as_ref(),
            )
            .await
            {
                // The entry is read like anyone's: what is live follows from the log alone.
                Taken::Ours | Taken::Theirs(_) | Taken::Moved => drop(self.refresh().await?),
                Taken::Never { cause, .. } | Taken::Unknown(cause) => return Err(cause),
            }
        }
        Err(StoreError::storage(
            "mending",
            "journal",
            "other writers were faster each time; repeat the command",
        ))
    }
}

impl Journal {
    /// The same where it can be done; the tables are folded all the same where not.
    pub async fn mend(&mut self) {
        if self.files.others.is_any()
            && let Err(err) = self.take_back().await
        {
            tracing::warn!(%err, "what another writer did to the journal stays in its log; lakeplan doctor says what to do");
        }
    }
}

impl Files {
    /// What other writers removed from the log is still there.
    pub async fn refuse_loss(&self) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for file in self.others.lost.values() {
            if !self.log.has(&file.path).await? {
                gone.push(file);
            }
        }
        match gone.as_slice() {
            [] => Ok(()),
            gone => Err(StoreError::damaged(self.log.folder(), lost(gone))),
        }
    }
}

/// What is lost with these files.
fn lost(gone: &[&LiveFile]) -> String {
    let seqs = gone
        .iter()
        .filter_map(|file| entry::file(file))
        .map(|file| format!("{} to {}", file.seq.0, file.seq.1));
    format!(
        "another writer removed files of it that are gone since, and with them seq {}",
        seqs.collect::<Vec<_>>().join(", ")
    )
}
