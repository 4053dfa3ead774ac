//! `doctor --databricks`: the existing objects, and a statement for each missing one.

use serde_json::{Value, json};

use super::server::Server;
use super::{fails, json_of, ok, run, with_lake};

const DOCTOR: [&str; 6] = ["--lake", "main.plan", "doctor", "--databricks", "--warehouse", "w1"];

fn registered() -> (Server, tempfile::TempDir) {
    let (server, folder) = with_lake();
    ok(&server, folder.path(), &["--lake", "main.plan", "project", "create", "Payments"]);
    ok(
        &server,
        folder.path(),
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
    (server, folder)
}

/// Returns the checks that found something missing, each with its name, message and hint.
fn missing(server: &Server, folder: &std::path::Path) -> Vec<(String, String, String)> {
    let output = run(server, folder, &[DOCTOR.as_slice(), &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", super::text(&output.stdout));
    let printed: Value = serde_json::from_slice(&output.stderr).unwrap();
    let checks = printed["error"]["checkup"]["checks"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let missing = checks.iter().filter(|check| check["state"] == "missing");
    missing
        .map(|check| (text(&check["what"]), text(&check["said"]), text(&check["way_out"])))
        .collect()
}

#[test]
fn a_complete_setup_passes_every_check() {
    let (server, folder) = registered();
    let checks = json_of(&server, folder.path(), &DOCTOR);
    assert_eq!(checks["missing"], 0);
    let names: Vec<&str> = checks["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["what"].as_str().unwrap())
        .collect();
    for what in [
        "workspace",
        "identity",
        "external data access",
        "schema",
        "journal",
        "EXTERNAL USE SCHEMA",
        "EXTERNAL USE LOCATION",
        "write credential",
        "table tasks",
        "views",
        "inbox",
        "warehouse",
    ] {
        assert!(names.contains(&what), "{what} was checked: {names:?}");
    }
    let printed = ok(&server, folder.path(), &DOCTOR);
    assert!(
        printed.contains("ok       identity")
            && printed.contains("ana@example.com")
            && printed.ends_with("main.plan has what it needs\n"),
        "{printed}"
    );
    assert!(
        server.workspace().statements.iter().all(|statement| statement["statement"] != "SELECT 1"),
        "a statement was run"
    );
}

#[test]
fn each_missing_part_is_reported_with_a_hint() {
    let (server, folder) = registered();
    let path = folder.path();
    {
        let mut workspace = server.workspace();
        workspace.external_access = Some(false);
        workspace.tables.remove("main.plan.workload");
        workspace.tables.remove("main.plan.users");
        workspace.tables.get_mut("main.plan.tasks").unwrap()["properties"]["delta.enableRowTracking"] =
            json!("true");
        workspace.grants.remove("main.plan.inbox");
    }
    let message = "User does not have MODIFY on Table 'main.plan.journal'.";
    server.refuse("temporary-table-credentials", "READ_WRITE", 403, message);
    let found = missing(&server, path);
    let advice = |what: &str| {
        found.iter().find(|(name, ..)| name == what).map_or("", |(_, _, advice)| advice).to_owned()
    };
    assert!(advice("external data access").contains("metastore admin"), "{found:#?}");
    assert!(
        advice("write credential")
            .contains("GRANT MODIFY ON SCHEMA `main`.`plan` TO `ana@example.com`"),
        "{found:#?}"
    );
    assert_eq!(advice("views"), "lakeplan --lake main.plan catalog views");
    assert_eq!(advice("table users"), "lakeplan --lake main.plan catalog register");
    assert!(advice("table tasks").contains("only Lakeplan may"), "{found:#?}");
    assert_eq!(
        advice("inbox"),
        "GRANT MODIFY, SELECT ON TABLE `main`.`plan`.`inbox` TO `<the SQL users>`"
    );
    assert_eq!(found.len(), 6, "{found:#?}");
    let printed = fails(&server, path, &DOCTOR, 1);
    assert!(
        printed.contains("6 things missing") && printed.contains("missing  views"),
        "{printed}"
    );
}

#[test]
fn checks_are_skipped_if_their_prerequisite_is_missing() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let found = missing(&server, folder.path());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].0 == "journal" && found[0].2.contains("lakeplan init main.plan --location URL"),
        "{found:#?}"
    );
    server.workspace().schemas.clear();
    let found = missing(&server, folder.path());
    assert!(found.len() == 1 && found[0].2.contains("CREATE SCHEMA `main`.`plan`"), "{found:#?}");
    server.workspace().tokens.clear();
    let found = missing(&server, folder.path());
    assert!(
        found.len() == 1 && found[0].0 == "identity" && found[0].1.contains("expired"),
        "{found:#?}"
    );
    let printed = fails(&server, folder.path(), &["--lake", "./x", "doctor", "--databricks"], 1);
    assert!(printed.contains("is not a lake in Unity Catalog"), "{printed}");
}
