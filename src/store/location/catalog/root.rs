//! Opens the root of a lake in a schema, or the location for a new one.

use std::sync::Arc;

use url::Url;

use super::client::Catalog;
use super::features;
use super::per_table_store::PerTableStore;
use super::storage::StoreBuilder;
use crate::databricks::catalog::{
    Access, CatalogError, PathCredentials, Privilege, SchemaName, TableInfo, Vending,
};
use crate::store::error::StoreError;
use crate::store::location::LakeLocation;
use crate::store::names::JOURNAL;

impl Catalog {
    /// Opens the root of the lake in a schema.
    pub async fn root(&self, name: &SchemaName) -> Result<LakeLocation, StoreError> {
        let Some(journal) = self.unity.table(name, JOURNAL).await? else {
            self.unity.check_exists(name).await?;
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
        if let Some(journal) = self.unity.table(name, JOURNAL).await? {
            let (schema, location) = (name.to_string(), journal.storage_location);
            return Err(CatalogError::AlreadyRegistered { schema, location }.into());
        }
        self.unity.check_exists(name).await?;
        let location = location.trim_end_matches('/');
        let elsewhere = || CatalogError::Elsewhere { url: location.to_owned() };
        let url = Url::parse(location)
            .ok()
            .filter(|url| !url.cannot_be_a_base())
            .ok_or_else(elsewhere)?;
        if url.scheme() == "file" {
            return LakeLocation::open(url.as_str(), true);
        }
        let (workspace, path) = (Arc::clone(&self.unity.workspace), url.to_string());
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
                    .unity
                    .explain(err, "write the lake's place", Some(name), Some(url.as_str()), &needs)
                    .await
                    .into())
            }
        }
    }

    /// Opens the root of the lake with this journal.
    pub(super) async fn rooted(
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
}

/// Returns the lake's location, from its journal's.
pub(super) fn place(name: &SchemaName, journal: &TableInfo) -> Result<String, CatalogError> {
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
