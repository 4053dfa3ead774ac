//! Requests arrive as they were built, and responses to conditions and redirects are outcomes.

use lakeplan::domain::secret::Secret;
use lakeplan::net::{Auth, Base, Http, Method, NetError, Network, Redirects, Request};
use serde_json::json;

use super::server::{Answer, Received, Server};
use super::{api, get};

/// Sends a request to a server that accepts it, and returns it as it arrived.
async fn arrived(request: Request, auth: Auth) -> Received {
    let server = Server::always(|| Answer::text(204, ""));
    api(&server).send(&request, &auth).await.unwrap();
    server.received().remove(0)
}

#[tokio::test]
async fn every_method_arrives_with_its_headers_and_body() {
    let report = Method::from_bytes(b"REPORT").unwrap();
    let patch = "application/json-patch+json";
    let requests = [
        (Request::get("a/b").part("c/d e").query("q", "x&y=ä"), "GET", "", None),
        (Request::new(Method::HEAD, "a"), "HEAD", "", None),
        (Request::post("a", json!({"n": 1})), "POST", "{\"n\":1}", Some("application/json")),
        (
            Request::new(Method::PATCH, "a").json(json!([])).header("Content-Type", patch),
            "PATCH",
            "[]",
            Some(patch),
        ),
        (Request::new(Method::PUT, "a").bytes("text/plain", "x"), "PUT", "x", Some("text/plain")),
        (Request::new(Method::DELETE, "a"), "DELETE", "", None),
        (
            Request::new(report, "a").form("a b", "1&2").form("c", "ü"),
            "REPORT",
            "a+b=1%262&c=%C3%BC",
            Some("application/x-www-form-urlencoded"),
        ),
    ];
    for (request, method, body, content_type) in requests {
        let found = arrived(request.header("X-Trace", "t1"), Auth::None).await;
        assert_eq!(found.method, method);
        assert_eq!(String::from_utf8(found.body.clone()).unwrap(), body, "{method}");
        assert_eq!(found.header("content-type"), content_type, "{method}");
        assert_eq!(found.header("x-trace"), Some("t1"));
        assert_eq!(found.header("authorization"), None);
        if method == "GET" {
            assert_eq!(found.target, "/a/b/c%2Fd%20e?q=x%26y%3D%C3%A4");
        }
    }
}

#[tokio::test]
async fn credentials_arrive_in_the_form_of_the_api() {
    let secret = || Secret::new("s/1");
    let found = arrived(Request::get("a"), Auth::Bearer(secret())).await;
    assert_eq!(found.header("authorization"), Some("Bearer s/1"));
    let basic = Auth::Basic { user: "me".to_owned(), password: secret() };
    let found = arrived(Request::get("a"), basic).await;
    assert_eq!(found.header("authorization"), Some("Basic bWU6cy8x"));
    let header = Auth::Header { name: "PRIVATE-TOKEN", value: secret() };
    assert_eq!(arrived(Request::get("a"), header).await.header("private-token"), Some("s/1"));
    let query = Auth::Query(vec![("key", secret()), ("token", Secret::new("t"))]);
    let found = arrived(Request::get("a").query("q", "1"), query).await;
    assert_eq!(found.target, "/a?q=1&key=s%2F1&token=t");
}

#[tokio::test]
async fn an_unchanged_resource_and_a_changed_one_are_outcomes() {
    let server = Server::start(|request, _| {
        let version = "\"v2\"";
        if request.header("if-none-match") == Some(version) {
            Answer::with(304, &[("ETag", version)], b"")
        } else if request.header("if-match").is_some_and(|known| known != version) {
            Answer::text(412, "changed")
        } else {
            Answer::with(200, &[("ETag", version), ("X-RateLimit-Remaining", "7")], b"[1]")
        }
    });
    let http = api(&server);
    let send = async |request: Request| http.send(&request, &Auth::None).await.unwrap();
    let first = send(Request::get("a")).await;
    assert_eq!(first.headers.get("x-ratelimit-remaining"), Some("7"));
    let version = first.headers.etag().unwrap().to_owned();
    assert_eq!(first.json().unwrap(), json!([1]));
    let again = send(Request::get("a").if_none_match(&version)).await;
    assert!(again.is_unmodified() && !again.is_precondition_failed());
    assert_eq!(again.headers.etag(), Some("\"v2\""));
    let put = |version: &str| Request::new(Method::PUT, "a").json(json!(2)).if_match(version);
    let stale = send(put("\"v1\"")).await;
    assert!(stale.is_precondition_failed() && !stale.is_unmodified());
    assert!(!send(put(&version)).await.is_precondition_failed());
    // Without a condition, no caller takes such a response for a success.
    let err = send(put("\"v1\"")).await.json().unwrap_err();
    assert!(err.to_string().ends_with("responded with status 412: changed"), "{err}");
}

#[tokio::test]
async fn no_redirect_leads_to_another_server() {
    let other = Server::always(|| Answer::text(200, "stolen"));
    let elsewhere = other.url();
    let server = Server::start(move |request, _| match request.target.as_str() {
        "/here" => Answer::with(307, &[("Location", "/there")], b""),
        "/there" => Answer::text(200, "there"),
        "/loop" => Answer::with(302, &[("Location", "/loop")], b""),
        _ => Answer::with(302, &[("Location", &elsewhere)], b""),
    });
    let redirected = |err: NetError| match err {
        NetError::Answered(response) => assert!(matches!(response.status, 302 | 307)),
        err => panic!("{err}"),
    };
    redirected(get(&server, "here").await.unwrap_err());
    let base = Base::of_api(&server.url()).unwrap();
    let http = Http::of_api(base, Redirects::SameOrigin, &Network::default()).unwrap();
    let token = Auth::Bearer(Secret::new("token"));
    let followed = http.send(&Request::get("here"), &token).await.unwrap();
    assert_eq!(followed.body, b"there");
    redirected(http.send(&Request::get("away"), &token).await.unwrap_err());
    redirected(http.send(&Request::get("loop"), &token).await.unwrap_err());
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn no_credential_goes_to_the_server_of_a_link() {
    let other = Server::always(|| Answer::text(200, "chunk"));
    let server = Server::always(|| Answer::text(200, "page 2"));
    let (http, token) = (api(&server), Auth::Bearer(Secret::new("token")));
    let link = Request::link(Method::GET, &format!("{}/a?sig=1", other.url()));
    let err = http.send(&link, &token).await.unwrap_err();
    assert!(matches!(err, NetError::BadAddress { .. }), "{err}");
    assert_eq!(other.connections(), 0);
    assert_eq!(http.send(&link, &Auth::None).await.unwrap().body, b"chunk");
    let next = Request::link(Method::GET, &format!("{}/a?page=2", server.url()));
    assert_eq!(http.send(&next, &token).await.unwrap().body, b"page 2");
    assert_eq!(server.received()[0].header("authorization"), Some("Bearer token"));
}
