//! A project with its tasks and their timeline, as a page shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use super::{Service, ServiceError, find};
use crate::domain::id::TaskId;
use crate::domain::key::{ProjectKey, TaskKey};
use crate::domain::link::{DependencyType, TaskLink};
use crate::domain::project::{Project, ProjectStatus};
use crate::domain::state::{ProjectState, State};
use crate::domain::task::{Priority, Task, TaskKind, TaskStatus};
use crate::domain::time::{AsOf, Instant, Minutes, rfc3339};
use crate::exchange::view::task::{effort, handle};
use crate::planning::effort::Efforts;
use crate::planning::timeline::{Basis, timeline};

/// Data of a project's page. Tasks refer to each other by index, parents before their subtasks.
#[derive(Clone, Debug, Serialize)]
pub struct ProjectPage {
    pub seq: u64,
    pub project: Option<PageProject>,
    pub made_at: String,
    pub today: NaiveDate,
    pub open_work: Option<String>,
    pub tasks: Vec<PageTask>,
    pub links: Vec<PageLink>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PageProject {
    pub key: ProjectKey,
    pub name: String,
    pub status: ProjectStatus,
    pub due: Option<NaiveDate>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PageTask {
    pub key: TaskKey,
    pub title: String,
    pub kind: TaskKind,
    pub parent: Option<usize>,
    pub status: TaskStatus,
    pub priority: Option<Priority>,
    pub assignee: Option<String>,
    pub effort: Option<String>,
    pub spent: Option<String>,
    pub not_before: Option<NaiveDate>,
    pub due: Option<NaiveDate>,
    pub start: Option<NaiveDate>,
    pub end: Option<NaiveDate>,
    /// Reason for the start and the end.
    pub basis: Option<&'static str>,
}

/// A dependency.
#[derive(Clone, Debug, Serialize)]
pub struct PageLink {
    pub from: usize,
    pub to: usize,
    #[serde(rename = "type")]
    pub dependency: DependencyType,
    /// A text such as `+ 1d`; `None` for zero.
    pub lag: Option<String>,
}

impl Service {
    /// Returns the page of a project; of the only project if none is named.
    pub async fn project_page(
        &self,
        project: Option<&str>,
        as_of: Option<AsOf>,
    ) -> Result<ProjectPage, ServiceError> {
        let snapshot = match project {
            None => self.read_only_project(as_of).await?,
            Some(project) => self.read_projects_of(&[project], as_of).await?,
        };
        // A page of the past uses that time as now.
        let now = as_of.map_or(self.clock.now(), |_| snapshot.at);
        let state = &snapshot.state;
        let project = match project {
            None => find::only_project(state)?.0,
            Some(name) => find::project(state, name)?.0,
        };
        Ok(page(state, project, snapshot.seq, now))
    }
}

fn page(state: &State, project: &ProjectState, seq: u64, now: Instant) -> ProjectPage {
    let efforts = Efforts::of(project);
    let spans = timeline(project, now);
    let tops = project.children(None);
    let all = tops.flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
    let tasks: Vec<&Arc<Task>> = all.filter(|task| task.is_live()).collect();
    let places: BTreeMap<TaskId, usize> =
        tasks.iter().enumerate().map(|(place, task)| (task.id, place)).collect();
    let page_task = |task: &&Arc<Task>| {
        let span = spans.get(&task.id);
        PageTask {
            key: task.key.clone(),
            title: task.title.to_string(),
            kind: task.kind,
            parent: task.parent_id.and_then(|id| places.get(&id).copied()),
            status: task.status,
            priority: task.priority,
            assignee: task.assignee_id.map(|id| handle(state, id)),
            effort: effort(task.estimate(), efforts.of_parts(task.id)),
            spent: task.actual_minutes.map(|minutes| minutes.to_string()),
            not_before: task.not_before,
            due: task.due_date,
            start: span.map(|span| span.start),
            end: span.map(|span| span.end),
            basis: span.map(|span| word(span.basis)),
        }
    };
    let page_link = |link: &Arc<TaskLink>| {
        Some(PageLink {
            from: *places.get(&link.from_id)?,
            to: *places.get(&link.to_id)?,
            dependency: link.dependency,
            lag: lag(link.lag_minutes.get()),
        })
    };
    ProjectPage {
        seq,
        project: project.project().map(|project| PageProject::of(project)),
        made_at: rfc3339(now),
        today: now.date_naive(),
        open_work: efforts.open().map(|open| open.rough()),
        tasks: tasks.iter().map(page_task).collect(),
        links: project.dependencies().filter_map(page_link).collect(),
    }
}

impl PageProject {
    fn of(project: &Project) -> Self {
        Self {
            key: project.key.clone(),
            name: project.name.to_string(),
            status: project.status,
            due: project.due_date,
        }
    }
}

fn word(basis: Basis) -> &'static str {
    match basis {
        Basis::Done => "done",
        Basis::Underway => "underway",
        Basis::Due => "due",
        Basis::LaidOut => "laid_out",
        Basis::Parts => "parts",
    }
}

/// Formats a lag: `+ 1d`, `- 2h`; `None` for zero.
fn lag(minutes: i64) -> Option<String> {
    let amount = Minutes::new(u32::try_from(minutes.unsigned_abs()).unwrap_or(u32::MAX));
    (minutes != 0).then(|| format!("{} {amount}", if minutes < 0 { "-" } else { "+" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::patch::Op;
    use crate::domain::record::Entity;
    use crate::exchange::patchset::{RawPatch, Request};
    use crate::service::testing::{author, service};
    use serde_json::{Value, json};

    #[tokio::test]
    async fn tasks_refer_to_each_other_by_index() {
        let service = service();
        let create = |entity, id: &str| RawPatch::of(Op::Create, entity, id);
        let task = |id: &str, title: &str| {
            create(Entity::Task, id).with("project_id", "$p").with("title", title)
        };
        let link = RawPatch::new(Op::Link, Entity::TaskLink)
            .with("from_id", "$c")
            .with("to_id", "$b")
            .with("lag_minutes", 480);
        let patches = vec![
            create(Entity::Project, "$p").with("name", "Payments").with("key", "PAY"),
            task("$a", "Whole").with("due_date", "2026-12-24"),
            task("$b", "Part").with("parent_id", "$a").with("estimate_likely", 60),
            task("$c", "Last").with("actual_minutes", 90),
            task("$d", "Gone"),
            link,
        ];
        service.change(&Request::of(patches), &author(&service)).await.unwrap();
        let gone = RawPatch::of(Op::Delete, Entity::Task, "PAY-4");
        service.change(&Request::of(vec![gone]), &author(&service)).await.unwrap();

        let page = json!(service.project_page(None, None).await.unwrap());
        assert_eq!((&page["seq"], &page["today"]), (&json!(3), &json!("2026-12-01")));
        let project = json!({"key": "PAY", "name": "Payments", "status": "planned", "due": null});
        assert_eq!((&page["project"], &page["open_work"]), (&project, &json!("1h")));
        let tasks = page["tasks"].as_array().unwrap();
        let of = |name: &str| tasks.iter().map(|task| task[name].clone()).collect::<Vec<Value>>();
        assert_eq!(of("key"), ["PAY-1", "PAY-2", "PAY-3"]);
        assert_eq!(of("parent"), [json!(null), json!(0), json!(null)]);
        assert_eq!(of("effort"), [json!("Σ 1h"), json!("1h"), json!(null)]);
        assert_eq!(of("spent"), [json!(null), json!(null), json!(Minutes::new(90).to_string())]);
        assert_eq!(of("due"), [json!("2026-12-24"), json!(null), json!(null)]);
        assert_eq!(of("basis"), ["parts", "laid_out", "laid_out"]);
        let links = json!([{"from": 2, "to": 1, "type": "FS", "lag": "+ 1d"}]);
        assert_eq!(page["links"], links);
        let past = service.project_page(Some("PAY"), Some(AsOf::Seq(2))).await.unwrap();
        assert_eq!((past.seq, past.tasks.len()), (2, 4));
    }

    #[test]
    fn a_lag_states_its_sign() {
        assert_eq!(lag(0), None);
        assert_eq!((lag(480).as_deref(), lag(-120).as_deref()), (Some("+ 1d"), Some("- 2h")));
    }
}
