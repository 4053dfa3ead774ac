//! What of the lake a writer has at hand: projects are brought when they are asked for, and put away again when they
//! are many.

use std::collections::{BTreeMap, BTreeSet};

use super::Journal;
use super::opening::{lost_its_end, sound};
use super::reader::Order;
use crate::domain::id::{EntityId, ProjectId};
use crate::domain::patch::{Op, PatchSet};
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::store::Scope;
use crate::store::error::StoreError;
use crate::store::row::{Row, Stream};
use crate::store::scope::in_every_scope;
use crate::store::tables::TABLES;
use crate::store::tables::read::{self, Sought};

/// The most records to keep beside those in use, about 256 MiB of them.
pub const MOST_RECORDS: usize = 256 << 10;

/// When each project at hand was last asked for, and how many records may stay.
pub struct Hand {
    used: BTreeMap<ProjectId, u64>,
    tick: u64,
    most: usize,
}

impl Hand {
    pub fn new(most: usize) -> Self {
        Self { used: BTreeMap::new(), tick: 0, most }
    }
}

impl Journal {
    /// Brings the projects of a scope to hand.
    pub async fn bring(&mut self, scope: &Scope) -> Result<(), StoreError> {
        let wanted: BTreeSet<ProjectId> = match scope {
            Scope::All => self.ledger.state.projects().filter_map(|found| Some(found.project()?.id)).collect(),
            Scope::Projects(projects) => projects.clone(),
        };
        self.bring_projects(wanted).await
    }

    /// Brings what the sets speak of to hand, and the far ends of the links that a restore might bring back.
    pub(super) async fn bring_all_for(&mut self, sets: &[PatchSet]) -> Result<(), StoreError> {
        let wanted: BTreeSet<ProjectId> = sets.iter().flat_map(PatchSet::scope).collect();
        self.bring_projects(wanted.clone()).await?;
        let restores = |set: &PatchSet| {
            set.patches.iter().filter(|patch| patch.op == Op::Restore).filter_map(|patch| patch.project).collect::<Vec<_>>()
        };
        let restored = sets.iter().flat_map(restores).filter_map(|project| self.ledger.state.project(project));
        let far: Vec<Sought> =
            restored.flat_map(ProjectState::far_ends).map(|task| Sought::Id(Entity::Task, task.uuid())).collect();
        if far.is_empty() {
            return Ok(());
        }
        let homes = self.find(&far).await?;
        self.bring_projects(wanted.into_iter().chain(homes.into_iter().flatten()).collect()).await
    }

    async fn bring_projects(&mut self, mut wanted: BTreeSet<ProjectId>) -> Result<(), StoreError> {
        self.hand.tick += 1;
        loop {
            let missing: BTreeSet<ProjectId> =
                wanted.iter().copied().filter(|project| !self.ledger.state.is_whole(*project)).collect();
            for project in &wanted {
                self.hand.used.insert(*project, self.hand.tick);
            }
            if missing.is_empty() {
                return Ok(());
            }
            self.make_room(&wanted);
            let own = TABLES.iter().filter(|table| !in_every_scope(table.entity));
            let (seqs, records) = sound(&self.root, own, &Scope::Projects(missing.clone())).await?;
            let ahead = seqs.values().copied().max().unwrap_or(0);
            if ahead > self.ledger.seq {
                self.refresh().await?;
            }
            if ahead > self.ledger.seq {
                return Err(lost_its_end(self.ledger.seq, ahead));
            }
            let known = |(entity, seq): (&Entity, &u64)| (*entity, if *seq == 0 { 0 } else { (*seq).max(self.folded) });
            let seqs: BTreeMap<Entity, u64> = seqs.iter().map(known).collect();
            let from = seqs.values().copied().min().unwrap_or(0).min(self.folded);
            let mut rows = self.rows_after(&self.files, from).await?;
            rows.retain(|row| row.seq <= self.ledger.seq);
            // What moved in after the tables were folded is in its old project's files: both are brought together.
            let came = |row: &&Row| {
                seqs.get(&row.entity).is_some_and(|seq| row.seq > *seq)
                    && row.project_id.is_some_and(|project| missing.contains(&project))
            };
            let others: Vec<ProjectId> =
                rows.iter().filter(came).filter_map(Row::left_project).filter(|left| !missing.contains(left)).collect();
            if !others.is_empty() {
                others.iter().for_each(|project| self.ledger.state.put_away(*project));
                wanted.extend(others);
                continue;
            }
            self.ledger.bring(&missing, records.into_iter(), &seqs, &rows)?;
            self.note_tables(seqs, &rows);
        }
    }

