//! Concurrent planning of descriptions: a text has one project, whichever process comes first.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::StreamExt;
use futures::stream::BoxStream;
use lakeplan::domain::any_record::AnyRecord;
use lakeplan::domain::id::{EntityId, PatchSetId, ProjectId, TaskId};
use lakeplan::domain::patch::{Op, PatchSet, Source};
use lakeplan::domain::project::Project;
use lakeplan::domain::record::Fields;
use lakeplan::domain::task_counts::TaskCounts;
use lakeplan::domain::time::Minutes;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::runtime::{SystemClock, fresh_set_id};
use lakeplan::service::duplicates::Duplicates;
use lakeplan::service::plan::PlanRequest;
use lakeplan::service::plan_folder::FileOutcome;
use lakeplan::service::{Service, find};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::event_tables::EventTable;
use lakeplan::store::row::{Row, Stream};
use lakeplan::store::{
    FoldReport, Format, Head, Outcome, RecordLookup, Scope, Snapshot, Store, StoreError,
    SyncSnapshot,
};
use object_store::memory::InMemory;
use rstest::rstest;
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use crate::store::{root, state};
use crate::support::{author, patch_set, random, request};

pub type Interleaved = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store that runs another operation between a read and the first commit that depends on it. It
/// can also return a duplicate project, which no commit can create any more.
pub struct InterleavedStore {
    inner: Arc<dyn Store>,
    interleaved: Mutex<Option<Interleaved>>,
    duplicate: Option<Duplicate>,
}

/// A duplicate of the first project, the source of the last change of each, and the deleted
/// projects.
struct Duplicate {
    id: ProjectId,
    changed_by: [Source; 2],
    deleted: Mutex<Vec<Uuid>>,
}

impl InterleavedStore {
    pub fn new(inner: Arc<dyn Store>, interleaved: Interleaved) -> Arc<Self> {
        Arc::new(Self { inner, interleaved: Mutex::new(Some(interleaved)), duplicate: None })
    }
}

impl std::fmt::Display for InterleavedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for InterleavedStore {
    async fn snapshot(&self, scope: &Scope) -> Result<Snapshot, StoreError> {
        let mut snapshot = self.inner.snapshot(scope).await?;
        if let Some(duplicate) = &self.duplicate {
            let first =
                snapshot.state.projects().next().unwrap().project().unwrap().as_ref().clone();
            let second = Project {
                id: duplicate.id,
                key: "PORT2".parse().unwrap(),
                created_at: first.created_at + TimeDelta::seconds(1),
                ..first
            };
            snapshot.state.put(AnyRecord::Project(Arc::new(second)));
        }
        Ok(snapshot)
    }
    async fn sync_snapshot(&self) -> Result<SyncSnapshot, StoreError> {
        self.inner.sync_snapshot().await
    }
    fn subscribe(&self) -> watch::Receiver<Head> {
        self.inner.subscribe()
    }
    async fn linked_from(
        &self,
        tasks: &BTreeSet<TaskId>,
    ) -> Result<BTreeSet<ProjectId>, StoreError> {
        self.inner.linked_from(tasks).await
    }

    async fn commit(&self, sets: Vec<PatchSet>) -> Vec<Outcome> {
        if let Some(duplicate) = &self.duplicate {
            let deletes =
                sets[0].patches.iter().filter(|patch| patch.op == Op::Delete).map(|patch| patch.id);
            duplicate.deleted.lock().unwrap().extend(deletes);
            return vec![Outcome::AlreadyCommitted { seq: 9, id: sets[0].id }];
        }
        let interleaved = self.interleaved.lock().unwrap().take();
        if let Some(interleaved) = interleaved {
            interleaved.await;
        }
        self.inner.commit(sets).await
    }
    async fn find(&self, lookup: &[RecordLookup]) -> Result<Vec<Option<ProjectId>>, StoreError> {
        self.inner.find(lookup).await
    }
    async fn tally(&self) -> Result<TaskCounts, StoreError> {
        self.inner.tally().await
    }
    async fn changes(
        &self,
        after: u64,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        let Some(duplicate) = &self.duplicate else {
            return self.inner.changes(after, stream, scope).await;
        };
        let rows: Vec<_> = self.inner.changes(after, stream, &Scope::All).await?.collect().await;
        let is_second = scope.projects().unwrap().contains(&duplicate.id);
        let mut rows: Vec<Row> =
            rows.into_iter().map(Result::unwrap).filter(|row| row.project_id.is_some()).collect();
        rows.iter_mut().filter(|_| is_second).for_each(|row| row.project_id = Some(duplicate.id));
        rows.last_mut().unwrap().source = duplicate.changed_by[usize::from(is_second)];
        Ok(futures::stream::iter(rows.into_iter().map(Ok)).boxed())
    }
    async fn changes_back(
        &self,
        stream: Stream,
        scope: &Scope,
    ) -> Result<BoxStream<'static, Result<Row, StoreError>>, StoreError> {
        self.inner.changes_back(stream, scope).await
    }
    async fn head(&self) -> Result<Head, StoreError> {
        self.inner.head().await
    }
    async fn append(
        &self,
        table: &'static EventTable,
        rows: Vec<Fields>,
    ) -> Result<(), StoreError> {
        self.inner.append(table, rows).await
    }
    async fn fold(&self) -> Result<FoldReport, StoreError> {
        self.inner.fold().await
    }
}

