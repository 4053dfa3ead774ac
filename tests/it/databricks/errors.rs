//! Anything missing or invalid is reported in one sentence with a hint, and nothing is left half
//! done.

use std::time::Duration;

use serde_json::json;

use super::server::Server;
use super::workspace::Script;
use super::{BUCKET_LAKE, command, fails, guarded, ok, rendered, run, text, with_lake};

const LIST: [&str; 4] = ["--lake", "main.plan", "task", "list"];

#[test]
fn a_missing_or_unreachable_workspace_is_reported() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let with = |name: &str, value: Option<&str>| {
        let mut command = command(&server, folder.path(), &LIST);
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
        guarded(&mut command)
    };
    let printed = rendered(with("DATABRICKS_HOST", None), 3);
    assert!(
        printed.contains(
            "error: no Databricks workspace: DATABRICKS_HOST is not set\nhint: set DATABRICKS_HOST"
        ),
        "{printed}"
    );
    assert!(
        printed.contains("for a folder with a name like catalog.schema, use ./catalog.schema"),
        "{printed}"
    );
    let printed = rendered(with("DATABRICKS_TOKEN", None), 3);
    assert!(printed.contains("DATABRICKS_TOKEN is not set"), "{printed}");
    let printed = rendered(with("DATABRICKS_HOST", Some("http://example.com")), 3);
    assert!(printed.contains("it is not https"), "{printed}");
    let printed = rendered(with("DATABRICKS_HOST", Some("https://me:canary@example.com")), 3);
    assert!(printed.contains("it contains a user name or a password"), "{printed}");
    let printed = rendered(with("DATABRICKS_HOST", Some("http://127.0.0.1:1")), 4);
    let refused = "127.0.0.1 cannot be reached: it refuses the connection";
    assert!(printed.contains(refused), "{printed}");
    assert!(printed.contains("hint: check DATABRICKS_HOST and the network"), "{printed}");
    for name in ["LAKEPLAN_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        let printed = rendered(with(name, Some("/nowhere/ca.pem")), 3);
        let unusable = format!(
            "error: {name}: the certificates in /nowhere/ca.pem cannot be used: No such file"
        );
        assert!(printed.contains(&unusable), "{printed}");
        assert!(printed.contains("hint: LAKEPLAN_CA_BUNDLE names a file"), "{printed}");
    }
    let mut behind_proxy = command(&server, folder.path(), &LIST);
    behind_proxy
        .env("DATABRICKS_HOST", "https://workspace.invalid")
        .env("HTTPS_PROXY", "socks5://me:canary@proxy");
    let printed = rendered(guarded(&mut behind_proxy), 3);
    let bad_proxy = "HTTPS_PROXY is not the address of an http or https proxy";
    assert!(printed.contains(bad_proxy), "{printed}");
    let printed = rendered(with("DATABRICKS_TOKEN_FILE", Some("/nowhere/token")), 3);
    assert!(printed.contains("the token file /nowhere/token cannot be read"), "{printed}");
    let printed = rendered(with("DATABRICKS_TOKEN", Some("two canary words")), 3);
    assert!(printed.contains("the token of DATABRICKS_TOKEN has a space"), "{printed}");
    assert!(server.workspace().seen.is_empty());
}

#[test]
fn an_expired_token_is_reported_and_not_printed() {
    let (server, folder) = with_lake();
    server.workspace().tokens.clear();
    for args in
        [LIST.as_slice(), &["--lake", "main.plan", "query", "--warehouse", "w1", "SELECT 1"]]
    {
        let printed = fails(&server, folder.path(), args, 3);
        assert!(
            printed.contains("does not accept the token: it is wrong, has expired or was revoked\nhint: create a new token"),
            "{printed}"
        );
    }
    let mut debug = command(&server, folder.path(), &LIST);
    let printed = text(&guarded(debug.env("LAKEPLAN_LOG", "debug")).stderr);
    assert!(printed.contains("does not accept the token"), "{printed}");
}

