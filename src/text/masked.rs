//! Masks the credentials that a person wrote into URLs.

use std::borrow::Cow;

/// Replacement of a credential.
const MASK: &str = "***";
/// Schemes whose URLs have a container in place of the user.
const OF_CONTAINERS: [&str; 6] = ["abfss", "abfs", "az", "adl", "wasb", "wasbs"];
/// Other storage schemes.
const OF_STORAGE: [&str; 3] = ["s3", "s3a", "gs"];
/// Characters that end a sentence or quotation around a URL.
const CLOSING: [char; 10] = ['"', '\'', '`', ')', ']', '>', ',', ';', '.', ':'];

/// Returns the text with masked URLs: `***` replaces the user and password before a host, and the
/// query and fragment after a path. The container of an Azure URL stays.
pub fn masked(text: &str) -> Cow<'_, str> {
    if !text.contains(":/") {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(":/") {
        let (before, after) = rest.split_at(at);
        shown.push_str(before);
        // A storage URL may have a single slash.
        let mark = if after.starts_with("://") { "://" } else { ":/" };
        let is_url = mark.len() == 3
            || OF_STORAGE.contains(&scheme(&shown))
            || OF_CONTAINERS.contains(&scheme(&shown));
        let is_of_container = OF_CONTAINERS.contains(&scheme(&shown));
        shown.push_str(mark);
        let after = &after[mark.len()..];
        if !is_url {
            rest = after;
            continue;
        }
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let end = after.find("://").map_or(end, |next| end.min(next));
        let (url, next) = after.split_at(end);
        mask_url(&mut shown, url, is_of_container);
        rest = next;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Masks a log line like [`masked`]. A host and its user may also appear without a scheme, as in
/// `("http", user:password@host)`.
pub fn masked_line(text: &str) -> Cow<'_, str> {
    let text = masked(text);
    if !text.contains('@') {
        return text;
    }
    let begins = |letter: char| letter.is_whitespace() || "\"'`(<[,=/".contains(letter);
    let mut shown = String::with_capacity(text.len());
    for (number, part) in text.split('@').enumerate() {
        if number > 0 {
            let start = shown
                .rfind(begins)
                .map_or(0, |at| at + shown[at..].chars().next().map_or(0, char::len_utf8));
            if shown[start..]
                .split_once(':')
                .is_some_and(|(user, password)| !user.is_empty() && !password.is_empty())
            {
                shown.truncate(start);
                shown.push_str(MASK);
            }
            shown.push('@');
        }
        shown.push_str(part);
    }
    Cow::Owned(shown)
}

/// Returns the scheme at the end of a text.
fn scheme(text: &str) -> &str {
    let start = text
        .rfind(|letter: char| !letter.is_ascii_alphanumeric())
        .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
    &text[start..]
}

/// Writes the part of a URL after its scheme, masked.
fn mask_url(shown: &mut String, url: &str, is_of_container: bool) {
    let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
    // A password may contain a host delimiter; then the apparent port is not a number.
    let is_no_port = |port: &str| !port.bytes().all(|byte| byte.is_ascii_digit());
    let has_odd_port = !authority.starts_with('[')
        && authority.split_once(':').is_some_and(|(_, port)| is_no_port(port));
    let user = authority.rfind('@').or_else(|| url.rfind('@').filter(|_| has_odd_port));
    let address = match user {
        Some(at) if is_of_container && !url[..at].contains(':') => url,
        Some(at) => {
            shown.push_str(MASK);
            &url[at..]
        }
        None => url,
    };
    let Some(at) = address.find(['?', '#']) else {
        shown.push_str(address);
        return;
    };
    let (place, query) = address.split_at(at);
    let kept = query.trim_end_matches(CLOSING).len();
    shown.push_str(place);
    shown.push_str(&query[..1]);
    if kept > 1 {
        shown.push_str(MASK);
    }
    shown.push_str(&query[kept.max(1)..]);
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_key_and_a_password("s3://k:SEKRIT@b/x", "s3://***@b/x")]
    #[case::a_user("http://SEKRIT@h", "http://***@h")]
    #[case::a_signature(
        "abfss://c@a.dfs.core.windows.net/x?sig=SEKRIT",
        "abfss://c@a.dfs.core.windows.net/x?***"
    )]
    #[case::a_password_of_a_container(
        "abfss://c:SEKRIT@a.dfs.core.windows.net/x",
        "abfss://***@a.dfs.core.windows.net/x"
    )]
    #[case::a_fragment("s3://b/x#SEKRIT", "s3://b/x#***")]
    #[case::a_slash_in_the_password("s3://k:SE/KRIT@b/x", "s3://***@b/x")]
    #[case::a_question_mark_in_the_password("s3://k:SE?KRIT@b/x", "s3://***@b/x")]
    #[case::a_query_in_a_sentence("'https://h/?token=SEKRIT' is none", "'https://h/?***' is none")]
    #[case::two_urls(
        "--lake=s3://k:SEKRIT@b and http://u:SEKRIT@h:1/?a",
        "--lake=s3://***@b and http://***@h:1/?***"
    )]
    #[case::two_urls_without_a_space("s3://b/x,http://u:SEKRIT@h", "s3://b/x,http://***@h")]
    #[case::no_scheme("://u:SEKRIT@h", "://***@h")]
    #[case::one_slash("s3:/u:SEKRIT@h/x", "s3:/***@h/x")]
    fn a_url_shows_no_credentials(#[case] message: &str, #[case] is: &str) {
        assert_eq!(masked(message), is);
    }

    #[test]
    fn what_holds_none_stays() {
        for text in [
            "",
            "no address: a@b.c",
            "s3://bucket/team@x/lake",
            "http://[::1]:80/a@b",
            "C:/Users/ana@x",
            "http://127.0.0.1:1/x",
            "abfss://c@a.dfs.core.windows.net/x",
            "is it https://h/x? yes",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn a_logged_host_shows_no_password() {
        let line = r#"pooling idle connection for ("http", u:SEKRIT@127.0.0.1:1)"#;
        assert_eq!(masked_line(line), r#"pooling idle connection for ("http", ***@127.0.0.1:1)"#);
        assert_eq!(
            masked_line("starting new connection: http://u:SEKRIT@h:1/"),
            "starting new connection: http://***@h:1/"
        );
        for text in ["a user @ana", "ana@example.org is assigned", "at 10:00 to ana@b", "no sign"] {
            assert_eq!(masked_line(text), text);
        }
    }
}
