//! Generated patches, as their author writes them.

use lakeplan::domain::state::State;
use lakeplan::domain::task::{Task, TaskStatus};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::domain::Fixture;

/// What a patch does. Numbers choose among the records of the lake, so that an action fits every
/// lake and stays valid while a failing case is reduced.
#[derive(Clone, Debug)]
pub enum Action {
    CreateTask { project: u8, parent: Option<u8>, title: String },
    Retitle { task: u8, title: String },
    Progress { task: u8, status: &'static str },
    Plan { task: u8, due: Option<u8>, minutes: u32, tags: Vec<String> },
    Assign { task: u8, user: Option<u8> },
    Place { task: u8, parent: Option<u8>, side: Side },
    MoveToProject { task: u8, project: u8 },
    DeleteTask(u8),
    RestoreTask(u8),
    Link { from: u8, to: u8, kind: &'static str },
    Unlink(u8),
    RenameProject { project: u8, name: String },
    DeleteProject(u8),
    AddUser(String),
    DescribeUser { user: u8, name: String },
}

#[derive(Clone, Copy, Debug)]
pub enum Side {
    First,
    Last,
    After(u8),
    Before(u8),
}

/// How a patch refers to a record of the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// By key or handle.
    Name,
    /// By key in lowercase, or by handle without `@`.
    OtherSpelling,
    Id,
}

pub fn action() -> impl Strategy<Value = Action> {
    let title = || "[a-zé]{1,8}";
    let side = prop_oneof![
        Just(Side::First),
        Just(Side::Last),
        any::<u8>().prop_map(Side::After),
        any::<u8>().prop_map(Side::Before),
    ];
    let changes = prop_oneof![
        6 => (any::<u8>(), option::of(any::<u8>()), title())
            .prop_map(|(project, parent, title)| Action::CreateTask { project, parent, title }),
        3 => (any::<u8>(), title()).prop_map(|(task, title)| Action::Retitle { task, title }),
        4 => (any::<u8>(), select(TaskStatus::NAMES))
            .prop_map(|(task, status)| Action::Progress { task, status }),
        3 => (any::<u8>(), option::of(0..28u8), 0..5_000u32, vec("[a-c]", 0..3))
            .prop_map(|(task, due, minutes, tags)| Action::Plan { task, due, minutes, tags }),
        2 => (any::<u8>(), option::of(any::<u8>()))
            .prop_map(|(task, user)| Action::Assign { task, user }),
    ];
    let structure = prop_oneof![
        4 => (any::<u8>(), option::of(any::<u8>()), side)
            .prop_map(|(task, parent, side)| Action::Place { task, parent, side }),
        2 => (any::<u8>(), any::<u8>())
            .prop_map(|(task, project)| Action::MoveToProject { task, project }),
        3 => any::<u8>().prop_map(Action::DeleteTask),
        2 => any::<u8>().prop_map(Action::RestoreTask),
        3 => (any::<u8>(), any::<u8>(), select(vec!["depends_on", "relates"]))
            .prop_map(|(from, to, kind)| Action::Link { from, to, kind }),
        2 => any::<u8>().prop_map(Action::Unlink),
    ];
    let others = prop_oneof![
        2 => (any::<u8>(), title())
            .prop_map(|(project, name)| Action::RenameProject { project, name }),
        1 => any::<u8>().prop_map(Action::DeleteProject),
        2 => "[c-z]{3,6}".prop_map(Action::AddUser),
        2 => (any::<u8>(), title()).prop_map(|(user, name)| Action::DescribeUser { user, name }),
    ];
    prop_oneof![4 => changes, 4 => structure, 1 => others]
}

/// Generates the actions of one set.
pub fn set() -> impl Strategy<Value = Vec<Action>> {
    vec(action(), 1..4)
}

/// Returns a lake with two projects, nested and linked tasks, and two users.
pub fn fixture() -> Fixture {
    let tasks = ["a", "b below PAY-1", "c below PAY-1", "d", "e below PAY-2", "f"];
    let mut fixture = Fixture::with(&tasks);
    fixture.apply(json!([
        {"op": "create", "entity": "project", "id": "$o", "fields": {"name": "Other", "key": "OTH"}},
        {"op": "create", "entity": "task", "fields": {"project_id": "$o", "title": "o"}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-2", "to_id": "PAY-4"}},
        {"op": "delete", "entity": "task", "id": "PAY-6"},
    ]));
    fixture
}

/// Returns the patches of a set as JSON. Omits an action for which the lake has no record.
pub fn patches(actions: &[Action], state: &State, how: Reference) -> Value {
    let lake = Lake { state, how };
    actions.iter().filter_map(|action| lake.patch(action)).collect()
}

struct Lake<'s> {
    state: &'s State,
    how: Reference,
}

impl Lake<'_> {
    fn any<T>(records: impl Iterator<Item = T>, number: u8) -> Option<T> {
        let records: Vec<T> = records.collect();
        let at = usize::from(number).checked_rem(records.len())?;
        records.into_iter().nth(at)
    }

