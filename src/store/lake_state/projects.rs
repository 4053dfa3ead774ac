//! Caches projects for a writer: loads them on request and evicts them when there are many.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::current_tables::{CurrentTables, lost_its_end, read_current_tables};
use super::state::LakeState;
use crate::domain::apply::reach::{Reach, reach};
use crate::domain::id::{EntityId, ProjectId, TaskId, is_derived_from};
use crate::domain::patch::{Op, PatchSet};
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::store::Scope;
use crate::store::error::StoreError;
use crate::store::journal::Order;
use crate::store::mark::{FoldPosition, FoldPositions};
use crate::store::row::{Row, Stream};
use crate::store::scope::in_every_scope;
use crate::store::tables::read::{self, KeyFilter, RecordLookup, TableState};
use crate::store::tables::{FoldedTable, TABLES, definition};

/// Returns whether an entity's records are loaded with their project.
fn is_of_project(entity: Entity) -> bool {
    entity.stream() == Stream::Work && !in_every_scope(entity)
}

impl LakeState {
    /// Loads the projects of a scope into the cache.
    pub async fn load(&mut self, scope: &Scope) -> Result<(), StoreError> {
        match scope {
            Scope::Projects(projects) => self.load_projects(projects.clone()).await,
            Scope::All => loop {
                let all: BTreeSet<ProjectId> = self.ledger.state.project_ids().collect();
                self.load_projects(all).await?;
                // Other writers may have created projects meanwhile.
                if self.ledger.state.stubs().next().is_none() {
                    return Ok(());
                }
            },
        }
    }

    /// Loads the projects that the sets name, and those that they reach beyond. Before the first
    /// commit, every table is looked at: a table ahead of the journal proves that the journal has
    /// lost its end.
    pub(super) async fn load_all_for(&mut self, sets: &[PatchSet]) -> Result<(), StoreError> {
        let mut patches = sets.iter().flat_map(|set| &set.patches);
        if patches.any(|patch| patch.entity.stream() == Stream::Sync) {
            self.load_sync().await?;
        }
        let wanted: BTreeSet<ProjectId> = sets.iter().flat_map(PatchSet::scope).collect();
        self.load_projects(wanted.clone()).await?;
        if !self.is_surveyed() {
            let seen: BTreeSet<&str> = self.tables.keys().copied().collect();
            self.probe(|name| !seen.contains(name)).await?;
            self.load_projects(wanted.clone()).await?;
        }
        let wanted = self.load_holders(sets, wanted).await?;
        let Reach { linked, ends } =
            reach(&self.ledger.state, sets.iter().flat_map(|set| &set.patches));
        if linked.is_empty() && ends.is_empty() {
            return Ok(());
        }
        let elsewhere = self.linked_from(&linked).await?;
        let ends: Vec<RecordLookup> =
            ends.into_iter().map(|task| RecordLookup::Id(Entity::Task, task.uuid())).collect();
        let homes = self.find(&ends).await?;
        self.load_projects(
            wanted.into_iter().chain(elsewhere).chain(homes.into_iter().flatten()).collect(),
        )
        .await
    }

