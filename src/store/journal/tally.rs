//! Counting all tasks without bringing them to hand.

use std::collections::{BTreeMap, BTreeSet};

use super::Journal;
use crate::domain::id::ProjectId;
use crate::domain::record::Entity;
use crate::domain::tally::Tallies;
use crate::store::Scope;
use crate::store::error::StoreError;
use crate::store::tables::tally::tally;

impl Journal {
    /// The living tasks of the lake, counted.
    pub async fn tally(&mut self) -> Result<Tallies, StoreError> {
        match self.tally_table().await {
            // What cannot be asked of the table the journal knows.
            Ok(None) | Err(StoreError::Damaged { .. }) => {
                self.bring(&Scope::All).await?;
                Ok(Tallies::of(&self.ledger.state))
            }
            Ok(Some(tallies)) => Ok(tallies),
            Err(fault) => Err(fault),
        }
    }

    /// What the table holds. The projects of which it does not tell all yet are counted at hand.
    async fn tally_table(&mut self) -> Result<Option<Tallies>, StoreError> {
        let Some((mut tallies, stand)) = tally(&self.root, &self.files).await? else {
            return Ok(None);
        };
        if !self.may_rest_on(&BTreeMap::from([("tasks", stand)])).await? {
            return Ok(None);
        }
        let known = BTreeMap::from([(
            Entity::Task,
            if stand.seq == 0 { 0 } else { stand.seq.max(self.folded) },
        )]);
        let rows = self.files.rows_behind(&known, |_| true).await?;
        let concerned: BTreeSet<ProjectId> =
            rows.iter().flat_map(|row| [row.project_id, row.left_project()]).flatten().collect();
        self.bring(&Scope::Projects(concerned.clone())).await?;
        tallies.replace(|project| concerned.contains(&project), Tallies::of(&self.ledger.state));
        Ok(Some(tallies))
    }
}
