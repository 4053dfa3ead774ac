//! A lake that its schema identifies: created, registered, opened, and read-only, with its inbox
//! anywhere.

use std::sync::Arc;
use std::time::Duration;

use lakeplan::databricks::catalog::SchemaName;
use lakeplan::domain::secret::{Credentials, Secret};
use lakeplan::store::location::catalog::Catalog;
use object_store::ObjectStoreExt;
use object_store::path::Path as StorePath;
use serde_json::json;

use super::server::Server;
use super::workspace::Script;
use super::{
    BUCKET_LAKE, TOKEN, command, fails, guarded, json_of, ok, text, with_lake, workspace_of,
};
use crate::support::clock;

/// Opens the catalog of the library with the server's storage.
pub fn catalog(server: &Server, clock: Arc<dyn lakeplan::runtime::Clock>) -> Catalog {
    let workspace = workspace_of(server, Credentials::Token(Secret::new(TOKEN)));
    let variables = [
        ("AWS_ENDPOINT_URL", server.url()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_SECRET_ACCESS_KEY", "not-to-be-used"),
        ("AZURE_STORAGE_ENDPOINT", server.url()),
        ("AZURE_ALLOW_HTTP", "true"),
        ("GOOGLE_BASE_URL", server.url()),
    ];
    Catalog::new(
        Arc::new(workspace),
        clock,
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
    )
}

#[test]
fn init_registers_the_journal_so_that_the_schema_finds_the_lake() {
    let (server, folder) = with_lake();
    let path = folder.path();
    assert_eq!(
        server.workspace().ran(),
        [format!(
            "CREATE TABLE IF NOT EXISTS `main`.`plan`.`journal` USING DELTA LOCATION '{BUCKET_LAKE}/journal'"
        )]
    );
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"]);
    ok(
        &server,
        path,
        &["--lake", "main.plan", "task", "create", "Move the ledger", "--project", "PAY"],
    );
    let tasks =
        json_of(&server, path, &["--lake", "main.plan", "query", "SELECT key, title FROM tasks"]);
    assert_eq!(tasks, json!([{"key": "PAY-1", "title": "Move the ledger"}]));
    let shown = json_of(&server, path, &["--lake", "main.plan", "lake", "show"]);
    assert_eq!((shown["root"].as_str(), shown["copy"].as_bool()), (Some(BUCKET_LAKE), Some(false)));
    ok(&server, path, &["--lake", "main.plan", "doctor"]);
    let workspace = server.workspace();
    assert!(
        workspace.objects.keys().all(|key| key.starts_with("team/plans/lake/"))
            && workspace.objects.len() > 10
    );
    let seen = |operation: &str| {
        workspace.seen.iter().filter(|seen| seen.body["operation"] == operation).collect::<Vec<_>>()
    };
    let at_root =
        seen("PATH_READ_WRITE").into_iter().filter(|seen| seen.body["url"] == BUCKET_LAKE).count();
    assert_eq!(at_root, 1, "the location credential is requested once, to create the lake");
    let is_journal =
        |seen: &&super::workspace::Seen| seen.body["table_id"] == "id-of-main.plan.journal";
    assert!(seen("READ_WRITE").iter().all(is_journal), "something else was registered");
}

#[test]
fn init_without_a_warehouse_prints_the_statement_and_can_be_resumed() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let path = folder.path();
    let args = ["init", "main.plan", "--location", BUCKET_LAKE];
    let reply_text = ok(&server, path, &args);
    assert!(
        reply_text.contains("CREATE TABLE IF NOT EXISTS `main`.`plan`.`journal` USING DELTA LOCATION 's3://team/plans/lake/journal';"),
        "{reply_text}"
    );
    assert!(server.workspace().ran().is_empty());
    let reply_text = fails(&server, path, &["--lake", "main.plan", "task", "list"], 3);
    assert!(
        reply_text.contains("there is no lake in main.plan: it has no table journal\nhint: create one with lakeplan init main.plan --location URL"),
        "{reply_text}"
    );
    let before = server.workspace().objects.len();
    ok(&server, path, &[args.as_slice(), &["--warehouse", "w1"]].concat());
    assert_eq!(server.workspace().objects.len(), before, "another lake was created");
    let reply_text = fails(&server, path, &args, 1);
    assert!(reply_text.contains("there is a lake in main.plan already"), "{reply_text}");
}

