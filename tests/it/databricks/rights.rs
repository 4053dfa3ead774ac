//! Who may do what with a lake in Unity Catalog: by the rights to its tables, and to the place of those that are not
//! registered.

use futures::{StreamExt, TryStreamExt, stream};
use lakeplan::domain::secret::{Credentials, Secret};
use lakeplan::net::Workspace;
use lakeplan::store::catalog::SchemaName;
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::lakes::catalog;
use super::server::Server;
use super::{BUCKET_LAKE, TOKEN, fails, json_of, ok, run, text, with_lake};
use crate::support::clock;

/// A lake with a task, all of it registered, by one who has no right to the place.
fn registered() -> (Server, tempfile::TempDir) {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"]);
    ok(
        &server,
        path,
        &["--lake", "main.plan", "task", "create", "Read the ledger", "--project", "PAY"],
    );
    ok(&server, path, &["--lake", "main.plan", "catalog", "register", "--warehouse", "w1"]);
    server.refuse("temporary-path-credentials", "", 403, "Access denied.");
    server.world().seen.clear();
    (server, folder)
}

#[test]
fn who_may_only_read_reads_and_the_first_write_names_the_grant() {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"]);
    ok(&server, path, &["--lake", "main.plan", "catalog", "register", "--warehouse", "w1"]);
    server.world().seen.clear();
    let message = "User does not have MODIFY on Table 'main.plan.journal'.";
    server.refuse("temporary-table-credentials", "READ_WRITE", 403, message);
    server.refuse("temporary-path-credentials", "", 403, "Access denied.");
    assert!(ok(&server, path, &["--lake", "main.plan", "project", "list"]).contains("Payments"));
    ok(&server, path, &["--lake", "main.plan", "query", "--view", "workload"]);
    let printed = fails(
        &server,
        path,
        &["--lake", "main.plan", "task", "create", "x", "--project", "PAY"],
        1,
    );
    assert!(
        printed.contains(&format!("the lake at {BUCKET_LAKE} is read-only: {message}")),
        "{printed}"
    );
    assert!(
        printed.contains("GRANT MODIFY ON SCHEMA `main`.`plan` TO `ana@example.com`"),
        "{printed}"
    );
    let world = server.world();
    let writes = world.seen.iter().filter(|seen| seen.body["operation"] == "READ_WRITE");
    assert!(writes.count() == 3, "each of the three asks to write once");
    assert!(!world.seen.iter().any(|seen| seen.body["operation"] == "PATH_READ_WRITE"));
}

#[test]
fn a_registered_lake_is_worked_on_with_the_rights_to_its_tables_alone() {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"]);
    ok(&server, path, &["--lake", "main.plan", "catalog", "register", "--warehouse", "w1"]);
    server.refuse("temporary-path-credentials", "", 403, "Access denied.");
    server.world().seen.clear();
    ok(
        &server,
        path,
        &["--lake", "main.plan", "task", "create", "Move the ledger", "--project", "PAY"],
    );
    ok(&server, path, &["--lake", "main.plan", "maintain"]);
    ok(&server, path, &["--lake", "main.plan", "doctor", "--full"]);
    let tasks = json_of(&server, path, &["--lake", "main.plan", "query", "SELECT key FROM tasks"]);
    assert_eq!(tasks, json!([{"key": "PAY-1"}]));
    let world = server.world();
    assert_eq!(
        world.count("POST", "temporary-path-credentials"),
        0,
        "no path is asked for where every table is registered"
    );
}

#[test]
fn a_table_that_is_new_needs_the_right_to_its_place() {
    let (server, folder) = with_lake();
    let message = "User does not have EXTERNAL USE LOCATION on External Location 'plans'.";
    server.refuse("temporary-path-credentials", "", 403, message);
    let path = folder.path();
    let printed = fails(&server, path, &["--lake", "main.plan", "maintain"], 3);
    assert!(
        printed.contains(
            "is not registered in main.plan, and access to its location was denied: User does not"
        ),
        "{printed}"
    );
    let grant = "hint: ask the owner to run: GRANT EXTERNAL USE LOCATION ON EXTERNAL LOCATION `plans` TO `ana@example.com`";
    assert!(printed.contains(grant), "{printed}");
}

