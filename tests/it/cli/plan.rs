//! `lakeplan plan`, used like a person would.

use std::path::Path;

use super::{LakeFolder, command, fails, json_of, ok, run, text};
use crate::snapshots::SHED;

fn lake() -> LakeFolder {
    let folder = LakeFolder::new(tempfile::tempdir().unwrap());
    ok(folder.path(), &["init"]);
    std::fs::write(folder.path().join("shed.md"), SHED).unwrap();
    folder
}

fn edit(folder: &Path, from: &str, to: &str) {
    let before = std::fs::read_to_string(folder.join("shed.md")).unwrap();
    assert!(before.contains(from));
    std::fs::write(folder.join("shed.md"), before.replace(from, to)).unwrap();
}

#[test]
fn a_phase_shows_the_total_of_its_tasks() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["plan", "shed.md", "--yes"]);
    ok(path, &["task", "done", "GS-2"]);
    let tree = ok(path, &["task", "tree", "GS"]);
    assert!(tree.starts_with("GS  Garden shed  2.5d to 3.5d of open work\n"), "{tree}");
    assert!(
        tree.contains(
            "\nGS-1  Phase 1: Ground  Σ 1.5d\n├─ GS-2  Level the ground  [completed]  2h"
        ),
        "{tree}"
    );
    assert!(
        ok(path, &["task", "show", "GS-1"]).contains("\n  its parts    Σ 1d 2h, likely 1d 2h\n")
    );
    let phase = json_of(path, &["task", "show", "GS-1"]);
    assert_eq!(phase["estimate_likely"], serde_json::Value::Null);
    assert_eq!(
        phase["estimate_of_parts"],
        serde_json::json!({"low": 600, "likely": 600, "high": 600})
    );
    ok(path, &["task", "update", "GS-1", "--estimate", "4h"]);
    assert!(
        ok(path, &["task", "tree", "GS"])
            .contains("GS-1  Phase 1: Ground  4h (its parts Σ 1.5d)\n")
    );
    ok(path, &["task", "update", "GS-1", "--estimate", "2d"]);
    assert!(ok(path, &["task", "tree", "GS"]).contains("GS-1  Phase 1: Ground  2d\n"));
}

