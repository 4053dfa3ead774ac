//! Effort and time: minutes are the only unit of effort, instants are UTC, due dates are dates.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::day;

/// Work minutes: at most [`Minutes::MAX`] for one task, unlimited for a sum over many. A work day
/// has 480 ([`Minutes::PER_DAY`]), a week five days.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Minutes(u64);

impl Minutes {
    pub const PER_HOUR: u32 = 60;
    pub const PER_DAY: u32 = 480;
    pub const PER_WEEK: u32 = 5 * Self::PER_DAY;
    /// Ten years of one person; anything longer is a typing error.
    pub const MAX: Minutes = Minutes::new(10 * 52 * Self::PER_WEEK);

    pub const fn new(minutes: u32) -> Self {
        Self(minutes as u64)
    }

    /// Returns the minutes of one task, saturating. A sum may exceed this range; see
    /// [`Minutes::sum`].
    pub const fn get(self) -> u32 {
        if self.0 > u32::MAX as u64 { u32::MAX } else { self.0 as u32 }
    }

    /// Returns the minutes of many tasks together.
    pub const fn sum(self) -> u64 {
        self.0
    }

    /// Number of work days, rounded up.
    pub const fn begun_days(self) -> u64 {
        self.0.div_ceil(Self::PER_DAY as u64)
    }

    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Work minutes between the ends of two tasks; negative if they overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lag(i64);

impl Lag {
    pub const fn new(minutes: i64) -> Self {
        Self(minutes)
    }

    pub const fn get(self) -> i64 {
        self.0
    }
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "a duration is a number with m, h, d or w, such as 45m, 2h, 1.5d or 1h30m (a day is 8 h, a week 5 d), up to ten years; this is {0:?}"
)]
pub struct DurationError(String);

impl FromStr for Minutes {
    type Err = DurationError;

    /// Parses `45m`, `2h`, `1.5d`, `1w`, `1h30m`. A day has 8 hours of work, a week 5 days.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let err = || DurationError(text.chars().take(40).collect());
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(err());
        }
        let mut total = 0f64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(err)?;
            let amount: f64 = rest[..digits].parse().map_err(|_| err())?;
            rest = rest[digits..].trim_start();
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = match &rest[..letters] {
                "m" | "min" => 1,
                "h" => Self::PER_HOUR,
                "d" => Self::PER_DAY,
                "w" => Self::PER_WEEK,
                _ => return Err(err()),
            };
            total += amount * f64::from(unit);
            rest = rest[letters..].trim_start();
        }
        let minutes = total.round();
        if minutes > f64::from(Self::MAX.get()) { Err(err()) } else { Ok(Self(minutes as u64)) }
    }
}

impl fmt::Display for Minutes {
    /// Writes the shortest exact form: `45m`, `2h`, `1d`, `1d 2h`, `1h 30m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [day, hour] = [Self::PER_DAY, Self::PER_HOUR].map(u64::from);
        let (days, hours, minutes) = (self.0 / day, self.0 % day / hour, self.0 % hour);
        let mut parts = Vec::new();
        for (amount, unit) in [(days, "d"), (hours, "h"), (minutes, "m")] {
            if amount > 0 {
                parts.push(format!("{amount}{unit}"));
            }
        }
        f.pad(&if parts.is_empty() { "0m".to_owned() } else { parts.join(" ") })
    }
}

/// Effort as a range. `low <= likely <= high` in every validated record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    pub low: Minutes,
    pub likely: Minutes,
    pub high: Minutes,
}

impl Estimate {
    /// Effort of both, one after the other.
    pub fn and(self, other: Self) -> Self {
        self.each(other, Minutes::saturating_add)
    }

    /// Effort that remains after `other`.
    pub fn less(self, other: Self) -> Self {
        self.each(other, Minutes::saturating_sub)
    }

    /// The greater of both.
    pub fn at_least(self, other: Self) -> Self {
        self.each(other, Minutes::max)
    }

    fn each(self, other: Self, of: impl Fn(Minutes, Minutes) -> Minutes) -> Self {
        Self {
            low: of(self.low, other.low),
            likely: of(self.likely, other.likely),
            high: of(self.high, other.high),
        }
    }

    /// Formats a sum, rounded up to half days, because it is not known to the minute.
    pub fn rough(self) -> String {
        if self.high.begun_days() <= 1 {
            return self.to_string();
        }
        let [day, hour] = [Minutes::PER_DAY, Minutes::PER_HOUR].map(u64::from);
        let rough = |minutes: Minutes| match minutes.sum() {
            few if few < day => format!("{}h", few.div_ceil(hour)),
            many => {
                let halves = many.div_ceil(day / 2);
                format!("{}{}d", halves / 2, if halves % 2 == 1 { ".5" } else { "" })
            }
        };
        let (low, high) = (rough(self.low), rough(self.high));
        if low == high { low } else { format!("{low} to {high}") }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            self.likely.fmt(f)
        } else {
            f.pad(&format!("{} to {}", self.low, self.high))
        }
    }
}

/// Point in time as the tables store it: UTC, in whole microseconds.
pub type Instant = DateTime<Utc>;

