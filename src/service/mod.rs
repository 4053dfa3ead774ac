//! Use cases: load a value, call a pure function, commit, return.
//!
//! In scope: coordination of store, domain and the other pure modules. Out of scope: communication
//! with a person or a wire (`cli`), and decisions (the pure modules). Output: values and
//! [`ServiceError`].

pub mod as_of;
pub mod change;
pub mod context;
pub mod duplicates;
pub mod erase;
pub mod error;
pub mod evaluate;
pub mod find;
pub mod history;
pub mod inbox;
pub mod lake;
pub mod list;
pub mod mentions;
pub mod plan;
pub mod plan_folder;
pub mod plan_view;
pub mod preflight;
pub mod project_page;
pub mod repair;
pub mod resolve;
mod scope;
pub mod show;
pub mod task;
#[cfg(test)]
mod testing;

use std::sync::Arc;

pub use context::RequestContext;
pub use error::ServiceError;

use crate::planning::planner::Planner;
use crate::runtime::{Clock, Random};
use crate::store::Store;

/// Dependencies of every use case.
#[derive(Clone)]
pub struct Service {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// Turns descriptions into plans.
    pub planner: Arc<dyn Planner>,
}