#[test]
fn register_creates_tables_inbox_views_and_grants_idempotently() {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments"]);
    let before = server.workspace().objects.keys().cloned().collect::<Vec<_>>();
    let printed = ok(
        &server,
        path,
        &["--lake", "main.plan", "catalog", "register", "--grant", "plan-readers"],
    );
    assert!(
        printed.starts_with("USE CATALOG `main`;\nUSE SCHEMA `plan`;\nCREATE TABLE IF NOT EXISTS"),
        "{printed}"
    );
    assert_eq!(server.workspace().ran().len(), 1, "printing must not run statements");
    for _ in 0..2 {
        ok(
            &server,
            path,
            &[
                "--lake",
                "main.plan",
                "catalog",
                "register",
                "--warehouse",
                "w1",
                "--grant",
                "plan-readers",
            ],
        );
    }
    {
        let workspace = server.workspace();
        let (printed, of_owners) =
            printed.split_once("-- where it lacks them, from the owners").unwrap();
        assert!(of_owners.contains(
            "\n-- GRANT USE CATALOG ON CATALOG `main` TO `plan-readers`;\n-- GRANT USE SCHEMA ON SCHEMA `main`.`plan` TO"
        ));
        let printed_statements =
            printed.trim_end().trim_end_matches(';').split(";\n").skip(2).count();
        assert_eq!(
            workspace.ran().len(),
            1 + 2 * printed_statements,
            "the executed statements differ from the printed ones"
        );
        assert!(
            workspace
                .statements
                .iter()
                .all(|statement| statement["catalog"] == "main" && statement["schema"] == "plan")
        );
        for table in ["journal", "projects", "tasks", "users", "inbox", "runs"] {
            assert_eq!(
                workspace.tables[&format!("main.plan.{table}")]["storage_location"],
                format!("{BUCKET_LAKE}/{table}")
            );
        }
        for view in ["clock", "workload", "audit"] {
            assert_eq!(workspace.tables[&format!("main.plan.{view}")]["table_type"], "VIEW");
        }
        let given = |name: &str| {
            let mut given: Vec<_> = workspace.grants[&format!("main.plan.{name}")]
                .iter()
                .map(|(_, what)| what.as_str())
                .collect();
            given.sort_unstable();
            given.dedup();
            given.join(",")
        };
        assert_eq!(
            (given("journal").as_str(), given("workload").as_str(), given("inbox").as_str()),
            ("SELECT", "SELECT", "MODIFY,SELECT")
        );
        let after = workspace.objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(before, after, "registering wrote into the lake");
    }
    let views =
        json_of(&server, path, &["--lake", "main.plan", "catalog", "views", "--warehouse", "w1"]);
    assert!(
        views["statements"]
            .as_array()
            .unwrap()
            .iter()
            .all(|statement| statement["what"].as_str().unwrap().starts_with("view "))
    );
}

#[test]
fn a_failed_statement_is_named_with_the_number_that_ran() {
    let (server, folder) = with_lake();
    let sql = "CREATE TABLE IF NOT EXISTS `main`.`plan`.`agent_logs` USING DELTA LOCATION 's3://team/plans/lake/agent_logs'";
    let failure = super::statements::Answer {
        failure: Some(("42501", "no right to create")),
        ..Default::default()
    };
    server.workspace().answers.insert(sql.to_owned(), failure);
    let reply_text = fails(
        &server,
        folder.path(),
        &["--lake", "main.plan", "catalog", "register", "--warehouse", "w1"],
        1,
    );
    assert!(
        reply_text.contains(
            "table agent_logs: the warehouse reported: no right to create (SQLSTATE 42501)"
        ) && reply_text.contains(sql),
        "{reply_text}"
    );
}

