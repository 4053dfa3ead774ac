//! A lake in a cloud: S3, Azure or Google storage, with conditional puts only.
//!
//! A storage URL names the location, and the environment configures access: `AWS_*`, `AZURE_*` and
//! `GOOGLE_*`, each only for URLs of its own cloud. If Unity Catalog vends the credentials, the
//! environment configures only the connection. Settings of other locking methods are refused,
//! because two locking methods on one lake exclude nobody.
//!
//! The storage client itself repeats a request that was refused temporarily (500, 503, 429) or not
//! sent, for ten seconds, and allows half a minute for a complete response. A repeated create may
//! meet what its own first attempt put there; [`store::CloudStore`] distinguishes this from a name
//! taken by another writer.

mod answer;
mod error;
mod location;
mod settings;
mod store;

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use object_store::aws::{
    AmazonS3Builder, AwsCredentialProvider, S3ConditionalPut, resolve_bucket_region,
};
use object_store::azure::{AzureCredentialProvider, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::gcp::{GcpCredentialProvider, GoogleCloudStorageBuilder};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

pub use error::CloudError;
use location::{BucketLocation, Cloud};
use settings::Settings;
use store::CloudStore;

use super::root::LakeLocation;
use crate::store::error::StoreError;

/// Time limit of the client's retries: well below the commit's own deadline, so that a commit can
/// try more than once.
const RETRY: Duration = Duration::from_secs(10);
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// Opens the root at a storage URL, without any request to the storage.
pub fn open(
    url: &Url,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<LakeLocation, StoreError> {
    let place = BucketLocation::of(url)?;
    let settings = Settings::of(&place, environment)?;
    rooted(place, &settings, None)
}

/// Credentials from a source other than the environment that keeps them valid, as the client of
/// each cloud takes them.
#[derive(Clone, Debug)]
pub struct VendedCredentials {
    pub s3: AwsCredentialProvider,
    pub azure: AzureCredentialProvider,
    pub google: GcpCredentialProvider,
}

/// Builds stores for a storage URL with given credentials. The stores of one builder share their
/// connections.
pub struct StoreBuilder {
    place: BucketLocation,
    settings: Settings,
    connections: Connections,
}

impl StoreBuilder {
    /// Prepares a location. The only request is for a bucket's region, if neither a region nor an
    /// endpoint is set.
    pub async fn find(
        url: &Url,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StoreError> {
        let place = BucketLocation::of(url)?;
        let mut settings = Settings::connection_only(&place, environment)?;
        if place.cloud == Cloud::S3 && !settings.say_region() {
            let region = resolve_bucket_region(&place.bucket, &ClientOptions::new()).await;
            settings.set_region(region.map_err(|err| answer::no_region(&place, &err))?);
        }
        Ok(Self { place, settings, connections: Connections::default() })
    }

    /// Opens the root at the URL with these credentials.
    pub fn open(&self, given: &VendedCredentials) -> Result<LakeLocation, StoreError> {
        rooted(self.place.clone(), &self.settings, Some((given, &self.connections)))
    }
}

/// Connections to a location, opened once for all stores with the same settings.
#[derive(Clone, Debug, Default)]
struct Connections(Arc<OnceLock<HttpClient>>);

impl HttpConnector for Connections {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        if let Some(client) = self.0.get() {
            return Ok(client.clone());
        }
        let client = ReqwestConnector::default().connect(options)?;
        Ok(self.0.get_or_init(|| client).clone())
    }
}

/// Creates every cloud root.
fn rooted(
    mut place: BucketLocation,
    settings: &Settings,
    given: Option<(&VendedCredentials, &Connections)>,
) -> Result<LakeLocation, StoreError> {
    if place.cloud == Cloud::Azure && place.account.is_none() {
        place.in_account(settings.account()?)?;
    }
    let store = connect(&place, settings, given).map_err(|err| settings.invalid(&err))?;
    let explain = CloudStore::new(store, place.clone(), settings.source());
    let path = Path::from_url_path(place.url.path()).map_err(|_| place.no_path())?;
    Ok(LakeLocation { url: place.url, store: Arc::new(PrefixStore::new(explain, path)) })
}

fn connect(
    place: &BucketLocation,
    settings: &Settings,
    given: Option<(&VendedCredentials, &Connections)>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig {
        backoff: BackoffConfig { max_backoff: MAX_BACKOFF, ..BackoffConfig::default() },
        retry_timeout: RETRY,
        ..RetryConfig::default()
    };
    Ok(match place.cloud {
        Cloud::S3 => {
            let mut builder = keys(settings)
                .fold(AmazonS3Builder::new(), |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            if let Some((given, connections)) = given {
                builder = builder
                    .with_credentials(Arc::clone(&given.s3))
                    .with_http_connector(connections.clone());
            }
            let builder = builder
                .with_bucket_name(&place.bucket)
                .with_conditional_put(S3ConditionalPut::ETagMatch);
            Arc::new(builder.with_retry(retry).build()?)
        }
        Cloud::Azure => {
            let mut builder = keys(settings)
                .fold(MicrosoftAzureBuilder::new(), |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            if let Some(account) = &place.account {
                builder = builder.with_account(account);
            }
            if let Some((given, connections)) = given {
                builder = builder
                    .with_credentials(Arc::clone(&given.azure))
                    .with_http_connector(connections.clone());
            }
            Arc::new(builder.with_container_name(&place.bucket).with_retry(retry).build()?)
        }
        Cloud::Google => {
            let mut builder = keys(settings)
                .fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            // Its builder first connects to the machine's metadata with other settings, so it must
            // not share connections.
            if let Some((given, _)) = given {
                builder = builder.with_credentials(Arc::clone(&given.google));
            }
            Arc::new(builder.with_bucket_name(&place.bucket).with_retry(retry).build()?)
        }
    })
}

/// Returns the settings that the client knows.
fn keys<K: FromStr>(settings: &Settings) -> impl Iterator<Item = (K, &str)> {
    settings.taken().filter_map(|(name, value)| Some((name.parse().ok()?, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, environment: &[(&str, &str)]) -> (String, String) {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let err = open(&Url::parse(url).unwrap(), environment).unwrap_err();
        (err.to_string(), format!("{:?}", err.hint().unwrap()))
    }

    const KEYS: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "canary-secret")];

    #[test]
    fn other_ways_to_keep_writers_apart_are_refused_by_name_on_s3_and_left_alone_elsewhere() {
        for (name, value) in [
            ("AWS_S3_LOCKING_PROVIDER", "dynamodb"),
            ("DELTA_DYNAMO_TABLE_NAME", "delta_log"),
            ("DYNAMO_LOCK_TABLE_NAME", "delta_lock"),
            ("AWS_CONDITIONAL_PUT", "dynamo:table"),
            ("CONDITIONAL_PUT", "disabled"),
            ("AWS_COPY_IF_NOT_EXISTS", "header: x: *"),
            ("AWS_S3_ALLOW_UNSAFE_RENAME", "true"),
            ("aws_s3_allow_unsafe_rename", "1"),
            ("MOUNT_ALLOW_UNSAFE_RENAME", "true"),
        ] {
            let (message, hint) = refusal("s3://team/lake", &[(name, value)]);
            assert!(message.contains(name) && hint.contains(name), "{name}: {message}; {hint}");
            let azure = [
                (name.to_owned(), value.to_owned()),
                ("AZURE_STORAGE_ACCOUNT_KEY".to_owned(), "QUFB".to_owned()),
            ];
            assert!(
                open(&Url::parse("abfss://plans@team.dfs.core.windows.net/lake").unwrap(), azure)
                    .is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn settings_that_ask_for_nothing_are_no_refusal() {
        for (name, value) in [
            ("AWS_S3_LOCKING_PROVIDER", ""),
            ("AWS_S3_ALLOW_UNSAFE_RENAME", "false"),
            ("AWS_CONDITIONAL_PUT", "etag"),
            ("MOUNT_ALLOW_UNSAFE_RENAME", "0"),
        ] {
            let environment = KEYS
                .into_iter()
                .chain([(name, value)])
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert!(
                open(&Url::parse("s3://team/lake").unwrap(), environment).is_ok(),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn a_root_that_cannot_be_is_refused_with_a_way_out_and_without_its_secrets() {
        for (url, says, hint) in [
            ("s4://team/lake", "s4", "s3://"),
            ("abfs3://team/lake", "abfs3", "abfss://"),
            ("https://team.s3.amazonaws.com/lake", "https", "s3://"),
            ("memory:///", "memory", "s3://"),
            ("s3:///lake", "no bucket", "s3://BUCKET"),
            ("s3:lake", "no bucket", "s3://BUCKET"),
            ("gs:///lake", "no bucket", "gs://BUCKET"),
            ("abfss://plans/lake", "not name an account", "AZURE_STORAGE_ACCOUNT_NAME"),
            ("abfss://plans@team.example.com/lake", "team.example.com", "dfs.core.windows.net"),
            (
                "abfss://plans@team.dfs.core.windows.net/lake?sv=1&sig=canary-sas",
                "query",
                "AZURE_STORAGE_SAS_TOKEN",
            ),
            ("s3://AKIA:canary-secret@team/lake", "user", "AWS_ACCESS_KEY_ID"),
        ] {
            let (message, advice) = refusal(url, &[]);
            assert!(message.contains(says) && advice.contains(hint), "{url}: {message}; {advice}");
            assert!(!format!("{message}{advice}").contains("canary"), "{url}: {message}; {advice}");
        }
    }

    #[test]
    fn a_setting_that_cannot_be_is_named_and_its_value_kept_back() {
        for (environment, says) in [
            (vec![KEYS[0]], "AWS_SECRET_ACCESS_KEY"),
            (vec![KEYS[1]], "AWS_ACCESS_KEY_ID"),
            (
                vec![KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", "http://canary.example")],
                "AWS_ENDPOINT_URL",
            ),
            (
                vec![KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_S3", "localhost:9000")],
                "AWS_ENDPOINT_URL_S3",
            ),
            (vec![KEYS[0], KEYS[1], ("AWS_SKIP_SIGNATURE", "canary")], "AWS_SKIP_SIGNATURE"),
        ] {
            let (message, hint) = refusal("s3://team/lake", &environment);
            assert!(message.contains(says), "{environment:?}: {message}");
            assert!(!format!("{message}{hint}").contains("canary"), "{message}; {hint}");
        }
        let (message, _) = refusal(
            "gs://team/lake",
            &[("GOOGLE_SERVICE_ACCOUNT_KEY", "{\"private_key\": \"canary")],
        );
        assert!(
            message.contains("GOOGLE_SERVICE_ACCOUNT_KEY") && !message.contains("canary"),
            "{message}"
        );
        let account = "abfss://plans@team.dfs.core.windows.net/lake";
        let (message, _) = refusal(account, &[("AZURE_STORAGE_KEY", "canary no base64")]);
        assert!(message.contains("AZURE_STORAGE_KEY") && !message.contains("canary"), "{message}");
    }

    #[test]
    fn what_concerns_another_cloud_or_program_does_not_disturb() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "half of the keys"),
            ("AWS_ENDPOINT_URL", "no address"),
            ("AZURE_STORAGE_USE_EMULATOR", "perhaps"),
            ("TOKEN", "of another program"),
            ("TIMEOUT", "never"),
            ("PROXY_URL", "no address"),
            ("AZURE_STORAGE_KEY", "QUFB"),
        ];
        let of_google =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let account = ("GOOGLE_SKIP_SIGNATURE".to_owned(), "true".to_owned());
        assert!(open(&Url::parse("gs://team/lake").unwrap(), of_google.chain([account])).is_ok());
        let of_s3 = environment
            .iter()
            .skip(2)
            .chain(&KEYS)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        assert!(open(&Url::parse("s3://team/lake").unwrap(), of_s3).is_ok());
    }

    #[test]
    fn one_place_has_one_name() {
        for (message, is) in [
            ("s3://team/lake", "s3://team/lake/"),
            ("s3a://team/lake//", "s3://team/lake/"),
            ("s3://team", "s3://team/"),
            (
                "abfs://plans@team.dfs.core.windows.net/lake",
                "abfss://plans@team.dfs.core.windows.net/lake/",
            ),
            ("az://plans/lake", "abfss://plans@team.dfs.core.windows.net/lake/"),
            ("gs://team/a/b", "gs://team/a/b/"),
        ] {
            let names = [
                ("AZURE_STORAGE_ACCOUNT", "team"),
                ("AZURE_STORAGE_KEY", "QUFB"),
                ("GOOGLE_SKIP_SIGNATURE", "true"),
            ];
            let environment = names
                .iter()
                .chain(&KEYS)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            assert_eq!(
                open(&Url::parse(message).unwrap(), environment).unwrap().url.as_str(),
                is,
                "{message}"
            );
        }
    }
}
