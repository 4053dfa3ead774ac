//! Clock and source of randomness. Code below `service` receives both as parameters and never
//! creates them. This module has the real ones, and seeded ones that make a run repeatable.

use std::sync::Mutex;

use chrono::TimeDelta;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng, TryRng};
use uuid::Uuid;

use crate::domain::id::{EntityId, PatchSetId};
use crate::domain::time::{Instant, micros};

/// Clock in UTC and whole microseconds.
pub trait Clock: Send + Sync {
    fn now(&self) -> Instant;
}

/// Source of random bytes.
pub trait Random: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// Returns `N` random bytes.
pub fn random_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// Creates a UUIDv7 for a point in time.
pub fn uuid_v7(at: Instant, random: &dyn Random) -> Uuid {
    let millis = at.timestamp_millis().max(0).unsigned_abs();
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(random)).into_uuid()
}

/// Creates a typed id.
pub fn fresh_id<I: EntityId>(at: Instant, random: &dyn Random) -> I {
    I::of(uuid_v7(at, random))
}

/// Creates an id for a patch set made now.
pub fn fresh_set_id(clock: &dyn Clock, random: &dyn Random) -> PatchSetId {
    fresh_id(clock.now(), random)
}

/// System clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Instant {
        // Utc::now panics if the clock is before 1970.
        micros(std::time::SystemTime::now().into())
    }
}

/// Random generator that is seeded once from the system.
#[derive(Debug)]
pub struct SystemRandom(SeededRandom);

impl Default for SystemRandom {
    fn default() -> Self {
        let mut seed = [0; 32];
        // Without system randomness, the clock and the process id seed the generator. That still
        // keeps ids distinct.
        if SysRng.try_fill_bytes(&mut seed).is_err() {
            let now = SystemClock.now().timestamp_nanos_opt().unwrap_or_default();
            seed[..8].copy_from_slice(&now.to_le_bytes());
            seed[8..12].copy_from_slice(&std::process::id().to_le_bytes());
        }
        Self(SeededRandom(Mutex::new(StdRng::from_seed(seed))))
    }
}

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

/// Random generator that is determined by a seed.
#[derive(Debug)]
pub struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut generator = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        generator.fill_bytes(bytes);
    }
}

/// Clock that moves only through [`ManualClock::advance`], and by a fixed step at every read.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Instant>,
    step: TimeDelta,
}

impl ManualClock {
    pub fn new(now: Instant, step: TimeDelta) -> Self {
        Self { now: Mutex::new(now), step }
    }

    pub fn advance(&self, by: TimeDelta) {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let read = *now;
        *now += self.step;
        micros(read)
    }
}