#[test]
fn a_preview_shows_the_plan_and_writes_nothing() {
    let folder = lake();
    let before = json_of(folder.path(), &["lake", "show"])["chain"].clone();
    let shown = ok(folder.path(), &["plan", "shed.md"]);
    assert!(shown.contains("GS-2  Level the ground  @ana") && shown.contains("L11"), "{shown}");
    assert!(shown.contains("1d to 2d") && shown.contains("after GS-2"), "{shown}");
    assert!(
        shown.contains("1 requirement not covered by a task\n  line 5: The shed must have a lock"),
        "{shown}"
    );
    assert!(shown.contains("not planned: ") && shown.contains("risks (L19-21)"), "{shown}");
    assert!(shown.contains("nothing is written yet; run with --yes to write"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
    assert_eq!(json_of(folder.path(), &["plan", "shed.md"])["applied"], false);
    assert_eq!(json_of(folder.path(), &["lake", "show"])["chain"], before);
    let listed = ok(folder.path(), &["plan", "shed.md", "--skipped"]);
    assert!(listed.contains("L19-21     risks"), "{listed}");
}

#[test]
fn plan_yes_writes_and_a_second_plan_shows_the_difference() {
    let folder = lake();
    let path = folder.path();
    assert!(ok(path, &["plan", "./shed.md", "--yes"]).contains("6 tasks created  (done, seq 2)"));
    assert!(ok(path, &["plan", "shed.md", "--yes"]).contains("nothing changed"));
    assert_eq!(json_of(path, &["lake", "show"])["seq"], 2);
    ok(path, &["task", "done", "GS-2"]);
    ok(path, &["task", "update", "GS-6", "--estimate", "5h"]);
    edit(path, "Raise the walls (1-2 days)", "Raise the brick walls (2 days)");
    edit(path, "Hang the door (2 hours)", "Hang the door (3 hours)");
    edit(path, ", depends on \"Level the ground\"", "\n- Wait for the rain (1 hour)");
    let shown = ok(path, &["plan", "shed.md"]);
    for line in [
        "~ GS-5  Raise the walls  L17",
        "    title: \"Raise the walls\" -> \"Raise the brick walls\"",
        "    estimate: 1d to 2d -> 2d",
        "+ GS-7  Wait for the rain  L13",
        "- GS-3 waits for GS-2",
        "= GS-6  Hang the door  L18  estimate  (edited since it was planned)",
    ] {
        assert!(shown.lines().any(|rendered| rendered == line), "no {line:?} in\n{shown}");
    }
    let done = json_of(path, &["plan", "shed.md", "--yes"]);
    assert_eq!(
        (&done["applied"], &done["seq"], &done["is_new"]),
        (&true.into(), &5.into(), &false.into())
    );
    assert_eq!(json_of(path, &["task", "show", "GS-2"])["status"], "completed");
    assert_eq!(json_of(path, &["task", "show", "GS-5"])["title"], "Raise the brick walls");
    ok(path, &["undo"]);
    assert_eq!(json_of(path, &["task", "show", "GS-5"])["title"], "Raise the walls");
}

#[test]
fn the_patch_set_of_a_preview_can_be_applied() {
    let folder = lake();
    let path = folder.path();
    let preview = json_of(path, &["plan", "shed.md"]);
    let patches = serde_json::json!({"patches": preview["patch_set"]["patches"]});
    std::fs::write(path.join("set.json"), patches.to_string()).unwrap();
    ok(path, &["apply", "set.json"]);
    assert!(ok(path, &["plan", "shed.md"]).contains("nothing changed"));
    let history = json_of(path, &["history"]);
    assert_eq!(history["changes"][0]["source"], "plan");
}

#[test]
fn stdin_is_planned_into_the_given_project() {
    let folder = lake();
    ok(folder.path(), &["project", "create", "House", "--key", "HOUSE"]);
    let mut child = command(folder.path(), &["plan", "-", "--project", "house", "--yes"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), SHED.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).contains("6 tasks created"), "{}", text(&output.stdout));
    assert!(ok(folder.path(), &["task", "tree", "HOUSE"]).contains("HOUSE-6  Hang the door"));
}

#[test]
fn an_invalid_description_is_refused_by_name() {
    let folder = lake();
    let path = folder.path();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("nul.md", b"# a\n\n- b\0\n".to_vec(), "nul.md: line 3 holds a NUL"),
        ("bytes.md", b"\xff\xfe".to_vec(), "bytes.md: line 1 is not UTF-8"),
        ("empty.md", b"\n".to_vec(), "empty.md: is empty"),
        ("large.md", vec![b'a'; 3 << 20], "large.md: is 3.0 MiB"),
    ];
    for (name, bytes, expected) in cases {
        std::fs::write(path.join(name), bytes).unwrap();
        let printed = fails(path, &["plan", name, "--yes"], 1);
        assert!(printed.contains(expected) && printed.contains("hint: "), "{printed}");
    }
    let huge = std::fs::File::create(path.join("huge.md")).unwrap();
    huge.set_len(2 << 30).unwrap();
    assert!(fails(path, &["plan", "huge.md"], 1).contains("huge.md: is larger than"));
    assert!(fails(path, &["plan", "missing.md"], 1).contains("missing.md"));
    assert!(
        fails(path, &["plan", "shed.md", "--project", "NOPE"], 1)
            .contains("there is no project \"NOPE\"")
    );
    assert_eq!(json_of(path, &["lake", "show"])["seq"], 1);
}

#[test]
fn a_text_without_tasks_is_refused() {
    let folder = lake();
    let path = folder.path();
    std::fs::write(path.join("poem.md"), "# Poem\n\nThe sea was calm that night.\n").unwrap();
    std::fs::write(path.join("gone.md"), "# Plan\n\n## Tasks\n\n- [-] Build it\n").unwrap();
    for args in [&["plan", "poem.md"][..], &["plan", "poem.md", "--yes"]] {
        let shown = fails(path, args, 1);
        assert!(
            shown.contains("poem.md: lists no work that the planner can read")
                && shown.contains("L3  running text: The sea was calm that night")
                && shown.contains("hint: add a list of the work"),
            "{shown}"
        );
    }
    let shown = fails(path, &["plan", "gone.md", "--yes"], 1);
    assert!(shown.contains("gone.md: all work that it lists is canceled"), "{shown}");
    assert_eq!(json_of(path, &["lake", "show"])["seq"], 1);
}

