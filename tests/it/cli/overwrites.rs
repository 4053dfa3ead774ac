//! No file is lost that a command did not name or did not write itself.

use super::{command, fails, lake, ok, text};

#[test]
fn a_report_replaces_its_own_files_and_no_others() {
    let folder = lake();
    let path = folder.path();
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    for (name, holds) in [("package.json", "{\"name\": \"mine\"}"), ("data.json", "not JSON"), ("empty.json", "")] {
        std::fs::write(path.join(name), holds).unwrap();
        let page = name.replace("json", "html");
        let said = fails(path, &["report", "--out", &page], 1);
        assert!(said.contains(name) && said.contains("was not written by lakeplan report"), "{said}");
        assert!(said.contains("hint: ") && said.contains("--out"), "{said}");
        assert!(read(name) == holds && !path.join(&page).exists(), "{name}");
    }
    std::fs::create_dir(path.join("folder.json")).unwrap();
    assert!(fails(path, &["report", "--out", "folder.html"], 1).contains("folder.json"));
    for _ in 0..2 {
        ok(path, &["report", "--out", "report.html"]);
    }
    assert!(read("report.json").contains("\"burn_up\""));
    // A page that was named by a slip is not written over what is no page.
    std::fs::write(path.join("plan.md"), "# Plan\n").unwrap();
    for words in [&["report", "--out", "plan.md"], &["visualize", "--out", "plan.md"]] {
        let said = fails(path, words, 1);
        assert!(said.contains("plan.md: is there already and is no HTML page"), "{said}");
    }
    assert_eq!(read("plan.md"), "# Plan\n");
    for _ in 0..2 {
        ok(path, &["visualize", "--out", "page.html"]);
    }
    std::fs::write(path.join("blank.html"), "").unwrap();
    ok(path, &["visualize", "--out", "blank.html"]);
    let mut left: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".tmp")), "{left:?}");
}

#[test]
#[cfg(unix)]
fn what_a_link_leads_to_is_written_and_the_link_stays() {
    use std::os::unix::fs::symlink;
    let folder = lake();
    let path = folder.path();
    let is_link = |name: &str| path.join(name).symlink_metadata().unwrap().is_symlink();
    std::fs::create_dir(path.join("site")).unwrap();
    for name in ["page.html", "page.json", "new.html"] {
        symlink(format!("site/{name}"), path.join(name)).unwrap();
    }
    symlink("loop.html", path.join("loop.html")).unwrap();
    // As /dev/stdout is: a link to what an open file is called.
    symlink("/proc/self/fd/1", path.join("stdout")).unwrap();
    ok(path, &["visualize", "--out", "new.html"]);
    ok(path, &["visualize", "--out", "page.html"]);
    assert!(is_link("new.html") && is_link("page.html") && path.join("site/new.html").is_file());
    let said = fails(path, &["visualize", "--out", "loop.html"], 1);
    assert!(said.contains("cannot be written") && is_link("loop.html"), "{said}");
    assert!(fails(path, &["report", "--out", "page.html"], 1).contains("page.json: is there already"));
    for command_name in ["visualize", "report"] {
        let out = std::fs::File::create(path.join("captured")).unwrap();
        let output = command(path, &[command_name, "--out", "stdout"]).stdout(out).output().unwrap();
        assert!(is_link("stdout"), "{command_name}: {}", text(&output.stderr));
    }
    let said = fails(path, &["report", "--out", "/dev/null"], 2);
    assert!(said.contains("/dev/null is a pipe or a device") && said.contains("--out -"), "{said}");
    ok(path, &["visualize", "--out", "/dev/null"]);
}
