//! The command line validates its input like every other entry point, and ignores no part of it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{BINARY, command, fails, json_of, lake, ok, run, text};

/// Applies patches from a file and returns the output, whether it succeeds or not.
fn apply(folder: &Path, patches: &Value, args: &[&str]) -> Output {
    std::fs::write(folder.join("set.json"), json!({ "patches": patches }).to_string()).unwrap();
    run(folder, &[&["apply", "set.json"], args].concat())
}

fn printed(output: &Output) -> String {
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_user_merge_can_be_undone() {
    let folder = lake();
    let path = folder.path();
    for user in ["ana", "bo"] {
        ok(path, &["user", "add", user]);
    }
    ok(path, &["task", "create", "Build", "--assignee", "ana"]);
    ok(path, &["project", "update", "PAY", "--owner", "ana"]);
    ok(path, &["task", "create", "Gone", "--assignee", "ana"]);
    ok(path, &["task", "delete", "PAY-2"]);
    let people = || {
        (
            json_of(path, &["user", "list"]),
            json_of(path, &["task", "show", "PAY-1"])["assignee"].clone(),
        )
    };
    let before = people();
    assert!(ok(path, &["user", "merge", "bo", "ana"]).contains("1 task reassigned"));
    assert!(ok(path, &["task", "tree"]).contains("@bo"));
    ok(path, &["undo"]);
    assert!(ok(path, &["task", "tree"]).contains("@ana"), "{}", ok(path, &["task", "tree"]));
    assert_eq!(people().1, before.1);
    ok(path, &["user", "merge", "bo", "ana"]);
    ok(path, &["task", "restore", "PAY-2"]);
    assert!(ok(path, &["task", "tree"]).contains("Gone  @bo"), "{}", ok(path, &["task", "tree"]));
}

#[test]
fn a_task_deleted_earlier_in_the_set_cannot_be_updated() {
    let folder = lake();
    let path = folder.path();
    for title in ["a", "b", "c"] {
        ok(path, &["task", "create", title]);
    }
    let update =
        json!({"op": "update", "entity": "task", "id": "PAY-2", "fields": {"title": "late"}});
    let op = |op: &str, task: &str| json!({"op": op, "entity": "task", "id": task});
    let below =
        json!({"op": "move", "entity": "task", "id": "PAY-2", "fields": {"parent_id": "PAY-1"}});
    for patches in
        [json!([op("delete", "PAY-2"), update]), json!([below, op("delete", "PAY-1"), update])]
    {
        for args in [&[][..], &["--dry-run"]] {
            let output = apply(path, &patches, args);
            assert!(
                output.status.code() == Some(1) && printed(&output).contains("PAY-2 is deleted"),
                "{}",
                printed(&output)
            );
        }
    }
    let output = apply(path, &json!([op("delete", "PAY-2"), op("restore", "PAY-2"), update]), &[]);
    assert!(output.status.success(), "{}", printed(&output));
    assert_eq!(json_of(path, &["task", "show", "PAY-2"])["title"], "late");
}

#[test]
fn a_dry_run_of_a_committed_set_reports_its_seq() {
    let folder = lake();
    let path = folder.path();
    let made = json_of(path, &["task", "create", "to have an id of now"]);
    // An id that a client could choose: the last id with other random bits.
    let id = made["patch_set_id"].as_str().unwrap();
    let id = format!("{}{}", &id[..24], "0123456789ab");
    let record = "01890000-0000-7000-8000-00000000000a";
    let create = json!([{"op": "create", "entity": "task", "id": record, "fields": {"project_id": "PAY", "title": "once"}}]);
    let dry = apply(path, &create, &["--id", &id, "--dry-run"]);
    assert!(
        dry.status.success() && printed(&dry).contains("would make 1 change"),
        "{}",
        printed(&dry)
    );
    assert!(apply(path, &create, &["--id", &id]).status.success());
    ok(path, &["task", "create", "another since"]);
    let dry = apply(path, &create, &["--id", &id, "--dry-run"]);
    assert!(
        dry.status.success() && printed(&dry).contains("was done before, seq 4"),
        "{}",
        printed(&dry)
    );
    assert!(printed(&apply(path, &create, &["--id", &id])).contains("was done before, seq 4"));
    let other = json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "other"}}]);
    for args in [&["--id", &id][..], &["--id", &id, "--dry-run"]] {
        let output = apply(path, &other, args);
        assert!(
            output.status.code() == Some(1) && printed(&output).contains("with different content"),
            "{}",
            printed(&output)
        );
    }
}

#[test]
fn contradictory_arguments_are_refused() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    for (field, flag, value) in [
        ("due_date", "--due", "2027-01-01"),
        ("assignee_id", "--assignee", "ana"),
        ("estimate_high", "--estimate", "2d"),
        ("tags", "--tag", "x"),
        ("title", "--title", "b"),
    ] {
        let rendered = fails(path, &["task", "update", "PAY-1", "--clear", field, flag, value], 2);
        assert!(rendered.contains(field) && rendered.contains("given and cleared"), "{rendered}");
    }
    assert!(fails(path, &["init", "one", "--lake", "two"], 2).contains("different locations"));
    let twice = ["query", "SELECT 1", "--warehouse", "w", "--param", "a=1", "--param", "a=2"];
    assert!(fails(path, &twice, 2).contains("--param a is given twice"));
}

