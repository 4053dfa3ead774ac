//! Lakes in Unity Catalog: `catalog.schema` names the location of that schema's table `journal`,
//! without its last folder.
//!
//! Each table is accessed with a credential that the catalog vends for it and that is renewed
//! before it expires; [`per_table_store`] combines them into one root. A caller without write
//! access gets a read-only lake. The table `inbox` may be elsewhere, and is then read there. A lake
//! to be created has one credential for its location.

mod client;
pub mod features;
mod inbox;
mod per_table_store;
mod preflight;
mod readonly;
mod root;
mod storage;
pub mod volume;

pub use client::Catalog;
pub use inbox::InboxRoot;
