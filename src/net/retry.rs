//! Decides which requests are sent again and when, and holds the one loop that does so.

use std::time::Duration;

use super::auth::Auth;
use super::error::{Delivery, NetError, Unsent};
use super::http::Http;
use super::request::Request;
use super::response::Response;
use crate::domain::time::Instant;

/// Maximum number of attempts per request.
const ATTEMPTS: u32 = 4;
const INITIAL_BACKOFF: Duration = Duration::from_millis(250);
/// Maximum delay that an API may ask for. A longer one is reported to the user instead.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    RetryAfter(Duration),
    GiveUp,
}

/// Sends a request, and sends it again as long as [`decide`] allows it. `now` reads the clock.
pub async fn send(
    http: &Http,
    request: &Request,
    auth: &Auth,
    now: impl Fn() -> Instant,
) -> Result<Response, NetError> {
    let mut attempt = 1;
    loop {
        let err = match http.send(request, auth).await {
            Ok(response) => return Ok(response),
            Err(err) => err,
        };
        let Decision::RetryAfter(pause) = decide(attempt, &err, request.is_repeatable, now())
        else {
            return Err(err);
        };
        tracing::debug!(%err, attempt, pause_ms = pause.as_millis() as u64, "sent again after a pause");
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

/// Decides whether a request is sent again after its `attempt`th failure at `now`. A request that
/// the API may have processed is sent again only if it is repeatable.
pub fn decide(attempt: u32, err: &NetError, is_repeatable: bool, now: Instant) -> Decision {
    if attempt >= ATTEMPTS {
        return Decision::GiveUp;
    }
    let asked = match err {
        NetError::Answered(response) => response.headers.retry_after(now),
        _ => None,
    };
    let may_retry = match err.delivery() {
        // A certificate or an address policy does not change within seconds.
        Delivery::NotSent => {
            matches!(err, NetError::NotSent { why, .. } if *why != Unsent::Tls)
        }
        Delivery::Uncertain => is_repeatable,
        // 529 is the overload status of some APIs.
        Delivery::Answered(429 | 529) => true,
        // A server that says when to retry has not processed the request. GitHub limits some
        // requests with 403.
        Delivery::Answered(403 | 503) if asked.is_some() => true,
        Delivery::Answered(408 | 500 | 502..=504) => {
            is_repeatable && matches!(err, NetError::Answered(_))
        }
        Delivery::Answered(_) => false,
    };
    let backoff = asked.unwrap_or_else(|| INITIAL_BACKOFF * 2_u32.pow(attempt.saturating_sub(1)));
    if may_retry && backoff <= MAX_BACKOFF {
        Decision::RetryAfter(backoff)
    } else {
        Decision::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Lost;
    use super::super::error_response::{ErrorBody, ErrorResponse};
    use super::super::headers::Headers;
    use super::*;

    fn now() -> Instant {
        chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    fn answered(status: u16, after: Option<&str>) -> NetError {
        NetError::Answered(Box::new(ErrorResponse {
            host: "h".to_owned(),
            status,
            headers: Headers::new(after.map(|after| ("Retry-After", after))),
            body: ErrorBody::Text(String::new()),
        }))
    }

    fn source() -> reqwest::Error {
        reqwest::Proxy::all("http://[").unwrap_err()
    }

    fn unsent(why: Unsent) -> NetError {
        NetError::NotSent { host: "h".to_owned(), why, source: source() }
    }

    fn wait(seconds: u64) -> Decision {
        Decision::RetryAfter(Duration::from_secs(seconds))
    }

    #[test]
    fn the_wait_is_as_long_as_the_server_asks() {
        let decide = |attempt, err: &NetError| decide(attempt, err, false, now());
        assert_eq!(decide(1, &answered(429, Some("7"))), wait(7));
        let date =
            (now() + chrono::TimeDelta::seconds(9)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert_eq!(decide(1, &answered(429, Some(&date))), wait(9));
        assert_eq!(decide(3, &answered(429, None)), wait(1));
        assert_eq!(decide(4, &answered(429, Some("1"))), Decision::GiveUp);
        assert_eq!(decide(1, &answered(429, Some("3600"))), Decision::GiveUp, "too long");
        assert_eq!(decide(1, &answered(503, Some("2"))), wait(2));
        assert_eq!(decide(1, &answered(403, Some("2"))), wait(2));
        assert_eq!(decide(1, &answered(500, Some("2"))), Decision::GiveUp);
    }

    #[test]
    fn a_request_that_may_have_been_processed_is_repeated_only_if_that_is_harmless() {
        let lost = |why| NetError::Uncertain { host: "h".to_owned(), why, source: source() };
        for err in [
            answered(503, None),
            answered(500, None),
            answered(408, None),
            lost(Lost::Timeout),
            lost(Lost::Closed),
            lost(Lost::Body),
        ] {
            assert_eq!(decide(1, &err, false, now()), Decision::GiveUp, "{err}");
            assert_ne!(decide(1, &err, true, now()), Decision::GiveUp, "{err}");
        }
        for err in [answered(400, None), answered(403, None), answered(501, None)] {
            assert_eq!(decide(1, &err, true, now()), Decision::GiveUp, "{err}");
        }
        let large = NetError::TooLarge { host: "h".to_owned(), status: 500, limit: 1 };
        assert_eq!(decide(1, &large, true, now()), Decision::GiveUp);
    }

    #[test]
    fn a_request_that_was_not_sent_is_sent_again_unless_that_cannot_help() {
        for why in [Unsent::Name, Unsent::Refused, Unsent::Timeout, Unsent::Connection] {
            assert_ne!(decide(1, &unsent(why), false, now()), Decision::GiveUp, "{why}");
        }
        let blocked = NetError::Blocked { host: "h".to_owned(), why: "link-local" };
        for err in [unsent(Unsent::Tls), blocked] {
            assert_eq!(decide(1, &err, true, now()), Decision::GiveUp, "{err}");
        }
    }
}
