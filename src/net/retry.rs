//! Decides which requests are retried, and after which backoff.

use std::time::Duration;

use super::NetError;

/// Maximum number of attempts per request.
const ATTEMPTS: u32 = 4;
const INITIAL_BACKOFF: Duration = Duration::from_millis(250);
/// Maximum delay that an API may ask for. A longer one is reported to the user instead.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Returns the backoff before a request is retried after its `attempt`th failure; `None` to give
/// up. Retries a request that the API may have processed only if that does no harm.
pub fn backoff(attempt: u32, err: &NetError, is_repeatable: bool) -> Option<Duration> {
    if attempt >= ATTEMPTS {
        return None;
    }
    let asked = match err {
        NetError::RateLimited { after, .. } => *after,
        // A server that says when to retry has not processed the request.
        NetError::Server { status: 503, after: Some(after), .. } => Some(*after),
        NetError::Server { status: 500 | 502..=504, after, .. } if is_repeatable => *after,
        NetError::Unreachable { .. } if is_repeatable => None,
        _ => return None,
    };
    let backoff = asked.unwrap_or_else(|| INITIAL_BACKOFF * 2_u32.pow(attempt.saturating_sub(1)));
    (backoff <= MAX_BACKOFF).then_some(backoff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::error::ApiErrorBody;

    fn server(status: u16, after: Option<u64>) -> NetError {
        NetError::of_status(
            "h".to_owned(),
            status,
            after.map(Duration::from_secs),
            ApiErrorBody::default(),
        )
    }

    #[test]
    fn what_is_sent_again_waits_as_long_as_it_is_reported() {
        assert_eq!(backoff(1, &server(429, Some(7)), false), Some(Duration::from_secs(7)));
        assert_eq!(backoff(3, &server(429, None), false), Some(Duration::from_secs(1)));
        assert_eq!(backoff(4, &server(429, Some(1)), true), None);
        assert_eq!(
            backoff(1, &server(429, Some(3600)), true),
            None,
            "reported to the user instead"
        );
        assert_eq!(backoff(1, &server(503, Some(2)), false), Some(Duration::from_secs(2)));
    }

    #[test]
    fn what_may_have_been_done_is_not_done_again() {
        assert_eq!(backoff(1, &server(503, None), false), None);
        assert_eq!(backoff(1, &server(500, None), false), None);
        assert!(backoff(1, &server(500, None), true).is_some());
        assert_eq!(backoff(1, &server(403, None), true), None);
        assert_eq!(backoff(1, &server(501, None), true), None);
    }
}
