//! Throttles long work in favour of callers that wait for answers.

use std::mem;
use std::pin::pin;
use std::task::Poll;

use tokio::time::{Duration, Instant, sleep};

/// Work time after which a rest is due; timers have no finer resolution.
const PIECE: Duration = Duration::from_millis(1);
/// Maximum rest: a longer poll means that the machine stood still.
const MAX_REST: Duration = Duration::from_millis(50);

/// Runs a future that rests for as long as it worked, piece by piece. On a machine with few cores,
/// commits thus wait for half a core and not for a whole one.
pub async fn throttled<F: Future>(work: F) -> F::Output {
    let (mut work, mut rest) = (pin!(work), pin!(sleep(Duration::ZERO)));
    let (mut owed, mut is_resting) = (Duration::ZERO, false);
    std::future::poll_fn(|context| {
        loop {
            // A wake-up during the rest is not lost: the work is polled after the rest.
            if is_resting && rest.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let begun = Instant::now();
            let done = work.as_mut().poll(context);
            owed += begun.elapsed();
            is_resting = owed >= PIECE;
            if done.is_ready() || !is_resting {
                return done;
            }
            rest.as_mut().reset(Instant::now() + mem::take(&mut owed).min(MAX_REST));
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_POLL: Duration = Duration::from_millis(5);

    /// Works three times, and then waits for an answer if it has not arrived.
    async fn three_pieces(answer: impl Future<Output = Duration>) -> Duration {
        let pieces = async {
            for _ in 0..3 {
                std::thread::sleep(MAX_POLL);
                tokio::task::yield_now().await;
            }
        };
        futures::join!(answer, pieces).0
    }

    #[tokio::test]
    async fn work_rests_and_loses_no_wake() {
        let (send, answer) = tokio::sync::oneshot::channel();
        let begun = Instant::now();
        // It runs in the first rest, when the work already waits for it.
        let other = tokio::spawn(async move { send.send(begun.elapsed()) });
        let sent = throttled(three_pieces(async { answer.await.unwrap() })).await;
        other.await.unwrap().unwrap();
        assert!(sent >= MAX_POLL, "the answer came after {sent:?}");
        assert!(begun.elapsed() >= MAX_POLL * 6, "too little rest in {:?}", begun.elapsed());
    }
}
