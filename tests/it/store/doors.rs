//! What a door accepts is read back: of every field of every entity, the values at its bounds are committed, read again from
//! the journal, from the folded tables and by SQL, changed and taken back. What lies just outside is refused by the field's name.

use std::collections::BTreeMap;

use lakeplan::analytics::{Session, rows_json};
use lakeplan::domain::any::AnyRecord;
use lakeplan::domain::record::{Entity, Field, Writer};
use lakeplan::domain::value::{Kind, Name};
use lakeplan::domain::violation::Violation;
use lakeplan::service::Service;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::tables::TABLES;
use lakeplan::store::{Outcome, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{commit, committed, delta_in_memory, open, state};
use crate::support::{clock, counts, noon, patch_set, random};

/// Texts that some layer or engine might not give back as they are.
const TEXTS: &[&str] = &[
    "a",
    "0",
    "-1",
    "null",
    "NULL",
    "true",
    "NaN",
    "1e400",
    "2026-01-01",
    "'",
    "''; DROP TABLE tasks; --",
    "\"quoted\" \\ back\\slash",
    "a\tb",
    "\u{1}\u{7f}\u{80}\u{9f}",
    "\u{feff}bom",
    "é e\u{301} ﬁ İ ı ß ẞ ǆ",
    "計画 프로젝트 תכנון خطة",
    "\u{202e}right to left\u{202c}",
    "\u{200b}zero\u{200d}width\u{2060}",
    "\u{2028}line\u{2029}paragraph",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇧🇷",
    "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{ffff}\u{10000}\u{10ffff}",
    " leading and trailing ",
    "%s %d {} ${x} `x` <b>&amp;</b>",
    "Europe/Berlin",
    "UTC",
    "America/Argentina/ComodRivadavia",
    "AB",
    "Z123456789",
];

/// A text of so many characters, of as many bytes each.
fn long(characters: usize, bytes: usize) -> String {
    ["?", "x", "é", "計", "🚀"][bytes].repeat(characters)
}

/// Any characters but NUL and, in a line, its ends.
fn any_text(random: &mut StdRng, most: usize, is_line: bool) -> String {
    let characters = random.random_range(1..=most);
    let mut text = String::from("r");
    while text.chars().count() < characters {
        let any = match random.random_range(0..4) {
            0 => random.random_range(1..0x80),
            1 => random.random_range(0x80..0x800),
            2 => random.random_range(0x800..0x1_0000),
            _ => random.random_range(0x1_0000..0x11_0000),
        };
        text.extend(char::from_u32(any).filter(|c| !is_line || !matches!(c, '\n' | '\r')));
    }
    text
}

/// Values around the bounds of a kind.
#[derive(Default)]
struct Values {
    /// Every field of the kind takes these,
    inside: Vec<Value>,
    /// some do,
    either: Vec<Value>,
    /// and none these.
    outside: Vec<Value>,
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| json!(text)).collect()
}

