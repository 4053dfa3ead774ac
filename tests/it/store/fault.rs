//! An object store with injected faults, chosen by a seed.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lakeplan::store::location::durable::NotLanded;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::calls::{Calls, Decision, DelayedCall, Verb, process_gone, read_error};

/// A fault of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error, and nothing is stored.
    FailBefore,
    /// Stored, and then an error.
    FailAfter,
    /// Stored, but no response for a while, and then an error.
    Drop,
    /// An error now; the put lands later if the name is still free then.
    LandLate,
    /// "It exists already", although it does not: a possible meaning of a 409 for a conditional
    /// put.
    FalseConflict,
    /// 412, although the name is free.
    Precondition,
    /// 503, nothing is stored.
    Throttle,
    /// Stored or refused correctly, but only after a commit's deadline.
    Slow,
    /// No response for a second, then an error. The put lands after a commit's deadline if the name
    /// is still free then.
    LandAfterDeadline,
    /// The disk is full, and the store knows that nothing was stored.
    Full,
    /// The process dies before the put: there is no response, and nothing is stored.
    DieBefore,
    /// The process dies after the put: there is no response, and the object is stored.
    DieAfter,
    /// The call waits until the test resumes it, and then succeeds.
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

/// Random faults, or a fault planned for the nth matching put.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    Quiet,
    Random {
        share: f64,
    },
    /// Every put of a path that contains `part`.
    Each {
        part: &'static str,
        fault: Fault,
    },
    /// Every read of a path that contains `part` fails.
    NoReads {
        part: &'static str,
    },
    /// The `nth` put of a path that contains `part`, counted from 0.
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
    /// Number of faults so far.
    pub faults: AtomicU64,
    /// The single calls, in addition to the plan.
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

    /// Reads fail at a third of the rate, and only with an error.
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
        if let Err(err) = self.calls.decide_read(Verb::List, prefix.map_or("", AsRef::as_ref)) {
            return futures::stream::once(async { Err(err) }).boxed();
        }
        let calls = Arc::clone(&self.calls);
        list(self.inner.as_ref()).map_ok(move |meta| calls.with_age(meta)).boxed()
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
                self.calls.wait_for_resume().await;
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
        match self.calls.decide(Verb::Put, location.as_ref())? {
            // Failpoints need no passing of time: the test executes the delayed put, and a process
            // that is gone makes no more calls.
            Decision::Fault(Fault::LandLate) => {
                self.calls.delay(DelayedCall::Put(location.clone(), payload, options));
                return Err(error("timed out"));
            }
            Decision::Fault(Fault::DieBefore) => return Err(process_gone()),
            Decision::Fault(Fault::DieAfter) => {
                let _ = self.inner.put_opts(location, payload, options).await;
                return Err(process_gone());
            }
            Decision::Fault(fault) => {
                return self.put_with(fault, location, payload, options).await;
            }
            Decision::Pass => {}
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
        if let Decision::Fault(fault) = self.calls.decide(Verb::Get, location.as_ref())? {
            match fault {
                Fault::Hold => self.calls.wait_for_resume().await,
                fault => return Err(read_error(fault)),
            }
        }
        self.read_fails(location)?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.calls.decide_read(Verb::Get, location.as_ref())?;
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
        self.calls.decide_read(Verb::List, prefix.map_or("", AsRef::as_ref))?;
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed.objects = listed.objects.into_iter().map(|meta| self.calls.with_age(meta)).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
