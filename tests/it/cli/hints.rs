//! Errors name the location and a fix.

use super::{command, fails, lake, ok, text};

#[test]
fn errors_have_a_hint() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Move the ledger", "--due", "31.1.2031"]);
    ok(path, &["backup", "copy"]);
    std::fs::write(path.join("a-file"), "").unwrap();
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["plan", "nofile.md"], 1, &["nofile.md: there is no such file", "hint: specify a file"]),
        (&["plan", "."], 1, &[".: is a folder", "lakeplan plan --folder"]),
        (
            &["plan", "--folder", "nowhere"],
            3,
            &["there is no folder nowhere", "hint: specify an existing folder"],
        ),
        (&["apply", "lake"], 1, &["lake: is a folder", "hint: specify a file in it"]),
        (&["backup", "lake2", "--at", "9999"], 1, &["there is no seq 9999 yet"]),
        (
            &["backup", "copy"],
            1,
            &["and it is not overwritten", "hint: choose a location that has no lake yet"],
        ),
        (
            &["--lake", "new", "restore-lake", "nowhere"],
            1,
            &["nowhere: holds no lake", "lakeplan backup wrote"],
        ),
        (
            &["task", "create", "X", "--due", "1/2/2031"],
            2,
            &["--due", "written as year, month, day, such as 2027-01-31"],
        ),
        (&["undo", "1"], 1, &["seq 1: maintains the lake itself", "hint: run lakeplan history"]),
        (
            &["--lake", "a-file", "task", "list"],
            3,
            &["a lake is a folder, but this is a file", "--lake"],
        ),
        (
            &["--lake", "a-file/lake", "init"],
            3,
            &["a lake is a folder, but this is a file", "--lake"],
        ),
        (
            &["undo", "99"],
            1,
            &["there is no change with the seq \"99\"", "hint: run lakeplan history"],
        ),
        (&["query", "SELECT 1; SELECT 2"], 2, &["ask one at a time"]),
        (&["query", "SELECT cast('a' AS int)"], 2, &["error: Cannot cast string 'a'"]),
        (&["query", "SELECT nope FROM tasks"], 2, &["there is no column nope"]),
    ];
    for (args, code, rendered) in cases {
        let printed = fails(path, args, *code);
        for part in *rendered {
            assert!(printed.contains(part), "{args:?} does not print {part:?}: {printed}");
        }
    }
}

#[test]
fn invalid_settings_are_reported_by_line_with_the_valid_values() {
    let folder = lake();
    let path = folder.path();
    std::fs::write(path.join("lakeplan.toml"), "lake = \"lake\"\nactor = [\n").unwrap();
    let printed = fails(path, &["task", "list"], 3);
    assert!(
        printed.contains("lakeplan.toml")
            && printed.contains("line 2")
            && printed.contains("hint: run lakeplan config defaults"),
        "{printed}"
    );
    assert!(ok(path, &["config", "defaults"]).contains("lake ="));
}

#[test]
fn usage_errors_are_json_for_every_spelling_of_the_flag() {
    let folder = lake();
    let path = folder.path();
    for args in [
        &["--json", "bogus"][..],
        &["--output=json", "bogus"],
        &["--output", "json", "bogus"],
        &["-ojson", "bogus"],
        &["-o=json", "bogus"],
        &["-o", "json", "bogus"],
        &["task", "create", "--output", "json"],
        &["task", "list", "--limit", "many", "--output=json"],
    ] {
        let printed: serde_json::Value = serde_json::from_str(&fails(path, args, 2))
            .unwrap_or_else(|err| panic!("{args:?}: {err}"));
        assert_eq!(printed["error"]["code"], "usage", "{args:?}");
    }
    let by_environment = |args: &[&str]| {
        let output = command(path, args).env("LAKEPLAN_OUTPUT", "json").output().unwrap();
        text(&output.stderr)
    };
    for args in [&["bogus"][..], &["task", "create"], &["--config", "nowhere.toml", "task", "list"]]
    {
        let printed = by_environment(args);
        assert!(printed.starts_with("{\"error\""), "{args:?}: {printed}");
    }
    assert!(by_environment(&["--output", "text", "bogus"]).starts_with("error: "));
    assert!(fails(path, &["task", "list", "--", "--json", "x"], 2).starts_with("error: "));
}

#[test]
fn a_limit_of_zero_is_refused() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    for args in
        [&["task", "list"][..], &["next"], &["history"], &["inbox", "list"], &["inbox", "apply"]]
    {
        let printed = fails(path, &[args, &["--limit", "0"]].concat(), 2);
        assert!(
            printed.contains("--limit") && printed.contains("whole number, 1 or more"),
            "{args:?}: {printed}"
        );
    }
    assert!(ok(path, &["task", "list", "--limit", "1"]).contains("PAY-1"));
}

#[test]
fn a_backup_into_a_folder_with_a_lake_is_refused() {
    let folder = lake();
    let path = folder.path();
    let printed = fails(path, &["backup", "."], 1);
    assert!(
        printed.contains("has a folder lake") && printed.contains("hint: choose an empty location"),
        "{printed}"
    );
    ok(path, &["backup", "copy"]);
    assert!(fails(path, &["backup", "copy"], 1).contains("there is already a lake at"));
}

#[test]
fn a_lake_without_journal_is_reported_with_its_remaining_tables() {
    let folder = lake();
    folder.skip_check("the journal is removed");
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    ok(path, &["fold"]);
    std::fs::remove_dir_all(path.join("lake/journal/_delta_log")).unwrap();
    for args in
        [&["task", "list"][..], &["lake", "show"], &["doctor"], &["init"], &["backup", "copy"]]
    {
        let printed = fails(path, args, 3);
        assert!(
            printed.contains("tasks") && printed.contains("whose journal is missing"),
            "{args:?}: {printed}"
        );
        assert!(
            printed.contains("restore-lake") && !printed.contains("lakeplan init"),
            "{args:?}: {printed}"
        );
    }
}
