//! Lakes in Unity Catalog: `catalog.schema` is the place of that schema's table `journal`, without its last folder.
//!
//! Each table is reached with a credential that the catalog vends for it and that is renewed before it ends; [`folders`]
//! makes one root of them. Who may not write gets the lake to read. The table `inbox` may lie elsewhere, and is then read
//! there. A lake that is to be made has one credential for its place.

mod api;
mod error;
pub mod features;
mod folders;
mod inbox;
mod name;
mod preflight;
mod readonly;
mod refusal;
mod storage;
mod vending;
pub mod volume;

use std::fmt;
use std::sync::Arc;

use url::Url;

pub use api::Vended;
pub use error::CatalogError;
pub use inbox::InboxRoot;
pub use name::{NoSchemaName, SchemaName, literal, quoted};
pub use preflight::{Check, State};
pub use vending::{Vending, Vendor};

use super::error::StoreError;
use super::root::Root;
use crate::net::Workspace;
use crate::runtime::Clock;
use api::{Access, TableInfo};
use folders::Folders;
use refusal::{Asked, Right};
use storage::Way;
use vending::ForPath;

/// The table whose place is the lake's.
pub const JOURNAL: &str = "journal";

/// Unity Catalog, as one workspace sees it.
#[derive(Clone)]
pub struct Catalog {
    workspace: Arc<Workspace>,
    clock: Arc<dyn Clock>,
    variables: Arc<[(String, String)]>,
}

impl Catalog {
    /// `variables` say of the clouds what is not a credential, such as a region.
    pub fn new(
        workspace: Arc<Workspace>,
        clock: Arc<dyn Clock>,
        variables: Vec<(String, String)>,
    ) -> Self {
        Self { workspace, clock, variables: variables.into() }
    }

    /// The root of the lake in a schema.
    pub async fn root(&self, name: &SchemaName) -> Result<Root, StoreError> {
        let Some(journal) = self.table(name, JOURNAL).await? else {
            self.refuse_missing(name).await?;
            return Err(CatalogError::NotRegistered { schema: name.to_string() }.into());
        };
        self.rooted(name, &journal).await
    }

    /// The place for a lake that is to be made in a schema and registered afterwards.
    pub async fn place_for(&self, name: &SchemaName, location: &str) -> Result<Root, StoreError> {
        if let Some(journal) = self.table(name, JOURNAL).await? {
            let (schema, location) = (name.to_string(), journal.storage_location);
            return Err(CatalogError::AlreadyRegistered { schema, location }.into());
        }
        self.refuse_missing(name).await?;
        let location = location.trim_end_matches('/');
        let elsewhere = || CatalogError::Elsewhere { url: location.to_owned() };
        let url = Url::parse(location)
            .ok()
            .filter(|url| !url.cannot_be_a_base())
            .ok_or_else(elsewhere)?;
        if url.scheme() == "file" {
            return Root::open(url.as_str(), true);
        }
        let (workspace, path) = (Arc::clone(&self.workspace), url.to_string());
        let vendor = ForPath { workspace, url: path, access: Access::Write };
        match Vending::begin(Arc::new(vendor), Arc::clone(&self.clock)).await {
            Ok(vending) => {
                let store = Way::find(&url, &self.variables).await?.open(vending)?;
                Ok(Root { url, store })
            }
            Err(fault) => {
                let needs = [Right::ExternalUseLocation, Right::ReadFiles, Right::WriteFiles];
                Err(self
                    .told(fault, "write the lake's place", Some(name), Some(url.as_str()), &needs)
                    .await
                    .into())
            }
        }
    }

    /// A table of a schema, where there is one that may be seen.
    async fn table(
        &self,
        name: &SchemaName,
        table: &str,
    ) -> Result<Option<TableInfo>, CatalogError> {
        let needs = [Right::UseCatalog, Right::UseSchema, Right::Select];
        match api::table(&self.workspace, &name.of(table)).await {
            Err(fault) => Err(self.told(fault, "see the table", Some(name), None, &needs).await),
            found => found,
        }
    }

    /// An error where the catalog or the schema is not there.
    async fn refuse_missing(&self, name: &SchemaName) -> Result<(), CatalogError> {
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

    /// The root of the lake whose journal this is.
    async fn rooted(&self, name: &SchemaName, journal: &TableInfo) -> Result<Root, StoreError> {
        let root = place(name, journal)?;
        if root.starts_with("file:") {
            // A catalog of one machine, whose files ask for no credential.
            return Root::open(&root, false);
        }
        Folders::open(self, name, root, journal).await
    }

    /// What a fault means, with the statement that mends it where a right is missing.
    async fn told(
        &self,
        fault: CatalogError,
        what: &str,
        schema: Option<&SchemaName>,
        url: Option<&str>,
        needs: &[Right],
    ) -> CatalogError {
        if !fault.is_refusal() {
            return fault;
        }
        let location = match url {
            Some(url) => api::location_of(&self.workspace, url).await.ok().flatten(),
            None => None,
        };
        let location = location.as_ref().map(|location| location.name.as_str());
        refusal::told(fault, &Asked { what, schema, location, needs }, &self.principal().await)
    }

    /// Who asks, by the name that rights are granted to.
    async fn principal(&self) -> String {
        // It only completes a sentence about something else.
        api::me(&self.workspace).await.unwrap_or_else(|_| "<who runs this>".to_owned())
    }
}

/// The lake's place, from that of its journal.
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
