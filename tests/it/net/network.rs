//! Proxies, and certificates of a network's own authority.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lakeplan::domain::secret::Secret;
use lakeplan::net::{
    Auth, Base, CaBundle, Delivery, Http, Method, NetError, Network, ProxyServer, Redirects,
    Request, Unsent,
};

use super::server::{Answer, Server};
use super::{HERE, names};
use crate::support::skip;

/// Network with a proxy whose address contains a password.
fn behind(proxy: &Server, no_proxy: &str) -> Network {
    let url = format!("http://me:canary-password@proxy.example:{}", proxy.port());
    Network {
        proxy: Some(ProxyServer { origin: "HTTPS_PROXY".to_owned(), url: Secret::new(url) }),
        no_proxy: Some(no_proxy.to_owned()),
        ..names(&[("proxy.example", HERE), ("direct.example", HERE)])
    }
}

#[tokio::test]
async fn a_proxy_gets_the_name_of_the_host_and_its_own_password() {
    let proxy = Server::always(|| Answer::text(403, "not allowed"));
    let network = behind(&proxy, "direct.example");
    let http =
        |host: &str| Http::of_api(Base::of_host(host).unwrap(), Redirects::None, &network).unwrap();
    let token = Auth::Bearer(Secret::new("canary-token"));
    let err = http("https://api.example").send(&Request::get("a"), &token).await.unwrap_err();
    assert_eq!(err.delivery(), Delivery::NotSent, "{err:?}");
    assert!(!format!("{err} {err:?} {network:?}").contains("canary"), "{err:?}");
    let received = proxy.received();
    assert_eq!(received.len(), 1);
    assert_eq!(
        (received[0].method.as_str(), received[0].target.as_str()),
        ("CONNECT", "api.example:443")
    );
    assert_eq!(
        received[0].header("proxy-authorization"),
        Some("Basic bWU6Y2FuYXJ5LXBhc3N3b3Jk"),
        "me:canary-password"
    );
    // A host without the proxy is contacted itself.
    let direct = Server::always(|| Answer::text(200, ""));
    let host = format!("https://direct.example:{}", direct.port());
    let err = http(&host).send(&Request::get("a"), &token).await.unwrap_err();
    assert!(matches!(err, NetError::NotSent { .. }), "{err:?}");
    assert_eq!((direct.connections(), proxy.connections()), (1, 1));
    // An API on this machine is contacted itself too: over plain http, a proxy would see the token.
    http(&direct.url()).send(&Request::get("a"), &token).await.unwrap();
    assert_eq!((direct.received().len(), proxy.connections()), (1, 1));
}

#[tokio::test]
async fn a_proxy_is_no_way_around_the_address_policy() {
    let proxy = Server::always(|| Answer::text(403, "not allowed"));
    let public = Http::public(&behind(&proxy, "")).unwrap();
    for host in ["169.254.169.254", "[::1]", "127.0.0.1", "proxy.example"] {
        let request = Request::link(Method::GET, &format!("https://{host}/"));
        let err = public.send(&request, &Auth::None).await.unwrap_err();
        assert!(matches!(err, NetError::Blocked { .. } | NetError::BadAddress { .. }), "{err:?}");
    }
    assert_eq!(proxy.connections(), 0);
}

/// An https server of openssl, whose certificate an authority of its own issued.
struct TlsServer {
    process: Child,
    port: u16,
}

impl TlsServer {
    /// Starts the server with its files in a folder; `None` without openssl.
    fn start(folder: &Path) -> Option<Self> {
        let openssl = |args: &str| {
            let mut command = Command::new("openssl");
            command.args(args.split(' ')).current_dir(folder);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        for args in [
            format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca -addext basicConstraints=critical,CA:TRUE"),
            format!("req {key} -keyout own.key -out own.csr -subj /CN=api.example -addext subjectAltName=DNS:api.example"),
            "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -days 2 -out own.pem -copy_extensions copy".to_owned(),
        ] {
            if !openssl(&args).status().is_ok_and(|status| status.success()) {
                return None;
            }
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let args = format!("s_server -www -accept 127.0.0.1:{port} -cert own.pem -key own.key");
        let process = openssl(&args).spawn().unwrap();
        Some(Self { process, port })
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn a_bundle_adds_its_authorities_to_those_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = TlsServer::start(folder.path()) else {
        return skip("openssl 3 is not installed");
    };
    let known = names(&[("api.example", HERE), ("other.example", HERE)]);
    let path = folder.path().join("ca.pem");
    let bundle = Some(CaBundle { origin: "LAKEPLAN_CA_BUNDLE".to_owned(), path });
    let trusting = Network { certificates: bundle, ..known.clone() };
    let send = async |name: &str, network: &Network| {
        let base = Base::of_host(&format!("https://{name}:{}", server.port)).unwrap();
        let http = Http::of_api(base, Redirects::None, network).unwrap();
        loop {
            match http.send(&Request::get("a"), &Auth::None).await {
                // The server needs a moment to start.
                Err(NetError::NotSent { why: Unsent::Refused, .. }) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                sent => return sent,
            }
        }
    };
    let page = send("api.example", &trusting).await.unwrap();
    assert!(String::from_utf8_lossy(&page.body).contains("<HTML>"));
    for (name, network) in [("api.example", &known), ("other.example", &trusting)] {
        let err = send(name, network).await.unwrap_err();
        assert!(matches!(err, NetError::NotSent { why: Unsent::Tls, .. }), "{name}: {err:?}");
        assert!(format!("{:?}", err.hint()).contains("LAKEPLAN_CA_BUNDLE"));
    }
}
