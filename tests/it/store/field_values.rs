//! Accepted values can be read back. For every field of every entity, the values at its bounds are
//! committed, read again from the journal, from the folded tables and with SQL, changed and undone.
//! Values just outside the bounds are refused with the name of the field.

mod bounds;

use std::collections::BTreeMap;
use std::sync::Arc;

use lakeplan::analytics::{Session, rows_json};
use lakeplan::domain::any_record::AnyRecord;
use lakeplan::domain::record::{Access, Entity, Field};
use lakeplan::domain::value::Kind;
use lakeplan::domain::violation::Violation;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::service::Service;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::tables::TABLES;
use lakeplan::store::{Outcome, Store};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use uuid::Uuid;

use bounds::{Values, values};

use super::{commit, committed, delta_in_memory, open, state};
use crate::checked::MemoryLake;
use crate::support::{author, clock, counts, noon, patch_set, random};

/// A lake for one field, in which records with values of the field are created.
struct Lake {
    store: Arc<DeltaStore>,
    root: MemoryLake,
    entity: Entity,
    field: &'static Field,
    /// The id of the lake's own row.
    id: String,
}

impl Lake {
    async fn of(entity: Entity, field: &'static Field) -> Self {
        let (store, root) = delta_in_memory().await;
        let _ = committed(
            store.as_ref(),
            json!([
                {"op": "create", "entity": "project", "id": "$pay", "fields": {"name": "Payments", "key": "PAY"}},
                {"op": "create", "entity": "task", "fields": {"project_id": "$pay", "title": "first"}},
            ]),
        )
        .await;
        let id = state(store.as_ref()).await.lake.as_ref().unwrap().id.to_string();
        Self { store, root, entity, field, id }
    }

    fn create(&self, n: usize, value: &Value) -> Value {
        let mut fields = match self.entity {
            Entity::Task => json!({"project_id": "PAY", "title": "t"}),
            Entity::Project => json!({"name": "p"}),
            Entity::User => json!({"handle": format!("user{n}")}),
            Entity::Requirement => {
                json!({"project_id": "PAY", "label": format!("R{n}"), "text": "x"})
            }
            Entity::TaskLink => json!({"from_id": format!("$t{n}"), "to_id": "PAY-1"}),
            Entity::Lake | Entity::TaskRequirement | Entity::Sync(_) => json!({}),
        };
        fields[self.field.name] = value.clone();
        if self.field.name.starts_with("estimate_") {
            for name in ["estimate_low", "estimate_likely", "estimate_high"] {
                fields[name] = value.clone();
            }
        }
        let patch = |op: &str| json!({"op": op, "entity": self.entity.as_str(), "id": format!("$x{n}"), "fields": fields});
        match self.entity {
            Entity::Lake => {
                json!([{"op": "update", "entity": "lake", "id": self.id, "fields": fields}])
            }
            Entity::TaskLink => json!([
                {"op": "create", "entity": "task", "id": format!("$t{n}"), "fields": {"project_id": "PAY", "title": "t"}},
                {"op": "link", "entity": "task_link", "fields": fields},
            ]),
            _ => json!([patch("create")]),
        }
    }

    /// Commits patches. Returns the created or changed record of the entity, or the violations.
    async fn send(&self, patches: Value) -> Result<AnyRecord, Vec<Violation>> {
        let set = patch_set(&state(self.store.as_ref()).await, patches)?;
        let id = set.patches.iter().rev().find(|patch| patch.entity == self.entity).unwrap().id;
        match commit(self.store.as_ref(), set).await {
            Outcome::Committed { .. } => Ok(state(self.store.as_ref())
                .await
                .records()
                .find(|record| record.id() == id && record.entity() == self.entity)
                .unwrap()),
            Outcome::Refused(violations) => Err(violations),
            other => panic!("{other:?}"),
        }
    }

    /// Returns the values of the field that SQL reads, by record.
    async fn by_sql(&self) -> BTreeMap<Uuid, Value> {
        let table = TABLES.iter().find(|table| table.entity == self.entity).unwrap().name;
        let session = Session::open(&self.store.tables(), noon()).await.unwrap();
        let rows = rows_json(
            &session
                .query(&format!("SELECT id, \"{}\" AS v FROM {table}", self.field.name))
                .await
                .unwrap(),
        )
        .unwrap();
        let read = |row: &Value| -> (Uuid, Value) {
            let id: Uuid = row["id"].as_str().unwrap().parse().unwrap();
            let stored = match (self.field.kind, &row["v"]) {
                (Kind::Object { .. }, Value::String(text)) => serde_json::from_str(text).unwrap(),
                (_, stored) => stored.clone(),
            };
            let mut record = AnyRecord::empty(self.entity, id);
            record
                .restore(self.field.name, &stored)
                .unwrap_or_else(|why| panic!("{} {stored}: {why}", self.field.name));
            (id, record.get(self.field.name).unwrap())
        };
        rows.as_array().unwrap().iter().map(read).collect()
    }
}

/// Returns the stored form of a value, or `None` if the field refuses it.
fn accepted_value(entity: Entity, field: &Field, value: &Value) -> Option<Value> {
    let mut record = AnyRecord::empty(entity, Uuid::from_u128(1));
    record.set(field.name, value).ok()?;
    record.get(field.name)
}

