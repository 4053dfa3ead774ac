//! Requests to Unity Catalog, and the explanation of refused ones.

use std::sync::Arc;

use super::api::{self, TableInfo};
use super::error::CatalogError;
use super::name::SchemaName;
use super::privileges::{self, Asked, Privilege};
use crate::databricks::Workspace;

/// Unity Catalog, as seen from one workspace.
#[derive(Clone, Debug)]
pub struct UnityCatalog {
    pub workspace: Arc<Workspace>,
}

impl UnityCatalog {
    /// Returns a table of a schema, if it exists and is visible.
    pub async fn table(
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
    pub async fn check_exists(&self, name: &SchemaName) -> Result<(), CatalogError> {
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

    /// Explains an error, with the statement that fixes it if a privilege is missing.
    pub async fn explain(
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
    pub async fn principal(&self) -> String {
        // The name only completes a message about something else.
        api::me(&self.workspace).await.unwrap_or_else(|_| "<who runs this>".to_owned())
    }
}
