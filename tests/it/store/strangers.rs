//! Tables of another journal than the lake's: of a copy that went another way. None is believed, whatever seq it says.

use std::collections::BTreeSet;
use std::sync::Arc;

use lakeplan::domain::state::ProjectState;
use lakeplan::domain::task_counts::TaskCounts;
use lakeplan::domain::value::Name;
use lakeplan::service::Service;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Checkup, examine};
use lakeplan::store::tables::FoldedTable;
use lakeplan::store::{Format, Retention, Scope, Store};
use object_store::ObjectStoreExt;
use serde_json::{Value, json};
use url::Url;

use super::check_up::files;
use super::folding::{in_tables, records};
use super::foreign_acts::{backup, fork};
use super::{commit, committed, delta_in_memory, make_project, open, state, task, titles};
use crate::support::{clock, patch_set, random};

async fn check_up(lake: &LakeLocation) -> Checkup {
    examine(&lake.store, lake.url.as_str(), &Format::default(), None).await.unwrap()
}

/// Does something in a process of its own, which folds when it ends.
async fn go_on(lake: &LakeLocation, patches: Value) -> u64 {
    let store = open(lake, clock(), 7).await.unwrap();
    let seq = committed(&store, patches).await;
    store.close().await;
    seq
}

fn user(handle: &str) -> Value {
    json!([{"op": "create", "entity": "user", "fields": {"handle": handle}}])
}

