//! Lists the tasks that can start now, the best first.

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::state::State;
use crate::domain::time::AsOf;
use crate::exchange::view::task::{ReadyTaskView, TaskView};
use crate::planning::next::{Ready, ready};
use crate::service::{Service, ServiceError, find};

/// Filter of the ready tasks.
#[derive(Clone, Debug)]
pub struct NextQuery {
    /// Name of a project. If absent, every project that is not archived.
    pub project: Option<String>,
    /// Name of a user. Only their tasks and unassigned ones.
    pub assignee: Option<String>,
    /// Maximum number of tasks.
    pub limit: usize,
    pub as_of: Option<AsOf>,
}

/// The ready tasks, the best first.
#[derive(Clone, Debug, Serialize)]
pub struct NextTasks {
    pub seq: u64,
    pub tasks: Vec<ReadyTaskView>,
}

impl NextQuery {
    pub const DEFAULT_LIMIT: usize = 5;
}

impl Service {
    pub async fn next_tasks(&self, query: &NextQuery) -> Result<NextTasks, ServiceError> {
        let snapshot = match &query.project {
            Some(project) => self.read_projects_of(&[project], query.as_of).await?,
            None => self.read_visible(query.as_of).await?,
        };
        // Due dates are judged by the day of the snapshot.
        let today = query.as_of.map_or(self.clock.now(), |_| snapshot.at).date_naive();
        let tasks = select(query, &snapshot.state, today)?;
        Ok(NextTasks { seq: snapshot.seq, tasks })
    }
}

fn select(
    query: &NextQuery,
    state: &State,
    today: NaiveDate,
) -> Result<Vec<ReadyTaskView>, ServiceError> {
    let assignee = query.assignee.as_deref().map(|name| find::user(state, name)).transpose()?;
    let projects = match &query.project {
        Some(name) => vec![find::project(state, name)?.0],
        None => state
            .projects()
            .filter(|found| found.project().is_some_and(|project| project.is_visible()))
            .collect(),
    };
    let found = ready(projects, today, assignee.map(|user| user.id));
    let view = |ready: Ready<'_>| {
        Some(ReadyTaskView {
            view: TaskView::of(state, state.task(ready.task.id)?),
            holds_up: ready.waiting_tasks,
            overdue: ready.overdue,
            due_with_whole: ready.due,
            all_parts_closed: ready.is_whole,
        })
    };
    Ok(found.into_iter().take(query.limit).filter_map(view).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::any_record::AnyRecord;
    use crate::domain::id::{EntityId, ProjectId, TaskId, UserId};
    use crate::domain::project::{Project, ProjectStatus};
    use crate::domain::record::Record;
    use crate::domain::task::Task;
    use crate::domain::user::User;
    use crate::domain::value::Name;
    use uuid::Uuid;

    #[test]
    fn ready_tasks_of_a_project_and_a_user_are_listed_up_to_the_limit() {
        let ana = UserId::of(Uuid::from_u128(9));
        let mut state = State::default();
        let user = User { handle: Name::new("ana").unwrap(), ..User::empty(ana) };
        state.put(AnyRecord::User(Arc::new(user)));
        for (number, key, status) in
            [(1, "PAY", ProjectStatus::Active), (2, "OLD", ProjectStatus::Archived)]
        {
            let id = ProjectId::of(Uuid::from_u128(number));
            let project = Project { key: key.parse().unwrap(), status, ..Project::empty(id) };
            state.put(AnyRecord::Project(Arc::new(project)));
            for task in 1..=2 {
                state.put(AnyRecord::Task(Arc::new(Task {
                    project_id: id,
                    key: format!("{key}-{task}").parse().unwrap(),
                    due_date: NaiveDate::from_ymd_opt(2026, 12, task),
                    assignee_id: (task == 2).then_some(ana),
                    ..Task::empty(TaskId::of(Uuid::from_u128(10 * number + u128::from(task))))
                })));
            }
        }
        let today = NaiveDate::from_ymd_opt(2026, 12, 2).unwrap();
        let keys = |project: Option<&str>, assignee: Option<&str>, limit| -> Vec<String> {
            let [project, assignee] = [project, assignee].map(|name| name.map(str::to_owned));
            let query = NextQuery { project, assignee, limit, as_of: None };
            let found = select(&query, &state, today).unwrap();
            found.iter().map(|ready| format!("{} {}", ready.view.task.key, ready.overdue)).collect()
        };
        assert_eq!(keys(None, None, 5), ["PAY-1 true", "PAY-2 false"]);
        assert_eq!(keys(None, None, 1), ["PAY-1 true"]);
        assert_eq!(keys(None, Some("@ana"), 5), ["PAY-2 false", "PAY-1 true"]);
        assert_eq!(keys(Some("OLD"), None, 5), ["OLD-1 true", "OLD-2 false"]);
    }
}
