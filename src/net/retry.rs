//! What is sent again, and after how long.

use std::time::Duration;

use super::NetError;

/// How often a request is sent at most.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest that an API may bid us wait; beyond it a person is told.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait before a request is sent again after its `attempt`th failure; `None` to give up. What an API may
/// have taken is sent again only if that does no harm.
pub fn pause(attempt: u32, fault: &NetError, is_repeatable: bool) -> Option<Duration> {
    if attempt >= ATTEMPTS {
        return None;
    }
    let asked = match fault {
        NetError::RateLimited { after, .. } => *after,
        // To say when to come back is to say that nothing was done.
        NetError::Server { status: 503, after: Some(after), .. } => Some(*after),
        NetError::Server { status: 500 | 502..=504, after, .. } if is_repeatable => *after,
        NetError::Unreachable { .. } if is_repeatable => None,
        _ => return None,
    };
    let pause = asked.unwrap_or_else(|| FIRST_PAUSE * 2_u32.pow(attempt.saturating_sub(1)));
    (pause <= LONGEST_PAUSE).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::error::Said;

    fn server(status: u16, after: Option<u64>) -> NetError {
        NetError::of_status("h".to_owned(), status, after.map(Duration::from_secs), Said::default())
    }

    #[test]
    fn what_is_sent_again_waits_as_long_as_it_is_told() {
        assert_eq!(pause(1, &server(429, Some(7)), false), Some(Duration::from_secs(7)));
        assert_eq!(pause(3, &server(429, None), false), Some(Duration::from_secs(1)));
        assert_eq!(pause(4, &server(429, Some(1)), true), None);
        assert_eq!(pause(1, &server(429, Some(3600)), true), None, "a person is told instead");
        assert_eq!(pause(1, &server(503, Some(2)), false), Some(Duration::from_secs(2)));
    }

    #[test]
    fn what_may_have_been_done_is_not_done_again() {
        assert_eq!(pause(1, &server(503, None), false), None);
        assert_eq!(pause(1, &server(500, None), false), None);
        assert!(pause(1, &server(500, None), true).is_some());
        assert_eq!(pause(1, &server(403, None), true), None);
        assert_eq!(pause(1, &server(501, None), true), None);
    }
}
