//! An id belongs to one record of the lake, regardless of its project and entity.

use lakeplan::domain::id::PatchSetId;
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Outcome, Store};
use serde_json::json;

use super::{commit, committed, delta_in_memory, make_project, set, state, task};
use crate::support::{clock, patch_set, random};

#[tokio::test]
async fn an_id_is_unique_in_the_lake() {
    let (store, _) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    committed(
        store.as_ref(),
        json!([{"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}}]),
    )
    .await;
    let id = "019c0000-0000-7000-8000-00000000aaaa";
    let create = |project: &str| json!([{"op": "create", "entity": "task", "id": id, "fields": {"project_id": project, "title": "one"}}]);
    committed(store.as_ref(), create("PAY")).await;
    let twice = [
        create("OTH"),
        json!([{"op": "create", "entity": "user", "id": id, "fields": {"handle": "ana"}}]),
        json!([{"op": "create", "entity": "project", "id": id, "fields": {"name": "p"}}]),
        json!([{"op": "create", "entity": "requirement", "id": id, "fields": {"project_id": "OTH", "label": "R1", "text": "t"}}]),
    ];
    for patches in twice {
        let set = set(store.as_ref(), patches.clone()).await;
        match commit(store.as_ref(), set).await {
            Outcome::Refused(violations) => {
                assert!(
                    violations[0].message.contains("the task PAY-1"),
                    "{patches}: {violations:?}"
                );
            }
            other => panic!("{patches}: {other:?}"),
        }
    }
    let state = state(store.as_ref()).await;
    for name in ["PAY-1", "PAY", "00000000-0000-0000-0000-000000000000", "@ana"] {
        let patches = json!([{"op": "create", "entity": "task", "id": name, "fields": {"project_id": "OTH", "title": "t"}}]);
        assert!(patch_set(&state, patches).is_err(), "{name}");
    }
}

/// One set derived an id, and another set is given the same id in the same millisecond.
#[tokio::test]
async fn a_given_id_is_looked_up_even_if_the_set_could_derive_it() {
    let (store, _) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    committed(
        store.as_ref(),
        json!([{"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}}]),
    )
    .await;
    let first = set(store.as_ref(), task("one")).await;
    let (id, of) = (first.patches[0].id.to_string(), first.id);
    let _ = commit(store.as_ref(), first).await;
    let create = json!([{"op": "create", "entity": "task", "id": id, "fields": {"project_id": "OTH", "title": "two"}}]);
    let mut second = set(store.as_ref(), create).await;
    second.id = PatchSetId::of_event(of.millis().unwrap(), b"another set of the same millisecond");
    // The writer must look it up itself, because the resolver noted no holder.
    second.also.clear();
    let outcome = commit(store.as_ref(), second).await;
    assert!(
        matches!(&outcome, Outcome::Refused(found) if found[0].message.contains("the task PAY-1")),
        "{outcome:?}"
    );
}

/// The lookups of an id and of links from other projects load projects one after the other. With a
/// small cache, the second must not evict the result of the first.
#[tokio::test]
async fn the_holder_of_an_id_stays_loaded_until_the_set_is_validated() {
    let id = "019c0000-0000-7000-8000-00000000aaaa";
    let (store, root) = delta_in_memory().await;
    make_project(store.as_ref()).await;
    for key in ["OTH", "THI", "FOU"] {
        let project =
            json!([{"op": "create", "entity": "project", "fields": {"name": key, "key": key}}]);
        committed(store.as_ref(), project).await;
        let task = json!([{"op": "create", "entity": "task", "fields": {"project_id": key, "title": "one"}}]);
        committed(store.as_ref(), task).await;
    }
    let held = json!([{"op": "create", "entity": "task", "id": id, "fields": {"project_id": "PAY", "title": "held"}}]);
    committed(store.as_ref(), held).await;
    committed(store.as_ref(), task("another")).await;
    let link = json!({"from_id": "FOU-1", "to_id": "THI-1", "kind": "relates"});
    committed(store.as_ref(), json!([{"op": "link", "entity": "task_link", "fields": link}])).await;
    store.fold().await.unwrap();
    let mut twice = set(
        store.as_ref(),
        json!([
            {"op": "create", "entity": "task", "id": id, "fields": {"project_id": "OTH", "title": "second"}},
            {"op": "delete", "entity": "task", "id": "THI-1"},
        ]),
    )
    .await;
    // The writer must look it up itself, because the resolver noted neither the holder nor the
    // link's project.
    twice.also.clear();
    let cold =
        DeltaStore::open_keeping(&root, Format::default(), 0, clock(), random(9)).await.unwrap();
    let outcome = commit(&cold, twice).await;
    assert!(
        matches!(&outcome, Outcome::Refused(found) if found[0].message.contains("the task PAY-1")),
        "{outcome:?}"
    );
}
