//! Older lakes are read, and newer ones are refused with an error.

use std::sync::Arc;

use lakeplan::domain::patch::{PatchSet, Source};
use lakeplan::domain::record::{Entity, Fields};
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::service::Service;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Store, StoreError};
use serde_json::json;

use super::{commit, committed, delta_in_memory, make_project, open, set, state, task};
use crate::support::{author, clock, random};

/// Returns a made-up next format that renames the former priority `high` to `critical`.
fn next_format() -> Format {
    fn raise(entity: Entity, mut fields: Fields) -> Fields {
        if entity == Entity::Task && fields.get("priority") == Some(&json!("high")) {
            fields.insert("priority".to_owned(), json!("critical"));
        }
        fields
    }
    Format::default().followed_by(raise)
}

#[tokio::test]
async fn an_upgraded_lake_refuses_the_older_binary() {
    let (old, root) = delta_in_memory().await;
    make_project(old.as_ref()).await;
    let urgent = json!([{"op": "create", "entity": "task", "fields": {"project_id": "PAY", "title": "a", "priority": "high"}}]);
    let _ = committed(old.as_ref(), urgent).await;

    let new = DeltaStore::open(&root, next_format(), clock(), random(2)).await.unwrap();
    let priority = |state: &lakeplan::domain::state::State| {
        lakeplan::service::find::task(state, "PAY-1").unwrap().priority.unwrap().as_str()
    };
    assert_eq!(priority(&state(&new).await), "critical", "the payload was not migrated");
    assert_eq!(priority(&state(old.as_ref()).await), "high");

    let new: Arc<dyn Store> = Arc::new(new);
    let service = Service {
        planner: Arc::new(OutlinePlanner),
        store: Arc::clone(&new),
        clock: clock(),
        random: random(3),
    };
    let (from, to, _) =
        service.upgrade(next_format().current(), &author(&service)).await.unwrap().unwrap();
    assert_eq!((from, to), (2, 3));
    assert!(
        service.upgrade(3, &author(&service)).await.unwrap().is_none(),
        "a second upgrade did something"
    );
    let _ = committed(new.as_ref(), task("b")).await;

    let sentence = "needs a lakeplan that reads format 3; this one";
    let open_now = open(&root, clock(), 4).await;
    match open_now {
        Err(err @ StoreError::NewerFormat { .. }) => {
            assert!(err.to_string().contains(sentence), "{err}")
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("a newer lake was opened"),
    }
    let outcome = old.commit(vec![set(new.as_ref(), task("c")).await]).await.pop().unwrap();
    assert!(
        format!("{outcome:?}").contains("NewerFormat"),
        "an older writer that was already open committed: {outcome:?}"
    );
}

#[tokio::test]
async fn opening_a_missing_lake_or_creating_one_twice_is_an_error() {
    let root = super::root(Arc::new(object_store::memory::InMemory::new()));
    assert!(matches!(open(&root, clock(), 1).await, Err(StoreError::NotALake { .. })));
    let _first = DeltaStore::create(&root, Format::default(), clock(), random(1)).await.unwrap();
    let second = DeltaStore::create(&root, Format::default(), clock(), random(2)).await;
    assert!(matches!(second, Err(StoreError::AlreadyALake { .. })), "{:?}", second.err());
}

#[tokio::test]
async fn writes_work_with_a_clock_behind_the_last_change() {
    let (ahead, root) = delta_in_memory().await;
    make_project(ahead.as_ref()).await;
    let head = ahead.head().await.unwrap().at;
    let at = |hours| {
        Arc::new(lakeplan::runtime::ManualClock::new(
            head - chrono::TimeDelta::hours(hours),
            chrono::TimeDelta::zero(),
        ))
    };
    let hour_back = open(&root, at(1), 2).await.unwrap();
    let mut late = set(ahead.as_ref(), task("a")).await;
    late.source = Source::Cli;
    late.id = lakeplan::runtime::fresh_set_id(at(1).as_ref(), random(9).as_ref());
    assert!(matches!(commit(&hour_back, late).await, lakeplan::store::Outcome::Committed { .. }));
    assert!(hour_back.head().await.unwrap().at >= head, "the time of the journal decreased");
    // Ids are validated by the clock of the writer: two days or a year back, each id is of the
    // current time there.
    for hours in [49, 24 * 400] {
        let days_back = open(&root, at(hours), 3).await.unwrap();
        let mut fresh = set(ahead.as_ref(), task("b")).await;
        fresh.id =
            lakeplan::runtime::fresh_set_id(at(hours).as_ref(), random(hours as u64).as_ref());
        let outcome = commit(&days_back, fresh.clone()).await;
        assert!(matches!(outcome, lakeplan::store::Outcome::Committed { .. }), "{outcome:?}");
        let again = commit(&open(&root, at(hours), 4).await.unwrap(), fresh).await;
        assert!(matches!(again, lakeplan::store::Outcome::AlreadyCommitted { .. }), "{again:?}");
        assert!(days_back.head().await.unwrap().at >= head, "the time of the journal decreased");
        let old = lakeplan::runtime::fresh_set_id(at(hours + 24 * 8).as_ref(), random(7).as_ref());
        let old_writer = PatchSet { id: old, ..set(ahead.as_ref(), task("c")).await };
        assert!(matches!(
            commit(&days_back, old_writer).await,
            lakeplan::store::Outcome::Refused(_)
        ));
    }
}
