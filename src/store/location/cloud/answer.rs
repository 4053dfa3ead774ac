//! Turns a cloud storage error into one sentence and a hint. Only the status and the code of the
//! response are repeated: its text contains what was signed, tokens, and addresses with signatures.

use std::error::Error as StdError;

use super::error::{CloudError, causes};
use super::location::{BucketLocation, Cloud};
use super::settings::Source;
use crate::domain::hint::{Hint, LakeHint};

/// The part of the storage's response that is used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    status: Option<u16>,
    code: Option<String>,
    region: Option<String>,
    /// Text from the client and the network.
    words: String,
}

/// Subject of a response.
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

/// Texts that appear in requests for credentials and not in requests for objects.
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
    /// Extracts the response from the client's error.
    pub fn of(err: &(dyn StdError + 'static)) -> Self {
        let message: Vec<String> = causes(err).map(ToString::to_string).collect();
        let message = message.join("; ");
        let tagged = |tag: &str| {
            let inside =
                message.split_once(&format!("<{tag}>"))?.1.split_once(&format!("</{tag}>"))?.0;
            let is_plain =
                inside.len() <= 64 && inside.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            is_plain.then(|| inside.to_owned())
        };
        let (code, region) = (tagged("Code"), tagged("Region"));
        let status =
            message.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
        Self { status, code, region, words: message.to_ascii_lowercase() }
    }

    /// Returns whether the bucket does not exist, as opposed to the object.
    pub fn is_without_bucket(&self) -> bool {
        matches!(self.about(), Some(About::NoBucket))
    }

    fn about(&self) -> Option<About> {
        let code = self.code.as_deref()?;
        CODES.iter().find(|(known, _)| *known == code).map(|(_, about)| *about)
    }

    /// Returns the error for a location with credentials from `source`.
    pub fn err(&self, place: &BucketLocation, source: Source) -> CloudError {
        let cloud = place.cloud;
        let status = self.status.unwrap_or_default();
        if self.concerns_credentials() && source == Source::Machine {
            let what = format!("there are no credentials for {}", place.name());
            return CloudError::permanent(what, cloud.credentials());
        }
        match (self.about(), status) {
            (Some(about), _) => self.known(about, place, source),
            (None, _) if self.words.contains("redirect without location") => {
                self.known(About::Region, place, source)
            }
            (None, 403) => self.known(About::Rights, place, source),
            (None, 401) => self.known(About::SecretKey, place, source),
            (None, 408 | 429 | 500..) => self.known(About::Busy, place, source),
            (None, 1..) => CloudError::permanent(
                format!("{} answered {} for {}", cloud.name(), self.message(), place.name()),
                format!("check the {}* settings and the URL of the lake", cloud.prefix()),
            ),
            (None, 0) if self.concerns_credentials() => CloudError::permanent(
                format!("failed to get credentials for {}", place.name()),
                others(cloud, source),
            ),
            (None, 0) => self.unreached(place),
        }
    }

    fn known(&self, about: About, place: &BucketLocation, source: Source) -> CloudError {
        let (cloud, name, message) = (place.cloud, place.name(), self.message());
        match about {
            About::NoBucket => CloudError::permanent(
                format!("there is no {} {}", cloud.container(), place.bucket),
                LakeHint::CreateBucket { noun: cloud.container() },
            ),
            About::AccessKey => CloudError::permanent(
                format!("{} does not know the access key ({message})", cloud.name()),
                others(cloud, source),
            ),
            About::SecretKey => CloudError::permanent(
                format!("{} does not accept the credentials for {name} ({message})", cloud.name()),
                others(cloud, source),
            ),
            About::Rights => CloudError::permanent(
                format!("these credentials may not use {name} ({message})"),
                match source {
                    Source::Catalog => format!(
                        "grant {} there to the storage credential of the external location",
                        cloud.rights()
                    ),
                    Source::Machine | Source::Settings => {
                        format!("grant them {} there, or use others", cloud.rights())
                    }
                },
            ),
            About::Expired if source == Source::Catalog => CloudError::transient(
                format!("the credentials for {name} have expired"),
                "retry the command, which gets new ones; if the error persists, correct this machine's clock",
            ),
            About::Expired => CloudError::permanent(
                format!("the credentials for {name} have expired"),
                format!("get new ones: {}", cloud.credentials()),
            ),
            About::Token => {
                let hint = if cloud == Cloud::S3 && source != Source::Catalog {
                    "set AWS_SESSION_TOKEN to the one issued with the keys, or unset it".into()
                } else {
                    others(cloud, source)
                };
                CloudError::permanent(
                    format!("{} does not accept the session's token ({message})", cloud.name()),
                    hint,
                )
            }
            About::Clock => CloudError::permanent(
                format!("{} says that this machine's clock is wrong", cloud.name()),
                "correct this machine's clock",
            ),
            About::Region => CloudError::permanent(
                format!("{name} is in another region"),
                match &self.region {
                    Some(region) => format!("set AWS_REGION={region}"),
                    None => "set AWS_REGION to the region of the bucket".to_owned(),
                },
            ),
            About::Busy => CloudError::transient(
                format!("{} is temporarily unable to serve the request ({message})", cloud.name()),
                "retry the command in a moment; committed changes are not applied twice",
            ),
        }
    }

    /// Returns the error for a network failure.
    fn unreached(&self, place: &BucketLocation) -> CloudError {
        let has = |words: &[&str]| words.iter().any(|word| self.words.contains(word));
        let why = match () {
            () if has(&["certificate"]) => {
                return CloudError::permanent(
                    format!("the certificate of {} is not trusted", place.cloud.name()),
                    format!(
                        "check the {}* settings; add a private certificate authority to the system's certificates",
                        place.cloud.prefix()
                    ),
                );
            }
            () if has(&["dns error", "failed to lookup", "name or service not known"]) => {
                "its host name cannot be resolved"
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
        CloudError::transient(
            format!("{} cannot be reached: {why}", place.name()),
            format!("check the network, {settings}, and retry the command"),
        )
    }

    /// Returns whether the request was for the machine's own identity, or for a token.
    fn concerns_credentials(&self) -> bool {
        IDENTITIES.iter().any(|word| self.words.contains(word))
    }

    fn message(&self) -> String {
        match (self.status, &self.code) {
            (Some(status), Some(code)) => format!("{status} {code}"),
            (Some(status), None) => status.to_string(),
            (None, Some(code)) => code.clone(),
            (None, None) => "no answer".to_owned(),
        }
    }
}

/// Explains how to obtain other credentials.
fn others(cloud: Cloud, source: Source) -> Hint {
    match source {
        Source::Catalog => LakeHint::CheckVendedCredentials.into(),
        Source::Machine | Source::Settings => cloud.credentials().into(),
    }
}

/// Error for a bucket with an unknown region: the network did not reach the storage, or the
/// bucket does not exist.
pub fn no_region(place: &BucketLocation, err: &(dyn StdError + 'static)) -> CloudError {
    let what = format!("failed to find the region of {}", place.name());
    let hint = "check the network and the bucket's name, or set AWS_REGION to its region";
    // Below the client's error there is a cause only if the network failed.
    if causes(err).count() > 2 {
        CloudError::transient(what, hint)
    } else {
        CloudError::permanent(what, hint)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn explain(url: &str, message: &str) -> CloudError {
        let place = BucketLocation::of(&Url::parse(url).unwrap()).unwrap();
        Answer::of(&object_store::Error::Generic { store: "S3", source: message.to_owned().into() })
            .err(&place, Source::Settings)
    }

    fn answered(status: &str, body: &str) -> String {
        format!(
            "Error performing GET https://team.example/lake?X-Amz-Signature=canary in 1ms - Server returned non-2xx status code: {status}: {body}"
        )
    }

    #[test]
    fn each_answer_has_its_sentence_and_its_way_out() {
        for (status, body, says, hint, is_retryable) in [
            ("404 Not Found", "<Code>NoSuchBucket</Code>", "no bucket team", "CreateBucket", false),
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
            ("503 Service Unavailable", "<Code>SlowDown</Code>", "503 SlowDown", "retry", true),
            ("500 Internal Server Error", "canary", "500", "retry", true),
            ("418 I'm a teapot", "<Code>canary but no code</Code>", "418", "AWS_", false),
        ] {
            let err = explain("s3://team/lake", &answered(status, body));
            let advice = format!("{:?}", err.hint());
            assert!(
                err.to_string().contains(says) && advice.contains(hint),
                "{status} {body}: {err}; {advice}"
            );
            assert_eq!(err.is_retryable(), is_retryable, "{status} {body}");
            assert!(!format!("{err}{advice}").contains("canary"), "{err}");
        }
    }

    #[test]
    fn what_the_network_says_is_reported_in_words_and_may_pass() {
        for (message, says) in [
            (
                "error sending request; tcp connect error; Connection refused (os error 111)",
                "refuses",
            ),
            (
                "error sending request; dns error; failed to lookup address",
                "host name cannot be resolved",
            ),
            ("error sending request; operation timed out", "in time"),
            ("error sending request; connection closed before message completed", "cut"),
        ] {
            let err = explain("abfss://plans@team.dfs.core.windows.net/lake", message);
            assert!(err.to_string().contains(says) && err.is_retryable(), "{message}: {err}");
        }
    }

    #[test]
    fn a_machine_without_an_identity_is_reported_which_credentials_to_give() {
        let message = "Error performing PUT http://169.254.169.254/latest/api/token in 10s - HTTP error: error sending request";
        for (url, hint) in [
            ("s3://team/lake", "AWS_ACCESS_KEY_ID"),
            ("gs://team/lake", "GOOGLE_APPLICATION_CREDENTIALS"),
        ] {
            let place = BucketLocation::of(&Url::parse(url).unwrap()).unwrap();
            let err =
                Answer::of(&object_store::Error::Generic { store: "S3", source: message.into() })
                    .err(&place, Source::Machine);
            assert!(
                err.to_string().contains("no credentials")
                    && format!("{:?}", err.hint()).contains(hint),
                "{err}"
            );
            assert!(!err.is_retryable());
        }
    }
}
