//! An object store that does what storage does on a bad day, by a seed.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lakeplan::store::durable::NotLanded;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::calls::{Calls, Late, Meeting, Verb, gone, unread};

/// What goes wrong with a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error, and nothing is stored.
    FailBefore,
    /// Stored, and then an error.
    FailAfter,
    /// No answer for a while, then an error; stored.
    Drop,
    /// An error now; the put lands later, if the name is still free then.
    LandLate,
    /// "It exists already", although it does not: what a 409 of a conditional put may mean.
    FalseConflict,
    /// 412, although nothing has the name.
    Precondition,
    /// 503, nothing stored.
    Throttle,
    /// Stored or refused as it should be, but only when a commit's deadline has passed.
    Slow,
    /// No answer for a second, then an error; the put lands after a commit's deadline, if the name is still free then.
    LandAfterDeadline,
    /// The disk is full and the store knows that nothing landed.
    Full,
    /// The process dies before the put: no answer ever comes, nothing is stored.
    DieBefore,
    /// The process dies after the put: no answer ever comes, it is stored.
    DieAfter,
    /// The call waits until the test lets it go; then it is as it should be.
    Hold,
}

pub const FAULTS: [Fault; 7] = [
    Fault::FailBefore,
    Fault::FailAfter,
    Fault::Drop,
    Fault::LandLate,
    Fault::FalseConflict,
    Fault::Throttle,
    Fault::Full,
];

/// Faults with a probability, or one planned for the nth matching put.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    Quiet,
    Random {
        share: f64,
    },
    /// Every put whose path contains `part`.
    Each {
        part: &'static str,
        fault: Fault,
    },
    /// Every read of a path that contains `part` fails.
    NoReads {
        part: &'static str,
    },
    /// The `nth` put whose path contains `part`, counted from 0.
    Once {
        part: &'static str,
        nth: u64,
        fault: Fault,
    },
}

#[derive(Debug)]
pub struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    random: Mutex<StdRng>,
    plan: Mutex<Plan>,
    matching: AtomicU64,
    /// How many faults there were.
    pub faults: AtomicU64,
    /// The calls one by one, beside the plan.
    pub calls: Arc<Calls>,
}