#[test]
fn an_error_that_contains_the_token_is_redacted() {
    let (server, folder) = with_lake();
    let message = format!("the token {} may not see tables", super::TOKEN);
    server.script(
        "GET",
        "tables",
        usize::MAX,
        403,
        json!({"error_code": "PERMISSION_DENIED", "message": message}),
    );
    let printed = fails(&server, folder.path(), &LIST, 3);
    assert!(
        printed.contains("the token *** may not see tables")
            && printed.contains("GRANT USE CATALOG ON CATALOG `main`"),
        "{printed}"
    );
}

#[test]
fn a_retry_is_logged_without_the_token() {
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
    let printed = text(&output.stderr);
    assert!(
        output.status.success()
            && printed.contains("responded with status 503: the token *** is too busy"),
        "{printed}"
    );
}

/// Lists tasks as a service principal.
fn run_as_client(server: &Server, folder: &std::path::Path, secret: &str) -> std::process::Output {
    let mut listing = command(server, folder, &LIST);
    listing
        .env_remove("DATABRICKS_TOKEN")
        .env("DATABRICKS_CLIENT_ID", "app-1")
        .env("DATABRICKS_CLIENT_SECRET", secret);
    guarded(&mut listing)
}

#[test]
fn a_client_secret_with_a_space_is_refused_locally() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let printed = rendered(run_as_client(&server, folder.path(), "two canary words"), 3);
    assert!(
        printed.contains("the client secret of DATABRICKS_CLIENT_SECRET has a space"),
        "{printed}"
    );
    assert!(printed.contains("hint: set it to the client secret and nothing else"), "{printed}");
    assert!(server.workspace().seen.is_empty());
}

#[test]
fn an_invalid_granted_token_is_reported() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    for token in ["two canary\nwords", ""] {
        server.script(
            "POST",
            "oidc/v1/token",
            1,
            200,
            json!({"access_token": token, "expires_in": 3600}),
        );
        let printed = rendered(run_as_client(&server, folder.path(), "client-canary-secret"), 3);
        assert!(
            printed
                .contains("127.0.0.1 returned a token that is empty or has an invalid character"),
            "{printed}"
        );
    }
    assert_eq!(server.workspace().seen.len(), 2, "such a token must not be sent");
}

#[test]
fn an_error_that_contains_the_client_secret_is_redacted() {
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
    let printed = rendered(run_as_client(&server, folder.path(), "client-canary-secret"), 3);
    assert!(printed.contains("not from here with ***, sent as ***"), "{printed}");
}

#[test]
fn the_debug_log_of_a_run_contains_no_secret() {
    let (server, folder) = with_lake();
    let args = ["--lake", "main.plan", "project", "create", "Payments"];
    let mut loud = command(&server, folder.path(), &args);
    let output = guarded(loud.env("LAKEPLAN_LOG", "trace"));
    assert!(
        output.status.success() && text(&output.stderr).len() > 1000,
        "{}",
        text(&output.stderr)
    );
    assert!(server.workspace().credential.keys().all(|session| session.contains(super::CANARY)));
}

#[test]
fn a_missing_privilege_is_reported_with_its_grant() {
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
        let printed = fails(&server, folder.path(), &LIST, 3);
        assert!(
            printed.contains(message)
                && printed.contains(&format!("hint: ask the owner to run: {grant}")),
            "{printed}"
        );
        assert!(
            printed.matches("GRANT").count() == 1 || message == "Access denied.",
            "granted privileges are listed too: {printed}"
        );
    }
}

#[test]
fn a_denied_location_is_reported_with_its_grant() {
    let message = "User does not have EXTERNAL USE LOCATION on External Location 'plans'.";
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    server.refuse("temporary-path-credentials", "", 403, message);
    let printed =
        fails(&server, folder.path(), &["init", "main.plan", "--location", BUCKET_LAKE], 3);
    let grant = "GRANT EXTERNAL USE LOCATION ON EXTERNAL LOCATION `plans` TO `ana@example.com`";
    assert!(
        printed.contains(message)
            && printed.contains(&format!("hint: ask the owner to run: {grant}")),
        "{printed}"
    );
}

