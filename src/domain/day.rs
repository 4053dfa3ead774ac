//! Days: which ones a lake can hold, and how people write them.

use chrono::{Datelike, NaiveDate};
use thiserror::Error;

/// Years of the days that every engine reads alike. Before 1582 Spark uses another calendar; after
/// 9999 a year has no fixed number of digits.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=9999;
/// Range of days and times, for error messages.
pub const RANGE: &str = "between 1900-01-01 and 9999-12-31";

/// Whether a day can be stored.
pub fn is_storable(day: NaiveDate) -> bool {
    YEARS.contains(&day.year())
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a day is written as year, month, day, such as 2027-01-31, and must be {RANGE}")]
pub struct NotADay;

/// Reads a day in the form that every interface accepts, `2027-01-31`, whether or not it can be
/// stored.
pub fn written(text: &str) -> Option<NaiveDate> {
    let is_in_form = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| {
            if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
        });
    is_in_form.then(|| text.parse().ok()).flatten()
}

/// Reads a day that a person types: `2027-01-31`, or the European `31.1.2027`. `1/31/2027` is
/// ambiguous and refused.
pub fn read(text: &str) -> Result<NaiveDate, NotADay> {
    written(text).or_else(|| european(text)).filter(|day| is_storable(*day)).ok_or(NotADay)
}

/// Reads the European form. "31.1.27" would be a day in the year 27.
fn european(text: &str) -> Option<NaiveDate> {
    let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        let fits = digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse::<u32>().ok()).flatten()
    };
    let (day, rest) = text.split_once('.')?;
    let (month, year) = rest.split_once('.')?;
    let year = i32::try_from(number(year, 4..=4)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(month, 1..=2)?, number(day, 1..=2)?)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_day_has_one_meaning() {
        assert_eq!(read("31.1.2027"), read("2027-01-31"));
        assert_eq!(read("2027-01-31"), Ok(NaiveDate::from_ymd_opt(2027, 1, 31).unwrap()));
        assert_eq!(read("31.01.2027"), read("2027-01-31"));
    }

    #[rstest]
    #[case::one_digit_of_month_and_day("2027-1-1")]
    #[case::one_digit_of_the_month("2027-1-31")]
    #[case::a_sign("+2027-01-31")]
    #[case::a_space_behind("2027-01-31 ")]
    #[case::a_space_before(" 2027-01-31")]
    #[case::a_space_within("31. 1.2027")]
    #[case::a_sign_before_the_day("+1.1.2027")]
    #[case::a_wide_digit("2027-01-3１")]
    #[case::empty("")]
    #[case::slashes("1/2/2027")]
    #[case::a_day_that_does_not_exist("2027-02-30")]
    #[case::no_year("31.1.")]
    #[case::a_short_year("31.1.27")]
    #[case::a_short_year_in_front("27-1-31")]
    #[case::a_word("tomorrow")]
    #[case::too_early("1899-12-31")]
    #[case::too_late("10000-01-01")]
    #[case::a_negative_year("-2027-01-31")]
    fn what_is_no_day_is_refused(#[case] text: &str) {
        assert!(read(text).is_err());
    }
}
