//! What is missing or wrong gets one sentence and the way out, and nothing is left half done.

use std::time::Duration;

use serde_json::json;

use super::server::Server;
use super::world::Script;
use super::{BUCKET_LAKE, command, fails, guarded, ok, run, text, told, with_lake};

const LIST: [&str; 4] = ["--lake", "main.plan", "task", "list"];

#[test]
fn a_workspace_that_is_not_named_or_not_to_be_spoken_to_is_told() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let with = |name: &str, value: Option<&str>| {
        let mut command = command(&server, folder.path(), &LIST);
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
        guarded(&mut command)
    };
    let said = told(with("DATABRICKS_HOST", None), 3);
    assert!(
        said.contains("error: no Databricks workspace is named: DATABRICKS_HOST is not set\nhint: set DATABRICKS_HOST"),
        "{said}"
    );
    assert!(
        said.contains("a folder whose name reads as catalog.schema is written ./catalog.schema"),
        "{said}"
    );
    let said = told(with("DATABRICKS_TOKEN", None), 3);
    assert!(said.contains("DATABRICKS_TOKEN is not set"), "{said}");
    let said = told(with("DATABRICKS_HOST", Some("http://example.com")), 3);
    assert!(said.contains("it is not https"), "{said}");
    let said = told(with("DATABRICKS_HOST", Some("https://me:canary@example.com")), 3);
    assert!(said.contains("it holds a name or a password"), "{said}");
    let said = told(with("DATABRICKS_HOST", Some("http://127.0.0.1:1")), 4);
    assert!(said.contains("127.0.0.1 cannot be reached"), "{said}");
    let said = told(with("DATABRICKS_TOKEN_FILE", Some("/nowhere/token")), 3);
    assert!(said.contains("the token file /nowhere/token cannot be read"), "{said}");
    let said = told(with("DATABRICKS_TOKEN", Some("two canary words")), 3);
    assert!(said.contains("the token of DATABRICKS_TOKEN has a space"), "{said}");
    assert!(server.world().seen.is_empty());
}

#[test]
fn an_expired_token_is_told_and_not_repeated() {
    let (server, folder) = with_lake();
    server.world().tokens.clear();
    for words in
        [LIST.as_slice(), &["--lake", "main.plan", "query", "--warehouse", "w1", "SELECT 1"]]
    {
        let said = fails(&server, folder.path(), words, 3);
        assert!(
            said.contains("does not accept the token: it is wrong, has expired or was revoked\nhint: make a new token"),
            "{said}"
        );
    }
    let mut debug = command(&server, folder.path(), &LIST);
    let said = text(&guarded(debug.env("LAKEPLAN_LOG", "debug")).stderr);
    assert!(said.contains("does not accept the token"), "{said}");
}

#[test]
fn a_refusal_that_repeats_the_token_is_shown_without_it() {
    let (server, folder) = with_lake();
    let message = format!("the token {} may not see tables", super::TOKEN);
    server.script(
        "GET",
        "tables",
        usize::MAX,
        403,
        json!({"error_code": "PERMISSION_DENIED", "message": message}),
    );
    let said = fails(&server, folder.path(), &LIST, 3);
    assert!(
        said.contains("the token *** may not see tables")
            && said.contains("GRANT USE CATALOG ON CATALOG `main`"),
        "{said}"
    );
}

#[test]
fn a_request_that_is_sent_again_is_logged_without_the_token_that_its_refusal_repeats() {
    let (server, folder) = with_lake();
    let message = format!("the token {} is too busy", super::TOKEN);
    server.script(
        "GET",
        "tables",
        1,
        503,
        json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": message}),
    );
    let mut listing = command(&server, folder.path(), &LIST);
    let output = guarded(listing.env("LAKEPLAN_LOG", "debug"));
    let said = text(&output.stderr);
    assert!(
        output.status.success() && said.contains("answers 503: the token *** is too busy"),
        "{said}"
    );
}

