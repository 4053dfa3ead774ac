//! What a cloud's storage said, as one sentence and a way out. Of what it said only the status and the code are repeated: its
//! own words hold what was signed, tokens and addresses with signatures in them.

use std::error::Error as StdError;

use thiserror::Error;

use super::place::{Cloud, Place};
use super::settings::Source;

/// Why a place in a cloud cannot be used, or not now.
#[derive(Clone, Debug, Error)]
#[error("{what}")]
pub struct CloudFault {
    what: String,
    hint: String,
    /// It may be gone when the command is repeated.
    is_passing: bool,
}

impl CloudFault {
    pub fn lasting(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into(), is_passing: false }
    }

    fn passing(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { is_passing: true, ..Self::lasting(what, hint) }
    }

    /// The region of a bucket is not to be had: the network did not lead there, or there is no such bucket.
    pub fn no_region(place: &Place, fault: &(dyn StdError + 'static)) -> Self {
        let what = format!("the region of {} could not be found", place.name());
        let hint = "look at the network and at the bucket's name, or set AWS_REGION to its region";
        // Below the client's words there is a cause only where the network failed.
        if causes(fault).count() > 2 {
            Self::passing(what, hint)
        } else {
            Self::lasting(what, hint)
        }
    }

    pub fn hint(&self) -> &str {
        &self.hint
    }

    pub fn is_passing(&self) -> bool {
        self.is_passing
    }

    /// The one that an error carries.
    pub fn within<'e>(fault: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        causes(fault).find_map(|fault| fault.downcast_ref())
    }
}

/// What the storage answered, as far as it is repeated.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    status: Option<u16>,
    code: Option<String>,
    region: Option<String>,
    /// What the client and the network said.
    words: String,
}

/// What an answer is about.
#[derive(Clone, Copy)]
enum About {
    NoBucket,
    AccessKey,
    SecretKey,
    Rights,
    Expired,
    Token,
    Clock,
    Region,
    Busy,
}

const CODES: &[(&str, About)] = &[
    ("NoSuchBucket", About::NoBucket),
    ("ContainerNotFound", About::NoBucket),
    ("ContainerBeingDeleted", About::NoBucket),
    ("InvalidAccessKeyId", About::AccessKey),
    ("SignatureDoesNotMatch", About::SecretKey),
    ("AuthenticationFailed", About::SecretKey),
    ("InvalidAuthenticationInfo", About::SecretKey),
    ("NoAuthenticationInformation", About::SecretKey),
    ("AccessDenied", About::Rights),
    ("AllAccessDisabled", About::Rights),
    ("AuthorizationFailure", About::Rights),
    ("AuthorizationPermissionMismatch", About::Rights),
    ("InsufficientAccountPermissions", About::Rights),
    ("PublicAccessNotPermitted", About::Rights),
    ("ExpiredToken", About::Expired),
    ("ExpiredTokenException", About::Expired),
    ("TokenRefreshRequired", About::Expired),
    ("InvalidToken", About::Token),
    ("InvalidIdentityToken", About::Token),
    ("RequestTimeTooSkewed", About::Clock),
    ("AuthorizationHeaderMalformed", About::Region),
    ("PermanentRedirect", About::Region),
    ("IllegalLocationConstraintException", About::Region),
    ("SlowDown", About::Busy),
    ("ServerBusy", About::Busy),
    ("OperationTimedOut", About::Busy),
    ("InternalError", About::Busy),
    ("ServiceUnavailable", About::Busy),
    ("RequestTimeout", About::Busy),
];

/// What a request names that asks for credentials and not for an object.
const IDENTITIES: &[&str] = &[
    "169.254.169.254",
    "169.254.170.2",
    "/latest/api/token",
    "/latest/meta-data/",
    "/computemetadata/",
    "metadata.google.internal",
    "token request",
    "az account",
    "assumerole",
    "token file",
];

