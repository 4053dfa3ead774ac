//! Hostile input that others collected: each case round-trips byte for byte or is refused as a
//! whole.

use std::fs;

use lakeplan::exchange::json::parse;
use serde_json::{Value, json};

use crate::domain::Fixture;
use crate::support::shared;

#[test]
fn valid_json_is_accepted_and_invalid_json_is_refused() {
    let Some(folder) = shared("data/reliability/JSONTestSuite/test_parsing") else { return };
    let (mut taken, mut refused) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let outcome = parse(&fs::read(&path).unwrap());
        // Valid JSON that cannot be kept unchanged, such as a duplicate key, is refused instead of
        // repaired.
        let kept_out = name.contains("duplicated_key");
        match name.as_bytes()[0] {
            b'y' if !kept_out => assert!(outcome.is_ok(), "{name}: {:?}", outcome.err()),
            b'n' => assert!(outcome.is_err(), "{name} was accepted"),
            _ => {}
        }
        match outcome {
            Ok(value) => {
                assert_eq!(
                    parse(value.to_string().as_bytes()).unwrap(),
                    value,
                    "{name} does not round-trip"
                );
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 80 && refused > 150, "{taken} accepted, {refused} refused");
}

#[test]
fn naughty_strings_round_trip_or_are_refused() {
    let Some(file) = shared("data/reliability/blns/blns.json") else { return };
    let strings: Vec<String> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut fixture = Fixture::with(&["a"]);
    let (mut kept, mut refused) = (0, 0);
    for text in &strings {
        for field in ["title", "description", "source"] {
            let patches = json!([{"op": "update", "entity": "task", "id": "PAY-1", "fields": {field: text, "metadata": {text.as_str(): text}, "tags": []}}]);
            let set = crate::support::patch_set(&fixture.state, patches).unwrap();
            if fixture.try_set(&set).is_ok() {
                let json =
                    lakeplan::domain::record::Record::get(fixture.get("PAY-1"), field).unwrap();
                assert_eq!(json, Value::String(text.clone()));
                assert_eq!(
                    fixture.get("PAY-1").metadata.0.get(text.as_str()),
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
