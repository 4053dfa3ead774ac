//! Shows one record that is named by its key, id, handle or full name.

use serde::Serialize;

use super::{Service, ServiceError, find};
use crate::domain::state::State;
use crate::domain::task_counts::TaskCounts;
use crate::domain::time::AsOf;
use crate::domain::user::User;
use crate::exchange::view::record::{ProjectView, RecordView};
use crate::exchange::view::task::SizedTaskView;
use crate::planning::effort::Efforts;
use crate::store::Scope;

/// The view of a record.
#[derive(Clone, Debug, Serialize)]
pub struct Found<V> {
    #[serde(flatten)]
    pub view: V,
    /// The lake that holds it, to name the records to which it refers.
    #[serde(skip)]
    pub state: State,
}

impl Service {
    /// Returns a task. The state holds its project and the linked tasks in other projects.
    pub async fn show_task(
        &self,
        name: &str,
        as_of: Option<AsOf>,
    ) -> Result<Found<SizedTaskView>, ServiceError> {
        let state = self.read_task_page(name, as_of).await?.state;
        let task = find::task(&state, name)?;
        let project = state
            .project(task.project_id)
            .ok_or_else(|| ServiceError::input("project", "is not there"))?;
        let parts = Efforts::of(project).of_parts(task.id);
        Ok(Found { view: SizedTaskView::of(&state, task, parts), state })
    }

    pub async fn show_project(
        &self,
        name: &str,
        as_of: Option<AsOf>,
    ) -> Result<Found<ProjectView>, ServiceError> {
        let state = self.read_projects_of(&[name], as_of).await?.state;
        let (_, project) = find::project(&state, name)?;
        let count = TaskCounts::of(&state).project(project.id);
        Ok(Found { view: ProjectView::of(project, count), state })
    }

    pub async fn show_user(
        &self,
        name: &str,
        as_of: Option<AsOf>,
    ) -> Result<RecordView<User>, ServiceError> {
        let state = self.read(&Scope::outline(), as_of).await?.state;
        Ok(RecordView::of(find::user(&state, name)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::patch::Op;
    use crate::domain::record::Entity;
    use crate::exchange::patchset::{RawPatch, Request};
    use crate::service::testing::{author, service};
    use serde_json::json;

    #[tokio::test]
    async fn each_kind_of_record_is_found_by_its_name() {
        let service = service();
        let create = |entity, id: &str| RawPatch::of(Op::Create, entity, id);
        let task = |id: &str| {
            create(Entity::Task, id).with("project_id", "$p").with("estimate_likely", 60)
        };
        let patches = vec![
            create(Entity::User, "$u").with("handle", "ana"),
            create(Entity::Project, "$p").with("name", "Payments").with("key", "PAY"),
            task("$a").with("title", "Whole").with("assignee_id", "$u"),
            task("$b").with("title", "Part").with("parent_id", "$a"),
        ];
        service.change(&Request::of(patches), &author(&service)).await.unwrap();

        let found = service.show_task("pay-1", None).await.unwrap();
        assert!(found.state.task_by_key(&"PAY-2".parse().unwrap()).is_some());
        let task = json!(found);
        let names = ["key", "project", "assignee", "title"].map(|name| task[name].clone());
        assert_eq!(names, ["PAY-1", "PAY", "@ana", "Whole"].map(|name| json!(name)));
        assert_eq!(task["estimate_of_parts"]["likely"], json!(60));
        assert!(task.get("state").is_none(), "{task}");
        let project = json!(service.show_project("Payments", None).await.unwrap());
        assert_eq!((&project["key"], &project["open_tasks"]), (&json!("PAY"), &json!(2)));
        let user = json!(service.show_user("@ana", None).await.unwrap());
        assert_eq!((&user["handle"], user.get("open_tasks")), (&json!("ana"), None));
        for (kind, err) in [
            ("task", service.show_task("PAY-9", None).await.err()),
            ("project", service.show_project("nil", None).await.err()),
            ("user", service.show_user("bob", None).await.err()),
        ] {
            let is_expected =
                matches!(err, Some(ServiceError::NotFound { what, .. }) if what == kind);
            assert!(is_expected, "{kind}: {err:?}");
        }
    }
}