/// Returns whether rules were violated that depend on more than the value.
fn has_other_rules(field: &Field, violations: &[Violation]) -> bool {
    let is_of_field = violations
        .iter()
        .all(|err| err.field.as_deref() == Some(&format!("fields.{}", field.name)));
    is_of_field && matches!(field.name, "handle" | "key" | "max_depth")
}

fn same(a: &AnyRecord, b: &AnyRecord) -> bool {
    a == b
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_values_round_trip_and_refused_values_are_named() {
    let mut rng = StdRng::seed_from_u64(20_261_129);
    let (mut accepted, mut refused) = (0, 0);
    let fields_of = |entity: &Entity| {
        let own = |field: &&'static Field| {
            field.access.is_authored() && !matches!(field.kind, Kind::Id(_))
        };
        let entity = *entity;
        entity.fields().iter().filter(own).map(move |field| (entity, field)).collect::<Vec<_>>()
    };
    for (entity, field) in Entity::ALL.iter().flat_map(fields_of) {
        let place = format!("{}.{}", entity.as_str(), field.name);
        let lake = Lake::of(entity, field).await;
        let mut made: BTreeMap<Uuid, Value> = BTreeMap::new();
        let mut held: Vec<Value> = Vec::new();
        let Values { inside, either, outside } = values(field.kind, &mut rng, counts(4, 60));
        for value in &inside {
            assert!(
                accepted_value(entity, field, value).is_some(),
                "{place} refuses {value}, which is within its bounds"
            );
        }
        for value in &outside {
            assert!(
                accepted_value(entity, field, value).is_none(),
                "{place} accepts {value}, which is outside its bounds"
            );
        }
        for (n, value) in inside.into_iter().chain(either).chain(outside).enumerate() {
            let accepted_as =
                accepted_value(entity, field, &value).filter(|held| *held != Value::Null);
            match (lake.send(lake.create(n, &value)).await, accepted_as) {
                (Ok(record), Some(expected)) => {
                    assert_eq!(
                        record.get(field.name),
                        Some(expected.clone()),
                        "{place} of {value}"
                    );
                    made.insert(record.id(), expected.clone());
                    held.push(value);
                    accepted += 1;
                }
                (Err(violations), None) => {
                    let named = format!("fields.{}", field.name);
                    let others = ["estimate_low", "estimate_likely", "estimate_high"];
                    let is_named =
                        violations.iter().any(|err| err.field.as_deref() == Some(&named));
                    assert!(
                        is_named || others.contains(&field.name),
                        "{place} of {value}: {violations:?}"
                    );
                    refused += 1;
                }
                (Err(violations), Some(_)) if has_other_rules(field, &violations) => {}
                (found, accepted_as) => {
                    panic!(
                        "{place} of {value}: the field stores {accepted_as:?}, but the commit gave {found:?}"
                    )
                }
            }
        }
        assert!(
            held.len() >= 2 || matches!(field.kind, Kind::Enum(_)),
            "{place}: too few values were accepted: {held:?}"
        );

        let store = lake.store.as_ref();
        let current = state(store).await;
        let reopened = open(&lake.root, clock(), 7).await.unwrap();
        let again = state(&reopened).await;
        assert!(
            current.records().zip(again.records()).all(|(a, b)| same(&a, &b)),
            "{place}: a different value after reopening"
        );
        assert_eq!(current.records().count(), again.records().count(), "{place}");
        store.fold().await.unwrap();
        let result = lake.by_sql().await;
        for (id, expected) in &made {
            assert_eq!(result.get(id), Some(expected), "{place}: SQL reads a different value");
        }
        // A store that reads from the tables instead of the journal.
        let third = state(&open(&lake.root, clock(), 8).await.unwrap()).await;
        assert!(
            current.records().zip(third.records()).all(|(a, b)| same(&a, &b)),
            "{place}: the tables contain a different value"
        );

        if field.access == Access::SetOnCreate {
            continue;
        }
        let service = Service {
            planner: Arc::new(OutlinePlanner),
            store: lake.store.clone(),
            clock: clock(),
            random: random(9),
        };
        for (at, id) in made.keys().enumerate().take(counts(6, 40)) {
            let to = &held[(at * 7 + 3) % held.len()];
            // A change to the same value leaves nothing to undo.
            if accepted_value(entity, field, to).as_ref() == made.get(id) {
                continue;
            }
            let mut fields = json!({field.name: to});
            if field.name.starts_with("estimate_") {
                fields = json!({"estimate_low": to, "estimate_likely": to, "estimate_high": to});
            }
            let patch = json!([{"op": "update", "entity": entity.as_str(), "id": id.to_string(), "fields": fields}]);
            // Another record has the same name.
            if lake.send(patch).await.is_err() {
                continue;
            }
            service.undo(None, &author(&service)).await.unwrap_or_else(|err| {
                panic!("{place}: the change to {to} cannot be undone: {err:?}")
            });
            let record = state(store)
                .await
                .records()
                .find(|record| record.id() == *id && record.entity() == entity)
                .unwrap();
            assert_eq!(
                record.get(field.name).as_ref(),
                made.get(id),
                "{place}: a different value after the undo"
            );
        }
        store.fold().await.unwrap();
        let result = lake.by_sql().await;
        assert!(
            made.iter().all(|(id, expected)| result.get(id) == Some(expected)),
            "{place}: SQL reads a different value after the undo"
        );
    }
    eprintln!("field values: {accepted} accepted, {refused} refused");
    assert!(accepted > 400 && refused > 200, "{accepted} {refused}");
}