#[tokio::test]
async fn the_catalog_of_these_tests_gives_nobody_a_folder_that_holds_registered_tables() {
    let (server, _folder) = with_lake();
    let workspace = Workspace::open(server.url(), Credentials::Token(Secret::new(TOKEN))).unwrap();
    let send = async |url: String| {
        let body = json!({"url": url, "operation": "PATH_READ"});
        workspace
            .send(&lakeplan::net::Request::post(
                "api/2.1/unity-catalog/temporary-path-credentials",
                body,
            ))
            .await
    };
    for parent in [BUCKET_LAKE.to_owned(), format!("{BUCKET_LAKE}/"), "s3://team/plans".to_owned()]
    {
        assert!(matches!(send(parent).await, Err(lakeplan::net::NetError::Forbidden { .. })));
    }
    assert!(
        send(format!("{BUCKET_LAKE}/tasks")).await.is_ok()
            && send("s3://team/plans/lake2".to_owned()).await.is_ok()
    );
}

#[test]
fn a_check_up_that_may_not_see_a_table_says_so_and_advises_nothing() {
    let (server, folder) = registered();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "doctor"]);
    server.refuse(
        "temporary-table-credentials",
        "id-of-main.plan.tasks",
        403,
        "User does not have SELECT on Table 'tasks'.",
    );
    let printed = fails(&server, path, &["--lake", "main.plan", "doctor"], 3);
    assert!(
        printed.contains("is not allowed to use the table tasks")
            && printed.contains("GRANT SELECT"),
        "{printed}"
    );
    assert!(!printed.contains("remove") && !printed.contains("backup"), "{printed}");
    server.world().scripts.clear();
    let away = json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"});
    server.script("GET", "tables/main.plan.runs", usize::MAX, 503, away);
    let printed = fails(&server, path, &["--lake", "main.plan", "doctor"], 4);
    assert!(!printed.contains("remove") && !printed.contains("backup"), "{printed}");
}

#[test]
fn a_table_that_is_registered_no_more_is_not_taken_for_an_empty_one() {
    let (server, folder) = registered();
    let path = folder.path();
    server.world().tables.remove("main.plan.agent_logs");
    for words in [
        &["doctor"][..],
        &["backup", "copy"],
        &["query", "SELECT count(*) FROM agent_logs"],
        &["catalog", "register"],
    ] {
        let printed = fails(&server, path, &[&["--lake", "main.plan"], words].concat(), 3);
        assert!(
            printed.contains("agent_logs is not registered in main.plan"),
            "{words:?}: {printed}"
        );
    }
    assert!(!path.join("copy/journal").exists(), "nothing was copied");
    // Who asks nothing of it is not kept from the rest.
    let tasks = json_of(&server, path, &["--lake", "main.plan", "query", "SELECT key FROM tasks"]);
    assert_eq!(tasks, json!([{"key": "PAY-1"}]));
    let output = run(&server, path, &["--lake", "main.plan", "query", "SELECT count(*) FROM taks"]);
    let printed = text(&output.stderr);
    assert!(
        printed.contains("there is no table or view taks")
            && printed.contains("did you mean tasks"),
        "{printed}"
    );
    assert!(printed.contains("the table is left out"), "{printed}");
}

