//! Tables of another journal: of a copy that diverged. They are never trusted, whatever seq they
//! state.

use std::collections::BTreeSet;
use std::sync::Arc;

use lakeplan::cli::hint::hint_text;
use lakeplan::domain::state::ProjectState;
use lakeplan::domain::task_counts::TaskCounts;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::service::Service;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Checkup, examine};
use lakeplan::store::tables::FoldedTable;
use lakeplan::store::{Format, Retention, Scope, Store};
use object_store::ObjectStoreExt;
use rstest::rstest;
use serde_json::{Value, json};
use url::Url;

use super::doctor::files;
use super::folding::{in_tables, records};
use super::foreign_operations::{backup, fork};
use super::{commit, committed, delta_in_memory, make_project, open, state, task, titles};
use crate::support::{author, clock, patch_set, random};

async fn run_doctor(lake: &LakeLocation) -> Checkup {
    examine(&lake.store, lake.url.as_str(), &Format::default(), None).await.unwrap()
}

/// Commits in a separate process, which folds at its end.
async fn commit_and_close(lake: &LakeLocation, patches: Value) -> u64 {
    let store = open(lake, clock(), 7).await.unwrap();
    let seq = committed(&store, patches).await;
    store.shutdown().await;
    seq
}

fn user(handle: &str) -> Value {
    json!([{"op": "create", "entity": "user", "fields": {"handle": handle}}])
}

/// Returns patches that add a row to every table.
fn patches_for_every_table(name: &str) -> Value {
    json!([
        {"op": "create", "entity": "user", "fields": {"handle": name}},
        {"op": "create", "entity": "project", "fields": {"name": name, "key": name.to_uppercase()}},
        {"op": "create", "entity": "requirement", "id": "$r", "fields": {"project_id": "PAY", "label": name, "text": name}},
        {"op": "create", "entity": "task", "id": "$t", "fields": {"project_id": "PAY", "title": name}},
        {"op": "create", "entity": "task", "id": "$u", "fields": {"project_id": "PAY", "title": format!("{name} later")}},
        {"op": "link", "entity": "task_link", "fields": {"from_id": "$u", "to_id": "$t"}},
        {"op": "link", "entity": "task_requirement", "fields": {"task_id": "$t", "requirement_id": "$r"}},
    ])
}

/// Creates a lake with a task, folded, and a copy of it.
pub async fn lake_and_copy() -> [LakeLocation; 2] {
    let (store, lake) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let _ = committed(store.as_ref(), task("first")).await;
    store.fold().await.unwrap();
    drop(store);
    let copy = fork(&lake).await;
    [lake.unchecked("the tests mix the lake with its copy"), copy]
}

/// Replaces a table of one lake by that of another.
async fn replace_table(from: &LakeLocation, to: &LakeLocation, table: &str) {
    for path in files(to, table, "").await {
        to.store.delete(&path).await.unwrap();
    }
    for path in files(from, table, "").await {
        to.store
            .put(&path, from.store.get(&path).await.unwrap().bytes().await.unwrap().into())
            .await
            .unwrap();
    }
}

/// Asserts that the lake is unchanged, before and after a fold, and can be changed.
async fn assert_unchanged(lake: &LakeLocation, what: &str, before: &[String]) {
    let store = open(lake, clock(), 8).await.unwrap();
    assert_eq!(titles(&state(&store).await), before, "{what}");
    assert_eq!(store.tally().await.unwrap(), TaskCounts::of(&state(&store).await), "{what}");
    store.shutdown().await;
    let store = open(lake, clock(), 9).await.unwrap();
    let change = json!([{"op": "update", "entity": "task", "id": "PAY-2", "fields": {"description": "changed"}}]);
    let _ = committed(&store, change).await;
    let now = records(state(&store).await.records());
    store.shutdown().await;
    assert_eq!(run_doctor(lake).await.findings, [], "{what}");
    assert_eq!(in_tables(lake).await, now, "{what}");
    backup(lake).await.unwrap();
}