impl FaultStore {
    pub fn new(inner: Arc<dyn ObjectStore>, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            plan: Mutex::new(Plan::Quiet),
            matching: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            calls: Arc::default(),
        })
    }

    pub fn plan(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
        self.matching.store(0, Ordering::SeqCst);
    }

    fn draw(&self, path: &Path) -> Option<Fault> {
        let fault = match *self.plan.lock().unwrap() {
            Plan::Quiet | Plan::NoReads { .. } => None,
            Plan::Each { part, fault } => path.as_ref().contains(part).then_some(fault),
            Plan::Random { share } => {
                let mut random = self.random.lock().unwrap();
                random.random_bool(share).then(|| FAULTS[random.random_range(0..FAULTS.len())])
            }
            Plan::Once { part, nth, fault } => (path.as_ref().contains(part)
                && self.matching.fetch_add(1, Ordering::SeqCst) == nth)
                .then_some(fault),
        };
        if fault.is_some() {
            self.faults.fetch_add(1, Ordering::SeqCst);
        }
        fault
    }

    /// Reads fail too, as often, but only by saying so.
    fn read_fails(&self, path: &Path) -> Result<()> {
        let fails = match *self.plan.lock().unwrap() {
            Plan::Random { share } => self.random.lock().unwrap().random_bool(share / 3.0),
            Plan::NoReads { part } => path.as_ref().contains(part),
            _ => false,
        };
        if fails { Err(error("the connection was reset")) } else { Ok(()) }
    }

    fn listing(
        &self,
        prefix: Option<&Path>,
        list: impl FnOnce(&dyn ObjectStore) -> BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(fault) = self.calls.meet_read(Verb::List, prefix.map_or("", AsRef::as_ref)) {
            return futures::stream::once(async { Err(fault) }).boxed();
        }
        let calls = Arc::clone(&self.calls);
        list(self.inner.as_ref()).map_ok(move |meta| calls.aged(meta)).boxed()
    }

    async fn put_with(
        &self,
        fault: Fault,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match fault {
            Fault::FailBefore => Err(error("500 before it was stored")),
            Fault::Throttle => Err(error("503 SlowDown")),
            Fault::Full => {
                let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                Err(Error::Generic { store: "fault", source: NotLanded(full).into() })
            }
            Fault::DieBefore => std::future::pending().await,
            Fault::DieAfter => {
                let _ = self.inner.put_opts(location, payload, options).await;
                std::future::pending().await
            }
            Fault::FailAfter => {
                let _ = self.inner.put_opts(location, payload, options).await;
                Err(error("500 after it was stored"))
            }
            Fault::Drop => {
                let _ = self.inner.put_opts(location, payload, options).await;
                tokio::time::sleep(Duration::from_secs(3)).await;
                Err(error("the connection was dropped"))
            }
            Fault::LandLate => {
                let delay =
                    Duration::from_millis(self.random.lock().unwrap().random_range(1..60_000));
                let (inner, location) = (Arc::clone(&self.inner), location.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = inner.put_opts(&location, payload, options).await;
                });
                Err(error("timed out"))
            }
            Fault::Slow => {
                tokio::time::sleep(Duration::from_secs(31)).await;
                self.inner.put_opts(location, payload, options).await
            }
            Fault::LandAfterDeadline => {
                let (inner, location) = (Arc::clone(&self.inner), location.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(45)).await;
                    let _ = inner.put_opts(&location, payload, options).await;
                });
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(error("timed out"))
            }
            Fault::FalseConflict => {
                Err(Error::AlreadyExists { path: location.to_string(), source: "409".into() })
            }
            Fault::Precondition => {
                Err(Error::Precondition { path: location.to_string(), source: "412".into() })
            }
            Fault::Hold => {
                self.calls.held().await;
                self.inner.put_opts(location, payload, options).await
            }
        }
    }
}

fn error(what: &str) -> Error {
    Error::Generic { store: "fault", source: what.to_owned().into() }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({})", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for FaultStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match self.calls.meet(Verb::Put, location.as_ref())? {
            // Here time need not pass: what is late lands when the test says so, and who is gone asks for no more.
            Meeting::Fault(Fault::LandLate) => {
                self.calls.put_off(Late::Put(location.clone(), payload, options));
                return Err(error("timed out"));
            }
            Meeting::Fault(Fault::DieBefore) => return Err(gone()),
            Meeting::Fault(Fault::DieAfter) => {
                let _ = self.inner.put_opts(location, payload, options).await;
                return Err(gone());
            }
            Meeting::Fault(fault) => return self.put_with(fault, location, payload, options).await,
            Meeting::Pass => {}
        }
        match self.draw(location) {
            Some(fault) => self.put_with(fault, location, payload, options).await,
            None => self.inner.put_opts(location, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if let Meeting::Fault(fault) = self.calls.meet(Verb::Get, location.as_ref())? {
            match fault {
                Fault::Hold => self.calls.held().await,
                fault => return Err(unread(fault)),
            }
        }
        self.read_fails(location)?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.calls.meet_read(Verb::Get, location.as_ref())?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (calls, inner) = (Arc::clone(&self.calls), Arc::clone(&self.inner));
        let one = move |path| {
            let (calls, inner) = (Arc::clone(&calls), Arc::clone(&inner));
            async move { calls.delete(inner, path).await }
        };
        locations.and_then(one).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, |inner| inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, |inner| inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.calls.meet_read(Verb::List, prefix.map_or("", AsRef::as_ref))?;
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed.objects = listed.objects.into_iter().map(|meta| self.calls.aged(meta)).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
