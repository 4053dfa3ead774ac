//! The SQL files of `tests/sql`, run over a small lake with fixed times.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use lakeplan::analytics::{AnalyticsError, AsOfSnapshot, Session, VIEWS, rows_text};
use lakeplan::domain::record::Fields;
use lakeplan::domain::time::{AsOf, rfc3339};
use lakeplan::runtime::{ManualClock, fresh_set_id};
use lakeplan::service::as_of::read_as_of;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::dictionary::dictionary;
use lakeplan::store::event_tables::{AGENT_LOGS, RUNS};
use lakeplan::store::{Format, Outcome, Scope, Snapshot, Store};
use object_store::memory::InMemory;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use sqllogictest::{DBOutput, DefaultColumnType, Runner};

use crate::store::folding::change_at_random;
use crate::store::{commit, committed, delta_in_memory, make_project, root, set, task};
use crate::support::{counts, noon, random};

/// Creates two projects. The tasks of the first are built, tested and shipped over a week that
/// begins on Monday, 21 September 2026. The second has a parent task with its own estimate, a
/// completed subtask that is archived, and a task in review.
async fn lake() -> DeltaStore {
    let clock = Arc::new(ManualClock::new(noon(), TimeDelta::milliseconds(1)));
    let root = root(Arc::new(InMemory::new()));
    let store =
        DeltaStore::create(&root, Format::default(), Arc::clone(&clock) as Arc<_>, random(1))
            .await
            .unwrap();
    let create = |entity: &str, id: &str, fields: Value| json!({"op": "create", "entity": entity, "id": id, "fields": fields});
    let task_of = |project: &str, id: &str, title: &str, more: Value| {
        let mut fields = json!({"project_id": project, "title": title});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        create("task", id, fields)
    };
    let task = |id: &str, title: &str, more: Value| task_of("$pay", id, title, more);
    let moved = |id: &str, title: &str, more: Value| task_of("$ops", id, title, more);
    let answers = |task: &str, requirement: &str| json!({"op": "link", "entity": "task_requirement", "fields": {"task_id": task, "requirement_id": requirement}});
    let _ = committed(
        &store,
        json!([
            create("user", "00000000-0000-0000-0000-00000000000a", json!({"handle": "ana"})),
            create("user", "$bo", json!({"handle": "bo"})),
            create("project", "$pay", json!({"name": "Payments", "key": "PAY"})),
            create("requirement", "$r1", json!({"project_id": "$pay", "label": "R1", "text": "It works"})),
            create("requirement", "$r2", json!({"project_id": "$pay", "label": "R2", "text": "It is fast"})),
            task("$1", "Phase", json!({"due_date": "2026-09-25"})),
            task(
                "$2",
                "Build",
                json!({"parent_id": "$1", "assignee_id": "00000000-0000-0000-0000-00000000000a",
                "estimate_low": 120, "estimate_likely": 240, "estimate_high": 480})
            ),
            task("$3", "Test", json!({"parent_id": "$1", "assignee_id": "$bo", "estimate_likely": 60, "due_date": "2026-09-22"})),
            task("$4", "Ship", json!({})),
            task("$5", "Left out", json!({})),
            answers("$2", "$r1"),
            answers("$3", "$r1"),
            create("project", "$ops", json!({"name": "Operations", "key": "OPS"})),
            create("requirement", "$r3", json!({"project_id": "$ops", "label": "R3", "text": "It moves"})),
            moved("$o1", "Move", json!({"estimate_likely": 100})),
            moved("$o2", "Copy", json!({"parent_id": "$o1", "estimate_likely": 60})),
            moved("$o3", "Compare", json!({"assignee_id": "$bo", "estimate_likely": 30})),
            moved("$o4", "Give up", json!({})),
            answers("$o2", "$r3"),
        ]),
    )
    .await;
    // The ids of the tests are of the first day, and an id is valid for a week.
    let later = async |patches: Value| {
        let mut set = set(&store, patches).await;
        set.id = fresh_set_id(clock.as_ref(), random(2).as_ref());
        assert!(matches!(commit(&store, set).await, Outcome::Committed { .. }));
    };
    let update = |task: &str, fields: Value| json!([{"op": "update", "entity": "task", "id": task, "fields": fields}]);
    let _ = committed(&store, json!([{"op": "delete", "entity": "task", "id": "PAY-5"}])).await;
    clock.advance(TimeDelta::days(1));
    let _ = committed(&store, update("PAY-2", json!({"status": "in_progress"}))).await;
    clock.advance(TimeDelta::days(2));
    let _ =
        committed(&store, update("PAY-2", json!({"status": "completed", "actual_minutes": 300})))
            .await;
    clock.advance(TimeDelta::days(4));
    later(update("PAY-4", json!({"status": "completed"}))).await;
    let change = |task: &str, fields: Value| update(task, fields)[0].clone();
    clock.advance(TimeDelta::days(1));
    later(json!([
        change("OPS-2", json!({"status": "completed", "actual_minutes": 90})),
        change("OPS-1", json!({"status": "completed"})),
        change("OPS-3", json!({"status": "review"})),
    ]))
    .await;
    clock.advance(TimeDelta::days(1));
    later(json!([
        change("OPS-2", json!({"status": "archived"})),
        change("OPS-4", json!({"status": "cancelled"}))
    ]))
    .await;
    store.fold().await.unwrap();
    // A row may occur twice.
    let (one, two) = (run("one", 1), run("two", 6));
    store.append(&RUNS, vec![one.clone(), two]).await.unwrap();
    store.append(&RUNS, vec![one]).await.unwrap();
    let planned = json!({
        "run_id": "plan", "at": "2026-09-21T12:00:00Z", "agent": "planner", "model": "outline", "actor": "ana", "seq": 2,
        "duration_ms": 7, "phases": 1, "tasks": 2, "subtasks": 0, "links": 0, "requirements": 2, "problems": 0, "skipped": 0,
        "skipped_parts": "[]",
    });
    let planned = planned.as_object().cloned().unwrap();
    store.append(&AGENT_LOGS, vec![planned.clone(), planned]).await.unwrap();
    store
}

