//! The last resort against a query that fills the memory: what the process holds is looked at while it runs.
//!
//! The engine's pool counts what is sorted, joined and gathered, `bounded` what functions make, `frames` what windows make,
//! and `repeated` weighs the rows that are repeated. What lies between them, such as copies on their way from one operator to
//! another, is counted by none.

use std::time::Duration;

/// How often is looked: between two looks a process can touch some hundred MiB of new memory.
const LOOK: Duration = Duration::from_millis(50);
/// What a query may hold beside its memory, such as rows on their way to the one who reads them.
const BESIDE: u64 = 512 << 20;

/// Comes when the process holds far more than the memory of a query; never where the system does not say what it holds.
pub async fn outgrown(memory: u64) {
    let Some(before) = held() else { return std::future::pending().await };
    let most = memory.saturating_mul(2).saturating_add(BESIDE).saturating_add(before);
    while held().is_none_or(|held| held <= most) {
        tokio::time::sleep(LOOK).await;
    }
}

/// The bytes of memory that the process holds.
fn held() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
