//! Parses time limits.

use std::str::FromStr;
use std::time::Duration;

/// Duration as a person types it; `None` means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(pub Option<Duration>);

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (number, unit) =
            text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let each = match unit.trim() {
            "" | "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            _ => 0,
        };
        let seconds = number
            .parse::<u64>()
            .ok()
            .filter(|_| each > 0)
            .and_then(|number| number.checked_mul(each));
        // Timers do not support centuries.
        match seconds.filter(|seconds| *seconds <= 366 * 24 * 3600) {
            Some(0) => Ok(Self(None)),
            Some(seconds) => Ok(Self(Some(Duration::from_secs(seconds)))),
            None => Err("use 90, 90s, 5m or 1h, at most a year; 0 means no limit".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let read = |text: &str| {
            text.parse::<Timeout>().map(|limit| limit.0.map(|within| within.as_secs()))
        };
        assert_eq!(
            ["90", "90s", "5m", "1h", "0"].map(read),
            [90, 90, 300, 3600, 0].map(|n| Ok(Some(n).filter(|n| *n > 0)))
        );
        for wrong in ["", "m", "-1", "1.5m", "1d", "18446744073709551615h", "five"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
