//! Hostile input that others collected: each case comes back byte for byte or is refused, never half of either.

use std::fs;

use lakeplan::exchange::json::parse;
use serde_json::{Value, json};

use crate::domain::World;
use crate::support::shared;

#[test]
fn json_that_must_parse_does_and_json_that_must_not_does_not() {
    let Some(folder) = shared("data/reliability/JSONTestSuite/test_parsing") else { return };
    let (mut taken, mut refused) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let outcome = parse(&fs::read(&path).unwrap());
        // Valid JSON that cannot be kept as it is is refused rather than mended: a key given twice.
        let kept_out = name.contains("duplicated_key");
        match name.as_bytes()[0] {
            b'y' if !kept_out => assert!(outcome.is_ok(), "{name}: {:?}", outcome.err()),
            b'n' => assert!(outcome.is_err(), "{name} passed"),
            _ => {}
        }
        match outcome {
            Ok(value) => {
                assert_eq!(
                    parse(value.to_string().as_bytes()).unwrap(),
                    value,
                    "{name} does not come back equal"
                );
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 80 && refused > 150, "{taken} taken, {refused} refused");
}

#[test]
fn naughty_strings_come_back_byte_for_byte_or_are_refused() {
    let Some(file) = shared("data/reliability/blns/blns.json") else { return };
    let strings: Vec<String> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut world = World::with(&["a"]);
    let (mut kept, mut refused) = (0, 0);
    for text in &strings {
        for field in ["title", "description", "source"] {
            let patches = json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {field: text, "metadata": {text.as_str(): text}, "tags": []}}]);
            let set = crate::support::patch_set(&world.state, patches).unwrap();
            if world.try_set(&set).is_ok() {
                let json =
                    lakeplan::domain::record::Record::get(world.get("PAY-1"), field).unwrap();
                assert_eq!(json, Value::String(text.clone()));
                assert_eq!(
                    world.get("PAY-1").metadata.0.get(text.as_str()),
                    Some(&Value::String(text.clone()))
                );
                kept += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(kept > strings.len() * 2, "{kept} kept, {refused} refused");
}