fn run(id: &str, seq: u64) -> Fields {
    let row = json!({
        "run_id": id, "started_at": "2026-09-21T12:00:00Z", "duration_ms": 40, "command": "task", "actor": "ana", "seq": seq,
        "version": "0.1.0",
    });
    row.as_object().cloned().unwrap()
}

struct Engine(Arc<Session>);

#[async_trait::async_trait]
impl sqllogictest::AsyncDB for Engine {
    type Error = AnalyticsError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, AnalyticsError> {
        let (names, rows) = rows_text(&self.0.query(sql).await?)?;
        let absent = |text: String| if text.is_empty() { "NULL".to_owned() } else { text };
        let rows = rows.into_iter().map(|row| row.into_iter().map(absent).collect()).collect();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; names.len()], rows })
    }

    async fn shutdown(&mut self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_files_return_the_expected_rows() {
    let store = lake().await;
    let now = DateTime::from_timestamp(1_790_812_800, 0).unwrap();
    let session = Arc::new(Session::open(&store.tables(), now).await.unwrap());
    let mut files: Vec<_> =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
    files.sort();
    assert!(files.len() >= 2);
    for file in files {
        let mut runner = Runner::new(|| {
            let session = Arc::clone(&session);
            async move { Ok(Engine(session)) }
        });
        runner.run_file_async(&file).await.unwrap_or_else(|err| panic!("{}", err.display(true)));
    }
}

/// Milestones count neither as work nor as work without an estimate, and have a view of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn milestones_are_listed_and_count_as_no_work() {
    let (store, _) = delta_in_memory().await;
    let create = |id: &str, fields: Value| {
        let mut all = json!({"project_id": "$p", "title": id.trim_start_matches('$')});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"op": "create", "entity": "task", "id": id, "fields": all})
    };
    let milestone = |id: &str, due: Value, status: &str| {
        create(id, json!({"kind": "milestone", "due_date": due, "status": status}))
    };
    let _ = committed(
        store.as_ref(),
        json!([
            {"op": "create", "entity": "project", "id": "$p", "fields": {"name": "Payments", "key": "PAY"}},
            create("$work", json!({"estimate_likely": 60})),
            milestone("$early", json!("2026-09-30"), "completed"),
            milestone("$missed", json!("2026-09-01"), "completed"),
            milestone("$open", json!("2026-09-24"), "pending"),
            milestone("$past", json!("2026-09-20"), "pending"),
            milestone("$undated", Value::Null, "pending"),
            milestone("$off", json!("2026-09-01"), "cancelled"),
        ]),
    )
    .await;
    store.fold().await.unwrap();
    let session = Session::open(&store.tables(), noon()).await.unwrap();
    let rows = async |sql: &str| rows_text(&session.query(sql).await.unwrap()).unwrap().1;
    let listed = rows("SELECT title, status, due_date, late FROM milestones ORDER BY task").await;
    let expected = [
        ["early", "completed", "2026-09-30", "0"],
        ["missed", "completed", "2026-09-01", "1"],
        ["open", "pending", "2026-09-24", "0"],
        ["past", "pending", "2026-09-20", "1"],
        ["undated", "pending", "", ""],
    ];
    assert_eq!(listed, expected);
    let of_portfolio =
        "SELECT tasks, completed, without_estimate, overdue, progress FROM portfolio";
    assert_eq!(rows(of_portfolio).await, [["1", "0", "0", "1", "0.0"]]);
    let of_workload = "SELECT tasks, without_estimate, likely_minutes FROM workload";
    assert_eq!(rows(of_workload).await, [["1", "0", "60"]]);
    assert_eq!(rows("SELECT scope, completed FROM burn_up").await, [["1", "0"]]);
    for view in ["velocity", "cycle_time"] {
        assert!(rows(&format!("SELECT * FROM {view}")).await.is_empty(), "{view}");
    }
    let kinds = rows("SELECT title, kind FROM open_work WHERE kind = 'milestone'").await;
    assert_eq!(kinds.len(), 3, "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_counts_unfolded_sets_and_their_age() {
    let store = lake().await;
    for title in ["waits", "waits too"] {
        let mut late = set(&store, task(title)).await;
        late.id = fresh_set_id(
            &ManualClock::new(noon() + TimeDelta::days(7), TimeDelta::zero()),
            random(title.len() as u64).as_ref(),
        );
        assert!(matches!(commit(&store, late).await, Outcome::Committed { .. }));
    }
    let head = store.head().await.unwrap();
    let lag = async |now: DateTime<Utc>| {
        let session = Session::open(&store.tables(), now).await.unwrap();
        let (_, rows) = rows_text(
            &session
                .query("SELECT DISTINCT seq, head_seq, sets_behind, age_minutes FROM lag")
                .await
                .unwrap(),
        )
        .unwrap();
        rows
    };
    let (folded, last) = ((head.seq - 2).to_string(), head.seq.to_string());
    assert_eq!(lag(head.at + TimeDelta::minutes(3)).await, [[&folded, &last, "2", "3"]]);
    // The first of January comes in between.
    assert_eq!(
        lag(head.at + TimeDelta::days(400)).await,
        [[&folded, &last, "2", &(400 * 1440).to_string()]]
    );
    store.fold().await.unwrap();
    assert_eq!(lag(head.at + TimeDelta::days(400)).await, [[&last, &last, "0", "0"]]);
}

