//! The composition root: builds the parts that a command uses from the settings. The only file that
//! names concrete adapters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use crate::analytics::ReferencedTables;
use crate::config::{Config, ConfigError, SectionSpec};
use crate::databricks::Workspace;
use crate::databricks::catalog::SchemaName;
use crate::databricks::warehouse::Warehouse;
use crate::domain::any_record::RecordKey;
use crate::domain::hint::LakeHint;
use crate::domain::patch::Source;
use crate::domain::time::{AsOf, Instant, rfc3339};
use crate::domain::value::Name;
use crate::net::{CaBundle, Network, ProxyServer};
use crate::planning::outline::OutlinePlanner;
use crate::planning::planner::Planner;
use crate::runtime::{Clock, Random, SystemClock, SystemRandom, uuid_v7};
use crate::service::change::Committed;
use crate::service::erase::Erasable;
use crate::service::mentions::{InboxSeen, Mention, Names};
use crate::service::repair::Repair;
use crate::service::{self, RequestContext, Service, ServiceError};
use crate::store::backup::{self, Copied};
use crate::store::delta::{DeltaStore, LakeLocation};
use crate::store::doctor::{self, Checkup, Extent};
use crate::store::event_tables::{INBOX_RESULTS, RUNS};
use crate::store::location::catalog::{Catalog, InboxRoot};
use crate::store::tables::FoldedTable;
use crate::store::{
    Erased, FoldReport, Format, Head, INBOX, LakeTables, Maintained, Retention, Scope, Store,
    StoreError,
};

/// Sections of the settings that modules declare.
pub const SECTIONS: &[SectionSpec] = &[];

/// Returns the planner of descriptions.
pub fn planner() -> Arc<dyn Planner> {
    Arc::new(OutlinePlanner)
}

/// An open lake and its services.
pub struct App {
    pub service: Service,
    /// Configured actor, for requests that name none.
    actor: Name,
    store: Arc<DeltaStore>,
    place: OpenedLocation,
    /// Running command and its start time; a command that changes the lake is recorded in `runs`.
    run: Option<(&'static str, Instant)>,
    /// Receives the head of the lake on close, if a caller requested it.
    end: Option<Arc<OnceLock<Head>>>,
    /// Receives the last committed seq.
    committed: Option<Arc<AtomicU64>>,
}

/// Planned or completed upgrade.
#[derive(Debug)]
pub struct Upgrade {
    /// The format before and after, if it changes.
    pub format: Option<(u32, u32)>,
    pub repairs: Vec<Repair>,
    /// Current tables with values that their fields cannot hold, with the number of values.
    pub tables: Vec<(FoldedTable, usize)>,
    /// Committed changes.
    pub done: Vec<Committed>,
}

/// How to start: with an existing lake or a new one.
#[derive(Clone, Copy)]
enum Begin {
    Open,
    /// Open, to rebuild tables.
    Rebuild,
    Create,
}

/// Location of a lake, and the catalog that names it, if any.
#[derive(Clone)]
struct OpenedLocation {
    root: LakeLocation,
    catalog: Option<(Catalog, SchemaName)>,
}

impl OpenedLocation {
    /// Opens a location by name: a folder, a storage URL, or a schema of Unity Catalog.
    async fn open(config: &Config, name: &str, create: bool) -> Result<Self, ServiceError> {
        let Ok(schema) = name.parse::<SchemaName>() else {
            return Ok(Self { root: LakeLocation::open(name, create)?, catalog: None });
        };
        let catalog = App::unity(config)?;
        let root = catalog.root(&schema).await?;
        Ok(Self { root, catalog: Some((catalog, schema)) })
    }

    /// Returns the location of the inbox: in the lake, or where Databricks keeps it.
    async fn inbox(&self) -> Result<InboxRoot, ServiceError> {
        Ok(match &self.catalog {
            Some((catalog, schema)) => catalog.inbox_root(schema, &self.root).await?,
            None => InboxRoot::below(&self.root),
        })
    }

    /// Number of requests that wait in the inbox.
    async fn waiting(&self) -> Result<usize, ServiceError> {
        let tables = LakeTables::new(Arc::clone(&self.root.store)).with_inbox(self.inbox().await?);
        Ok(service::inbox::count(&tables).await?)
    }
}

impl App {
    /// Opens the configured lake.
    pub async fn open(config: &Config) -> Result<Self, ServiceError> {
        Self::start(
            config,
            OpenedLocation::open(config, &config.lake.value, false).await?,
            Begin::Open,
        )
        .await
    }

    /// Opens the configured lake to rebuild tables; also works if a table is ahead of the journal.
    pub async fn open_to_rebuild(config: &Config) -> Result<Self, ServiceError> {
        Self::start(
            config,
            OpenedLocation::open(config, &config.lake.value, false).await?,
            Begin::Rebuild,
        )
        .await
    }

