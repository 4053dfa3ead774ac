//! The used part of the Unity Catalog API: one function per request, with typed responses.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::CatalogError;
use crate::databricks::{Workspace, WorkspaceError};
use crate::domain::secret::Secret;
use crate::net::Request;

const TABLES: &str = "api/2.1/unity-catalog/tables";
const CATALOGS: &str = "api/2.1/unity-catalog/catalogs";
const SCHEMAS: &str = "api/2.1/unity-catalog/schemas";
const LOCATIONS: &str = "api/2.1/unity-catalog/external-locations";
const SUMMARY: &str = "api/2.1/unity-catalog/metastore_summary";
const FOR_PATH: &str = "api/2.1/unity-catalog/temporary-path-credentials";
const FOR_TABLE: &str = "api/2.1/unity-catalog/temporary-table-credentials";
const PERMISSIONS: &str = "api/2.1/unity-catalog/permissions";
const ME: &str = "api/2.0/preview/scim/v2/Me";

/// A table as recorded in the catalog.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TableInfo {
    pub name: String,
    pub table_id: String,
    pub table_type: String,
    pub data_source_format: String,
    pub storage_location: String,
    pub properties: BTreeMap<String, String>,
}

/// A credential with an expiry time, for the cloud of its location.
#[derive(Clone, Debug, Deserialize)]
pub struct Vended {
    #[serde(rename = "aws_temp_credentials")]
    pub aws: Option<Aws>,
    #[serde(rename = "azure_user_delegation_sas")]
    pub azure: Option<Azure>,
    #[serde(rename = "gcp_oauth_token")]
    pub gcp: Option<Gcp>,
    /// Expiry time, in milliseconds since 1970.
    #[serde(rename = "expiration_time")]
    pub ends_at: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Aws {
    pub access_key_id: Hidden,
    pub secret_access_key: Hidden,
    pub session_token: Hidden,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Azure {
    pub sas_token: Hidden,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Gcp {
    pub oauth_token: Hidden,
}

/// A secret in a response.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct Hidden(Secret);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl Hidden {
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// Purpose of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// An external location: its name and its URL prefix.
#[derive(Clone, Debug, Deserialize)]
pub struct Location {
    pub name: String,
    pub url: String,
}

pub async fn table(
    workspace: &Workspace,
    full_name: &str,
) -> Result<Option<TableInfo>, CatalogError> {
    found(workspace, Request::get(TABLES).part(full_name)).await
}

pub async fn has_catalog(workspace: &Workspace, name: &str) -> Result<bool, CatalogError> {
    found::<Value>(workspace, Request::get(CATALOGS).part(name)).await.map(|found| found.is_some())
}

pub async fn has_schema(workspace: &Workspace, full_name: &str) -> Result<bool, CatalogError> {
    found::<Value>(workspace, Request::get(SCHEMAS).part(full_name))
        .await
        .map(|found| found.is_some())
}

/// Requests a credential for a location outside any table. If the location cannot be written as it
/// is but tables may be created there, that is enough; if both requests are denied, the first
/// denial is returned.
pub async fn for_path(
    workspace: &Workspace,
    url: &str,
    access: Access,
) -> Result<Vended, CatalogError> {
    let send = async |operation: &str| {
        let body = json!({"url": url, "operation": operation});
        read(workspace, Request::post(FOR_PATH, body).repeatable()).await
    };
    match access {
        Access::Read => send("PATH_READ").await,
        Access::Write => match send("PATH_READ_WRITE").await {
            Err(err) if err.is_refusal() => send("PATH_CREATE_TABLE").await.map_err(|_| err),
            answer => answer,
        },
    }
}

pub async fn for_table(
    workspace: &Workspace,
    table_id: &str,
    access: Access,
) -> Result<Vended, CatalogError> {
    let operation = match access {
        Access::Read => "READ",
        Access::Write => "READ_WRITE",
    };
    let body = json!({"table_id": table_id, "operation": operation});
    read(workspace, Request::post(FOR_TABLE, body).repeatable()).await
}

/// Returns whether the metastore vends credentials to external clients; `None` if it does not say.
pub async fn external_access(workspace: &Workspace) -> Result<Option<bool>, CatalogError> {
    Ok(workspace.send(&Request::get(SUMMARY)).await?["external_access_enabled"].as_bool())
}

/// Returns the principal name of the caller, as used in grants.
pub async fn me(workspace: &Workspace) -> Result<String, CatalogError> {
    let answer = workspace.send(&Request::get(ME)).await?;
    let missing = || CatalogError::Unreadable {
        host: workspace.host().to_owned(),
        what: "a user without a name".to_owned(),
    };
    answer["userName"].as_str().map(str::to_owned).ok_or_else(missing)
}

/// Returns whether anyone holds a grant on an object.
pub async fn has_grant(
    workspace: &Workspace,
    kind: &str,
    full_name: &str,
    privilege: &str,
) -> Result<bool, CatalogError> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        privilege_assignments: Vec<Assignment>,
    }
    #[derive(Deserialize)]
    struct Assignment {
        #[serde(default)]
        privileges: Vec<String>,
    }
    let list: List = read(workspace, Request::get(PERMISSIONS).part(kind).part(full_name)).await?;
    let is_it = |given: &String| {
        let given = given.replace('_', " ");
        given == privilege || given == "ALL PRIVILEGES"
    };
    Ok(list.privilege_assignments.iter().any(|assignment| assignment.privileges.iter().any(is_it)))
}

/// Returns the visible external location that contains a location.
pub async fn location_of(
    workspace: &Workspace,
    url: &str,
) -> Result<Option<Location>, CatalogError> {
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        external_locations: Vec<Location>,
        next_page_token: Option<String>,
    }
    let mut nearest: Option<Location> = None;
    let mut token: Option<String> = None;
    loop {
        let request = Request::get(LOCATIONS);
        let request = match &token {
            Some(token) => request.query("page_token", token),
            None => request,
        };
        let page: Page = read(workspace, request).await?;
        for location in page.external_locations {
            let is_nearer =
                nearest.as_ref().is_none_or(|other| other.url.len() < location.url.len());
            if lies_in(url, &location.url) && is_nearer {
                nearest = Some(location);
            }
        }
        match page.next_page_token.filter(|next| !next.is_empty() && token.as_ref() != Some(next)) {
            Some(next) => token = Some(next),
            None => return Ok(nearest),
        }
    }
}