/// Returns the rows of every table and view about the plan, in a fixed order.
async fn result(session: &Session) -> Vec<(&'static str, Vec<Vec<String>>)> {
    let about_folds = ["table_state", "latest_table_state", "lag"];
    let tables = dictionary().into_iter().map(|entry| entry.name);
    let names = tables
        .chain(VIEWS.iter().map(|view| view.name))
        .chain(["clock"])
        .filter(|name| !about_folds.contains(name));
    let mut result = Vec::new();
    for name in names {
        let (header, mut rows) =
            rows_text(&session.query(&format!("SELECT * FROM {name}")).await.unwrap()).unwrap();
        rows.sort();
        rows.insert(0, header);
        result.push((name, rows));
    }
    result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_and_views_as_of_a_seq_match_their_past_content() {
    for seed in 0..counts(2, 20) as u64 {
        let (store, _) = delta_in_memory().await;
        make_project(store.as_ref()).await;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut message = Vec::new();
        for n in 0..6 {
            for _ in 0..5 {
                change_at_random(store.as_ref(), &mut rng).await;
            }
            let _ = committed(store.as_ref(), task(&format!("{n}"))).await;
            let mut row = run(&format!("{n}"), n);
            row.insert("started_at".to_owned(), rfc3339(store.head().await.unwrap().at).into());
            store.append(&RUNS, vec![row]).await.unwrap();
            store.fold().await.unwrap();
            let Snapshot { seq, at, .. } = store.snapshot(&Scope::All).await.unwrap();
            message.push((seq, result(&Session::open(&store.tables(), at).await.unwrap()).await));
        }
        for (seq, then) in message {
            let snapshot = read_as_of(store.as_ref(), &Scope::All, AsOf::Seq(seq)).await.unwrap();
            let at = snapshot.at;
            let session =
                Session::open_as_of(&store.tables(), AsOfSnapshot { snapshot, at }).await.unwrap();
            for (was, is) in then.into_iter().zip(result(&session).await) {
                assert_eq!(is, was, "seed {seed}, seq {seq}");
            }
        }
    }
}
