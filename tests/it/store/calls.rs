//! The calls of a storage one by one: taken down as they come, and the nth of a kind made to fail.

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

/// What an object is to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Data,
    Entry,
    Checkpoint,
    Hint,
    /// What is listed.
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

/// The `nth` call of a kind, counted from 0, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub call: Call,
    pub nth: usize,
    pub fault: Fault,
}

/// A call that the storage carries out when its answer was long given up.
#[derive(Debug)]
pub enum Late {
    Put(Path, PutPayload, PutOptions),
    Delete(Path),
}

impl Late {
    async fn land(self, store: &dyn ObjectStore) {
        // A create that finds its name taken bounces, unseen by anyone.
        let _ = match self {
            Self::Put(path, payload, options) => {
                store.put_opts(&path, payload, options).await.map(drop)
            }
            Self::Delete(path) => store.delete(&path).await,
        };
    }
}

/// What is to happen to a call.
pub enum Meeting {
    Pass,
    Fault(Fault),
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<(Verb, String)>,
    point: Option<Point>,
    matching: usize,
    has_fired: bool,
    /// The process that used this store is gone: nothing it does reaches the storage any more.
    is_gone: bool,
    late: Vec<Late>,
    /// The objects that were there long ago; every other is new. `None` if ages are reported as they are.
    old: Option<(BTreeSet<String>, DateTime<Utc>, DateTime<Utc>)>,
}

/// The calls that come through one store.
#[derive(Debug, Default)]
pub struct Calls {
    state: Mutex<State>,
    fired: Notify,
    let_go: Notify,
}

impl Calls {
    /// Waits for this call from now on.
    pub fn await_point(&self, point: Point) {
        let mut state = self.state.lock().unwrap();
        (state.point, state.matching, state.has_fired) = (Some(point), 0, false);
    }

    /// The calls since this was asked last, with their paths.
    pub fn seen(&self) -> Vec<(Verb, String)> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// Returns when the point was met, or [`Calls::release`]d.
    pub async fn fired(&self) {
        self.fired.notified().await;
    }

    /// Lets go who waits for the point; whether it was met.
    pub fn release(&self) -> bool {
        self.fired.notify_one();
        let mut state = self.state.lock().unwrap();
        state.point = None;
        state.has_fired
    }

    /// Returns when the test lets go.
    pub async fn held(&self) {
        self.let_go.notified().await;
    }

    pub fn let_go(&self) {
        self.let_go.notify_one();
    }

    /// Objects of these names tell the one age, all others the other.
    pub fn age(&self, old: BTreeSet<String>, then: DateTime<Utc>, now: DateTime<Utc>) {
        self.state.lock().unwrap().old = Some((old, then, now));
    }

    pub fn aged(&self, mut meta: ObjectMeta) -> ObjectMeta {
        if let Some((old, then, now)) = &self.state.lock().unwrap().old {
            meta.last_modified = if old.contains(meta.location.as_ref()) { *then } else { *now };
        }
        meta
    }

    pub fn meet(&self, verb: Verb, path: &str) -> Result<Meeting> {
        let mut state = self.state.lock().unwrap();
        if state.is_gone {
            return Err(gone());
        }
        state.seen.push((verb, path.to_owned()));
        let Some(point) = state.point.clone().filter(|point| point.call == Call::of(verb, path))
        else {
            return Ok(Meeting::Pass);
        };
        state.matching += 1;
        if state.matching != point.nth + 1 {
            return Ok(Meeting::Pass);
        }
        state.has_fired = true;
        state.is_gone = matches!(point.fault, Fault::DieBefore | Fault::DieAfter);
        drop(state);
        self.fired.notify_one();
        Ok(Meeting::Fault(point.fault))
    }

    /// A read or a listing: it can only fail.
    pub fn meet_read(&self, verb: Verb, path: &str) -> Result<()> {
        match self.meet(verb, path)? {
            Meeting::Pass => Ok(()),
            Meeting::Fault(fault) => Err(unread(fault)),
        }
    }

    pub fn put_off(&self, late: Late) {
        self.state.lock().unwrap().late.push(late);
    }

    /// What was put off comes to pass.
    pub async fn land(&self, store: &dyn ObjectStore) {
        let late = std::mem::take(&mut self.state.lock().unwrap().late);
        for late in late {
            late.land(store).await;
        }
    }

    pub async fn delete(&self, store: Arc<dyn ObjectStore>, path: Path) -> Result<Path> {
        let error =
            |what: &str| Err(Error::Generic { store: "fault", source: what.to_owned().into() });
        let fault = match self.meet(Verb::Delete, path.as_ref())? {
            Meeting::Pass => return store.delete(&path).await.map(|()| path),
            Meeting::Fault(fault) => fault,
        };
        match fault {
            Fault::LandLate => {
                self.put_off(Late::Delete(path));
                return error("timed out");
            }
            Fault::FailAfter | Fault::DieAfter | Fault::FalseConflict => {
                store.delete(&path).await?
            }
            _ => {}
        }
        match fault {
            Fault::DieBefore | Fault::DieAfter => Err(gone()),
            Fault::FalseConflict => {
                Err(Error::NotFound { path: path.to_string(), source: "404".into() })
            }
            _ => error("500"),
        }
    }
}

/// What a read that fails is answered.
pub fn unread(fault: Fault) -> Error {
    match fault {
        Fault::DieBefore | Fault::DieAfter => gone(),
        _ => Error::Generic { store: "fault", source: "the connection was reset".into() },
    }
}

/// What a process that is gone would be answered.
pub fn gone() -> Error {
    Error::Generic { store: "fault", source: "the process is gone".into() }
}
