//! Lakes of the test harness that check themselves: when a test ends, the check-up must find
//! nothing. It verifies the hash chain of the journal and compares the current tables with the
//! replayed journal.
//!
//! A test that damages a lake on purpose says so with `skip_check`.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lakeplan::store::Format;
use lakeplan::store::delta::LakeLocation;
use lakeplan::store::doctor::examine;
use tempfile::TempDir;

/// Whether to check a lake at the end of the test.
#[derive(Default)]
struct Check {
    is_skipped: AtomicBool,
}

impl Check {
    /// Runs the check-up, except if the test has failed already.
    fn run(&self, lake: &LakeLocation) {
        if self.is_skipped.load(Ordering::Relaxed) || thread::panicking() {
            return;
        }
        let store = lake.store.clone();
        // Another thread, because a runtime cannot block within the runtime of the test.
        let check = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(examine(&store, "lake", &Format::default(), None))
        };
        let checkup = thread::spawn(check).join().unwrap();
        let findings = checkup.expect("the lake cannot be checked").findings;
        assert!(findings.is_empty(), "the test leaves a lake that is not sound: {findings:?}");
    }

    fn skip(&self) {
        self.is_skipped.store(true, Ordering::Relaxed);
    }
}

/// A lake in memory, checked when it is dropped.
pub struct MemoryLake {
    location: LakeLocation,
    check: Check,
}

impl MemoryLake {
    pub fn new(location: LakeLocation) -> Self {
        Self { location, check: Check::default() }
    }

    /// Leaves the lake unchecked, for the stated reason.
    pub fn skip_check(&self, _reason: &str) {
        self.check.skip();
    }

    /// Returns the location alone and leaves the lake unchecked, for the stated reason.
    pub fn unchecked(&self, reason: &str) -> LakeLocation {
        self.skip_check(reason);
        self.location.clone()
    }
}

impl Deref for MemoryLake {
    type Target = LakeLocation;

    fn deref(&self) -> &LakeLocation {
        &self.location
    }
}

impl Drop for MemoryLake {
    fn drop(&mut self) {
        self.check.run(&self.location);
    }
}

/// A temporary folder with a lake in `lake`, checked when it is dropped.
pub struct LakeFolder {
    folder: TempDir,
    check: Check,
}

impl LakeFolder {
    pub fn new(folder: TempDir) -> Self {
        Self { folder, check: Check::default() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the lake unchecked, for the stated reason.
    pub fn skip_check(&self, _reason: &str) {
        self.check.skip();
    }
}

impl Drop for LakeFolder {
    fn drop(&mut self) {
        let path = self.folder.path().join("lake");
        match LakeLocation::open(path.to_str().unwrap(), false) {
            Ok(lake) => self.check.run(&lake),
            Err(err) if !self.check.is_skipped.load(Ordering::Relaxed) && !thread::panicking() => {
                panic!("the test leaves no lake: {err}")
            }
            Err(_) => {}
        }
    }
}
