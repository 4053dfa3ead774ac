//! Lists committed changes, newest first.

use serde::Serialize;

use crate::domain::any_record::AnyRecord;
use crate::domain::state::State;
use crate::domain::time::AsOf;
use crate::exchange::view::change::{ChangeSetView, ChangeView};
use crate::service::history::{HistoryEntry, concerns, subject};
use crate::service::{Service, ServiceError, find};
use crate::store::row::Row;
use crate::store::{Format, Scope, Snapshot};

/// Filter of the history. Older pages follow with `as_of` before the last seq of a page.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// Name of a project or a task. If absent, the whole lake.
    pub of: Option<String>,
    /// Maximum number of patch sets.
    pub limit: usize,
    /// Only changes up to this point, with the names of that time.
    pub as_of: Option<AsOf>,
}

/// Committed patch sets, newest first.
#[derive(Clone, Debug, Serialize)]
pub struct HistoryPage {
    pub seq: u64,
    pub changes: Vec<ChangeSetView>,
    /// Whether there are earlier ones.
    #[serde(rename = "more")]
    pub has_more: bool,
    /// The lake with the projects of the changes, to name the records in their values.
    #[serde(skip)]
    pub state: State,
}

impl HistoryQuery {
    pub const DEFAULT_LIMIT: usize = 20;
}

impl Service {
    pub async fn list_changes(&self, query: &HistoryQuery) -> Result<HistoryPage, ServiceError> {
        let words: Vec<&str> = query.of.iter().map(String::as_str).collect();
        let Snapshot { seq, state, .. } = self.read_projects_of(&words, query.as_of).await?;
        let (project, record) = match query.of.as_deref() {
            None => (None, None),
            Some(name) => match find::project(&state, name) {
                Ok((_, project)) => (Some(project.id), None),
                Err(_) => (None, Some(AnyRecord::Task(find::task(&state, name)?.clone()))),
            },
        };
        // A task may have been in other projects.
        let scope = project.map_or(Scope::All, |project| Scope::of([project]));
        let mut past = self.past(&scope).await?;
        let mut listed: Vec<HistoryEntry> = Vec::new();
        let mut has_more = false;
        while let Some(mut set) = past.next().await? {
            if set.seq > seq {
                continue;
            }
            set.rows.retain(|row| concerns(row, project, record.as_ref()));
            if set.rows.is_empty() {
                continue;
            }
            if listed.len() == query.limit {
                has_more = true;
                break;
            }
            listed.push(set);
        }
        let projects = Scope::of(listed.iter().flat_map(HistoryEntry::projects));
        let state = self.read(&projects, query.as_of).await?.state;
        let changes = listed.iter().map(|set| view(&state, set)).collect::<Result<_, _>>()?;
        Ok(HistoryPage { seq, changes, has_more, state })
    }
}

fn view(state: &State, past: &HistoryEntry) -> Result<ChangeSetView, ServiceError> {
    let changes = past.rows.iter().map(|row| row_view(state, row)).collect::<Result<_, _>>()?;
    Ok(ChangeSetView {
        seq: past.seq,
        patch_set_id: past.id,
        at: past.at,
        actor: past.actor.clone(),
        source: past.source,
        reason: past.reason.clone(),
        changes,
    })
}

fn row_view(state: &State, row: &Row) -> Result<ChangeView, ServiceError> {
    let change = Format::default().change(row)?;
    Ok(ChangeView {
        op: change.op,
        entity: change.entity,
        id: change.id,
        name: subject(state, row),
        erased: row.is_erased(),
        before: change.before,
        after: change.after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::patch::Op;
    use crate::domain::record::Entity;
    use crate::exchange::patchset::{RawPatch, Request};
    use crate::service::testing::{self, author};
    use serde_json::json;

    /// Returns a lake with the projects PAY and OPS and a task in each, whose titles then change.
    async fn service() -> Service {
        let service = testing::service();
        let task =
            |op, key: &str, title: &str| RawPatch::of(op, Entity::Task, key).with("title", title);
        for key in ["PAY", "OPS"] {
            let project = RawPatch::new(Op::Create, Entity::Project).with("name", key);
            let created = task(Op::Create, "$task", "Old").with("project_id", key);
            for patch in [project.with("key", key), created] {
                service.change(&Request::of(vec![patch]), &author(&service)).await.unwrap();
            }
        }
        for key in ["PAY-1", "OPS-1"] {
            let patch = task(Op::Update, key, "New");
            service.change(&Request::of(vec![patch]), &author(&service)).await.unwrap();
        }
        service
    }

    #[tokio::test]
    async fn the_newest_changes_come_first_up_to_the_limit() {
        let service = service().await;
        let list = async |of: Option<&str>, limit, as_of| {
            let query = HistoryQuery { of: of.map(str::to_owned), limit, as_of };
            let page = service.list_changes(&query).await.unwrap();
            let named = |set: &ChangeSetView| {
                let [change] = set.changes.as_slice() else { panic!("{set:?}") };
                format!("{} {} {}", set.seq, change.op, change.name)
            };
            (page.has_more, page.changes.iter().map(named).collect::<Vec<_>>())
        };
        let newest = ["7 update OPS-1", "6 update PAY-1"].map(str::to_owned);
        assert_eq!(list(None, 2, None).await, (true, newest.to_vec()));
        let (has_more, all) = list(None, 20, None).await;
        assert_eq!((has_more, all.len()), (false, 7));
        let of_project = ["6 update PAY-1", "3 create PAY-1", "2 create PAY"];
        assert_eq!(
            list(Some("PAY"), 3, None).await,
            (false, of_project.map(str::to_owned).to_vec())
        );
        let of_task = ["6 update PAY-1", "3 create PAY-1"].map(str::to_owned);
        assert_eq!(list(Some("PAY-1"), 20, None).await, (false, of_task.to_vec()));
        let past = ["3 create PAY-1"].map(str::to_owned);
        assert_eq!(list(Some("PAY-1"), 20, Some(AsOf::Seq(5))).await, (false, past.to_vec()));
    }

    #[tokio::test]
    async fn a_change_states_its_values_before_and_after() {
        let query = HistoryQuery { of: Some("PAY-1".to_owned()), limit: 1, as_of: None };
        let page = service().await.list_changes(&query).await.unwrap();
        let json = json!(page);
        assert_eq!((&json["seq"], &json["more"]), (&json!(7), &json!(true)));
        assert!(json.get("state").is_none(), "{json}");
        let set = &json["changes"][0];
        assert_eq!((&set["actor"], &set["source"]), (&json!("ana"), &json!("cli")));
        let change = &set["changes"][0];
        assert_eq!((&change["entity"], &change["erased"]), (&json!("task"), &json!(false)));
        assert_eq!(
            (&change["before"]["title"], &change["after"]["title"]),
            (&json!("Old"), &json!("New"))
        );
    }
}