    /// Creates the configured lake.
    pub async fn create(config: &Config) -> Result<Self, ServiceError> {
        let place =
            OpenedLocation { root: LakeLocation::open(&config.lake.value, true)?, catalog: None };
        Self::start(config, place, Begin::Create).await
    }

    /// Creates a lake for a schema of Unity Catalog in an external location. Continues with an
    /// unregistered lake from an earlier attempt; the boolean says whether the lake is new.
    pub async fn create_in_catalog(
        config: &Config,
        schema: &SchemaName,
        location: &str,
    ) -> Result<(Self, bool), ServiceError> {
        let catalog = Self::unity(config)?;
        let root = catalog.place_for(schema, location).await?;
        let place = OpenedLocation { root, catalog: Some((catalog, schema.clone())) };
        match Self::start(config, place.clone(), Begin::Create).await {
            Err(ServiceError::Store(StoreError::AlreadyALake { .. })) => {
                Ok((Self::start(config, place, Begin::Open).await?, false))
            }
            made => Ok((made?, true)),
        }
    }

    /// Returns the workspace and credentials from the environment.
    pub fn workspace(config: &Config) -> Result<Arc<Workspace>, ServiceError> {
        let (host, credentials) = (config.databricks.host()?, config.databricks.credentials()?);
        let network = Self::network(config);
        Ok(Arc::new(Workspace::open(host, credentials, &network, Arc::new(SystemClock))?))
    }

    /// Returns the proxy and the certificates for requests to APIs.
    fn network(config: &Config) -> Network {
        let config = config.network.clone();
        Network {
            proxy: config.proxy.map(|(origin, url)| ProxyServer { origin: origin.to_owned(), url }),
            no_proxy: config.no_proxy,
            certificates: config
                .certificates
                .map(|(origin, path)| CaBundle { origin: origin.to_owned(), path }),
            ..Network::default()
        }
    }

    /// Returns the catalog and schema of the configured lake.
    pub fn catalog(config: &Config) -> Result<(Catalog, SchemaName), ServiceError> {
        let schema = Self::schema(config)
            .ok_or_else(|| ServiceError::NotInCatalog { lake: config.lake.value.clone() })?;
        Ok((Self::unity(config)?, schema))
    }

    fn unity(config: &Config) -> Result<Catalog, ServiceError> {
        let variables = crate::config::variables().map_err(ConfigError::from)?;
        Ok(Catalog::new(Self::workspace(config)?, Arc::new(SystemClock), variables))
    }

    /// Returns the schema of the configured lake, if it is in Unity Catalog.
    pub fn schema(config: &Config) -> Option<SchemaName> {
        config.lake.value.parse().ok()
    }

    /// Returns a SQL warehouse of the workspace; names without a schema refer to the lake.
    pub fn warehouse(config: &Config, id: &str) -> Result<Warehouse, ServiceError> {
        Ok(Warehouse::new(Self::workspace(config)?, id, Self::schema(config)))
    }

    /// Checks the configured lake, which may be too damaged to open.
    pub async fn examine(config: &Config, extent: Extent) -> Result<Checkup, ServiceError> {
        let OpenedLocation { root, catalog, .. } =
            OpenedLocation::open(config, &config.lake.value, false).await?;
        let mut checkup =
            doctor::examine_to(&root.store, root.url.as_str(), &Format::default(), extent).await?;
        let inbox = match catalog {
            Some((catalog, schema)) => catalog.inbox_root(&schema, &root).await,
            None => Ok(InboxRoot::below(&root)),
        };
        match inbox {
            Ok(inbox) => doctor::examine_inbox(&mut checkup, &inbox, extent.is_full).await?,
            Err(err) => tracing::warn!(%err, "the table inbox was not checked"),
        }
        Ok(checkup)
    }

    /// Copies a lake to a new location, as an independent, folded lake. Continues an interrupted
    /// copy. Also returns the number of requests that wait in the source's inbox, which is not
    /// copied.
    pub async fn copy(
        config: &Config,
        from: &str,
        to: &str,
        up_to: Option<AsOf>,
    ) -> Result<(Copied, usize), ServiceError> {
        let source = OpenedLocation::open(config, from, false).await.map_err(|err| match err {
            ServiceError::Store(StoreError::NotALake { .. }) => ServiceError::Input {
                place: from.to_owned(),
                message: "holds no lake to copy from".to_owned(),
                hint: Some(LakeHint::NameBackup.into()),
            },
            err => err,
        })?;
        let place = OpenedLocation::open(config, to, true).await?;
        let target = &place.root;
        if target.url.as_str().starts_with(source.root.url.as_str()) {
            return Err(ServiceError::input(
                to,
                "is inside the lake itself; put the copy next to it or elsewhere",
            ));
        }
        let copied =
            backup::copy(&source.root, target, up_to, &SystemClock, &SystemRandom::default())
                .await?;
        let root = target.clone();
        let there = Self::start(config, place, Begin::Open).await?;
        there.service.store.fold().await?;
        there.shutdown().await;
        backup::finish(root.store.as_ref()).await?;
        // The copy is complete even if the inbox is unreadable.
        let waiting = source.waiting().await.unwrap_or_else(|err| {
            tracing::debug!(%err, "failed to check for waiting requests in the inbox");
            0
        });
        Ok((copied, waiting))
    }