#[test]
fn dates_and_times_have_one_format() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a", "--due", "31.1.2027"]);
    for day in ["2027-1-1", "+2027-01-31", " 2027-01-31 "] {
        fails(path, &["task", "update", "PAY-1", "--due", day], 2);
        fails(path, &["task", "list", "--as-of", day], 2);
    }
    for time in ["9999-12-31T23:59:60Z", "+2026-11-29T10:00:00Z", "1800-01-01T00:00:00Z", "+3"] {
        assert!(
            fails(path, &["task", "list", "--as-of", time], 2).contains("leap second"),
            "{time}"
        );
    }
    assert_eq!(json_of(path, &["task", "show", "PAY-1"])["due_date"], "2027-01-31");
}

#[test]
fn a_name_needs_a_visible_character() {
    let folder = lake();
    let path = folder.path();
    for name in ["\u{200b}", "\u{3164}\u{2800} ", "\u{fe0f}", "\u{e0041}"] {
        assert!(
            fails(path, &["task", "create", name], 1).contains("must have a visible character"),
            "{name:?}"
        );
        assert!(
            fails(path, &["user", "add", name], 1).contains("must have a visible character"),
            "{name:?}"
        );
        assert!(
            fails(path, &["project", "create", name], 1).contains("must have a visible character"),
            "{name:?}"
        );
    }
    ok(path, &["task", "create", "❤\u{fe0f}"]);
    ok(path, &["task", "create", "pay\u{3164}pal"]);
    let tree = ok(path, &["task", "tree"]);
    assert!(tree.contains("❤\u{fe0f}") && tree.contains(r"pay\u{3164}pal"), "{tree}");
}

#[test]
fn the_total_of_many_long_tasks_does_not_overflow() {
    let folder = lake();
    let path = folder.path();
    let task = |number: usize| {
        json!({"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": format!("t{number}"),
            "estimate_low": 1_248_000, "estimate_likely": 1_248_000, "estimate_high": 1_248_000}})
    };
    let output = apply(path, &(0..1800).map(task).collect(), &[]);
    assert!(output.status.success(), "{}", printed(&output));
    assert!(ok(path, &["task", "tree"]).contains("4680000d of open work"));
    ok(path, &["visualize", "--out", "plan.html"]);
    ok(path, &["report", "--out", "report.html"]);
    let work = json_of(path, &["query", "SELECT sum(estimate_likely) AS work FROM tasks"]);
    assert_eq!(work[0]["work"], json!(2_246_400_000_i64), "{work}");
}

#[test]
fn an_invalid_setting_is_reported_with_its_location() {
    let folder = lake();
    let path = folder.path();
    for (name, value) in
        [("LAKEPLAN_QUERY_MEMORY", "0"), ("LAKEPLAN_OUTPUT", "xml"), ("LAKEPLAN_TARGET", "moon")]
    {
        let output = command(path, &["config", "show"]).env(name, value).output().unwrap();
        let rendered = printed(&output);
        assert_eq!(output.status.code(), Some(3), "{rendered}");
        assert!(
            rendered.contains(name)
                && !rendered.contains("config show")
                && rendered.contains("hint: "),
            "{rendered}"
        );
    }
    std::fs::write(path.join("lakeplan.toml"), "output = \"xml\"\n").unwrap();
    let rendered = fails(path, &["task", "list"], 3);
    assert!(
        rendered.contains("lakeplan.toml")
            && rendered.contains("output")
            && !rendered.contains("config show"),
        "{rendered}"
    );
}

#[test]
#[cfg(unix)]
fn a_clock_before_1970_is_reported() {
    let folder = lake();
    let at = |time: &str, args: &[&str]| {
        let mut command = Command::new("faketime");
        command
            .arg(time)
            .arg(BINARY)
            .args(args)
            .current_dir(folder.path())
            .env("USER", "tester")
            .output()
    };
    for args in [&["task", "list"][..], &["task", "create", "early"], &["init", "new"]] {
        let Ok(output) = at("1960-01-01 00:00:00", args) else {
            crate::support::skip("faketime is not installed");
            return;
        };
        let rendered = printed(&output);
        assert_eq!(output.status.code(), Some(3), "{rendered}");
        assert!(
            rendered.contains("1960-01-01") && rendered.contains("set the clock of this machine"),
            "{rendered}"
        );
    }
}

