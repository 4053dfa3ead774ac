//! Waits between the attempts of a commit.

use std::time::Duration;

use crate::runtime::{Random, random_bytes};

/// Waits that double up to a maximum. Each is up to half as long again, at random, so that writers
/// that lost the same race do not meet again.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub fn new(initial: Duration, max: Duration) -> Self {
        Self { next: initial, max }
    }

    /// Returns the minimum duration of the next wait.
    pub fn minimum(&self) -> Duration {
        self.next
    }

    pub async fn wait(&mut self, random: &dyn Random) {
        let [jitter] = random_bytes::<1>(random);
        tokio::time::sleep(self.next.mul_f64(1.0 + f64::from(jitter) / 512.0)).await;
        self.next = (self.next * 2).min(self.max);
    }
}
