//! What is generated and checked in is what the code would generate now. `LAKEPLAN_BLESS=1 cargo test generated` writes it.

use std::fs;
use std::path::Path;

fn check(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if lakeplan::config::variable("LAKEPLAN_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is not what the code generates; LAKEPLAN_BLESS=1 cargo test generated writes it",
        path.display()
    );
}

#[test]
fn the_patch_set_schema_is_current() {
    let schema = serde_json::to_string_pretty(&lakeplan::exchange::schema::patch_set()).unwrap();
    check("schemas/patchset.schema.json", &format!("{schema}\n"));
}
