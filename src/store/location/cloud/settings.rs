//! Reads the settings of a cloud location from the environment, each by its name, and refuses some
//! of them.

use std::collections::BTreeMap;

use url::Url;

use super::error::CloudError;
use super::location::{BucketLocation, Cloud};
use crate::domain::hint::LakeHint;
use crate::store::error::StoreError;

/// The settings that concern a location, by the lower-case names of the storage client.
pub struct Settings {
    cloud: Cloud,
    taken: BTreeMap<String, Taken>,
    /// Whether credentials come from elsewhere, so that only connection settings are read.
    is_connection_only: bool,
}

/// Source of a location's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// No setting defines it, so only the machine's own identity is left.
    Machine,
    Settings,
    Catalog,
}

struct Taken {
    /// Name in the environment.
    name: String,
    value: String,
}

/// Name or name prefix of settings; whether a value requests something; what is wrong with that.
type Refusal = (&'static str, fn(&str) -> bool, &'static str);

/// Settings that request another locking method.
const REFUSED: &[Refusal] = &[
    ("aws_s3_locking_provider", is_lock, LOCK),
    ("delta_dynamo_", is_lock, LOCK),
    ("dynamo_lock_", is_lock, LOCK),
    ("aws_conditional_put", is_no_etag, CONDITION),
    ("conditional_put", is_no_etag, CONDITION),
    ("aws_copy_if_not_exists", is_lock, COPY),
    ("copy_if_not_exists", is_lock, COPY),
    ("aws_s3_allow_unsafe_rename", is_true, RENAME),
    ("mount_allow_unsafe_rename", is_true, RENAME),
];
const LOCK: &str = "enables a lock outside the bucket, but a lake relies on conditional puts only: writers that use different mechanisms overwrite each other";
const CONDITION: &str =
    "selects a mechanism other than If-None-Match, the only one a lake relies on";
const COPY: &str = "enables commits by copies, but a lake commits by conditional puts only";
const RENAME: &str = "allows renames that overwrite, so one writer can undo another's change";

/// Names that other tools use for these settings.
const ALIASES: [(&str, &str); 4] = [
    ("azure_storage_account", "azure_storage_account_name"),
    ("azure_storage_key", "azure_storage_account_key"),
    ("identity_endpoint", "azure_identity_endpoint"),
    ("azure_storage_sas", "azure_storage_sas_token"),
];

/// Settings that each define where credentials come from.
const SOURCES: &[&str] = &[
    "aws_access_key_id",
    "aws_web_identity_token_file",
    "aws_container_credentials_relative_uri",
    "aws_container_credentials_full_uri",
    "aws_skip_signature",
    "azure_storage_account_key",
    "azure_storage_access_key",
    "azure_storage_sas_token",
    "azure_storage_sas_key",
    "azure_storage_token",
    "azure_storage_client_secret",
    "azure_client_secret",
    "azure_federated_token_file",
    "azure_identity_endpoint",
    "azure_use_azure_cli",
    "azure_storage_use_emulator",
    "azure_skip_signature",
    "google_service_account",
    "google_service_account_path",
    "google_service_account_key",
    "google_application_credentials",
    "google_skip_signature",
];

/// Connection settings, without credentials.
const CONNECTION_SETTINGS: &[&str] = &[
    "aws_region",
    "aws_default_region",
    "aws_endpoint_url",
    "aws_endpoint",
    "aws_endpoint_url_s3",
    "aws_allow_http",
    "aws_virtual_hosted_style_request",
    "azure_storage_endpoint",
    "azure_endpoint",
    "azure_storage_use_emulator",
    "azure_allow_http",
    "google_base_url",
];

/// Account of the Azure emulator.
const EMULATED: &str = "devstoreaccount1";

/// Settings that hold an address, with the setting that permits plain http.
const ADDRESSES: [(&str, &str); 5] = [
    ("aws_endpoint_url_s3", "AWS_ALLOW_HTTP"),
    ("aws_endpoint_url", "AWS_ALLOW_HTTP"),
    ("aws_endpoint", "AWS_ALLOW_HTTP"),
    ("azure_storage_endpoint", "AZURE_ALLOW_HTTP"),
    ("azure_endpoint", "AZURE_ALLOW_HTTP"),
];

