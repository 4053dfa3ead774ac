//! Lakes in Unity Catalog: `catalog.schema` names the location of that schema's table `journal`,
//! without its last folder.
//!
//! Each table is accessed with a credential that the catalog vends for it and that is renewed
//! before it expires; [`per_table_store`] combines them into one root. A caller without write
//! access gets a read-only lake. The table `inbox` may be elsewhere, and is then read there. A lake
//! to be created has one credential for its location.

mod api;
mod credentials;
mod error;
pub mod features;
mod inbox;
mod name;
mod per_table_store;
mod preflight;
mod privileges;
mod readonly;
mod storage;
pub mod volume;

use std::fmt;
use std::sync::Arc;

use url::Url;

pub use api::Vended;
pub use credentials::{CredentialSource, Vending};
pub use error::CatalogError;
pub use inbox::InboxRoot;
pub use name::{NoSchemaName, SchemaName, literal, quoted};
pub use preflight::{Check, State};

use super::error::StoreError;
use super::location::LakeLocation;
use crate::net::Workspace;
use crate::runtime::Clock;
use api::{Access, TableInfo};
use credentials::PathCredentials;
use per_table_store::PerTableStore;
use privileges::{Asked, Privilege};
use storage::StoreBuilder;

/// Table whose location determines the lake's.
pub const JOURNAL: &str = "journal";

/// Unity Catalog, as seen from one workspace.
#[derive(Clone)]
pub struct Catalog {
    workspace: Arc<Workspace>,
    clock: Arc<dyn Clock>,
    variables: Arc<[(String, String)]>,
}

impl Catalog {
    /// `variables` hold cloud settings other than credentials, for example a region.
    pub fn new(
        workspace: Arc<Workspace>,
        clock: Arc<dyn Clock>,
        variables: Vec<(String, String)>,
    ) -> Self {
        Self { workspace, clock, variables: variables.into() }
    }

    /// Opens the root of the lake in a schema.
    pub async fn root(&self, name: &SchemaName) -> Result<LakeLocation, StoreError> {
        let Some(journal) = self.table(name, JOURNAL).await? else {
            self.check_exists(name).await?;
            return Err(CatalogError::NotRegistered { schema: name.to_string() }.into());
        };
        self.rooted(name, &journal).await
    }

    /// Opens the location for a lake that will be created in a schema and registered afterwards.
    pub async fn place_for(
        &self,
        name: &SchemaName,
        location: &str,
    ) -> Result<LakeLocation, StoreError> {
        if let Some(journal) = self.table(name, JOURNAL).await? {
            let (schema, location) = (name.to_string(), journal.storage_location);
            return Err(CatalogError::AlreadyRegistered { schema, location }.into());
        }
        self.check_exists(name).await?;
        let location = location.trim_end_matches('/');
        let elsewhere = || CatalogError::Elsewhere { url: location.to_owned() };
        let url = Url::parse(location)
            .ok()
            .filter(|url| !url.cannot_be_a_base())
            .ok_or_else(elsewhere)?;
        if url.scheme() == "file" {
            return LakeLocation::open(url.as_str(), true);
        }
        let (workspace, path) = (Arc::clone(&self.workspace), url.to_string());
        let credentials = PathCredentials { workspace, url: path, access: Access::Write };
        match Vending::create(Arc::new(credentials), Arc::clone(&self.clock)).await {
            Ok(vending) => {
                let store = StoreBuilder::find(&url, &self.variables).await?.open(vending)?;
                Ok(LakeLocation { url, store })
            }
            Err(err) => {
                let needs =
                    [Privilege::ExternalUseLocation, Privilege::ReadFiles, Privilege::WriteFiles];
                Err(self
                    .explain(err, "write the lake's place", Some(name), Some(url.as_str()), &needs)
                    .await
                    .into())
            }
        }
    }

    /// Returns a table of a schema, if it exists and is visible.
    async fn table(
        &self,
        name: &SchemaName,
        table: &str,
    ) -> Result<Option<TableInfo>, CatalogError> {
        let needs = [Privilege::UseCatalog, Privilege::UseSchema, Privilege::Select];
        match api::table(&self.workspace, &name.of(table)).await {
            Err(err) => Err(self.explain(err, "see the table", Some(name), None, &needs).await),
            found => found,
        }
    }

