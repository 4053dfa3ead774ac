//! Properties that hold for all values, tested on generated ones. A failure is reduced to a small
//! case.
//!
//! Each property runs the same cases in every run, so that a run is repeatable. The full counts
//! run other cases each time. proptest saves a case that fails in `NAME.regressions`, beside the
//! file of the property, and then runs it first. Check in this file together with the fix.

mod actions;
mod chain;
mod json;
mod plan;
mod references;
mod undo;
mod values;

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

use crate::support::{counts, full};

/// Returns the configuration of every property.
fn config() -> Config {
    Config {
        cases: counts(64, 4_096) as u32,
        rng_seed: if full() { RngSeed::Random } else { RngSeed::Fixed(20_261_130) },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    }
}