impl Settings {
    /// Reads the settings for the location.
    pub fn of(
        place: &BucketLocation,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, CloudError> {
        let settings = Self::taken_of(place, environment)?;
        settings.validate_pairs()?;
        settings.validate_addresses()?;
        Ok(settings)
    }

    /// Reads the connection settings for the location; its credentials come from elsewhere.
    pub fn connection_only(
        place: &BucketLocation,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, CloudError> {
        let mut settings = Self { is_connection_only: true, ..Self::taken_of(place, environment)? };
        settings.taken.retain(|known, _| CONNECTION_SETTINGS.contains(&known.as_str()));
        settings.validate_addresses()?;
        Ok(settings)
    }

    fn taken_of(
        place: &BucketLocation,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, CloudError> {
        let cloud = place.cloud;
        let mut taken = BTreeMap::new();
        for (name, value) in environment.into_iter().filter(|(_, value)| !value.is_empty()) {
            let small = name.to_ascii_lowercase();
            if cloud == Cloud::S3 {
                refuse(&small, &name, &value)?;
            }
            let known = ALIASES
                .iter()
                .find(|(alias, _)| *alias == small)
                .map_or(small.as_str(), |(_, known)| known);
            if known.starts_with(&cloud.prefix().to_ascii_lowercase()) {
                taken.insert(known.to_owned(), Taken { name, value });
            }
        }
        Ok(Self { cloud, taken, is_connection_only: false })
    }

    /// Returns whether the bucket's region is set, or irrelevant because an endpoint is set.
    pub fn say_region(&self) -> bool {
        self.taken.keys().any(|known| known.ends_with("region") || known.contains("endpoint"))
    }

    pub fn set_region(&mut self, region: String) {
        self.taken.insert(
            "aws_region".to_owned(),
            Taken { name: "AWS_REGION".to_owned(), value: region },
        );
    }

    /// Returns each setting with its value.
    pub fn taken(&self) -> impl Iterator<Item = (&str, &str)> {
        self.taken.iter().map(|(known, taken)| (known.as_str(), taken.value.as_str()))
    }

    pub fn value(&self, known: &str) -> Option<&str> {
        self.taken.get(known).map(|taken| taken.value.as_str())
    }

    /// Returns the Azure account for a URL that does not name it.
    pub fn account(&self) -> Result<&str, CloudError> {
        let emulated =
            self.value("azure_storage_use_emulator").is_some_and(is_true).then_some(EMULATED);
        self.value("azure_storage_account_name").or(emulated).ok_or_else(|| {
            let hint = "write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH, or set AZURE_STORAGE_ACCOUNT_NAME";
            CloudError::permanent("the lake's URL does not name an account", hint)
        })
    }

    /// Returns the source of the credentials.
    pub fn source(&self) -> Source {
        match SOURCES.iter().any(|source| self.taken.contains_key(*source)) {
            _ if self.is_connection_only => Source::Catalog,
            true => Source::Settings,
            false => Source::Machine,
        }
    }

    /// Returns the error for a client that could not be created. The client's message may repeat a
    /// value, so only the setting is named.
    pub fn invalid(&self, err: &object_store::Error) -> StoreError {
        let message = err.to_string();
        let quoted =
            self.taken.values().find(|taken| message.contains(&format!("\"{}\"", taken.value)));
        let by_kind = [
            ("service account", "google_service_account"),
            ("service account", "google_application_credentials"),
            ("GCP credential", "google_service_account_key"),
            ("GCP credential", "google_service_account"),
            ("GCP credential", "google_application_credentials"),
            ("Invalid Access Key", "azure_storage_account_key"),
            ("Invalid Access Key", "azure_storage_access_key"),
            ("SAS", "azure_storage_sas_token"),
            ("SAS", "azure_storage_sas_key"),
        ];
        let named = || {
            by_kind
                .iter()
                .find_map(|(word, known)| self.taken.get(*known).filter(|_| message.contains(word)))
        };
        let err = match quoted.or_else(named) {
            Some(taken) => CloudError::permanent(
                format!("{} has an invalid value", taken.name),
                format!(
                    "correct or unset it; its value is not shown here. For credentials, {}",
                    self.cloud.credentials()
                ),
            ),
            None => CloudError::permanent(
                format!(
                    "the {} settings are not sufficient to connect to {}",
                    self.cloud.prefix().trim_end_matches('_'),
                    self.cloud.name()
                ),
                self.cloud.credentials(),
            ),
        };
        err.into()
    }

    /// Fails if only one half of a key pair is set.
    fn validate_pairs(&self) -> Result<(), CloudError> {
        for (half, other) in [
            ("aws_access_key_id", "aws_secret_access_key"),
            ("aws_secret_access_key", "aws_access_key_id"),
        ] {
            if self.taken.contains_key(half) && !self.taken.contains_key(other) {
                let (half, other) = (half.to_ascii_uppercase(), other.to_ascii_uppercase());
                return Err(CloudError::permanent(
                    format!("{half} is set, but {other} is not"),
                    self.cloud.credentials(),
                ));
            }
        }
        Ok(())
    }

    fn validate_addresses(&self) -> Result<(), CloudError> {
        for (known, allow) in ADDRESSES {
            let Some(Taken { name, value }) = self.taken.get(known) else { continue };
            match Url::parse(value).ok().filter(Url::has_host).as_ref().map(Url::scheme) {
                Some("https") => {}
                Some("http") if self.value(&allow.to_ascii_lowercase()).is_some_and(is_true) => {}
                Some("http") => {
                    let what =
                        format!("{name} is an http address, which sends everything unencrypted");
                    let hint = format!(
                        "use an https address, or set {allow}=true if the connection is safe, such as on this machine"
                    );
                    return Err(CloudError::permanent(what, hint));
                }
                _ => {
                    let what = format!("{name} is not an http or https address");
                    return Err(CloudError::permanent(
                        what,
                        format!("set {name} to https://HOST, or unset it"),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn refuse(small: &str, name: &str, value: &str) -> Result<(), CloudError> {
    let refused = |(known, is_meant, _): &&Refusal| {
        (small == *known || (known.ends_with('_') && small.starts_with(known))) && is_meant(value)
    };
    match REFUSED.iter().find(refused) {
        Some((_, _, why)) => Err(CloudError::permanent(
            format!("{name} {why}"),
            LakeHint::UnsetVariable { name: name.to_owned() },
        )),
        None => Ok(()),
    }
}

fn is_true(value: &str) -> bool {
    matches!(value.trim().to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y" | "t")
}

fn is_lock(value: &str) -> bool {
    !value.trim().eq_ignore_ascii_case("none")
}

fn is_no_etag(value: &str) -> bool {
    !value.trim().eq_ignore_ascii_case("etag")
}
