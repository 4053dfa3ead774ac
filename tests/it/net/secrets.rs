//! No error and no debug output contains a secret of the request, even if the server repeats it.

use lakeplan::domain::secret::Secret;
use lakeplan::net::{Auth, Method, NetError, Request};
use serde_json::json;

use super::api;
use super::server::{Answer, Received, Server};

const SECRET: &str = "canary/key+1";

/// Returns everything that a server knows about a request, with a status.
fn repeat(request: &Received) -> Answer {
    let headers: Vec<String> = request.headers.iter().map(|(_, value)| value.clone()).collect();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let message = format!("bad: {} {headers:?} {body}", request.target);
    match request.target.as_bytes()[1] {
        b'j' => Answer::text(400, &json!({"message": message, "errors": [headers]}).to_string()),
        b't' => Answer::text(403, &message),
        b'l' => Answer::text(500, &message.repeat((70 << 10) / message.len())),
        b'c' => Answer::Close,
        b'b' => Answer::CloseInBody { status: 200 },
        b'r' => Answer::with(302, &[("Location", &format!("https://x.example/?{message}"))], b""),
        _ => Answer::with(200, &[("Set-Cookie", SECRET)], message.as_bytes()),
    }
}

/// Returns an error as people and logs see it, with its causes.
fn shown(err: &NetError) -> String {
    let mut shown = format!("{err} {err:?} {err:#?}");
    let mut cause = std::error::Error::source(err);
    while let Some(err) = cause {
        shown += &format!(" {err} {err:?}");
        cause = err.source();
    }
    shown
}

#[tokio::test]
async fn no_secret_of_a_request_is_shown() {
    let server = Server::start(|request, _| repeat(request));
    let secret = || Secret::new(SECRET);
    let auths = [
        Auth::Bearer(secret()),
        Auth::Basic { user: "me".to_owned(), password: secret() },
        Auth::Header { name: "X-Api-Key", value: secret() },
        Auth::Query(vec![("key", secret()), ("token", secret())]),
        Auth::None,
    ];
    let encoded = "bWU6Y2FuYXJ5L2tleSsx";
    for auth in &auths {
        for path in ["json", "text", "large", "close", "body", "redirect", "ok"] {
            let (base, form) = (Request::new(Method::POST, path), Auth::None);
            let mut requests = vec![(base.clone(), auth)];
            if auth.is_none() {
                requests = vec![
                    (base.clone().secret_form("client_secret", &secret()), &form),
                    (base.json(json!({"key": SECRET})).hide(&secret()), &form),
                ];
            }
            for (request, auth) in requests {
                let shown = match api(&server).send(&request, auth).await {
                    Ok(response) => format!("{response:?}") + &shown(&response.json().unwrap_err()),
                    Err(err) => shown(&err),
                };
                let all = format!("{shown} {request:?} {auth:?} {:?}", api(&server));
                assert!(
                    !all.contains("canary") && !all.contains(encoded),
                    "{path} {auth:?}: {all}"
                );
            }
        }
    }
    for request in server.received() {
        let body = String::from_utf8_lossy(&request.body);
        let all = format!("{request:?} {body}");
        assert!(all.contains("canary") || all.contains(encoded), "no secret was sent: {all}");
    }
}

#[tokio::test]
async fn a_signed_link_is_not_shown() {
    let server = Server::start(|request, _| repeat(request));
    let other = Server::always(|| Answer::text(200, ""));
    let http = api(&other);
    for path in ["json", "text", "large", "close", "body", "redirect"] {
        let link = format!("{}/{path}?sig=canary-signature", server.url());
        let request = Request::link(Method::GET, &link);
        let err = http.send(&request, &Auth::None).await.unwrap_err();
        let all = format!("{} {request:?}", shown(&err));
        assert!(!all.contains("canary") && !all.contains("sig="), "{path}: {all}");
    }
    assert_eq!(server.received().len(), 6);
}
