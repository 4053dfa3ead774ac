//! The calls to a storage one by one: recorded in order, and the nth call of a kind can fail.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, Result,
};
use tokio::sync::Notify;

use super::fault::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Put,
    Get,
    List,
    Delete,
}

/// The role of an object in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Data,
    Entry,
    Checkpoint,
    Hint,
    /// The prefix of a listing.
    Folder,
}

/// A kind of call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub verb: Verb,
    pub table: String,
    pub kind: Kind,
}

impl Call {
    pub fn of(verb: Verb, path: &str) -> Self {
        let kind = match path {
            _ if verb == Verb::List => Kind::Folder,
            _ if path.ends_with("_last_checkpoint") => Kind::Hint,
            _ if path.contains(".checkpoint") => Kind::Checkpoint,
            _ if path.ends_with(".json") => Kind::Entry,
            _ => Kind::Data,
        };
        Self { verb, table: path.split('/').next().unwrap_or_default().to_owned(), kind }
    }
}

/// The `nth` call of a kind, counted from 0, and its fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failpoint {
    pub call: Call,
    pub nth: usize,
    pub fault: Fault,
}

/// A call that the storage executes long after the caller has stopped waiting.
#[derive(Debug)]
pub enum DelayedCall {
    Put(Path, PutPayload, PutOptions),
    Delete(Path),
}

impl DelayedCall {
    async fn land(self, store: &dyn ObjectStore) {
        // A create whose name is taken fails, and nobody sees the error.
        let _ = match self {
            Self::Put(path, payload, options) => {
                store.put_opts(&path, payload, options).await.map(drop)
            }
            Self::Delete(path) => store.delete(&path).await,
        };
    }
}

/// The decision about a call.
pub enum Decision {
    Pass,
    Fault(Fault),
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<(Verb, String)>,
    failpoint: Option<Failpoint>,
    matching: usize,
    has_fired: bool,
    /// The process that used this store is gone: none of its calls reaches the storage any more.
    is_gone: bool,
    delayed: Vec<DelayedCall>,
    /// The old objects, with the times for old and new ones; all others are new. `None` if the real
    /// times are reported.
    old: Option<(BTreeSet<String>, DateTime<Utc>, DateTime<Utc>)>,
}

/// The calls to one store.
#[derive(Debug, Default)]
pub struct Calls {
    state: Mutex<State>,
    fired: Notify,
    resume: Notify,
}

impl Calls {
    /// Sets the failpoint to wait for.
    pub fn set_failpoint(&self, failpoint: Failpoint) {
        let mut state = self.state.lock().unwrap();
        (state.failpoint, state.matching, state.has_fired) = (Some(failpoint), 0, false);
    }

    /// Returns the calls since the last time, with their paths.
    pub fn seen(&self) -> Vec<(Verb, String)> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// Returns when the failpoint was hit, or [`Calls::release`]d.
    pub async fn fired(&self) {
        self.fired.notified().await;
    }

    /// Releases the waiter for the failpoint. Returns whether it was hit.
    pub fn release(&self) -> bool {
        self.fired.notify_one();
        let mut state = self.state.lock().unwrap();
        state.failpoint = None;
        state.has_fired
    }

    /// Returns when the test resumes the call.
    pub async fn wait_for_resume(&self) {
        self.resume.notified().await;
    }

    pub fn resume(&self) {
        self.resume.notify_one();
    }

    /// Makes these objects report the time `then`, and all others `now`.
    pub fn set_ages(&self, old: BTreeSet<String>, then: DateTime<Utc>, now: DateTime<Utc>) {
        self.state.lock().unwrap().old = Some((old, then, now));
    }

    pub fn with_age(&self, mut meta: ObjectMeta) -> ObjectMeta {
        if let Some((old, then, now)) = &self.state.lock().unwrap().old {
            meta.last_modified = if old.contains(meta.location.as_ref()) { *then } else { *now };
        }
        meta
    }

    pub fn decide(&self, verb: Verb, path: &str) -> Result<Decision> {
        let mut state = self.state.lock().unwrap();
        if state.is_gone {
            return Err(process_gone());
        }
        state.seen.push((verb, path.to_owned()));
        let Some(failpoint) =
            state.failpoint.clone().filter(|failpoint| failpoint.call == Call::of(verb, path))
        else {
            return Ok(Decision::Pass);
        };
        state.matching += 1;
        if state.matching != failpoint.nth + 1 {
            return Ok(Decision::Pass);
        }
        state.has_fired = true;
        state.is_gone = matches!(failpoint.fault, Fault::DieBefore | Fault::DieAfter);
        drop(state);
        self.fired.notify_one();
        Ok(Decision::Fault(failpoint.fault))
    }

    /// Decides about a read or a listing, which can only fail.
    pub fn decide_read(&self, verb: Verb, path: &str) -> Result<()> {
        match self.decide(verb, path)? {
            Decision::Pass => Ok(()),
            Decision::Fault(fault) => Err(read_error(fault)),
        }
    }

    pub fn delay(&self, delayed: DelayedCall) {
        self.state.lock().unwrap().delayed.push(delayed);
    }

    /// Executes the delayed calls.
    pub async fn land(&self, store: &dyn ObjectStore) {
        let delayed = std::mem::take(&mut self.state.lock().unwrap().delayed);
        for delayed in delayed {
            delayed.land(store).await;
        }
    }

    pub async fn delete(&self, store: Arc<dyn ObjectStore>, path: Path) -> Result<Path> {
        let error =
            |what: &str| Err(Error::Generic { store: "fault", source: what.to_owned().into() });
        let fault = match self.decide(Verb::Delete, path.as_ref())? {
            Decision::Pass => return store.delete(&path).await.map(|()| path),
            Decision::Fault(fault) => fault,
        };
        match fault {
            Fault::LandLate => {
                self.delay(DelayedCall::Delete(path));
                return error("timed out");
            }
            Fault::FailAfter | Fault::DieAfter | Fault::FalseConflict => {
                store.delete(&path).await?
            }
            _ => {}
        }
        match fault {
            Fault::DieBefore | Fault::DieAfter => Err(process_gone()),
            Fault::FalseConflict => {
                Err(Error::NotFound { path: path.to_string(), source: "404".into() })
            }
            _ => error("500"),
        }
    }
}

/// Returns the error of a failed read.
pub fn read_error(fault: Fault) -> Error {
    match fault {
        Fault::DieBefore | Fault::DieAfter => process_gone(),
        _ => Error::Generic { store: "fault", source: "the connection was reset".into() },
    }
}

/// Returns the error for calls of a process that is gone.
pub fn process_gone() -> Error {
    Error::Generic { store: "fault", source: "the process is gone".into() }
}
