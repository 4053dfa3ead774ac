//! Lakes as folders: missing, copied, backed up, not writable, damaged.

use std::process::Command;

use super::{fails, json_of, lake, ok};

#[test]
fn a_location_without_a_lake_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    std::fs::create_dir_all(folder.path().join("odd/journal/_delta_log")).unwrap();
    std::fs::write(
        folder.path().join("odd/journal/_delta_log/00000000000000000000.json"),
        "{not json",
    )
    .unwrap();
    assert!(fails(folder.path(), &["--lake", "file", "task", "list"], 3).contains("file"));
    assert!(fails(folder.path(), &["--lake", "nowhere", "task", "list"], 3).contains("nowhere"));
    let printed = fails(folder.path(), &["--lake", "odd", "task", "list"], 3);
    assert!(
        printed.contains("journal/_delta_log/00000000000000000000.json is damaged"),
        "{printed}"
    );
    assert!(fails(folder.path(), &["--lake", "moon://x/y", "task", "list"], 3).contains("moon"));
}

#[test]
fn a_backup_and_a_restored_lake_are_valid_lakes() {
    let folder = lake();
    let path = folder.path();
    for title in ["a", "b", "c"] {
        ok(path, &["task", "create", title]);
    }
    let head = json_of(path, &["doctor"])["head"].clone();
    ok(path, &["backup", "copy"]);
    assert_eq!(json_of(path, &["--lake", "copy", "doctor"])["head"], head);
    assert!(fails(path, &["backup", "copy"], 1).contains("already"));
    // A copy that was interrupted after its last table leaves this state.
    let marker = path.join("copy/_copy/copy.json");
    assert!(!marker.exists());
    std::fs::create_dir(path.join("copy/_copy")).unwrap();
    std::fs::write(&marker, "{}").unwrap();
    ok(path, &["--lake", "copy", "maintain"]);
    assert!(!marker.exists());
    ok(path, &["--lake", "before", "restore-lake", "copy", "--at", "4"]);
    assert_eq!(json_of(path, &["--lake", "before", "task", "list"])["total"], 2);
    assert_eq!(json_of(path, &["--lake", "before", "lake", "show"])["copy"], true);
    ok(path, &["--lake", "before", "lake", "adopt"]);
    assert!(ok(path, &["--lake", "before", "lake", "adopt"]).contains("is already independent"));
    assert!(
        fails(path, &["--lake", "new", "restore-lake", "copy", "--at", "9999"], 1)
            .contains("there is no seq 9999 yet")
    );
    assert_eq!(json_of(path, &["--lake", "before", "lake", "show"])["copy"], false);
    assert!(
        fails(path, &["--lake", "new", "restore-lake", "copy", "--at", "2020-01-01"], 1)
            .contains("did not exist at that time")
    );
}

#[test]
fn a_copied_folder_is_recognized_as_a_copy() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    assert!(
        Command::new("cp")
            .args(["-r", "lake", "twin"])
            .current_dir(path)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(json_of(path, &["--lake", "twin", "lake", "show"])["copy"], true);
    ok(path, &["--lake", "twin", "task", "create", "b"]);
    assert_eq!(json_of(path, &["task", "list"])["total"], 1);
}

/// A read-only folder causes an error that names the location, and leaves no partial files.
#[test]
fn an_unwritable_folder_is_reported_by_name() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(closed.join("probe"), "x").is_ok() {
        // A user with full access is never denied, so the test uses a folder below a file.
        std::fs::write(folder.path().join("file"), "x").unwrap();
        assert!(fails(folder.path(), &["--lake", "file/lake", "init"], 3).contains("file/lake"));
        return;
    }
    let printed = fails(folder.path(), &["--lake", "closed", "init"], 4);
    assert!(printed.contains("closed"), "{printed}");
}

#[test]
fn doctor_full_finds_damage_that_doctor_skips() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    assert_eq!(ok(path, &["doctor", "--full"]), ok(path, &["doctor"]));
    let mut day =
        std::fs::read_dir(path.join("lake/runs")).unwrap().map(|entry| entry.unwrap().path());
    let day = day.find(|path| path.to_string_lossy().contains("date=")).unwrap();
    let file = std::fs::read_dir(day).unwrap().next().unwrap().unwrap().path();
    let size = std::fs::metadata(&file).unwrap().len();
    std::fs::write(&file, vec![0; size as usize]).unwrap();
    ok(path, &["doctor"]);
    let printed = fails(path, &["doctor", "--full"], 1);
    assert!(printed.contains("runs/date=") && printed.contains("damaged"), "{printed}");
}

#[test]
fn init_refuses_a_lake_without_journal_and_fold_restores_a_lost_table() {
    let folder = lake();
    folder.skip_check("the journal is removed");
    let path = folder.path();
    ok(path, &["task", "create", "a"]);
    ok(path, &["task", "create", "b"]);
    for table in ["projects", "tasks"] {
        std::fs::remove_dir_all(path.join("lake").join(table)).unwrap();
        assert!(fails(path, &["doctor"], 1).contains(table));
        ok(path, &["fold"]);
        ok(path, &["doctor"]);
    }
    std::fs::remove_dir_all(path.join("lake/journal")).unwrap();
    assert!(fails(path, &["init"], 3).contains("whose journal is missing"));
}
