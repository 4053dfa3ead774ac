//! A command overwrites only files that it names or wrote itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{command, fails, lake, ok, text};

#[test]
fn a_report_replaces_only_its_own_files() {
    let folder = lake();
    let path = folder.path();
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    for (name, holds) in
        [("package.json", "{\"name\": \"mine\"}"), ("data.json", "not JSON"), ("empty.json", "")]
    {
        std::fs::write(path.join(name), holds).unwrap();
        let page = name.replace("json", "html");
        let printed = fails(path, &["report", "--out", &page], 1);
        assert!(
            printed.contains(name) && printed.contains("was not written by lakeplan report"),
            "{printed}"
        );
        assert!(printed.contains("hint: ") && printed.contains("--out"), "{printed}");
        assert!(read(name) == holds && !path.join(&page).exists(), "{name}");
    }
    std::fs::create_dir(path.join("folder.json")).unwrap();
    assert!(fails(path, &["report", "--out", "folder.html"], 1).contains("folder.json"));
    for _ in 0..2 {
        ok(path, &["report", "--out", "report.html"]);
    }
    assert!(read("report.json").contains("\"burn_up\""));
    // A mistyped output path does not overwrite a file that is not a report page.
    std::fs::write(path.join("plan.md"), "# Plan\n").unwrap();
    for args in [&["report", "--out", "plan.md"], &["visualize", "--out", "plan.md"]] {
        let printed = fails(path, args, 1);
        assert!(
            printed.contains("plan.md: already exists and is not a page that lakeplan wrote"),
            "{printed}"
        );
    }
    assert_eq!(read("plan.md"), "# Plan\n");
    let home = "<!doctype html>\n<html><head><title>Home</title></head></html>\n";
    std::fs::write(path.join("index.html"), home).unwrap();
    for args in [&["report", "--out", "index.html"], &["visualize", "--out", "index.html"]] {
        assert!(
            fails(path, args, 1)
                .contains("index.html: already exists and is not a page that lakeplan wrote")
        );
    }
    assert!(read("index.html") == home && !path.join("index.json").exists());
    for _ in 0..2 {
        ok(path, &["visualize", "--out", "page.html"]);
    }
    ok(path, &["visualize", "--out", "report.html"]);
    ok(path, &["report", "--out", "report.html"]);
    std::fs::write(path.join("blank.html"), "").unwrap();
    ok(path, &["visualize", "--out", "blank.html"]);
    let mut left: Vec<_> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".tmp")), "{left:?}");
}

#[test]
#[cfg(unix)]
fn output_follows_a_symlink_and_keeps_it() {
    use std::os::unix::fs::symlink;
    let folder = lake();
    let path = folder.path();
    let is_link = |name: &str| path.join(name).symlink_metadata().unwrap().is_symlink();
    std::fs::create_dir(path.join("site")).unwrap();
    for name in ["page.html", "page.json", "new.html"] {
        symlink(format!("site/{name}"), path.join(name)).unwrap();
    }
    symlink("loop.html", path.join("loop.html")).unwrap();
    // Like /dev/stdout: a link to an open file.
    symlink("/proc/self/fd/1", path.join("stdout")).unwrap();
    ok(path, &["visualize", "--out", "new.html"]);
    ok(path, &["visualize", "--out", "page.html"]);
    assert!(is_link("new.html") && is_link("page.html") && path.join("site/new.html").is_file());
    let printed = fails(path, &["visualize", "--out", "loop.html"], 1);
    assert!(printed.contains("cannot be written") && is_link("loop.html"), "{printed}");
    assert!(
        fails(path, &["report", "--out", "page.html"], 1).contains("page.json: already exists")
    );
    for command_name in ["visualize", "report"] {
        let out = std::fs::File::create(path.join("captured")).unwrap();
        let output =
            command(path, &[command_name, "--out", "stdout"]).stdout(out).output().unwrap();
        assert!(is_link("stdout"), "{command_name}: {}", text(&output.stderr));
    }
    let printed = fails(path, &["report", "--out", "/dev/null"], 2);
    assert!(
        printed.contains("/dev/null is a pipe or a device") && printed.contains("--out -"),
        "{printed}"
    );
    ok(path, &["visualize", "--out", "/dev/null"]);
}

