//! Records as JSON: every field by its name, absent ones as null.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::domain::id::EntityId;
use crate::domain::project::Project;
use crate::domain::record::{Fields, Record};
use crate::domain::task_counts::TaskCount;
use crate::domain::time::Minutes;
use crate::domain::user::User;

/// A record without more.
#[derive(Clone, Debug, Serialize)]
pub struct RecordView<R: Record> {
    #[serde(flatten, serialize_with = "serialize")]
    pub record: Arc<R>,
}

/// A project with the numbers of its tasks.
#[derive(Clone, Debug, Serialize)]
pub struct ProjectView {
    #[serde(flatten, serialize_with = "serialize")]
    pub project: Arc<Project>,
    pub open_tasks: usize,
    pub closed_tasks: usize,
}

/// A user with their open work.
#[derive(Clone, Debug, Serialize)]
pub struct UserView {
    #[serde(flatten, serialize_with = "serialize")]
    pub user: Arc<User>,
    pub open_tasks: usize,
    pub open_minutes: Minutes,
}

impl<R: Record> RecordView<R> {
    pub fn of(record: &Arc<R>) -> Self {
        Self { record: Arc::clone(record) }
    }
}

impl ProjectView {
    pub fn of(project: &Arc<Project>, count: TaskCount) -> Self {
        Self { project: Arc::clone(project), open_tasks: count.open, closed_tasks: count.closed }
    }
}

impl UserView {
    pub fn of(user: &Arc<User>, count: TaskCount) -> Self {
        Self { user: Arc::clone(user), open_tasks: count.open, open_minutes: count.work }
    }
}

/// Returns the id and every field of a record.
fn fields<R: Record>(record: &R) -> Fields {
    let id = std::iter::once(("id".to_owned(), record.id().uuid().to_string().into()));
    let fields = R::FIELDS
        .iter()
        .map(|field| (field.name.to_owned(), record.get(field.name).unwrap_or_default()));
    id.chain(fields).collect()
}

/// Serializes a record as its [`fields`].
pub(super) fn serialize<R: Record, S: Serializer>(
    record: &Arc<R>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    fields(record.as_ref()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ProjectId, UserId};
    use serde_json::json;
    use uuid::Uuid;

    #[test]
    fn a_view_has_every_field_and_the_numbers_beside_them() {
        let project = Project::empty(ProjectId::of(Uuid::from_u128(7)));
        let count = TaskCount { open: 2, closed: 3, work: Minutes::new(90) };
        let view = json!(ProjectView::of(&Arc::new(project), count));
        assert_eq!(view["id"], "00000000-0000-0000-0000-000000000007");
        assert_eq!((&view["open_tasks"], &view["closed_tasks"]), (&json!(2), &json!(3)));
        assert!(view.get("due_date").is_some_and(serde_json::Value::is_null), "{view}");
        let names = view.as_object().unwrap().len();
        assert_eq!(names, 1 + Project::FIELDS.len() + 2, "{view}");

        let user = Arc::new(User::empty(UserId::of(Uuid::from_u128(8))));
        let view = json!(UserView::of(&user, count));
        assert_eq!((&view["open_tasks"], &view["open_minutes"]), (&json!(2), &json!(90)));
        let own = json!(RecordView::of(&user));
        assert_eq!(own.as_object().unwrap().len(), 1 + User::FIELDS.len(), "{own}");
    }
}
