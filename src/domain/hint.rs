//! What to do about an error or a finding, as data.
//!
//! A hint states an action and its objects. It names no command and no flag, because each interface
//! has its own; the interface words the hint for its users.

mod catalog;
mod lake;
mod query;
mod repair;

use std::borrow::Cow;

pub use catalog::CatalogHint;
pub use lake::LakeHint;
pub use query::QueryHint;
pub use repair::Repair;

use super::id::PatchSetId;
use super::key::{ProjectKey, TaskKey};

/// An action that may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Advice whose words fit every interface.
    Advice(Cow<'static, str>),

    /// Look up the task's key; keys of the project, if given, show the form.
    ListTasks {
        project: Option<ProjectKey>,
    },
    RestoreTask {
        key: TaskKey,
    },
    /// Remove the dependency, or move both tasks.
    UnlinkTasks {
        dependent: String,
        prerequisite: String,
    },

    ListProjects,
    /// There is no project to choose.
    CreateProject,
    /// There is no project with any name.
    CreateFirstProject,
    RestoreProject {
        key: ProjectKey,
    },
    /// Another project has the value.
    ChangeOrDeleteProject {
        key: ProjectKey,
    },
    /// Two projects have the same source: choose one and delete the other.
    ChooseProject {
        chosen: String,
        other: String,
    },

    ListUsers,
    /// List the users; a user that was erased has only an id.
    FindErasedUser,
    AddUser {
        name: String,
    },
    MergeUsers,

    /// Use the use case that erases a record.
    EraseRecord,
    /// Erase the task with its history, or change the text.
    EraseOrUpdateTask {
        key: String,
    },
    /// Erase the project with its history, or change the text.
    EraseOrUpdateProject {
        key: String,
    },
    /// Look at the user's record, and change its text.
    ReviewUser {
        name: String,
    },
    /// Change the description, and plan it again.
    PlanChangedDescription,
    /// Change the record with a patch.
    ApplyPatch,
    /// Erase the history of the tasks or projects with their current values.
    EraseHistory,
    /// Apply the waiting requests and continue as for answered rows, or delete the rows with the
    /// statement.
    ApplyOrDeleteRequests {
        statement: String,
    },

    /// Choose a seq from the history.
    ListChanges,
    SeeChanges,
    /// See when the lake begins.
    SeeFirstChange,
    /// Choose a change; a named change may be anyone's.
    UndoNamedChange,
    /// See the changes, and set the values by hand.
    ChangeByHand,
    /// Undo the later changes first, or delete by hand.
    UndoLaterFirst,
    /// See whether the change is committed before it gets a new id.
    CheckHistory,
    /// Repeat the request with the same id, which is written at most once.
    RetryWithId {
        id: PatchSetId,
    },

    /// Name another configuration file, or none.
    OtherConfigFile,
    /// See every setting.
    ListSettings,
    /// See how a secret is referenced.
    ListSecretSettings,

    Lake(LakeHint),
    Catalog(CatalogHint),
    Query(QueryHint),
    Repair(Repair),
}

impl Hint {
    /// Creates advice from fixed words.
    pub const fn advice(words: &'static str) -> Self {
        Self::Advice(Cow::Borrowed(words))
    }
}

impl From<&'static str> for Hint {
    fn from(words: &'static str) -> Self {
        Self::advice(words)
    }
}

impl From<String> for Hint {
    fn from(words: String) -> Self {
        Self::Advice(Cow::Owned(words))
    }
}

impl From<LakeHint> for Hint {
    fn from(hint: LakeHint) -> Self {
        Self::Lake(hint)
    }
}

impl From<CatalogHint> for Hint {
    fn from(hint: CatalogHint) -> Self {
        Self::Catalog(hint)
    }
}

impl From<QueryHint> for Hint {
    fn from(hint: QueryHint) -> Self {
        Self::Query(hint)
    }
}
