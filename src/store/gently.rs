//! Long work beside those who wait for answers.

use std::mem;
use std::pin::pin;
use std::task::Poll;

use tokio::time::{Duration, Instant, sleep};

/// Work after which a rest is due; timers count no finer.
const PIECE: Duration = Duration::from_millis(1);
/// The longest rest: a machine that stood still meanwhile did not work.
const LONGEST: Duration = Duration::from_millis(50);

/// A future that rests for as long as it worked, piece by piece, so that on a machine with few cores those who commit wait
/// for half a core and not for a whole one.
pub async fn gently<F: Future>(work: F) -> F::Output {
    let (mut work, mut rest) = (pin!(work), pin!(sleep(Duration::ZERO)));
    let (mut owed, mut is_resting) = (Duration::ZERO, false);
    std::future::poll_fn(|context| {
        loop {
            // Who wakes the work meanwhile loses nothing: it is looked at after the rest.
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
            rest.as_mut().reset(Instant::now() + mem::take(&mut owed).min(LONGEST));
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_millis(5);

    /// Works three times, and then waits for an answer if it has not come.
    async fn three_pieces(answer: impl Future<Output = Duration>) -> Duration {
        let pieces = async {
            for _ in 0..3 {
                std::thread::sleep(LONG);
                tokio::task::yield_now().await;
            }
        };
        futures::join!(answer, pieces).0
    }

    #[tokio::test]
    async fn work_rests_and_loses_no_wake() {
        let (send, answer) = tokio::sync::oneshot::channel();
        let begun = Instant::now();
        // It runs in the first rest, when the work waits for it already.
        let other = tokio::spawn(async move { send.send(begun.elapsed()) });
        let sent = gently(three_pieces(async { answer.await.unwrap() })).await;
        other.await.unwrap().unwrap();
        assert!(sent >= LONG, "the answer came after {sent:?}");
        assert!(begun.elapsed() >= LONG * 6, "too little rest in {:?}", begun.elapsed());
    }
}
