//! `invert`: a set and then its inverse leave the lake as it was.

use std::collections::BTreeMap;

use lakeplan::domain::any_record::AnyRecord;
use lakeplan::domain::invert::invert;
use lakeplan::domain::state::State;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::actions::{Reference, fixture, patches, set};
use super::config;
use crate::domain::undo::QUIET;
use crate::support::patch_set;

/// Fields that an undo does not revert: the stamps; the times, which keep the first start and the
/// last completion; the keys that a task had elsewhere; and positions, because siblings may be
/// renumbered.
const KEPT: [&str; 6] =
    ["started_at", "completed_at", "lead_minutes", "cycle_minutes", "former_keys", "position"];

/// Returns the live records without the fields that an undo does not revert, and the order of the
/// tasks.
fn content(state: &State) -> (BTreeMap<String, Value>, Vec<String>) {
    let fields = |record: AnyRecord| {
        let mut fields = record.to_fields();
        let is_kept =
            |field: &String| QUIET.contains(&field.as_str()) || KEPT.contains(&field.as_str());
        fields.retain(|field, _| !is_kept(field));
        (format!("{:?}", record.record_key()), Value::Object(fields))
    };
    let live = state.records().filter(|record| record.is_live()).map(fields).collect();
    let order = state.projects().flat_map(|project| {
        let tops = project.children(None);
        tops.flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)))
            .filter(|task| task.is_live())
            .map(|task| task.key.to_string())
    });
    (live, order.collect())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_set_and_its_inverse_change_nothing(sets in vec(set(), 1..8)) {
        let mut fixture = fixture();
        for actions in &sets {
            let patches = patches(actions, &fixture.state, Reference::Name);
            let Ok(set) = patch_set(&fixture.state, patches.clone()) else { continue };
            let before = content(&fixture.state);
            if fixture.try_set(&set).is_err() {
                continue;
            }
            let (after, changes) = (fixture.state.clone(), fixture.applied.last().unwrap().clone());
            let inverse = invert(&changes, &fixture.state);
            if inverse.is_empty() {
                prop_assert_eq!(content(&fixture.state), before, "{} has no inverse", patches);
                continue;
            }
            let undone = fixture.patches(inverse);
            prop_assert!(undone.is_ok(), "the undo of {patches} is refused: {undone:?}");
            prop_assert_eq!(content(&fixture.state), before, "undo of {}", patches);
            // The next set applies to the lake with this one.
            fixture.state = after;
        }
    }
}
