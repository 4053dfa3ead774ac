//! Lists: choose records by a query, and return them as views.
//!
//! In scope: filters, order, limits and pages. Out of scope: the words of a query that a person
//! types, and the layout of a list (`cli`).

pub mod history;
pub mod next;
pub mod projects;
pub mod tasks;
pub mod tree;
pub mod users;
