//! The lake's format: which binaries may read and write it, and how older payloads are read by newer ones.
//!
//! The format stands in the lake's own row, the journal's first, so a raise is ordered against every writer. Each row
//! carries the version of its payload; an older payload is brought up by pure functions, one per step.

use super::error::StoreError;
use crate::domain::lake::Lake;
use crate::domain::record::{Entity, Fields};

/// Brings the fields of one change from a version to the next.
pub type Upcast = fn(Entity, Fields) -> Fields;

/// The format a binary knows.
#[derive(Clone, Debug)]
pub struct Format {
    /// The version it writes, which is the highest it reads.
    current: u32,
    /// The step from version i+1 to i+2, for every i below `current`.
    upcasts: Vec<Upcast>,
}

impl Default for Format {
    /// The format of this binary.
    fn default() -> Self {
        Self::with(Vec::new())
    }
}

impl Format {
    /// A format that follows version 1 by these steps.
    pub fn with(upcasts: Vec<Upcast>) -> Self {
        Self { current: upcasts.len() as u32 + 1, upcasts }
    }

    pub fn current(&self) -> u32 {
        self.current
    }

    /// The fields of a payload of version `v`, in the current version.
    pub(super) fn read(&self, v: u32, entity: Entity, fields: Fields) -> Fields {
        let steps = self.upcasts.iter().skip(v.max(1) as usize - 1);
        steps.fold(fields, |fields, step| step(entity, fields))
    }

    pub(super) fn may_read(&self, lake: &Lake, root: &str) -> Result<(), StoreError> {
        self.check(lake.format_reader, root, "read")
    }

    pub(super) fn may_write(&self, lake: &Lake, root: &str) -> Result<(), StoreError> {
        self.check(lake.format_writer, root, "write")
    }

    fn check(&self, needed: u32, root: &str, verb: &'static str) -> Result<(), StoreError> {
        if needed <= self.current {
            return Ok(());
        }
        Err(StoreError::NewerFormat { root: root.to_owned(), verb, needed, known: self.current })
    }
}