    fn spelled(&self, name: String, id: impl ToString) -> String {
        match self.how {
            Reference::Name => name,
            Reference::OtherSpelling => name.trim_start_matches('@').to_lowercase(),
            Reference::Id => id.to_string(),
        }
    }

    fn task(&self, number: u8) -> Option<String> {
        let tasks = self.state.projects().flat_map(|project| project.tasks());
        let task: &Task = Self::any(tasks, number)?;
        Some(self.spelled(task.key.to_string(), task.id))
    }

    fn project(&self, number: u8) -> Option<String> {
        let projects = self.state.projects().filter_map(|project| project.project());
        let project = Self::any(projects, number)?;
        Some(self.spelled(project.key.to_string(), project.id))
    }

    fn user(&self, number: u8) -> Option<String> {
        let user = Self::any(self.state.users(), number)?;
        Some(self.spelled(format!("@{}", user.handle), user.id))
    }

    fn patch(&self, action: &Action) -> Option<Value> {
        let task = |op: &str, task: u8, fields: Value| {
            Some(json!({"op": op, "entity": "task", "id": self.task(task)?, "fields": fields}))
        };
        match action {
            Action::CreateTask { project, parent, title } => {
                let mut fields = json!({"project_id": self.project(*project)?, "title": title});
                if let Some(parent) = parent {
                    fields["parent_id"] = self.task(*parent)?.into();
                }
                Some(json!({"op": "create", "entity": "task", "fields": fields}))
            }
            Action::Retitle { task: number, title } => {
                task("update", *number, json!({ "title": title }))
            }
            Action::Progress { task: number, status } => {
                task("update", *number, json!({ "status": status }))
            }
            Action::Plan { task: number, due, minutes, tags } => {
                let due = due.map(|day| format!("2026-12-{:02}", day + 1));
                task(
                    "update",
                    *number,
                    json!({"due_date": due, "actual_minutes": minutes, "tags": tags}),
                )
            }
            Action::Assign { task: number, user } => {
                let user = match user {
                    Some(user) => Some(self.user(*user)?),
                    None => None,
                };
                task("update", *number, json!({ "assignee_id": user }))
            }
            Action::Place { task: number, parent, side } => {
                let parent = match parent {
                    Some(parent) => Some(self.task(*parent)?),
                    None => None,
                };
                let place = match side {
                    Side::First => json!("first"),
                    Side::Last => json!("last"),
                    Side::After(sibling) => json!({"after": self.task(*sibling)?}),
                    Side::Before(sibling) => json!({"before": self.task(*sibling)?}),
                };
                let mut patch = task("move", *number, json!({ "parent_id": parent }))?;
                patch["place"] = place;
                Some(patch)
            }
            Action::MoveToProject { task: number, project } => {
                task("move", *number, json!({"project_id": self.project(*project)?}))
            }
            Action::DeleteTask(number) => task("delete", *number, json!({})),
            Action::RestoreTask(number) => task("restore", *number, json!({})),
            Action::Link { from, to, kind } => {
                let fields =
                    json!({"from_id": self.task(*from)?, "to_id": self.task(*to)?, "kind": kind});
                Some(json!({"op": "link", "entity": "task_link", "fields": fields}))
            }
            Action::Unlink(number) => {
                let links = self.state.projects().flat_map(|project| project.links());
                let id = Self::any(links, *number)?.id.to_string();
                Some(json!({"op": "unlink", "entity": "task_link", "id": id}))
            }
            Action::RenameProject { project, name } => {
                let id = self.project(*project)?;
                Some(
                    json!({"op": "update", "entity": "project", "id": id, "fields": {"name": name}}),
                )
            }
            Action::DeleteProject(project) => {
                Some(json!({"op": "delete", "entity": "project", "id": self.project(*project)?}))
            }
            Action::AddUser(handle) => {
                Some(json!({"op": "create", "entity": "user", "fields": {"handle": handle}}))
            }
            Action::DescribeUser { user, name } => {
                let id = self.user(*user)?;
                Some(
                    json!({"op": "update", "entity": "user", "id": id, "fields": {"display_name": name}}),
                )
            }
        }
    }
}
