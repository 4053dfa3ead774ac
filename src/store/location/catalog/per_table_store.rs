//! The root of a lake in which each table is accessed with the credential vended for that table.
//!
//! A catalog may refuse a credential for a folder that holds registered tables, and a table's
//! credential requires the rights that SQL requires: SELECT, MODIFY. A table that is not registered
//! yet is accessed as a path of its external location.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use tokio::sync::OnceCell;
use url::Url;

use super::client::Catalog;
use super::readonly::ReadOnly;
use super::storage::StoreBuilder;
use crate::databricks::catalog::api::same_place;
use crate::databricks::catalog::{
    Access, CatalogError, CredentialSource, PathCredentials, Privilege, SchemaName,
    TableCredentials, TableInfo, Vended, Vending,
};
use crate::store::error::StoreError;
use crate::store::location::LakeLocation;
use crate::store::names::JOURNAL;

/// Number of deletions passed to a folder's store at once, which is what S3 deletes in one request.
const DELETE_BATCH: usize = 1000;

/// The root of a lake, as a store.
#[derive(Clone)]
pub struct PerTableStore(Arc<Lake>);

/// A table's folder, opened on first use.
type Opened = OnceCell<Arc<dyn ObjectStore>>;

struct Lake {
    catalog: Catalog,
    schema: SchemaName,
    /// URL as the catalog writes it.
    root: String,
    /// Id of the journal, known from locating the lake.
    journal: String,
    way: StoreBuilder,
    /// Reason why nothing may be written, once known.
    read_only: OnceLock<CatalogError>,
    opened: Mutex<HashMap<String, Arc<Opened>>>,
}

impl PerTableStore {
    /// Opens the journal immediately, so that a missing right is reported; the other tables on
    /// first use.
    pub async fn open(
        catalog: &Catalog,
        schema: &SchemaName,
        root: String,
        journal: &TableInfo,
    ) -> Result<LakeLocation, StoreError> {
        let url = Url::parse(&root).map_err(|_| CatalogError::Elsewhere { url: root.clone() })?;
        let way = StoreBuilder::find(&url, &catalog.variables).await?;
        let (catalog, schema) = (catalog.clone(), schema.clone());
        let journal = journal.table_id.clone();
        let lake = Lake {
            catalog,
            schema,
            root,
            journal,
            way,
            read_only: OnceLock::new(),
            opened: Mutex::default(),
        };
        let folders = Self(Arc::new(lake));
        folders.0.folder(JOURNAL).await?;
        Ok(LakeLocation { url, store: Arc::new(folders) })
    }

    async fn of(&self, location: &Path) -> Result<Arc<dyn ObjectStore>> {
        let err = |err: StoreError| {
            let source = match err {
                StoreError::Catalog(err) => err.into(),
                err => err.into(),
            };
            Error::Generic { store: "UnityCatalog", source }
        };
        match location.parts().next() {
            Some(folder) => self.0.folder(folder.as_ref()).await.map_err(err),
            None => Err(not_of_a_table("the lake's root")),
        }
    }
}

impl Lake {
    async fn folder(&self, name: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let cell = Arc::clone(
            self.opened
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(name.to_owned())
                .or_default(),
        );
        cell.get_or_try_init(|| self.open_folder(name)).await.cloned()
    }

    /// Opens a folder for writing if allowed, else for reading; then the first write reports the
    /// reason.
    async fn open_folder(&self, name: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let why = match self.read_only.get() {
            Some(why) => why.clone(),
            None => match self.vending(name, Access::Write).await {
                Ok(vending) => return self.way.open(vending),
                Err(err) => self.explain(name, err).await?,
            },
        };
        if !why.is_missing_right() {
            return Err(why.into());
        }
        let vending = match self.vending(name, Access::Read).await {
            Ok(vending) => vending,
            Err(err) => return Err(self.explain(name, err).await?.into()),
        };
        let why = match why {
            CatalogError::Lacks { message, grants, .. } if name == JOURNAL => {
                let why = CatalogError::ReadOnly { url: self.root.clone(), message, grants };
                self.read_only.get_or_init(|| why).clone()
            }
            why => why,
        };
        Ok(Arc::new(ReadOnly { inner: self.way.open(vending)?, why }))
    }

    async fn vending(&self, name: &str, access: Access) -> Result<Vending, CatalogError> {
        let credentials: Arc<dyn CredentialSource> = if name == JOURNAL {
            Arc::new(TableCredentials {
                workspace: Arc::clone(&self.catalog.unity.workspace),
                table_id: self.journal.clone(),
                access,
            })
        } else {
            let (catalog, schema, url) =
                (self.catalog.clone(), self.schema.clone(), self.url(name));
            Arc::new(FolderCredentials { catalog, schema, name: name.to_owned(), url, access })
        };
        Vending::create(credentials, Arc::clone(&self.catalog.clock)).await
    }

