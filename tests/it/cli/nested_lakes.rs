//! A new lake inside a table or another lake.

use super::{fails, lake, ok};

#[test]
fn a_lake_cannot_be_created_inside_a_table_or_another_lake() {
    let folder = lake();
    let path = folder.path();
    std::fs::create_dir_all(path.join("table/_delta_log")).unwrap();
    std::fs::create_dir_all(path.join("table/part=1")).unwrap();
    ok(path, &["backup", "copy"]);
    for (place, outer, what) in [
        ("lake/tasks/sub", "lake/tasks", "Delta table"),
        ("lake/inside/deep", "lake", "lake"),
        ("lake/journal", "lake", "lake"),
        ("table", "table", "Delta table"),
        ("table/new/deeper", "table", "Delta table"),
        ("table/part=1/../new", "table", "Delta table"),
    ] {
        let url = format!("file://{}", path.join(place).display());
        let outer = path.canonicalize().unwrap().join(outer);
        for args in [
            &["init", place][..],
            &["init", &url],
            &["--lake", place, "init"],
            &["backup", place],
            &["--lake", place, "restore-lake", "copy"],
        ] {
            let printed = fails(path, args, 1);
            let is_named = printed.contains(&format!("inside the {what} at {}, ", outer.display()))
                || printed.contains(&format!("inside the Delta table at {}", outer.display()));
            assert!(
                is_named && printed.contains("hint: choose a folder outside of it"),
                "{args:?}: {printed}"
            );
        }
        if place != "table" && place != "lake/journal" {
            assert!(!path.join(place).exists(), "{place} was created");
        }
    }
    for within in ["lake", "table", "table/part=1"] {
        let printed = fails(path, &["quickstart", "--within", within], 1);
        assert!(printed.contains("is inside the"), "{printed}");
        assert!(!path.join(within).join("lakeplan-quickstart").exists());
    }
    assert!(
        fails(path, &["init"], 1).contains("already"),
        "the lake itself is not reported as before"
    );
    ok(path, &["init", "beside"]);
    ok(path, &["quickstart"]);
}
