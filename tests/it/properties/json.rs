//! `exchange`: JSON and patch sets read back as they were written.

use lakeplan::domain::id::{EntityId, PatchSetId};
use lakeplan::domain::patch::Op;
use lakeplan::domain::record::{Entity, Fields};
use lakeplan::domain::value::{LongText, Name};
use lakeplan::exchange::json::parse;
use lakeplan::exchange::patchset::{RawPatch, RawPlacement, Request};
use lakeplan::runtime::uuid_v7;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::config;
use crate::support::{noon, random};

/// Generates any JSON that can be represented without loss.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |float| float.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|object| Value::Object(object.into_iter().collect())),
        ]
    })
}

/// Generates any JSON object.
pub fn object() -> impl Strategy<Value = Fields> {
    btree_map("\\PC{0,8}", value(), 0..3).prop_map(|fields| fields.into_iter().collect())
}

fn patch() -> impl Strategy<Value = RawPatch> {
    let word = || "\\PC{0,8}";
    let place = prop_oneof![
        Just(RawPlacement::First),
        Just(RawPlacement::Last),
        word().prop_map(RawPlacement::After),
        word().prop_map(RawPlacement::Before),
    ];
    (
        select(Op::ALL),
        select(Entity::ALL),
        option::of(word()),
        object(),
        option::of(place),
        object(),
    )
        .prop_map(|(op, entity, id, fields, place, expect)| RawPatch {
            op,
            entity,
            id,
            fields,
            place,
            expect,
        })
}

fn request() -> impl Strategy<Value = Request> {
    let id = any::<u64>().prop_map(|seed| PatchSetId::of(uuid_v7(noon(), random(seed).as_ref())));
    let actor = "[a-zé@.]{1,10}".prop_map(|name| Name::of_actor(&name).unwrap());
    let reason = "\\PC{0,12}".prop_map(|reason| LongText::new(&reason).unwrap());
    (option::of(id), option::of(actor), option::of(reason), vec(patch(), 0..4))
        .prop_map(|(id, actor, reason, patches)| Request { id, actor, reason, patches })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn json_reads_back_in_every_layout(value in value()) {
        let compact = value.to_string();
        let wide = serde_json::to_string_pretty(&value).unwrap();
        for text in [&compact, &wide, &format!("\u{feff}{compact}")] {
            prop_assert_eq!(&parse(text.as_bytes()).unwrap(), &value);
        }
    }

    #[test]
    fn a_key_that_occurs_twice_is_refused(key in any::<String>(), first in value(), second in value()) {
        let key = Value::from(key);
        let text = format!("{{{key}: {first}, {key}: {second}}}");
        let err = parse(text.as_bytes()).unwrap_err().to_string();
        prop_assert!(err.contains("twice"), "{}", err);
    }

    #[test]
    fn any_text_is_read_or_refused_with_its_line(text in "[\\[\\]{}:,\"0-9eE+.a-z\\\\ \n-]{0,40}") {
        if let Err(err) = parse(text.as_bytes()) {
            prop_assert!(err.to_string().starts_with("line "), "{}", err);
        }
    }

    #[test]
    fn a_request_reads_back_from_its_text(request in request()) {
        let text = request.to_json().to_string();
        let read = Request::from_json(&parse(text.as_bytes()).unwrap());
        prop_assert_eq!(read.as_ref(), Ok(&request));
        prop_assert_eq!(read.unwrap().hash(), request.hash());
    }

    #[test]
    fn the_hash_of_a_request_covers_everything_but_the_id(one in request(), other in request()) {
        let same = Request { id: other.id, ..one.clone() };
        prop_assert_eq!(same.hash(), one.hash());
        for changed in [
            Request { actor: other.actor.clone(), ..one.clone() },
            Request { reason: other.reason.clone(), ..one.clone() },
            Request { patches: other.patches.clone(), ..one.clone() },
        ] {
            let is_same = Request { id: one.id, ..changed.clone() } == one;
            prop_assert_eq!(changed.hash() == one.hash(), is_same);
        }
    }
}
