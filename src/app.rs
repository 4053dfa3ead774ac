//! The composition root: from settings to the parts a command works with. The only file that names concrete adapters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::analytics::Reads;
use crate::analytics::warehouse::Warehouse;
use crate::config::{Config, ConfigError};
use crate::domain::any::Slot;
use crate::domain::time::{AsOf, Instant, rfc3339};
use crate::domain::value::Name;
use crate::net::Workspace;
use crate::runtime::{Clock, Random, SystemClock, SystemRandom, uuid_v7};
use crate::service::change::Done;
use crate::service::erase::Erasable;
use crate::service::mentions::{InboxSeen, Mention, Names};
use crate::service::repair::Repair;
use crate::service::{self, Service, ServiceError};
use crate::store::appended::{INBOX_RESULTS, RUNS};
use crate::store::catalog::{Catalog, InboxRoot, SchemaName};
use crate::store::copy::{self, Copied};
use crate::store::delta::{DeltaStore, Root};
use crate::store::doctor::{self, Checkup, Extent};
use crate::store::tables::FoldedTable;
use crate::store::{
    Erased, FoldReport, Format, Head, INBOX, LakeTables, Maintained, Retention, Scope, Store,
    StoreError,
};

/// An open lake and what works on it.
pub struct App {
    pub service: Service,
    store: Arc<DeltaStore>,
    place: Place,
    /// What is being run, and since when; what changes the lake is noted in `runs`.
    run: Option<(&'static str, Instant)>,
    /// Where it is told how the lake stood at the end, for who asked.
    end: Option<Arc<OnceLock<Head>>>,
    /// Where it is told which seq was committed last.
    committed: Option<Arc<AtomicU64>>,
}

/// What an upgrade does or did.
#[derive(Debug)]
pub struct Upgrade {
    /// The format before and after, where it is raised.
    pub format: Option<(u32, u32)>,
    pub repairs: Vec<Repair>,
    /// The current tables with values that their fields cannot hold, and how many each has.
    pub tables: Vec<(FoldedTable, usize)>,
    /// The changes that were committed.
    pub done: Vec<Done>,
}

/// Whether a lake is there or is to be made.
#[derive(Clone, Copy)]
enum Begin {
    Open,
    /// The same, to rebuild its tables.
    Rebuild,
    Create,
}

/// Where a lake is, and the catalog that says so where one does.
#[derive(Clone)]
struct Place {
    root: Root,
    catalog: Option<(Catalog, SchemaName)>,
}

impl Place {
    /// What a person named: a folder, a storage URL, or a schema of Unity Catalog.
    async fn open(config: &Config, name: &str, create: bool) -> Result<Self, ServiceError> {
        let Ok(schema) = name.parse::<SchemaName>() else {
            return Ok(Self { root: Root::open(name, create)?, catalog: None });
        };
        let catalog = App::unity(config)?;
        let root = catalog.root(&schema).await?;
        Ok(Self { root, catalog: Some((catalog, schema)) })
    }

    /// Where its inbox is: in the lake, or where Databricks keeps it.
    async fn inbox(&self) -> Result<InboxRoot, ServiceError> {
        Ok(match &self.catalog {
            Some((catalog, schema)) => catalog.inbox_root(schema, &self.root).await?,
            None => InboxRoot::below(&self.root),
        })
    }

    /// How many requests wait in its inbox.
    async fn waiting(&self) -> Result<usize, ServiceError> {
        let tables = LakeTables::new(Arc::clone(&self.root.store)).with_inbox(self.inbox().await?);
        Ok(service::inbox::count(&tables).await?)
    }
}

impl App {
    /// Opens the lake the settings name.
    pub async fn open(config: &Config) -> Result<Self, ServiceError> {
        Self::start(config, Place::open(config, &config.lake.value, false).await?, Begin::Open)
            .await
    }

    /// Opens the lake the settings name to rebuild tables, also where one is ahead of the journal.
    pub async fn open_to_rebuild(config: &Config) -> Result<Self, ServiceError> {
        Self::start(config, Place::open(config, &config.lake.value, false).await?, Begin::Rebuild)
            .await
    }

    /// Makes the lake the settings name.
    pub async fn create(config: &Config) -> Result<Self, ServiceError> {
        let place = Place { root: Root::open(&config.lake.value, true)?, catalog: None };
        Self::start(config, place, Begin::Create).await
    }