impl Answer {
    /// Reads it from what the client made of it.
    pub fn of(fault: &(dyn StdError + 'static)) -> Self {
        let said: Vec<String> = causes(fault).map(ToString::to_string).collect();
        let said = said.join("; ");
        let tagged = |tag: &str| {
            let inside =
                said.split_once(&format!("<{tag}>"))?.1.split_once(&format!("</{tag}>"))?.0;
            let is_plain =
                inside.len() <= 64 && inside.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            is_plain.then(|| inside.to_owned())
        };
        let (code, region) = (tagged("Code"), tagged("Region"));
        let status =
            said.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        Self { status, code, region, words: said.to_ascii_lowercase() }
    }

    /// The storage knows no such bucket, which is another thing than to have no such object.
    pub fn is_without_bucket(&self) -> bool {
        matches!(self.about(), Some(About::NoBucket))
    }

    fn about(&self) -> Option<About> {
        let code = self.code.as_deref()?;
        CODES.iter().find(|(known, _)| *known == code).map(|(_, about)| *about)
    }

    /// The sentence, for a place whose credentials come from there.
    pub fn fault(&self, place: &Place, source: Source) -> CloudFault {
        let cloud = place.cloud;
        let status = self.status.unwrap_or_default();
        if self.concerns_credentials() && source == Source::Machine {
            let what = format!("there are no credentials for {}", place.name());
            return CloudFault::lasting(what, cloud.credentials());
        }
        match (self.about(), status) {
            (Some(about), _) => self.known(about, place, source),
            (None, _) if self.words.contains("redirect without location") => {
                self.known(About::Region, place, source)
            }
            (None, 403) => self.known(About::Rights, place, source),
            (None, 401) => self.known(About::SecretKey, place, source),
            (None, 408 | 429 | 500..) => self.known(About::Busy, place, source),
            (None, 1..) => CloudFault::lasting(
                format!("{} answered {} for {}", cloud.name(), self.said(), place.name()),
                format!("look at the {}* settings and at the URL of the lake", cloud.prefix()),
            ),
            (None, 0) if self.concerns_credentials() => CloudFault::lasting(
                format!("the credentials for {} could not be had", place.name()),
                others(cloud, source),
            ),
            (None, 0) => self.unreached(place),
        }
    }

    fn known(&self, about: About, place: &Place, source: Source) -> CloudFault {
        let (cloud, name, said) = (place.cloud, place.name(), self.said());
        match about {
            About::NoBucket => CloudFault::lasting(
                format!("there is no {} {}", cloud.container(), place.bucket),
                format!("make the {}, or name another with --lake", cloud.container()),
            ),
            About::AccessKey => CloudFault::lasting(
                format!("{} does not know the access key ({said})", cloud.name()),
                others(cloud, source),
            ),
            About::SecretKey => CloudFault::lasting(
                format!("{} does not accept the credentials for {name} ({said})", cloud.name()),
                others(cloud, source),
            ),
            About::Rights => CloudFault::lasting(
                format!("these credentials may not use {name} ({said})"),
                match source {
                    Source::Catalog => format!(
                        "give the storage credential of the external location {} there",
                        cloud.rights()
                    ),
                    Source::Machine | Source::Settings => {
                        format!("give them {} there, or use others", cloud.rights())
                    }
                },
            ),
            About::Expired if source == Source::Catalog => CloudFault::passing(
                format!("the credentials for {name} have expired"),
                "repeat the command, which gets new ones; if it stays so, set this machine's clock",
            ),
            About::Expired => CloudFault::lasting(
                format!("the credentials for {name} have expired"),
                format!("get new ones: {}", cloud.credentials()),
            ),
            About::Token => {
                let hint = if cloud == Cloud::S3 && source != Source::Catalog {
                    "give the AWS_SESSION_TOKEN that came with the keys, or unset it"
                } else {
                    others(cloud, source)
                };
                CloudFault::lasting(
                    format!("{} does not accept the session's token ({said})", cloud.name()),
                    hint,
                )
            }
            About::Clock => CloudFault::lasting(
                format!("{} says that this machine's clock is wrong", cloud.name()),
                "set this machine's clock",
            ),
            About::Region => CloudFault::lasting(
                format!("{name} lies in another region"),
                match &self.region {
                    Some(region) => format!("set AWS_REGION={region}"),
                    None => "set AWS_REGION to the region of the bucket".to_owned(),
                },
            ),
            About::Busy => CloudFault::passing(
                format!("{} could not do it now ({said})", cloud.name()),
                "repeat the command in a moment; what was committed stays committed once",
            ),
        }
    }

    /// The network did not lead there.
    fn unreached(&self, place: &Place) -> CloudFault {
        let has = |words: &[&str]| words.iter().any(|word| self.words.contains(word));
        let why = match () {
            () if has(&["certificate"]) => {
                return CloudFault::lasting(
                    format!("the certificate of {} is not trusted", place.cloud.name()),
                    format!(
                        "look at the {}* settings; an authority of your own belongs among the system's certificates",
                        place.cloud.prefix()
                    ),
                );
            }
            () if has(&["dns error", "failed to lookup", "name or service not known"]) => {
                "its host's name is not known"
            }
            () if has(&["connection refused"]) => "it refuses the connection",
            () if has(&["timed out", "timeout", "deadline"]) => "it did not answer in time",
            () if has(&["reset", "closed", "broken pipe", "incomplete"]) => {
                "the connection was cut"
            }
            () => "the connection failed",
        };
        let settings = match place.cloud {
            Cloud::S3 => "AWS_ENDPOINT_URL and AWS_REGION",
            Cloud::Azure => "the account in the URL and AZURE_STORAGE_ENDPOINT",
            Cloud::Google => "the GOOGLE_* settings",
        };
        CloudFault::passing(
            format!("{} cannot be reached: {why}", place.name()),
            format!("look at the network, {settings}, and repeat the command"),
        )
    }

    /// The machine's own identity was asked for, or a token.
    fn concerns_credentials(&self) -> bool {
        IDENTITIES.iter().any(|word| self.words.contains(word))
    }

    fn said(&self) -> String {
        match (self.status, &self.code) {
            (Some(status), Some(code)) => format!("{status} {code}"),
            (Some(status), None) => status.to_string(),
            (None, Some(code)) => code.clone(),
            (None, None) => "no answer".to_owned(),
        }
    }
}

/// How to come by other credentials.
fn others(cloud: Cloud, source: Source) -> &'static str {
    match source {
        Source::Catalog => {
            "Unity Catalog gave them; lakeplan doctor --databricks looks at what they rest on"
        }
        Source::Machine | Source::Settings => cloud.credentials(),
    }
}