/// Returns whether a location equals `folder` or is below it.
pub fn lies_in(url: &str, folder: &str) -> bool {
    // A catalog may return a location as it was entered, while a URL has it encoded.
    let plain = |url: &str| {
        url::Url::parse(url)
            .map_or_else(|_| url.to_owned(), String::from)
            .trim_end_matches('/')
            .to_owned()
    };
    plain(url)
        .strip_prefix(&plain(folder))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns whether two locations are the same.
pub fn same_place(a: &str, b: &str) -> bool {
    lies_in(a, b) && lies_in(b, a)
}

async fn found<T: DeserializeOwned>(
    workspace: &Workspace,
    request: Request,
) -> Result<Option<T>, CatalogError> {
    match read(workspace, request).await {
        Err(CatalogError::Workspace(err))
            if matches!(err.as_ref(), WorkspaceError::NotFound { .. }) =>
        {
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

async fn read<T: DeserializeOwned>(
    workspace: &Workspace,
    request: Request,
) -> Result<T, CatalogError> {
    let answer = workspace.send(&request).await?;
    // A parse error could quote a piece of the response, which may be a credential.
    let unreadable = |_| CatalogError::Unreadable {
        host: workspace.host().to_owned(),
        what: "a field is missing or of another kind".to_owned(),
    };
    serde_json::from_value(answer).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_lies_in_its_folder_and_not_in_one_whose_name_begins_alike() {
        assert!(
            lies_in("s3://b/lake/inbox", "s3://b/lake") && lies_in("s3://b/lake", "s3://b/lake/")
        );
        assert!(lies_in("s3://b/my plans/inbox", "s3://b/my%20plans/"));
        assert!(!lies_in("s3://b/lake2", "s3://b/lake") && !lies_in("s3://b", "s3://b/lake"));
    }

    #[test]
    fn a_credential_is_not_in_what_prints_it() {
        let json = json!({"aws_temp_credentials": {"access_key_id": "canary", "secret_access_key": "canary", "session_token": "canary"}, "expiration_time": 1});
        let vended: Vended = serde_json::from_value(json).unwrap();
        assert!(!format!("{vended:?}").contains("canary"));
    }
}