/// The list, asked for by a service principal.
fn by_client(server: &Server, folder: &std::path::Path, secret: &str) -> std::process::Output {
    let mut listing = command(server, folder, &LIST);
    listing
        .env_remove("DATABRICKS_TOKEN")
        .env("DATABRICKS_CLIENT_ID", "app-1")
        .env("DATABRICKS_CLIENT_SECRET", secret);
    guarded(&mut listing)
}

#[test]
fn a_client_secret_with_a_space_is_told_and_sent_nowhere() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let said = told(by_client(&server, folder.path(), "two canary words"), 3);
    assert!(said.contains("the client secret of DATABRICKS_CLIENT_SECRET has a space"), "{said}");
    assert!(said.contains("hint: set it to the client secret and nothing else"), "{said}");
    assert!(server.world().seen.is_empty());
}

#[test]
fn a_granted_token_that_is_none_is_told_as_such() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    for token in ["two canary\nwords", ""] {
        server.script(
            "POST",
            "oidc/v1/token",
            1,
            200,
            json!({"access_token": token, "expires_in": 3600}),
        );
        let said = told(by_client(&server, folder.path(), "client-canary-secret"), 3);
        assert!(
            said.contains(
                "127.0.0.1 grants a token that is empty or has a character that no token has"
            ),
            "{said}"
        );
    }
    assert_eq!(server.world().seen.len(), 2, "such a token is not sent");
}

#[test]
fn a_refusal_that_repeats_the_client_secret_is_shown_without_it() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let header = "YXBwLTE6Y2xpZW50LWNhbmFyeS1zZWNyZXQ=";
    let message = format!("not from here with client-canary-secret, sent as {header}");
    server.script(
        "POST",
        "oidc/v1/token",
        1,
        403,
        json!({"error": "access_denied", "error_description": message}),
    );
    let said = told(by_client(&server, folder.path(), "client-canary-secret"), 3);
    assert!(said.contains("not from here with ***, sent as ***"), "{said}");
}

#[test]
fn nothing_secret_is_in_the_log_of_a_whole_run() {
    let (server, folder) = with_lake();
    let words = ["--lake", "main.plan", "project", "create", "Payments"];
    let mut loud = command(&server, folder.path(), &words);
    let output = guarded(loud.env("LAKEPLAN_LOG", "trace"));
    assert!(
        output.status.success() && text(&output.stderr).len() > 1000,
        "{}",
        text(&output.stderr)
    );
    assert!(server.world().vended.keys().all(|session| session.contains(super::CANARY)));
}

#[test]
fn a_missing_right_comes_with_its_grant() {
    let cases = [
        (
            "User does not have EXTERNAL USE SCHEMA on Schema 'main.plan'.",
            "GRANT EXTERNAL USE SCHEMA ON SCHEMA `main`.`plan` TO `ana@example.com`",
        ),
        (
            "User does not have SELECT on Table 'journal'.",
            "GRANT SELECT ON SCHEMA `main`.`plan` TO `ana@example.com`",
        ),
        (
            "Access denied.",
            "GRANT EXTERNAL USE SCHEMA ON SCHEMA `main`.`plan` TO `ana@example.com`; GRANT",
        ),
    ];
    for (message, grant) in cases {
        let (server, folder) = with_lake();
        server.refuse("temporary-table-credentials", "", 403, message);
        let said = fails(&server, folder.path(), &LIST, 3);
        assert!(
            said.contains(message) && said.contains(&format!("hint: let the owner run: {grant}")),
            "{said}"
        );
        assert!(
            said.matches("GRANT").count() == 1 || message == "Access denied.",
            "only what is missing: {said}"
        );
    }
}

#[test]
fn a_place_where_no_lake_may_be_made_comes_with_its_grant() {
    let message = "User does not have EXTERNAL USE LOCATION on External Location 'plans'.";
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.refuse("temporary-path-credentials", "", 403, message);
    let said = fails(&server, folder.path(), &["init", "main.plan", "--location", BUCKET_LAKE], 3);
    let grant = "GRANT EXTERNAL USE LOCATION ON EXTERNAL LOCATION `plans` TO `ana@example.com`";
    assert!(
        said.contains(message) && said.contains(&format!("hint: let the owner run: {grant}")),
        "{said}"
    );
}

