//! Checks which addresses may be contacted: https, and plain http only on this machine, for tests
//! and local servers.

use url::{Host, Url};

use super::error::NetError;

/// Address of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Url);

impl Base {
    /// Parses the address of a host as a user wrote it, with or without https:// before it.
    pub fn of_host(given: &str) -> Result<Self, NetError> {
        Self::parse(given, false)
    }

    /// Parses the address of an API that may be below a path, such as
    /// `https://example.com/gitlab/api/v4`.
    pub fn of_api(given: &str) -> Result<Self, NetError> {
        Self::parse(given, true)
    }

    fn parse(given: &str, may_have_path: bool) -> Result<Self, NetError> {
        let bad = |why| NetError::BadAddress { given: shown(given), why };
        let text =
            if given.contains("://") { given.to_owned() } else { format!("https://{given}") };
        let url = Url::parse(&text).map_err(|_| bad("it cannot be read as one"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it contains a user name or a password"));
        }
        let has_path = !matches!(url.path(), "" | "/");
        if (has_path && !may_have_path) || url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it continues after the host"));
        }
        check(&url).map_err(bad)?;
        Ok(Self(url))
    }

    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the API runs on this machine.
    pub(super) fn is_local(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Whether a URL has the scheme, the host and the port of the API.
    pub(super) fn is_origin_of(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// Returns the URL of path segments below the base.
    pub(super) fn url(&self, segments: &[String]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(segments);
        }
        url
    }
}

/// Parses a URL from outside. Rejects one that leads to this machine, unless the API that returned
/// it runs on this machine too.
pub fn link(text: &str, base: Option<&Base>) -> Result<Url, NetError> {
    // A signed link is itself a secret.
    let bad = |why| NetError::BadAddress { given: "a link of the answer".to_owned(), why };
    let url = Url::parse(text).map_err(|_| bad("it cannot be read as one"))?;
    check(&url).map_err(bad)?;
    if is_loopback(&url) && !base.is_some_and(Base::is_local) {
        return Err(bad("it points at this machine"));
    }
    Ok(url)
}

fn check(url: &Url) -> Result<(), &'static str> {
    match url.scheme() {
        _ if url.host_str().is_none_or(str::is_empty) => Err("it has no host"),
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => Err("it is not https"),
        _ => Err("it is neither https nor a local http"),
    }
}

/// Whether the URL points to this machine, by IP address or as `localhost`: any other name may
/// resolve to anything.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Returns the given address without any password or token in it.
fn shown(given: &str) -> String {
    let (place, query) = given.find(['?', '#']).map_or((given, ""), |at| given.split_at(at));
    // A password may contain `?` or `#`.
    if query.contains('@') {
        return "***".to_owned();
    }
    let place = place
        .rsplit_once('@')
        .map_or_else(|| place.to_owned(), |(_, after)| format!("***@{after}"));
    query.chars().next().map_or_else(|| place.clone(), |sign| format!("{place}{sign}***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_spoken_to() {
        for good in [
            "https://adb-1.azuredatabricks.net",
            "adb-1.azuredatabricks.net",
            "https://x.com/",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost:9",
        ] {
            assert!(Base::of_host(good).is_ok(), "{good}");
        }
        for bad in [
            "http://x.com",
            "ftp://x.com",
            "https://",
            "https://u:p@x.com",
            "https://x.com/a",
            "https://x.com?o=1",
            "http://127.0.0.1.evil.com",
            "http://10.0.0.1",
            "file:///etc/passwd",
            "http://localhost.evil.com",
        ] {
            assert!(matches!(Base::of_host(bad), Err(NetError::BadAddress { .. })), "{bad}");
        }
        for given in [
            "https://user:canary@x.com",
            "https://x.com/?token=canary",
            "x.com/api?x=canary",
            "https://x.com/#canary",
            "https://user:a?canary@x.com",
            "https://x.com/?token=a@canary",
        ] {
            let body = Base::of_host(given).unwrap_err().to_string();
            assert!(!body.contains("canary"), "{body}");
        }
    }

    #[test]
    fn a_link_leads_to_this_machine_only_from_it() {
        let far = Base::of_host("https://x.com").unwrap();
        for base in [Some(&far), None] {
            assert!(link("http://127.0.0.1/x", base).is_err());
            assert!(link("https://127.0.0.1/x", base).is_err());
            assert!(link("https://2130706433/x", base).is_err());
            assert!(link("http://store.com/x", base).is_err());
            assert!(link("https://store.com/x?sig=a", base).is_ok());
        }
        let here = Base::of_host("http://127.0.0.1:80").unwrap();
        assert!(link("http://127.0.0.1/x", Some(&here)).is_ok());
    }

    #[test]
    fn segments_follow_the_path_of_the_base() {
        let segments = ["projects", "a/b c", "..x"].map(str::to_owned);
        let base = Base::of_api("https://x.com/gitlab/api/v4/").unwrap();
        assert_eq!(
            base.url(&segments).as_str(),
            "https://x.com/gitlab/api/v4/projects/a%2Fb%20c/..x"
        );
        assert_eq!(Base::of_host("x.com").unwrap().url(&segments[..1]).path(), "/projects");
        assert!(base.is_origin_of(&Url::parse("https://x.com:443/other").unwrap()));
        assert!(!base.is_origin_of(&Url::parse("https://x.com:444/gitlab").unwrap()));
        assert!(Base::of_api("https://x.com/a?b").is_err());
    }
}
