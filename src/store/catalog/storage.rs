//! The object store of a place in a cloud, opened with credentials that Unity Catalog vends.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, resolve_bucket_region};
use object_store::azure::{AzureConfigKey, AzureCredential, MicrosoftAzureBuilder};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, CredentialProvider, Error, ObjectStore, ObjectStoreScheme};
use url::Url;

use super::api::Vended;
use super::error::CatalogError;
use super::vending::Vending;
use crate::store::error::StoreError;

/// What the environment may say of a cloud beside credentials, which Unity Catalog gives.
const S3_OPTIONS: &[&str] = &[
    "aws_region",
    "aws_default_region",
    "aws_endpoint_url",
    "aws_endpoint",
    "aws_endpoint_url_s3",
    "aws_allow_http",
    "aws_virtual_hosted_style_request",
];
const AZURE_OPTIONS: &[&str] = &["azure_storage_endpoint", "azure_endpoint", "azure_storage_use_emulator", "azure_allow_http"];
const GOOGLE_OPTIONS: &[&str] = &["google_base_url"];

/// The store rooted at a place, its credentials from `vending`.
pub async fn open(url: &Url, vending: Arc<Vending>, variables: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let unusable = |fault: Error| StoreError::UnusableRoot { root: url.to_string(), why: fault.to_string() };
    let elsewhere = || CatalogError::Elsewhere { url: url.to_string() };
    let (scheme, path) = ObjectStoreScheme::parse(url).map_err(|_| elsewhere())?;
    let place = Place { url: url.to_string(), vending };
    let said = |names: &[&str]| -> Vec<(String, String)> {
        let lower = variables.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        lower.filter(|(name, _)| names.contains(&name.as_str())).collect()
    };
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let mut builder = AmazonS3Builder::new().with_url(url.as_str());
            let said = said(S3_OPTIONS);
            if let (false, Some(bucket)) = (said.iter().any(|(name, _)| is_of_region(name)), url.host_str()) {
                let region = resolve_bucket_region(bucket, &ClientOptions::new()).await.map_err(unusable)?;
                builder = builder.with_region(region);
            }
            for (name, value) in said {
                builder = builder.with_config(name.parse::<AmazonS3ConfigKey>().map_err(unusable)?, value);
            }
            Arc::new(builder.with_credentials(Arc::new(ForS3(place))).build().map_err(unusable)?)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let mut builder = MicrosoftAzureBuilder::new().with_url(url.as_str());
            for (name, value) in said(AZURE_OPTIONS) {
                builder = builder.with_config(name.parse::<AzureConfigKey>().map_err(unusable)?, value);
            }
            Arc::new(builder.with_credentials(Arc::new(ForAzure(place))).build().map_err(unusable)?)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let mut builder = GoogleCloudStorageBuilder::new().with_url(url.as_str());
            for (name, value) in said(GOOGLE_OPTIONS) {
                builder = builder.with_config(name.parse::<GoogleConfigKey>().map_err(unusable)?, value);
            }
            Arc::new(builder.with_credentials(Arc::new(ForGoogle(place))).build().map_err(unusable)?)
        }
        _ => return Err(elsewhere().into()),
    };
    Ok(Arc::new(PrefixStore::new(store, path)))
}

/// Whether the region is known, or of no account where an endpoint of one's own is named.
fn is_of_region(name: &str) -> bool {
    name.ends_with("region") || name.contains("endpoint")
}

/// The credential of a place as an S3 store takes it.
#[derive(Debug)]
struct ForS3(Place);

/// As an Azure store takes it.
#[derive(Debug)]
struct ForAzure(Place);

/// As a Google store takes it.
#[derive(Debug)]
struct ForGoogle(Place);

#[derive(Debug)]
struct Place {
    url: String,
    vending: Arc<Vending>,
}

impl Place {
    async fn credential<T>(&self, cloud: &'static str, read: impl Fn(&Vended) -> Option<T>) -> Result<Arc<T>, Error> {
        let fault = |cause: CatalogError| Error::Generic { store: cloud, source: cause.into() };
        let vended = self.vending.credential().await.map_err(fault)?;
        read(&vended).map(Arc::new).ok_or_else(|| fault(CatalogError::NoCredential { url: self.url.clone() }))
    }
}

#[async_trait]
impl CredentialProvider for ForS3 {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>, Error> {
        let read = |vended: &Vended| {
            vended.aws.as_ref().map(|aws| AwsCredential {
                key_id: aws.access_key_id.expose().to_owned(),
                secret_key: aws.secret_access_key.expose().to_owned(),
                token: Some(aws.session_token.expose().to_owned()),
            })
        };
        self.0.credential("S3", read).await
    }
}

#[async_trait]
impl CredentialProvider for ForAzure {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> Result<Arc<AzureCredential>, Error> {
        let read =
            |vended: &Vended| vended.azure.as_ref().map(|azure| AzureCredential::SASToken(pairs(azure.sas_token.expose())));
        self.0.credential("MicrosoftAzure", read).await
    }
}

#[async_trait]
impl CredentialProvider for ForGoogle {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> Result<Arc<GcpCredential>, Error> {
        let read = |vended: &Vended| vended.gcp.as_ref().map(|gcp| GcpCredential { bearer: gcp.oauth_token.expose().to_owned() });
        self.0.credential("GCS", read).await
    }
}

/// The names and values of a shared access signature. It is encoded as a URL is, where a plus is a plus.
fn pairs(sas: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(sas.trim_start_matches('?').replace('+', "%2B").as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_taken_apart_as_it_was_put_together() {
        let expected = [("sv", "2024-11-04"), ("sig", "a+b/c="), ("sp", "rw")];
        let owned: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(pairs("?sv=2024-11-04&sig=a%2Bb%2Fc%3D&sp=rw"), owned);
        assert_eq!(pairs("sv=2024-11-04&sig=a+b/c%3D&sp=rw"), owned);
    }
}
