//! Planning a description, and planning it again.

mod changing_answers;
pub mod concurrent;
mod descriptions;
mod effort;
mod gold;
mod milestones;
mod planners;
mod replanning;
mod timeline;
mod user_edits;

use std::sync::Arc;

use lakeplan::domain::state::{ProjectState, State};
use lakeplan::domain::task::Task;
use lakeplan::exchange::patchset::Request;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::planning::replan::report::{Item, Mark};
use lakeplan::service::plan::{PlanRequest, Preview};
use lakeplan::service::{Service, ServiceError};
use lakeplan::store::Scope;
use lakeplan::store::memory::MemoryStore;
use serde_json::{Value, json};

use crate::support::{author, clock, random};

/// A lake in memory, and one description that is planned into it.
pub struct PlanFixture {
    pub service: Service,
    runtime: tokio::runtime::Runtime,
}

impl PlanFixture {
    pub fn new() -> Self {
        let (clock, random) = (clock(), random(7));
        let store = MemoryStore::new(Arc::clone(&clock) as _, Arc::clone(&random) as _).unwrap();
        let service =
            Service { planner: Arc::new(OutlinePlanner), store: Arc::new(store), clock, random };
        Self { service, runtime: tokio::runtime::Builder::new_current_thread().build().unwrap() }
    }

    /// Creates a fixture with a description planned as `plan.md`.
    pub fn with(text: &str) -> Self {
        let fixture = Self::new();
        fixture.plan(text);
        fixture
    }

    pub fn request(text: &str) -> PlanRequest {
        let request = PlanRequest::read("plan.md", text.as_bytes().to_vec()).unwrap();
        PlanRequest { source: Some("plan.md".to_owned()), ..request }
    }

    pub fn try_plan(&self, request: &PlanRequest) -> Result<Preview, ServiceError> {
        self.runtime
            .block_on(self.service.apply_plan(request, &author(&self.service)))
            .map(|(preview, _)| preview)
    }

    pub fn preview(&self, request: &PlanRequest) -> Preview {
        self.runtime.block_on(self.service.plan(request, &author(&self.service))).unwrap()
    }

    pub fn commit(&self, preview: &Preview) -> Result<(), ServiceError> {
        self.runtime.block_on(self.service.commit(&preview.before, preview.set.clone())).map(|_| ())
    }

    pub fn plan(&self, text: &str) -> Preview {
        self.try_plan(&Self::request(text)).unwrap_or_else(|err| panic!("{err}: {err:?}"))
    }

    /// Applies patches of a user between two plans.
    pub fn change(&self, patches: Value) {
        self.try_change(patches).unwrap_or_else(|err| panic!("{err}: {err:?}"));
    }

    pub fn try_change(&self, patches: Value) -> Result<(), ServiceError> {
        let request = Request::from_json(&json!({ "patches": patches })).unwrap();
        self.runtime.block_on(self.service.change(&request, &author(&self.service))).map(|_| ())
    }

    pub fn edit(&self, task: &str, fields: Value) {
        self.change(
            json!([{"op": "update", "entity": "task", "id": self.key(task), "fields": fields}]),
        );
    }

    pub fn undo(&self) {
        self.try_undo(None).unwrap_or_else(|err| panic!("{err}: {err:?}"));
    }

    pub fn undo_seq(&self, seq: u64) {
        self.try_undo(Some(seq)).unwrap_or_else(|err| panic!("{err}: {err:?}"));
    }

    fn try_undo(&self, seq: Option<u64>) -> Result<(), ServiceError> {
        self.runtime.block_on(self.service.undo(seq, &author(&self.service))).map(|_| ())
    }

    /// Returns the last seq.
    pub fn seq(&self) -> u64 {
        self.runtime.block_on(self.service.store.head()).unwrap().seq
    }

    pub fn state(&self) -> State {
        self.runtime.block_on(self.service.state(&Scope::All)).unwrap()
    }

    /// Returns the key of the live task with this title.
    pub fn key(&self, title: &str) -> String {
        self.task(title).key.to_string()
    }

    pub fn task(&self, title: &str) -> Task {
        let state = self.state();
        let mut found = state
            .projects()
            .flat_map(ProjectState::tasks)
            .filter(|task| task.is_live() && task.title.as_str() == title);
        let task = found.next().unwrap_or_else(|| panic!("no live task {title:?}"));
        assert!(found.next().is_none(), "several tasks {title:?}");
        task.as_ref().clone()
    }

    pub fn has(&self, title: &str) -> bool {
        self.state()
            .projects()
            .flat_map(ProjectState::tasks)
            .any(|task| task.is_live() && task.title.as_str() == title)
    }

    /// Returns the live dependencies as pairs of titles, sorted.
    pub fn dependencies(&self) -> Vec<(String, String)> {
        let state = self.state();
        let title = |id| state.task(id).unwrap().title.to_string();
        let links = state.projects().flat_map(ProjectState::dependencies);
        let mut pairs: Vec<(String, String)> =
            links.map(|link| (title(link.from_id), title(link.to_id))).collect();
        pairs.sort();
        pairs
    }

    /// Returns the live tasks in order, indented by depth.
    pub fn outline(&self) -> String {
        let state = self.state();
        let mut lines = Vec::new();
        for project in state.projects() {
            let all = project
                .children(None)
                .flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
            lines.extend(
                all.filter(|task| task.is_live())
                    .map(|task| format!("{}{}", ".".repeat(task.depth.into()), task.title)),
            );
        }
        lines.join("\n")
    }

    /// Returns all records without the stamps, in a comparable form.
    pub fn substance(&self) -> Vec<String> {
        let stamps = ["updated_at", "updated_by"];
        let state = self.state();
        let records = state.records().filter(lakeplan::domain::any_record::AnyRecord::is_live);
        records
            .map(|record| {
                let mut fields = record.to_fields();
                fields.retain(|name, _| !stamps.contains(&name.as_str()));
                format!("{:?} {}", record.record_key(), Value::Object(fields))
            })
            .collect()
    }
}

/// Reads the state once more, because the store in memory then compares it with its journal.
impl Drop for PlanFixture {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = self.state();
        }
    }
}

/// Returns the marks and titles of a preview's items, in order.
pub fn rendered(preview: &Preview) -> Vec<(Mark, String)> {
    preview.report.items.iter().map(|item| (item.mark, item.title.clone())).collect()
}

/// Returns the only item with this mark.
pub fn only(preview: &Preview, mark: Mark) -> &Item {
    let found: Vec<&Item> = preview.report.items.iter().filter(|item| item.mark == mark).collect();
    assert_eq!(found.len(), 1, "{:?}", rendered(preview));
    found[0]
}