#[test]
fn a_file_of_data_is_refused() {
    let folder = lake();
    let path = folder.path();
    for (name, text, words) in [
        (
            "tasks.csv",
            "Task,Owner,Effort\nOrder parts,Ana,2d\nPaint,Bo,1d\n",
            "',' between its cells",
        ),
        ("tasks.txt", "Task;Owner\nOrder parts;Ana\nPaint;Bo\n", "';' between its cells"),
        ("tasks.json", "[{\"task\": \"Paint\"}]\n", "holds JSON"),
    ] {
        std::fs::write(path.join(name), text).unwrap();
        let shown = fails(path, &["plan", name, "--yes"], 1);
        assert!(
            shown.contains(name) && shown.contains(words) && shown.contains("hint: "),
            "{shown}"
        );
    }
    assert_eq!(json_of(path, &["lake", "show"])["seq"], 1);
}

/// A completed task does not take a new estimate. It is shown as kept and counted once.
#[test]
fn every_task_of_a_second_plan_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    let text = "# Shed\n\n## Plan\n\n- Build the walls (1 day)\n- Build the roof (1 day)\n- Paint the door (1 day)\n";
    std::fs::write(path.join("shed.md"), text).unwrap();
    ok(path, &["plan", "shed.md", "--yes"]);
    ok(path, &["task", "done", "SHED-1"]);
    std::fs::write(path.join("shed.md"), text.replace("walls (1 day)", "walls (2 days)")).unwrap();
    let rendered = ok(path, &["plan", "shed.md"]);
    assert!(rendered.contains("= 1 kept, 2 tasks unchanged\n"), "{rendered}");
}

#[test]
fn a_folder_is_planned_like_each_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    for (name, text) in [
        ("texts/shed.md", "# Shed\n\n- Build the walls (1 day)\n- Build the roof (1 day)\n"),
        ("texts/deep/boat.TXT", "# Boat\n\n- Paint the hull (1 day)\n"),
        ("texts/_drafts/later.md", "# Later\n\n- Not yet\n"),
        ("texts/picture.png", "no text"),
    ] {
        std::fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        std::fs::write(path.join(name), text).unwrap();
    }
    let preview = ok(path, &["plan", "--folder", "texts"]);
    assert!(
        preview.contains("2 descriptions: 2 new") && preview.contains("nothing is written yet"),
        "{preview}"
    );
    assert_eq!(json_of(path, &["lake", "show"])["seq"], 1);

    let outcomes = |args: &[&str]| -> Vec<String> {
        let rendered = json_of(path, args);
        let files = rendered["files"].as_array().unwrap();
        files
            .iter()
            .map(|file| {
                format!("{} {}", file["file"].as_str().unwrap(), file["outcome"].as_str().unwrap())
            })
            .collect()
    };
    let all = ["plan", "--folder", "./texts/", "--yes", "--text", "", "--project", ""];
    assert_eq!(outcomes(&all), ["texts/deep/boat.TXT new", "texts/shed.md new"]);
    // The file planned alone is the same project, and an unchanged file writes nothing.
    assert!(ok(path, &["plan", "texts/shed.md"]).contains("nothing changed"));
    let before = json_of(path, &["query", "SELECT count(*) AS runs FROM agent_logs"]);
    assert_eq!(outcomes(&all), ["texts/deep/boat.TXT as it was", "texts/shed.md as it was"]);
    assert_eq!(json_of(path, &["query", "SELECT count(*) AS runs FROM agent_logs"]), before);

    // An unreadable file does not block the others.
    std::fs::write(path.join("texts/bad.md"), b"# Bad\n\n- \xff\n").unwrap();
    std::fs::write(
        path.join("texts/shed.md"),
        "# Shed\n\n- Build the walls (2 days)\n- Build the roof (1 day)\n",
    )
    .unwrap();
    let output = run(path, &all);
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("texts/bad.md")
            && printed.contains("line 3 is not UTF-8")
            && printed.contains("1 changed"),
        "{printed}"
    );
    assert_eq!(json_of(path, &["task", "show", "SHED-1"])["estimate_likely"], 960);
    let rendered: serde_json::Value =
        serde_json::from_slice(&run(path, &[&all[..], &["--json"]].concat()).stderr).unwrap();
    assert_eq!(
        rendered["error"]["counts"],
        serde_json::json!({"new": 0, "changed": 0, "unchanged": 2, "failed": 1})
    );
    std::fs::remove_file(path.join("texts/bad.md")).unwrap();
    assert_eq!(outcomes(&all), ["texts/deep/boat.TXT as it was", "texts/shed.md as it was"]);
}

