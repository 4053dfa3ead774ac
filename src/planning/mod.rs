//! What should happen to the tasks: pure verbs from a state to patches.
//!
//! Belongs here: planning from a description, merging, splitting, choosing what is next. Does not: clocks, storage,
//! models; what is true of a task whatever anyone wants (that is `domain`). Data leaves as patches and as values.

pub mod effort;
pub mod merge;
pub mod next;
pub mod outline;
pub mod plan;
pub mod replan;
pub mod split;
pub mod timeline;
