//! Where queries are planned and run: threads of their own, whose stacks hold what the limits let through, and whose panics
//! end the query and not the process.

use std::any::Any;
use std::sync::Once;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

use super::AnalyticsError;
use super::fault::cut;

/// The stack of each thread. Only what is used of it takes memory; the deepest query within the limits uses a small part,
/// also without optimizations.
const STACK: usize = 128 << 20;
/// Threads that read files, beside those that compute.
const READERS: usize = 16;
/// The name of the threads, by which their panics are known.
const NAME: &str = "query";

/// Runs short work, such as parsing, that recurses deep.
pub(super) fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, AnalyticsError> {
    quiet();
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name(NAME.to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work);
        thread.map_err(AnalyticsError::Thread)?.join().map_err(|panic| gave_up(panic.as_ref()))
    })
}

/// A runtime of its own for a session. What is abandoned on it never holds up the end of the process, even where it
/// computes without a pause.
#[derive(Debug)]
pub(super) struct Engine(Option<Runtime>);

impl Engine {
    pub fn start() -> Result<Self, AnalyticsError> {
        quiet();
        let mut builder = Builder::new_multi_thread();
        builder
            .enable_all()
            .thread_name(NAME)
            .thread_stack_size(STACK)
            .max_blocking_threads(READERS);
        Ok(Self(Some(builder.build().map_err(AnalyticsError::Thread)?)))
    }

    /// Runs work there, which ends when nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, AnalyticsError>> + Send + 'static,
    ) -> Result<T, AnalyticsError> {
        /// A task that ends with who waits for it.
        struct Awaited<T>(JoinHandle<T>);
        impl<T> Drop for Awaited<T> {
            fn drop(&mut self) {
                self.0.abort();
            }
        }
        let Some(task) = self.spawn(work) else {
            return Err(AnalyticsError::Panicked(String::new()));
        };
        let mut task = Awaited(task);
        match (&mut task.0).await {
            Ok(done) => done,
            Err(err) => Err(panicked(err)),
        }
    }

    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        self.0.as_ref().map(|runtime| runtime.spawn(work))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs work that may be long on a thread of its own. Who stops waiting for it leaves it behind, and it holds up the end of
/// the process no more than that of the wait.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AnalyticsError> + Send + 'static,
) -> Result<T, AnalyticsError> {
    tokio::task::spawn_blocking(work).await.map_err(panicked)?
}

/// What became of a task that ended by itself without an answer.
pub(super) fn panicked(err: JoinError) -> AnalyticsError {
    match err.try_into_panic() {
        Ok(panic) => gave_up(panic.as_ref()),
        Err(err) => AnalyticsError::Panicked(err.to_string()),
    }
}

/// What a panic means. A column that becomes too long for the engine ends in one.
pub(super) fn gave_up(panic: &(dyn Any + Send)) -> AnalyticsError {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("it gave no reason");
    if ["offset overflow", "capacity overflow"].iter().any(|what| text.contains(what)) {
        return AnalyticsError::Grows(
            "the query would make a column of more than 2 GiB at once".to_owned(),
        );
    }
    AnalyticsError::Panicked(cut(text))
}

/// Has panics of these threads told by the error alone, without the place in the engine's source.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if thread::current().name() == Some(NAME) {
                tracing::debug!(%panic, "the query panicked");
            } else {
                others(panic);
            }
        }));
    });
}