#[test]
fn disabled_external_data_access_is_reported_as_a_setting() {
    let (server, folder) = with_lake();
    let message = "Request to generate access credential for path from outside of Databricks Unity Catalog enabled compute environment is denied for security.";
    let details = json!([{"reason": "UNITY_CATALOG_EXTERNAL_GENERATE_TABLE_CREDENTIALS_DENIED"}]);
    let answer = json!({"error_code": "UNAUTHENTICATED", "message": message, "details": details});
    server.script("POST", "temporary-table-credentials", usize::MAX, 401, answer);
    let printed = fails(&server, folder.path(), &LIST, 3);
    assert!(
        printed.contains("external data access is off\nhint: ask a metastore admin to turn it on"),
        "{printed}"
    );
}

#[test]
fn an_unsupported_journal_table_is_refused() {
    let (server, folder) = with_lake();
    let path = folder.path();
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let before = server.workspace().tables["main.plan.journal"].clone();
        change(server.workspace().tables.get_mut("main.plan.journal").unwrap());
        let printed = fails(&server, path, &LIST, 3);
        server.workspace().tables.insert("main.plan.journal".to_owned(), before);
        printed
    };
    let printed = with(&|table| table["table_type"] = json!("MANAGED"));
    assert!(
        printed.contains("main.plan.journal is a managed table, and Lakeplan writes only external Delta tables\nhint: "),
        "{printed}"
    );
    let printed = with(&|table| table["storage_location"] = json!("s3://team/plans/lake/other"));
    assert!(printed.contains("a folder named journal"), "{printed}");
    for (name, value, feature) in [
        ("delta.enableRowTracking", "true", "row tracking"),
        ("delta.enableDeletionVectors", "true", "deletion vectors"),
        ("clusteringColumns", "[[\"seq\"]]", "liquid clustering"),
        ("delta.feature.catalogManaged", "supported", "catalog commits"),
    ] {
        let printed = with(&|table| table["properties"][name] = json!(value));
        assert!(
            printed.contains(&format!("the table features {feature}, which Lakeplan does not write\nhint: only Lakeplan may")),
            "{printed}"
        );
    }
    ok(&server, path, &LIST);
}

#[test]
fn a_log_with_a_newer_writer_protocol_is_read_only() {
    let (server, folder) = with_lake();
    let features = json!(["deletionVectors", "rowTracking", "clustering"]);
    let entry = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": features}});
    {
        let mut workspace = server.workspace();
        let last =
            workspace.objects.keys().filter(|key| key.contains("journal/_delta_log/0")).count();
        let entry = super::s3::Object { bytes: entry.to_string().into(), tag: 9 };
        workspace
            .objects
            .insert(format!("team/plans/lake/journal/_delta_log/{last:020}.json"), entry);
    }
    ok(&server, folder.path(), &LIST);
    let printed =
        fails(&server, folder.path(), &["--lake", "main.plan", "project", "create", "Payments"], 3);
    assert!(
        printed.contains(
            "the table features deletion vectors, liquid clustering, row tracking, which"
        ),
        "{printed}"
    );
}

