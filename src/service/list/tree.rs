//! Lists the tasks of a project, or a task with its subtasks, in plan order.

use std::sync::Arc;

use serde::Serialize;

use crate::domain::id::{ProjectId, TaskId};
use crate::domain::state::State;
use crate::domain::task::Task;
use crate::domain::time::{AsOf, Estimate};
use crate::exchange::view::task::SizedTaskView;
use crate::planning::effort::Efforts;
use crate::service::{Service, ServiceError, find};

/// The live tasks of a project, or a task with all its descendants.
#[derive(Clone, Debug, Serialize)]
pub struct TaskTree {
    pub seq: u64,
    /// Open effort; `None` below a task, or if no open work has an estimate.
    pub open_work: Option<Estimate>,
    pub tasks: Vec<SizedTaskView>,
    /// The lake from which the tasks come.
    #[serde(skip)]
    pub state: State,
    #[serde(skip)]
    pub project: ProjectId,
    #[serde(skip)]
    pub root: Option<TaskId>,
}

impl Service {
    /// Returns the tree of a project or below a task; of the only project if none is named.
    pub async fn task_tree(
        &self,
        root: Option<&str>,
        as_of: Option<AsOf>,
    ) -> Result<TaskTree, ServiceError> {
        let snapshot = match root {
            None => self.read_only_project(as_of).await?,
            Some(root) => self.read_projects_of(&[root], as_of).await?,
        };
        let (project, root) = place(&snapshot.state, root)?;
        let (open_work, tasks) = listed(&snapshot.state, project, root)?;
        Ok(TaskTree { seq: snapshot.seq, open_work, tasks, state: snapshot.state, project, root })
    }
}

/// Returns the project of a tree, and the task at its root if the name is of a task.
fn place(state: &State, name: Option<&str>) -> Result<(ProjectId, Option<TaskId>), ServiceError> {
    let Some(name) = name else { return Ok((find::only_project(state)?.1.id, None)) };
    if let Ok((_, project)) = find::project(state, name) {
        return Ok((project.id, None));
    }
    find::task(state, name).map(|task| (task.project_id, Some(task.id)))
}

/// Returns the open work and the tasks of a tree.
fn listed(
    state: &State,
    project: ProjectId,
    root: Option<TaskId>,
) -> Result<(Option<Estimate>, Vec<SizedTaskView>), ServiceError> {
    let project =
        state.project(project).ok_or_else(|| ServiceError::input("project", "is not there"))?;
    let tasks: Vec<&Arc<Task>> = match root {
        Some(root) => project.task(root).into_iter().chain(project.descendants(root)).collect(),
        None => project
            .children(None)
            .flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)))
            .filter(|task| task.is_live())
            .collect(),
    };
    let efforts = Efforts::of(project);
    let sized = |task: &Arc<Task>| SizedTaskView::of(state, task, efforts.of_parts(task.id));
    let open_work = efforts.open().filter(|_| root.is_none());
    Ok((open_work, tasks.into_iter().map(sized).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::any_record::AnyRecord;
    use crate::domain::id::EntityId;
    use crate::domain::project::Project;
    use crate::domain::record::Record;
    use crate::domain::time::Minutes;
    use uuid::Uuid;

    #[test]
    fn a_project_shows_live_tasks_and_a_task_all_below_it() {
        let id = |number| TaskId::of(Uuid::from_u128(number));
        let project_id = ProjectId::of(Uuid::from_u128(9));
        let task = |number: u32, parent_id| Task {
            project_id,
            parent_id,
            key: format!("PAY-{number}").parse().unwrap(),
            estimate_likely: Some(Minutes::new(60)),
            ..Task::empty(id(number.into()))
        };
        let deleted_at = chrono::DateTime::from_timestamp(0, 0);
        let tasks = [
            task(1, None),
            task(2, Some(id(1))),
            Task { deleted_at, ..task(3, Some(id(1))) },
            task(4, None),
        ];
        let mut state = State::default();
        let project = Project { key: "PAY".parse().unwrap(), ..Project::empty(project_id) };
        state.put(AnyRecord::Project(Arc::new(project)));
        for task in tasks {
            state.put(AnyRecord::Task(Arc::new(task)));
        }
        let of = |name: Option<&str>| {
            let (project, root) = place(&state, name).unwrap();
            let (open, tasks) = listed(&state, project, root).unwrap();
            let keys = tasks.iter().map(|sized| sized.view.task.key.number()).collect::<Vec<_>>();
            let parts = tasks[0].estimate_of_parts.map(|parts| parts.likely.get());
            (open.map(|open| open.likely.get()), parts, keys)
        };
        assert_eq!(of(None), (Some(120), Some(60), vec![1, 2, 4]));
        assert_eq!(of(Some("pay")), of(None));
        assert_eq!(of(Some("PAY-1")), (None, Some(60), vec![1, 2, 3]));
        assert!(place(&state, Some("PAY-7")).is_err());
    }
}
