//! History: lists changes and undoes them.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::stream::BoxStream;

use super::change::Committed;
use super::{RequestContext, Service, ServiceError};
use crate::domain::any_record::AnyRecord;
use crate::domain::hint::Hint;
use crate::domain::id::{PatchSetId, ProjectId};
use crate::domain::invert::invert;
use crate::domain::later::{self, Later};
use crate::domain::patch::Source;
use crate::domain::state::State;
use crate::domain::time::Instant;
use crate::domain::value::Name;
use crate::store::row::{Row, Stream};
use crate::store::{Format, RecordLookup, Scope, StoreError, in_every_scope};

/// A committed patch set.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    pub seq: u64,
    pub id: PatchSetId,
    pub at: Instant,
    pub actor: String,
    pub source: Source,
    pub reason: Option<String>,
    pub rows: Vec<Row>,
}

/// Stream of committed sets, read on demand.
pub struct HistoryStream {
    rows: BoxStream<'static, Result<Row, StoreError>>,
    /// First row of the set after the last one returned.
    first: Option<Row>,
}

impl HistoryStream {
    fn of(rows: BoxStream<'static, Result<Row, StoreError>>) -> Self {
        Self { rows: rows.fuse().boxed(), first: None }
    }

    /// Returns the next set, its rows in the order of the changes; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<HistoryEntry>, StoreError> {
        let first = match self.first.take() {
            Some(first) => Some(first),
            None => self.rows.next().await.transpose()?,
        };
        let Some(first) = first else { return Ok(None) };
        let mut past = HistoryEntry {
            seq: first.seq,
            id: first.patch_set_id,
            at: first.at,
            actor: first.actor.clone(),
            source: first.source,
            reason: first.reason.clone(),
            rows: vec![first],
        };
        while let Some(row) = self.rows.next().await.transpose()? {
            if row.seq != past.seq {
                self.first = Some(row);
                break;
            }
            past.rows.push(row);
        }
        past.rows.sort_by_key(|row| row.ordinal);
        Ok(Some(past))
    }
}

impl HistoryEntry {
    /// Returns the projects that the set touched.
    pub fn projects(&self) -> BTreeSet<ProjectId> {
        self.rows.iter().flat_map(|row| [row.project_id, row.source_project()]).flatten().collect()
    }
}

impl Service {
    /// Returns the committed sets that concern a scope, newest first.
    pub async fn past(&self, scope: &Scope) -> Result<HistoryStream, ServiceError> {
        Ok(HistoryStream::of(self.store.changes_back(Stream::Work, scope).await?))
    }

    /// Undoes the set at `seq`, or the actor's last set that is neither an undo nor undone.
    pub async fn undo(
        &self,
        seq: Option<u64>,
        context: &RequestContext,
    ) -> Result<(HistoryEntry, Committed), ServiceError> {
        let chosen = match seq {
            Some(seq) => {
                let rows =
                    self.store.changes(seq.saturating_sub(1), Stream::Work, &Scope::All).await?;
                HistoryStream::of(rows).next().await?.filter(|past| past.seq == seq)
            }
            None => self.last_of(&context.actor).await?,
        };
        let hint = Some(Hint::UndoNamedChange);
        let Some(chosen) = chosen else {
            let (what, name) = match seq {
                Some(seq) => ("change with the seq", seq.to_string()),
                None => ("change to take back of", context.actor.to_string()),
            };
            return Err(ServiceError::NotFound { what, name, hint });
        };
        if chosen.source == Source::Maintenance {
            let message = "maintains the lake itself, so there is nothing to undo".to_owned();
            return Err(ServiceError::Input {
                place: format!("seq {}", chosen.seq),
                message,
                hint,
            });
        }
        if let Some(row) = chosen.rows.iter().find(|row| row.is_erased()) {
            let message = format!(
                "cannot be undone: values of {} {} were erased since, so there is nothing to restore",
                row.entity.noun(),
                row.entity_id
            );
            let hint = Some(Hint::ChangeByHand);
            return Err(ServiceError::Input {
                place: format!("seq {}", chosen.seq),
                message,
                hint,
            });
        }
        let mut projects = chosen.projects();
        let mut state = self.state(&Scope::Projects(projects.clone())).await?;
        // A record that moved since is in another project now.
        let is_here = |row: &&Row| {
            in_every_scope(row.entity) || state.home(row.entity, row.entity_id).is_some()
        };
        let away = chosen
            .rows
            .iter()
            .filter(|row| !is_here(row))
            .map(|row| RecordLookup::Id(row.entity, row.entity_id));
        let away: BTreeSet<RecordLookup> = away.collect();
        if !away.is_empty() {
            projects.extend(
                self.store.find(&away.into_iter().collect::<Vec<_>>()).await?.into_iter().flatten(),
            );
            state = self.state(&Scope::Projects(projects.clone())).await?;
        }
        let format = Format::default();
        let changes =
            chosen.rows.iter().map(|row| format.change(row)).collect::<Result<Vec<_>, _>>()?;
        if let Some(later) = later::find(&changes, &state) {
            let name =
                |entity, id| super::resolve::name_of(&state, entity, id, state.home(entity, id));
            let message = match later {
                Later::Changed { entity, id, field } => {
                    format!("cannot be undone: {field} of {} was changed since", name(entity, id))
                }
                Later::Added { entity, id } => {
                    format!("cannot be undone: {} was added to what it created", name(entity, id))
                }
            };
            let hint = Some(Hint::UndoLaterFirst);
            return Err(ServiceError::Input {
                place: format!("seq {}", chosen.seq),
                message,
                hint,
            });
        }
        let patches = invert(&changes, &state);
        if patches.is_empty() {
            let message = "changed nothing that can be undone".to_owned();
            return Err(ServiceError::Input {
                place: format!("seq {}", chosen.seq),
                message,
                hint,
            });
        }
        let set = context
            .through(Source::Undo)
            .patch_set(self.fresh_set_id(context), patches)
            .because(&format!("undo of {}", chosen.seq))
            .with_also(projects);
        let done = self.commit(&state, set).await?;
        Ok((chosen, done))
    }