/// Truncates a clock reading to the precision of the tables, so that it reads back equal.
pub fn micros(at: Instant) -> Instant {
    at.trunc_subsecs(6)
}

/// Whole minutes from 1970 to an instant. The tables store time differences in this unit.
pub fn whole_minute(at: Instant) -> i64 {
    at.timestamp().div_euclid(60)
}

/// Formats as RFC 3339 with microseconds and `Z`.
pub fn rfc3339(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Minimum value of chrono's nanoseconds in a leap second.
const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// Reason why a text is not a time that the tables can store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotATime {
    /// It is not in the form that every interface accepts.
    Form,
    LeapSecond,
    /// Its day is not [`day::is_storable`].
    Range,
}

/// Reads a time in the form that every interface accepts, at the precision of the tables.
pub fn read(text: &str) -> Result<Instant, NotATime> {
    if !is_in_form(text) {
        return Err(NotATime::Form);
    }
    let at = DateTime::parse_from_rfc3339(text).map_err(|_| NotATime::Form)?.to_utc();
    if at.timestamp_subsec_nanos() >= NANOS_PER_SECOND {
        return Err(NotATime::LeapSecond);
    }
    if !day::is_storable(at.date_naive()) {
        return Err(NotATime::Range);
    }
    Ok(micros(at))
}

/// Whether a text is a time in the form that every interface accepts. Chrono's RFC 3339 also allows
/// a space or a lowercase t between day and time, a lowercase z, and another minus sign.
fn is_in_form(text: &str) -> bool {
    text.is_ascii() && text.as_bytes().get(10) == Some(&b'T') && !text.contains('z')
}

/// Point at which to read the lake: a seq of the journal or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    Seq(u64),
    Time(Instant),
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "a point in time is a seq such as 42, a date such as 2026-11-20 (its end, in UTC) or an RFC 3339 time such as 2026-11-20T10:00:00Z, {RANGE} and without a leap second; this is {0:?}",
    RANGE = day::RANGE
)]
pub struct AsOfError(String);

impl FromStr for AsOf {
    type Err = AsOfError;

    fn from_str(text: &str) -> Result<Self, AsOfError> {
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(seq) = digits.and_then(|text| text.parse().ok()) {
            return Ok(Self::Seq(seq));
        }
        if let Ok(date) = day::read(text) {
            let end = NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).unwrap_or_default();
            return Ok(Self::Time(date.and_time(end).and_utc()));
        }
        read(text).map(Self::Time).map_err(|_| AsOfError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::minutes("45m", 45, "45m")]
    #[case::hours("2h", 120, "2h")]
    #[case::a_fraction("1.5d", 720, "1d 4h")]
    #[case::two_units("1h30m", 90, "1h 30m")]
    #[case::weeks("1w", 2400, "5d")]
    #[case::with_a_space("1d 2h", 600, "1d 2h")]
    #[case::nothing("0m", 0, "0m")]
    fn durations_read_and_print(#[case] text: &str, #[case] minutes: u32, #[case] printed: &str) {
        let read: Minutes = text.parse().unwrap();
        assert_eq!((read.get(), read.to_string().as_str()), (minutes, printed));
    }

    #[test]
    fn the_work_of_many_tasks_is_reported_whole() {
        let one = Estimate { low: Minutes::MAX, likely: Minutes::MAX, high: Minutes::MAX };
        let many = (0..100_000).fold(Estimate::default(), |sum, _| sum.and(one));
        assert_eq!(many.high.sum(), 124_800_000_000);
        assert_eq!(
            (many.rough().as_str(), many.to_string().as_str()),
            ("260000000d", "260000000d")
        );
        assert_eq!(many.less(one).rough(), "259997400d");
        assert_eq!(serde_json::to_value(many.high).unwrap(), 124_800_000_000_u64);
        let odd =
            Estimate { low: Minutes::new(100), likely: Minutes::new(481), high: Minutes::new(721) };
        assert_eq!(odd.rough(), "2h to 2d");
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_unit("2")]
    #[case::no_number("h")]
    #[case::an_unknown_unit("2x")]
    #[case::negative("-2h")]
    #[case::an_exponent("1e9h")]
    #[case::beyond_ten_years("999999w")]
    #[case::a_word_after_it("2h three")]
    #[case::two_points("1..5h")]
    #[case::a_superscript("²h")]
    fn what_is_no_duration_is_refused(#[case] text: &str) {
        assert!(text.parse::<Minutes>().is_err());
    }

    #[test]
    fn a_date_means_its_end() {
        assert_eq!("42".parse(), Ok(AsOf::Seq(42)));
        let end: AsOf = "2026-11-20".parse().unwrap();
        assert_eq!(end, "2026-11-20T23:59:59.999999Z".parse().unwrap());
        for text in [
            "yesterday",
            "+5",
            "+2026-11-29",
            "2026-1-1",
            "9999-12-31T23:59:60Z",
            "1899-12-31T00:00:00Z",
            "+2026-11-20T10:00:00Z",
        ] {
            assert!(text.parse::<AsOf>().is_err(), "{text}");
        }
    }
}
