//! Long work beside those who wait for answers.

use std::pin::pin;
use std::task::Poll;

use tokio::time::{Duration, Instant, sleep};

/// Less work than this at a time is in nobody's way.
const SHORT: Duration = Duration::from_micros(100);

/// A future that rests after each piece of work for as long as the piece took, so that on a machine with few cores those
/// who commit wait for half a core and not for a whole one.
pub async fn gently<F: Future>(work: F) -> F::Output {
    let (mut work, mut rest, mut is_resting) = (pin!(work), pin!(sleep(Duration::ZERO)), false);
    std::future::poll_fn(|context| {
        loop {
            // Who wakes the work meanwhile loses nothing: it is looked at after the rest.
            if is_resting && rest.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let begun = Instant::now();
            let done = work.as_mut().poll(context);
            let took = begun.elapsed();
            is_resting = took >= SHORT;
            if done.is_ready() || !is_resting {
                return done;
            }
            rest.as_mut().reset(begun + took * 2);
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_rests_and_loses_no_wake() {
        const PIECE: Duration = Duration::from_millis(5);
        let (send, answer) = tokio::sync::oneshot::channel();
        let begun = Instant::now();
        let other = tokio::spawn(async move {
            // Comes while the work rests.
            let _ = send.send(begun.elapsed());
        });
        let work = async {
            std::thread::sleep(PIECE);
            tokio::task::yield_now().await;
            std::thread::sleep(PIECE);
            answer.await
        };
        let sent = gently(work).await.unwrap();
        other.await.unwrap();
        assert!(sent >= PIECE, "the answer came before the first piece of work: {sent:?}");
        assert!(begun.elapsed() >= PIECE * 3, "no rest in {:?}", begun.elapsed());
    }
}
