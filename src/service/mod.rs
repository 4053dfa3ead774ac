//! Use cases: load a value, call a pure function, commit, return.
//!
//! Belongs here: putting store, domain and the pure rooms in order. Does not: talking to a person or a wire (`cli`),
//! deciding what should happen (the pure rooms). Data leaves as values and as [`ServiceError`].

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
use crate::domain::tally::Tallies;
use crate::domain::time::AsOf;
use crate::domain::value::Name;
use crate::runtime::{Clock, Random};
use crate::store::row::Stream;
use crate::store::{Scope, Snapshot, Store};

/// What every use case needs.
#[derive(Clone)]
pub struct Service {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// Who acts, where a request does not say.
    pub actor: Name,
}

impl Service {
    /// The lake as it is, or as it was at a position or moment, as far as a scope asks.
    pub async fn read(&self, scope: &Scope, as_of: Option<AsOf>) -> Result<Snapshot, ServiceError> {
        match as_of {
            None => Ok(self.store.snapshot(scope).await?),
            Some(as_of) => {
                history::read_as_of(self.store.as_ref(), scope, as_of, Stream::Work).await
            }
        }
    }

    /// What belongs to every scope, as it is or was, and the living tasks, counted.
    pub async fn tallied(&self, as_of: Option<AsOf>) -> Result<(State, Tallies), ServiceError> {
        if as_of.is_some() {
            let state = self.read(&Scope::All, as_of).await?.state;
            let tallies = Tallies::of(&state);
            return Ok((state, tallies));
        }
        Ok((self.state(&Scope::outline()).await?, self.store.tally().await?))
    }

    /// The lake as it is, as far as a scope asks.
    pub async fn state(&self, scope: &Scope) -> Result<State, ServiceError> {
        Ok(self.read(scope, None).await?.state)
    }
}
