//! Records and changes as JSON for programs, the same in every interface.
//!
//! A view holds the record and the names of the records to which it refers, so that a text for
//! people can be made from it as well. In scope: the names and values of an output. Out of scope:
//! the choice of the records (`service`), and texts (`cli`).

pub mod change;
pub mod record;
pub mod task;
