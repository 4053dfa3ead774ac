//! Symbolic links in a folder of descriptions.

#![cfg(unix)]

use std::os::unix::fs::symlink;

use serde_json::Value;

use super::{json_of, lake, run, text};

#[test]
fn links_out_of_the_folder_are_skipped_and_loops_end() {
    let lake = lake();
    let path = lake.path();
    let plans = path.join("plans");
    for folder in ["plans/team/deep", "plans/_drafts", "outside/more"] {
        std::fs::create_dir_all(path.join(folder)).unwrap();
    }
    let write = |name: &str, title: &str| {
        std::fs::write(path.join(name), format!("# {title}\n\n- Do it (1 day)\n")).unwrap()
    };
    write("plans/own.md", "Own");
    write("plans/team/inner.md", "Inner");
    write("plans/_drafts/draft.txt", "Draft");
    write("outside/secret.md", "Secret");
    write("outside/more/secret.md", "More");
    symlink(path.join("outside/secret.md"), plans.join("file.md")).unwrap();
    symlink("../../outside", plans.join("team/folder")).unwrap();
    symlink(&plans, plans.join("team/deep/loop")).unwrap();
    symlink("self.md", plans.join("self.md")).unwrap();
    symlink("nowhere.md", plans.join("gone.md")).unwrap();
    symlink("_drafts/draft.txt", plans.join("draft.md")).unwrap();
    symlink("/etc", plans.join("_hidden")).unwrap();
    let output = run(path, &["plan", "--folder", "plans", "--yes"]);
    let (rendered, warnings) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{rendered}{warnings}");
    for name in ["plans/file.md", "plans/team/folder"] {
        assert!(
            warnings
                .contains(&format!("{name} is skipped: the link points outside the folder, to ")),
            "{warnings}"
        );
    }
    for name in ["plans/self.md", "plans/gone.md"] {
        assert!(warnings.contains(&format!("{name} is skipped: the link is broken")), "{warnings}");
    }
    assert_eq!(warnings.lines().count(), 4, "{warnings}");
    let projects = json_of(path, &["project", "list"]);
    let mut names: Vec<&str> = projects["projects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|project| project["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["Draft", "Inner", "Own", "Payments"],
        "a file inside is planned once, by any path"
    );
    // The folder itself may be a link.
    symlink(&plans, path.join("by-link")).unwrap();
    let output = run(path, &["plan", "--folder", "by-link", "--json"]);
    let rendered: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rendered["files"].as_array().unwrap().len(), 3, "{rendered}");
}

#[test]
fn special_files_are_not_descriptions() {
    let lake = lake();
    let path = lake.path();
    std::fs::create_dir(path.join("plans")).unwrap();
    let made =
        std::process::Command::new("mkfifo").arg(path.join("plans/pipe.md")).status().unwrap();
    assert!(made.success());
    std::fs::create_dir(path.join("plans/folder.md")).unwrap();
    symlink("/dev/zero", path.join("plans/zero.md")).unwrap();
    let output = run(path, &["plan", "--folder", "plans", "--json"]);
    let rendered: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rendered["files"], serde_json::json!([]));
    assert!(text(&output.stderr).contains("plans/zero.md is skipped"), "{}", text(&output.stderr));
}