pub fn service(store: Arc<dyn Store>, seed: u64) -> Service {
    Service {
        planner: Arc::new(OutlinePlanner),
        store,
        clock: Arc::new(SystemClock),
        random: random(seed),
    }
}

pub async fn writer(root: &LakeLocation, seed: u64) -> Arc<dyn Store> {
    Arc::new(
        DeltaStore::open(root, Format::default(), Arc::new(SystemClock), random(seed))
            .await
            .unwrap(),
    )
}

pub async fn new_lake() -> LakeLocation {
    let root = root(Arc::new(InMemory::new()));
    DeltaStore::create(&root, Format::default(), Arc::new(SystemClock), random(1))
        .await
        .unwrap()
        .shutdown()
        .await;
    root
}

fn description(source: Option<&str>, text: &str, id: Option<PatchSetId>) -> PlanRequest {
    PlanRequest {
        source: source.map(str::to_owned),
        text: text.to_owned(),
        id,
        ..PlanRequest::default()
    }
}

/// Plans `late` while another writer plans `first` between its read and its commit. Returns the
/// live projects as (source, number of live tasks).
async fn plan_concurrently(late: PlanRequest, first: PlanRequest) -> Vec<(String, usize)> {
    let lake = new_lake().await;
    let other = service(writer(&lake, 2).await, 20);
    let store = writer(&lake, 3).await;
    let interleaved = Box::pin(async move {
        other.apply_plan(&first, &author(&other)).await.unwrap();
    });
    let service = service(InterleavedStore::new(store, interleaved), 30);
    service.apply_plan(&late, &author(&service)).await.unwrap();
    let repeated = service
        .apply_plan(&PlanRequest { id: None, ..late.clone() }, &author(&service))
        .await
        .unwrap();
    assert!(repeated.1.is_none(), "a second plan of the text changes something");
    let state = state(service.store.as_ref()).await;
    let living = state.projects().filter(|found| found.project().unwrap().deleted_at.is_none());
    living
        .map(|found| {
            let source = found.project().unwrap().source.as_ref().unwrap().to_string();
            (source, found.tasks().filter(|task| task.is_live()).count())
        })
        .collect()
}

