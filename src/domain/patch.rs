//! The patch set, the atomic and public unit of change, after parsing and with every reference
//! resolved.

use uuid::Uuid;

use super::id::{PatchSetId, ProjectId, TaskId};
use super::record::{Entity, Fields};
use super::value::{LongText, Name, string_enum};

string_enum! {
    /// Operation of a patch on its entity.
    Op {
        Create = "create",
        Update = "update",
        Move = "move",
        Delete = "delete",
        Restore = "restore",
        Link = "link",
        Unlink = "unlink",
        /// Removes values from earlier rows of the journal. Only the store's own maintenance does
        /// it.
        Erase = "erase",
    }
}

string_enum! {
    /// Interface that a change came through. Kept for the audit.
    Source {
        Cli = "cli",
        Api = "api",
        Plan = "plan",
        Agent = "agent",
        Sync = "sync",
        Import = "import",
        Inbox = "inbox",
        Job = "job",
        Undo = "undo",
        Maintenance = "maintenance",
    }
}

/// Place of a created or moved task among its siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    First,
    Last,
    After(TaskId),
    Before(TaskId),
}

/// Change to one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    pub op: Op,
    pub entity: Entity,
    pub id: Uuid,
    /// Whether the author gave the id of a new record. It may be an id that was derived before.
    pub has_given_id: bool,
    /// Project that contains the record now; for a create, its future project. `None` for users and
    /// the lake.
    pub project: Option<ProjectId>,
    /// New values by field; null clears a field.
    pub fields: Fields,
    /// Only for a created or moved task; absent means last.
    pub place: Option<Placement>,
    /// For the undo of a move: the position before it. It is used if it is free at `place`.
    pub position: Option<i64>,
    /// Values that must still be current; otherwise the set is a conflict.
    pub expect: Fields,
}

impl Patch {
    pub fn new(op: Op, entity: Entity, id: Uuid, project: Option<ProjectId>) -> Self {
        Self {
            op,
            entity,
            id,
            has_given_id: false,
            project,
            fields: Fields::new(),
            place: None,
            position: None,
            expect: Fields::new(),
        }
    }

    pub fn with(mut self, field: &str, value: impl Into<serde_json::Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    pub fn expecting(mut self, field: &str, value: impl Into<serde_json::Value>) -> Self {
        self.expect.insert(field.to_owned(), value.into());
        self
    }

    pub fn placed(mut self, place: Placement) -> Self {
        self.place = Some(place);
        self
    }
}

/// Changes that an author requests. All of them happen, or none.
///
/// # Examples
///
/// ```
/// use lakeplan::domain::apply::apply;
/// use lakeplan::domain::id::{EntityId, PatchSetId, ProjectId};
/// use lakeplan::domain::patch::{Op, Patch, PatchSet, Source};
/// use lakeplan::domain::record::Entity;
/// use lakeplan::domain::state::State;
/// use lakeplan::domain::time::Instant;
/// use lakeplan::domain::value::Name;
/// use uuid::Uuid;
///
/// let id = Uuid::from_u128(1);
/// let create = Patch::new(Op::Create, Entity::Project, id, Some(ProjectId::of(id)))
///     .with("key", "PAY")
///     .with("name", "Payments");
/// let id = PatchSetId::of(Uuid::from_u128(2));
/// let set = PatchSet::new(id, Name::new("ana").unwrap(), Source::Api, vec![create]);
///
/// let mut state = State::default();
/// let applied = apply(&mut state, &set, Instant::UNIX_EPOCH).unwrap();
/// assert_eq!(applied.changes[0].op, Op::Create);
/// assert!(state.project_by_key(&"PAY".parse().unwrap()).is_some());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PatchSet {
    pub id: PatchSetId,
    /// SHA-256 of the request as its author wrote it, so that another request with the same id is
    /// detected.
    pub request_hash: [u8; 32],
    pub actor: Name,
    pub source: Source,
    pub reason: Option<LongText>,
    pub patches: Vec<Patch>,
    /// Projects to which the set only refers, such as the other end of a `relates` link.
    pub also: Vec<ProjectId>,
}

impl PatchSet {
    /// Maximum number of changes in one set, including those on other affected records.
    pub const MAX_CHANGES: usize = 100_000;
    /// Maximum number of bytes that one set adds to the journal.
    pub const MAX_BYTES: usize = 64 << 20;

    /// Creates a set without a reason.
    pub fn new(id: PatchSetId, actor: Name, source: Source, patches: Vec<Patch>) -> Self {
        Self { id, request_hash: [0; 32], actor, source, reason: None, patches, also: Vec::new() }
    }

    /// States the reason. A text that is no valid reason, such as one that is too long, is left
    /// out.
    pub fn because(self, reason: &str) -> Self {
        Self { reason: LongText::new(reason).ok(), ..self }
    }

    /// States the content of the request that the set comes from.
    pub fn requested(self, request_hash: [u8; 32]) -> Self {
        Self { request_hash, ..self }
    }

    /// Adds projects to which the set only refers.
    pub fn with_also(mut self, projects: impl IntoIterator<Item = ProjectId>) -> Self {
        self.also.extend(projects);
        self
    }

    /// Returns the projects that must be loaded to check the set.
    pub fn scope(&self) -> impl Iterator<Item = ProjectId> + '_ {
        self.patches
            .iter()
            .flat_map(|patch| {
                let target =
                    patch.fields.get("project_id").and_then(|value| value.as_str()?.parse().ok());
                patch.project.into_iter().chain(target)
            })
            .chain(self.also.iter().copied())
    }
}
