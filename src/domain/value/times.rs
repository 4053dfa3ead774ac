//! Values that are days or instants.

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use super::{FieldValue, InvalidValue, Kind, invalid};
use crate::domain::day;
use crate::domain::time::{self, Instant, NotATime, rfc3339};

impl FieldValue for NaiveDate {
    const KIND: Kind = Kind::Date;
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        match value.as_str().and_then(day::written) {
            Some(date) if day::is_storable(date) => Ok(date),
            Some(_) => invalid(day::RANGE, value),
            None => invalid("a date such as 2026-11-20", value),
        }
    }
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        let date = value.as_str().and_then(|text| text.parse::<Self>().ok());
        date.filter(|date| day::is_storable(*date)).map_or_else(|| invalid(day::RANGE, value), Ok)
    }
    fn json(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl FieldValue for Instant {
    const KIND: Kind = Kind::Instant;
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        match value.as_str().ok_or(NotATime::Form).and_then(time::read) {
            Ok(at) => Ok(at),
            Err(NotATime::LeapSecond) => invalid("a time without a leap second", value),
            Err(NotATime::Range) => invalid(day::RANGE, value),
            Err(NotATime::Form) => invalid("an RFC 3339 time such as 2026-11-20T10:00:00Z", value),
        }
    }
    /// Reads a leap second as the instant after it, as the columns of the tables do.
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        let at = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let at = at.and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros()));
        at.filter(|at| day::is_storable(at.date_naive()))
            .map_or_else(|| invalid(day::RANGE, value), Ok)
    }
    fn json(&self) -> Value {
        Value::String(rfc3339(*self))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn days_and_times_lie_in_the_years_that_every_engine_reads() {
        for day in ["1900-01-01", "2026-02-28", "9999-12-31"] {
            assert_eq!(NaiveDate::read(&json!(day)).unwrap().json(), json!(day));
        }
        for day in [
            "-001-01-01",
            "+99999-1-1",
            "1899-12-31",
            "2026-1-005",
            "20260101aa",
            "+2026-1-01",
            "0000-00-00",
        ] {
            assert!(NaiveDate::read(&json!(day)).is_err(), "{day} passed");
        }
        for at in [
            "2016-12-31T23:59:60Z",
            "1899-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00Z",
        ] {
            assert!(Instant::read(&json!(at)).is_err(), "{at} passed");
        }
        for at in [
            "2026-11-20 10:00:00Z",
            "2026-11-20t10:00:00Z",
            "2026-11-20T10:00:00z",
            "2026-11-20T10:00:00\u{2212}01:00",
        ] {
            assert!(Instant::read(&json!(at)).is_err(), "{at} passed");
            assert!(Instant::read_stored(&json!(at)).is_ok(), "{at} is stored");
        }
    }

    #[test]
    fn instants_come_back_in_utc_microseconds() {
        let at = Instant::read(&json!("2026-11-20T12:00:00.1234567+02:00")).unwrap();
        assert_eq!(at.json(), json!("2026-11-20T10:00:00.123456Z"));
    }
}