    /// Loads the projects that hold records with the ids that authors gave to new records, so that
    /// a set reusing an id is refused. Ids derived from the set itself are not looked up. Returns
    /// the wanted projects and these.
    async fn load_holders(
        &mut self,
        sets: &[PatchSet],
        mut wanted: BTreeSet<ProjectId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError> {
        let created =
            sets.iter().flat_map(|set| set.patches.iter().map(move |patch| (set.id, patch)));
        let created = created.filter(|(_, patch)| matches!(patch.op, Op::Create | Op::Link));
        let given: BTreeSet<Uuid> = created
            .filter(|(set, patch)| patch.has_given_id || !is_derived_from(*set, patch.id))
            .map(|(_, patch)| patch.id)
            .collect();
        if given.is_empty() {
            return Ok(wanted);
        }
        let entities =
            TABLES.iter().map(|table| table.entity).filter(|entity| is_of_project(*entity));
        let lookups: Vec<RecordLookup> = entities
            .flat_map(|entity| given.iter().map(move |id| RecordLookup::Id(entity, *id)))
            .collect();
        wanted.extend(self.find(&lookups).await?.into_iter().flatten());
        self.load_projects(wanted.clone()).await?;
        Ok(wanted)
    }

    async fn load_projects(&mut self, mut wanted: BTreeSet<ProjectId>) -> Result<(), StoreError> {
        self.projects.tick += 1;
        loop {
            let missing: BTreeSet<ProjectId> = wanted
                .iter()
                .copied()
                .filter(|project| !self.ledger.state.is_loaded(*project))
                .collect();
            for project in &wanted {
                self.projects.used.insert(*project, self.projects.tick);
            }
            if missing.is_empty() {
                return Ok(());
            }
            self.evict_lru(&wanted);
            let own = TABLES.iter().filter(|table| is_of_project(table.entity));
            let found = read_current_tables(
                &self.root,
                own,
                &Scope::Projects(missing.clone()),
                Some(&self.files),
            )
            .await?;
            if !self.still_valid(&found.stands).await? {
                continue;
            }
            let CurrentTables { stands, records, unreadable } = found;
            self.unreadable.extend(unreadable);
            let concerns = |row: &Row| {
                [row.project_id, row.source_project()]
                    .into_iter()
                    .flatten()
                    .any(|project| missing.contains(&project))
            };
            let mut rows = self.files.rows_behind(&self.folded_seqs(&stands), concerns).await?;
            rows.retain(|row| row.seq <= self.ledger.seq);
            // A record that moved in after the fold is in its old project's files: load both
            // projects together.
            let came =
                |row: &&Row| row.project_id.is_some_and(|project| missing.contains(&project));
            let others: Vec<ProjectId> = rows
                .iter()
                .filter(came)
                .filter_map(Row::source_project)
                .filter(|left| !missing.contains(left))
                .collect();
            if !others.is_empty() {
                others.iter().for_each(|project| self.ledger.state.evict(*project));
                wanted.extend(others);
                continue;
            }
            self.ledger.load(&missing, records.into_iter(), &rows)?;
            self.note_tables(stands);
        }
    }

    /// Evicts the least recently used projects if there are too many records.
    fn evict_lru(&mut self, wanted: &BTreeSet<ProjectId>) {
        let state = &mut self.ledger.state;
        let mut held: Vec<(u64, ProjectId, usize)> = Vec::new();
        for project in state.project_ids().filter(|project| state.is_loaded(*project)) {
            let used = self.projects.used.get(&project).copied().unwrap_or(0);
            held.push((used, project, state.project(project).map_or(0, ProjectState::len)));
        }
        self.projects.used.retain(|project, _| {
            wanted.contains(project) || held.iter().any(|(_, held, _)| held == project)
        });
        held.sort_unstable();
        let mut size: usize = held.iter().map(|(_, _, size)| size).sum();
        for (_, project, own) in
            held.into_iter().filter(|(_, project, _)| !wanted.contains(project))
        {
            if size <= self.projects.most {
                break;
            }
            size -= own;
            state.evict(project);
        }
    }

    /// Returns the projects that hold these records. It asks the cache first, then the journal's
    /// tail, then the tables.
    pub async fn find(
        &mut self,
        lookup: &[RecordLookup],
    ) -> Result<Vec<Option<ProjectId>>, StoreError> {
        let here: Vec<Option<ProjectId>> =
            lookup.iter().map(|lookup| lookup.project_in(&self.ledger.state)).collect();
        let away = lookup.iter().zip(&here).filter(|(_, here)| here.is_none());
        let away: BTreeSet<&RecordLookup> = away
            .map(|(lookup, _)| lookup)
            .filter(|lookup| !in_every_scope(lookup.entity()))
            .collect();
        let found = self.find_away(&away).await?;
        Ok(lookup
            .iter()
            .zip(here)
            .map(|(lookup, here)| here.or_else(|| found.get(lookup).copied()))
            .collect())
    }

    /// Returns the projects with links to these tasks, deleted links included. Only uncached
    /// projects are looked up.
    pub async fn linked_from(
        &mut self,
        tasks: &BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError> {
        let state = &self.ledger.state;
        let here = tasks.iter().flat_map(|task| state.links_to(*task)).map(|link| link.project_id);
        let mut projects: BTreeSet<ProjectId> = here.collect();
        if tasks.is_empty() || state.stubs().next().is_none() {
            return Ok(projects);
        }
        let mut after = self.folded.work;
        let mut links: BTreeSet<Uuid> = BTreeSet::new();
        match read::links_to(&self.root, tasks.iter().map(|task| task.uuid()), &self.files).await {
            Ok(Some(found)) => {
                for (link, project) in found {
                    links.insert(link);
                    projects.insert(project);
                }
            }
            // The journal knows what the table cannot answer.
            Ok(None) | Err(StoreError::Damaged { .. }) => after = 0,
            Err(err) => return Err(err),
        }
        let mut rows = self.reader(after, Stream::Work, Order::OldestFirst);
        while let Some(batch) = rows.next().await {
            for row in batch?.iter().filter(|row| row.entity == Entity::TaskLink) {
                let to = || row.after_fields().ok()?.get("to_id")?.as_str()?.parse::<TaskId>().ok();
                // A link that moves to another project is found only by its id.
                if links.contains(&row.entity_id)
                    || (row.op == Op::Link && to().is_some_and(|to| tasks.contains(&to)))
                {
                    links.insert(row.entity_id);
                    projects.extend(row.project_id);
                }
            }
        }
        Ok(projects)
    }

    async fn find_away<'s>(
        &self,
        away: &BTreeSet<&'s RecordLookup>,
    ) -> Result<BTreeMap<&'s RecordLookup, ProjectId>, StoreError> {
        let mut found = BTreeMap::new();
        if away.is_empty() {
            return Ok(found);
        }
        let mut after = self.folded.work;
        for table in
            TABLES.iter().filter(|table| away.iter().any(|lookup| lookup.entity() == table.entity))
        {
            let own = || away.iter().copied().filter(|lookup| lookup.entity() == table.entity);
            let wanted = [
                KeyFilter::ids(own().filter_map(RecordLookup::id)),
                KeyFilter::former_keys(
                    own().filter_map(|lookup| lookup.former_key().map(ToString::to_string)),
                ),
            ];
            for wanted in wanted.iter().filter(|wanted| !wanted.is_empty()) {
                match read::projects_of(&self.root, table, wanted, &self.files).await {
                    Ok(Some(projects)) => found.extend(
                        own().filter_map(|lookup| Some((lookup, *projects.get(&lookup.text())?))),
                    ),
                    // The journal knows what the table cannot answer.
                    Ok(None) | Err(StoreError::Damaged { .. }) => after = 0,
                    Err(err) => return Err(err),
                }
            }
        }
        let by_id: BTreeMap<(Entity, Uuid), &'s RecordLookup> = away
            .iter()
            .filter_map(|lookup| Some(((lookup.entity(), lookup.id()?), *lookup)))
            .collect();
        let by_key: Vec<&'s RecordLookup> =
            away.iter().filter(|lookup| lookup.former_key().is_some()).copied().collect();
        let mut rows = self.reader(after, Stream::Work, Order::OldestFirst);
        while let Some(batch) = rows.next().await {
            for row in batch?.iter().filter(|row| !in_every_scope(row.entity)) {
                let Some(project) = row.project_id else { continue };
                found.extend(
                    by_id.get(&(row.entity, row.entity_id)).map(|lookup| (*lookup, project)),
                );
                found.extend(
                    by_key
                        .iter()
                        .filter(|lookup| lookup.matches_change(row))
                        .map(|lookup| (*lookup, project)),
                );
            }
        }
        Ok(found)
    }

