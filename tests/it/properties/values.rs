//! Values read back from their JSON and from their text.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use chrono::{DateTime, NaiveDate};
use lakeplan::domain::id::{
    EntityId, LakeId, PatchSetId, ProjectId, RequirementId, TaskId, UserId,
};
use lakeplan::domain::key::{ProjectKey, TaskKey};
use lakeplan::domain::link::LinkKind;
use lakeplan::domain::patch::{Op, Source};
use lakeplan::domain::record::Entity;
use lakeplan::domain::task::TaskStatus;
use lakeplan::domain::time::{self, Instant, Lag, Minutes, rfc3339};
use lakeplan::domain::value::{FieldValue, LongText, Metadata, Name, Tags, Title, Zone};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::config;
use super::json::object;

/// Checks that a value reads back from its JSON, as an author's value and as a stored one.
fn reads_back<T: FieldValue + Debug>(value: &T) -> Result<(), TestCaseError> {
    let json = value.json();
    prop_assert_eq!(T::read(&json), Ok(value.clone()), "{} as input", json);
    prop_assert_eq!(T::read_stored(&json), Ok(value.clone()), "{} as stored", json);
    Ok(())
}

/// Checks that a value reads back from its text too.
fn parses_back<T>(value: &T) -> Result<(), TestCaseError>
where
    T: FieldValue + Debug + Display + FromStr<Err: Debug>,
{
    let read: Result<T, _> = value.to_string().parse();
    prop_assert_eq!(&read.unwrap(), value);
    reads_back(value)
}

fn project_key() -> impl Strategy<Value = ProjectKey> {
    "[A-Z][A-Z0-9]{1,9}".prop_map(|key| key.parse().unwrap())
}

/// Generates a time that tables can store, in whole microseconds.
fn instant() -> impl Strategy<Value = Instant> {
    (-2_208_988_800_000_000i64..253_402_300_800_000_000)
        .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
}

fn day() -> impl Strategy<Value = NaiveDate> {
    instant().prop_map(|at| at.date_naive())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn ids_read_back(id in any::<u128>().prop_filter("reserved", |id| ![0, u128::MAX].contains(id))) {
        let id = Uuid::from_u128(id);
        parses_back(&TaskId::of(id))?;
        parses_back(&ProjectId::of(id))?;
        parses_back(&UserId::of(id))?;
        parses_back(&RequirementId::of(id))?;
        parses_back(&LakeId::of(id))?;
        parses_back(&PatchSetId::of(id))?;
    }

    #[test]
    fn keys_read_back(project in project_key(), number in 1..=u32::MAX) {
        parses_back(&TaskKey::new(project.clone(), number))?;
        parses_back(&project)?;
    }

    #[test]
    fn words_read_back(
        op in select(Op::ALL),
        entity in select(Entity::ALL),
        source in select(Source::ALL),
        status in select(TaskStatus::ALL),
        link in select(LinkKind::ALL),
    ) {
        parses_back(&op)?;
        parses_back(&entity)?;
        parses_back(&source)?;
        parses_back(&status)?;
        parses_back(&link)?;
    }

    #[test]
    fn durations_read_back(minutes in 0..=Minutes::MAX.get(), lag in any::<i32>()) {
        parses_back(&Minutes::new(minutes))?;
        reads_back(&Lag::new(i64::from(lag) % i64::from(Minutes::MAX.get())))?;
    }

    #[test]
    fn days_and_times_read_back(day in day(), at in instant()) {
        reads_back(&day)?;
        reads_back(&at)?;
        prop_assert_eq!(time::read(&rfc3339(at)), Ok(at));
    }

    #[test]
    fn texts_read_back(
        line in "[^\0\r\n]{0,40}x",
        text in "[^\0]{0,80}",
        zone in select(&chrono_tz::TZ_VARIANTS[..]),
        tags in vec("[^\0\r\n]{0,10}x", 0..5),
    ) {
        reads_back(&Title::new(&line).unwrap())?;
        reads_back(&Name::new(&line).unwrap())?;
        reads_back(&LongText::new(&text).unwrap())?;
        reads_back(&Zone::new(zone.name()).unwrap())?;
        reads_back(&Tags::read(&tags.into()).unwrap())?;
        reads_back(&Some(Title::new(&line).unwrap()))?;
    }

    #[test]
    fn free_form_data_reads_back(object in object()) {
        if let Ok(data) = Metadata::read(&object.into()) {
            reads_back(&data)?;
        }
    }
}