#[test]
fn planning_a_folder_does_not_recreate_a_deleted_project() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    std::fs::create_dir(path.join("texts")).unwrap();
    std::fs::write(path.join("texts/shed.md"), "# Shed\n\n- Build the walls (1 day)\n").unwrap();
    let all = ["plan", "--folder", "texts", "--yes"];
    ok(path, &all);
    ok(path, &["project", "delete", "SHED"]);
    let rendered = ok(path, &all);
    assert!(
        rendered.contains("deleted")
            && rendered.contains("creates it again")
            && rendered.contains("1 unchanged"),
        "{rendered}"
    );
    assert_eq!(json_of(path, &["project", "list"])["projects"], serde_json::json!([]));
    ok(path, &["plan", "texts/shed.md", "--yes"]);
    assert_eq!(json_of(path, &["project", "list"])["projects"].as_array().unwrap().len(), 1);
    assert!(ok(path, &all).contains("as it was"));
}

#[test]
fn descriptions_in_a_folder_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    for name in ["größe.md", "计划 one.md", "a~b#c%20d[1].md"] {
        std::fs::create_dir_all(path.join("d")).unwrap();
        std::fs::write(
            path.join("d").join(name),
            format!("# Shed {name}\n\n- Build the walls (1 day)\n"),
        )
        .unwrap();
    }
    assert!(ok(path, &["plan", "--folder", "d", "--yes"]).contains("3 descriptions: 3 new"));
    assert!(ok(path, &["plan", "d/größe.md"]).contains("nothing changed"));
    std::fs::write(path.join("here.md"), "# Here\n\n- Build it (1 day)\n").unwrap();
    let here = json_of(path, &["plan", "--folder", "./", "--yes"]);
    let files: Vec<&str> = here["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert!(files.contains(&"here.md") && files.contains(&"d/größe.md"), "{files:?}");
}

#[test]
fn a_description_is_given_in_exactly_one_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    let args =
        ["plan", "", "--text", "# Shed\n\n- Build the walls (1 day)\n", "--folder", "", "--yes"];
    assert!(ok(path, &args).contains("1 task created"));
    assert!(fails(path, &["plan", "", "--text", " "], 2).contains("there is nothing to plan"));
    assert!(fails(path, &["plan", "a.md", "--text", "b"], 2).contains("use only one of a file"));
    assert!(
        fails(path, &["plan", "--folder", "x", "--name", "Shed"], 2)
            .contains("--name applies to one description")
    );
    let printed = fails(path, &["plan", "--folder", "/Volumes/main/plans/texts"], 3);
    assert!(
        printed.contains("there is no volume main.plans.texts")
            && printed.contains("CREATE VOLUME"),
        "{printed}"
    );
}

#[test]
fn a_replaced_text_lists_the_tasks_it_would_remove() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    std::fs::write(
        path.join("a.md"),
        "# Portal\n\n- Design the page (1 day)\n- Build it (2 days)\n",
    )
    .unwrap();
    ok(path, &["plan", "a.md", "--yes"]);
    std::fs::write(path.join("a.md"), "# Other\n\n- Write a report (2 h)\n").unwrap();
    let preview = ok(path, &["plan", "a.md"]);
    for printed in [
        "- PORT-1  Design the page",
        "- PORT-2  Build it",
        "- 2 gone",
        "name: \"Portal\" -> \"Other\"",
    ] {
        assert!(preview.contains(printed), "{printed}: {preview}");
    }
}