/// Returns the files in a folder and all its subfolders, with their contents.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| match path.is_dir() {
        true => tree(&path),
        false => BTreeMap::from([(path.clone(), std::fs::read(path).unwrap())]),
    };
    entries.flat_map(below).collect()
}

#[test]
fn output_files_are_refused_inside_a_lake_or_a_table() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["task", "create", "Build", "--project", "PAY"]);
    std::fs::create_dir_all(path.join("table/_delta_log")).unwrap();
    let before = tree(path);
    let places = [
        "lake/journal/_delta_log/00000000000000000009",
        "lake/journal/part",
        "lake/page",
        "table/page",
    ];
    for place in places {
        for (name, args) in [
            (format!("{place}.html"), ["visualize", "--out"]),
            (format!("{place}.html"), ["report", "--out"]),
            (format!("{place}.json"), ["next", "--summary"]),
        ] {
            let printed = fails(path, &[args[0], args[1], &name], 1);
            assert!(
                printed.contains(&name)
                    && printed.contains("is inside the ")
                    && printed.contains(args[1]),
                "{printed}"
            );
        }
    }
    assert!(tree(path) == before, "a file was written");
    #[cfg(unix)]
    {
        for (link, name) in
            [("page.html", "9.html"), ("numbers.json", "9.json"), ("summary.json", "8.json")]
        {
            std::os::unix::fs::symlink(format!("lake/journal/_delta_log/{name}"), path.join(link))
                .unwrap();
        }
        for args in [
            ["visualize", "--out", "page.html"],
            ["report", "--out", "numbers.html"],
            ["next", "--summary", "summary.json"],
        ] {
            assert!(fails(path, &args, 1).contains("is inside the Delta table"), "{args:?}");
        }
        assert!(
            tree(&path.join("lake"))
                .into_iter()
                .eq(before.into_iter().filter(|(file, _)| file.starts_with(path.join("lake"))))
        );
    }
}

#[test]
fn a_summary_replaces_only_an_earlier_summary() {
    let folder = lake();
    let path = folder.path();
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    let set = r#"{"patches":[{"op":"create","entity":"task","fields":{"project_id":"PAY","title":"By a set"}}]}"#;
    std::fs::write(path.join("ps.json"), set).unwrap();
    std::fs::write(path.join("de.md"), "# Portal\n\n- Design\n").unwrap();
    for args in [
        &["apply", "ps.json", "--summary", "ps.json"][..],
        &["apply", "ps.json", "--summary", "./de.md"],
        &["plan", "de.md", "--yes", "--summary", "de.md"],
    ] {
        let printed = fails(path, args, 1);
        assert!(
            printed.contains(args[args.len() - 1])
                && printed.contains("no summary")
                && printed.contains("hint: "),
            "{printed}"
        );
    }
    assert!(fails(path, &["apply", "ps.json", "--summary", "lake"], 1).contains("no summary"));
    let mut by_environment = command(path, &["apply", "ps.json"]);
    assert_eq!(
        by_environment.env("LAKEPLAN_SUMMARY", "ps.json").output().unwrap().status.code(),
        Some(1)
    );
    // An invalid command line is recorded in the summary too, and no file is lost.
    let mut wrong = command(path, &["task", "lits"]);
    assert_eq!(wrong.env("LAKEPLAN_SUMMARY", "ps.json").output().unwrap().status.code(), Some(2));
    // This is refused even if no file exists there yet, because the command creates and deletes its
    // own files.
    assert!(
        fails(path, &["report", "--out", "r.html", "--summary", "r.json"], 1)
            .contains("file of the command itself")
    );
    assert!(
        fails(path, &["next", "--summary", "lakeplan.toml"], 1)
            .contains("file of the command itself")
    );
    assert!(read("ps.json") == set && read("de.md").starts_with("# Portal"));
    assert!(!ok(path, &["task", "list"]).contains("By a set"), "the change was not made");
    std::fs::write(path.join("empty.json"), "").unwrap();
    for _ in 0..2 {
        ok(path, &["next", "--summary", "empty.json"]);
    }
    ok(path, &["next", "--summary", "/dev/null"]);
}