#[test]
fn external_data_access_that_is_off_is_told_as_a_setting() {
    let (server, folder) = with_lake();
    let message = "Request to generate access credential for path from outside of Databricks Unity Catalog enabled compute environment is denied for security.";
    let details = json!([{"reason": "UNITY_CATALOG_EXTERNAL_GENERATE_TABLE_CREDENTIALS_DENIED"}]);
    let answer = json!({"error_code": "UNAUTHENTICATED", "message": message, "details": details});
    server.script("POST", "temporary-table-credentials", usize::MAX, 401, answer);
    let said = fails(&server, folder.path(), &LIST, 3);
    assert!(
        said.contains("external data access is off\nhint: a metastore admin turns it on"),
        "{said}"
    );
}

#[test]
fn a_journal_that_is_not_ours_to_write_is_refused() {
    let (server, folder) = with_lake();
    let path = folder.path();
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let before = server.world().tables["main.plan.journal"].clone();
        change(server.world().tables.get_mut("main.plan.journal").unwrap());
        let said = fails(&server, path, &LIST, 3);
        server.world().tables.insert("main.plan.journal".to_owned(), before);
        said
    };
    let said = with(&|table| table["table_type"] = json!("MANAGED"));
    assert!(
        said.contains("main.plan.journal is a managed table, and Lakeplan writes only external Delta tables\nhint: "),
        "{said}"
    );
    let said = with(&|table| table["storage_location"] = json!("s3://team/plans/lake/other"));
    assert!(said.contains("a folder named journal"), "{said}");
    for (name, value, feature) in [
        ("delta.enableRowTracking", "true", "row tracking"),
        ("delta.enableDeletionVectors", "true", "deletion vectors"),
        ("clusteringColumns", "[[\"seq\"]]", "liquid clustering"),
        ("delta.feature.catalogManaged", "supported", "catalog commits"),
    ] {
        let said = with(&|table| table["properties"][name] = json!(value));
        assert!(
            said.contains(&format!("the table features {feature}, which Lakeplan does not write\nhint: only Lakeplan may")),
            "{said}"
        );
    }
    ok(&server, path, &LIST);
}

#[test]
fn a_log_whose_protocol_asks_for_more_is_read_and_not_written() {
    let (server, folder) = with_lake();
    let features = json!(["deletionVectors", "rowTracking", "clustering"]);
    let entry = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": features}});
    {
        let mut world = server.world();
        let last = world.objects.keys().filter(|key| key.contains("journal/_delta_log/0")).count();
        let entry = super::s3::Object { bytes: entry.to_string().into(), tag: 9 };
        world.objects.insert(format!("team/plans/lake/journal/_delta_log/{last:020}.json"), entry);
    }
    ok(&server, folder.path(), &LIST);
    let said =
        fails(&server, folder.path(), &["--lake", "main.plan", "project", "create", "Payments"], 3);
    assert!(
        said.contains(
            "the table features deletion vectors, liquid clustering, row tracking, which"
        ),
        "{said}"
    );
}

#[test]
fn what_is_not_there_is_named() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let path = folder.path();
    let said = fails(&server, path, &["--lake", "mian.plan", "task", "list"], 3);
    assert!(
        said.contains("there is no catalog mian")
            && said.contains("GRANT USE CATALOG ON CATALOG `mian` TO `ana@example.com`"),
        "{said}"
    );
    let said = fails(&server, path, &["--lake", "main.paln", "task", "list"], 3);
    assert!(
        said.contains("there is no schema main.paln")
            && said.contains("CREATE SCHEMA `main`.`paln`"),
        "{said}"
    );
    let said = fails(&server, path, &["init", "main.paln", "--location", BUCKET_LAKE], 3);
    assert!(said.contains("there is no schema main.paln"), "{said}");
    let said = fails(&server, path, &["init", "main.plan"], 2);
    assert!(said.contains("--location URL") && said.contains("./main.plan"), "{said}");
    let said = fails(&server, path, &["init", "./plan", "--location", BUCKET_LAKE], 2);
    assert!(said.contains("./plan is its own place"), "{said}");
    let said = fails(&server, path, &["init", "main.plan", "--location", "/data/lake"], 3);
    assert!(said.contains("not at /data/lake"), "{said}");
    let said = fails(&server, path, &["--lake", "./x", "catalog", "views"], 1);
    assert!(said.contains("./x: is no lake in Unity Catalog"), "{said}");
    assert!(server.world().objects.is_empty(), "nothing was begun");
    assert!(!path.join("plan").exists() && !path.join("main.plan").exists());
}