#[test]
fn an_unavailable_warehouse_is_retryable() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let away = || {
        let answer = json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"});
        server.script("POST", "sql/statements", 1, 503, answer);
    };
    let init = ["init", "main.plan", "--location", BUCKET_LAKE, "--warehouse", "w1"];
    away();
    let reply_text = fails(&server, folder.path(), &init, 4);
    assert!(
        reply_text.contains(
            "its journal could not be registered: 127.0.0.1 responded with status 503: later\n  CREATE TABLE"
        ),
        "{reply_text}"
    );
    assert!(reply_text.contains("hint: retry the command later"), "{reply_text}");
    ok(&server, folder.path(), &init);
    for verb in ["register", "views"] {
        away();
        let reply_text = fails(
            &server,
            folder.path(),
            &["--lake", "main.plan", "catalog", verb, "--warehouse", "w1"],
            4,
        );
        assert!(
            reply_text.contains("responded with status 503: later; 0 of ")
                && reply_text.contains("does no harm\n  CREATE "),
            "{reply_text}"
        );
        assert!(reply_text.contains("hint: retry the command later"), "{reply_text}");
    }
    server.script(
        "POST",
        "sql/statements",
        1,
        403,
        json!({"error_code": "PERMISSION_DENIED", "message": "no CAN USE"}),
    );
    let reply_text = fails(
        &server,
        folder.path(),
        &["--lake", "main.plan", "catalog", "views", "--warehouse", "w1"],
        3,
    );
    assert!(
        reply_text.contains("access to the warehouse w1 was denied: no CAN USE; 0 of "),
        "{reply_text}"
    );
}

#[test]
fn a_query_opens_only_the_tables_that_it_reads() {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"]);
    ok(&server, path, &["--lake", "main.plan", "query", "SELECT 1"]);
    let listed = |sql: &str| {
        server.workspace().stored.clear();
        ok(&server, path, &["--lake", "main.plan", "query", sql]);
        let workspace = server.workspace();
        let requests = workspace
            .stored
            .iter()
            .map(|[_, path, query, _]| format!("{path}?{query}").replace("%2F", "/"));
        requests.collect::<Vec<_>>()
    };
    let reads = |requests: &[String], table: &str| {
        requests.iter().any(|request| request.contains(&format!("lake/{table}/")))
    };
    let requests = listed("SELECT count(*) FROM tasks");
    assert!(!reads(&requests, "agent_logs") && !reads(&requests, "inbox"), "{requests:?}");
    assert!(reads(&listed("SELECT * FROM agent_runs"), "agent_logs"));
    assert!(reads(&listed("SELECT * FROM information_schema.tables"), "agent_logs"));
}

#[test]
fn a_service_principal_gets_its_own_token() {
    let (server, folder) = with_lake();
    server.workspace().tokens.clear();
    let mut listing = command(&server, folder.path(), &["--lake", "main.plan", "project", "list"]);
    listing
        .env_remove("DATABRICKS_TOKEN")
        .env("DATABRICKS_CLIENT_ID", "app-1")
        .env("DATABRICKS_CLIENT_SECRET", "client-canary-secret");
    let output = guarded(&mut listing);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(server.workspace().tokens_granted, 1, "more than one token was requested");
    listing.env("DATABRICKS_CLIENT_SECRET", "wrong-canary");
    let reply_text = super::rendered(guarded(&mut listing), 3);
    assert!(reply_text.contains("does not accept the token"), "{reply_text}");
}

#[tokio::test]
async fn an_expired_token_is_reloaded_or_requested_again() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let me = lakeplan::net::Request::get("api/2.0/preview/scim/v2/Me");
    let by_file = workspace_of(&server, Credentials::TokenFile(file.clone()));
    by_file.send(&me).await.unwrap();
    server.workspace().tokens = ["second-canary".to_owned()].into();
    let refused = by_file.send(&me).await.unwrap_err();
    assert!(
        matches!(refused, lakeplan::databricks::WorkspaceError::Unauthorized { .. }),
        "{refused}"
    );
    assert!(!format!("{refused} {refused:?} {by_file:?}").contains("canary"));
    std::fs::write(&file, "second-canary").unwrap();
    by_file.send(&me).await.unwrap();

    let client =
        Credentials::Client { id: "app-1".to_owned(), secret: Secret::new("client-canary-secret") };
    let principal = workspace_of(&server, client);
    futures::future::try_join_all((0..8).map(|_| principal.send(&me))).await.unwrap();
    assert_eq!(
        server.workspace().tokens_granted,
        1,
        "concurrent requests must share one token request"
    );
    server.workspace().tokens.clear();
    principal.send(&me).await.unwrap();
    assert_eq!(server.workspace().tokens_granted, 2);
}