#[test]
fn missing_objects_are_named() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let path = folder.path();
    let printed = fails(&server, path, &["--lake", "mian.plan", "task", "list"], 3);
    assert!(
        printed.contains("catalog mian does not exist")
            && printed.contains("GRANT USE CATALOG ON CATALOG `mian` TO `ana@example.com`"),
        "{printed}"
    );
    let printed = fails(&server, path, &["--lake", "main.paln", "task", "list"], 3);
    assert!(
        printed.contains("schema main.paln does not exist")
            && printed.contains("CREATE SCHEMA `main`.`paln`"),
        "{printed}"
    );
    let printed = fails(&server, path, &["init", "main.paln", "--location", BUCKET_LAKE], 3);
    assert!(printed.contains("schema main.paln does not exist"), "{printed}");
    let printed = fails(&server, path, &["init", "main.plan"], 2);
    assert!(printed.contains("--location URL") && printed.contains("./main.plan"), "{printed}");
    let printed = fails(&server, path, &["init", "./plan", "--location", BUCKET_LAKE], 2);
    assert!(printed.contains("./plan is already a location"), "{printed}");
    let printed = fails(&server, path, &["init", "main.plan", "--location", "/data/lake"], 3);
    assert!(printed.contains("not /data/lake"), "{printed}");
    let printed = fails(&server, path, &["--lake", "./x", "catalog", "views"], 1);
    assert!(printed.contains("./x: is not a lake in Unity Catalog"), "{printed}");
    assert!(server.workspace().objects.is_empty(), "a lake was started");
    assert!(!path.join("plan").exists() && !path.join("main.plan").exists());
}

#[test]
fn a_folder_that_looks_like_a_schema_needs_a_path() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    ok(&server, folder.path(), &["--lake", "./main.plan", "init"]);
    ok(&server, folder.path(), &["--lake", "./main.plan", "task", "list"]);
    assert!(server.workspace().seen.is_empty());
    fails(&server, folder.path(), &LIST, 3);
    assert!(!server.workspace().seen.is_empty(), "without a path, the name must mean the schema");
}

#[cfg(not(target_os = "macos"))]
#[test]
fn a_missing_volume_is_reported_and_not_created() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let printed =
        fails(&server, folder.path(), &["--lake", "/Volumes/main/plan/trial/lake", "init"], 3);
    assert!(
        printed.contains("there is no volume main.plan.trial")
            && printed.contains("CREATE VOLUME `main`.`plan`.`trial`"),
        "{printed}"
    );
    assert!(!std::path::Path::new("/Volumes/main").exists());
}

#[test]
fn a_busy_workspace_is_retried_and_redirects_are_not_followed() {
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
    server.workspace().scripts.extend([later(429), later(503)]);
    let before = server.workspace().looked_up("journal");
    ok(&server, path, &LIST);
    assert_eq!(server.workspace().looked_up("journal") - before, 3);

    let elsewhere = vec![("location", "http://127.0.0.1:1/login")];
    server.workspace().scripts.push(Script { times: 1, headers: elsewhere, ..later(302) });
    let printed = fails(&server, path, &LIST, 3);
    assert!(printed.contains("responded with status 302, a redirect"), "{printed}");
    let hour = vec![("retry-after", "3600")];
    server.workspace().scripts.push(Script { times: 1, headers: hour, ..later(429) });
    let printed = fails(&server, path, &LIST, 4);
    assert!(printed.contains("rate limited by"), "{printed}");
}

#[test]
fn an_unusable_warehouse_is_reported_with_its_setting() {
    let (server, folder) = with_lake();
    let path = folder.path();
    let ask = |id: &str| {
        run(&server, path, &["--lake", "main.plan", "query", "--warehouse", id, "SELECT 1"])
    };
    let printed = rendered(ask("w9"), 3);
    assert!(
        printed.contains("there is no warehouse w9") && printed.contains("Connection details"),
        "{printed}"
    );
    server.script(
        "POST",
        "sql/statements",
        1,
        403,
        json!({"error_code": "PERMISSION_DENIED", "message": "no CAN USE"}),
    );
    let printed = rendered(ask("w1"), 3);
    assert!(
        printed.contains("access to the warehouse w1 was denied: no CAN USE\nhint: ask the warehouse's owner to grant CAN USE"),
        "{printed}"
    );
    let stopped = json!({"error_code": "BAD_REQUEST", "message": "Warehouse w1 is stopped and cannot be started by this user"});
    server.script("POST", "sql/statements", 1, 400, stopped);
    let printed = rendered(ask("w1"), 3);
    assert!(
        printed.contains("the warehouse w1 is stopped, and this user cannot start it")
            && printed.contains("hint: start it in SQL Warehouses"),
        "{printed}"
    );
}
