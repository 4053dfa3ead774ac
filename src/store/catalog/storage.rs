//! The object store of a place in a cloud, opened with credentials that Unity Catalog vends.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::AwsCredential;
use object_store::azure::AzureCredential;
use object_store::gcp::GcpCredential;
use object_store::{CredentialProvider, Error, ObjectStore};
use url::Url;

use super::api::Vended;
use super::error::CatalogError;
use super::vending::Vending;
use crate::store::cloud::{self, Given};
use crate::store::error::StoreError;

/// The way to a place, from which a store is opened for each credential.
pub struct Way {
    url: Url,
    way: cloud::Way,
}

impl Way {
    /// `variables` say the way.
    pub async fn find(url: &Url, variables: &[(String, String)]) -> Result<Self, StoreError> {
        Ok(Self { url: url.clone(), way: cloud::Way::find(url, variables.iter().cloned()).await? })
    }

    /// The store rooted at the place, its credentials from `vending`.
    pub fn open(&self, vending: Vending) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let vending = Arc::new(vending);
        let place = || Place { url: self.url.to_string(), vending: Arc::clone(&vending) };
        let given = Given {
            s3: Arc::new(ForS3(place())),
            azure: Arc::new(ForAzure(place())),
            google: Arc::new(ForGoogle(place())),
        };
        Ok(self.way.open(&given)?.store)
    }
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
    async fn credential<T>(
        &self,
        cloud: &'static str,
        read: impl Fn(&Vended) -> Option<T>,
    ) -> Result<Arc<T>, Error> {
        let fault = |cause: CatalogError| Error::Generic { store: cloud, source: cause.into() };
        let vended = self.vending.credential().await.map_err(fault)?;
        read(&vended)
            .map(Arc::new)
            .ok_or_else(|| fault(CatalogError::NoCredential { url: self.url.clone() }))
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
impl CredentialProvider for ForGoogle {
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

/// The names and values of a shared access signature. It is encoded as a URL is, where a plus is a plus.
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
