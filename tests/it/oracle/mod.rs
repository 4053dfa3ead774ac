//! Random changes, checked against a second, simple model of the domain, which shares no code with
//! the first.
//!
//! The model follows the design alone: lists of siblings instead of positions, a matrix of "not
//! before" instead of a graph search. It predicts for every set whether it is accepted, and the
//! lake after it. It does not predict the undo of a set that is not the last one. In that case, the
//! test checks that a refusal changes nothing, and that an accepted undo leaves the tree, the keys
//! and the links valid.

mod actions;
mod binary;
mod generate;
mod link_rules;
mod model;
mod rules;
mod service;

use std::fmt;

/// Statistics of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub steps: usize,
    pub accepted: usize,
    pub refused: usize,
    pub undone: usize,
    pub undo_refused: usize,
    pub as_of: usize,
    pub reopened: usize,
    pub folded: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} steps: {} sets accepted, {} refused; {} undone, {} undos refused; {} reads of the past, {} reopened, {} folded",
            self.steps,
            self.accepted,
            self.refused,
            self.undone,
            self.undo_refused,
            self.as_of,
            self.reopened,
            self.folded
        )
    }
}

/// Asserts equality, and reports only the differences.
fn assert_same(found: &[String], expected: &[String], result: &str) {
    let without = |from: &[String], others: &[String]| -> Vec<String> {
        from.iter().filter(|line| !others.contains(line)).cloned().collect()
    };
    let (more, less) = (without(found, expected), without(expected, found));
    assert!(found == expected, "{result}\nthe lake has  {more:#?}\nthe model has {less:#?}");
}
