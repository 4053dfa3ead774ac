//! Checks which addresses may be contacted: https, and plain http only on this machine, for tests
//! and local servers.

use url::{Host, Url};

use super::NetError;

/// Parses the address of an API as a user wrote it, with or without https:// before it.
pub fn base(given: &str) -> Result<Url, NetError> {
    let bad = |why| NetError::BadAddress { given: shown(given), why };
    let text = if given.contains("://") { given.to_owned() } else { format!("https://{given}") };
    let url = Url::parse(&text).map_err(|_| bad("it cannot be read as one"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it contains a user name or a password"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it continues after the host"));
    }
    check(&url).map_err(bad)?;
    Ok(url)
}

/// Parses a link from an API response, which is fetched without the token. Rejects a link to this
/// machine unless the API runs on this machine too.
pub fn link(text: &str, base: &Url) -> Result<Url, NetError> {
    // A signed link is itself a secret.
    let bad = |why| NetError::BadAddress { given: "a link of the answer".to_owned(), why };
    let url = Url::parse(text).map_err(|_| bad("it cannot be read as one"))?;
    check(&url).map_err(bad)?;
    if is_loopback(&url) && !is_loopback(base) {
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
pub fn is_loopback(url: &Url) -> bool {
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
            assert!(base(good).is_ok(), "{good}");
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
            assert!(matches!(base(bad), Err(NetError::BadAddress { .. })), "{bad}");
        }
        for given in [
            "https://user:canary@x.com",
            "https://x.com/?token=canary",
            "x.com/api?x=canary",
            "https://x.com/#canary",
            "https://user:a?canary@x.com",
            "https://x.com/?token=a@canary",
        ] {
            let body = base(given).unwrap_err().to_string();
            assert!(!body.contains("canary"), "{body}");
        }
    }

    #[test]
    fn a_link_leads_to_this_machine_only_from_it() {
        let far = base("https://x.com").unwrap();
        assert!(
            link("http://127.0.0.1/x", &far).is_err() && link("https://127.0.0.1/x", &far).is_err()
        );
        assert!(link("http://store.com/x", &far).is_err());
        assert!(link("https://store.com/x?sig=a", &far).is_ok());
        assert!(link("http://127.0.0.1/x", &base("http://127.0.0.1:80").unwrap()).is_ok());
    }
}