#[test]
fn a_copied_description_names_the_existing_project() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    std::fs::write(path.join("a.md"), "# Portal\n\n- Design the page (1 day)\n").unwrap();
    assert!(!ok(path, &["plan", "a.md", "--yes"]).contains("of this name already"));
    std::fs::copy(path.join("a.md"), path.join("b.md")).unwrap();
    let printed = ok(path, &["plan", "b.md"]);
    assert!(printed.contains("there is PORT of this name already, planned from a.md; --project PORT plans into that one"), "{printed}");
}

#[test]
fn terse_lists_and_short_durations_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    let text = "# Backlog\n\n- Fix login bug (2h) @ana\n- Upgrade Databricks runtime (1 day) @bo\n- Write release notes (30m) @cy\n- Rotate keys (15min) @jürgen\n- Vacuum old tables per tenant (45 min)\n- Load 10m rows\n";
    ok(path, &["plan", "--text", text, "--yes"]);
    let sql = "SELECT t.title, t.estimate_likely AS minutes, u.handle FROM tasks t LEFT JOIN users u ON u.id = t.assignee_id WHERE t.parent_id IS NULL ORDER BY t.key";
    let tasks = json_of(path, &["query", sql]);
    let rendered: Vec<String> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| {
            format!("{} {} {}", task["title"].as_str().unwrap(), task["minutes"], task["handle"])
        })
        .collect();
    assert_eq!(
        rendered[..4],
        [
            "Fix login bug 120 \"ana\"",
            "Upgrade Databricks runtime 480 \"bo\"",
            "Write release notes 30 \"cy\"",
            "Rotate keys 15 \"jürgen\""
        ]
    );
    assert_eq!(rendered[4], "Vacuum old tables per tenant 45 null");
    assert!(
        rendered[5].starts_with("Load 10m rows") && !rendered[5].contains(" 10 "),
        "{rendered:?}"
    );
}

#[test]
fn a_first_plan_into_a_project_without_tasks_is_shown_as_a_tree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    ok(path, &["init"]);
    ok(path, &["project", "create", "Portal", "--key", "POR"]);
    std::fs::write(path.join("a.md"), "# Portal\n\n- Design the page (1 day)\n").unwrap();
    let preview = ok(path, &["plan", "a.md", "--project", "POR"]);
    assert!(
        preview.contains("1 task, effort 1d") && preview.contains("POR-1  Design the page"),
        "{preview}"
    );
}

#[test]
fn a_description_can_start_and_cancel_tasks() {
    let folder = lake();
    let path = folder.path();
    edit(path, "- Raise the walls", "- [/] Raise the walls");
    ok(path, &["plan", "shed.md", "--yes"]);
    let status = |key: &str| json_of(path, &["task", "show", key])["status"].clone();
    assert_eq!((status("GS-5"), status("GS-6")), ("in_progress".into(), "pending".into()));
    edit(path, "- Hang the door (2 hours)", "- Hang the door (2 hours, in progress)");
    let preview = ok(path, &["plan", "shed.md"]);
    assert!(preview.contains("status: \"pending\" -> \"in_progress\""), "{preview}");
    ok(path, &["plan", "shed.md", "--yes"]);
    assert_eq!(status("GS-6"), "in_progress");
    // A user's later change is kept, whatever the description still says.
    ok(path, &["task", "update", "GS-6", "--status", "on_hold"]);
    ok(path, &["plan", "shed.md", "--yes"]);
    assert_eq!(status("GS-6"), "on_hold");
}

