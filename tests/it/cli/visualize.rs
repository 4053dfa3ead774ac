//! The page of a project: its content and its location.

use super::{fails, json_of, lake, ok, run, text};
use serde_json::Value;

/// Returns the data of a page.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_page_contains_tree_links_and_spans() {
    let folder = lake();
    let path = folder.path();
    ok(path, &["user", "add", "ana"]);
    ok(
        path,
        &[
            "task",
            "create",
            "Move",
            "--estimate",
            "1d-3d",
            "--assignee",
            "@ana",
            "--due",
            "2099-12-01",
        ],
    );
    ok(path, &["task", "create", "Read", "--parent", "PAY-1", "--priority", "high"]);
    ok(path, &["task", "create", "Check", "--parent", "PAY-1", "--depends-on", "PAY-2"]);
    ok(path, &["task", "create", "Gone"]);
    ok(path, &["task", "delete", "PAY-4"]);
    ok(path, &["task", "done", "PAY-2"]);
    let printed = json_of(path, &["visualize", "PAY", "--out", "page.html"]);
    assert_eq!((&printed["tasks"], &printed["out"]), (&Value::from(3), &Value::from("page.html")));
    let page = std::fs::read_to_string(path.join("page.html")).unwrap();
    assert_eq!(printed["bytes"].as_u64(), Some(page.len() as u64));
    let data = data(&page);
    let rendered: Vec<String> = data["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| {
            format!(
                "{} {} {} {} {}",
                task["key"], task["parent"], task["status"], task["basis"], task["effort"]
            )
        })
        .collect();
    assert_eq!(
        rendered,
        [
            r#""PAY-1" null "pending" "parts" "1d to 3d""#,
            r#""PAY-2" 0 "completed" "done" null"#,
            r#""PAY-3" 0 "pending" "laid_out" null"#
        ]
    );
    assert_eq!(
        (&data["links"][0]["from"], &data["links"][0]["to"]),
        (&Value::from(2), &Value::from(1))
    );
    assert_eq!(
        (&data["tasks"][0]["assignee"], &data["tasks"][0]["due"]),
        (&Value::from("@ana"), &Value::from("2099-12-01"))
    );
    let then: Vec<u8> = run(path, &["visualize", "PAY", "--as-of", "3", "--out", "-"]).stdout;
    assert!(text(&then).contains("\"seq\":3"), "a page of the past must show that time");
}

#[test]
fn data_cannot_escape_its_script_element() {
    let folder = lake();
    let path = folder.path();
    let title = r#"</script><!-- <b>"x"</b> {data} /*{page}*/ '&"#;
    ok(path, &["task", "create", title]);
    let page = ok(path, &["visualize", "--out", "-"]);
    assert_eq!(data(&page)["tasks"][0]["title"], title);
    assert_eq!(page.matches("</script>").count(), 2, "the data and the page have one each");
    assert!(!page.contains("<!--"), "a comment in the data would hide the end of its script");
    assert_eq!(
        page.matches("/*{").count(),
        1,
        "a placeholder was not replaced, except in the title"
    );
    for foreign in
        ["http://", "https://", "//cdn", "fetch(", "XMLHttpRequest", "@import", "localStorage"]
    {
        let found = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(foreign), "the page contains {foreign}");
    }
}

#[test]
fn an_unwritable_page_is_refused_and_leaves_no_file() {
    let folder = lake();
    let path = folder.path();
    assert!(fails(path, &["visualize", "PAY"], 2).contains("hint: --out plan.html"));
    let printed = fails(path, &["visualize", "PAY", "--out", "no/such/page.html"], 1);
    assert!(printed.contains("no/such/page.html: cannot be written"), "{printed}");
    std::fs::create_dir(path.join("folder")).unwrap();
    assert!(
        fails(path, &["visualize", "PAY", "--out", "folder"], 1)
            .contains("folder: cannot be written")
    );
    assert!(fails(path, &["visualize", "NO", "--out", "page.html"], 1).contains("there are PAY"));
    let mut left: Vec<_> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["folder", "lake"]);
}
