//! Determines the day from which the age of rows is counted. Otherwise a machine whose clock was
//! once far ahead would treat every row as too old, and expired rows are lost for good.
//!
//! `table_state` has a row for each day on which something was committed, folded or maintained.
//! These days and today form runs without a long gap. A wrong clock leaves a separate run of a day
//! or a few; the right clock returns to the old run. So a run after a gap counts only when it has
//! several days; until then, age is counted from the last day of the run before it. After a real
//! pause of months, expiry thus resumes only after a few days of use.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use object_store::ObjectStore;

use super::{TABLE_STATE, rows};
use crate::domain::time::Instant;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;

/// Number of days without a row that form a gap.
const GAP: TimeDelta = TimeDelta::days(45);
/// Number of days with rows after a gap that rule out a wrong clock.
const SETTLED: usize = 7;

/// Returns the day from which the age of rows is counted: today, or an earlier day if the clock may
/// be wrong.
pub async fn counted_from(
    root: &Arc<dyn ObjectStore>,
    now: Instant,
) -> Result<NaiveDate, StoreError> {
    let table = TableLog::new(Arc::clone(root), TABLE_STATE.name).load().await?;
    let files = table.iter().flat_map(|table| table.files.values());
    Ok(settled(files.filter_map(rows::day).collect(), now.date_naive()))
}

fn settled(mut days: BTreeSet<NaiveDate>, today: NaiveDate) -> NaiveDate {
    days.insert(today);
    let days: Vec<NaiveDate> = days.into_iter().collect();
    let runs: Vec<&[NaiveDate]> = days.chunk_by(|day, next| *next - *day <= GAP).collect();
    let last = runs.iter().rev().find(|run| run.len() >= SETTLED).or(runs.first());
    last.and_then(|run| run.last()).map_or(today, |day| today.min(*day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn days(first: &str, number: usize) -> impl Iterator<Item = NaiveDate> {
        day(first).iter_days().take(number)
    }

    #[test]
    fn a_clock_that_is_far_ahead_for_a_while_does_not_count() {
        let real: BTreeSet<NaiveDate> = days("2026-09-01", 90).collect();
        let last = day("2026-11-29");
        assert_eq!(settled(real.clone(), day("2026-11-30")), day("2026-11-30"));
        assert_eq!(settled(real.clone(), day("2099-01-01")), last);
        // Rows of the first run do not confirm the clock for the second run, or for runs on the
        // next days.
        let noted: BTreeSet<NaiveDate> =
            real.iter().copied().chain(days("2099-01-01", 5)).collect();
        assert_eq!(settled(noted.clone(), day("2099-01-06")), last);
        // The clock is right again; its wrong rows stay forever.
        assert_eq!(settled(noted, day("2026-12-05")), day("2026-12-05"));
        assert_eq!(settled(real, day("1970-01-01")), day("1970-01-01"));
    }

    #[test]
    fn after_a_true_pause_age_is_counted_from_today_again() {
        let before: BTreeSet<NaiveDate> = days("2026-09-01", 20).collect();
        let back: BTreeSet<NaiveDate> =
            before.iter().copied().chain(days("2028-03-01", 6)).collect();
        assert_eq!(settled(before, day("2028-03-01")), day("2026-09-20"));
        assert_eq!(settled(back, day("2028-03-07")), day("2028-03-07"));
        assert_eq!(settled(BTreeSet::new(), day("2028-03-07")), day("2028-03-07"), "a new lake");
    }
}
