//! Compaction of the journal: runs of small files that are folded already become one file each.
//!
//! It is a commit like any other, at the next slot, that removes the small files and adds the large one with the same
//! rows. Where another writer has the slot it is prepared anew, so it never brings back what is no longer live.

use std::collections::BTreeMap;

use deltalake::kernel::{Action, Remove};

use super::chain::Links;
use super::entry::{self, JournalFile};
use super::slot::{self, Taken};
use super::{DEADLINE, Journal};
use crate::runtime::uuid_v7;
use crate::store::error::StoreError;
use crate::store::row::Row;
use crate::store::table_log::entry_bytes;

/// A file with fewer rows is small.
const SMALL: usize = 50_000;
/// A run of fewer files is left alone.
const RUN: usize = 8;
/// How often it tries to get a slot before it leaves the rest to the next time.
const TRIES: usize = 5;

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    pub from: usize,
    pub into: usize,
}

impl Journal {
    pub async fn compact(&mut self) -> Result<Compacted, StoreError> {
        for _ in 0..TRIES {
            self.refresh().await?;
            self.take_back().await?;
            let runs = self.runs();
            if runs.is_empty() {
                return Ok(Compacted::default());
            }
            let at = self.ledger.time(self.clock.now());
            let attempt = uuid_v7(at, self.random.as_ref());
            let mut actions = vec![entry::commit_after(self.mark(), "COMPACT", attempt, at)];
            for run in &runs {
                let mut rows: Vec<Row> = Vec::new();
                for file in run {
                    rows.extend(self.files.read_rows(file, 0).await?);
                    actions.push(remove(file, self.clock.now().timestamp_millis(), false));
                }
                rows.sort_by_key(|row| (row.seq, row.ordinal));
                // What is put into one file is not looked at one by one again.
                Links::of(&rows).refuse_break()?;
                let rows: Vec<&Row> = rows.iter().collect();
                // Each run gets a name of its own: the attempt's is for the rows of one day.
                let name = uuid_v7(at, self.random.as_ref());
                if let Action::Add(mut add) =
                    self.files.put_rows(self.version + 1, name, &rows).await?
                {
                    add.data_change = false;
                    actions.push(Action::Add(add));
                }
            }
            let bytes = entry_bytes(&entry::json_of(&actions)?);
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
                Taken::Ours => {
                    // The entry is read like anyone's: what is live follows from the log alone.
                    self.refresh().await?;
                    return Ok(Compacted {
                        from: runs.iter().map(Vec::len).sum(),
                        into: runs.len(),
                    });
                }
                Taken::Theirs(_) | Taken::Moved => {}
                Taken::Never { cause, .. } | Taken::Unknown(cause) => return Err(cause),
            }
        }
        Ok(Compacted::default())
    }

    /// Small files that follow each other in one partition, folded already.
    fn runs(&self) -> Vec<Vec<JournalFile>> {
        let mut partitions: BTreeMap<String, Vec<&JournalFile>> = BTreeMap::new();
        for file in self.files.live() {
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            partitions.entry(folder.to_owned()).or_default().push(file);
        }
        let small = |file: &JournalFile| file.rows < SMALL && file.seq.1 <= self.folded;
        let mut runs = Vec::new();
        for files in partitions.values_mut() {
            files.sort_by_key(|file| file.seq);
            for run in files.chunk_by(|a, b| small(a) && small(b)).filter(|run| run.len() >= RUN) {
                // A run is cut where it would become too large a file.
                let mut rows = 0;
                let mut next: Vec<JournalFile> = Vec::new();
                for file in run {
                    if rows + file.rows > SMALL && next.len() > 1 {
                        runs.push(std::mem::take(&mut next));
                        rows = 0;
                    }
                    rows += file.rows;
                    next.push((*file).clone());
                }
                if next.len() > 1 {
                    runs.push(next);
                }
            }
        }
        runs
    }
}

/// The action that removes a file; `changes` where the rows that replace it are not the same.
pub(super) fn remove(file: &JournalFile, millis: i64, changes: bool) -> Action {
    let value = |name: &str| {
        let part = file.path.split('/').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        part.map(str::to_owned)
    };
    Action::Remove(Remove {
        path: file.path.clone(),
        data_change: changes,
        deletion_timestamp: Some(millis),
        extended_file_metadata: Some(true),
        partition_values: Some(
            ["stream", "date"].iter().map(|name| ((*name).to_owned(), value(name))).collect(),
        ),
        size: Some(file.size),
        ..Remove::default()
    })
}
