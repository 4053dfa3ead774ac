//! Scores a plan against the answer of a careful reader.
//!
//! The answer names lines of the description: the lines that are work, the dependencies and the
//! requirements that they state. A plan is compared by the lines that its rows come from, not by its
//! wording, so that any planner can be scored that says where its rows come from.

mod gold;
mod score;

pub use gold::{Gold, GoldEdge, GoldNode, GoldRequirement, Verdict};
pub use score::{Score, Tally};
