//! Missing or damaged current tables: `fold` finds them by itself, and no other command fails
//! because of them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{LakeFolder, json_of, lake, ok, run, text};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Returns the newest data file of a table.
fn newest_file(lake: &Path, table: &str) -> PathBuf {
    let mut found = files(&lake.join(table));
    found.retain(|path| {
        path.extension().is_some_and(|end| end == "parquet")
            && !path.to_string_lossy().contains("_delta_log")
    });
    // A rebuild at the same seq may give the file any name, so the modification time decides.
    found.into_iter().max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap()
}

/// Returns a lake with rows in every table.
fn filled() -> LakeFolder {
    let folder = lake();
    let path = folder.path();
    let description =
        "# Ledger\n\n## Phase\n\n- Move it\n- Close it\n\n## Requirements\n\n- It must be fast\n";
    fs::write(path.join("plan.md"), description).unwrap();
    ok(path, &["plan", "plan.md", "--yes"]);
    assert!(count(path, "tasks") > 2);
    folder
}

/// Counts the rows of a table with SQL.
fn count(path: &Path, table: &str) -> usize {
    json_of(path, &["query", &format!("SELECT * FROM {table}")]).as_array().unwrap().len()
}

#[test]
fn fold_rebuilds_tables_with_missing_files() {
    let folder = filled();
    let path = folder.path();
    let lake = path.join("lake");
    for table in ["tasks", "projects", "field_changes"] {
        let before = count(path, table);
        for broken in [None, Some(0), Some(2)] {
            let file = newest_file(&lake, table);
            let bytes = fs::read(&file).unwrap();
            match broken {
                None => fs::remove_file(&file).unwrap(),
                Some(0) => fs::write(&file, "").unwrap(),
                Some(part) => fs::write(&file, &bytes[..bytes.len() / part]).unwrap(),
            }
            let folded = run(path, &["fold"]);
            assert!(folded.status.success(), "{table} {broken:?}: {}", text(&folded.stderr));
            assert!(
                text(&folded.stderr).contains("rebuilt from the journal"),
                "{}",
                text(&folded.stderr)
            );
            assert!(text(&folded.stdout).contains(table), "{}", text(&folded.stdout));
            assert_eq!(count(path, table), before, "{table} {broken:?}");
            ok(path, &["doctor"]);
            assert!(ok(path, &["fold"]).contains("already"));
        }
    }
}

#[test]
fn maintain_and_upgrade_work_with_a_damaged_table() {
    for (args, table) in
        [(&["maintain"][..], "tasks"), (&["upgrade"], "tasks"), (&["upgrade"], "task_requirements")]
    {
        for is_log in [false, true] {
            let folder = filled();
            let path = folder.path();
            let lake = path.join("lake");
            if is_log {
                fs::write(lake.join(table).join("_delta_log/00000000000000000000.json"), "x\n")
                    .unwrap();
            } else if table == "tasks" {
                fs::remove_file(newest_file(&lake, table)).unwrap();
            } else {
                continue;
            }
            if args == ["upgrade"] {
                let dry = run(path, &["upgrade", "--dry-run"]);
                assert!(dry.status.success(), "{table} {is_log}: {}", text(&dry.stderr));
            }
            let done = run(path, args);
            assert!(done.status.success(), "{args:?} {table} {is_log}: {}", text(&done.stderr));
            ok(path, &["doctor"]);
        }
    }
}

#[test]
fn a_table_from_a_copy_of_the_lake_is_reported_and_rebuilt() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["project", "create", "P", "--key", "PP"]);
    ok(path, &["task", "create", "one", "--project", "PP"]);
    copy(&path.join("lake"), &path.join("other"));
    ok(path, &["--lake", "other", "lake", "adopt"]);
    ok(path, &["user", "add", "ana"]);
    ok(path, &["task", "create", "a-task", "--project", "PP"]);
    ok(path, &["--lake", "other", "task", "create", "b-task", "--project", "PP"]);
    for more in [0, 3] {
        for number in 0..more {
            ok(
                path,
                &[
                    "--lake",
                    "other",
                    "task",
                    "create",
                    &format!("more {number}"),
                    "--project",
                    "PP",
                ],
            );
        }
        fs::remove_dir_all(path.join("lake/tasks")).unwrap();
        copy(&path.join("other/tasks"), &path.join("lake/tasks"));
        for args in [&["task", "list"][..], &["project", "list"]] {
            let rendered = run(path, args);
            assert!(
                rendered.status.success() && !text(&rendered.stdout).contains("b-task"),
                "{}",
                text(&rendered.stdout)
            );
            let warnings = text(&rendered.stderr);
            assert_eq!(warnings.matches("another journal").count(), 1, "{args:?}: {warnings}");
        }
        assert!(run(path, &["task", "update", "PP-2", "--title", "changed"]).status.success());
        assert!(ok(path, &["task", "list"]).contains("changed"));
        ok(path, &["doctor"]);
    }
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
    }
}
