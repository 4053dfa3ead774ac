//! Network settings, configured only through environment variables: those that other tools read
//! too, and one of Lakeplan's own for certificates.

use std::path::PathBuf;

use super::environment::{Environment, NotUtf8};
use crate::domain::secret::Secret;

/// Variables that name a proxy for https; the first that is set counts.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXIES: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// Variables that name a file with certificates; the first that is set counts.
const BUNDLES: [&str; 3] = ["LAKEPLAN_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"];

/// Network settings from the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Variable and address of the proxy for https. The address may contain a password.
    pub proxy: Option<(&'static str, Secret)>,
    /// Hosts that are contacted without the proxy.
    pub no_proxy: Option<String>,
    /// Variable and path of the file with certificate authorities.
    pub certificates: Option<(&'static str, PathBuf)>,
}

impl Network {
    pub(super) fn read(env: &impl Environment) -> Result<Self, NotUtf8> {
        let first = |names: &[&'static str]| {
            for name in names {
                let value = env.get(name)?.map(|value| value.trim().to_owned());
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    return Ok::<_, NotUtf8>(Some((*name, value)));
                }
            }
            Ok(None)
        };
        Ok(Self {
            proxy: first(&PROXIES)?.map(|(name, value)| (name, Secret::new(value))),
            no_proxy: first(&NO_PROXIES)?.map(|(_, value)| value),
            certificates: first(&BUNDLES)?.map(|(name, value)| (name, PathBuf::from(value))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::variables;
    use super::*;

    fn read(env: &[(&str, &str)]) -> Network {
        Network::read(&variables(env)).unwrap()
    }

    #[test]
    fn the_most_specific_variable_that_is_set_counts() {
        let all = [
            ("all_proxy", "http://all"),
            ("https_proxy", "http://me:canary@proxy"),
            ("HTTPS_PROXY", " "),
            ("no_proxy", "localhost"),
            ("REQUESTS_CA_BUNDLE", "/requests.pem"),
            ("SSL_CERT_FILE", "/ssl.pem"),
        ];
        let network = read(&all);
        let proxy = Secret::new("http://me:canary@proxy");
        assert_eq!(network.proxy, Some(("https_proxy", proxy)));
        assert_eq!(network.no_proxy.as_deref(), Some("localhost"));
        assert_eq!(network.certificates, Some(("SSL_CERT_FILE", "/ssl.pem".into())));
        assert!(!format!("{network:?}").contains("canary"));
        let own = [all.as_slice(), &[("LAKEPLAN_CA_BUNDLE", "/own.pem")]].concat();
        assert_eq!(read(&own).certificates, Some(("LAKEPLAN_CA_BUNDLE", "/own.pem".into())));
        assert_eq!(read(&[]), Network::default());
    }
}
