//! The patch set: the atomic, public unit of change, here already parsed, with every reference resolved.

use uuid::Uuid;

use super::id::{PatchSetId, ProjectId, TaskId};
use super::record::{Entity, Fields};
use super::value::{LongText, Name, words};

words! {
    /// What a patch does to its entity.
    Op {
        Create = "create",
        Update = "update",
        Move = "move",
        Delete = "delete",
        Restore = "restore",
        Link = "link",
        Unlink = "unlink",
        /// Takes values out of earlier rows of the journal; only the store's own maintenance does it.
        Erase = "erase",
    }
}

words! {
    /// Which door a change came through. It is kept for the audit and decides nothing.
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

/// Where among its siblings a created or moved task goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    First,
    Last,
    After(TaskId),
    Before(TaskId),
}

/// One change to one entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    pub op: Op,
    pub entity: Entity,
    pub id: Uuid,
    /// Whether an author gave the id of a new record. It may be one that was derived before.
    pub has_given_id: bool,
    /// The project that holds the entity now; for a create, the project it goes to. `None` for users and the lake.
    pub project: Option<ProjectId>,
    /// New values by field; null clears.
    pub fields: Fields,
    /// Only of a created or moved task; absent means last.
    pub place: Option<Place>,
    /// The position that a move taken back had before. It is used where it is free at `place`.
    pub position: Option<i64>,
    /// Values that must still stand, else the set is answered as a conflict.
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

    pub fn placed(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

/// What an author asks for: all of it happens, or nothing does.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchSet {
    pub id: PatchSetId,
    /// SHA-256 of the request as its author wrote it, so that the same id with another request is noticed.
    pub request_hash: [u8; 32],
    pub actor: Name,
    pub source: Source,
    pub reason: Option<LongText>,
    pub patches: Vec<Patch>,
    /// Projects the set only refers to, such as the other end of a `relates` link.
    pub also: Vec<ProjectId>,
}

impl PatchSet {
    /// The most changes one set may make, those carried along included.
    pub const MAX_CHANGES: usize = 100_000;
    /// The most bytes one set may bring to the journal.
    pub const MAX_BYTES: usize = 64 << 20;

    /// The projects that must be at hand to judge the set.
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