    async fn start(
        config: &Config,
        place: OpenedLocation,
        begin: Begin,
    ) -> Result<Self, ServiceError> {
        let actor = Name::of_actor(&config.actor.value).map_err(|invalid| {
            ServiceError::input(&config.actor.origin, format!("the actor {invalid}"))
        })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom::default());
        let (format, at, chance) = (Format::default(), Arc::clone(&clock), Arc::clone(&random));
        let store = match begin {
            Begin::Open => DeltaStore::open(&place.root, format, at, chance).await?,
            Begin::Rebuild => DeltaStore::open_to_rebuild(&place.root, format, at, chance).await?,
            Begin::Create => DeltaStore::create(&place.root, format, at, chance).await?,
        };
        let store = Arc::new(store);
        let planner = planner();
        let service =
            Service { store: Arc::clone(&store) as Arc<dyn Store>, clock, random, planner };
        Ok(Self { service, actor, store, place, run: None, end: None, committed: None })
    }

    /// Waits until all background work is done, even if a command failed before it shut down the
    /// lake.
    pub fn finished(&self) -> impl Future<Output = ()> + Send + 'static {
        self.store.finished()
    }

    /// Folds all unfolded changes, so that the tables are current. Skips tables that are read-only.
    pub async fn try_fold(&self) -> Result<(), ServiceError> {
        match self.service.store.fold().await {
            Err(StoreError::Catalog(err)) if err.is_missing_right() => {
                tracing::warn!(%err, "the tables may lag behind the journal");
                Ok(())
            }
            folded => Ok(folded.map(drop)?),
        }
    }

    /// Folds all changes, and rebuilds tables with a file that is missing or has the wrong size.
    pub async fn fold(&self) -> Result<FoldReport, ServiceError> {
        Ok(self.store.fold_and_verify().await?)
    }

    /// Returns the names of the existing tables.
    pub async fn existing_tables(&self) -> Result<Vec<&'static str>, ServiceError> {
        let (tables, mut there) = (self.tables(), Vec::new());
        for name in LakeTables::names() {
            if tables.files(name).await?.is_some() {
                there.push(name);
            }
        }
        Ok(there)
    }

    /// Tables for SQL that reads only what Lakeplan writes.
    pub fn tables(&self) -> LakeTables {
        self.store.tables()
    }

    /// Tables for SQL that also reads the inbox: in the lake, or where Databricks keeps it.
    pub async fn tables_with_inbox(&self) -> Result<LakeTables, ServiceError> {
        let inbox = self.place.inbox().await?;
        Ok(self.tables().with_inbox(inbox))
    }

    /// Returns the tables that a query reads. Asks the catalog only if the query reads the inbox.
    pub async fn tables_of(&self, reads: &ReferencedTables) -> Result<LakeTables, ServiceError> {
        if reads.names(INBOX) { self.tables_with_inbox().await } else { Ok(self.tables()) }
    }

    /// Rebuilds one current table from the journal, or all of them.
    pub async fn rebuild(&self, table: Option<FoldedTable>) -> Result<FoldReport, ServiceError> {
        Ok(self.store.rebuild(table).await?)
    }

    /// Returns what an upgrade would do.
    pub async fn plan_upgrade(&self) -> Result<Upgrade, ServiceError> {
        let current = Format::default().current();
        let lake = self.service.state(&Scope::outline()).await?.lake;
        let format = lake.map(|lake| (lake.format_writer, current)).filter(|(from, to)| from < to);
        let repairs = self.service.find_repairs().await?;
        // Cleared values leave the tables with the next fold.
        let tables = self.store.unreadable_in_tables().await?;
        Ok(Upgrade { format, repairs, tables, done: Vec::new() })
    }

    /// Upgrades the lake to the format of this binary, clears values that no field can hold, and
    /// rebuilds current tables that still hold such values.
    pub async fn upgrade(&self, context: &RequestContext) -> Result<Upgrade, ServiceError> {
        // Unreadable parts of the tables are rebuilt before the tables are searched.
        self.fold().await?;
        let mut upgrade = self.plan_upgrade().await?;
        if let Some((.., raised)) =
            self.service.upgrade(Format::default().current(), context).await?
        {
            upgrade.done.push(raised);
        }
        upgrade.done.extend(self.service.clear(&mut upgrade.repairs, context).await?);
        if !upgrade.repairs.is_empty() || !upgrade.tables.is_empty() {
            self.service.store.fold().await?;
            for (table, _) in self.store.unreadable_in_tables().await? {
                self.store.rebuild(Some(table)).await?;
            }
        }
        Ok(upgrade)
    }

    /// Runs maintenance with the default retention.
    pub async fn maintain(&self) -> Result<Maintained, ServiceError> {
        let report = self.store.maintain(Retention::default()).await?;
        // The copy that created this lake may have been interrupted after its last table. A catalog
        // grants access to tables but not to files next to them; nothing reads the marker while
        // there is a journal.
        if self.place.catalog.is_none() {
            backup::finish(self.place.root.store.as_ref()).await?;
        }
        Ok(report)
    }

    /// Number of files of the journal and of the record's table with data that an erase would
    /// remove.
    pub async fn count_affected_files(
        &self,
        erasable: &Erasable,
    ) -> Result<(usize, usize), ServiceError> {
        Ok(self.store.count_files_with(&erasable.rows, erasable.record).await?)
    }

    /// Finds where a person is still mentioned after their record is erased.
    pub async fn mentions(
        &self,
        record: RecordKey,
        names: &Names,
        describe: fn(&ServiceError) -> String,
    ) -> Result<Vec<Mention>, ServiceError> {
        let (tables, error) = match self.tables_with_inbox().await {
            Ok(tables) => (tables, None),
            Err(err) => (self.tables(), Some(describe(&err))),
        };
        let sql = |table: &str| {
            self.place
                .catalog
                .as_ref()
                .map_or_else(|| table.to_owned(), |(_, schema)| schema.quoted(table))
        };
        let names_in_sql = [INBOX, INBOX_RESULTS.name].map(sql);
        let inbox = InboxSeen { tables: &tables, error, describe, names: names_in_sql };
        self.service.mentions(record, names, inbox).await
    }

    /// Erases a record: commits the erase, folds the tables, and rewrites the journal's files.
    pub async fn erase(
        &self,
        erasable: &Erasable,
        context: &RequestContext,
    ) -> Result<(Option<Committed>, Erased), ServiceError> {
        // A table that cannot be folded could not be erased from either.
        self.store.fold().await?;
        let done = self.service.erase(erasable.record, context).await?;
        Ok((done, self.store.rewrite_erased_files().await?))
    }

    /// Creates the context of a request by the configured actor.
    pub fn request(&self, source: Source) -> RequestContext {
        self.service.request(self.actor.clone(), source)
    }

    /// Names the command for which the lake is open.
    pub fn for_command(mut self, command: &'static str) -> Self {
        self.run = Some((command, self.service.clock.now()));
        self
    }

    /// Reports the head of the lake on close.
    pub fn record_head_in(mut self, end: &Arc<OnceLock<Head>>) -> Self {
        self.end = Some(Arc::clone(end));
        self
    }

    /// Reports the seq of the last commit on close.
    pub fn record_seq_in(mut self, committed: &Arc<AtomicU64>) -> Self {
        self.committed = Some(Arc::clone(committed));
        self
    }

    async fn record_head(&self) {
        let Some(end) = &self.end else { return };
        // A failed fold leaves a lag, which the head reports.
        if let Err(err) = self.store.fold().await {
            tracing::warn!(%err, "the tables lag behind the journal");
        }
        match self.store.head().await {
            // The first opened lake is the command's lake.
            Ok(head) => drop(end.set(head)),
            Err(err) => tracing::warn!(%err, "the end of the journal could not be read"),
        }
    }

    async fn log_run(&self) -> Result<(), StoreError> {
        let Some((command, begun)) = self.run.filter(|_| self.store.has_written()) else {
            return Ok(());
        };
        let now = self.service.clock.now();
        let row = json!({
            "run_id": uuid_v7(now, self.service.random.as_ref()).to_string(), "started_at": rfc3339(begun),
            "duration_ms": (now - begun).num_milliseconds(), "command": command, "actor": self.actor.as_str(),
            "seq": self.store.head().await?.seq, "version": env!("CARGO_PKG_VERSION"),
        });
        match row {
            Value::Object(row) => self.store.append(&RUNS, vec![row]).await,
            _ => Ok(()),
        }
    }

    /// Records the run and waits for background work such as a fold or a checkpoint.
    pub async fn shutdown(&self) {
        if let Some(committed) = &self.committed {
            committed.fetch_max(self.store.committed(), Ordering::AcqRel);
        }
        if let Err(err) = self.log_run().await {
            tracing::warn!(%err, "the command was not recorded in runs");
        }
        self.record_head().await;
        self.store.shutdown().await;
    }
}
