//! Typed identifiers. Every id is a UUID; its type names the entity, so that a task id cannot be
//! used as a project id.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Common interface of all typed ids: they wrap a UUID and can be made from one.
pub trait EntityId: Copy + Eq + Ord + std::hash::Hash {
    fn uuid(self) -> Uuid;
    fn of(uuid: Uuid) -> Self;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl EntityId for $name {
            fn uuid(self) -> Uuid {
                self.0
            }
            fn of(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// Id of a lake: one team's tables under one root.
    LakeId,
    ProjectId,
    TaskId,
    TaskLinkId,
    UserId,
    RequirementId,
    TaskRequirementId,
    /// Id of a patch set, the public unit of change. A UUIDv7, so its first 48 bits are its time.
    PatchSetId,
}

#[cfg(test)]
ids! {
    SyncNoteId,
}

impl PatchSetId {
    /// Returns the creation time of the id in milliseconds since the epoch; `None` if it is not a
    /// UUIDv7.
    pub fn millis(self) -> Option<i64> {
        if self.0.get_version_num() != 7 {
            return None;
        }
        let bytes = self.0.as_bytes();
        let mut wide = [0u8; 8];
        wide[2..].copy_from_slice(&bytes[..6]);
        Some(i64::from_be_bytes(wide))
    }

    /// Returns the part of an id that [`PatchSetId::of_event`] derives from the event alone, not
    /// from its time.
    pub fn event(self) -> [u8; 10] {
        let mut event = [0; 10];
        event.copy_from_slice(&self.0.as_bytes()[6..]);
        event
    }

    /// Derives the id of a set from the event that caused it (a webhook delivery, an inbox row, a
    /// file). The same event at the same time always gives the same id, so a second delivery is a
    /// repeat.
    pub fn of_event(millis: i64, event: &[u8]) -> Self {
        let digest = Sha256::digest(event);
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&digest[..10]);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }
}

/// Whether an id has the form of one derived from a patch set. It depends on a hash of the set's
/// id, so no other record has such an id unless an author gave it.
pub fn is_derived_from(set: PatchSetId, id: Uuid) -> bool {
    id.get_version_num() == 8 && id.as_bytes()[..6] == set.0.as_bytes()[..6]
}

/// Derives the id of a record that a patch set creates under a local name. It depends only on the
/// set and the name, so that a repeat of the set refers to the same record.
pub fn derived(set: PatchSetId, name: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(set.0.as_bytes());
    hash.update(name.as_bytes());
    let digest = hash.finalize();
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&set.0.as_bytes()[..6]);
    bytes[6..].copy_from_slice(&digest[..10]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_always_gives_the_same_id_and_keeps_its_time() {
        let first = PatchSetId::of_event(1_700_000_000_123, b"delivery 7");
        assert_eq!(first, PatchSetId::of_event(1_700_000_000_123, b"delivery 7"));
        assert_ne!(first, PatchSetId::of_event(1_700_000_000_123, b"delivery 8"));
        assert_eq!(first.millis(), Some(1_700_000_000_123));
        assert_eq!(first.event(), PatchSetId::of_event(5, b"delivery 7").event());
        assert_ne!(first.event(), PatchSetId::of_event(1_700_000_000_123, b"delivery 8").event());
    }

    #[test]
    fn a_random_uuid_has_no_time() {
        let id: PatchSetId = "5f3f2d54-1111-4222-8333-444455556666".parse().unwrap();
        assert_eq!(id.millis(), None);
    }
}
