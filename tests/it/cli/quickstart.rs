//! `lakeplan quickstart`, used like a person would.

use super::{command, fails, json_of, ok, run, text};

#[test]
fn quickstart_prints_sixty_lines_and_leaves_a_usable_lake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for _ in 0..2 {
        let rendered = ok(path, &["quickstart"]);
        assert!(rendered.lines().count() <= 60, "{} lines", rendered.lines().count());
        assert!(rendered.lines().all(|line| line.chars().count() <= 120), "{rendered}");
        assert!(
            rendered.contains("a circle: line 54 says")
                && rendered.contains("not covered: line 25"),
            "{rendered}"
        );
        assert!(rendered.contains("[completed]  1d  @mara   (not touched)"), "{rendered}");
        assert!(
            rendered.contains("estimate: 4h -> 1d") && rendered.contains("--as-of 4"),
            "{rendered}"
        );
    }
    let inside = path.join("lakeplan-quickstart");
    assert!(ok(&inside, &["plan", "migration.md"]).contains("nothing changed"));
    assert_eq!(
        json_of(&inside, &["task", "show", "LM-11", "--as-of", "4"])["estimate_likely"],
        480
    );
    assert_eq!(json_of(&inside, &["task", "show", "LM-11"])["estimate_likely"], 240);
    for command in ["task tree LM", "next", "history LM-11"] {
        let args: Vec<&str> = command.split(' ').collect();
        ok(&inside, &args);
    }
}

#[test]
fn quickstart_fits_the_width() {
    let folder = tempfile::tempdir().unwrap();
    for columns in ["60", "80", "110"] {
        let output = command(folder.path(), &["quickstart"]).env("COLUMNS", columns).output();
        let rendered = text(&output.unwrap().stdout);
        let width: usize = columns.parse().unwrap();
        let long: Vec<&str> =
            rendered.lines().filter(|line| line.chars().count() > width).collect();
        assert!(rendered.contains("lakeplan undo") && long.is_empty(), "{columns}: {long:#?}");
    }
}

#[test]
fn quickstart_does_not_touch_a_foreign_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("lakeplan-quickstart");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("thesis.txt"), "years of work").unwrap();
    assert!(
        fails(folder.path(), &["quickstart"], 1).contains("was not created by lakeplan quickstart")
    );
    assert!(mine.join("thesis.txt").exists());
    assert_eq!(run(folder.path(), &["quickstart", "--json"]).status.code(), Some(1));

    // A second tour does not replace files that someone put next to the lake of the first tour.
    std::fs::remove_dir_all(&mine).unwrap();
    ok(folder.path(), &["quickstart"]);
    std::fs::write(mine.join("notes.txt"), "what I learnt").unwrap();
    assert!(fails(folder.path(), &["quickstart"], 1).contains("files of your own"));
    assert!(mine.join("notes.txt").exists());
    std::fs::remove_file(mine.join("notes.txt")).unwrap();
    ok(folder.path(), &["quickstart"]);
}
