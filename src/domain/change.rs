//! A committed patch, as the journal holds it: what it touched, before and after.

use uuid::Uuid;

use super::id::ProjectId;
use super::patch::Op;
use super::record::{Entity, Fields};

/// One change of one record. A patch gives one, and one more for every other record it carries along:
/// a move changes the paths of what stands below, a delete takes the branch with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub entity: Entity,
    pub id: Uuid,
    /// The project the record belongs to after the change.
    pub project: Option<ProjectId>,
    pub op: Op,
    /// The touched fields as they were; null = absent.
    pub before: Fields,
    /// The touched fields as they are; null = cleared.
    pub after: Fields,
}
