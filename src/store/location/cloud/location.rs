//! Parses storage URLs.

use url::Url;

use super::error::CloudError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    S3,
    Azure,
    Google,
}

/// A bucket or container, and the path of a lake in it.
#[derive(Clone, Debug)]
pub struct BucketLocation {
    pub cloud: Cloud,
    pub bucket: String,
    /// Azure storage account, if the URL names it.
    pub account: Option<String>,
    /// Canonical URL of the location, ending with a slash.
    pub url: Url,
}

/// Forms of storage URLs.
const FORMS: &str =
    "s3://BUCKET/PATH, abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH or gs://BUCKET/PATH";
/// Host suffixes of an account's containers.
const AZURE_HOSTS: [&str; 2] = [".dfs.core.windows.net", ".blob.core.windows.net"];

impl Cloud {
    fn of(scheme: &str) -> Option<Self> {
        Some(match scheme {
            "s3" | "s3a" => Self::S3,
            "abfss" | "abfs" | "az" => Self::Azure,
            "gs" => Self::Google,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "S3",
            Self::Azure => "Azure storage",
            Self::Google => "Google storage",
        }
    }

    /// Returns the cloud's word for a bucket.
    pub fn container(self) -> &'static str {
        match self {
            Self::Azure => "container",
            Self::S3 | Self::Google => "bucket",
        }
    }

    /// Returns the prefix of the cloud's settings.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::S3 => "AWS_",
            Self::Azure => "AZURE_",
            Self::Google => "GOOGLE_",
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::S3 => "s3://BUCKET/PATH",
            Self::Azure => "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH",
            Self::Google => "gs://BUCKET/PATH",
        }
    }

    /// Returns the rights that a lake needs.
    pub fn rights(self) -> &'static str {
        match self {
            Self::S3 => "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject",
            Self::Azure => "the role Storage Blob Data Contributor",
            Self::Google => "the role Storage Object User",
        }
    }

    /// Explains how to set credentials.
    pub fn credentials(self) -> &'static str {
        match self {
            Self::S3 => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN if there \
                 is one; profiles are not read, but aws configure export-credentials --format \
                 env prints one as variables"
            }
            Self::Azure => {
                "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID, \
                 or AZURE_USE_AZURE_CLI=true"
            }
            Self::Google => {
                "set GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT to the file of the account's key"
            }
        }
    }
}

impl BucketLocation {
    pub fn of(url: &Url) -> Result<Self, CloudError> {
        let scheme = url.scheme();
        let cloud = Cloud::of(scheme).ok_or_else(|| {
            CloudError::permanent(
                format!("{scheme}:// is not a supported storage scheme"),
                format!("write a folder, {FORMS}"),
            )
        })?;
        if url.query().is_some() || url.fragment().is_some() {
            let hint = match cloud {
                Cloud::Azure => {
                    "remove everything after the path; put a SAS into AZURE_STORAGE_SAS_TOKEN"
                }
                Cloud::S3 | Cloud::Google => "remove everything after the path",
            };
            return Err(CloudError::permanent(
                "the lake's URL has a query, but only a path may follow the host",
                hint,
            ));
        }
        if url.password().is_some() || (cloud != Cloud::Azure && !url.username().is_empty()) {
            let what =
                "the lake's URL contains a user or a password, and the URL is stored in the lake";
            return Err(CloudError::permanent(what, cloud.credentials()));
        }
        let no_bucket = || {
            let what = format!("{}: the URL names no {}", url.as_str(), cloud.container());
            CloudError::permanent(what, format!("write {}", cloud.form()))
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(no_bucket)?;
        let (bucket, account) = match cloud {
            Cloud::Azure if !url.username().is_empty() => (url.username(), Some(account(host)?)),
            _ => (host, None),
        };
        let mut place = Self { cloud, bucket: bucket.to_owned(), account, url: url.clone() };
        place.url = place.named(url)?;
        Ok(place)
    }

    /// Sets the account from a setting, for a URL that does not name it.
    pub fn in_account(&mut self, account: &str) -> Result<(), CloudError> {
        self.account = Some(account.to_owned());
        self.url = self.named(&self.url)?;
        Ok(())
    }

    /// Returns the canonical URL of the location, for any accepted form.
    fn named(&self, message: &Url) -> Result<Url, CloudError> {
        let host = match (self.cloud, &self.account) {
            (Cloud::S3, _) => format!("s3://{}", self.bucket),
            (Cloud::Google, _) => format!("gs://{}", self.bucket),
            (Cloud::Azure, Some(account)) => {
                format!("abfss://{}@{account}{}", self.bucket, AZURE_HOSTS[0])
            }
            (Cloud::Azure, None) => format!("abfss://{}", self.bucket),
        };
        let path = message.path().trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        Url::parse(&format!("{host}/{path}{slash}")).map_err(|_| self.no_path())
    }

    /// Returns the bucket's name for messages.
    pub fn name(&self) -> String {
        format!("the {} {}", self.cloud.container(), self.bucket)
    }

    pub fn no_path(&self) -> CloudError {
        CloudError::permanent(
            "the path in the lake's URL is not a valid object path",
            format!("write {}", self.cloud.form()),
        )
    }
}

fn account(host: &str) -> Result<String, CloudError> {
    let account = AZURE_HOSTS.iter().find_map(|end| host.strip_suffix(end));
    account.filter(|account| !account.contains('.')).map(str::to_owned).ok_or_else(|| {
        let what = format!("{host} is not the host of an Azure storage account");
        CloudError::permanent(what, format!("write {}", Cloud::Azure.form()))
    })
}