fn values(kind: Kind, random: &mut StdRng, more: usize) -> Values {
    let strangers = vec![json!(true), json!(1.5), json!([1]), json!("\u{0}"), json!("a\u{0}b")];
    let mut values = Values { outside: strangers, ..Values::default() };
    let Values { inside, either, outside } = &mut values;
    match kind {
        Kind::Text { max } => {
            inside.extend(texts(TEXTS));
            inside.extend(texts(&["", "\n", "a\r\nb\rc\n", "# T\n\n- [ ] x"]));
            inside.extend([1, 3, 4].map(|bytes| json!(long(max / bytes, bytes))));
            inside.extend((0..more).map(|_| json!(any_text(random, 300, false))));
            outside.extend([json!(long(max + 1, 1)), json!(long(max / 4 + 1, 4)), json!(1), json!({})]);
        }
        Kind::Line { max } => {
            either.extend(texts(TEXTS));
            either.extend([1, 2, 3, 4].map(|bytes| json!(long(max, bytes))));
            either.extend((0..more).map(|_| json!(any_text(random, max, true))));
            outside.extend([json!(long(max + 1, 1)), json!(long(max + 1, 4)), json!(1), json!({})]);
            outside.extend(texts(&["", " ", "\u{2028}", "a\nb", "a\r"]));
        }
        Kind::Word(words) => {
            inside.extend(texts(words));
            outside.extend(words.iter().flat_map(|word| [json!(format!("{word} ")), json!(format!("x{word}")), json!(0)]));
        }
        Kind::Integer { min, max } => {
            inside.extend([min, min + 1, max - 1, max].map(|number| json!(number)));
            inside.extend((0..more).map(|_| json!(random.random_range(min..=max))));
            outside.extend([min.checked_sub(1), max.checked_add(1)].into_iter().flatten().map(|number| json!(number)));
            outside.extend([json!("1"), json!(u64::MAX), json!(1e300), json!(i64::MIN as f64), json!([])]);
        }
        Kind::Date => {
            inside.extend(texts(&["1900-01-01", "1970-01-01", "2000-02-29", "2026-03-29", "9999-12-31"]));
            for _ in 0..more {
                let (year, month, day) =
                    (random.random_range(1900..=9999), random.random_range(1..=12), random.random_range(1..=28));
                inside.push(json!(format!("{year}-{month:02}-{day:02}")));
            }
            outside.extend(texts(&["1899-12-31", "0000-01-01", "0001-01-01", "-001-01-01", "-0001-01-01", "+99999-1-1"]));
            outside.extend(texts(&["10000-01-01", "1900-02-29", "2026-1-1", "2026-01-01T00:00:00Z", "", "١٩٩٩-01-01"]));
        }
        Kind::Instant => {
            inside.extend(texts(&["1900-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z"]));
            inside.extend(texts(&["2026-03-29T01:30:00.123456789Z", "2026-11-20T12:00:00+14:00", "9999-12-31T23:59:59.999999Z"]));
            inside.extend(texts(&["2016-12-31T23:59:59.999999999Z"]));
            for _ in 0..more {
                let seconds = random.random_range(-2_208_988_800..=253_402_300_799_i64);
                let at = chrono::DateTime::from_timestamp(seconds, random.random_range(0..1_000_000_000)).unwrap();
                inside.push(json!(at.to_rfc3339()));
            }
            outside.extend(texts(&["1899-12-31T23:59:59.999999Z", "1900-01-01T00:00:00+00:01", "2016-12-31T23:59:60Z"]));
            outside.extend(texts(&["9999-12-31T23:59:59.999999-00:01", "0001-01-01T00:00:00Z", "10000-01-01T00:00:00Z"]));
            outside.extend(texts(&["2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", ""]));
        }
        Kind::Lines { max } => {
            let numbered = |count: usize| json!((0..count).map(|n| format!("{n}")).collect::<Vec<_>>());
            inside.extend([json!([]), json!(TEXTS), numbered(max), json!([long(100, 4)]), json!(["a", "a", "b"])]);
            for _ in 0..more {
                let lines = random.random_range(1..9);
                inside.push(json!((0..lines).map(|_| any_text(random, 100, true)).collect::<Vec<_>>()));
            }
            outside.extend([numbered(max + 1), json!([long(101, 1)]), json!([""]), json!(["a\nb"]), json!(["a", 1])]);
            outside.extend([json!([null]), json!(["a\u{0}"]), json!("a"), json!({})]);
        }
        Kind::Object { max } => {
            let all: BTreeMap<&str, &str> = TEXTS.iter().map(|text| (*text, *text)).collect();
            let numbers =
                json!([0, -1, i64::MIN, u64::MAX, 1.0, 0.1, 5e-324, 1.797_693_134_862_315_7e308, 9_007_199_254_740_993_i64]);
            inside.extend([json!({}), json!({"": ""}), json!(all), json!({"n": numbers})]);
            inside.extend([json!({"a": {"b": [null, true, [[]], {}]}}), json!({"a": "x".repeat(max - 8)})]);
            inside.extend((0..more).map(|_| json!({any_text(random, 20, false): any_text(random, 300, false)})));
            outside.extend([
                json!({"a": "x".repeat(max - 7)}),
                json!({"a": "\u{0}"}),
                json!({"\u{0}": 1}),
                json!([]),
                json!("{}"),
            ]);
        }
        Kind::Id(_) => {}
    }
    values
}

