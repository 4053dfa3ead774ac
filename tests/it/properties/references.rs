//! `resolve`: every spelling of a reference means the same record, and no word makes it panic.

use lakeplan::domain::patch::{PatchSet, Source};
use lakeplan::domain::value::Name;
use lakeplan::domain::violation::Violation;
use lakeplan::runtime::uuid_v7;
use lakeplan::service::RequestContext;
use lakeplan::service::resolve::resolve;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::actions::{Reference, fixture, patches, set};
use super::config;
use crate::domain::Fixture;
use crate::support::{noon, patch_set, random, request};

/// Resolves patches under an id that is the same in every call, because ids of new records follow
/// from it.
fn resolved(fixture: &Fixture, patches: Value) -> Result<PatchSet, Vec<Violation>> {
    let id = lakeplan::domain::id::EntityId::of(uuid_v7(noon(), random(1).as_ref()));
    let actor = Name::new("tester").unwrap();
    let context = RequestContext { actor, source: Source::Cli, now: noon() };
    resolve(&fixture.state, &request(json!({ "patches": patches })), id, &context)
}

/// Words that may or may not refer to a record.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "PAY-1", "pay-1", "PAY-01", "PAY-99", "OTH-1", "PAY", "Payments", "ana", "@ana", "$a",
            "$b", "",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
        "[A-Z]{2,4}-[0-9]{1,12}",
        any::<u128>().prop_map(|id| uuid::Uuid::from_u128(id).to_string()),
    ]
}

fn any_patch() -> impl Strategy<Value = Value> {
    let op = select(vec!["create", "update", "move", "delete", "restore", "link", "unlink"]);
    let entity = select(vec!["task", "project", "user", "task_link", "requirement"]);
    let fields = vec!["project_id", "parent_id", "assignee_id", "from_id", "to_id", "title"];
    let fields = proptest::collection::btree_map(select(fields), word(), 0..4);
    (op, entity, option::of(word()), fields, option::of(word())).prop_map(
        |(op, entity, id, fields, after)| {
            let mut patch = json!({"op": op, "entity": entity, "fields": fields});
            if let Some(id) = id {
                patch["id"] = id.into();
            }
            if let Some(after) = after {
                patch["place"] = json!({ "after": after });
            }
            patch
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn keys_and_handles_in_any_spelling_mean_the_same_as_ids(
        history in vec(set(), 0..4),
        actions in set(),
    ) {
        let mut fixture = fixture();
        for earlier in &history {
            let patches = patches(earlier, &fixture.state, Reference::Name);
            if let Ok(set) = patch_set(&fixture.state, patches) {
                // A refused set is part of a history too.
                let _ = fixture.try_set(&set);
            }
        }
        let by_id = resolved(&fixture, patches(&actions, &fixture.state, Reference::Id));
        for how in [Reference::Name, Reference::OtherSpelling] {
            let mut by_name = resolved(&fixture, patches(&actions, &fixture.state, how));
            if let (Ok(by_name), Ok(by_id)) = (&mut by_name, &by_id) {
                by_name.request_hash = by_id.request_hash;
            }
            prop_assert_eq!(&by_name, &by_id, "{:?}", how);
        }
    }

    #[test]
    fn any_words_give_a_whole_set_or_violations_of_its_patches(
        patches in vec(any_patch(), 0..5),
    ) {
        let fixture = fixture();
        let count = patches.len();
        match resolved(&fixture, patches.into()) {
            Ok(set) => prop_assert_eq!(set.patches.len(), count),
            Err(violations) => {
                prop_assert!(!violations.is_empty());
                prop_assert!(violations.iter().all(|err| err.patch < count), "{violations:?}");
            }
        }
    }
}
