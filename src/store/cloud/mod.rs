//! A lake in a cloud: S3, Azure or Google storage, by conditional puts alone.
//!
//! A storage URL names the place, the environment says how to reach it: `AWS_*`, `AZURE_*` and `GOOGLE_*`, each for URLs
//! of its own cloud only. Where Unity Catalog gives the credentials, the environment says the way and nothing else. Settings of other ways to keep writers apart are refused, because two ways on one lake keep no one
//! apart.
//!
//! What the storage's client does by itself: it repeats a request that was refused for now (500, 503, 429) or not sent, for
//! ten seconds, and gives an answer half a minute to come whole. A repeated create may meet what its own first try put there,
//! which [`told::ToldStore`] tells from a name that another has taken.

mod fault;
mod place;
mod settings;
mod told;

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

pub use fault::CloudFault;
use place::{Cloud, Place};
use settings::Settings;
use told::ToldStore;

use super::error::StoreError;
use super::root::Root;

/// How long the client repeats a request: well below the commit's own deadline, so that a commit gets to try more than once.
const RETRY: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The root at a storage URL. Nothing is asked of the storage yet.
pub fn open(
    url: &Url,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Root, StoreError> {
    let place = Place::of(url)?;
    let settings = Settings::of(&place, environment)?;
    rooted(place, &settings, None)
}

/// Credentials that are given, and kept fresh, by another than the environment, as the client of each cloud takes them.
#[derive(Clone, Debug)]
pub struct Given {
    pub s3: AwsCredentialProvider,
    pub azure: AzureCredentialProvider,
    pub google: GcpCredentialProvider,
}

/// The way to a storage URL for credentials that are given. The stores of one way share their connections.
pub struct Way {
    place: Place,
    settings: Settings,
    connections: Connections,
}

impl Way {
    /// Of the storage only a bucket's region is asked, where neither a region nor an endpoint is set.
    pub async fn find(
        url: &Url,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StoreError> {
        let place = Place::of(url)?;
        let mut settings = Settings::of_way(&place, environment)?;
        if place.cloud == Cloud::S3 && !settings.say_region() {
            let region = resolve_bucket_region(&place.bucket, &ClientOptions::new()).await;
            settings.set_region(region.map_err(|fault| CloudFault::no_region(&place, &fault))?);
        }
        Ok(Self { place, settings, connections: Connections::default() })
    }

    /// The root at the URL, with these credentials.
    pub fn open(&self, given: &Given) -> Result<Root, StoreError> {
        rooted(self.place.clone(), &self.settings, Some((given, &self.connections)))
    }
}

/// The connections to a place, opened once for all the stores that are reached by the same settings.
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

/// Every root in a cloud is made here.
fn rooted(
    mut place: Place,
    settings: &Settings,
    given: Option<(&Given, &Connections)>,
) -> Result<Root, StoreError> {
    if place.cloud == Cloud::Azure && place.account.is_none() {
        place.in_account(settings.account()?)?;
    }
    let store = connect(&place, settings, given).map_err(|fault| settings.misfit(&fault))?;
    let told = ToldStore::new(store, place.clone(), settings.source());
    let path = Path::from_url_path(place.url.path()).map_err(|_| place.no_path())?;
    Ok(Root { url: place.url, store: Arc::new(PrefixStore::new(told, path)) })
}

fn connect(
    place: &Place,
    settings: &Settings,
    given: Option<(&Given, &Connections)>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig {
        backoff: BackoffConfig { max_backoff: LONGEST_WAIT, ..BackoffConfig::default() },
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
            // Its builder connects to the machine's metadata first, by other settings, so that it shares no connections.
            if let Some((given, _)) = given {
                builder = builder.with_credentials(Arc::clone(&given.google));
            }
            Arc::new(builder.with_bucket_name(&place.bucket).with_retry(retry).build()?)
        }
    })
}

/// The settings that the client knows.
fn keys<K: FromStr>(settings: &Settings) -> impl Iterator<Item = (K, &str)> {
    settings.taken().filter_map(|(name, value)| Some((name.parse().ok()?, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, environment: &[(&str, &str)]) -> (String, String) {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fault = open(&Url::parse(url).unwrap(), environment).unwrap_err();
        (fault.to_string(), fault.hint().unwrap())
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
            let (said, hint) = refusal("s3://team/lake", &[(name, value)]);
            assert!(said.contains(name) && hint.contains(name), "{name}: {said}; {hint}");
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
            ("abfss://plans/lake", "no account", "AZURE_STORAGE_ACCOUNT_NAME"),
            ("abfss://plans@team.example.com/lake", "team.example.com", "dfs.core.windows.net"),
            (
                "abfss://plans@team.dfs.core.windows.net/lake?sv=1&sig=canary-sas",
                "query",
                "AZURE_STORAGE_SAS_TOKEN",
            ),
            ("s3://AKIA:canary-secret@team/lake", "user", "AWS_ACCESS_KEY_ID"),
        ] {
            let (said, way_out) = refusal(url, &[]);
            assert!(said.contains(says) && way_out.contains(hint), "{url}: {said}; {way_out}");
            assert!(!format!("{said}{way_out}").contains("canary"), "{url}: {said}; {way_out}");
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
            let (said, hint) = refusal("s3://team/lake", &environment);
            assert!(said.contains(says), "{environment:?}: {said}");
            assert!(!format!("{said}{hint}").contains("canary"), "{said}; {hint}");
        }
        let (said, _) = refusal(
            "gs://team/lake",
            &[("GOOGLE_SERVICE_ACCOUNT_KEY", "{\"private_key\": \"canary")],
        );
        assert!(said.contains("GOOGLE_SERVICE_ACCOUNT_KEY") && !said.contains("canary"), "{said}");
        let account = "abfss://plans@team.dfs.core.windows.net/lake";
        let (said, _) = refusal(account, &[("AZURE_STORAGE_KEY", "canary no base64")]);
        assert!(said.contains("AZURE_STORAGE_KEY") && !said.contains("canary"), "{said}");
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
        for (said, is) in [
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
                open(&Url::parse(said).unwrap(), environment).unwrap().url.as_str(),
                is,
                "{said}"
            );
        }
    }
}
