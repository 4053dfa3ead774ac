//! Decides what should happen to tasks: pure functions from a state to patches.
//!
//! Includes planning from a description, the interface and the checks of all planners (`valid_plan`
//! for the form, `explicit` for the marks of the text, `eval` for known answers), merging, splitting
//! and choosing the next task. Excludes clocks, storage, models, and facts about a task
//! that hold regardless of any plan (see `domain`). Results are patches and plain values.

pub mod effort;
pub mod eval;
pub mod explicit;
pub mod merge;
pub mod next;
pub mod outline;
pub mod plan;
pub mod plan_problem;
pub mod planner;
pub mod replan;
pub mod split;
pub mod timeline;
pub mod unverified;
pub mod valid_plan;
