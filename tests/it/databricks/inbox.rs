//! An inbox that Databricks manages: a table outside the lake's location, written by SQL users and
//! read with its own credential.

use std::path::Path;

use serde_json::json;

use super::s3::Object;
use super::server::Server;
use super::{fails, json_of, ok, with_lake};
use crate::cli::inbox::{create, insert_requests};

const MANAGED_LOCATION: &str = "team/__unitystorage/tables/7";
const ON_PLAN: [&str; 2] = ["--lake", "main.plan"];

fn on_plan<'w>(args: &[&'w str]) -> Vec<&'w str> {
    [&ON_PLAN, args].concat()
}

/// Creates a lake in the catalog with a managed inbox that has one request. The lake's folder has
/// another inbox with another request, which must not be found.
fn with_managed_inbox() -> (Server, tempfile::TempDir) {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &on_plan(&["project", "create", "Payments", "--key", "PAY"]));
    upload(&server, "managed", "Read the ledger", MANAGED_LOCATION);
    upload(&server, "unmanaged", "Read nothing", "team/plans/lake/inbox");
    server.workspace().external_table(
        "main.plan.inbox",
        &format!("s3://{MANAGED_LOCATION}"),
        "MANAGED",
    );
    (server, folder)
}

/// Uploads an inbox that delta-rs wrote into the server's storage.
fn upload(server: &Server, request: &str, title: &str, to: &str) {
    let folder = tempfile::tempdir().unwrap();
    ok(server, folder.path(), &["init", "--lake", "lake"]);
    insert_requests(folder.path(), &[(request, "2026-11-20T10:00:00Z", "ana", &create(title))]);
    let table = folder.path().join("lake/inbox");
    for file in files(&table) {
        let key = format!("{to}/{}", file.strip_prefix(&table).unwrap().to_str().unwrap());
        server
            .workspace()
            .objects
            .insert(key, Object { bytes: std::fs::read(&file).unwrap().into(), tag: 1 });
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn requests_of_a_managed_inbox_are_applied_with_its_own_credential() {
    let (server, folder) = with_managed_inbox();
    let path = folder.path();
    server.workspace().stored.clear();
    let answered = json_of(&server, path, &on_plan(&["inbox", "apply"]));
    assert_eq!(answered["answers"].as_array().unwrap().len(), 1, "{answered}");
    assert_eq!(
        (&answered["answers"][0]["request_id"], &answered["answers"][0]["outcome"]),
        (&json!("managed"), &json!("applied"))
    );
    {
        let workspace = server.workspace();
        assert_eq!(workspace.credentials("inbox"), 1);
        let key = workspace
            .credential
            .values()
            .position(|credential| credential.url == format!("s3://{MANAGED_LOCATION}"));
        assert!(key.is_some(), "the credential is not for the table's location");
        let own = |path: &str, query: &str| {
            format!("{path}?{query}").replace("%2F", "/").contains("__unitystorage/tables/7")
        };
        let (of_inbox, of_lake): (Vec<_>, Vec<_>) =
            workspace.stored.iter().partition(|[_, path, query, _]| own(path, query));
        let keys = |requests: &[&[String; 4]]| {
            let key = |shown: &str| {
                shown.split_once("Credential=").unwrap().1.split_once('/').unwrap().0.to_owned()
            };
            requests.iter().map(|[.., shown]| key(shown)).collect::<std::collections::BTreeSet<_>>()
        };
        let (of_inbox_keys, of_lake_keys) = (keys(&of_inbox), keys(&of_lake));
        assert!(of_inbox.len() >= 3 && of_inbox_keys.len() == 1, "{of_inbox:?}");
        assert!(
            of_inbox_keys.is_disjoint(&of_lake_keys),
            "the inbox was read with the lake's credential"
        );
        assert!(
            of_inbox.iter().all(|[method, ..]| method == "GET"),
            "the inbox was written: {of_inbox:?}"
        );
        let folder_inbox_read = of_lake.iter().find(|[_, path, query, _]| {
            format!("{path}?{query}").replace("%2F", "/").contains("lake/inbox/")
        });
        assert_eq!(folder_inbox_read, None, "the inbox in the lake's folder was used");
    }
    let found = json_of(
        &server,
        path,
        &on_plan(&["query", "SELECT request_id, outcome, created_keys FROM inbox_results"]),
    );
    assert_eq!(
        found,
        json!([{"request_id": "managed", "outcome": "applied", "created_keys": "PAY-1"}])
    );
    let found = json_of(&server, path, &on_plan(&["query", "SELECT key, title FROM tasks"]));
    assert_eq!(found, json!([{"key": "PAY-1", "title": "Read the ledger"}]));
    assert!(ok(&server, path, &on_plan(&["inbox", "apply"])).contains("no request waits"));
}

#[test]
fn only_inbox_reads_use_the_managed_inbox() {
    let (server, folder) = with_managed_inbox();
    let path = folder.path();
    server.workspace().seen.clear();
    for args in [
        &["query", "SELECT count(*) FROM tasks WHERE title = 'inbox'"][..],
        &["query", "--view", "workload"],
        &["report", "--json"],
        &["task", "list"],
    ] {
        ok(&server, path, &on_plan(args));
        let workspace = server.workspace();
        assert_eq!(
            (workspace.looked_up("inbox"), workspace.credentials("inbox")),
            (0, 0),
            "{args:?}"
        );
    }
    let waits = json!([{"request_id": "managed", "state": "waiting"}]);
    for (number, sql) in [
        "SELECT request_id, state FROM requests",
        "SELECT request_id, 'waiting' AS state FROM inbox",
        "SELECT request_id, state FROM requests, generate_series(1, 1)",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(json_of(&server, path, &on_plan(&["query", sql])), waits);
        assert_eq!(server.workspace().credentials("inbox"), number + 1);
    }
    let listed = json_of(&server, path, &on_plan(&["inbox", "list"]));
    assert_eq!(listed["requests"][0]["request_id"], "managed");
    let then = json_of(
        &server,
        path,
        &on_plan(&["query", "SELECT request_id FROM inbox", "--as-of", "1"]),
    );
    assert_eq!(then, json!([{"request_id": "managed"}]));
}

#[test]
fn a_denied_managed_inbox_names_the_grant_and_blocks_nothing_else() {
    let (server, folder) = with_managed_inbox();
    let path = folder.path();
    let denied = "User does not have SELECT on Table 'inbox'.";
    server.refuse("temporary-table-credentials", "id-of-main.plan.inbox", 403, denied);
    for args in [&["inbox", "apply"][..], &["inbox", "list"], &["query", "SELECT * FROM requests"]]
    {
        let printed = fails(&server, path, &on_plan(args), 3);
        assert!(
            printed.contains("is not allowed to read the table inbox")
                && printed.contains("GRANT SELECT"),
            "{args:?}: {printed}"
        );
    }
    assert_eq!(
        json_of(&server, path, &on_plan(&["query", "SELECT key FROM projects"])),
        json!([{"key": "PAY"}])
    );
}

#[test]
fn a_managed_inbox_with_unsupported_features_names_them() {
    let (server, folder) = with_managed_inbox();
    let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}});
    let entry = Object { bytes: format!("{protocol}\n").into(), tag: 1 };
    server
        .workspace()
        .objects
        .insert(format!("{MANAGED_LOCATION}/_delta_log/00000000000000000002.json"), entry);
    for args in [&["inbox", "apply"][..], &["inbox", "list"], &["query", "--view", "requests"]] {
        let printed = fails(&server, folder.path(), &on_plan(args), 3);
        assert!(
            printed.contains("deletion vectors") && printed.contains("DROP FEATURE"),
            "{args:?}: {printed}"
        );
    }
}
