//! The binary on lakes in the clouds.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{Cloud, Placement, SECRET, place};

const BINARY: &str = env!("CARGO_BIN_EXE_lakeplan");

/// Runs a command with only these environment variables.
pub fn run(folder: &Path, environment: &[(String, String)], args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("USER", "tester")
        .envs(environment.iter().cloned());
    command.output().unwrap()
}

fn succeeds(folder: &Path, place: &Placement, args: &[&str]) -> String {
    let output = run(folder, &place.environment(), args);
    let printed = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {stderr}");
    assert!(!format!("{printed}{stderr}").contains(SECRET), "{args:?}: {printed}{stderr}");
    printed
}

fn json(folder: &Path, place: &Placement, args: &[&str]) -> Value {
    let printed = succeeds(folder, place, &[args, &["--json"]].concat());
    serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{args:?}: {printed}"))
}

#[test]
fn a_lake_in_a_cloud_supports_the_whole_workflow() {
    for cloud in [Cloud::S3, Cloud::Azure] {
        let Some(place) = place(cloud, "binary") else { continue };
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let lake = ["--lake", place.url.as_str()];
        let on = |args: &[&str]| json(folder, &place, &[args, &lake].concat());
        on(&["init"]);
        on(&["project", "create", "Payments", "--key", "PAY"]);
        on(&["task", "create", "Move the ledger", "--estimate", "1d"]);
        on(&["task", "create", "Check totals", "--depends-on", "PAY-1"]);
        on(&["task", "done", "PAY-1"]);
        let open = succeeds(
            folder,
            &place,
            &[&["query", "--view", "open_work", "--format", "json"][..], &lake].concat(),
        );
        let open: Vec<Value> = serde_json::from_str(&open).unwrap();
        assert_eq!(open.len(), 1, "{open:?}");
        assert_eq!(open[0]["task"], "PAY-2", "{open:?}");
        let counted = [
            "query",
            "SELECT count(*) AS n FROM tasks WHERE status = 'completed'",
            "--format",
            "json",
        ];
        let counted = succeeds(folder, &place, &[&counted[..], &lake].concat());
        assert_eq!(serde_json::from_str::<Value>(&counted).unwrap()[0]["n"], 1, "{counted}");
        on(&["maintain"]);
        on(&["doctor", "--full"]);
        let shown = on(&["lake", "show"]);
        assert_eq!(shown["seq"], 5, "{shown}");
    }
}

#[test]
fn a_lake_moves_from_a_folder_to_a_cloud_and_back() {
    for cloud in [Cloud::S3, Cloud::Azure] {
        let Some(place) = place(cloud, "backup") else { continue };
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let here = |args: &[&str]| json(folder, &place, args);
        here(&["init"]);
        here(&["project", "create", "Payments", "--key", "PAY"]);
        here(&["task", "create", "Move the ledger"]);
        here(&["backup", &place.url]);
        let there = here(&["task", "show", "PAY-1", "--lake", &place.url]);
        here(&["restore-lake", &place.url, "--lake", "./back"]);
        let back = here(&["task", "show", "PAY-1", "--lake", "./back"]);
        assert_eq!(there, here(&["task", "show", "PAY-1"]));
        assert_eq!(there, back);
        let head = |lake: &str| here(&["doctor", "--lake", lake])["head"].clone();
        assert_eq!(head("./lake"), head(&place.url));
        assert_eq!(head("./lake"), head("./back"));
        assert!(head("./lake").is_string(), "{}", here(&["doctor"]));
    }
}
