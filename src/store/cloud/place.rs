//! What a storage URL names.

use url::Url;

use super::fault::CloudFault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    S3,
    Azure,
    Google,
}

/// A bucket, or container, and the path of a lake in it.
#[derive(Clone, Debug)]
pub struct Place {
    pub cloud: Cloud,
    pub bucket: String,
    /// Azure's storage account, where the URL names it.
    pub account: Option<String>,
    /// The one name of the place, ending with a slash.
    pub url: Url,
}

/// The forms of storage URLs.
const FORMS: &str =
    "s3://BUCKET/PATH, abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH or gs://BUCKET/PATH";
/// Where an account's containers answer.
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

    /// What holds objects there.
    pub fn container(self) -> &'static str {
        match self {
            Self::Azure => "container",
            Self::S3 | Self::Google => "bucket",
        }
    }

    /// How its settings begin.
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

    /// What a lake needs to be allowed there.
    pub fn rights(self) -> &'static str {
        match self {
            Self::S3 => "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject",
            Self::Azure => "the role Storage Blob Data Contributor",
            Self::Google => "the role Storage Object User",
        }
    }

    /// How to give it credentials.
    pub fn credentials(self) -> &'static str {
        match self {
            Self::S3 => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN where there is one; profiles are not read, \
                 but aws configure export-credentials --format env prints one as variables"
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

impl Place {
    pub fn of(url: &Url) -> Result<Self, CloudFault> {
        let scheme = url.scheme();
        let cloud = Cloud::of(scheme).ok_or_else(|| {
            CloudFault::lasting(
                format!("{scheme}:// is no storage that lakeplan knows"),
                format!("write a folder, {FORMS}"),
            )
        })?;
        if url.query().is_some() || url.fragment().is_some() {
            let hint = match cloud {
                Cloud::Azure => {
                    "leave out what follows the path; a SAS goes into AZURE_STORAGE_SAS_TOKEN"
                }
                Cloud::S3 | Cloud::Google => "leave out what follows the path",
            };
            return Err(CloudFault::lasting(
                "the lake's URL has a query, and only a path may follow the host",
                hint,
            ));
        }
        if url.password().is_some() || (cloud != Cloud::Azure && !url.username().is_empty()) {
            let what = "the lake's URL names a user or a password, and it is written into the lake";
            return Err(CloudFault::lasting(what, cloud.credentials()));
        }
        let no_bucket = || {
            let what = format!("{}: the URL names no {}", url.as_str(), cloud.container());
            CloudFault::lasting(what, format!("write {}", cloud.form()))
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

    /// The same where a setting names the account that the URL does not.
    pub fn in_account(&mut self, account: &str) -> Result<(), CloudFault> {
        self.account = Some(account.to_owned());
        self.url = self.named(&self.url)?;
        Ok(())
    }

    /// The one name of the place, whatever of its names was said.
    fn named(&self, said: &Url) -> Result<Url, CloudFault> {
        let host = match (self.cloud, &self.account) {
            (Cloud::S3, _) => format!("s3://{}", self.bucket),
            (Cloud::Google, _) => format!("gs://{}", self.bucket),
            (Cloud::Azure, Some(account)) => {
                format!("abfss://{}@{account}{}", self.bucket, AZURE_HOSTS[0])
            }
            (Cloud::Azure, None) => format!("abfss://{}", self.bucket),
        };
        let path = said.path().trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        Url::parse(&format!("{host}/{path}{slash}")).map_err(|_| self.no_path())
    }

    /// How messages name the bucket.
    pub fn name(&self) -> String {
        format!("the {} {}", self.cloud.container(), self.bucket)
    }

    pub fn no_path(&self) -> CloudFault {
        CloudFault::lasting(
            "the lake's URL has a path that no object can have",
            format!("write {}", self.cloud.form()),
        )
    }
}

fn account(host: &str) -> Result<String, CloudFault> {
    let account = AZURE_HOSTS.iter().find_map(|end| host.strip_suffix(end));
    account.filter(|account| !account.contains('.')).map(str::to_owned).ok_or_else(|| {
        let what = format!("{host} is no host of an Azure storage account");
        CloudFault::lasting(what, format!("write {}", Cloud::Azure.form()))
    })
}
