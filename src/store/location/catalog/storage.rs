//! Opens the object store of a cloud location with credentials that Unity Catalog vends.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::AwsCredential;
use object_store::azure::AzureCredential;
use object_store::gcp::GcpCredential;
use object_store::{CredentialProvider, Error, ObjectStore};
use url::Url;

use crate::databricks::catalog::{CatalogError, Vended, Vending};
use crate::store::error::StoreError;
use crate::store::location::cloud::{self, VendedCredentials};

/// Builds stores for a location, one per credential.
pub struct StoreBuilder {
    url: Url,
    way: cloud::StoreBuilder,
}

impl StoreBuilder {
    /// `variables` hold the connection settings.
    pub async fn find(url: &Url, variables: &[(String, String)]) -> Result<Self, StoreError> {
        Ok(Self {
            url: url.clone(),
            way: cloud::StoreBuilder::find(url, variables.iter().cloned()).await?,
        })
    }

    /// Opens the store rooted at the location, with credentials from `vending`.
    pub fn open(&self, vending: Vending) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let vending = Arc::new(vending);
        let place = || CatalogStorage { url: self.url.to_string(), vending: Arc::clone(&vending) };
        let given = VendedCredentials {
            s3: Arc::new(S3Credentials(place())),
            azure: Arc::new(AzureCredentials(place())),
            google: Arc::new(GoogleCredentials(place())),
        };
        Ok(self.way.open(&given)?.store)
    }
}

/// Credentials of a location for an S3 store.
#[derive(Debug)]
struct S3Credentials(CatalogStorage);

/// Credentials of a location for an Azure store.
#[derive(Debug)]
struct AzureCredentials(CatalogStorage);

/// Credentials of a location for a Google store.
#[derive(Debug)]
struct GoogleCredentials(CatalogStorage);

#[derive(Debug)]
struct CatalogStorage {
    url: String,
    vending: Arc<Vending>,
}

impl CatalogStorage {
    async fn credential<T>(
        &self,
        cloud: &'static str,
        read: impl Fn(&Vended) -> Option<T>,
    ) -> Result<Arc<T>, Error> {
        let err = |cause: CatalogError| Error::Generic { store: cloud, source: cause.into() };
        let vended = self.vending.credential().await.map_err(err)?;
        read(&vended)
            .map(Arc::new)
            .ok_or_else(|| err(CatalogError::NoCredential { url: self.url.clone() }))
    }
}

#[async_trait]
impl CredentialProvider for S3Credentials {
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
impl CredentialProvider for AzureCredentials {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> Result<Arc<AzureCredential>, Error> {
        let read = |vended: &Vended| {
            vended
                .azure
                .as_ref()
                .map(|azure| AzureCredential::SASToken(pairs(azure.sas_token.expose())))
        };
        self.0.credential("MicrosoftAzure", read).await
    }
}

#[async_trait]
impl CredentialProvider for GoogleCredentials {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> Result<Arc<GcpCredential>, Error> {
        let read = |vended: &Vended| {
            vended
                .gcp
                .as_ref()
                .map(|gcp| GcpCredential { bearer: gcp.oauth_token.expose().to_owned() })
        };
        self.0.credential("GCS", read).await
    }
}

/// Parses the names and values of a shared access signature. It uses URL encoding, in which a plus
/// is a plus.
fn pairs(sas: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(sas.trim_start_matches('?').replace('+', "%2B").as_bytes())
        .into_owned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_taken_apart_as_it_was_put_together() {
        let expected = [("sv", "2024-11-04"), ("sig", "a+b/c="), ("sp", "rw")];
        let owned: Vec<_> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(pairs("?sv=2024-11-04&sig=a%2Bb%2Fc%3D&sp=rw"), owned);
        assert_eq!(pairs("sv=2024-11-04&sig=a+b/c%3D&sp=rw"), owned);
    }
}
