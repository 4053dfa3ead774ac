//! What the environment says of a place: the settings of its own cloud, each under its name, and what of them is refused.

use std::collections::BTreeMap;

use url::Url;

use super::fault::CloudFault;
use super::place::{Cloud, Place};
use crate::store::error::StoreError;

/// The settings that concern a place, by the names in small letters under which the storage's client knows them.
pub struct Settings {
    cloud: Cloud,
    taken: BTreeMap<String, Taken>,
    /// Whether credentials are none of their business.
    are_of_way: bool,
}

/// Where credentials for a place come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// No setting says it, so only the machine's own identity is left.
    Machine,
    Settings,
    Catalog,
}

struct Taken {
    /// The name as the environment has it.
    name: String,
    value: String,
}

/// A setting's name, or how the names of several begin; whether its value asks for anything; what is wrong with that.
type Refusal = (&'static str, fn(&str) -> bool, &'static str);

/// Settings that ask for another way to keep writers apart.
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
const LOCK: &str = "asks for a lock beside the bucket, and a lake keeps its writers apart by conditional puts alone: writers who go by different ways overwrite each other";
const CONDITION: &str =
    "asks for another way than If-None-Match, and a lake keeps its writers apart by nothing else";
const COPY: &str = "asks for commits by copies, and a lake commits by conditional puts alone";
const RENAME: &str = "allows renames that overwrite, by which one writer's change undoes another's";

/// Other names that tools of the field give these settings.
const ALIASES: [(&str, &str); 4] = [
    ("azure_storage_account", "azure_storage_account_name"),
    ("azure_storage_key", "azure_storage_account_key"),
    ("identity_endpoint", "azure_identity_endpoint"),
    ("azure_storage_sas", "azure_storage_sas_token"),
];

/// Any one of these says where credentials come from.
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

