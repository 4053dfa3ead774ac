//! When a person at the keyboard, or the time, says that it is enough.

use std::time::Duration;

use crate::analytics::warehouse::Stop;

/// How long a statement may take that nobody set a time for, in seconds: a warehouse may have to start first.
pub const LONG: u64 = 900;

/// Comes with Ctrl-C, or after so many seconds.
pub async fn stop(seconds: u64) -> Stop {
    stop_after(Some(Duration::from_secs(seconds))).await
}

/// Comes with Ctrl-C, or when so much time has passed.
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
            // Without a signal to listen to there is still the time.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        stop = interrupted => stop,
        () = late => Stop::Deadline,
    }
}