#[test]
fn who_may_not_write_one_table_reads_all_the_same() {
    let (server, folder) = registered();
    let path = folder.path();
    ok(
        &server,
        path,
        &["--lake", "main.plan", "task", "create", "Move the ledger", "--project", "PAY"],
    );
    server.world().tables.get_mut("main.plan.tasks").unwrap()["table_id"] = json!("no-modify");
    let write = r#""operation":"READ_WRITE","table_id":"no-modify""#;
    server.refuse(
        "temporary-table-credentials",
        write,
        403,
        "User does not have MODIFY on Table 'tasks'.",
    );
    // The change is committed; the table of it cannot be brought up to it.
    ok(
        &server,
        path,
        &["--lake", "main.plan", "task", "create", "Close the ledger", "--project", "PAY"],
    );
    let output =
        run(&server, path, &["--lake", "main.plan", "query", "SELECT key FROM tasks ORDER BY key"]);
    let printed = text(&output.stderr);
    assert!(
        output.status.success() && printed.contains("the tables may lag behind the journal"),
        "{printed}"
    );
    assert!(text(&output.stdout).contains("PAY-2"), "{}", text(&output.stdout));
    assert!(
        ok(&server, path, &["--lake", "main.plan", "task", "list"]).contains("Close the ledger")
    );
    let printed = fails(&server, path, &["--lake", "main.plan", "maintain"], 3);
    assert!(
        printed.contains("GRANT MODIFY ON SCHEMA `main`.`plan` TO `ana@example.com`"),
        "{printed}"
    );
}

#[test]
fn an_inbox_that_databricks_keeps_needs_no_place_in_the_lake() {
    let (server, folder) = registered();
    server.world().external_table(
        "main.plan.inbox",
        "s3://team/__unitystorage/tables/7",
        "MANAGED",
    );
    ok(&server, folder.path(), &["--lake", "main.plan", "maintain"]);
}

#[tokio::test]
async fn a_lakes_root_is_a_store_of_its_tables() {
    let (server, _folder) = registered();
    server.world().clock = clock();
    let name: SchemaName = "main.plan".parse().unwrap();
    let store = catalog(&server, clock()).root(&name).await.unwrap().store;
    server.world().seen.clear();
    let place = |text: &str| StorePath::from(text);
    let names = ["tasks/a", "tasks/b", "users/c", "tasks/d"];
    let put = async |name: &'static str| store.put(&place(name), name.into()).await;
    futures::future::try_join_all(names.map(put)).await.unwrap();
    let asked = ["tasks", "users"].map(|table| server.world().credentials(table));
    assert_eq!(asked, [1, 1], "opened once for all");

    let listed: Vec<_> =
        store.list(Some(&place("tasks"))).map_ok(|meta| meta.location).try_collect().await.unwrap();
    assert!(
        listed.contains(&place("tasks/a")) && !listed.contains(&place("users/c")),
        "{listed:?}"
    );
    let after = store.list_with_offset(Some(&place("tasks")), &place("tasks/a"));
    assert!(
        !after
            .map_ok(|meta| meta.location)
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .contains(&place("tasks/a"))
    );
    assert!(store.list(None).try_collect::<Vec<_>>().await.is_err(), "the root is in no table");
    assert!(
        store.copy(&place("tasks/a"), &place("users/a")).await.is_err(),
        "from one table into another"
    );

    let asked = stream::iter(names).map(move |name| Ok(place(name))).boxed();
    let deleted: Vec<_> = store.delete_stream(asked).try_collect().await.unwrap();
    assert_eq!(deleted, names.map(StorePath::from), "in the order in which it was asked");
    assert!(store.get(&StorePath::from("tasks/a")).await.is_err());
}

#[tokio::test]
async fn a_table_that_is_registered_meanwhile_is_reached_by_its_credential_from_then_on() {
    let (server, folder) = with_lake();
    ok(&server, folder.path(), &["--lake", "main.plan", "project", "create", "Payments"]);
    let clock = clock();
    server.world().clock = std::sync::Arc::clone(&clock) as _;
    let name: SchemaName = "main.plan".parse().unwrap();
    let store =
        catalog(&server, std::sync::Arc::clone(&clock) as _).root(&name).await.unwrap().store;
    let log = StorePath::from("projects/_delta_log/00000000000000000000.json");
    store.get(&log).await.unwrap();
    assert_eq!(server.world().credentials("projects"), 0);
    server.world().external_table(
        "main.plan.projects",
        &format!("{BUCKET_LAKE}/projects"),
        "EXTERNAL",
    );
    server.refuse("temporary-path-credentials", "", 403, "Access denied.");
    clock.advance(chrono::TimeDelta::hours(2));
    store.get(&log).await.unwrap();
    assert_eq!(server.world().credentials("projects"), 1);
}
