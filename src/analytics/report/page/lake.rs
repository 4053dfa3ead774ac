//! What the section on the lake itself shows of a patch set.

use super::super::{Change, format};

/// Patch set, with what it did: `3 tasks created, 1 user updated`.
pub struct ChangeSet<'r> {
    pub first: &'r Change,
    pub did: String,
    pub project: &'r str,
}

/// Groups changes by patch set.
pub fn changes(changes: &[Change]) -> Vec<ChangeSet<'_>> {
    changes.chunk_by(|one, next| one.seq == next.seq).filter_map(ChangeSet::of).collect()
}

impl<'r> ChangeSet<'r> {
    fn of(changes: &'r [Change]) -> Option<Self> {
        Some(Self {
            first: changes.first()?,
            did: changes.iter().map(did).collect::<Vec<_>>().join(", "),
            project: changes.iter().find_map(|change| change.project.as_deref()).unwrap_or("–"),
        })
    }
}

/// Describes a change: `3 tasks created`.
fn did(change: &Change) -> String {
    let noun = match change.entity.as_str() {
        "task_link" => "dependency".to_owned(),
        "task_requirement" => "requirement link".to_owned(),
        entity => format::words(entity),
    };
    let noun = if change.changes > 1 && noun.ends_with('y') {
        noun.trim_end_matches('y').to_owned() + "ie"
    } else {
        noun
    };
    let verb = match change.op.as_str() {
        "link" => "linked".to_owned(),
        "unlink" => "unlinked".to_owned(),
        op if op.ends_with('e') => format!("{op}d"),
        op => format!("{op}ed"),
    };
    format!("{} {verb}", format::count(&change.changes, &noun))
}
