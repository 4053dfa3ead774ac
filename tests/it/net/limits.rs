//! The size of a response is limited, also the size of its decoded body.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use lakeplan::net::{Auth, Delivery, NetError, Request};

use super::api;
use super::server::{Answer, Server};

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_response_larger_than_its_limit_is_an_error() {
    let server = Server::start(|request, _| match request.target.as_str() {
        "/length" => Answer::text(200, &"x".repeat(5000)),
        "/endless" => {
            let body = "x".repeat(5000);
            Answer::Raw(format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes())
        }
        "/bomb" => Answer::with(200, &[("Content-Encoding", "gzip")], &gzip(&vec![0; 100 << 20])),
        _ => Answer::text(500, &"x".repeat(1 << 20)),
    });
    let send = async |path: &str, limit: usize| {
        api(&server).send(&Request::get(path).max_bytes(limit), &Auth::None).await
    };
    for path in ["length", "endless"] {
        let err = send(path, 4999).await.unwrap_err();
        assert!(matches!(err, NetError::TooLarge { limit: 4999, .. }), "{err}");
        assert_eq!(err.delivery(), Delivery::Answered(200));
        assert_eq!(send(path, 5000).await.unwrap().body.len(), 5000);
    }
    // The compressed body is smaller than the limit, and the decoded one is not.
    let err = send("bomb", 1 << 20).await.unwrap_err();
    assert!(matches!(err, NetError::TooLarge { .. }), "{err}");
    let err = send("error", 10).await.unwrap_err();
    assert!(err.to_string().len() < 1000, "an error body is shown in part only");
}

#[tokio::test]
async fn a_compressed_response_is_decoded() {
    let server = Server::always(|| {
        Answer::with(200, &[("Content-Encoding", "gzip")], &gzip(b"{\"tasks\": []}"))
    });
    let response = api(&server).send(&Request::get("a"), &Auth::None).await.unwrap();
    assert_eq!(response.body, b"{\"tasks\": []}");
    assert_eq!(server.received()[0].header("accept-encoding"), Some("gzip"));
}
