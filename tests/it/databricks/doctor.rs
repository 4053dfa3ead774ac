//! `doctor --databricks`: what is there, and of what is missing the statement that gives it.

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

/// The checks that found something missing: what, what was said, the way out.
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
fn a_lake_with_all_it_needs_passes_every_check() {
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
        assert!(names.contains(&what), "{what} is not looked at: {names:?}");
    }
    let printed = ok(&server, folder.path(), &DOCTOR);
    assert!(
        printed.contains("ok       identity")
            && printed.contains("ana@example.com")
            && printed.ends_with("main.plan has what it needs\n"),
        "{printed}"
    );
    assert!(
        server.world().statements.iter().all(|statement| statement["statement"] != "SELECT 1"),
        "it runs no statement"
    );
}

#[test]
fn each_thing_that_is_missing_is_reported_with_its_way_out() {
    let (server, folder) = registered();
    let path = folder.path();
    {
        let mut world = server.world();
        world.external_access = Some(false);
        world.tables.remove("main.plan.workload");
        world.tables.remove("main.plan.users");
        world.tables.get_mut("main.plan.tasks").unwrap()["properties"]["delta.enableRowTracking"] =
            json!("true");
        world.grants.remove("main.plan.inbox");
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
fn what_comes_later_is_not_looked_at_where_what_it_rests_on_is_missing() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let found = missing(&server, folder.path());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].0 == "journal" && found[0].2.contains("lakeplan init main.plan --location URL"),
        "{found:#?}"
    );
    server.world().schemas.clear();
    let found = missing(&server, folder.path());
    assert!(found.len() == 1 && found[0].2.contains("CREATE SCHEMA `main`.`plan`"), "{found:#?}");
    server.world().tokens.clear();
    let found = missing(&server, folder.path());
    assert!(
        found.len() == 1 && found[0].0 == "identity" && found[0].1.contains("expired"),
        "{found:#?}"
    );
    let printed = fails(&server, folder.path(), &["--lake", "./x", "doctor", "--databricks"], 1);
    assert!(printed.contains("is not a lake in Unity Catalog"), "{printed}");
}
