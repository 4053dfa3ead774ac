//! An inbox that Databricks keeps: a managed table beside the lake's place, written by SQL users and read with a
//! credential of its own.

use std::path::Path;

use serde_json::json;

use super::s3::Object;
use super::server::Server;
use super::{fails, json_of, ok, with_lake};
use crate::cli::inbox::{ask, create};

const KEPT: &str = "team/__unitystorage/tables/7";
const ON_PLAN: [&str; 2] = ["--lake", "main.plan"];

fn on_plan<'w>(words: &[&'w str]) -> Vec<&'w str> {
    [&ON_PLAN, words].concat()
}

/// A lake in the catalog whose inbox is a managed table with one request. The folder inbox of the lake has another, which
/// is not to be found.
fn with_managed_inbox() -> (Server, tempfile::TempDir) {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &on_plan(&["project", "create", "Payments", "--key", "PAY"]));
    upload(&server, "managed", "Read the ledger", KEPT);
    upload(&server, "unmanaged", "Read nothing", "team/plans/lake/inbox");
    server.world().external_table("main.plan.inbox", &format!("s3://{KEPT}"), "MANAGED");
    (server, folder)
}

/// Puts an inbox into the server's storage as delta-rs wrote it.
fn upload(server: &Server, request: &str, title: &str, to: &str) {
    let folder = tempfile::tempdir().unwrap();
    ok(server, folder.path(), &["init", "--lake", "lake"]);
    ask(folder.path(), &[(request, "2026-11-20T10:00:00Z", "ana", &create(title))]);
    let table = folder.path().join("lake/inbox");
    for file in files(&table) {
        let key = format!("{to}/{}", file.strip_prefix(&table).unwrap().to_str().unwrap());
        server
            .world()
            .objects
            .insert(key, Object { bytes: std::fs::read(&file).unwrap().into(), tag: 1 });
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn requests_of_a_managed_inbox_are_applied_and_answered_with_one_credential_of_its_own() {
    let (server, folder) = with_managed_inbox();
    let path = folder.path();
    server.world().stored.clear();
    let answered = json_of(&server, path, &on_plan(&["inbox", "apply"]));
    assert_eq!(answered["answers"].as_array().unwrap().len(), 1, "{answered}");
    assert_eq!(
        (&answered["answers"][0]["request_id"], &answered["answers"][0]["outcome"]),
        (&json!("managed"), &json!("applied"))
    );
    {
        let world = server.world();
        assert_eq!(world.credentials("inbox"), 1);
        let key = world.vended.values().position(|vended| vended.url == format!("s3://{KEPT}"));
        assert!(key.is_some(), "the credential is for the table's place");
        let own = |path: &str, query: &str| {
            format!("{path}?{query}").replace("%2F", "/").contains("__unitystorage/tables/7")
        };
        let (of_inbox, of_lake): (Vec<_>, Vec<_>) =
            world.stored.iter().partition(|[_, path, query, _]| own(path, query));
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
            "the inbox is read with the lake's credential"
        );
        assert!(
            of_inbox.iter().all(|[method, ..]| method == "GET"),
            "the inbox is only read: {of_inbox:?}"
        );
        let beside = of_lake.iter().find(|[_, path, query, _]| {
            format!("{path}?{query}").replace("%2F", "/").contains("lake/inbox/")
        });
        assert_eq!(beside, None, "the folder inbox of the lake is not the inbox");
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
fn lists_views_and_queries_read_the_managed_inbox_and_others_ask_nothing_of_it() {
    let (server, folder) = with_managed_inbox();
    let path = folder.path();
    server.world().seen.clear();
    for words in [
        &["query", "SELECT count(*) FROM tasks WHERE title = 'inbox'"][..],
        &["query", "--view", "workload"],
        &["report", "--json"],
        &["task", "list"],
    ] {
        ok(&server, path, &on_plan(words));
        let world = server.world();
        assert_eq!((world.looked_up("inbox"), world.credentials("inbox")), (0, 0), "{words:?}");
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
        assert_eq!(server.world().credentials("inbox"), number + 1);
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
fn a_managed_inbox_that_may_not_be_read_names_the_grant_and_keeps_no_one_from_the_rest() {
    let (server, folder) = with_managed_inbox();
    let path = folder.path();
    let denied = "User does not have SELECT on Table 'inbox'.";
    server.refuse("temporary-table-credentials", "id-of-main.plan.inbox", 403, denied);
    for words in [&["inbox", "apply"][..], &["inbox", "list"], &["query", "SELECT * FROM requests"]]
    {
        let printed = fails(&server, path, &on_plan(words), 3);
        assert!(
            printed.contains("is not allowed to read the table inbox")
                && printed.contains("GRANT SELECT"),
            "{words:?}: {printed}"
        );
    }
    assert_eq!(
        json_of(&server, path, &on_plan(&["query", "SELECT key FROM projects"])),
        json!([{"key": "PAY"}])
    );
}

#[test]
fn a_managed_inbox_with_features_that_are_not_read_here_says_which() {
    let (server, folder) = with_managed_inbox();
    let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}});
    let entry = Object { bytes: format!("{protocol}\n").into(), tag: 1 };
    server.world().objects.insert(format!("{KEPT}/_delta_log/00000000000000000002.json"), entry);
    for words in [&["inbox", "apply"][..], &["inbox", "list"], &["query", "--view", "requests"]] {
        let printed = fails(&server, folder.path(), &on_plan(words), 3);
        assert!(
            printed.contains("deletion vectors") && printed.contains("DROP FEATURE"),
            "{words:?}: {printed}"
        );
    }
}