    /// Explains an error of credential vending, with the grants that fix it.
    async fn explain(&self, name: &str, err: CatalogError) -> Result<CatalogError, CatalogError> {
        if !err.is_refusal() {
            return Ok(err);
        }
        let table = self.catalog.unity.table(&self.schema, name).await?;
        let (what, schema, url) = (
            format!("use the table {name} from an external client"),
            Some(&self.schema),
            self.url(name),
        );
        if table.as_ref().is_some_and(|table| same_place(&table.storage_location, &url)) {
            let needs = [Privilege::ExternalUseSchema, Privilege::Select, Privilege::Modify];
            return Ok(self.catalog.unity.explain(err, &what, schema, None, &needs).await);
        }
        let needs = [Privilege::ExternalUseLocation, Privilege::ReadFiles, Privilege::WriteFiles];
        Ok(
            match (self.catalog.unity.explain(err, &what, schema, Some(&url), &needs).await, table)
            {
                (CatalogError::Lacks { .. }, Some(table)) => CatalogError::Moved {
                    table: self.schema.of(name),
                    location: table.storage_location,
                },
                (CatalogError::Lacks { message, grants, .. }, None) => CatalogError::Unregistered {
                    table: name.to_owned(),
                    schema: self.schema.to_string(),
                    message,
                    grants,
                },
                (explain, _) => explain,
            },
        )
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }
}

/// Credentials for a folder of a lake: for the table registered there, or for the path if none is.
/// This may change from one credential to the next.
#[derive(Debug)]
struct FolderCredentials {
    catalog: Catalog,
    schema: SchemaName,
    name: String,
    url: String,
    access: Access,
}

#[async_trait]
impl CredentialSource for FolderCredentials {
    async fn vend(&self) -> Result<Vended, CatalogError> {
        let (workspace, access) = (Arc::clone(&self.catalog.unity.workspace), self.access);
        match self.catalog.unity.table(&self.schema, &self.name).await? {
            Some(table) if same_place(&table.storage_location, &self.url) => {
                TableCredentials { workspace, table_id: table.table_id, access }.vend().await
            }
            _ => PathCredentials { workspace, url: self.url.clone(), access }.vend().await,
        }
    }
}

fn not_of_a_table(what: &str) -> Error {
    let source = format!("{what} is not in the folder of one table");
    Error::NotSupported { source: source.into() }
}

impl fmt::Debug for PerTableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folders").field("root", &self.0.root).finish_non_exhaustive()
    }
}

impl fmt::Display for PerTableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Folders({})", self.0.root)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for PerTableStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.of(location).await?.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.of(location).await?.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.of(location).await?.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.of(location).await?.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let folders = self.clone();
        let delete = move |asked: Vec<Result<Path>>| {
            let folders = folders.clone();
            async move {
                let table = |path: &Result<Path>| {
                    Some(path.as_ref().ok()?.parts().next().map(|part| part.as_ref().to_owned()))
                };
                let mut done = Vec::new();
                for run in runs(asked, table) {
                    match run.first() {
                        Some(Ok(first)) => match folders.of(first).await {
                            Ok(store) => done.push(store.delete_stream(stream::iter(run).boxed())),
                            Err(err) => done.push(stream::iter([Err(err)]).boxed()),
                        },
                        _ => done.push(stream::iter(run).boxed()),
                    }
                }
                stream::iter(done).flatten()
            }
        };
        locations.chunks(DELETE_BATCH).then(delete).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (folders, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listed = async move { Ok::<_, Error>(folders.of(&prefix).await?.list(Some(&prefix))) };
        stream::once(listed).try_flatten().boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (folders, prefix, offset) =
            (self.clone(), prefix.cloned().unwrap_or_default(), offset.clone());
        let listed = async move {
            Ok::<_, Error>(folders.of(&prefix).await?.list_with_offset(Some(&prefix), &offset))
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.of(&prefix).await?.list_with_delimiter(Some(&prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.of_both(from, to).await?.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.of_both(from, to).await?.rename_opts(from, to, options).await
    }
}

impl PerTableStore {
    /// Returns the store that contains both locations.
    async fn of_both(&self, from: &Path, to: &Path) -> Result<Arc<dyn ObjectStore>> {
        if from.parts().next() == to.parts().next() {
            self.of(to).await
        } else {
            Err(not_of_a_table(&format!("what goes from {from} to {to}")))
        }
    }
}

/// Groups consecutive items with equal keys.
fn runs<T, K: PartialEq>(items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let mut runs: Vec<Vec<T>> = Vec::new();
    for item in items {
        match runs.last_mut().filter(|run| run.last().is_some_and(|last| key(last) == key(&item))) {
            Some(run) => run.push(item),
            None => runs.push(vec![item]),
        }
    }
    runs
}
