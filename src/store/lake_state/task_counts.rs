//! Counts all tasks without loading them.

use std::collections::{BTreeMap, BTreeSet};

use super::state::LakeState;
use crate::domain::id::ProjectId;
use crate::domain::record::Entity;
use crate::domain::task_counts::TaskCounts;
use crate::store::Scope;
use crate::store::error::StoreError;
use crate::store::tables::task_counts::tally;

impl LakeState {
    /// Counts the living tasks of the lake.
    pub async fn tally(&mut self) -> Result<TaskCounts, StoreError> {
        match self.tally_table().await {
            // The journal knows what the table cannot answer.
            Ok(None) | Err(StoreError::Damaged { .. }) => {
                self.load(&Scope::All).await?;
                Ok(TaskCounts::of(&self.ledger.state))
            }
            Ok(Some(task_counts)) => Ok(task_counts),
            Err(err) => Err(err),
        }
    }

    /// Counts the tasks in the table. Projects that the table does not show completely yet are
    /// loaded and counted.
    async fn tally_table(&mut self) -> Result<Option<TaskCounts>, StoreError> {
        let Some((mut task_counts, stand)) = tally(&self.root, &self.files).await? else {
            return Ok(None);
        };
        if !self.still_valid(&BTreeMap::from([("tasks", stand)])).await? {
            return Ok(None);
        }
        let known = BTreeMap::from([(
            Entity::Task,
            if stand.seq == 0 { 0 } else { stand.seq.max(self.folded.work) },
        )]);
        let rows = self.files.rows_behind(&known, |_| true).await?;
        let concerned: BTreeSet<ProjectId> =
            rows.iter().flat_map(|row| [row.project_id, row.source_project()]).flatten().collect();
        self.load(&Scope::Projects(concerned.clone())).await?;
        task_counts
            .replace(|project| concerned.contains(&project), TaskCounts::of(&self.ledger.state));
        Ok(Some(task_counts))
    }
}
