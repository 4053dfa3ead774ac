//! Last resort against a query that fills the memory: watches the memory of the process while it
//! runs.
//!
//! The engine's pool counts what is sorted, joined and gathered, `bounded` what functions produce,
//! `frames` what windows produce, and `repeated` checks rows that are repeated. None of them counts
//! the memory in between, such as copies on their way from one operator to another.

use std::time::Duration;

/// Polling interval. Between two polls, a process can touch some hundred MiB of new memory.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Memory that a query may hold besides its limit, such as rows on their way to the reader.
const EXTRA_MEMORY: u64 = 512 << 20;

/// Completes when the process holds far more than the memory of a query. Never completes if the
/// system does not report memory.
pub async fn memory_exceeded(memory: u64) {
    let Some(before) = held() else { return std::future::pending().await };
    let most = memory.saturating_mul(2).saturating_add(EXTRA_MEMORY).saturating_add(before);
    while held().is_none_or(|held| held <= most) {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Returns the memory that the process holds, in bytes.
fn held() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
