//! Opens the object store of a lake: a local folder, a cloud location, or a schema in Unity Catalog.
//!
//! [`open`] opens a folder or a storage URL, [`catalog`] opens a schema. Everything above sees one
//! [`LakeLocation`]: a URL and a store rooted there. [`durable`] makes writes to a local folder
//! survive a power cut, and [`cloud`] explains the errors of cloud storages.

pub mod catalog;
pub mod cloud;
pub mod durable;
pub mod enclosing;
mod open;
mod probe;
pub mod read_only_dir;
mod root;

pub use probe::{PROBE, probe};
pub use root::LakeLocation;
