//! Random changes against a second, simple model of the domain, which shares no code with the first.
//!
//! The model is written from the design alone: lists of siblings instead of positions, a matrix of "not before" instead
//! of a walk. It predicts of every set whether it is accepted and how the lake stands afterwards. What it does not
//! decide: the undo of a set that is not the last one. There it is checked that a refusal changes nothing, and that what
//! was accepted left the tree, the keys and the links sound.

mod binary;
mod generate;
mod model;
mod rules;
mod service;

use std::fmt;

/// What a run did.
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

/// Names what differs, and not what is the same.
fn assert_same(found: &[String], wanted: &[String], result: &str) {
    let without = |from: &[String], others: &[String]| -> Vec<String> {
        from.iter().filter(|line| !others.contains(line)).cloned().collect()
    };
    let (more, less) = (without(found, wanted), without(wanted, found));
    assert!(found == wanted, "{result}\nthe lake has  {more:#?}\nthe model has {less:#?}");
}
