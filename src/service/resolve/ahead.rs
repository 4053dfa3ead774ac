//! Decides whether the meaning of a name depends on its position in the set. Most sets do not refer
//! to anything that they change themselves, and need not be applied twice.

use uuid::Uuid;

use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::exchange::patchset::{RawPatch, Request};

/// Whether a patch refers by name to a record that an earlier one may have created, renamed, linked
/// or deleted.
pub fn is_needed(request: &Request) -> bool {
    let mut changed = Changed::default();
    request.patches.iter().any(|patch| {
        let is_concerned = changed.concerns(patch);
        changed.note(patch);
        is_concerned
    })
}

/// Kinds of names that the patches so far may have changed.
#[derive(Default)]
struct Changed {
    users: bool,
    projects: bool,
    requirements: bool,
    /// Links between records.
    links: bool,
}

impl Changed {
    fn concerns(&self, patch: &RawPatch) -> bool {
        let unlinks_by_ends = patch.op == Op::Unlink && patch.id.is_none();
        self.links && unlinks_by_ends
            || patch.references().any(|(entity, word)| self.changed(entity) && is_name(word))
    }

    fn changed(&self, entity: Entity) -> bool {
        match entity {
            Entity::User => self.users,
            Entity::Project => self.projects,
            // Its name includes its project.
            Entity::Requirement => self.projects || self.requirements,
            Entity::Task
            | Entity::TaskLink
            | Entity::TaskRequirement
            | Entity::Lake
            | Entity::Sync(_) => false,
        }
    }

    fn note(&mut self, patch: &RawPatch) {
        let changes_names = patch.op != Op::Move;
        match patch.entity {
            Entity::User => self.users |= changes_names,
            Entity::Project => self.projects |= changes_names,
            Entity::Requirement => self.requirements |= changes_names,
            Entity::Task
            | Entity::TaskLink
            | Entity::TaskRequirement
            | Entity::Lake
            | Entity::Sync(_) => {}
        }
        // Links are deleted and restored with their ends.
        self.links |= match patch.entity {
            Entity::TaskLink | Entity::TaskRequirement => true,
            Entity::Task => matches!(patch.op, Op::Delete | Op::Restore | Op::Move),
            Entity::Project | Entity::Requirement => matches!(patch.op, Op::Delete | Op::Restore),
            Entity::User | Entity::Lake | Entity::Sync(_) => false,
        };
    }
}

/// Whether a word is a name, that is, neither an id nor a local name.
fn is_name(word: &str) -> bool {
    !word.starts_with('$') && Uuid::try_parse(word).is_err()
}