#[tokio::test]
async fn a_managed_inbox_is_read_with_its_own_credential() {
    let (server, _folder) = with_lake();
    let catalog = catalog(&server, clock());
    let name: SchemaName = "main.plan".parse().unwrap();
    server.workspace().clock = clock();
    let root = catalog.root(&name).await.unwrap();
    let log = StorePath::from("_delta_log/00000000000000000000.json");
    let below = catalog.inbox_root(&name, &root).await.unwrap();
    assert!(below.is_below_root && below.url.as_str() == "s3://team/plans/lake/inbox");
    assert!(below.store.get(&log).await.is_ok());
    assert_eq!(server.workspace().credentials("inbox"), 0, "it must not be registered");

    {
        let mut workspace = server.workspace();
        workspace.external_table("main.plan.inbox", "s3://team/__unitystorage/tables/7", "MANAGED");
        let entry = super::s3::Object { bytes: "{}".into(), tag: 1 };
        workspace.objects.insert(
            "team/__unitystorage/tables/7/_delta_log/00000000000000000000.json".to_owned(),
            entry,
        );
    }
    let elsewhere = catalog.inbox_root(&name, &root).await.unwrap();
    assert!(!elsewhere.is_below_root);
    assert_eq!(elsewhere.store.get(&log).await.unwrap().bytes().await.unwrap(), "{}");
    assert!(
        elsewhere.store.put(&StorePath::from("x"), "x".into()).await.is_err(),
        "the credential must be read-only"
    );
    assert!(root.store.get(&StorePath::from("../__unitystorage/tables/7")).await.is_err());
    assert_eq!(server.workspace().credentials("inbox"), 1);
}

#[tokio::test]
async fn each_cloud_gets_its_vended_credential() {
    let server = Server::start();
    server.workspace().clock = clock();
    let catalog = catalog(&server, clock());
    let name: SchemaName = "main.plan".parse().unwrap();
    for place in
        ["s3://team/lake", "abfss://plans@team.dfs.core.windows.net/lake", "gs://team/lake"]
    {
        server.workspace().external_table(
            "main.plan.journal",
            &format!("{place}/journal"),
            "EXTERNAL",
        );
        let root = catalog.root(&name).await.unwrap();
        assert_eq!(root.url.as_str(), place);
        // The server only implements S3; the test checks the credential that it received.
        let _ = root.store.get(&StorePath::from("journal/x")).await;
        let session = format!("session-canary-{}", server.workspace().credential.len());
        let [method, path, query, shown] = server.workspace().stored.pop().unwrap();
        assert!(
            method == "GET" && path.replace("%2F", "/").ends_with("lake/journal/x"),
            "{method} {path}"
        );
        match place.split(':').next().unwrap() {
            "s3" => assert!(shown.starts_with("AWS4-HMAC-SHA256 Credential=ASIA"), "{shown}"),
            "abfss" => assert!(
                query.contains(&format!("sig={session}%2Bsigned%3D")) && shown.is_empty(),
                "{query} {shown}"
            ),
            _ => assert_eq!(shown, format!("Bearer {session}")),
        }
    }
}

#[test]
fn a_lake_is_created_with_the_create_table_privilege_alone() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.workspace().scripts.push(Script {
        method: "POST",
        path: "temporary-path-credentials",
        body: "PATH_READ_WRITE",
        times: usize::MAX,
        status: 403,
        after: Duration::ZERO,
        headers: Vec::new(),
        answer: json!({"error_code": "PERMISSION_DENIED", "message": "no"}),
    });
    ok(
        &server,
        folder.path(),
        &["init", "main.plan", "--location", BUCKET_LAKE, "--warehouse", "w1"],
    );
    assert!(
        server.workspace().seen.iter().any(|seen| seen.body["operation"] == "PATH_CREATE_TABLE")
    );
    ok(&server, folder.path(), &["--lake", "main.plan", "project", "create", "Payments"]);
}
