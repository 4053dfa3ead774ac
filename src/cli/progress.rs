//! A sign of life on standard error while a command takes long, for a person at a terminal.

use std::io::{IsTerminal, Write};
use std::time::Duration;

/// A command that ends before this shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(250);

/// Runs a command's work; while it lasts longer than half a second, its name and the seconds so far are shown.
pub async fn show<T>(command: &'static str, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let begun = tokio::time::Instant::now();
    // A task of its own: the work may keep its own one busy.
    let ticker = tokio::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        loop {
            say(&format!("\r{command} … {} s", begun.elapsed().as_secs()));
            tokio::time::sleep(STEP).await;
        }
    });
    let done = work.await;
    ticker.abort();
    // It ends by being cut short.
    let _ = ticker.await;
    if begun.elapsed() >= PATIENCE {
        say("\r\u{1b}[K");
    }
    done
}

/// What cannot be shown is no reason to fail.
fn say(text: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}
