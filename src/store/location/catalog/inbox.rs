//! Locates the table `inbox` of a lake in Unity Catalog. It is read below the lake's root by the
//! lake's own store, or at a location that Databricks manages, with a separate store and
//! credential.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use url::Url;

use super::client::Catalog;
use super::storage::StoreBuilder;
use crate::databricks::catalog::{
    Access, CatalogError, Privilege, SchemaName, TableCredentials, TableInfo, Vending, api,
};
use crate::store::error::StoreError;
use crate::store::inbox::NAME;
use crate::store::location::LakeLocation;

/// Location of the table `inbox`, and a store rooted there.
#[derive(Clone, Debug)]
pub struct InboxRoot {
    pub url: Url,
    pub store: Arc<dyn ObjectStore>,
    /// Whether the location is below the lake's root, so that the lake's store reads it.
    pub is_below_root: bool,
}

impl InboxRoot {
    /// Returns the inbox at its usual location.
    pub fn below(root: &LakeLocation) -> Self {
        let mut url = root.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push(NAME);
        }
        let store: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&root.store), NAME));
        Self { url, store, is_below_root: true }
    }
}

impl Catalog {
    /// Returns the inbox of the lake in a schema; if none is registered, the one at the usual
    /// location.
    pub async fn inbox_root(
        &self,
        name: &SchemaName,
        root: &LakeLocation,
    ) -> Result<InboxRoot, StoreError> {
        let Some(table) = self.unity.table(name, NAME).await? else {
            return Ok(InboxRoot::below(root));
        };
        if lies_in_usual_place(&table, root) {
            return Ok(InboxRoot::below(root));
        }
        let location = table.storage_location.trim_end_matches('/').to_owned();
        let url =
            Url::parse(&location).map_err(|_| CatalogError::Elsewhere { url: location.clone() })?;
        let credentials = TableCredentials {
            workspace: Arc::clone(&self.unity.workspace),
            table_id: table.table_id,
            access: Access::Read,
        };
        let vending = match Vending::create(Arc::new(credentials), Arc::clone(&self.clock)).await {
            Ok(vending) => vending,
            Err(err) => {
                let needs = [Privilege::Select, Privilege::ExternalUseSchema];
                return Err(self
                    .unity
                    .explain(err, "read the table inbox", Some(name), None, &needs)
                    .await
                    .into());
            }
        };
        let store = if url.scheme() == "file" {
            LakeLocation::open(url.as_str(), false)?.store
        } else {
            StoreBuilder::find(&url, &self.variables).await?.open(vending)?
        };
        Ok(InboxRoot { url, store, is_below_root: false })
    }
}

fn lies_in_usual_place(table: &TableInfo, root: &LakeLocation) -> bool {
    let usual = format!("{}/{NAME}", root.url.as_str().trim_end_matches('/'));
    api::lies_in(&table.storage_location, &usual)
}
