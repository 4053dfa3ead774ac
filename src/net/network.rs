//! The network between this machine and the APIs: proxies, certificates, names.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::{Certificate, NoProxy, Proxy};
use url::Url;

use super::error::NetError;
use crate::domain::secret::Secret;

/// Maximum size of a file with certificates, in bytes.
const MAX_BUNDLE_BYTES: u64 = 16 << 20;

/// Settings of the network, which hold for every client of the process.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Proxy for https. Plain http goes to this machine only and never through a proxy.
    pub proxy: Option<ProxyServer>,
    /// Hosts that are contacted without the proxy, in the syntax of `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// Certificate authorities that are trusted in addition to those of the system.
    pub certificates: Option<CaBundle>,
    pub names: Names,
}

/// Address of a proxy, which may contain a password, and the setting that it comes from.
#[derive(Clone, Debug)]
pub struct ProxyServer {
    pub origin: String,
    pub url: Secret,
}

/// File with certificates in PEM, or a folder of such files.
#[derive(Clone, Debug)]
pub struct CaBundle {
    pub origin: String,
    pub path: PathBuf,
}

/// Source of the addresses of names.
#[derive(Clone, Default)]
pub enum Names {
    #[default]
    System,
    /// These names and no others.
    Fixed(Arc<[(String, IpAddr)]>),
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Fixed(_) => "Fixed",
        })
    }
}

impl ProxyServer {
    fn bad(&self) -> NetError {
        NetError::BadProxy { origin: self.origin.clone() }
    }

    /// Parses the address, with or without http:// before it.
    fn url(&self) -> Result<Url, NetError> {
        let text = self.url.expose();
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&text).map_err(|_| self.bad())?;
        let is_http = matches!(url.scheme(), "http" | "https");
        if is_http && url.has_host() { Ok(url) } else { Err(self.bad()) }
    }

    pub(super) fn host(&self) -> Result<String, NetError> {
        Ok(self.url()?.host_str().unwrap_or_default().to_owned())
    }

    pub(super) fn open(&self, no_proxy: Option<&str>) -> Result<Proxy, NetError> {
        let proxy = Proxy::https(self.url()?).map_err(|_| self.bad())?;
        Ok(proxy.no_proxy(no_proxy.and_then(NoProxy::from_string)))
    }
}

impl CaBundle {
    /// Reads the certificates. Fails if there are none.
    pub(super) fn read(&self) -> Result<Vec<Certificate>, NetError> {
        let files = match std::fs::read_dir(&self.path) {
            Ok(entries) => {
                let mut files: Vec<PathBuf> =
                    entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
                files.retain(|path| {
                    path.extension().is_some_and(|kind| kind == "pem" || kind == "crt")
                });
                files.sort();
                files
            }
            Err(_) => vec![self.path.clone()],
        };
        let mut certificates = Vec::new();
        for file in files {
            certificates.extend(self.read_file(&file)?);
        }
        if certificates.is_empty() {
            return Err(self.unusable("there is no certificate in PEM in it"));
        }
        Ok(certificates)
    }

    fn read_file(&self, path: &Path) -> Result<Vec<Certificate>, NetError> {
        let read = || {
            let length = std::fs::metadata(path)?.len();
            if length > MAX_BUNDLE_BYTES { Ok(Err(length)) } else { std::fs::read(path).map(Ok) }
        };
        let text = read()
            .map_err(|err| self.unusable(&err.to_string()))?
            .map_err(|length| self.unusable(&format!("it has {length} bytes")))?;
        Certificate::from_pem_bundle(&text)
            .map_err(|_| self.unusable("one of them is not valid PEM"))
    }

    fn unusable(&self, why: &str) -> NetError {
        NetError::CaBundle {
            origin: self.origin.clone(),
            path: self.path.display().to_string(),
            why: why.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str) -> ProxyServer {
        ProxyServer { origin: "HTTPS_PROXY".to_owned(), url: Secret::new(url) }
    }

    #[test]
    fn a_proxy_is_an_address_of_http() {
        for good in ["proxy:3128", "http://me:canary@proxy.example.com:80", "https://10.0.0.1"] {
            assert!(proxy(good).open(Some("localhost,.corp")).is_ok(), "{good}");
        }
        assert_eq!(proxy("http://me:canary@proxy:80").host().unwrap(), "proxy");
        for bad in ["socks5://canary", "", "http://", "http://me:canary@:x"] {
            let err = proxy(bad).open(None).unwrap_err();
            let shown = format!("{err} {err:?} {:?}", proxy(bad));
            assert!(matches!(err, NetError::BadProxy { .. }) && !shown.contains("canary"));
        }
    }

    #[test]
    fn a_bundle_without_a_certificate_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let of = |path: PathBuf| CaBundle { origin: "LAKEPLAN_CA_BUNDLE".to_owned(), path };
        let file = folder.path().join("ca.pem");
        for (text, expected) in [
            ("", "no certificate"),
            ("hello", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "not valid PEM"),
        ] {
            std::fs::write(&file, text).unwrap();
            for path in [file.clone(), folder.path().to_owned()] {
                let err = of(path.clone()).read().unwrap_err().to_string();
                assert!(
                    err.contains("LAKEPLAN_CA_BUNDLE: the certificates in ")
                        && err.contains(&path.display().to_string())
                        && err.contains(expected),
                    "{text:?}: {err}"
                );
            }
        }
        let err = of(folder.path().join("missing.pem")).read().unwrap_err().to_string();
        assert!(err.contains("missing.pem cannot be used: No such file"), "{err}");
    }
}
