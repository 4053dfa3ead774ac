//! Generated files that are checked in match the code. `LAKEPLAN_BLESS=1 cargo test generated`
//! writes them.

use std::fs;
use std::path::Path;

use lakeplan::analytics::VIEWS;
use lakeplan::store::dictionary::dictionary;
use serde_json::{Value, json};

fn check(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if lakeplan::config::variable("LAKEPLAN_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} differs from the generated text; LAKEPLAN_BLESS=1 cargo test generated writes it",
        path.display()
    );
}

#[test]
fn the_data_dictionary_is_current() {
    let mut page = String::from(
        "# Data dictionary\n\nThe tables and views of a lake. Generated from the code; `LAKEPLAN_BLESS=1 cargo test generated` writes it.\n\n\
         Times are UTC, amounts of work are minutes, ids are UUIDs. Deleted records stay, with `deleted_at`.\n",
    );
    for table in dictionary() {
        page.push_str(&format!(
            "\n## {}\n\n{}\n\n| column | type | null | what |\n|---|---|---|---|\n",
            table.name, table.doc
        ));
        for column in &table.columns {
            let kind =
                column.kind.as_str().map_or_else(|| "array of string".to_owned(), str::to_owned);
            page.push_str(&format!(
                "| {} | {kind} | {} | {} |\n",
                column.name,
                if column.nullable { "yes" } else { "" },
                column.doc
            ));
        }
        let columns: Vec<Value> = table
            .columns
            .iter()
            .map(|column| json!({"name": column.name, "type": column.kind, "nullable": column.nullable, "comment": column.doc}))
            .collect();
        let json = json!({"name": table.name, "comment": table.doc, "columns": columns});
        check(
            &format!("schemas/tables/{}.json", table.name),
            &format!("{}\n", serde_json::to_string_pretty(&json).unwrap()),
        );
    }
    page.push_str(
        "\n## Views\n\n| view | what it shows |\n|---|---|\n| clock | One row: today, and now. |\n",
    );
    for view in VIEWS {
        page.push_str(&format!("| [{0}](views/{0}.sql) | {1} |\n", view.name, view.doc()));
    }
    check("schemas/README.md", &page);
}

/// Returns the names of the files in a folder, without their extension.
fn names(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn views_and_tables_match_their_schema_files() {
    let mut listed: Vec<String> = VIEWS.iter().map(|view| view.name.to_owned()).collect();
    listed.sort();
    assert_eq!(names("schemas/views"), listed, "schemas/views and src/analytics/views.rs disagree");
    let mut listed: Vec<String> = dictionary().iter().map(|table| table.name.to_owned()).collect();
    listed.sort();
    assert_eq!(names("schemas/tables"), listed, "schemas/tables contains an unknown table");
    assert!(
        VIEWS.iter().all(|view| view.doc().len() > 20),
        "the first line of a view must say what it shows"
    );
}

#[test]
fn the_patch_set_schema_is_current() {
    let schema = serde_json::to_string_pretty(&lakeplan::exchange::schema::patch_set()).unwrap();
    check("schemas/patchset.schema.json", &format!("{schema}\n"));
}
