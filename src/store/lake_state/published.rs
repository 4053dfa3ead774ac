//! The state that the writer publishes, so that readers need not wait for it.
//!
//! The writer publishes its head after every change. It publishes its state only once a reader has
//! asked for it: while a copy of the state is held, the next commit must copy the projects that it
//! changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::state::LakeState;
use crate::store::head::{Head, Snapshot};
use crate::store::scope::{Freshness, Scope};

/// The writer's end.
pub struct Publisher {
    heads: watch::Sender<Head>,
    states: watch::Sender<Option<Arc<Snapshot>>>,
    is_wanted: Arc<AtomicBool>,
}

/// The readers' end.
pub struct Published {
    heads: watch::Receiver<Head>,
    states: watch::Receiver<Option<Arc<Snapshot>>>,
    is_wanted: Arc<AtomicBool>,
}

/// Creates both ends for a writer that starts with a head.
pub fn channel(head: Head) -> (Publisher, Published) {
    let (heads, seen_heads) = watch::channel(head);
    let (states, seen_states) = watch::channel(None);
    let is_wanted = Arc::new(AtomicBool::new(false));
    let published =
        Published { heads: seen_heads, states: seen_states, is_wanted: Arc::clone(&is_wanted) };
    (Publisher { heads, states, is_wanted }, published)
}

impl Publisher {
    /// Publishes the state if it moved, or if more of it was loaded. The writer publishes before it
    /// answers a request.
    pub fn publish(&self, state: &LakeState, has_loaded: bool) {
        let head = state.look_at_head();
        let has_moved = *self.heads.borrow() != head;
        if (has_moved || has_loaded) && self.is_wanted.load(Ordering::Acquire) {
            self.states.send_replace(Some(Arc::new(state.snapshot())));
        }
        if has_moved {
            self.heads.send_replace(head);
        }
    }
}

impl Published {
    /// Returns a receiver of the head.
    pub fn heads(&self) -> watch::Receiver<Head> {
        self.heads.clone()
    }

    /// Returns the published state if it is fresh enough and contains the scope, as long as the
    /// writer runs. From then on, the writer publishes its state.
    pub fn get(&self, scope: &Scope, freshness: Freshness) -> Option<Arc<Snapshot>> {
        let oldest = match freshness {
            Freshness::Latest => return None,
            Freshness::AtLeast(seq) => seq,
            Freshness::Cached => 0,
        };
        self.is_wanted.store(true, Ordering::Release);
        if self.heads.has_changed().is_err() {
            return None;
        }
        let published = self.states.borrow().clone()?;
        (published.seq >= oldest && scope.is_loaded_in(&published.state)).then_some(published)
    }
}
