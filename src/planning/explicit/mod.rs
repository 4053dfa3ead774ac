//! Counts the explicit marks of a description again, and compares them with a plan.
//!
//! An explicit mark is something that a writer states by form: a checkbox, a row of a task table, a
//! numbered step, or an owner, effort, date, state, priority, tag or dependency in its usual
//! notation. This module reads them from the raw lines and shares no code with the planners, so that
//! it can check any of them. It sees only form: it does not know which section is about work.

mod account;
mod cells;
mod ledger;
mod line_marks;
mod mark;
mod notation;
mod scan;

pub use account::{Account, Count, Fate, UnreadMark};
pub use ledger::{Ledger, LedgerLine, Place};
pub use line_marks::marks;
pub use mark::{Mark, MarkKind};
