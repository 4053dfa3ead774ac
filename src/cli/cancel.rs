//! Stops a long operation on Ctrl-C or at a time limit.

use std::time::Duration;

use crate::databricks::warehouse::Stop;

/// Default time limit of a statement in seconds; a warehouse may have to start first.
pub const DEFAULT_TIMEOUT_SECS: u64 = 900;

/// Completes on Ctrl-C or after `seconds`.
pub async fn stop(seconds: u64) -> Stop {
    stop_after(Some(Duration::from_secs(seconds))).await
}

/// Completes on Ctrl-C or after `within`.
pub async fn stop_after(within: Option<Duration>) -> Stop {
    let late = async {
        match within {
            Some(within) => tokio::time::sleep(within).await,
            None => std::future::pending().await,
        }
    };
    let interrupted = async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Stop::Interrupted,
            // Without a signal handler, the time limit still applies.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        stop = interrupted => stop,
        () = late => Stop::Deadline,
    }
}