#[test]
fn a_cancelled_task_reopens_with_its_line() {
    let folder = lake();
    let path = folder.path();
    edit(path, "- Raise the walls", "- [/] Raise the walls");
    ok(path, &["plan", "shed.md", "--yes"]);
    ok(path, &["task", "start", "GS-6"]);
    let status =
        |key: &str| json_of(path, &["task", "show", key])["status"].as_str().unwrap().to_owned();
    edit(path, "- [/] Raise the walls", "- [-] Raise the walls");
    edit(path, "- Hang the door", "- [-] Hang the door");
    edit(path, "- Level the ground", "- [-] Level the ground");
    let preview = ok(path, &["plan", "shed.md"]);
    assert!(
        preview.contains("~ GS-5  Raise the walls")
            && preview.contains("\"in_progress\" -> \"cancelled\""),
        "{preview}"
    );
    assert!(
        preview.contains("= GS-6  Hang the door") && preview.contains("its status is in_progress"),
        "{preview}"
    );
    ok(path, &["plan", "shed.md", "--yes"]);
    assert_eq!(["GS-5", "GS-6", "GS-2"].map(status), ["cancelled", "in_progress", "cancelled"]);
    assert!(ok(path, &["plan", "shed.md"]).contains("nothing changed"));
    edit(path, "- [-] Raise the walls", "- [/] Raise the walls");
    edit(path, "- [-] Level the ground", "- Level the ground");
    ok(path, &["plan", "shed.md", "--yes"]);
    assert_eq!(["GS-5", "GS-2"].map(status), ["in_progress", "pending"]);
    // A start that came from the description and that nobody changed is removed with its line.
    edit(path, "- [/] Raise the walls (1-2 days)\n", "");
    assert!(ok(path, &["plan", "shed.md"]).contains("- GS-5  Raise the walls"));
}

#[test]
fn a_dependency_without_a_task_is_shown_in_full() {
    let folder = lake();
    let path = folder.path();
    let awaited = "the approval of the regional transport authority for the northern depots that \
        names every night delivery and every limit of noise and the streets that lorries may use";
    let description =
        format!("# Depots\n\n## Plan\n\n- Open the depot (1 day), depends on \"{awaited}\"\n");
    std::fs::write(path.join("depots.md"), description).unwrap();
    for columns in ["60", "100"] {
        let output = command(path, &["plan", "depots.md"]).env("COLUMNS", columns).output();
        let shown = text(&output.unwrap().stdout);
        let words: Vec<&str> = shown.split_whitespace().collect();
        assert!(words.join(" ").contains(awaited), "{shown}");
    }
}

#[test]
fn marks_that_are_not_read_are_named() {
    let folder = lake();
    let path = folder.path();
    let text = "# Shed\n\n## Tasks\n\n- [ ] Lay the floor @ana (2d)\n- [x] Buy wood #yard\n";
    std::fs::write(path.join("marks.md"), text).unwrap();
    let shown = ok(path, &["plan", "marks.md", "--skipped"]);
    let line =
        "2 of 2 checkboxes planned, 1 of 1 owner read, 1 of 1 effort read, 0 of 1 tag read; not";
    assert!(shown.contains(line), "{shown}");
    assert!(shown.contains("\nnot read\n  L6     tag"), "{shown}");
    let marks = &json_of(path, &["plan", "marks.md"])["marks"];
    assert_eq!(marks["counts"][0]["kind"], "checkbox");
    assert_eq!(marks["unread"][0]["text"], "#yard");
}

#[test]
fn work_over_two_days_is_split_only_on_request() {
    let folder = lake();
    let path = folder.path();
    std::fs::write(path.join("big.md"), "# Shed\n\n## Tasks\n\n- Build the shed (5 days)\n")
        .unwrap();
    let rows = |args: &[&str]| json_of(path, args)["plan"]["nodes"].as_array().unwrap().len();
    assert_eq!(rows(&["plan", "big.md"]), 1);
    assert_eq!(rows(&["plan", "big.md", "--split"]), 4);
}

#[test]
fn plans_are_scored_against_known_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("a.md"), "# Shed\n\n- [ ] Lay the floor\n- [ ] Buy wood\n").unwrap();
    let gold = r#"{"nodes": [{"line": 3, "title": "Lay the floor"}, {"line": 4}, {"line": 1}]}"#;
    std::fs::write(path.join("a.gold.json"), gold).unwrap();
    let total = json_of(path, &["eval", "plans", "."])["total"]["nodes"].clone();
    assert_eq!(total, serde_json::json!({"right": 2, "given": 2, "wanted": 3}));
    assert!(ok(path, &["eval", "plans", "."]).contains("100%"));

    std::fs::write(path.join("b.gold.json"), "{}").unwrap();
    let error = fails(path, &["eval", "plans", "."], 1);
    assert!(error.contains("b.gold.json"), "{error}");
}
