//! The composition root: from settings to the parts a command works with. The only file that names concrete adapters.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::domain::time::{AsOf, Instant, rfc3339};
use crate::domain::value::Name;
use crate::runtime::{Clock, Random, SystemClock, SystemRandom, uuid_v7};
use crate::service::change::Done;
use crate::service::erase::Erasable;
use crate::service::{Service, ServiceError};
use crate::store::appended::RUNS;
use crate::store::copy::{self, Copied};
use crate::store::delta::{DeltaStore, Root};
use crate::store::doctor::{self, Checkup, Extent};
use crate::store::{Erased, Format, Head, LakeTables, Maintained, Retention, Store, StoreError};

/// An open lake and what works on it.
pub struct App {
    pub service: Service,
    store: Arc<DeltaStore>,
    /// What is being run, and since when; what changes the lake is noted in `runs`.
    run: Option<(&'static str, Instant)>,
    /// Where it is told how the lake stood at the end, for who asked.
    end: Option<Arc<OnceLock<Head>>>,
}

impl App {
    /// Opens the lake the settings name.
    pub async fn open(config: &Config) -> Result<Self, ServiceError> {
        let root = Root::open(&config.lake.value, false)?;
        Self::start(config, |clock, random| async move { DeltaStore::open(&root, Format::default(), clock, random).await }).await
    }

    /// Makes the lake the settings name.
    pub async fn create(config: &Config) -> Result<Self, ServiceError> {
        let root = Root::open(&config.lake.value, true)?;
        Self::start(config, |clock, random| async move { DeltaStore::create(&root, Format::default(), clock, random).await })
            .await
    }

    /// Examines the lake the settings name, which may be too damaged to open.
    pub async fn examine(config: &Config, extent: Extent) -> Result<Checkup, ServiceError> {
        let root = Root::open(&config.lake.value, false)?;
        Ok(doctor::examine_to(&root.store, root.url.as_str(), &Format::default(), extent).await?)
    }

    /// Copies the lake of the settings to a new place, which becomes a lake of its own, folded.
    pub async fn copy(config: &Config, from: &str, to: &str, up_to: Option<AsOf>) -> Result<Copied, ServiceError> {
        let (source, target) = (Root::open(from, false)?, Root::open(to, true)?);
        if target.url.as_str().starts_with(source.url.as_str()) {
            return Err(ServiceError::input(to, "lies in the lake itself; a copy goes beside it or elsewhere"));
        }
        let copied = copy::copy(&source, &target, up_to, &SystemClock, &SystemRandom::default()).await?;
        let there =
            Self::start(config, |clock, random| async move { DeltaStore::open(&target, Format::default(), clock, random).await })
                .await?;
        there.service.store.fold().await?;
        there.close().await;
        Ok(copied)
    }

    async fn start<F>(config: &Config, open: impl FnOnce(Arc<dyn Clock>, Arc<dyn Random>) -> F) -> Result<Self, ServiceError>
    where
        F: Future<Output = Result<DeltaStore, StoreError>>,
    {
        let actor = Name::new(&config.actor.value)
            .map_err(|misfit| ServiceError::input(&config.actor.origin, format!("the actor {misfit}")))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom::default());
        let store = Arc::new(open(Arc::clone(&clock), Arc::clone(&random)).await?);
        let service = Service { store: Arc::clone(&store) as Arc<dyn Store>, clock, random, actor };
        Ok(Self { service, store, run: None, end: None })
    }

    /// Comes when everything begun is done, also where a command failed before it could close.
    pub fn ended(&self) -> Option<oneshot::Receiver<()>> {
        self.store.ended()
    }

    /// The tables, for SQL.
    pub fn tables(&self) -> LakeTables {
        self.store.tables()
    }

    /// A round of maintenance with the usual retention.
    pub async fn maintain(&self) -> Result<Maintained, ServiceError> {
        Ok(self.store.maintain(Retention::default()).await?)
    }

    /// How many files of the journal, and of its table, hold what an erase would take.
    pub async fn files_to_erase(&self, erasable: &Erasable) -> Result<(usize, usize), ServiceError> {
        Ok(self.store.files_holding(&erasable.rows, erasable.record).await?)
    }

    /// Erases a record: commits it, brings the tables up to it, and writes the journal's files anew.
    pub async fn erase(&self, erasable: &Erasable) -> Result<(Option<Done>, Erased), ServiceError> {
        let done = self.service.erase(erasable.record.entity, &erasable.record.id.to_string()).await?;
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
        let Some((command, begun)) = self.run.filter(|_| self.store.has_written()) else { return Ok(()) };
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
