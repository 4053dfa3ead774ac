//! Plans and runs queries on separate threads. Their stacks hold everything that the limits allow,
//! and a panic ends the query but not the process.

use std::any::Any;
use std::sync::Once;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

use super::AnalyticsError;
use super::engine_error::truncate;

/// Stack size of each thread. Only the used part takes memory; the deepest query within the limits
/// uses a small part of it, even without optimizations.
const STACK: usize = 128 << 20;
/// Maximum number of threads that read files, besides those that compute.
const READERS: usize = 16;
/// Name of the threads, which identifies their panics.
const NAME: &str = "query";

/// Runs short, deeply recursive work such as parsing.
pub(super) fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, AnalyticsError> {
    silence_panic_hook();
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name(NAME.to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work);
        thread.map_err(AnalyticsError::Thread)?.join().map_err(|panic| panic_error(panic.as_ref()))
    })
}

/// Separate runtime of a session. Abandoned work on it never delays the exit of the process, even
/// if it computes without yielding.
#[derive(Debug)]
pub(super) struct Engine(Option<Runtime>);

impl Engine {
    pub fn start() -> Result<Self, AnalyticsError> {
        silence_panic_hook();
        let mut builder = Builder::new_multi_thread();
        builder
            .enable_all()
            .thread_name(NAME)
            .thread_stack_size(STACK)
            .max_blocking_threads(READERS);
        Ok(Self(Some(builder.build().map_err(AnalyticsError::Thread)?)))
    }

    /// Runs work on this runtime and aborts it when the caller stops waiting.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, AnalyticsError>> + Send + 'static,
    ) -> Result<T, AnalyticsError> {
        /// Task that is aborted when its waiter is dropped.
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

/// Runs possibly long work on a separate thread. If the caller stops waiting, the work is abandoned
/// and delays neither the caller nor the exit of the process.
pub async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AnalyticsError> + Send + 'static,
) -> Result<T, AnalyticsError> {
    tokio::task::spawn_blocking(work).await.map_err(panicked)?
}

/// Returns the error of a task that ended without a result.
pub(super) fn panicked(err: JoinError) -> AnalyticsError {
    match err.try_into_panic() {
        Ok(panic) => panic_error(panic.as_ref()),
        Err(err) => AnalyticsError::Panicked(err.to_string()),
    }
}

/// Converts a panic into an error. The engine panics if a column becomes too long.
pub(super) fn panic_error(panic: &(dyn Any + Send)) -> AnalyticsError {
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
    AnalyticsError::Panicked(truncate(text))
}

/// Reports panics of these threads only through the error, without the location in the engine's
/// source.
fn silence_panic_hook() {
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