    /// Makes a lake for a schema of Unity Catalog at a place of an external location. One that was begun there before and
    /// not registered is taken up again; whether this one is new is told with it.
    pub async fn create_in_catalog(
        config: &Config,
        schema: &SchemaName,
        location: &str,
    ) -> Result<(Self, bool), ServiceError> {
        let catalog = Self::unity(config)?;
        let root = catalog.place_for(schema, location).await?;
        let place = Place { root, catalog: Some((catalog, schema.clone())) };
        match Self::start(config, place.clone(), Begin::Create).await {
            Err(ServiceError::Store(StoreError::AlreadyALake { .. })) => {
                Ok((Self::start(config, place, Begin::Open).await?, false))
            }
            made => Ok((made?, true)),
        }
    }

    /// The workspace that the environment names, and who speaks to it.
    pub fn workspace(config: &Config) -> Result<Arc<Workspace>, ServiceError> {
        Ok(Arc::new(Workspace::open(config.databricks.host()?, config.databricks.login()?)?))
    }

    /// The catalog and the schema that the settings name as the lake.
    pub fn catalog(config: &Config) -> Result<(Catalog, SchemaName), ServiceError> {
        let schema = Self::schema(config).ok_or_else(|| {
            ServiceError::input(
                &config.lake.value,
                "is no lake in Unity Catalog; name one as catalog.schema with --lake",
            )
        })?;
        Ok((Self::unity(config)?, schema))
    }

    fn unity(config: &Config) -> Result<Catalog, ServiceError> {
        let variables = crate::config::variables().map_err(ConfigError::from)?;
        Ok(Catalog::new(Self::workspace(config)?, Arc::new(SystemClock), variables))
    }

    /// The schema that the settings name as the lake, if it is one.
    pub fn schema(config: &Config) -> Option<SchemaName> {
        config.lake.value.parse().ok()
    }

    /// A SQL warehouse of the workspace, where names without a schema are those of the lake.
    pub fn warehouse(config: &Config, id: &str) -> Result<Warehouse, ServiceError> {
        Ok(Warehouse::new(Self::workspace(config)?, id, Self::schema(config)))
    }

    /// Examines the lake the settings name, which may be too damaged to open.
    pub async fn examine(config: &Config, extent: Extent) -> Result<Checkup, ServiceError> {
        let Place { root, catalog, .. } = Place::open(config, &config.lake.value, false).await?;
        let mut checkup =
            doctor::examine_to(&root.store, root.url.as_str(), &Format::default(), extent).await?;
        let inbox = match catalog {
            Some((catalog, schema)) => catalog.inbox_root(&schema, &root).await,
            None => Ok(InboxRoot::below(&root)),
        };
        match inbox {
            Ok(inbox) => doctor::examine_inbox(&mut checkup, &inbox, extent.is_full).await?,
            Err(fault) => tracing::warn!(%fault, "the table inbox was not looked at"),
        }
        Ok(checkup)
    }

    /// Copies a lake to a new place, which becomes a lake of its own, folded. A copy that was interrupted goes on. Also
    /// returns how many requests wait in the inbox that was not copied.
    pub async fn copy(
        config: &Config,
        from: &str,
        to: &str,
        up_to: Option<AsOf>,
    ) -> Result<(Copied, usize), ServiceError> {
        let source = Place::open(config, from, false).await.map_err(|fault| match fault {
            ServiceError::Store(StoreError::NotALake { .. }) => ServiceError::Input {
                place: from.to_owned(),
                message: "holds no lake to copy from".to_owned(),
                hint: Some("name a folder that lakeplan backup wrote, or a lake".to_owned()),
            },
            fault => fault,
        })?;
        let place = Place::open(config, to, true).await?;
        let target = &place.root;
        if target.url.as_str().starts_with(source.root.url.as_str()) {
            return Err(ServiceError::input(
                to,
                "lies in the lake itself; a copy goes beside it or elsewhere",
            ));
        }
        let copied =
            copy::copy(&source.root, target, up_to, &SystemClock, &SystemRandom::default()).await?;
        let root = target.clone();
        let there = Self::start(config, place, Begin::Open).await?;
        there.service.store.fold().await?;
        there.close().await;
        copy::finish(root.store.as_ref()).await?;
        // The copy is whole whether or not the inbox can be read.
        let waiting = source.waiting().await.unwrap_or_else(|err| {
            tracing::debug!(%err, "whether requests wait in the inbox could not be seen");
            0
        });
        Ok((copied, waiting))
    }