#[test]
fn a_folder_whose_name_reads_as_a_schema_is_written_with_its_path() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    ok(&server, folder.path(), &["--lake", "./main.plan", "init"]);
    ok(&server, folder.path(), &["--lake", "./main.plan", "task", "list"]);
    assert!(server.world().seen.is_empty());
    fails(&server, folder.path(), &LIST, 3);
    assert!(!server.world().seen.is_empty(), "without its path it is the schema");
}

#[cfg(not(target_os = "macos"))]
#[test]
fn a_volume_that_does_not_exist_yet_is_named_and_not_made() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let said =
        fails(&server, folder.path(), &["--lake", "/Volumes/main/plan/trial/lake", "init"], 3);
    assert!(
        said.contains("there is no volume main.plan.trial")
            && said.contains("CREATE VOLUME `main`.`plan`.`trial`"),
        "{said}"
    );
    assert!(!std::path::Path::new("/Volumes/main").exists());
}

#[test]
fn a_busy_workspace_is_asked_again_and_a_redirect_is_not_followed() {
    let (server, folder) = with_lake();
    let path = folder.path();
    let later = |status| Script {
        method: "GET",
        path: "tables",
        body: "",
        times: 1,
        status,
        after: Duration::ZERO,
        headers: vec![("retry-after", "0")],
        answer: json!({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"}),
    };
    server.world().scripts.extend([later(429), later(503)]);
    let before = server.world().looked_up("journal");
    ok(&server, path, &LIST);
    assert_eq!(server.world().looked_up("journal") - before, 3);

    let elsewhere = vec![("location", "http://127.0.0.1:1/login")];
    server.world().scripts.push(Script { times: 1, headers: elsewhere, ..later(302) });
    let said = fails(&server, path, &LIST, 3);
    assert!(said.contains("answers 302 and points elsewhere"), "{said}");
    let hour = vec![("retry-after", "3600")];
    server.world().scripts.push(Script { times: 1, headers: hour, ..later(429) });
    let said = fails(&server, path, &LIST, 4);
    assert!(said.contains("is asked too often"), "{said}");
}

#[test]
fn a_warehouse_that_cannot_be_used_is_told_with_the_setting() {
    let (server, folder) = with_lake();
    let path = folder.path();
    let ask = |id: &str| {
        run(&server, path, &["--lake", "main.plan", "query", "--warehouse", id, "SELECT 1"])
    };
    let said = told(ask("w9"), 3);
    assert!(
        said.contains("there is no warehouse w9") && said.contains("Connection details"),
        "{said}"
    );
    server.script(
        "POST",
        "sql/statements",
        1,
        403,
        json!({"error_code": "PERMISSION_DENIED", "message": "no CAN USE"}),
    );
    let said = told(ask("w1"), 3);
    assert!(
        said.contains("the warehouse w1 may not be used: no CAN USE\nhint: let the warehouse's owner give CAN USE"),
        "{said}"
    );
    let stopped = json!({"error_code": "BAD_REQUEST", "message": "Warehouse w1 is stopped and cannot be started by this user"});
    server.script("POST", "sql/statements", 1, 400, stopped);
    let said = told(ask("w1"), 3);
    assert!(
        said.contains("the warehouse w1 is stopped, and this user may not start it")
            && said.contains("hint: start it in SQL Warehouses"),
        "{said}"
    );
}
