//! Indexes the loaded records of all projects: by id, by the target task of a link, and by the
//! former keys of a task.
//!
//! A state is copied with every snapshot, so the index is split into parts that are shared until
//! one of them changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::any_record::AnyRecord;
use super::id::{EntityId, ProjectId, TaskId, TaskLinkId};
use super::key::TaskKey;
use super::link::LinkKind;
use super::record::Entity;
use super::task::Task;

/// Number of parts of a map.
const PARTS: usize = 256;

/// Multimap from ids to values.
#[derive(Clone, Debug)]
struct ById<V>(Arc<Vec<Part<V>>>);

/// Values of some ids, shared until one of them changes.
type Part<V> = Arc<BTreeSet<(Uuid, V)>>;

impl<V> Default for ById<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Returns the part of an id. The last byte of every kind of id is random.
fn part(id: Uuid) -> usize {
    usize::from(id.as_bytes()[15])
}

impl<V: Copy + Ord + Default> ById<V> {
    fn insert(&mut self, id: Uuid, value: V) {
        // A part that already contains the value stays shared.
        if self.0.get(part(id)).is_some_and(|part| part.contains(&(id, value))) {
            return;
        }
        let parts = Arc::make_mut(&mut self.0);
        if parts.is_empty() {
            parts.resize(PARTS, Arc::default());
        }
        if let Some(part) = parts.get_mut(part(id)) {
            Arc::make_mut(part).insert((id, value));
        }
    }

    fn remove(&mut self, id: Uuid, value: V) {
        if self.0.get(part(id)).is_some_and(|part| part.contains(&(id, value)))
            && let Some(part) = Arc::make_mut(&mut self.0).get_mut(part(id))
        {
            Arc::make_mut(part).remove(&(id, value));
        }
    }

    fn of(&self, id: Uuid) -> impl Iterator<Item = V> + '_ {
        let part = self.0.get(part(id)).into_iter();
        // The default of an id is the lowest id.
        part.flat_map(move |part| {
            part.range((id, V::default())..)
                .take_while(move |(at, _)| *at == id)
                .map(|(_, value)| *value)
        })
    }
}

/// Index of a state.
#[derive(Clone, Debug, Default)]
pub struct Index {
    homes: ById<ProjectId>,
    links_to: ById<(ProjectId, TaskLinkId)>,
    former_keys: Arc<BTreeSet<(TaskKey, TaskId)>>,
}

impl Index {
    /// Adds a record, which replaces `old` if there was one.
    pub fn put(&mut self, record: &AnyRecord, old: Option<&AnyRecord>) {
        match (record, old) {
            (AnyRecord::Task(new), Some(AnyRecord::Task(old)))
                if new.former_keys != old.former_keys =>
            {
                self.forget_former_keys(old);
            }
            _ => {}
        }
        let Some(project) = indexed(record) else { return };
        self.homes.insert(record.id(), project);
        match record {
            AnyRecord::Task(task) => {
                if let Some(keys) = former_keys(task) {
                    Arc::make_mut(&mut self.former_keys).extend(keys.map(|key| (key, task.id)));
                }
            }
            AnyRecord::TaskLink(link) if may_cross(link.kind) => {
                self.links_to.insert(link.to_id.uuid(), (project, link.id))
            }
            _ => {}
        }
    }

    pub fn remove(&mut self, record: &AnyRecord) {
        let Some(project) = indexed(record) else { return };
        self.homes.remove(record.id(), project);
        match record {
            AnyRecord::Task(task) => self.forget_former_keys(task),
            AnyRecord::TaskLink(link) => {
                self.links_to.remove(link.to_id.uuid(), (project, link.id))
            }
            _ => {}
        }
    }

    /// Returns the loaded projects that contain a record with this id, of any entity that belongs
    /// to a project.
    pub fn homes(&self, id: Uuid) -> impl Iterator<Item = ProjectId> + '_ {
        self.homes.of(id)
    }

    /// Returns the links to a task that may cross projects, each with its project.
    pub fn links_to(&self, task: TaskId) -> impl Iterator<Item = (ProjectId, TaskLinkId)> + '_ {
        self.links_to.of(task.uuid())
    }

    /// Returns the tasks that had a key before they moved to another project.
    pub fn had(&self, key: &TaskKey) -> impl Iterator<Item = TaskId> + '_ {
        let key = key.clone();
        let from = (key.clone(), TaskId::default());
        self.former_keys
            .range(from..)
            .take_while(move |(had, _)| *had == key)
            .map(|(_, task)| *task)
    }

    fn forget_former_keys(&mut self, task: &Task) {
        if let Some(keys) = former_keys(task) {
            let all = Arc::make_mut(&mut self.former_keys);
            for key in keys {
                all.remove(&(key, task.id));
            }
        }
    }
}

/// Returns the project of an indexed record. The state itself finds projects, users and the lake by
/// id.
fn indexed(record: &AnyRecord) -> Option<ProjectId> {
    record.project().filter(|_| record.entity() != Entity::Project)
}

/// Whether links of this kind may cross projects. Dependencies stay inside one project, whose own
/// index finds them.
fn may_cross(kind: LinkKind) -> bool {
    kind != LinkKind::DependsOn
}

fn former_keys(task: &Task) -> Option<impl Iterator<Item = TaskKey> + '_> {
    let keys = &task.former_keys.0;
    (!keys.is_empty()).then(|| keys.iter().filter_map(|key| key.parse().ok()))
}
