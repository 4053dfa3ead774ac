//! The HTTP client against a server that fails in every way that a server can fail.

mod failures;
mod limits;
mod network;
mod reach;
mod requests;
mod retries;
mod secrets;
mod server;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use lakeplan::net::{Auth, Base, Http, Names, NetError, Network, Redirects, Request, Response};
use server::Server;

/// Client of the server's API.
fn api(server: &Server) -> Http {
    let base = Base::of_api(&server.url()).unwrap();
    Http::of_api(base, Redirects::None, &Network::default()).unwrap()
}

async fn get(server: &Server, path: &str) -> Result<Response, NetError> {
    api(server).send(&Request::get(path), &Auth::None).await
}

/// Network in which only these names have an address.
fn names(known: &[(&str, IpAddr)]) -> Network {
    let known: Arc<[_]> =
        known.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
    Network { names: Names::Fixed(known), ..Network::default() }
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
