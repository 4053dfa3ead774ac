//! Headers of a response.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::domain::time::Instant;

/// Headers of a response, by name in lower case. Their values may repeat secrets, so `Debug` shows
/// the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

/// Forms of a date in HTTP; a server sends the first, and a client reads all three.
const DATES: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

impl Headers {
    /// Creates headers from pairs of name and value.
    pub fn new<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let pair = |(name, value): (N, V)| (name.into().to_ascii_lowercase(), value.into());
        Self(pairs.into_iter().map(pair).collect())
    }

    /// Returns the first value of a header, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns every value of a header.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = move |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.0.iter().filter(named).map(|(_, value)| value.as_str())
    }

    /// Returns the version of the resource, as `If-None-Match` and `If-Match` take it.
    pub fn etag(&self) -> Option<&str> {
        self.get("etag")
    }

    /// Returns the target of the first link with a relation, such as `next`.
    pub fn link(&self, rel: &str) -> Option<&str> {
        self.all("link").flat_map(links).find(|(_, rels)| rels.contains(&rel)).map(|link| link.0)
    }

    /// Returns how long the server asks to wait. A date counts from the server's own `Date`, or from
    /// `now` if there is none. A date in the past means no wait.
    pub fn retry_after(&self, now: Instant) -> Option<Duration> {
        let text = self.get("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let from = self.get("date").and_then(date).unwrap_or(now);
        Some((date(text)? - from).to_std().unwrap_or_default())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Parses a date of HTTP, which is in UTC.
fn date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DATES
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| date.and_utc())
}

/// Splits a `Link` header into targets and their relations. A target may contain commas and
/// semicolons.
fn links(header: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((target, after)) =
        rest.split_once('<').and_then(|(_, inside)| inside.split_once('>'))
    {
        let end = after.find('<').unwrap_or(after.len());
        let (params, next) = after.split_at(end);
        let rel = params.split([';', ',']).find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.trim().eq_ignore_ascii_case("rel").then(|| value.trim().trim_matches('"'))
        });
        found.push((target, rel.unwrap_or_default().split_whitespace().collect()));
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        Headers::new(pairs.iter().copied())
    }

    fn noon() -> Instant {
        DateTime::parse_from_rfc3339("2026-11-30T12:00:00Z").unwrap().to_utc()
    }

    #[test]
    fn a_wait_is_read_from_seconds_and_from_each_form_of_a_date() {
        let wait = |text: &str| headers(&[("Retry-After", text)]).retry_after(noon());
        assert_eq!(wait(" 7 "), Some(Duration::from_secs(7)));
        for text in [
            "Mon, 30 Nov 2026 12:01:30 GMT",
            "Monday, 30-Nov-26 12:01:30 GMT",
            "Mon Nov 30 12:01:30 2026",
        ] {
            assert_eq!(wait(text), Some(Duration::from_secs(90)), "{text}");
        }
        assert_eq!(wait("Mon, 30 Nov 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!((wait("soon"), wait("-1"), wait("")), (None, None, None));
        let both = [
            ("retry-after", "Mon, 30 Nov 2026 09:00:20 GMT"),
            ("date", "Mon, 30 Nov 2026 09:00:00 GMT"),
        ];
        let by_server = headers(&both).retry_after(noon());
        assert_eq!(by_server, Some(Duration::from_secs(20)), "the server's clock counts");
    }

    #[test]
    fn links_are_found_by_their_relation() {
        let header = r#"<https://x.com/a?ids=1,2;3&page=1>; rel="prev first", <https://x.com/a?page=3>; title="x"; rel=next"#;
        let found = headers(&[("Link", header), ("link", "<https://x.com/z>; rel=\"last\"")]);
        assert_eq!(found.link("next"), Some("https://x.com/a?page=3"));
        assert_eq!(found.link("first"), Some("https://x.com/a?ids=1,2;3&page=1"));
        assert_eq!(found.link("last"), Some("https://x.com/z"));
        assert_eq!((found.link("rst"), headers(&[("link", "<a")]).link("next")), (None, None));
    }

    #[test]
    fn values_of_headers_are_not_in_debug_output() {
        let shown = format!("{:?}", headers(&[("Set-Cookie", "session=canary")]));
        assert_eq!(shown, r#"["set-cookie"]"#);
    }
}
