//! URLs from outside lead to no address of this machine or its network, whatever their form.

use std::net::IpAddr;

use lakeplan::net::{Auth, Base, Delivery, Http, Method, NetError, Network, Redirects, Request};

use super::server::{Answer, Server};
use super::{HERE, names};

async fn fetch(http: &Http, url: &str) -> NetError {
    http.send(&Request::link(Method::GET, url), &Auth::None).await.unwrap_err()
}

fn assert_refused(err: &NetError) {
    assert!(matches!(err, NetError::Blocked { .. } | NetError::BadAddress { .. }), "{err:?}");
    assert_eq!(err.delivery(), Delivery::NotSent);
}

#[tokio::test]
async fn a_public_name_that_resolves_to_this_machine_is_refused_before_it_is_contacted() {
    let server = Server::always(|| Answer::text(200, "internal"));
    let network = names(&[("hook.example", HERE), ("both.example", HERE)]);
    let url = |name: &str| format!("https://{name}:{}/x", server.port());
    let public = Http::public(&network).unwrap();
    let err = fetch(&public, &url("hook.example")).await;
    assert!(matches!(&err, NetError::Blocked { host, .. } if host == "hook.example"), "{err:?}");
    assert_eq!(err.to_string(), "hook.example is not contacted: its address is this machine");
    assert_eq!(server.connections(), 0);
    // The same name is contacted if the user configured it.
    let base = Base::of_host(&url("hook.example").replace("/x", "")).unwrap();
    let configured = Http::of_api(base, Redirects::None, &network).unwrap();
    let err = configured.send(&Request::get("x"), &Auth::None).await.unwrap_err();
    assert!(matches!(err, NetError::NotSent { .. }), "the server speaks no TLS: {err:?}");
    assert_eq!(server.connections(), 1);
    // A link in its answers is not.
    assert_refused(&fetch(&configured, &url("both.example")).await);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn one_refused_address_refuses_a_name() {
    let metadata: IpAddr = "169.254.169.254".parse().unwrap();
    let network = names(&[("two.example", "8.8.8.8".parse().unwrap()), ("two.example", metadata)]);
    assert_refused(&fetch(&Http::public(&network).unwrap(), "https://two.example/").await);
    let network = names(&[("two.example", "10.0.0.1".parse().unwrap()), ("two.example", metadata)]);
    let base = Base::of_host("https://api.example").unwrap();
    let api = Http::of_api(base, Redirects::None, &network).unwrap();
    assert_refused(&fetch(&api, "https://two.example/").await);
}

#[tokio::test]
async fn an_address_in_a_url_is_refused_in_every_notation() {
    let public = Http::public(&Network::default()).unwrap();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "localhost",
        "169.254.169.254",
        "0xa9fea9fe",
        "10.1.2.3",
        "192.168.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
    ] {
        assert_refused(&fetch(&public, &format!("https://{host}/latest/meta-data")).await);
    }
    for url in ["http://example.com/", "file:///etc/passwd", "https://", "x"] {
        assert_refused(&fetch(&public, url).await);
    }
    let path = public.send(&Request::get("a"), &Auth::None).await.unwrap_err();
    assert!(matches!(path, NetError::BadAddress { .. }));
}