/// It names no person, because the second plan would be refused for adding the same user.
const TEXT: &str = "# Portal\n\n- Do a (1 day)\n- Do b (2 days)\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_first_plans_of_one_text_create_one_project() {
    let fresh = |seed| Some(fresh_set_id(&SystemClock, random(seed).as_ref()));
    let (one, two) = (fresh(101), fresh(102));
    for source in [Some("portal.md"), None] {
        let plain = || description(source, TEXT, None);
        let with = |id| description(source, TEXT, id);
        for (late, first) in [
            (plain(), plain()),
            (with(one), plain()),
            (plain(), with(one)),
            (with(one), with(two)),
            (with(one), with(one)),
        ] {
            let found = plan_concurrently(late.clone(), first.clone()).await;
            assert_eq!(found.len(), 1, "{late:?} after {first:?}: {found:?}");
            assert_eq!(found[0].1, 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_plans_of_a_changed_text_end_with_the_later_commit() {
    let longer = format!("{TEXT}- Do c (1 day)\n");
    let found = plan_concurrently(
        description(Some("portal.md"), &longer, None),
        description(Some("portal.md"), TEXT, None),
    )
    .await;
    assert_eq!(found, [("portal.md".to_owned(), 3)]);
}

/// The first plan adds the owner, and the other plan is repeated with that user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_plans_that_add_the_same_user_both_succeed() {
    let text = TEXT.replace("(1 day)", "(1 day) @ana");
    let mut found = plan_concurrently(
        description(Some("a.md"), &text, None),
        description(Some("b.md"), &text, None),
    )
    .await;
    found.sort();
    assert_eq!(found, [("a.md".to_owned(), 2), ("b.md".to_owned(), 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_projects_have_distinct_sources() {
    let lake = new_lake().await;
    let store = writer(&lake, 2).await;
    let service = service(Arc::clone(&store), 20);
    let mut seed = 200;
    let mut commit = async |patches| {
        seed += 1;
        let mut set = patch_set(&state(store.as_ref()).await, patches).unwrap();
        set.id = fresh_set_id(&SystemClock, random(seed).as_ref());
        store.commit(vec![set]).await.pop().unwrap()
    };
    service
        .apply_plan(&description(Some("portal.md"), TEXT, None), &author(&service))
        .await
        .unwrap();
    let create =
        json!([{"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}}]);
    assert!(matches!(commit(create).await, Outcome::Committed { .. }));
    for patches in [
        json!([{"op": "create", "entity": "project", "fields": {"name": "Second", "source": "portal.md"}}]),
        json!([{"op": "update", "entity": "project", "id": "OTH", "fields": {"source": "portal.md"}}]),
    ] {
        let Outcome::Refused(violations) = commit(patches).await else {
            panic!("the patches were not refused")
        };
        assert!(
            violations[0].message.contains("portal.md is the source of the project PORT"),
            "{violations:?}"
        );
    }
    // A deleted project releases its source, and is restored without it.
    assert!(matches!(
        commit(json!([{"op": "delete", "entity": "project", "id": "PORT"}])).await,
        Outcome::Committed { .. }
    ));
    service
        .apply_plan(&description(Some("portal.md"), TEXT, None), &author(&service))
        .await
        .unwrap();
    assert!(matches!(
        commit(json!([{"op": "restore", "entity": "project", "id": "PORT"}])).await,
        Outcome::Committed { .. }
    ));
    let state = state(store.as_ref()).await;
    let found: Vec<_> = state
        .projects()
        .map(|found| found.project().unwrap())
        .filter(|project| project.deleted_at.is_none())
        .collect();
    let sourced: Vec<String> = found
        .iter()
        .filter(|project| project.source.is_some())
        .map(|project| project.key.to_string())
        .collect();
    assert_eq!((found.len(), sourced.len()), (3, 1), "{found:?}");
    assert_ne!(sourced, ["PORT"]);
}

/// Another writer deletes the task between the read and the commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_was_just_deleted_gets_no_time_and_is_not_completed() {
    for completes in [false, true] {
        let lake = new_lake().await;
        let other = service(writer(&lake, 2).await, 20);
        other
            .apply_plan(&description(Some("portal.md"), TEXT, None), &author(&other))
            .await
            .unwrap();
        let store = writer(&lake, 3).await;
        let interleaved = Box::pin(async move {
            let delete = json!([{"op": "delete", "entity": "task", "id": "PORT-1"}]);
            let delete = request(json!({"patches": delete}));
            other.change(&delete, &author(&other)).await.unwrap();
        });
        let late = service(InterleavedStore::new(store, interleaved), 30);
        let context = author(&late);
        let refused = match completes {
            true => late.complete_task("PORT-1", None, true, &context).await.err(),
            false => late.log_work("PORT-1", Minutes::new(30), &context).await.err(),
        };
        assert!(refused.unwrap().to_string().contains("the task is deleted"), "{completes}");
        let state = state(late.store.as_ref()).await;
        let task = find::task(&state, "PORT-1").unwrap();
        assert_eq!((task.actual_minutes, task.status.as_str()), (None, "pending"), "{completes}");
    }
}

/// Of two projects with one source, the one with changes by users is kept, or else the older one.
/// If both have changes by users, neither is deleted.
#[rstest]
#[case::neither_changed_by_users([Source::Plan, Source::Plan], Some("PORT"), vec!["PORT2"])]
#[case::the_older_changed([Source::Cli, Source::Plan], Some("PORT"), vec!["PORT2"])]
#[case::the_newer_changed([Source::Plan, Source::Inbox], Some("PORT2"), vec!["PORT"])]
#[case::both_changed([Source::Undo, Source::Cli], None, vec![])]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_project_is_deleted_if_it_is_unchanged(
    #[case] changed_by: [Source; 2],
    #[case] kept: Option<&str>,
    #[case] deleted: Vec<&str>,
) {
    let lake = new_lake().await;
    let inner = writer(&lake, 2).await;
    let request = description(Some("portal.md"), TEXT, None);
    let planner = service(Arc::clone(&inner), 20);
    planner.apply_plan(&request, &author(&planner)).await.unwrap();
    let id = ProjectId::of(Uuid::from_u128(7));
    let store = Arc::new(InterleavedStore {
        inner,
        interleaved: Mutex::new(None),
        duplicate: Some(Duplicate { id, changed_by, deleted: Mutex::default() }),
    });
    let service = service(Arc::clone(&store) as Arc<dyn Store>, 30);
    let rendered = service.plan(&request, &author(&service)).await.unwrap_err();
    assert!(
        rendered.to_string().contains("PORT and PORT2 were both planned from portal.md"),
        "{rendered}"
    );
    // In a folder, such a description fails alone.
    let text = Some(TEXT.as_bytes().to_vec());
    let context = author(&service);
    let planned = service.plan_file("portal.md".to_owned(), text, false, &context).await.unwrap();
    assert_eq!(matches!(planned.outcome, FileOutcome::Failed(_)), kept.is_none(), "{planned:?}");
    let expected = kept.map(|kept| Duplicates {
        kept: kept.to_owned(),
        deleted: deleted.iter().map(|key| (*key).to_owned()).collect(),
    });
    let deleted_now = || store.duplicate.as_ref().unwrap().deleted.lock().unwrap().clone();
    assert_eq!(
        service.delete_duplicates(&request, false, &author(&service)).await.unwrap(),
        expected
    );
    assert!(deleted_now().is_empty(), "the preview changed something");
    assert_eq!(
        service.delete_duplicates(&request, true, &author(&service)).await.unwrap(),
        expected
    );
    assert_eq!(
        (deleted_now().len(), deleted_now().contains(&id.uuid())),
        (deleted.len(), deleted.contains(&"PORT2")),
        "{changed_by:?}"
    );
}