    async fn start(config: &Config, place: Place, begin: Begin) -> Result<Self, ServiceError> {
        let actor = Name::of_actor(&config.actor.value).map_err(|misfit| {
            ServiceError::input(&config.actor.origin, format!("the actor {misfit}"))
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
        let service = Service { store: Arc::clone(&store) as Arc<dyn Store>, clock, random, actor };
        Ok(Self { service, store, place, run: None, end: None, committed: None })
    }

    /// Comes when everything begun is done, also where a command failed before it could close.
    pub fn ended(&self) -> Option<oneshot::Receiver<()>> {
        self.store.ended()
    }

    /// Folds what is left unfolded, so that the tables show all there is. What may only be read is left as it is.
    pub async fn fold_if_may(&self) -> Result<(), ServiceError> {
        match self.service.store.fold().await {
            Err(StoreError::Catalog(fault)) if fault.is_of_rights() => {
                tracing::warn!(%fault, "the tables may lag behind the journal");
                Ok(())
            }
            folded => Ok(folded.map(drop)?),
        }
    }

    /// Brings the tables up to the journal, and rebuilds those of which a file is missing or has another size.
    pub async fn fold(&self) -> Result<FoldReport, ServiceError> {
        Ok(self.store.fold_looking().await?)
    }

    /// The tables that there are.
    pub async fn tables_there(&self) -> Result<Vec<&'static str>, ServiceError> {
        let (tables, mut there) = (self.tables(), Vec::new());
        for name in LakeTables::names() {
            if tables.files(name).await?.is_some() {
                there.push(name);
            }
        }
        Ok(there)
    }

    /// The tables, for SQL that reads what only Lakeplan writes.
    pub fn tables(&self) -> LakeTables {
        self.store.tables()
    }

    /// The tables, for SQL that reads the inbox too: in the lake, or where Databricks keeps it.
    pub async fn tables_with_inbox(&self) -> Result<LakeTables, ServiceError> {
        let inbox = self.place.inbox().await?;
        Ok(self.tables().with_inbox(inbox))
    }

    /// The tables that a query reads, which asks no catalog where it does not read the inbox.
    pub async fn tables_of(&self, reads: &Reads) -> Result<LakeTables, ServiceError> {
        if reads.names(INBOX) { self.tables_with_inbox().await } else { Ok(self.tables()) }
    }

    /// Rebuilds a current table from the journal, or all of them.
    pub async fn rebuild(&self, table: Option<FoldedTable>) -> Result<FoldReport, ServiceError> {
        Ok(self.store.rebuild(table).await?)
    }

    /// What an upgrade would do.
    pub async fn plan_upgrade(&self) -> Result<Upgrade, ServiceError> {
        let current = Format::default().current();
        let lake = self.service.state(&Scope::outline()).await?.lake;
        let format = lake.map(|lake| (lake.format_writer, current)).filter(|(from, to)| from < to);
        let repairs = self.service.find_repairs().await?;
        // Values that are cleared leave the tables with the fold that follows.
        let tables = self.store.unreadable_in_tables().await?;
        Ok(Upgrade { format, repairs, tables, done: Vec::new() })
    }

    /// Raises the lake to the format of this binary, clears what no field can hold, and rebuilds the current tables that
    /// still hold such values.
    pub async fn upgrade(&self) -> Result<Upgrade, ServiceError> {
        // What cannot be read of the tables is rebuilt before they are looked through.
        self.fold().await?;
        let mut upgrade = self.plan_upgrade().await?;
        if let Some((.., raised)) = self.service.upgrade(Format::default().current()).await? {
            upgrade.done.push(raised);
        }
        upgrade.done.extend(self.service.clear(&mut upgrade.repairs).await?);
        if !upgrade.repairs.is_empty() || !upgrade.tables.is_empty() {
            self.service.store.fold().await?;
            for (table, _) in self.store.unreadable_in_tables().await? {
                self.store.rebuild(Some(table)).await?;
            }
        }
        Ok(upgrade)
    }

    /// A round of maintenance with the usual retention.
    pub async fn maintain(&self) -> Result<Maintained, ServiceError> {
        let report = self.store.maintain(Retention::default()).await?;
        // The copy that made this lake may have been interrupted after its last table. A catalog gives rights to tables
        // and not to what lies beside them; nothing reads the marker while there is a journal.
        if self.place.catalog.is_none() {
            copy::finish(self.place.root.store.as_ref()).await?;
        }
        Ok(report)
    }

    /// How many files of the journal, and of its table, hold what an erase would take.
    pub async fn files_to_erase(
        &self,
        erasable: &Erasable,
    ) -> Result<(usize, usize), ServiceError> {
        Ok(self.store.files_holding(&erasable.rows, erasable.record).await?)
    }

    /// Where a person still stands after their record is erased.
    pub async fn mentions(
        &self,
        record: Slot,
        names: &Names,
    ) -> Result<Vec<Mention>, ServiceError> {
        let (tables, error) = match self.tables_with_inbox().await {
            Ok(tables) => (tables, None),
            Err(err) => (self.tables(), Some(err.to_string())),
        };
        let sql = |table: &str| {
            self.place
                .catalog
                .as_ref()
                .map_or_else(|| table.to_owned(), |(_, schema)| schema.quoted(table))
        };
        let inbox =
            InboxSeen { tables: &tables, error, names: [INBOX, INBOX_RESULTS.name].map(sql) };
        self.service.mentions(record, names, inbox).await
    }

    /// Erases a record: commits it, brings the tables up to it, and writes the journal's files anew.
    pub async fn erase(&self, erasable: &Erasable) -> Result<(Option<Done>, Erased), ServiceError> {
        // What cannot be brought up to now could not be erased from either.
        self.store.fold().await?;
        let done =
            self.service.erase(erasable.record.entity, &erasable.record.id.to_string()).await?;
        Ok((done, self.store.erase_named().await?))
    }

    /// Names the command that this is opened for.
    pub fn running(mut self, command: &'static str) -> Self {
        self.run = Some((command, self.service.clock.now()));
        self
    }

    /// Has it told, when this is closed, how the lake stands then.
    pub fn telling(mut self, end: &Arc<OnceLock<Head>>) -> Self {
        self.end = Some(Arc::clone(end));
        self
    }

    /// Has it told, when this is closed, which seq it committed last.
    pub fn noting(mut self, committed: &Arc<AtomicU64>) -> Self {
        self.committed = Some(Arc::clone(committed));
        self
    }

    async fn tell_end(&self) {
        let Some(end) = &self.end else { return };
        // A fold that fails leaves a lag, which is what is told.
        if let Err(fault) = self.store.fold().await {
            tracing::warn!(%fault, "the tables lag behind the journal");
        }
        match self.store.head().await {
            // The first lake that was opened is the one of the command.
            Ok(head) => drop(end.set(head)),
            Err(fault) => tracing::warn!(%fault, "the end of the journal could not be read"),
        }
    }

    async fn note_run(&self) -> Result<(), StoreError> {
        let Some((command, begun)) = self.run.filter(|_| self.store.has_written()) else {
            return Ok(());
        };
        let now = self.service.clock.now();
        let row = json!({
            "run_id": uuid_v7(now, self.service.random.as_ref()).to_string(), "started_at": rfc3339(begun),
            "duration_ms": (now - begun).num_milliseconds(), "command": command, "actor": self.service.actor.as_str(),
            "seq": self.store.head().await?.seq, "version": env!("CARGO_PKG_VERSION"),
        });
        match row {
            Value::Object(row) => self.store.append(&RUNS, vec![row]).await,
            _ => Ok(()),
        }
    }

    /// Notes the run and waits for what was begun beside the answers, such as a fold or a checkpoint.
    pub async fn close(self) {
        if let Some(committed) = &self.committed {
            committed.fetch_max(self.store.committed(), Ordering::AcqRel);
        }
        if let Err(fault) = self.note_run().await {
            tracing::warn!(%fault, "the command was not noted in runs");
        }
        self.tell_end().await;
        drop(self.service);
        if let Some(store) = Arc::into_inner(self.store) {
            store.close().await;
        }
    }
}
