//! A committed patch as the journal records it: the fields that it touched, before and after.

use uuid::Uuid;

use super::id::ProjectId;
use super::patch::Op;
use super::record::{Entity, Fields};

/// Change of one record. A patch makes one, and one more for each record that it affects: a move
/// changes the paths of all descendants, a delete also deletes the branch.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub entity: Entity,
    pub id: Uuid,
    /// The project the record belongs to after the change.
    pub project: Option<ProjectId>,
    pub op: Op,
    /// Previous values of the touched fields; null means absent.
    pub before: Fields,
    /// New values of the touched fields; null means cleared.
    pub after: Fields,
}
