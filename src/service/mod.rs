//! Use cases: load a value, call a pure function, commit, return.
//!
//! In scope: coordination of store, domain and the other pure modules. Out of scope: communication
//! with a person or a wire (`cli`), and decisions (the pure modules). Output: values and
//! [`ServiceError`].

pub mod change;
pub mod duplicates;
pub mod erase;
pub mod error;
pub mod find;
pub mod history;
pub mod inbox;
pub mod lake;
pub mod mentions;
pub mod plan;
pub mod preflight;
pub mod repair;
pub mod resolve;
mod scope;
pub mod task;

use std::sync::Arc;

pub use error::ServiceError;

use crate::domain::state::State;
use crate::domain::task_counts::TaskCounts;
use crate::domain::time::AsOf;
use crate::domain::value::Name;
use crate::runtime::{Clock, Random};
use crate::store::row::Stream;
use crate::store::{Scope, Snapshot, Store};

/// Dependencies of every use case.
#[derive(Clone)]
pub struct Service {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// Actor of a request that names none.
    pub actor: Name,
}

impl Service {
    /// Reads the lake, now or as of a seq or time, as far as the scope requires.
    pub async fn read(&self, scope: &Scope, as_of: Option<AsOf>) -> Result<Snapshot, ServiceError> {
        match as_of {
            None => Ok(self.store.snapshot(scope).await?),
            Some(as_of) => {
                history::read_as_of(self.store.as_ref(), scope, as_of, Stream::Work).await
            }
        }
    }

    /// Returns the records of every scope and the counts of live tasks, now or in the past.
    pub async fn task_counts(
        &self,
        as_of: Option<AsOf>,
    ) -> Result<(State, TaskCounts), ServiceError> {
        if as_of.is_some() {
            let state = self.read(&Scope::All, as_of).await?.state;
            let task_counts = TaskCounts::of(&state);
            return Ok((state, task_counts));
        }
        Ok((self.state(&Scope::outline()).await?, self.store.tally().await?))
    }

    /// Reads the current lake, as far as the scope requires.
    pub async fn state(&self, scope: &Scope) -> Result<State, ServiceError> {
        Ok(self.read(scope, None).await?.state)
    }
}
