//! What of the lake a writer has at hand: projects are brought when they are asked for, and put away again when they
//! are many.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Journal;
use super::opening::{Sound, Stands, lost_its_end, sound};
use super::reader::Order;
use crate::domain::apply::reach::{Reach, reach};
use crate::domain::id::{EntityId, ProjectId, TaskId, is_derived_from};
use crate::domain::patch::{Op, PatchSet};
use crate::domain::record::Entity;
use crate::domain::state::ProjectState;
use crate::store::Scope;
use crate::store::error::StoreError;
use crate::store::row::{Row, Stream};
use crate::store::scope::in_every_scope;
use crate::store::tables::read::{self, Found, Sought, Stand, Wanted};
use crate::store::tables::{FoldedTable, TABLES, definition};

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
        match scope {
            Scope::Projects(projects) => self.bring_projects(projects.clone()).await,
            Scope::All => loop {
                let all: BTreeSet<ProjectId> = self.ledger.state.project_ids().collect();
                self.bring_projects(all).await?;
                // Others may have made projects meanwhile.
                if self.ledger.state.outlines().next().is_none() {
                    return Ok(());
                }
            },
        }
    }

    /// Brings what the sets speak of to hand, and what they reach beyond it. Before the
    /// first commit every table is looked at: one that is ahead of the journal shows that it has lost its end.
    pub(super) async fn bring_all_for(&mut self, sets: &[PatchSet]) -> Result<(), StoreError> {
        let wanted: BTreeSet<ProjectId> = sets.iter().flat_map(PatchSet::scope).collect();
        self.bring_projects(wanted.clone()).await?;
        if !self.is_surveyed() {
            let seen: BTreeSet<&str> = self.tables.keys().copied().collect();
            self.look_at(|name| !seen.contains(name)).await?;
            self.bring_projects(wanted.clone()).await?;
        }
        let wanted = self.bring_holders(sets, wanted).await?;
        let Reach { linked, ends } =
            reach(&self.ledger.state, sets.iter().flat_map(|set| &set.patches));
        if linked.is_empty() && ends.is_empty() {
            return Ok(());
        }
        let elsewhere = self.linked_from(&linked).await?;
        let ends: Vec<Sought> =
            ends.into_iter().map(|task| Sought::Id(Entity::Task, task.uuid())).collect();
        let homes = self.find(&ends).await?;
        self.bring_projects(
            wanted.into_iter().chain(elsewhere).chain(homes.into_iter().flatten()).collect(),
        )
        .await
    }

    /// Loads the projects that hold records with the ids that authors gave to new ones, so that a set which would use an id
    /// twice is refused. Ids that were derived from the set itself are not looked up. Returns the wanted projects and these.
    async fn bring_holders(
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
            TABLES.iter().map(|table| table.entity).filter(|entity| !in_every_scope(*entity));
        let lookups: Vec<Sought> = entities
            .flat_map(|entity| given.iter().map(move |id| Sought::Id(entity, *id)))
            .collect();
        wanted.extend(self.find(&lookups).await?.into_iter().flatten());
        self.bring_projects(wanted.clone()).await?;
        Ok(wanted)
    }

    async fn bring_projects(&mut self, mut wanted: BTreeSet<ProjectId>) -> Result<(), StoreError> {
        self.hand.tick += 1;
        loop {
            let missing: BTreeSet<ProjectId> = wanted
                .iter()
                .copied()
                .filter(|project| !self.ledger.state.is_whole(*project))
                .collect();
            for project in &wanted {
                self.hand.used.insert(*project, self.hand.tick);
            }
            if missing.is_empty() {
                return Ok(());
            }
            self.make_room(&wanted);
            let own = TABLES.iter().filter(|table| !in_every_scope(table.entity));
            let found =
                sound(&self.root, own, &Scope::Projects(missing.clone()), Some(&self.files))
                    .await?;
            if !self.may_rest_on(&found.stands).await? {
                continue;
            }
            let Sound { stands, records, unreadable } = found;
            self.unreadable.extend(unreadable);
            let concerns = |row: &Row| {
                [row.project_id, row.left_project()]
                    .into_iter()
                    .flatten()
                    .any(|project| missing.contains(&project))
            };
            let mut rows = self.files.rows_behind(&self.known(&stands), concerns).await?;
            rows.retain(|row| row.seq <= self.ledger.seq);
            // What moved in after the tables were folded is in its old project's files: both are brought together.
            let came =
                |row: &&Row| row.project_id.is_some_and(|project| missing.contains(&project));
            let others: Vec<ProjectId> = rows
                .iter()
                .filter(came)
                .filter_map(Row::left_project)
                .filter(|left| !missing.contains(left))
                .collect();
            if !others.is_empty() {
                others.iter().for_each(|project| self.ledger.state.put_away(*project));
                wanted.extend(others);
                continue;
            }
            self.ledger.bring(&missing, records.into_iter(), &rows)?;
            self.note_tables(stands);
        }
    }

    /// Puts the projects away that were not asked for the longest, where there are too many.
    fn make_room(&mut self, wanted: &BTreeSet<ProjectId>) {
        let state = &mut self.ledger.state;
        let mut held: Vec<(u64, ProjectId, usize)> = Vec::new();
        for project in state.project_ids().filter(|project| state.is_whole(*project)) {
            let used = self.hand.used.get(&project).copied().unwrap_or(0);
            held.push((used, project, state.project(project).map_or(0, ProjectState::len)));
        }
        self.hand.used.retain(|project, _| {
            wanted.contains(project) || held.iter().any(|(_, held, _)| held == project)
        });
        held.sort_unstable();
        let mut size: usize = held.iter().map(|(_, _, size)| size).sum();
        for (_, project, own) in
            held.into_iter().filter(|(_, project, _)| !wanted.contains(project))
        {
            if size <= self.hand.most {
                break;
            }
            size -= own;
            state.put_away(project);
        }
    }

    /// The projects that hold these records: what is at hand tells first, then the journal's tail, then the tables.
    pub async fn find(&mut self, sought: &[Sought]) -> Result<Vec<Option<ProjectId>>, StoreError> {
        let here: Vec<Option<ProjectId>> =
            sought.iter().map(|sought| sought.project_in(&self.ledger.state)).collect();
        let away = sought.iter().zip(&here).filter(|(_, here)| here.is_none());
        let away: BTreeSet<&Sought> = away
            .map(|(sought, _)| sought)
            .filter(|sought| !in_every_scope(sought.entity()))
            .collect();
        let found = self.find_away(&away).await?;
        Ok(sought
            .iter()
            .zip(here)
            .map(|(sought, here)| here.or_else(|| found.get(sought).copied()))
            .collect())
    }

    /// The projects with links that lead to these tasks, deleted links included. Only what is not at hand is looked up.
    pub async fn linked_from(
        &mut self,
        tasks: &BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError> {
        let state = &self.ledger.state;
        let here = tasks.iter().flat_map(|task| state.links_to(*task)).map(|link| link.project_id);
        let mut projects: BTreeSet<ProjectId> = here.collect();
        if tasks.is_empty() || state.outlines().next().is_none() {
            return Ok(projects);
        }
        let mut after = self.folded;
        let mut links: BTreeSet<Uuid> = BTreeSet::new();
        match read::links_to(&self.root, tasks.iter().map(|task| task.uuid()), &self.files).await {
            Ok(Some(found)) => {
                for (link, project) in found {
                    links.insert(link);
                    projects.insert(project);
                }
            }
            // What cannot be asked of the table the journal knows.
            Ok(None) | Err(StoreError::Damaged { .. }) => after = 0,
            Err(err) => return Err(err),
        }
        let mut rows = self.reader(after, Stream::Work, Order::OldestFirst);
        while let Some(batch) = rows.next().await {
            for row in batch?.iter().filter(|row| row.entity == Entity::TaskLink) {
                let to = || row.after_fields().ok()?.get("to_id")?.as_str()?.parse::<TaskId>().ok();
                // A link that moves to another project is told of by its id alone.
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
        away: &BTreeSet<&'s Sought>,
    ) -> Result<BTreeMap<&'s Sought, ProjectId>, StoreError> {
        let mut found = BTreeMap::new();
        if away.is_empty() {
            return Ok(found);
        }
        let mut after = self.folded;
        for table in
            TABLES.iter().filter(|table| away.iter().any(|sought| sought.entity() == table.entity))
        {
            let own = || away.iter().copied().filter(|sought| sought.entity() == table.entity);
            let wanted = [
                Wanted::ids(own().filter_map(Sought::id)),
                Wanted::former_keys(
                    own().filter_map(|sought| sought.former_key().map(ToString::to_string)),
                ),
            ];
            for wanted in wanted.iter().filter(|wanted| !wanted.is_empty()) {
                match read::projects_of(&self.root, table, wanted, &self.files).await {
                    Ok(Some(projects)) => found.extend(
                        own().filter_map(|sought| Some((sought, *projects.get(&sought.text())?))),
                    ),
                    // What cannot be asked of the table the journal knows.
                    Ok(None) | Err(StoreError::Damaged { .. }) => after = 0,
                    Err(fault) => return Err(fault),
                }
            }
        }
        let by_id: BTreeMap<(Entity, Uuid), &'s Sought> = away
            .iter()
            .filter_map(|sought| Some(((sought.entity(), sought.id()?), *sought)))
            .collect();
        let by_key: Vec<&'s Sought> =
            away.iter().filter(|sought| sought.former_key().is_some()).copied().collect();
        let mut rows = self.reader(after, Stream::Work, Order::OldestFirst);
        while let Some(batch) = rows.next().await {
            for row in batch?.iter().filter(|row| !in_every_scope(row.entity)) {
                let Some(project) = row.project_id else { continue };
                found.extend(
                    by_id.get(&(row.entity, row.entity_id)).map(|sought| (*sought, project)),
                );
                found.extend(
                    by_key
                        .iter()
                        .filter(|sought| sought.is_told_by(row))
                        .map(|sought| (*sought, project)),
                );
            }
        }
        Ok(found)
    }

    /// Looks at every table, so that what is missing, behind or ahead is known.
    pub async fn survey(&mut self) -> Result<(), StoreError> {
        self.look_at(|_| true).await
    }

    async fn look_at(&mut self, is_wanted: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        loop {
            let tables = TABLES.iter().filter(|table| is_wanted(table.name));
            let Sound { mut stands, unreadable, .. } =
                sound(&self.root, tables, &Scope::outline(), Some(&self.files)).await?;
            if is_wanted(FoldedTable::Changes.name()) {
                let changes = match FoldedTable::Changes.find(&self.root, Some(&self.files)).await?
                {
                    Found::Whole(table, seq) => {
                        Stand { seq, mark: definition::mark(&table.txns, seq) }
                    }
                    Found::Nothing | Found::Outdated(..) | Found::Broken(..) => Stand::default(),
                };
                stands.insert(FoldedTable::Changes.name(), changes);
            }
            if self.may_rest_on(&stands).await? {
                self.unreadable.extend(unreadable);
                self.note_tables(stands);
                return Ok(());
            }
        }
    }

    /// Whether what tables were judged to be stands; they are to be read again where others committed meanwhile, and it
    /// does not. A table is never ahead of the journal, unless the journal lost its end.
    pub(super) async fn may_rest_on(&mut self, stands: &Stands) -> Result<bool, StoreError> {
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
