//! The result of committing a patch set.

use uuid::Uuid;

use super::error::StoreError;
use crate::domain::apply::Conflict;
use crate::domain::id::PatchSetId;
use crate::domain::violation::Violation;

/// Result of committing a patch set.
#[must_use = "an outcome decides what the caller may say has happened"]
#[derive(Debug)]
pub enum Outcome {
    /// The set is durably in the journal, at `seq`; `keys` are the names given to the records it
    /// created.
    Committed { seq: u64, keys: Vec<(Uuid, String)> },
    /// The same set was already committed, or another set of the same inbox request; `seq` and `id`
    /// identify the committed set.
    AlreadyCommitted { seq: u64, id: PatchSetId },
    /// A value that the set expected is no longer current.
    Conflicted(Conflict),
    /// The set breaks rules; all violations are listed.
    Refused(Vec<Violation>),
    /// The set is not in the journal and this attempt can never put it there; a retry is safe.
    NotWritten { cause: StoreError },
    /// The storage did not reveal the result. Repeating the set with the same id is safe and
    /// settles it.
    Unknown { patch_set_id: PatchSetId, cause: StoreError },
}
