//! Each failure states whether the server may have processed the request, after one attempt.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use lakeplan::net::{
    Auth, Base, Delivery, Http, Lost, NetError, Network, Redirects, Request, Unsent,
};
use serde_json::json;

use super::server::{Answer, Server};
use super::{HERE, api, get, names};

fn why_unsent(err: &NetError) -> Unsent {
    assert_eq!(err.delivery(), Delivery::NotSent, "{err}");
    match err {
        NetError::NotSent { why, .. } => *why,
        err => panic!("{err}"),
    }
}

fn why_lost(err: &NetError) -> Lost {
    assert_eq!(err.delivery(), Delivery::Uncertain, "{err}");
    match err {
        NetError::Uncertain { why, .. } => *why,
        err => panic!("{err}"),
    }
}

/// Sends a request to an https server by a name, and returns the error.
async fn https(host: &str, network: &Network) -> NetError {
    let base = Base::of_host(host).unwrap();
    let http = Http::of_api(base, Redirects::None, network).unwrap();
    http.send(&Request::post("a", json!({})), &Auth::None).await.unwrap_err()
}

#[tokio::test]
async fn a_request_without_a_connection_was_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let http =
        Http::of_api(Base::of_api(&url).unwrap(), Redirects::None, &Network::default()).unwrap();
    let err = http.send(&Request::get("a"), &Auth::None).await.unwrap_err();
    assert_eq!(why_unsent(&err), Unsent::Refused);
    assert_eq!(err.to_string(), "127.0.0.1 cannot be reached: it refuses the connection");

    let err = https("https://missing.example", &names(&[])).await;
    assert_eq!(why_unsent(&err), Unsent::Name);

    let server = Server::always(|| Answer::text(200, ""));
    let host = format!("https://api.example:{}", server.port());
    let err = https(&host, &names(&[("api.example", HERE)])).await;
    assert_eq!(why_unsent(&err), Unsent::Tls);
    assert_eq!((server.connections(), server.received().len()), (1, 0));
}

#[tokio::test]
async fn a_request_without_a_whole_response_has_an_uncertain_outcome() {
    let server = Server::always(|| Answer::Close);
    let sent = api(&server).send(&Request::post("a", json!({})), &Auth::None).await;
    assert_eq!(why_lost(&sent.unwrap_err()), Lost::Closed);
    assert_eq!(server.received().len(), 1);

    let server = Server::always(|| Answer::CloseInBody { status: 200 });
    assert_eq!(why_lost(&get(&server, "a").await.unwrap_err()), Lost::Body);
    assert_eq!(server.received().len(), 1);

    let server = Server::always(|| Answer::Late(Duration::from_secs(20)));
    let (request, begun) =
        (Request::get("a").time_limit(Duration::from_millis(300)), Instant::now());
    let err = api(&server).send(&request, &Auth::None).await.unwrap_err();
    assert_eq!(why_lost(&err), Lost::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_response_that_cannot_be_used_was_given() {
    let server = Server::start(|request, _| match request.target.as_str() {
        "/page" => Answer::text(200, "<html>login</html>"),
        "/brotli" => Answer::with(200, &[("Content-Encoding", "br")], b"x"),
        "/no-gzip" => Answer::with(200, &[("Content-Encoding", "gzip")], b"plain"),
        "/half-error" => Answer::CloseInBody { status: 503 },
        _ => Answer::text(418, "{\"message\": \"short\"}"),
    });
    let err = get(&server, "page").await.unwrap().json().unwrap_err();
    assert!(matches!(err, NetError::NotJson { .. }), "{err}");
    assert_eq!(err.delivery(), Delivery::Answered(200));
    for path in ["brotli", "no-gzip"] {
        let err = get(&server, path).await.unwrap_err();
        assert!(matches!(err, NetError::BadEncoding { .. }), "{err}");
        assert_eq!(err.delivery(), Delivery::Answered(200));
    }
    let err = get(&server, "half-error").await.unwrap_err();
    assert_eq!(err.delivery(), Delivery::Answered(503), "the status arrived: {err}");
    let err = get(&server, "other").await.unwrap_err();
    assert_eq!(err.to_string(), "127.0.0.1 responded with status 418: short");
}

#[tokio::test]
async fn a_request_that_http_does_not_allow_is_not_sent() {
    let server = Server::always(|| Answer::text(200, ""));
    for request in [
        Request::get("a").header("X-A", "line\r\nX-B: injected"),
        Request::get("a").header("X A", "x"),
        Request::get("a").bytes("text/\n", "x"),
    ] {
        let err = api(&server).send(&request, &Auth::None).await.unwrap_err();
        assert!(matches!(err, NetError::BadRequest { .. }), "{err}");
    }
    assert_eq!(server.connections(), 0);
}
