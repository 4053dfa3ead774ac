//! Where the table `inbox` of a lake in Unity Catalog is read: below the lake's root by the lake's own store, or
//! elsewhere, where Databricks keeps it, by a store and a credential of its own.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use url::Url;

use super::Catalog;
use super::api::{self, Access, TableInfo};
use super::error::CatalogError;
use super::name::SchemaName;
use super::refusal::Right;
use super::storage::Way;
use super::vending::{ForTable, Vending};
use crate::store::error::StoreError;
use crate::store::inbox::NAME;
use crate::store::root::Root;

/// The table `inbox`: where it is, and a store rooted there.
#[derive(Clone, Debug)]
pub struct InboxRoot {
    pub url: Url,
    pub store: Arc<dyn ObjectStore>,
    /// Whether it lies below the lake's root, and so is read by the lake's store.
    pub is_below_root: bool,
}

impl InboxRoot {
    /// The inbox in its usual place.
    pub fn below(root: &Root) -> Self {
        let mut url = root.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push(NAME);
        }
        let store: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&root.store), NAME));
        Self { url, store, is_below_root: true }
    }
}

impl Catalog {
    /// The inbox of the lake in a schema; `None` where none is registered and the usual place is to be looked at.
    pub async fn inbox_root(
        &self,
        name: &SchemaName,
        root: &Root,
    ) -> Result<InboxRoot, StoreError> {
        let Some(table) = self.table(name, NAME).await? else { return Ok(InboxRoot::below(root)) };
        if lies_in_usual_place(&table, root) {
            return Ok(InboxRoot::below(root));
        }
        let location = table.storage_location.trim_end_matches('/').to_owned();
        let url =
            Url::parse(&location).map_err(|_| CatalogError::Elsewhere { url: location.clone() })?;
        let vendor = ForTable {
            workspace: Arc::clone(&self.workspace),
            table_id: table.table_id,
            access: Access::Read,
        };
        let vending = match Vending::begin(Arc::new(vendor), Arc::clone(&self.clock)).await {
            Ok(vending) => vending,
            Err(fault) => {
                let needs = [Right::Select, Right::ExternalUseSchema];
                return Err(self
                    .told(fault, "read the table inbox", Some(name), None, &needs)
                    .await
                    .into());
            }
        };
        let store = if url.scheme() == "file" {
            Root::open(url.as_str(), false)?.store
        } else {
            Way::find(&url, &self.variables).await?.open(vending)?
        };
        Ok(InboxRoot { url, store, is_below_root: false })
    }
}

fn lies_in_usual_place(table: &TableInfo, root: &Root) -> bool {
    let usual = format!("{}/{NAME}", root.url.as_str().trim_end_matches('/'));
    api::lies_in(&table.storage_location, &usual)
}