#[rstest]
#[case::at_the_head_of_both(vec![], false)]
#[case::at_a_seq_that_the_journal_recorded(vec![user("cy")], false)]
#[case::between_recorded_seqs(vec![task("cy"), user("dan")], false)]
#[case::behind_the_head(vec![], true)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_a_diverged_copy_is_not_trusted(
    #[case] after: Vec<Value>,
    #[case] earlier: bool,
) {
    let [lake, copy] = lake_and_copy().await;
    if earlier {
        let _ = commit_and_close(&lake, user("eve")).await;
    }
    let _ = commit_and_close(&copy, patches_for_every_table("there")).await;
    let _ = commit_and_close(&lake, patches_for_every_table("here")).await;
    for patches in &after {
        let _ = commit_and_close(&lake, patches.clone()).await;
        let _ = commit_and_close(&copy, patches.clone()).await;
    }
    let store = open(&lake, clock(), 7).await.unwrap();
    let before = titles(&state(&store).await);
    store.shutdown().await;
    for table in FoldedTable::all().map(FoldedTable::name) {
        let mixed = fork(&lake).await;
        replace_table(&copy, &mixed, table).await;
        assert_unchanged(&mixed, &format!("{table}, {}, {earlier}", after.len()), &before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_swapped_while_the_store_is_open_is_rebuilt() {
    let [lake, copy] = lake_and_copy().await;
    let _ = commit_and_close(&copy, patches_for_every_table("there")).await;
    let _ = commit_and_close(&lake, patches_for_every_table("here")).await;
    for table in FoldedTable::all().map(FoldedTable::name) {
        let mixed = fork(&lake).await;
        let store = open(&mixed, clock(), 7).await.unwrap();
        let _ = committed(&store, task("third")).await;
        store.fold().await.unwrap();
        replace_table(&copy, &mixed, table).await;
        let _ = committed(&store, patches_for_every_table("later")).await;
        let now = records(state(&store).await.records());
        store.shutdown().await;
        assert_eq!(run_doctor(&mixed).await.findings, [], "{table}");
        assert_eq!(in_tables(&mixed).await, now, "{table}");
    }
}

/// Removes the marks of tables and journal from the logs of a lake.
async fn strip_marks(lake: &LakeLocation) {
    for path in files(lake, "", ".json").await {
        let bytes = lake.store.get(&path).await.unwrap().bytes().await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let is_mark = |line: &str| {
            ["lakeplan-chain", "lakeplan-lake", "fold-mark"].iter().any(|name| line.contains(name))
        };
        let kept: String =
            text.lines().filter(|line| !is_mark(line)).flat_map(|line| [line, "\n"]).collect();
        lake.store.put(&path, kept.into()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_without_marks_is_trusted_and_gets_marks() {
    let [lake, _] = lake_and_copy().await;
    let _ = commit_and_close(&lake, patches_for_every_table("here")).await;
    strip_marks(&lake).await;
    let sizes = |lake: LakeLocation| async move { files(&lake, "tasks", ".parquet").await.len() };
    let before = sizes(lake.clone()).await;
    let _ = commit_and_close(&lake, user("fay")).await;
    assert_eq!(sizes(lake.clone()).await, before, "an intact table was rebuilt");
    let _ = commit_and_close(&lake, task("more")).await;
    let entry = files(&lake, "tasks", ".json").await.pop().unwrap();
    let entry = lake.store.get(&entry).await.unwrap().bytes().await.unwrap();
    assert!(String::from_utf8_lossy(&entry).contains("lakeplan-chain"));
    assert_eq!(run_doctor(&lake).await.findings, []);
}

/// A lake that trusted a foreign table can contain such rows: they change and link nonexistent
/// records.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_for_a_nonexistent_record_is_skipped_and_reported() {
    let [lake, copy] = lake_and_copy().await;
    let _ = commit_and_close(&lake, task("here")).await;
    let _ = commit_and_close(&copy, task("there")).await;
    for lake in [&lake, &copy] {
        strip_marks(lake).await;
    }
    replace_table(&copy, &lake, "tasks").await;
    let wrong = commit_and_close(
        &lake,
        json!([
            {"op": "update", "entity": "task", "id": "PAY-2", "fields": {"title": "ghost"}},
            {"op": "create", "entity": "task", "id": "$s", "fields": {"project_id": "PAY", "title": "below", "parent_id": "PAY-2"}},
            {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}},
        ]),
    )
    .await;
    let _ =
        commit_and_close(&lake, json!([{"op": "delete", "entity": "task", "id": "PAY-2"}])).await;
    let store = open(&lake, clock(), 8).await.unwrap();
    store.rebuild(None).await.unwrap();
    store.fold().await.unwrap();
    let before = records(state(&store).await.records());
    store.shutdown().await;
    assert_eq!(in_tables(&lake).await, before);
    let named: BTreeSet<String> =
        run_doctor(&lake).await.findings.into_iter().map(|finding| finding.place).collect();
    let rows = [format!("journal, row {wrong}.0"), format!("journal, row {}.0", wrong + 1)];
    assert!(rows.iter().all(|row| named.contains(row)), "{named:?}");
    assert!(named.iter().all(|place| place.starts_with("journal, row ")), "{named:?}");
    // The lake continues to work.
    let _ = commit_and_close(&lake, task("later")).await;
    let store = open(&lake, clock(), 9).await.unwrap();
    store.maintain(Retention::default()).await.unwrap();
    assert!(titles(&state(&store).await).contains(&"later".to_owned()));
    let keys: Vec<String> = state(&store)
        .await
        .projects()
        .flat_map(ProjectState::tasks)
        .map(|task| task.key.to_string())
        .collect();
    assert_eq!(keys.len(), keys.iter().collect::<BTreeSet<_>>().len(), "{keys:?}");
    store.shutdown().await;
    let copy = backup(&lake).await.unwrap();
    let store = open(&copy, clock(), 10).await.unwrap();
    assert!(titles(&state(&store).await).contains(&"later".to_owned()));
    store.shutdown().await;
}

/// Turns a copy into an independent lake at another location.
async fn adopt(copy: LakeLocation) -> LakeLocation {
    let copy = LakeLocation { url: Url::parse("memory:///copy/").unwrap(), ..copy };
    let store = Arc::new(open(&copy, clock(), 20).await.unwrap());

    let service = Service {
        planner: Arc::new(OutlinePlanner),
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock: clock(),
        random: random(21),
    };
    assert!(service.adopt(&author(&service)).await.unwrap().is_some());
    drop(service);
    Arc::try_unwrap(store).ok().unwrap().shutdown().await;
    copy
}

#[rstest]
#[case::of_an_adopted_copy(true, false)]
#[case::of_an_adopted_copy_while_both_go_on(true, true)]
#[case::while_both_go_on(false, true)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_a_copy_that_is_ahead_is_reported_and_rebuilt(
    #[case] is_adopted: bool,
    #[case] goes_on: bool,
) {
    let [lake, copy] = lake_and_copy().await;
    let copy = if is_adopted { adopt(copy).await } else { copy };
    if goes_on {
        let _ = commit_and_close(&lake, patches_for_every_table("here")).await;
    } else {
        let _ = commit_and_close(&lake, task("second")).await;
    }
    for name in ["there", "more", "last", "end"] {
        let _ = commit_and_close(&copy, patches_for_every_table(name)).await;
    }
    let store = open(&lake, clock(), 7).await.unwrap();
    let before = titles(&state(&store).await);
    store.shutdown().await;
    for table in FoldedTable::all().map(FoldedTable::name) {
        if !is_adopted && table == "lake" {
            // It is the same in both.
            continue;
        }
        let mixed = fork(&lake).await;
        replace_table(&copy, &mixed, table).await;
        let named: Vec<_> =
            run_doctor(&mixed).await.findings.into_iter().map(|finding| finding.place).collect();
        assert_eq!(named, [table], "{is_adopted} {goes_on}");
        assert_unchanged(&mixed, &format!("{table}, {is_adopted}, {goes_on}"), &before).await;
    }
}

/// The journal may have lost its end, so nothing is trusted until a person confirms that it has
/// not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_ahead_of_the_journal_is_rebuilt_only_on_request() {
    let [lake, copy] = lake_and_copy().await;
    for name in ["there", "more"] {
        let _ = commit_and_close(&copy, patches_for_every_table(name)).await;
    }
    for table in ["tasks", "projects", "users", "field_changes"] {
        let mixed = fork(&lake).await;
        replace_table(&copy, &mixed, table).await;
        let refused = match open(&mixed, clock(), 7).await {
            Err(err) => err.to_string(),
            Ok(store) => match store.snapshot(&Scope::All).await {
                Err(err) => err.to_string(),
                Ok(found) => format!(
                    "{:?}",
                    commit(&store, patch_set(&found.state, user("gil")).unwrap()).await
                ),
            },
        };
        assert!(refused.contains("lost its end"), "{table}: {refused}");
        let found = run_doctor(&mixed).await.findings;
        let [finding] = found.as_slice() else { panic!("{table}: {found:?}") };
        assert!(
            ["from a backup", "fold --rebuild"]
                .iter()
                .all(|way| hint_text(&finding.advice).contains(way)),
            "{finding:?}"
        );
        let store = DeltaStore::open_to_rebuild(&mixed, Format::default(), clock(), random(3))
            .await
            .unwrap();
        store.rebuild(None).await.unwrap();
        store.fold().await.unwrap();
        store.shutdown().await;
        assert_eq!(run_doctor(&mixed).await.findings, [], "{table}");
        let _ = commit_and_close(&mixed, task("second")).await;
        assert_eq!(run_doctor(&mixed).await.findings, [], "{table}");
    }
}
