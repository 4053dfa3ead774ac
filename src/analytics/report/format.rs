//! Formats numbers and times for people.
//!
//! Most functions take references, because a template passes fields by reference.

use chrono::{Datelike, NaiveDate};

use crate::domain::time::{Instant, Minutes, rfc3339};

/// Formats effort in minutes, hours, or days of eight hours.
pub fn effort(minutes: &i64) -> String {
    let (hour, day) = (f64::from(Minutes::PER_HOUR), f64::from(Minutes::PER_DAY));
    let amount = *minutes as f64;
    match amount {
        _ if amount < hour => format!("{minutes} min"),
        _ if amount < day => format!("{} h", short(amount / hour)),
        _ => format!("{} d", short(amount / day)),
    }
}

/// Formats a number with one decimal, unless that is zero or the number is at least 100.
pub fn short(number: f64) -> String {
    let tenths = (number * 10.0).round() / 10.0;
    if tenths.abs() >= 100.0 || tenths.fract() == 0.0 {
        thousands(&(number.round() as i64))
    } else {
        format!("{tenths:.1}")
    }
}

/// Formats an integer with thousands separators.
pub fn thousands(number: &i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut rendered = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            rendered.push(',');
        }
        rendered.push(digit);
    }
    if *number < 0 { format!("−{rendered}") } else { rendered }
}

/// Formats an integer with its sign.
pub fn signed(number: &i64) -> String {
    if *number > 0 { format!("+{}", thousands(number)) } else { thousands(number) }
}

/// Formats a share. Only a complete share becomes 100 %, and only zero becomes 0 %.
pub fn percent(share: &f64) -> String {
    let (share, rounded) = (*share, (share * 100.0).round());
    match rounded {
        _ if rounded <= 0.0 && share > 0.0 => "under 1 %".to_owned(),
        _ if rounded >= 100.0 && share < 1.0 => "over 99 %".to_owned(),
        _ => format!("{rounded} %"),
    }
}

/// Formats a count: `1 task`, `1,200 tasks`.
pub fn count(number: &i64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if *number == 1 { "" } else { "s" })
}

/// Formats an integer, or a dash for zero.
pub fn unless_zero(number: &i64) -> String {
    if *number == 0 { "–".to_owned() } else { thousands(number) }
}

/// Formats a share as the width of a bar, in percent.
pub fn width(share: &f64) -> String {
    format!("{:.1}", (share * 100.0).clamp(0.0, 100.0))
}

/// Formats a name of the data as words: `in_progress` becomes `in progress`.
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Formats a date, or a dash if there is none.
pub fn due(day: &Option<NaiveDate>) -> String {
    day.as_ref().map_or_else(|| "–".to_owned(), date)
}

/// Formats a date: `21 Nov 2026`.
pub fn date(day: &NaiveDate) -> String {
    format!("{} {}", day.day(), day.format("%b %Y"))
}

/// Formats a day: `21 Nov`.
pub fn day(day: &NaiveDate) -> String {
    format!("{} {}", day.day(), day.format("%b"))
}

/// Formats a distance in days: `in 3 days`, `12 days ago`.
pub fn from_today(day: &NaiveDate, today: &NaiveDate) -> String {
    match (*day - *today).num_days() {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        -1 => "yesterday".to_owned(),
        ahead if ahead > 0 => format!("in {}", count(&ahead, "day")),
        ago => format!("{} ago", count(&-ago, "day")),
    }
}

/// Formats bytes, in units of a thousand.
pub fn bytes(number: &i64) -> String {
    let mut amount = *number as f64;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if amount < 1000.0 {
            return format!("{} {unit}", short(amount));
        }
        amount /= 1000.0;
    }
    format!("{} TB", short(amount))
}

/// Formats milliseconds.
pub fn duration(milliseconds: &i64) -> String {
    match *milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{} s", short(*milliseconds as f64 / 1000.0)),
        _ => format!("{} min", short(*milliseconds as f64 / 60_000.0)),
    }
}

/// Formats a time for people: to the minute, in UTC.
pub fn minute(at: &Instant) -> String {
    rfc3339(*at).chars().take(16).collect::<String>().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_reported_in_the_unit_that_people_use() {
        assert_eq!(
            [45, 60, 90, 480, 700, 48_000, 480_000].map(|of| effort(&of)),
            ["45 min", "1 h", "1.5 h", "1 d", "1.5 d", "100 d", "1,000 d"]
        );
        assert_eq!(
            [0.0, 0.001, 0.5, 0.999, 1.0].map(|of| percent(&of)),
            ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]
        );
        assert_eq!([-1234, 0, 1_000_000].map(|of| signed(&of)), ["−1,234", "0", "+1,000,000"]);
        assert_eq!([999, 1500, 2_000_000].map(|of| bytes(&of)), ["999 bytes", "1.5 kB", "2 MB"]);
        assert_eq!([12, 1500, 90_000].map(|of| duration(&of)), ["12 ms", "1.5 s", "1.5 min"]);
        let today: NaiveDate = "2026-11-21".parse().unwrap();
        let rendered = ["2026-11-18", "2026-11-20", "2026-11-21", "2026-11-23"]
            .map(|day| from_today(&day.parse().unwrap(), &today));
        assert_eq!(rendered, ["3 days ago", "yesterday", "today", "in 2 days"]);
    }
}