/// What says the way to a storage and no credential.
const WAY: &[&str] = &[
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

/// The account that the emulator of Azure has.
const EMULATED: &str = "devstoreaccount1";

/// Settings that hold an address, and the one that allows it to be of plain http.
const ADDRESSES: [(&str, &str); 5] = [
    ("aws_endpoint_url_s3", "AWS_ALLOW_HTTP"),
    ("aws_endpoint_url", "AWS_ALLOW_HTTP"),
    ("aws_endpoint", "AWS_ALLOW_HTTP"),
    ("azure_storage_endpoint", "AZURE_ALLOW_HTTP"),
    ("azure_endpoint", "AZURE_ALLOW_HTTP"),
];

impl Settings {
    /// Takes what concerns the place.
    pub fn of(
        place: &Place,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, CloudFault> {
        let settings = Self::taken_of(place, environment)?;
        settings.refuse_halves()?;
        settings.refuse_addresses()?;
        Ok(settings)
    }

    /// Takes what says the way to the place, whose credentials come from elsewhere.
    pub fn of_way(
        place: &Place,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, CloudFault> {
        let mut settings = Self { are_of_way: true, ..Self::taken_of(place, environment)? };
        settings.taken.retain(|known, _| WAY.contains(&known.as_str()));
        settings.refuse_addresses()?;
        Ok(settings)
    }

    fn taken_of(
        place: &Place,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, CloudFault> {
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
        Ok(Self { cloud, taken, are_of_way: false })
    }

    /// Whether the region of a bucket is set, or of no account because an endpoint is.
    pub fn say_region(&self) -> bool {
        self.taken.keys().any(|known| known.ends_with("region") || known.contains("endpoint"))
    }

    pub fn set_region(&mut self, region: String) {
        self.taken.insert(
            "aws_region".to_owned(),
            Taken { name: "AWS_REGION".to_owned(), value: region },
        );
    }

    /// Each setting with its value.
    pub fn taken(&self) -> impl Iterator<Item = (&str, &str)> {
        self.taken.iter().map(|(known, taken)| (known.as_str(), taken.value.as_str()))
    }

    pub fn value(&self, known: &str) -> Option<&str> {
        self.taken.get(known).map(|taken| taken.value.as_str())
    }

    /// The account of Azure, where the URL does not name it.
    pub fn account(&self) -> Result<&str, CloudFault> {
        let emulated =
            self.value("azure_storage_use_emulator").is_some_and(is_true).then_some(EMULATED);
        self.value("azure_storage_account_name").or(emulated).ok_or_else(|| {
            let hint = "write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH, or set AZURE_STORAGE_ACCOUNT_NAME";
            CloudFault::lasting("the lake's URL names no account", hint)
        })
    }

    /// Where credentials come from.
    pub fn source(&self) -> Source {
        match SOURCES.iter().any(|source| self.taken.contains_key(*source)) {
            _ if self.are_of_way => Source::Catalog,
            true => Source::Settings,
            false => Source::Machine,
        }
    }

    /// Why the client could not be made. Its own words may repeat a value, so only the name of the setting is told.
    pub fn misfit(&self, fault: &object_store::Error) -> StoreError {
        let said = fault.to_string();
        let quoted =
            self.taken.values().find(|taken| said.contains(&format!("\"{}\"", taken.value)));
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
                .find_map(|(word, known)| self.taken.get(*known).filter(|_| said.contains(word)))
        };
        let fault = match quoted.or_else(named) {
            Some(taken) => CloudFault::lasting(
                format!("{} cannot be what it is set to", taken.name),
                format!(
                    "correct it, or unset it; its value is not repeated here. For credentials, {}",
                    self.cloud.credentials()
                ),
            ),
            None => CloudFault::lasting(
                format!(
                    "the {} settings do not make a way to {}",
                    self.cloud.prefix().trim_end_matches('_'),
                    self.cloud.name()
                ),
                self.cloud.credentials(),
            ),
        };
        fault.into()
    }

    /// One half of a pair of keys is no key.
    fn refuse_halves(&self) -> Result<(), CloudFault> {
        for (half, other) in [
            ("aws_access_key_id", "aws_secret_access_key"),
            ("aws_secret_access_key", "aws_access_key_id"),
        ] {
            if self.taken.contains_key(half) && !self.taken.contains_key(other) {
                let (half, other) = (half.to_ascii_uppercase(), other.to_ascii_uppercase());
                return Err(CloudFault::lasting(
                    format!("{half} is set, and {other} is not"),
                    self.cloud.credentials(),
                ));
            }
        }
        Ok(())
    }

    fn refuse_addresses(&self) -> Result<(), CloudFault> {
        for (known, allow) in ADDRESSES {
            let Some(Taken { name, value }) = self.taken.get(known) else { continue };
            match Url::parse(value).ok().filter(Url::has_host).as_ref().map(Url::scheme) {
                Some("https") => {}
                Some("http") if self.value(&allow.to_ascii_lowercase()).is_some_and(is_true) => {}
                Some("http") => {
                    let what = format!(
                        "{name} is an http address, over which everything goes in the clear"
                    );
                    let hint = format!(
                        "give an https address, or set {allow}=true where the way is safe, as on this machine"
                    );
                    return Err(CloudFault::lasting(what, hint));
                }
                _ => {
                    let what = format!("{name} is no http or https address");
                    return Err(CloudFault::lasting(
                        what,
                        format!("give {name} as https://HOST, or unset it"),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn refuse(small: &str, name: &str, value: &str) -> Result<(), CloudFault> {
    let refused = |(known, is_meant, _): &&Refusal| {
        (small == *known || (known.ends_with('_') && small.starts_with(known))) && is_meant(value)
    };
    match REFUSED.iter().find(refused) {
        Some((_, _, why)) => Err(CloudFault::lasting(
            format!("{name} {why}"),
            format!(
                "unset {name}; the bucket has to know conditional puts, as S3 does, and lakeplan init finds out"
            ),
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
