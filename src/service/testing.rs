//! A service for unit tests, on a lake in memory.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};

use super::{RequestContext, Service};
use crate::domain::patch::Source;
use crate::domain::value::Name;
use crate::planning::outline::OutlinePlanner;
use crate::runtime::{ManualClock, SeededRandom};
use crate::store::memory::MemoryStore;

/// Returns a service on an empty lake. Its clock begins on 2026-12-01 and advances a second at
/// every reading.
pub fn service() -> Service {
    let now = DateTime::parse_from_rfc3339("2026-12-01T09:00:00Z").unwrap().to_utc();
    let clock = Arc::new(ManualClock::new(now, TimeDelta::seconds(1)));
    let random = Arc::new(SeededRandom::new(1));
    let store = Arc::new(MemoryStore::new(clock.clone(), random.clone()).unwrap());
    Service { store, clock, random, planner: Arc::new(OutlinePlanner) }
}

/// Returns the context of a request by Ana, who uses the command line.
pub fn author(service: &Service) -> RequestContext {
    service.request(Name::new("ana").unwrap(), Source::Cli)
}
