//! The digests of journal rows and the hash chain over them.

use lakeplan::domain::change::Change;
use lakeplan::domain::id::{EntityId, PatchSetId, ProjectId};
use lakeplan::domain::patch::{Op, Source};
use lakeplan::domain::record::Entity;
use lakeplan::store::row::{Envelope, Hash, Row, Stream, hex, next_chain, unhex};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::config;
use super::json::object;
use crate::support::noon;

fn change() -> impl Strategy<Value = Change> {
    (
        select(Entity::ALL),
        any::<u128>(),
        option::of(any::<u128>()),
        select(Op::ALL),
        object(),
        object(),
    )
        .prop_map(|(entity, id, project, op, before, after)| Change {
            entity,
            id: Uuid::from_u128(id),
            project: project.map(|id| ProjectId::of(Uuid::from_u128(id))),
            op,
            before,
            after,
        })
}

fn rows() -> impl Strategy<Value = (Hash, Vec<Change>, Vec<Row>)> {
    let envelope = (
        1..u64::MAX,
        any::<u128>(),
        any::<Hash>(),
        "\\PC{1,12}",
        option::of("\\PC{0,12}"),
        select(Source::ALL),
    );
    (envelope, any::<Hash>(), vec(change(), 1..5), any::<[u8; 16]>()).prop_map(
        |((seq, id, request_hash, actor, reason, source), previous, changes, salt)| {
            let envelope = Envelope {
                seq,
                patch_set_id: PatchSetId::of(Uuid::from_u128(id)),
                request_hash,
                v: 1,
                actor: &actor,
                source,
                reason: reason.as_deref(),
                at: noon(),
            };
            let rows = Row::chain_set(&envelope, &changes, previous, || salt);
            (previous, changes, rows)
        },
    )
}

/// The name of a field, and a change of it.
type Forgery = (&'static str, fn(&mut Row));

/// Changes of a row that its digest must show, one for each field.
const FORGERIES: [Forgery; 17] = [
    ("seq", |row| row.seq ^= 1),
    ("ordinal", |row| row.ordinal ^= 1),
    ("patch_set_id", |row| row.patch_set_id = PatchSetId::of(other(row.patch_set_id.uuid()))),
    ("request_hash", |row| row.request_hash = row.request_hash.map(|hash| hash.map(|byte| !byte))),
    ("v", |row| row.v += 1),
    ("project_id", |row| {
        row.project_id = match row.project_id {
            Some(_) => None,
            None => Some(ProjectId::of(Uuid::nil())),
        }
    }),
    ("entity", |row| row.entity = another(Entity::ALL, row.entity)),
    ("entity_id", |row| row.entity_id = other(row.entity_id)),
    ("op", |row| row.op = another(Op::ALL, row.op)),
    ("before", |row| row.before = Some(row.before.as_deref().map_or(String::new(), longer))),
    ("after", |row| row.after = row.after.as_deref().map(longer)),
    ("actor", |row| row.actor.push(' ')),
    ("source", |row| row.source = another(Source::ALL, row.source)),
    ("reason", |row| row.reason = row.reason.as_ref().map_or(Some(String::new()), |_| None)),
    ("at", |row| row.at += chrono::TimeDelta::microseconds(1)),
    ("stream", |row| row.stream = another(Stream::ALL, row.stream)),
    ("salt", |row| row.salt = row.salt.map(|salt| salt.map(|byte| !byte))),
];

fn other(id: Uuid) -> Uuid {
    Uuid::from_u128(!id.as_u128())
}

fn longer(text: &str) -> String {
    format!("{text} ")
}

fn another<T: Copy + PartialEq>(all: &[T], than: T) -> T {
    *all.iter().find(|each| **each != than).unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_rows_of_a_set_hold_its_changes_and_end_in_the_chain(
        (previous, changes, rows) in rows(),
    ) {
        prop_assert_eq!(rows.len(), changes.len());
        for (at, (row, change)) in rows.iter().zip(&changes).enumerate() {
            prop_assert_eq!(row.ordinal as usize, at);
            prop_assert_eq!(row.digest, row.compute_digest());
            prop_assert_eq!(&row.after_fields().unwrap(), &change.after);
            prop_assert_eq!(&row.before_fields().unwrap(), &change.before);
            prop_assert_eq!(row.chain.is_some(), at + 1 == rows.len());
        }
        let chain = next_chain(previous, rows.iter().map(|row| row.digest));
        prop_assert_eq!(rows.last().unwrap().chain, Some(chain));
    }

    #[test]
    fn a_changed_field_changes_the_digest((_, _, rows) in rows()) {
        for (field, forge) in FORGERIES {
            let mut forged = rows[0].clone();
            forge(&mut forged);
            prop_assert_ne!(forged.compute_digest(), rows[0].digest, "{} is not covered", field);
        }
    }

    #[test]
    fn a_lost_or_moved_row_changes_the_chain((previous, _, rows) in rows()) {
        let digests: Vec<Hash> = rows.iter().map(|row| row.digest).collect();
        let chain = rows.last().unwrap().chain;
        for lost in 0..digests.len() {
            let mut digests = digests.clone();
            digests.remove(lost);
            prop_assert_ne!(Some(next_chain(previous, digests)), chain);
        }
        if digests.len() > 1 {
            let mut digests = digests.clone();
            digests.rotate_left(1);
            prop_assert_ne!(Some(next_chain(previous, digests)), chain);
        }
        prop_assert_ne!(Some(next_chain(previous.map(|byte| !byte), digests)), chain);
    }

    #[test]
    fn an_erased_row_keeps_its_digest_and_nothing_of_its_values((_, _, rows) in rows()) {
        let row = &rows[0];
        let erased = row.clone().erased();
        prop_assert!(erased.is_erased() && !row.is_erased());
        prop_assert_eq!((erased.digest, erased.chain), (row.digest, row.chain));
        prop_assert_eq!((&erased.before, &erased.after, erased.request_hash), (&None, &None, None));
    }

    #[test]
    fn a_hash_is_the_same_after_its_text_form(hash in any::<Hash>()) {
        prop_assert_eq!(unhex::<32>(&hex(&hash)), Some(hash));
        prop_assert_eq!(unhex::<31>(&hex(&hash)), None);
    }
}