/// Something in every table.
fn some(name: &str) -> Value {
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

/// A lake with a task, folded, and a copy of it.
pub async fn two() -> [LakeLocation; 2] {
    let (store, lake) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    let _ = committed(store.as_ref(), task("first")).await;
    store.fold().await.unwrap();
    drop(store);
    let copy = fork(&lake).await;
    [lake, copy]
}

/// Puts a table of a lake in the place of another's.
async fn swap(from: &LakeLocation, to: &LakeLocation, table: &str) {
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

/// The lake is what it was, before a fold and after one, and can be changed.
async fn is_still(lake: &LakeLocation, what: &str, before: &[String]) {
    let store = open(lake, clock(), 8).await.unwrap();
    assert_eq!(titles(&state(&store).await), before, "{what}");
    assert_eq!(store.tally().await.unwrap(), TaskCounts::of(&state(&store).await), "{what}");
    store.close().await;
    let store = open(lake, clock(), 9).await.unwrap();
    let change = json!([{"op": "update", "entity": "task", "id": "PAY-2", "fields": {"description": "changed"}}]);
    let _ = committed(&store, change).await;
    let now = records(state(&store).await.records());
    store.close().await;
    assert_eq!(check_up(lake).await.findings, [], "{what}");
    assert_eq!(in_tables(lake).await, now, "{what}");
    backup(lake).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_a_copy_that_went_another_way_is_not_believed() {
    // The table is at the head of both; at a seq that the journal has noted; at one between.
    for (after, earlier) in [
        (vec![], false),
        (vec![user("cy")], false),
        (vec![task("cy"), user("dan")], false),
        (vec![], true),
    ] {
        let [lake, copy] = two().await;
        if earlier {
            let _ = go_on(&lake, user("eve")).await;
        }
        let _ = go_on(&copy, some("there")).await;
        let _ = go_on(&lake, some("here")).await;
        for patches in &after {
            let _ = go_on(&lake, patches.clone()).await;
            let _ = go_on(&copy, patches.clone()).await;
        }
        let store = open(&lake, clock(), 7).await.unwrap();
        let before = titles(&state(&store).await);
        store.close().await;
        for table in FoldedTable::all().map(FoldedTable::name) {
            let mixed = fork(&lake).await;
            swap(&copy, &mixed, table).await;
            is_still(&mixed, &format!("{table}, {}, {earlier}", after.len()), &before).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_swapped_under_a_process_is_not_folded_on() {
    let [lake, copy] = two().await;
    let _ = go_on(&copy, some("there")).await;
    let _ = go_on(&lake, some("here")).await;
    for table in FoldedTable::all().map(FoldedTable::name) {
        let mixed = fork(&lake).await;
        let store = open(&mixed, clock(), 7).await.unwrap();
        let _ = committed(&store, task("third")).await;
        store.fold().await.unwrap();
        swap(&copy, &mixed, table).await;
        let _ = committed(&store, some("later")).await;
        let now = records(state(&store).await.records());
        store.close().await;
        assert_eq!(check_up(&mixed).await.findings, [], "{table}");
        assert_eq!(in_tables(&mixed).await, now, "{table}");
    }
}

/// Takes what tables and the journal say of each other out of the logs of a lake.
async fn forget_marks(lake: &LakeLocation) {
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
async fn a_lake_whose_tables_say_no_marks_is_believed_and_gets_them() {
    let [lake, _] = two().await;
    let _ = go_on(&lake, some("here")).await;
    forget_marks(&lake).await;
    let sizes = |lake: LakeLocation| async move { files(&lake, "tasks", ".parquet").await.len() };
    let before = sizes(lake.clone()).await;
    let _ = go_on(&lake, user("fay")).await;
    assert_eq!(sizes(lake.clone()).await, before, "a table was rebuilt that nothing is wrong with");
    let _ = go_on(&lake, task("more")).await;
    let entry = files(&lake, "tasks", ".json").await.pop().unwrap();
    let entry = lake.store.get(&entry).await.unwrap().bytes().await.unwrap();
    assert!(String::from_utf8_lossy(&entry).contains("lakeplan-chain"));
    assert_eq!(check_up(&lake).await.findings, []);
}

/// What a lake can hold that believed a stranger: rows that change and link what no row has made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_changes_what_no_row_has_made_is_passed_over_and_named() {
    let [lake, copy] = two().await;
    let _ = go_on(&lake, task("here")).await;
    let _ = go_on(&copy, task("there")).await;
    for lake in [&lake, &copy] {
        forget_marks(lake).await;
    }
    swap(&copy, &lake, "tasks").await;
    let wrong = go_on(
        &lake,
        json!([
            {"op": "update", "entity": "task", "id": "PAY-2", "fields": {"title": "ghost"}},
            {"op": "create", "entity": "task", "id": "$s", "fields": {"project_id": "PAY", "title": "below", "parent_id": "PAY-2"}},
            {"op": "link", "entity": "task_link", "fields": {"from_id": "PAY-1", "to_id": "PAY-2"}},
        ]),
    )
    .await;
    let _ = go_on(&lake, json!([{"op": "delete", "entity": "task", "id": "PAY-2"}])).await;
    let store = open(&lake, clock(), 8).await.unwrap();
    store.rebuild(None).await.unwrap();
    store.fold().await.unwrap();
    let before = records(state(&store).await.records());
    store.close().await;
    assert_eq!(in_tables(&lake).await, before);
    let named: BTreeSet<String> =
        check_up(&lake).await.findings.into_iter().map(|finding| finding.place).collect();
    let rows = [format!("journal, row {wrong}.0"), format!("journal, row {}.0", wrong + 1)];
    assert!(rows.iter().all(|row| named.contains(row)), "{named:?}");
    assert!(named.iter().all(|place| place.starts_with("journal, row ")), "{named:?}");
    // Everything goes on.
    let _ = go_on(&lake, task("later")).await;
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
    store.close().await;
    let copy = backup(&lake).await.unwrap();
    let store = open(&copy, clock(), 10).await.unwrap();
    assert!(titles(&state(&store).await).contains(&"later".to_owned()));
    store.close().await;
}

/// Makes a copy a lake of its own at another place.
async fn adopt(copy: LakeLocation) -> LakeLocation {
    let copy = LakeLocation { url: Url::parse("memory:///copy/").unwrap(), ..copy };
    let store = Arc::new(open(&copy, clock(), 20).await.unwrap());
    let actor = Name::new("ana").unwrap();
    let service = Service {
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock: clock(),
        random: random(21),
        actor,
    };
    assert!(service.adopt().await.unwrap().is_some());
    drop(service);
    Arc::try_unwrap(store).ok().unwrap().close().await;
    copy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_a_copy_that_is_ahead_is_rebuilt_where_it_can_be_reported() {
    for (is_adopted, goes_on) in [(true, false), (true, true), (false, true)] {
        let [lake, copy] = two().await;
        let copy = if is_adopted { adopt(copy).await } else { copy };
        if goes_on {
            let _ = go_on(&lake, some("here")).await;
        } else {
            let _ = go_on(&lake, task("second")).await;
        }
        for name in ["there", "more", "last", "end"] {
            let _ = go_on(&copy, some(name)).await;
        }
        let store = open(&lake, clock(), 7).await.unwrap();
        let before = titles(&state(&store).await);
        store.close().await;
        for table in FoldedTable::all().map(FoldedTable::name) {
            if !is_adopted && table == "lake" {
                // It is the same in both.
                continue;
            }
            let mixed = fork(&lake).await;
            swap(&copy, &mixed, table).await;
            let named: Vec<_> =
                check_up(&mixed).await.findings.into_iter().map(|finding| finding.place).collect();
            assert_eq!(named, [table], "{is_adopted} {goes_on}");
            is_still(&mixed, &format!("{table}, {is_adopted}, {goes_on}"), &before).await;
        }
    }
}

/// The journal may have lost its end, so nothing is believed until a person says that it has not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_ahead_and_may_be_of_this_lake_is_rebuilt_only_on_request() {
    let [lake, copy] = two().await;
    for name in ["there", "more"] {
        let _ = go_on(&copy, some(name)).await;
    }
    for table in ["tasks", "projects", "users", "field_changes"] {
        let mixed = fork(&lake).await;
        swap(&copy, &mixed, table).await;
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
        let found = check_up(&mixed).await.findings;
        let [finding] = found.as_slice() else { panic!("{table}: {found:?}") };
        assert!(
            ["from a backup", "fold --rebuild"].iter().all(|way| finding.advice.contains(way)),
            "{finding:?}"
        );
        let store = DeltaStore::open_to_rebuild(&mixed, Format::default(), clock(), random(3))
            .await
            .unwrap();
        store.rebuild(None).await.unwrap();
        store.fold().await.unwrap();
        store.close().await;
        assert_eq!(check_up(&mixed).await.findings, [], "{table}");
        let _ = go_on(&mixed, task("second")).await;
        assert_eq!(check_up(&mixed).await.findings, [], "{table}");
    }
}