/// A lake of its own for a field, and how a record with a value of it is made.
struct Lake {
    store: std::sync::Arc<DeltaStore>,
    root: lakeplan::store::delta::Root,
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
            Entity::Requirement => json!({"project_id": "PAY", "label": format!("R{n}"), "text": "x"}),
            Entity::TaskLink => json!({"from_id": format!("$t{n}"), "to_id": "PAY-1"}),
            Entity::Lake | Entity::TaskRequirement => json!({}),
        };
        fields[self.field.name] = value.clone();
        if self.field.name.starts_with("estimate_") {
            for name in ["estimate_low", "estimate_likely", "estimate_high"] {
                fields[name] = value.clone();
            }
        }
        let patch = |op: &str| json!({"op": op, "entity": self.entity.word(), "id": format!("$x{n}"), "fields": fields});
        match self.entity {
            Entity::Lake => json!([{"op": "update", "entity": "lake", "id": self.id, "fields": fields}]),
            Entity::TaskLink => json!([
                {"op": "create", "entity": "task", "id": format!("$t{n}"), "fields": {"project_id": "PAY", "title": "t"}},
                {"op": "link", "entity": "task_link", "fields": fields},
            ]),
            _ => json!([patch("create")]),
        }
    }

    /// Commits patches; the record of the entity that was made or changed, or why it was refused.
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

    /// What SQL says of the field, by record.
    async fn by_sql(&self) -> BTreeMap<Uuid, Value> {
        let table = TABLES.iter().find(|table| table.entity == self.entity).unwrap().name;
        let session = Session::open(&self.store.tables(), noon()).await.unwrap();
        let rows =
            rows_json(&session.query(&format!("SELECT id, \"{}\" AS v FROM {table}", self.field.name)).await.unwrap()).unwrap();
        let read = |row: &Value| -> (Uuid, Value) {
            let id: Uuid = row["id"].as_str().unwrap().parse().unwrap();
            let stored = match (self.field.kind, &row["v"]) {
                (Kind::Object { .. }, Value::String(text)) => serde_json::from_str(text).unwrap(),
                (_, stored) => stored.clone(),
            };
            let mut record = AnyRecord::blank(self.entity, id);
            record.restore(self.field.name, &stored).unwrap_or_else(|why| panic!("{} {stored}: {why}", self.field.name));
            (id, record.get(self.field.name).unwrap())
        };
        rows.as_array().unwrap().iter().map(read).collect()
    }
}

/// What a door makes of a value, or why it refuses it.
fn at_the_door(entity: Entity, field: &Field, value: &Value) -> Option<Value> {
    let mut record = AnyRecord::blank(entity, Uuid::from_u128(1));
    record.set(field.name, value).ok()?;
    record.get(field.name)
}

/// Rules that are about more than the value.
fn has_other_rules(field: &Field, violations: &[Violation]) -> bool {
    let is_of_field = violations.iter().all(|fault| fault.field.as_deref() == Some(&format!("fields.{}", field.name)));
    is_of_field && matches!(field.name, "handle" | "key" | "max_depth")
}

