//! Resolves names and checks every address before a connection is opened. A name that resolves to
//! another address at each lookup therefore gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use super::network::Names;
use super::reach::Reach;

/// Resolver of one client.
#[derive(Debug)]
pub struct GuardedResolver {
    pub names: Names,
    /// Hosts that the user configured: the API and the proxy.
    pub configured: Vec<String>,
    /// Reach of every other host.
    pub others: Reach,
}

/// A name without an address.
#[derive(Debug, Error)]
#[error("the name has no address")]
pub struct Unresolved(#[source] io::Error);

/// A name with an address that is out of reach.
#[derive(Debug, Error)]
#[error("the address is {0}")]
pub struct OutOfReach(pub &'static str);

impl GuardedResolver {
    /// Returns the addresses that a host may have.
    pub fn reach(&self, host: &str) -> Reach {
        if self.configured.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            Reach::Configured
        } else {
            self.others
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, reach) = (self.names.clone(), self.reach(name.as_str()));
        Box::pin(async move {
            let found = lookup(&names, name.as_str()).await.map_err(Unresolved)?;
            if found.is_empty() {
                return Err(Unresolved(io::ErrorKind::NotFound.into()).into());
            }
            // One address out of reach refuses the name: which one a client uses is up to chance.
            if let Some(why) = found.iter().find_map(|address| reach.refusal(*address)) {
                return Err(OutOfReach(why).into());
            }
            // The port of the URL replaces port 0.
            let found: Addrs =
                Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

async fn lookup(names: &Names, name: &str) -> io::Result<Vec<IpAddr>> {
    match names {
        Names::System => {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        Names::Fixed(known) => Ok(fixed(known, name)),
    }
}

fn fixed(known: &Arc<[(String, IpAddr)]>, name: &str) -> Vec<IpAddr> {
    known.iter().filter(|(known, _)| known == name).map(|(_, address)| *address).collect()
}
