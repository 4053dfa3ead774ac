//! A lake that is named by its schema: made, registered, found again, read only, and its inbox wherever it lies.

use std::sync::Arc;
use std::time::Duration;

use lakeplan::domain::secret::{Credentials, Secret};
use lakeplan::net::Workspace;
use lakeplan::store::catalog::{Catalog, SchemaName};
use object_store::ObjectStoreExt;
use object_store::path::Path as StorePath;
use serde_json::json;

use super::server::Server;
use super::world::Script;
use super::{BUCKET_LAKE, TOKEN, command, fails, guarded, json_of, ok, text, with_lake};
use crate::support::clock;

/// The catalog as a library, with the server's storage.
pub fn catalog(server: &Server, clock: Arc<dyn lakeplan::runtime::Clock>) -> Catalog {
    let workspace = Workspace::open(server.url(), Credentials::Token(Secret::new(TOKEN))).unwrap();
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
fn init_registers_the_journal_and_then_the_schema_names_the_lake() {
    let (server, folder) = with_lake();
    let path = folder.path();
    assert_eq!(
        server.world().ran(),
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
    let world = server.world();
    assert!(
        world.objects.keys().all(|key| key.starts_with("team/plans/lake/"))
            && world.objects.len() > 10
    );
    let seen = |operation: &str| {
        world.seen.iter().filter(|seen| seen.body["operation"] == operation).collect::<Vec<_>>()
    };
    let at_root =
        seen("PATH_READ_WRITE").into_iter().filter(|seen| seen.body["url"] == BUCKET_LAKE).count();
    assert_eq!(at_root, 1, "the place itself is asked for to make the lake, and never again");
    let is_journal =
        |seen: &&super::world::Seen| seen.body["table_id"] == "id-of-main.plan.journal";
    assert!(seen("READ_WRITE").iter().all(is_journal), "nothing else is registered");
}

#[test]
fn init_without_a_warehouse_shows_the_statement_and_can_be_taken_up_again() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let path = folder.path();
    let words = ["init", "main.plan", "--location", BUCKET_LAKE];
    let replied = ok(&server, path, &words);
    assert!(
        replied.contains("CREATE TABLE IF NOT EXISTS `main`.`plan`.`journal` USING DELTA LOCATION 's3://team/plans/lake/journal';"),
        "{replied}"
    );
    assert!(server.world().ran().is_empty());
    let replied = fails(&server, path, &["--lake", "main.plan", "task", "list"], 3);
    assert!(
        replied.contains("there is no lake in main.plan: it has no table journal\nhint: create one with lakeplan init main.plan --location URL"),
        "{replied}"
    );
    let before = server.world().objects.len();
    ok(&server, path, &[words.as_slice(), &["--warehouse", "w1"]].concat());
    assert_eq!(server.world().objects.len(), before, "the lake is the one that was begun");
    let replied = fails(&server, path, &words, 1);
    assert!(replied.contains("there is a lake in main.plan already"), "{replied}");
}

#[test]
fn register_makes_tables_inbox_views_and_rights_known_and_may_run_again() {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments"]);
    let before = server.world().objects.keys().cloned().collect::<Vec<_>>();
    let printed = ok(
        &server,
        path,
        &["--lake", "main.plan", "catalog", "register", "--grant", "plan-readers"],
    );
    assert!(
        printed.starts_with("USE CATALOG `main`;\nUSE SCHEMA `plan`;\nCREATE TABLE IF NOT EXISTS"),
        "{printed}"
    );
    assert_eq!(server.world().ran().len(), 1, "printing runs nothing");
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
        let world = server.world();
        let (printed, of_owners) =
            printed.split_once("-- where it lacks them, from the owners").unwrap();
        assert!(of_owners.contains(
            "\n-- GRANT USE CATALOG ON CATALOG `main` TO `plan-readers`;\n-- GRANT USE SCHEMA ON SCHEMA `main`.`plan` TO"
        ));
        let printed_statements =
            printed.trim_end().trim_end_matches(';').split(";\n").skip(2).count();
        assert_eq!(
            world.ran().len(),
            1 + 2 * printed_statements,
            "the same statements are run that are printed"
        );
        assert!(
            world
                .statements
                .iter()
                .all(|statement| statement["catalog"] == "main" && statement["schema"] == "plan")
        );
        for table in ["journal", "projects", "tasks", "users", "inbox", "runs"] {
            assert_eq!(
                world.tables[&format!("main.plan.{table}")]["storage_location"],
                format!("{BUCKET_LAKE}/{table}")
            );
        }
        for view in ["clock", "workload", "audit"] {
            assert_eq!(world.tables[&format!("main.plan.{view}")]["table_type"], "VIEW");
        }
        let given = |name: &str| {
            let mut given: Vec<_> = world.grants[&format!("main.plan.{name}")]
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
        let after = world.objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(before, after, "registering writes nothing into the lake");
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
fn a_statement_that_fails_says_which_and_how_many_ran() {
    let (server, folder) = with_lake();
    let sql = "CREATE TABLE IF NOT EXISTS `main`.`plan`.`agent_logs` USING DELTA LOCATION 's3://team/plans/lake/agent_logs'";
    let failure = super::statements::Answer {
        failure: Some(("42501", "no right to create")),
        ..Default::default()
    };
    server.world().answers.insert(sql.to_owned(), failure);
    let replied = fails(
        &server,
        folder.path(),
        &["--lake", "main.plan", "catalog", "register", "--warehouse", "w1"],
        1,
    );
    assert!(
        replied.contains(
            "table agent_logs: the warehouse reported: no right to create (SQLSTATE 42501)"
        ) && replied.contains(sql),
        "{replied}"
    );
}

#[test]
fn a_warehouse_that_is_away_for_a_while_is_a_reason_to_try_again() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let away = || {
        let answer = json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"});
        server.script("POST", "sql/statements", 1, 503, answer);
    };
    let init = ["init", "main.plan", "--location", BUCKET_LAKE, "--warehouse", "w1"];
    away();
    let replied = fails(&server, folder.path(), &init, 4);
    assert!(
        replied.contains(
            "its journal could not be registered: 127.0.0.1 responded with status 503: later\n  CREATE TABLE"
        ),
        "{replied}"
    );
    assert!(replied.contains("hint: retry the command later"), "{replied}");
    ok(&server, folder.path(), &init);
    for verb in ["register", "views"] {
        away();
        let replied = fails(
            &server,
            folder.path(),
            &["--lake", "main.plan", "catalog", verb, "--warehouse", "w1"],
            4,
        );
        assert!(
            replied.contains("responded with status 503: later; 0 of ")
                && replied.contains("does no harm\n  CREATE "),
            "{replied}"
        );
        assert!(replied.contains("hint: retry the command later"), "{replied}");
    }
    server.script(
        "POST",
        "sql/statements",
        1,
        403,
        json!({"error_code": "PERMISSION_DENIED", "message": "no CAN USE"}),
    );
    let replied = fails(
        &server,
        folder.path(),
        &["--lake", "main.plan", "catalog", "views", "--warehouse", "w1"],
        3,
    );
    assert!(
        replied.contains("access to the warehouse w1 was denied: no CAN USE; 0 of "),
        "{replied}"
    );
}

#[test]
fn a_query_opens_the_tables_that_it_reads_and_no_other() {
    let (server, folder) = with_lake();
    let path = folder.path();
    ok(&server, path, &["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"]);
    ok(&server, path, &["--lake", "main.plan", "query", "SELECT 1"]);
    let listed = |sql: &str| {
        server.world().stored.clear();
        ok(&server, path, &["--lake", "main.plan", "query", sql]);
        let world = server.world();
        let requests = world
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
    server.world().tokens.clear();
    let mut listing = command(&server, folder.path(), &["--lake", "main.plan", "project", "list"]);
    listing
        .env_remove("DATABRICKS_TOKEN")
        .env("DATABRICKS_CLIENT_ID", "app-1")
        .env("DATABRICKS_CLIENT_SECRET", "client-canary-secret");
    let output = guarded(&mut listing);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(server.world().tokens_granted, 1, "one token for all requests");
    listing.env("DATABRICKS_CLIENT_SECRET", "wrong-canary");
    let replied = super::rendered(guarded(&mut listing), 3);
    assert!(replied.contains("does not accept the token"), "{replied}");
}

#[tokio::test]
async fn a_token_that_ends_is_read_again_from_its_file_or_asked_for_again() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let me = lakeplan::net::Request::get("api/2.0/preview/scim/v2/Me");
    let by_file = Workspace::open(server.url(), Credentials::TokenFile(file.clone())).unwrap();
    by_file.send(&me).await.unwrap();
    server.world().tokens = ["second-canary".to_owned()].into();
    let refused = by_file.send(&me).await.unwrap_err();
    assert!(matches!(refused, lakeplan::net::NetError::Unauthorized { .. }), "{refused}");
    assert!(!format!("{refused} {refused:?} {by_file:?}").contains("canary"));
    std::fs::write(&file, "second-canary").unwrap();
    by_file.send(&me).await.unwrap();

    let client =
        Credentials::Client { id: "app-1".to_owned(), secret: Secret::new("client-canary-secret") };
    let principal = Workspace::open(server.url(), client).unwrap();
    futures::future::try_join_all((0..8).map(|_| principal.send(&me))).await.unwrap();
    assert_eq!(server.world().tokens_granted, 1, "asked for once, whoever comes meanwhile");
    server.world().tokens.clear();
    principal.send(&me).await.unwrap();
    assert_eq!(server.world().tokens_granted, 2);
}

#[tokio::test]
async fn an_inbox_that_databricks_keeps_elsewhere_is_read_with_a_credential_of_its_own() {
    let (server, _folder) = with_lake();
    let catalog = catalog(&server, clock());
    let name: SchemaName = "main.plan".parse().unwrap();
    server.world().clock = clock();
    let root = catalog.root(&name).await.unwrap();
    let log = StorePath::from("_delta_log/00000000000000000000.json");
    let below = catalog.inbox_root(&name, &root).await.unwrap();
    assert!(below.is_below_root && below.url.as_str() == "s3://team/plans/lake/inbox");
    assert!(below.store.get(&log).await.is_ok());
    assert_eq!(server.world().credentials("inbox"), 0, "it is not registered");

    {
        let mut world = server.world();
        world.external_table("main.plan.inbox", "s3://team/__unitystorage/tables/7", "MANAGED");
        let entry = super::s3::Object { bytes: "{}".into(), tag: 1 };
        world.objects.insert(
            "team/__unitystorage/tables/7/_delta_log/00000000000000000000.json".to_owned(),
            entry,
        );
    }
    let elsewhere = catalog.inbox_root(&name, &root).await.unwrap();
    assert!(!elsewhere.is_below_root);
    assert_eq!(elsewhere.store.get(&log).await.unwrap().bytes().await.unwrap(), "{}");
    assert!(
        elsewhere.store.put(&StorePath::from("x"), "x".into()).await.is_err(),
        "the credential is to read"
    );
    assert!(root.store.get(&StorePath::from("../__unitystorage/tables/7")).await.is_err());
    assert_eq!(server.world().credentials("inbox"), 1);
}

#[tokio::test]
async fn each_cloud_is_shown_the_credential_that_was_vended_for_it() {
    let server = Server::start();
    server.world().clock = clock();
    let catalog = catalog(&server, clock());
    let name: SchemaName = "main.plan".parse().unwrap();
    for place in
        ["s3://team/lake", "abfss://plans@team.dfs.core.windows.net/lake", "gs://team/lake"]
    {
        server.world().external_table("main.plan.journal", &format!("{place}/journal"), "EXTERNAL");
        let root = catalog.root(&name).await.unwrap();
        assert_eq!(root.url.as_str(), place);
        // The server speaks S3 only; what counts is what it was shown.
        let _ = root.store.get(&StorePath::from("journal/x")).await;
        let session = format!("session-canary-{}", server.world().vended.len());
        let [method, path, query, shown] = server.world().stored.pop().unwrap();
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
fn a_lake_is_made_with_the_right_to_create_tables_where_there_is_no_other() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.world().scripts.push(Script {
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
    assert!(server.world().seen.iter().any(|seen| seen.body["operation"] == "PATH_CREATE_TABLE"));
    ok(&server, folder.path(), &["--lake", "main.plan", "project", "create", "Payments"]);
}