    async fn last_of(&self, actor: &Name) -> Result<Option<HistoryEntry>, ServiceError> {
        let mut undone: BTreeSet<u64> = BTreeSet::new();
        let mut past = self.past(&Scope::All).await?;
        while let Some(set) = past.next().await? {
            if set.source == Source::Undo {
                undone.extend(
                    set.reason
                        .as_ref()
                        .and_then(|reason| reason.strip_prefix("undo of ")?.parse::<u64>().ok()),
                );
            } else if set.source != Source::Maintenance
                && set.actor == actor.as_str()
                && !undone.contains(&set.seq)
            {
                return Ok(Some(set));
            }
        }
        Ok(None)
    }
}

/// Name for people of the record that a row changed.
pub fn subject(state: &State, row: &Row) -> String {
    super::resolve::name_of(state, row.entity, row.entity_id, row.project_id)
}

/// Whether a row concerns the project and the record, if given.
pub fn concerns(row: &Row, project: Option<ProjectId>, record: Option<&AnyRecord>) -> bool {
    project.is_none_or(|project| row.project_id == Some(project))
        && record.is_none_or(|record| record.id() == row.entity_id)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::EntityId;
    use crate::domain::patch::{Op, Patch, PatchSet};
    use crate::domain::record::{Entity, SyncEntity};
    use crate::domain::time::AsOf;
    use crate::planning::outline::OutlinePlanner;
    use crate::runtime::{Clock, ManualClock, SeededRandom, fresh_set_id};
    use crate::service::as_of::read_as_of;
    use crate::store::Outcome;
    use crate::store::memory::MemoryStore;

    const NOTE: Entity = Entity::Sync(SyncEntity::Note);

    fn service() -> Service {
        let now = Instant::default() + TimeDelta::days(20_000);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now, TimeDelta::milliseconds(10)));
        let random = Arc::new(SeededRandom::new(1));
        let store = MemoryStore::new(Arc::clone(&clock), random.clone()).unwrap();
        Service { store: Arc::new(store), clock, random, planner: Arc::new(OutlinePlanner) }
    }

    async fn commit(service: &Service, patches: Vec<Patch>) -> u64 {
        let id = fresh_set_id(service.clock.as_ref(), service.random.as_ref());
        let set = PatchSet::new(id, Name::new("ana").unwrap(), Source::Sync, patches);
        match service.store.commit(vec![set]).await.as_slice() {
            [Outcome::Committed { seq, .. }] => *seq,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn history_and_undo_see_no_row_of_sync() {
        let service = service();
        let (project, task, note) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let home = Some(ProjectId::of(project));
        let first = vec![
            Patch::new(Op::Create, NOTE, note, None).with("cursor", "page 1"),
            Patch::new(Op::Create, Entity::Project, project, home).with("name", "Payments"),
            Patch::new(Op::Create, Entity::Task, task, home)
                .with("project_id", project.to_string())
                .with("title", "Move the ledger"),
        ];
        let made = commit(&service, first).await;
        let turn = |page: &str| Patch::new(Op::Update, NOTE, note, None).with("cursor", page);
        let rename =
            Patch::new(Op::Update, Entity::Task, task, home).with("title", "Move the books");
        let mixed = commit(&service, vec![turn("page 2"), rename]).await;
        let only_sync = commit(&service, vec![turn("page 3")]).await;

        let mut past = service.past(&Scope::All).await.unwrap();
        let mut seen = Vec::new();
        while let Some(set) = past.next().await.unwrap() {
            assert!(set.rows.iter().all(|row| row.stream == Stream::Work));
            seen.push((set.seq, set.rows.len()));
        }
        assert_eq!(seen, [(mixed, 1), (made, 2), (1, 1)]);
        let then = read_as_of(service.store.as_ref(), &Scope::All, AsOf::Seq(made)).await.unwrap();
        assert_eq!(
            then.state.task(crate::domain::id::TaskId::of(task)).unwrap().title.as_str(),
            "Move the ledger"
        );

        let context = RequestContext {
            actor: Name::new("ana").unwrap(),
            source: Source::Cli,
            now: service.clock.now(),
        };
        let err = service.undo(Some(only_sync), &context).await.unwrap_err();
        assert!(matches!(err, ServiceError::NotFound { .. }), "{err:?}");
        // The last set with changes of work is undone, and of it the changes of work only.
        let (undone, done) = service.undo(None, &context).await.unwrap();
        assert_eq!(undone.seq, mixed);
        let state = service.state(&Scope::All).await.unwrap();
        let title = state.task(crate::domain::id::TaskId::of(task)).unwrap().title.to_string();
        assert_eq!(title, "Move the ledger");
        let sync = service.store.sync_snapshot().await.unwrap();
        assert_eq!(sync.seq, done.seq);
        let cursor = sync.state.get(NOTE, note).unwrap().get("cursor").unwrap();
        assert_eq!(cursor, "page 3");

        // A set that made records of both streams leaves its sync record when it is undone.
        service.undo(Some(made), &context).await.unwrap();
        let state = service.state(&Scope::All).await.unwrap();
        assert!(!state.records().any(|record| record.id() == project && record.is_live()));
        let sync = service.store.sync_snapshot().await.unwrap().state;
        assert!(sync.get(NOTE, note).unwrap().is_live());
    }
}