    /// Fails if the catalog or the schema does not exist.
    async fn check_exists(&self, name: &SchemaName) -> Result<(), CatalogError> {
        if !api::has_catalog(&self.workspace, &name.catalog).await? {
            return Err(CatalogError::NoCatalog {
                catalog: name.catalog.clone(),
                principal: self.principal().await,
            });
        }
        if !api::has_schema(&self.workspace, &name.to_string()).await? {
            return Err(CatalogError::NoSchema {
                schema: name.to_string(),
                principal: self.principal().await,
            });
        }
        Ok(())
    }

    /// Opens the root of the lake with this journal.
    async fn rooted(
        &self,
        name: &SchemaName,
        journal: &TableInfo,
    ) -> Result<LakeLocation, StoreError> {
        let root = place(name, journal)?;
        if root.starts_with("file:") {
            // A catalog of one machine; its files need no credential.
            return LakeLocation::open(&root, false);
        }
        PerTableStore::open(self, name, root, journal).await
    }

    /// Explains an error, with the statement that fixes it if a privilege is missing.
    async fn explain(
        &self,
        err: CatalogError,
        what: &str,
        schema: Option<&SchemaName>,
        url: Option<&str>,
        needs: &[Privilege],
    ) -> CatalogError {
        if !err.is_refusal() {
            return err;
        }
        let location = match url {
            Some(url) => api::location_of(&self.workspace, url).await.ok().flatten(),
            None => None,
        };
        let location = location.as_ref().map(|location| location.name.as_str());
        privileges::explain(err, &Asked { what, schema, location, needs }, &self.principal().await)
    }

    /// Returns the caller's principal name, as used in grants.
    async fn principal(&self) -> String {
        // The name only completes a message about something else.
        api::me(&self.workspace).await.unwrap_or_else(|_| "<who runs this>".to_owned())
    }
}

/// Returns the lake's location, from its journal's.
fn place(name: &SchemaName, journal: &TableInfo) -> Result<String, CatalogError> {
    let table = name.of(JOURNAL);
    if journal.table_type != "EXTERNAL" || journal.data_source_format != "DELTA" {
        let kind = match journal.table_type.as_str() {
            "EXTERNAL" => journal.data_source_format.to_lowercase(),
            kind => kind.to_lowercase().replace('_', " "),
        };
        return Err(CatalogError::NotExternal { table, kind });
    }
    let features = features::of_properties(&journal.properties);
    if !features.is_empty() {
        return Err(CatalogError::Features { table, features: features.join(", ") });
    }
    let location = journal.storage_location.trim_end_matches('/');
    match location.strip_suffix(JOURNAL).and_then(|root| root.strip_suffix('/')) {
        Some(root) => Ok(root.to_owned()),
        None => Err(CatalogError::Misplaced { table, location: location.to_owned() }),
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

fn same_place(a: &str, b: &str) -> bool {
    api::lies_in(a, b) && api::lies_in(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(kind: &str, location: &str) -> TableInfo {
        TableInfo {
            table_type: kind.to_owned(),
            data_source_format: "DELTA".to_owned(),
            storage_location: location.to_owned(),
            ..TableInfo::default()
        }
    }

    #[test]
    fn the_lakes_place_is_that_of_its_journal_without_the_folder() {
        let name = "main.plan".parse().unwrap();
        let of = |kind: &str, location: &str| place(&name, &journal(kind, location));
        assert_eq!(of("EXTERNAL", "s3://b/lake/journal").unwrap(), "s3://b/lake");
        assert_eq!(
            of("EXTERNAL", "abfss://c@a.dfs.core.windows.net/lake/journal/").unwrap(),
            "abfss://c@a.dfs.core.windows.net/lake"
        );
        assert!(
            matches!(of("MANAGED", "s3://b/x"), Err(CatalogError::NotExternal { kind, .. }) if kind == "managed")
        );
        assert!(matches!(
            of("EXTERNAL", "s3://b/lake/myjournal"),
            Err(CatalogError::Misplaced { .. })
        ));
    }
}
