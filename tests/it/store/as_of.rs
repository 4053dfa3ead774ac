//! Reverting changes backwards gives the same state as applying them forwards.

use std::sync::Arc;

use lakeplan::domain::time::AsOf;
use lakeplan::service::as_of::read_as_of;
use lakeplan::store::memory::MemoryStore;
use lakeplan::store::{Outcome, Scope, Snapshot, Store};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::make_project;
use crate::support::{clock, counts, patch_set, random, random_patches};

fn records(snapshot: &Snapshot) -> Vec<String> {
    snapshot
        .state
        .records()
        .map(|record| {
            format!("{:?} {}", record.record_key(), serde_json::Value::Object(record.to_fields()))
        })
        .collect()
}

#[tokio::test]
async fn every_seq_can_be_queried() {
    for seed in 0..counts(6, 60) as u64 {
        let store = Arc::new(MemoryStore::new(clock(), random(seed)).unwrap());
        make_project(store.as_ref()).await;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut then = vec![store.snapshot(&Scope::All).await.unwrap()];
        for _ in 0..40 {
            let state = &then.last().unwrap().state;
            let Ok(set) = patch_set(state, random_patches(state, &mut rng)) else { continue };
            if let Some(Outcome::Committed { .. }) = store.commit(vec![set]).await.pop() {
                then.push(store.snapshot(&Scope::All).await.unwrap());
            }
        }
        assert!(then.len() > 10);
        for snapshot in &then {
            for as_of in [AsOf::Seq(snapshot.seq), AsOf::Time(snapshot.at)] {
                let past = read_as_of(store.as_ref(), &Scope::All, as_of).await.unwrap();
                assert_eq!(records(&past), records(snapshot), "seed {seed}, {as_of:?}");
                assert_eq!((past.seq, past.at), (snapshot.seq, snapshot.at));
            }
        }
    }
}