/// An error and what caused it.
fn causes<'e>(
    fault: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    let mut next = Some(fault);
    std::iter::from_fn(move || {
        let here = next?;
        next = here.source();
        Some(here)
    })
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn told(url: &str, said: &str) -> CloudFault {
        let place = Place::of(&Url::parse(url).unwrap()).unwrap();
        Answer::of(&object_store::Error::Generic { store: "S3", source: said.to_owned().into() })
            .fault(&place, Source::Settings)
    }

    fn answered(status: &str, body: &str) -> String {
        format!(
            "Error performing GET https://team.example/lake?X-Amz-Signature=canary in 1ms - Server returned non-2xx status code: {status}: {body}"
        )
    }

    #[test]
    fn each_answer_has_its_sentence_and_its_way_out() {
        for (status, body, says, hint, is_passing) in [
            ("404 Not Found", "<Code>NoSuchBucket</Code>", "no bucket team", "--lake", false),
            (
                "403 Forbidden",
                "<Code>InvalidAccessKeyId</Code><AWSAccessKeyId>canary</AWSAccessKeyId>",
                "access key",
                "AWS_ACCESS_KEY_ID",
                false,
            ),
            (
                "403 Forbidden",
                "<Code>SignatureDoesNotMatch</Code><StringToSign>canary</StringToSign>",
                "credentials",
                "AWS_SECRET",
                false,
            ),
            (
                "403 Forbidden",
                "<Code>AccessDenied</Code>",
                "may not use the bucket team",
                "s3:PutObject",
                false,
            ),
            ("403 Forbidden", "", "may not use the bucket team", "s3:PutObject", false),
            (
                "400 Bad Request",
                "<Code>ExpiredToken</Code><Token-0>canary</Token-0>",
                "expired",
                "AWS_SESSION_TOKEN",
                false,
            ),
            (
                "400 Bad Request",
                "<Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region>",
                "region",
                "AWS_REGION=eu-west-1",
                false,
            ),
            ("403 Forbidden", "<Code>RequestTimeTooSkewed</Code>", "clock", "clock", false),
            ("503 Service Unavailable", "<Code>SlowDown</Code>", "503 SlowDown", "repeat", true),
            ("500 Internal Server Error", "canary", "500", "repeat", true),
            ("418 I'm a teapot", "<Code>canary but no code</Code>", "418", "AWS_", false),
        ] {
            let fault = told("s3://team/lake", &answered(status, body));
            assert!(
                fault.to_string().contains(says) && fault.hint().contains(hint),
                "{status} {body}: {fault}; {}",
                fault.hint()
            );
            assert_eq!(fault.is_passing(), is_passing, "{status} {body}");
            assert!(!format!("{fault}{}", fault.hint()).contains("canary"), "{fault}");
        }
    }

    #[test]
    fn what_the_network_says_is_told_in_words_and_may_pass() {
        for (said, says) in [
            (
                "error sending request; tcp connect error; Connection refused (os error 111)",
                "refuses",
            ),
            ("error sending request; dns error; failed to lookup address", "name is not known"),
            ("error sending request; operation timed out", "in time"),
            ("error sending request; connection closed before message completed", "cut"),
        ] {
            let fault = told("abfss://plans@team.dfs.core.windows.net/lake", said);
            assert!(fault.to_string().contains(says) && fault.is_passing(), "{said}: {fault}");
        }
    }

    #[test]
    fn a_machine_without_an_identity_is_told_which_credentials_to_give() {
        let said = "Error performing PUT http://169.254.169.254/latest/api/token in 10s - HTTP error: error sending request";
        for (url, hint) in [
            ("s3://team/lake", "AWS_ACCESS_KEY_ID"),
            ("gs://team/lake", "GOOGLE_APPLICATION_CREDENTIALS"),
        ] {
            let place = Place::of(&Url::parse(url).unwrap()).unwrap();
            let fault =
                Answer::of(&object_store::Error::Generic { store: "S3", source: said.into() })
                    .fault(&place, Source::Machine);
            assert!(
                fault.to_string().contains("no credentials") && fault.hint().contains(hint),
                "{fault}"
            );
            assert!(!fault.is_passing());
        }
    }
}
