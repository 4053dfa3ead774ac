//! Days as people type them.

use chrono::{Datelike, NaiveDate};
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a day is written as year, month, day: 2027-01-31")]
pub struct NotADay;

/// Reads `2027-01-31`, or `31.1.2027` as much of Europe writes it. `1/31/2027` may be two days and is refused.
pub fn read(text: &str) -> Result<NaiveDate, NotADay> {
    let forms = ["%Y-%m-%d", "%d.%m.%Y"];
    let day = forms.iter().find_map(|form| NaiveDate::parse_from_str(text.trim(), form).ok());
    // "31.1.27" would be a day of the year 27.
    let day = day.filter(|day| day.year() >= 1000);
    day.ok_or(NotADay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_meaning() {
        assert_eq!(read("31.1.2027"), read("2027-01-31"));
        assert_eq!(read("2027-01-31"), Ok(NaiveDate::from_ymd_opt(2027, 1, 31).unwrap()));
        for text in ["", "1/2/2027", "2027-02-30", "31.1.", "31.1.27", "27-1-31", "tomorrow"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