    /// Puts the projects away that were not asked for the longest, where there are too many.
    fn make_room(&mut self, wanted: &BTreeSet<ProjectId>) {
        let state = &mut self.ledger.state;
        let size = |state: &crate::domain::state::State, project| state.project(project).map_or(0, ProjectState::len);
        self.hand.used.retain(|project, _| state.is_whole(*project));
        let mut held: usize = self.hand.used.keys().map(|project| size(state, *project)).sum();
        let mut oldest: Vec<(u64, ProjectId)> = self.hand.used.iter().map(|(project, used)| (*used, *project)).collect();
        oldest.sort_unstable();
        for (_, project) in oldest.into_iter().filter(|(_, project)| !wanted.contains(project)) {
            if held <= self.hand.most {
                break;
            }
            held -= size(state, project);
            state.put_away(project);
        }
    }

    /// The projects that hold these records.
    pub async fn find(&mut self, sought: &[Sought]) -> Result<Vec<Option<ProjectId>>, StoreError> {
        let mut found = Vec::with_capacity(sought.len());
        for sought in sought {
            found.push(match sought.project_in(&self.ledger.state) {
                Some(project) => Some(project),
                None => self.find_away(sought).await?,
            });
        }
        Ok(found)
    }

    /// The project of a record that is not at hand: the journal's tail tells first, then the table.
    async fn find_away(&self, sought: &Sought) -> Result<Option<ProjectId>, StoreError> {
        let entity = sought.entity();
        let Some(table) = TABLES.iter().find(|table| table.entity == entity && !in_every_scope(entity)) else {
            return Ok(None);
        };
        let concerns = |row: &Row| match sought {
            Sought::Id(_, id) => row.entity_id == *id,
            Sought::FormerKey(key) => {
                let keys = row.after_fields().ok().and_then(|after| after.get("former_keys").cloned());
                keys.is_some_and(|keys| keys.as_array().is_some_and(|keys| keys.iter().any(|is| *is == key.to_string())))
            }
        };
        let mut tail = self.reader(self.folded, Stream::Work, Order::NewestFirst);
        while let Some(rows) = tail.next().await {
            if let Some(row) = rows?.into_iter().find(|row| row.entity == entity && concerns(row)) {
                return Ok(row.project_id);
            }
        }
        read::project_of(&self.root, table, sought).await
    }

    /// Looks at every table, so that what is missing or behind is known.
    pub async fn survey(&mut self) -> Result<(), StoreError> {
        let (seqs, _) = sound(&self.root, TABLES.iter(), &Scope::outline()).await?;
        let missing = seqs.values().any(|seq| *seq == 0);
        let from = if missing { 0 } else { self.folded };
        let rows = if missing { Vec::new() } else { self.rows_after(&self.files, from).await? };
        self.note_tables(seqs, &rows);
        Ok(())
    }
}

/// How far the tables together are folded, given how far each is and the rows after the least of that: a table is up to
/// date until the first row that concerns it.
pub(super) fn folded_to(tables: &[(Entity, u64)], rows: &[Row]) -> u64 {
    let head = rows.iter().map(|row| row.seq).max();
    let of_table = |(entity, seq): &(Entity, u64)| {
        let waiting = rows.iter().filter(|row| row.entity == *entity && row.seq > *seq).map(|row| row.seq).min();
        waiting.map_or(head.unwrap_or(*seq), |seq| seq - 1)
    };
    tables.iter().map(of_table).min().unwrap_or(0)
}
