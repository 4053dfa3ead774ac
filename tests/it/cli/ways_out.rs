//! Errors name the place and the way out.

use super::{fails, lake, ok};

#[test]
fn an_error_says_what_to_do_instead() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Move the ledger", "--due", "31.1.2031"]);
    ok(path, &["backup", "copy"]);
    std::fs::write(path.join("a-file"), "").unwrap();
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["plan", "nofile.md"], 1, &["nofile.md: there is no such file", "hint: name a file"]),
        (&["plan", "."], 1, &[".: is a folder", "lakeplan plan --folder"]),
        (&["plan", "--folder", "nowhere"], 3, &["there is no folder nowhere", "hint: name a folder"]),
        (&["apply", "lake"], 1, &["lake: is a folder", "hint: name a file in it"]),
        (&["backup", "lake2", "--at", "9999"], 1, &["there is no seq 9999 yet"]),
        (&["backup", "copy"], 1, &["nothing is copied over one", "hint: name a place where there is no lake yet"]),
        (&["--lake", "new", "restore-lake", "nowhere"], 1, &["nowhere: holds no lake", "lakeplan backup wrote"]),
        (&["task", "create", "X", "--due", "1/2/2031"], 2, &["--due", "written as year, month, day, such as 2027-01-31"]),
        (&["undo", "1"], 1, &["seq 1: looks after the lake itself", "hint: lakeplan history"]),
        (&["--lake", "a-file", "task", "list"], 3, &["a lake is a folder, and a file is there", "--lake"]),
        (&["--lake", "a-file/lake", "init"], 3, &["a lake is a folder, and a file is there", "--lake"]),
        (&["undo", "99"], 1, &["there is no change with the seq \"99\"", "hint: lakeplan history"]),
        (&["query", "SELECT 1; SELECT 2"], 2, &["ask one at a time"]),
        (&["query", "SELECT cast('a' AS int)"], 2, &["error: Cannot cast string 'a'"]),
        (&["query", "SELECT nope FROM tasks"], 2, &["there is no column nope"]),
    ];
    for (words, code, told) in cases {
        let said = fails(path, words, *code);
        for part in *told {
            assert!(said.contains(part), "{words:?} does not say {part:?}: {said}");
        }
    }
}

#[test]
fn broken_settings_are_named_by_their_line_and_what_belongs_there_can_be_asked() {
    let folder = lake();
    let path = folder.path();
    std::fs::write(path.join("lakeplan.toml"), "lake = \"lake\"\nactor = [\n").unwrap();
    let said = fails(path, &["task", "list"], 3);
    assert!(
        said.contains("lakeplan.toml") && said.contains("line 2") && said.contains("hint: lakeplan config defaults"),
        "{said}"
    );
    assert!(ok(path, &["config", "defaults"]).contains("lake ="));
}
