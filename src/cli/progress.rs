//! Progress display on standard error for a person at a terminal.

use std::io::{IsTerminal, Write};
use std::time::Duration;

/// A command that ends sooner shows nothing.
const PROGRESS_DELAY: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(250);

/// Runs a command's work; after half a second, shows its name and the elapsed seconds.
pub async fn show<T>(command: &'static str, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let begun = tokio::time::Instant::now();
    // A separate task, because the work may block its own.
    let ticker = tokio::spawn(async move {
        tokio::time::sleep(PROGRESS_DELAY).await;
        loop {
            say(&format!("\r{command} … {} s", begun.elapsed().as_secs()));
            tokio::time::sleep(STEP).await;
        }
    });
    let done = work.await;
    ticker.abort();
    // The task ends by cancellation.
    let _ = ticker.await;
    if begun.elapsed() >= PROGRESS_DELAY {
        say("\r\u{1b}[K");
    }
    done
}

/// Writes to the terminal. A failure is ignored.
fn say(text: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}
