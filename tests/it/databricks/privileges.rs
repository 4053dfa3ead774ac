//! Access to a lake in Unity Catalog by privileges: on its tables, and on the location of tables
//! that are not registered.

use futures::{StreamExt, TryStreamExt, stream};
use lakeplan::databricks::catalog::SchemaName;
use lakeplan::domain::secret::{Credentials, Secret};
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::lakes::catalog;
use super::server::Server;
use super::{BUCKET_LAKE, TOKEN, fails, json_of, ok, run, text, with_lake, workspace_of};
use crate::support::clock;

/// A registered lake with a task, used by a principal without privileges on the location.
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
    server.workspace().seen.clear();
    (server, folder)
}

#[test]
fn a_reader_can_read_and_the_first_write_names_the_grant() {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"]);
    ok(&server, path, &["--lake", "main.plan", "catalog", "register", "--warehouse", "w1"]);
    server.workspace().seen.clear();
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
    let workspace = server.workspace();
    let writes = workspace.seen.iter().filter(|seen| seen.body["operation"] == "READ_WRITE");
    assert!(writes.count() == 3, "a process asks for write access more than once");
    assert!(!workspace.seen.iter().any(|seen| seen.body["operation"] == "PATH_READ_WRITE"));
}

#[test]
fn a_registered_lake_needs_only_table_privileges() {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"]);
    ok(&server, path, &["--lake", "main.plan", "catalog", "register", "--warehouse", "w1"]);
    server.refuse("temporary-path-credentials", "", 403, "Access denied.");
    server.workspace().seen.clear();
    ok(
        &server,
        path,
        &["--lake", "main.plan", "task", "create", "Move the ledger", "--project", "PAY"],
    );
    ok(&server, path, &["--lake", "main.plan", "maintain"]);
    ok(&server, path, &["--lake", "main.plan", "doctor", "--full"]);
    let tasks = json_of(&server, path, &["--lake", "main.plan", "query", "SELECT key FROM tasks"]);
    assert_eq!(tasks, json!([{"key": "PAY-1"}]));
    let workspace = server.workspace();
    assert_eq!(
        workspace.count("POST", "temporary-path-credentials"),
        0,
        "no path credential is needed if every table is registered"
    );
}

#[test]
fn a_new_table_needs_access_to_its_location() {
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
async fn the_test_catalog_denies_paths_above_registered_tables() {
    let (server, _folder) = with_lake();
    let workspace = workspace_of(&server, Credentials::Token(Secret::new(TOKEN)));
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
        assert!(matches!(
            send(parent).await,
            Err(lakeplan::databricks::WorkspaceError::Forbidden { .. })
        ));
    }
    assert!(
        send(format!("{BUCKET_LAKE}/tasks")).await.is_ok()
            && send("s3://team/plans/lake2".to_owned()).await.is_ok()
    );
}

#[test]
fn doctor_reports_a_denied_table_without_repair_advice() {
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
    server.workspace().scripts.clear();
    let away = json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"});
    server.script("GET", "tables/main.plan.runs", usize::MAX, 503, away);
    let printed = fails(&server, path, &["--lake", "main.plan", "doctor"], 4);
    assert!(!printed.contains("remove") && !printed.contains("backup"), "{printed}");
}

#[test]
fn an_unregistered_table_is_not_treated_as_empty() {
    let (server, folder) = registered();
    let path = folder.path();
    server.workspace().tables.remove("main.plan.agent_logs");
    for args in [
        &["doctor"][..],
        &["backup", "copy"],
        &["query", "SELECT count(*) FROM agent_logs"],
        &["catalog", "register"],
    ] {
        let printed = fails(&server, path, &[&["--lake", "main.plan"], args].concat(), 3);
        assert!(
            printed.contains("agent_logs is not registered in main.plan"),
            "{args:?}: {printed}"
        );
    }
    assert!(!path.join("copy/journal").exists(), "something was copied");
    // A denied inbox does not affect commands that do not use it.
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
fn a_table_without_write_access_does_not_block_reads() {
    let (server, folder) = registered();
    let path = folder.path();
    ok(
        &server,
        path,
        &["--lake", "main.plan", "task", "create", "Move the ledger", "--project", "PAY"],
    );
    server.workspace().tables.get_mut("main.plan.tasks").unwrap()["table_id"] = json!("no-modify");
    let write = r#""operation":"READ_WRITE","table_id":"no-modify""#;
    server.refuse(
        "temporary-table-credentials",
        write,
        403,
        "User does not have MODIFY on Table 'tasks'.",
    );
    // The change is committed, but this table cannot be folded.
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
fn a_managed_inbox_needs_no_location_in_the_lake() {
    let (server, folder) = registered();
    server.workspace().external_table(
        "main.plan.inbox",
        "s3://team/__unitystorage/tables/7",
        "MANAGED",
    );
    ok(&server, folder.path(), &["--lake", "main.plan", "maintain"]);
}

#[tokio::test]
async fn the_lake_store_uses_one_credential_per_table() {
    let (server, _folder) = registered();
    server.workspace().clock = clock();
    let name: SchemaName = "main.plan".parse().unwrap();
    let store = catalog(&server, clock()).root(&name).await.unwrap().store;
    server.workspace().seen.clear();
    let place = |text: &str| StorePath::from(text);
    let names = ["tasks/a", "tasks/b", "users/c", "tasks/d"];
    let put = async |name: &'static str| store.put(&place(name), name.into()).await;
    futures::future::try_join_all(names.map(put)).await.unwrap();
    let asked = ["tasks", "users"].map(|table| server.workspace().credentials(table));
    assert_eq!(asked, [1, 1], "each table must be opened once");

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
    assert!(
        store.list(None).try_collect::<Vec<_>>().await.is_err(),
        "the root must not belong to a table"
    );
    assert!(
        store.copy(&place("tasks/a"), &place("users/a")).await.is_err(),
        "a copy between tables must fail"
    );

    let asked = stream::iter(names).map(move |name| Ok(place(name))).boxed();
    let deleted: Vec<_> = store.delete_stream(asked).try_collect().await.unwrap();
    assert_eq!(
        deleted,
        names.map(StorePath::from),
        "the results must be in the order of the requests"
    );
    assert!(store.get(&StorePath::from("tasks/a")).await.is_err());
}

#[tokio::test]
async fn a_newly_registered_table_uses_its_own_credential() {
    let (server, folder) = with_lake();
    ok(&server, folder.path(), &["--lake", "main.plan", "project", "create", "Payments"]);
    let clock = clock();
    server.workspace().clock = std::sync::Arc::clone(&clock) as _;
    let name: SchemaName = "main.plan".parse().unwrap();
    let store =
        catalog(&server, std::sync::Arc::clone(&clock) as _).root(&name).await.unwrap().store;
    let log = StorePath::from("projects/_delta_log/00000000000000000000.json");
    store.get(&log).await.unwrap();
    assert_eq!(server.workspace().credentials("projects"), 0);
    server.workspace().external_table(
        "main.plan.projects",
        &format!("{BUCKET_LAKE}/projects"),
        "EXTERNAL",
    );
    server.refuse("temporary-path-credentials", "", 403, "Access denied.");
    clock.advance(chrono::TimeDelta::hours(2));
    store.get(&log).await.unwrap();
    assert_eq!(server.workspace().credentials("projects"), 1);
}
