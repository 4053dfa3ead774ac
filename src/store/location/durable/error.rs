//! Errors of the durable store.

use std::io;

use thiserror::Error;

/// Name of this store in errors.
pub(super) const STORE: &str = "DurableLocal";

/// A failed write that certainly left nothing under the name, whatever the cause.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct NotLanded(#[source] pub io::Error);
