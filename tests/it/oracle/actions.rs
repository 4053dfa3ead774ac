//! The action of each patch of a set.

/// Placeholder for the id of the set in progress.
pub const THIS_SET: &str = "this set";

#[derive(Clone, Debug)]
pub enum Where {
    First,
    Last,
    After(String),
    Before(String),
}

/// The action of one patch.
#[derive(Clone, Debug)]
pub enum Action {
    CreateProject {
        id: String,
        key: String,
    },
    RenameProject {
        id: String,
        name: String,
    },
    DeleteProject(String),
    RestoreProject(String),
    CreateTask {
        id: String,
        project: String,
        parent: Option<String>,
        place: Option<Where>,
        title: String,
        assignee: Option<String>,
    },
    UpdateTask {
        id: String,
        title: Option<String>,
        status: Option<String>,
        assignee: Option<Option<String>>,
        expect: Option<String>,
    },
    MoveTask {
        id: String,
        project: Option<String>,
        parent: Option<Option<String>>,
        place: Option<Where>,
    },
    DeleteTask(String),
    RestoreTask(String),
    Link {
        id: String,
        from: String,
        to: String,
        kind: String,
        dependency: Option<String>,
    },
    Unlink {
        from: String,
        to: String,
        kind: Option<String>,
    },
    UnlinkById(String),
    RestoreLink(String),
    CreateUser {
        id: String,
        handle: String,
    },
    MergeUser {
        id: String,
        into: String,
    },
    DeleteUser(String),
    RestoreUser(String),
    /// Two tasks that are the same work; it has its own command.
    Merge {
        kept: String,
        gone: String,
    },
    /// A task and the titles of its subtasks; it has its own command.
    Split {
        task: String,
        parts: Vec<String>,
    },
}
