//! Tasks as JSON, with the names of the records to which they refer.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use super::record;
use crate::domain::id::UserId;
use crate::domain::key::{ProjectKey, TaskKey};
use crate::domain::state::{ProjectState, State};
use crate::domain::task::Task;
use crate::domain::time::Estimate;

/// A task with the names of the records to which it refers.
#[derive(Clone, Debug, Serialize)]
pub struct TaskView {
    #[serde(flatten, serialize_with = "record::serialize")]
    pub task: Arc<Task>,
    pub project: Option<ProjectKey>,
    pub parent: Option<TaskKey>,
    /// A handle such as `@ana`.
    pub assignee: Option<String>,
}

/// A task with the total estimate of its subtasks.
#[derive(Clone, Debug, Serialize)]
pub struct SizedTaskView {
    #[serde(flatten)]
    pub view: TaskView,
    pub estimate_of_parts: Option<Estimate>,
}

/// A task that can start now, with the reasons for its rank.
#[derive(Clone, Debug, Serialize)]
pub struct ReadyTaskView {
    #[serde(flatten)]
    pub view: TaskView,
    /// Number of open tasks that wait for it.
    pub holds_up: usize,
    pub overdue: bool,
    /// Earliest due date of the task and its ancestors.
    pub due_with_whole: Option<NaiveDate>,
    pub all_parts_closed: bool,
}

impl TaskView {
    pub fn of(state: &State, task: &Arc<Task>) -> Self {
        let project = state.project(task.project_id);
        let parent = task.parent_id.and_then(|id| project?.task(id));
        Self {
            task: Arc::clone(task),
            project: project.and_then(ProjectState::project).map(|project| project.key.clone()),
            parent: parent.map(|parent| parent.key.clone()),
            assignee: task.assignee_id.map(|id| handle(state, id)),
        }
    }
}

impl SizedTaskView {
    pub fn of(state: &State, task: &Arc<Task>, estimate_of_parts: Option<Estimate>) -> Self {
        Self { view: TaskView::of(state, task), estimate_of_parts }
    }
}

/// Returns a user's handle with `@`, or the id of a user that the state does not hold.
pub fn handle(state: &State, id: UserId) -> String {
    state.user(id).map_or_else(|| id.to_string(), |user| format!("@{}", user.handle))
}

/// Words an effort: the task's own estimate, and the sum of its subtasks (Σ) if it has no estimate
/// or a lower one.
pub fn effort(own: Option<Estimate>, parts: Option<Estimate>) -> Option<String> {
    let sum = |parts: Estimate| format!("Σ {}", parts.rough());
    match (own, parts) {
        (Some(own), Some(parts)) if parts.likely > own.likely => {
            Some(format!("{own} (its parts {})", sum(parts)))
        }
        (Some(own), _) => Some(own.to_string()),
        (None, parts) => parts.map(sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::any_record::AnyRecord;
    use crate::domain::id::{EntityId, ProjectId, TaskId};
    use crate::domain::project::Project;
    use crate::domain::record::Record;
    use crate::domain::time::Minutes;
    use crate::domain::user::User;
    use crate::domain::value::Name;
    use serde_json::json;
    use uuid::Uuid;

    fn estimate(minutes: u32) -> Estimate {
        let minutes = Minutes::new(minutes);
        Estimate { low: minutes, likely: minutes, high: minutes }
    }

    #[test]
    fn a_view_names_project_parent_and_assignee() {
        let id = |number| Uuid::from_u128(number);
        let (project_id, user_id) = (ProjectId::of(id(1)), UserId::of(id(4)));
        let project = Project { key: "PAY".parse().unwrap(), ..Project::empty(project_id) };
        let parent =
            Task { project_id, key: "PAY-1".parse().unwrap(), ..Task::empty(TaskId::of(id(2))) };
        let child = Task {
            project_id,
            parent_id: Some(parent.id),
            assignee_id: Some(user_id),
            key: "PAY-2".parse().unwrap(),
            ..Task::empty(TaskId::of(id(3)))
        };
        let user = User { handle: Name::new("ana").unwrap(), ..User::empty(user_id) };
        let (parent, child) = (Arc::new(parent), Arc::new(child));
        let mut state = State::default();
        state.put(AnyRecord::Project(Arc::new(project)));
        state.put(AnyRecord::Task(Arc::clone(&parent)));
        state.put(AnyRecord::Task(Arc::clone(&child)));

        let unknown = json!(TaskView::of(&state, &child));
        assert_eq!(unknown["assignee"], json!(user_id.to_string()));
        state.put(AnyRecord::User(Arc::new(user)));
        let sized = json!(SizedTaskView::of(&state, &child, Some(estimate(60))));
        let of = |name: &str| sized[name].clone();
        assert_eq!((of("key"), of("parent")), (json!("PAY-2"), json!("PAY-1")));
        assert_eq!((of("project"), of("assignee")), (json!("PAY"), json!("@ana")));
        assert_eq!(of("parent_id"), json!(parent.id.to_string()));
        assert_eq!(of("estimate_of_parts"), json!({"low": 60, "likely": 60, "high": 60}));
        assert_eq!(sized.as_object().unwrap().len(), 1 + Task::FIELDS.len() + 4);
        let top = json!(TaskView::of(&state, &parent));
        assert_eq!((&top["parent"], &top["assignee"]), (&json!(null), &json!(null)));
    }

    #[test]
    fn the_sum_of_the_parts_is_stated_if_it_is_more_than_the_own_estimate() {
        let (small, large) = (Some(estimate(60)), Some(estimate(120)));
        assert_eq!(effort(None, None), None);
        assert_eq!(effort(small, None).as_deref(), Some("1h"));
        assert_eq!(effort(large, small).as_deref(), Some("2h"));
        assert_eq!(effort(small, large).as_deref(), Some("1h (its parts Σ 2h)"));
        assert_eq!(effort(None, large).as_deref(), Some("Σ 2h"));
    }
}