fn same(a: &AnyRecord, b: &AnyRecord) -> bool {
    a == b
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_door_accepts_is_read_back_and_what_it_refuses_is_named() {
    let mut rng = StdRng::seed_from_u64(20_261_129);
    let (mut accepted, mut refused) = (0, 0);
    let doors = |entity: &Entity| {
        let own = |field: &&'static Field| field.writer != Writer::Store && !matches!(field.kind, Kind::Id(_));
        let entity = *entity;
        entity.fields().iter().filter(own).map(move |field| (entity, field)).collect::<Vec<_>>()
    };
    for (entity, field) in Entity::ALL.iter().flat_map(doors) {
        let place = format!("{}.{}", entity.word(), field.name);
        let lake = Lake::of(entity, field).await;
        let mut made: BTreeMap<Uuid, Value> = BTreeMap::new();
        let mut held: Vec<Value> = Vec::new();
        let Values { inside, either, outside } = values(field.kind, &mut rng, counts(4, 60));
        for value in &inside {
            assert!(at_the_door(entity, field, value).is_some(), "{place} refuses {value}, which is within its bounds");
        }
        for value in &outside {
            assert!(at_the_door(entity, field, value).is_none(), "{place} accepts {value}, which is outside its bounds");
        }
        for (n, value) in inside.into_iter().chain(either).chain(outside).enumerate() {
            let door = at_the_door(entity, field, &value).filter(|held| *held != Value::Null);
            match (lake.send(lake.create(n, &value)).await, door) {
                (Ok(record), Some(wanted)) => {
                    assert_eq!(record.get(field.name), Some(wanted.clone()), "{place} of {value}");
                    made.insert(record.id(), wanted.clone());
                    held.push(value);
                    accepted += 1;
                }
                (Err(violations), None) => {
                    let named = format!("fields.{}", field.name);
                    let others = ["estimate_low", "estimate_likely", "estimate_high"];
                    let is_named = violations.iter().any(|fault| fault.field.as_deref() == Some(&named));
                    assert!(is_named || others.contains(&field.name), "{place} of {value}: {violations:?}");
                    refused += 1;
                }
                (Err(violations), Some(_)) if has_other_rules(field, &violations) => {}
                (found, door) => panic!("{place} of {value}: the door says {door:?}, and {found:?} came of it"),
            }
        }
        assert!(held.len() >= 2 || matches!(field.kind, Kind::Word(_)), "{place}: too few values were accepted: {held:?}");

        let store = lake.store.as_ref();
        let stands = state(store).await;
        let reopened = open(&lake.root, clock(), 7).await.unwrap();
        let again = state(&reopened).await;
        assert!(stands.records().zip(again.records()).all(|(a, b)| same(&a, &b)), "{place}: reopened it reads otherwise");
        assert_eq!(stands.records().count(), again.records().count(), "{place}");
        store.fold().await.unwrap();
        let told = lake.by_sql().await;
        for (id, wanted) in &made {
            assert_eq!(told.get(id), Some(wanted), "{place}: SQL reads it otherwise");
        }
        // What is read from the tables and not from the journal.
        let third = state(&open(&lake.root, clock(), 8).await.unwrap()).await;
        assert!(stands.records().zip(third.records()).all(|(a, b)| same(&a, &b)), "{place}: from the tables it reads otherwise");

        if field.writer == Writer::Once {
            continue;
        }
        let service =
            Service { store: lake.store.clone(), clock: clock(), random: random(9), actor: Name::new("tester").unwrap() };
        for (at, id) in made.keys().enumerate().take(counts(6, 40)) {
            let to = &held[(at * 7 + 3) % held.len()];
            // A change to what stands has nothing to take back.
            if at_the_door(entity, field, to).as_ref() == made.get(id) {
                continue;
            }
            let mut fields = json!({field.name: to});
            if field.name.starts_with("estimate_") {
                fields = json!({"estimate_low": to, "estimate_likely": to, "estimate_high": to});
            }
            let patch = json!([{"op": "update", "entity": entity.word(), "id": id.to_string(), "fields": fields}]);
            // A name that another record has.
            if lake.send(patch).await.is_err() {
                continue;
            }
            service
                .undo(None)
                .await
                .unwrap_or_else(|fault| panic!("{place}: the change to {to} cannot be taken back: {fault:?}"));
            let record = state(store).await.records().find(|record| record.id() == *id && record.entity() == entity).unwrap();
            assert_eq!(record.get(field.name).as_ref(), made.get(id), "{place}: taken back it reads otherwise");
        }
        store.fold().await.unwrap();
        let told = lake.by_sql().await;
        assert!(made.iter().all(|(id, wanted)| told.get(id) == Some(wanted)), "{place}: after undo SQL reads it otherwise");
    }
    eprintln!("doors: {accepted} values accepted, {refused} refused");
    assert!(accepted > 400 && refused > 200, "{accepted} {refused}");
}