#[test]
#[cfg(unix)]
fn writes_continue_after_the_clock_was_far_ahead() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "before"]);
    let mut ahead = Command::new("faketime");
    ahead
        .args(["+400 days", BINARY, "task", "create", "from the future"])
        .current_dir(path)
        .env("USER", "tester");
    let Ok(output) = ahead.output() else {
        crate::support::skip("faketime is not installed");
        return;
    };
    assert!(output.status.success(), "{}", printed(&output));
    let rendered = text(&output.stderr);
    assert!(
        rendered.contains("this machine's clock shows")
            && rendered.contains("days after the lake's last change"),
        "{rendered}"
    );
    for args in [&["undo"][..], &["task", "create", "after"], &["fold"], &["maintain"]] {
        let output = run(path, args);
        assert!(output.status.success(), "{args:?}: {}", printed(&output));
        let rendered = text(&output.stderr);
        let writes = args[0] == "undo" || args[0] == "task";
        assert!(
            !writes
                || rendered.contains("ahead of this machine's clock")
                    && rendered.contains("restore-lake --at"),
            "{rendered}"
        );
    }
    let titles = ok(path, &["task", "list"]);
    assert!(
        titles.contains("before")
            && titles.contains("after")
            && !titles.contains("from the future"),
        "{titles}"
    );
    assert!(
        run(path, &["doctor", "--full"]).status.success(),
        "{}",
        printed(&run(path, &["doctor", "--full"]))
    );
    // The location that the hint names is a lake of the earlier time.
    ok(path, &["--lake", "again", "restore-lake", "lake", "--at", "3"]);
    assert_eq!(json_of(path, &["task", "list", "--lake", "again"])["total"], 1);
}

#[test]
fn an_undo_keeps_later_changes_of_others() {
    let lake = lake();
    let path = lake.path();
    ok(path, &["--actor", "ana", "task", "create", "Design", "--project", "PAY"]);
    ok(path, &["--actor", "bo", "task", "create", "Review", "--parent", "PAY-1"]);
    let refused = fails(path, &["--actor", "ana", "undo"], 1);
    assert!(refused.contains("PAY-2 was added"), "{refused}");
    ok(path, &["--actor", "bo", "undo"]);
    ok(path, &["--actor", "bo", "task", "update", "PAY-1", "--title", "Design it"]);
    let refused = fails(path, &["--actor", "ana", "undo"], 1);
    assert!(refused.contains("title of PAY-1 was changed since"), "{refused}");
    ok(path, &["--actor", "bo", "undo"]);
    ok(path, &["--actor", "ana", "undo"]);
    assert_eq!(json_of(path, &["task", "list"])["total"], 0);
}

#[test]
fn restoring_a_project_without_its_source_warns() {
    let lake = lake();
    let path = lake.path();
    std::fs::write(path.join("d.md"), "# Door\n\n- Paint it (1d)\n").unwrap();
    ok(path, &["plan", "d.md", "--yes"]);
    ok(path, &["project", "delete", "Door"]);
    assert!(!ok(path, &["project", "restore", "Door"]).contains("source"));
    ok(path, &["project", "delete", "Door"]);
    ok(path, &["plan", "d.md", "--yes"]);
    let restored = ok(path, &["project", "restore", "Door"]);
    assert!(restored.contains("without its source") && restored.contains("d.md"), "{restored}");
}

#[test]
fn actor_names_are_validated_in_one_way() {
    let folder = lake();
    let path = folder.path();
    let create = |actor: &str| {
        let set = json!({"actor": actor, "patches": [{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "a"}}]});
        std::fs::write(path.join("set.json"), set.to_string()).unwrap();
        run(path, &["apply", "set.json"])
    };
    for actor in ["a\u{1b}b", "a\u{85}b", "a\u{2028}b", "a\u{2029}b", ""] {
        let printed = fails(path, &["--actor", actor, "task", "create", "a"], 1);
        assert!(printed.contains("--actor: the actor must not"), "{actor:?}: {printed}");
        let output = create(actor);
        assert!(
            output.status.code() == Some(1) && self::printed(&output).contains("actor: must not"),
            "{actor:?}: {}",
            self::printed(&output)
        );
    }
    let variable =
        command(path, &["task", "create", "a"]).env("LAKEPLAN_ACTOR", "a\u{1b}b").output().unwrap();
    assert!(
        text(&variable.stderr).contains("LAKEPLAN_ACTOR: the actor must not"),
        "{}",
        text(&variable.stderr)
    );
    // A job may pass a variable that is empty.
    let variable =
        command(path, &["task", "create", "a"]).env("LAKEPLAN_ACTOR", "").output().unwrap();
    assert!(variable.status.success(), "{}", text(&variable.stderr));
    assert!(create("Ana Lopez <ana@example.org>").status.success());
}

#[test]
fn a_timestamp_has_one_format() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    let due = |at: &str| {
        apply(
            path,
            &json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {"sla_due": at}}]),
            &[],
        )
    };
    for at in ["2026-11-20 10:00:00Z", "2026-11-20t10:00:00Z", "2026-11-20T10:00:00z"] {
        let output = due(at);
        assert!(
            output.status.code() == Some(1) && printed(&output).contains("fields.sla_due"),
            "{at}: {}",
            printed(&output)
        );
        fails(path, &["task", "list", "--as-of", at], 2);
    }
    for at in ["2026-11-20T10:00:00Z", "2026-11-20T10:00:00.5+02:00"] {
        assert!(due(at).status.success(), "{at}");
    }
}