    /// Looks at every table, so that missing, outdated and ahead tables are known.
    pub async fn probe_all_tables(&mut self) -> Result<(), StoreError> {
        self.probe(|_| true).await
    }

    async fn probe(&mut self, is_wanted: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        loop {
            let tables = TABLES.iter().filter(|table| is_wanted(table.name));
            let CurrentTables { mut stands, unreadable, .. } =
                read_current_tables(&self.root, tables, &Scope::outline(), Some(&self.files))
                    .await?;
            if is_wanted(FoldedTable::Changes.name()) {
                let changes = match FoldedTable::Changes.find(&self.root, Some(&self.files)).await?
                {
                    TableState::Ready(table, seq) => {
                        FoldPosition { seq, mark: definition::mark(&table.txns, seq) }
                    }
                    TableState::Missing | TableState::Untrusted(..) | TableState::Broken(..) => {
                        FoldPosition::default()
                    }
                };
                stands.insert(FoldedTable::Changes.name(), changes);
            }
            if self.still_valid(&stands).await? {
                self.unreadable.extend(unreadable);
                self.note_tables(stands);
                return Ok(());
            }
        }
    }

    /// Returns whether earlier checks of tables are still valid. If others committed meanwhile and
    /// a check is not, the caller must read the tables again. A table is never ahead of the
    /// journal, unless the journal lost its end.
    pub(super) async fn still_valid(&mut self, stands: &FoldPositions) -> Result<bool, StoreError> {
        let ahead = stands.values().map(|stand| stand.seq).max().unwrap_or(0);
        if ahead <= self.ledger.seq {
            return Ok(true);
        }
        self.refresh().await?;
        if ahead > self.ledger.seq {
            return Err(lost_its_end(self.ledger.seq, ahead));
        }
        self.files.confirm(stands).await
    }
}
