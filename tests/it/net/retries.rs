//! The retry loop sends a request again only if that is allowed, and waits as long as it should.

use std::time::{Duration, Instant};

use lakeplan::net::{Auth, NetError, Request, Response, retry};
use serde_json::json;

use super::api;
use super::server::{Answer, Server};

/// Sends a request with the retry loop, at a fixed time of the clock.
async fn send(server: &Server, request: Request) -> Result<Response, NetError> {
    let now = || chrono::DateTime::parse_from_rfc3339("2026-11-30T12:00:00Z").unwrap().to_utc();
    retry::send(&api(server), &request, &Auth::None, now).await
}

/// Server whose first response is the given one, and whose later responses succeed.
fn busy_once(header: (&'static str, &'static str)) -> Server {
    Server::start(move |_, earlier| match earlier {
        0 => Answer::with(429, &[header], b"slow down"),
        _ => Answer::text(200, "done"),
    })
}

#[tokio::test]
async fn a_limited_request_is_sent_again_after_the_stated_time() {
    for header in [("Retry-After", "1"), ("Retry-After", "Mon, 30 Nov 2026 12:00:01 GMT")] {
        let (server, begun) = (busy_once(header), Instant::now());
        let done = send(&server, Request::post("a", json!({}))).await.unwrap();
        assert_eq!((done.body.as_slice(), server.received().len()), (b"done".as_slice(), 2));
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(5), "{waited:?}");
    }
    let server = busy_once(("Retry-After", "Mon, 30 Nov 2026 13:00:00 GMT"));
    let err = send(&server, Request::get("a")).await.unwrap_err();
    assert!(matches!(err, NetError::Answered(_)), "an hour is left to the caller: {err}");
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn only_a_repeatable_request_is_sent_again_after_an_uncertain_outcome() {
    let closing = || {
        Server::start(|_, earlier| match earlier {
            0 => Answer::Close,
            1 => Answer::text(502, "bad gateway"),
            2 => Answer::CloseInBody { status: 200 },
            _ => Answer::text(200, "done"),
        })
    };
    let server = closing();
    let err = send(&server, Request::post("a", json!({}))).await.unwrap_err();
    assert!(matches!(err, NetError::Uncertain { .. }), "{err}");
    assert_eq!(server.received().len(), 1);
    for request in [Request::get("a"), Request::post("a", json!({})).repeatable()] {
        let server = closing();
        assert_eq!(send(&server, request).await.unwrap().body, b"done");
        assert_eq!(server.received().len(), 4);
    }
}

#[tokio::test]
async fn a_lasting_failure_is_reported_after_four_attempts() {
    let server = Server::always(|| Answer::text(503, "closed"));
    let err = send(&server, Request::get("a")).await.unwrap_err();
    assert_eq!(err.to_string(), "127.0.0.1 responded with status 503: closed");
    assert_eq!(server.received().len(), 4);
}
