//! People and agents who do the work.

use uuid::Uuid;

use super::id::UserId;
use super::record::record;
use super::time::Minutes;
use super::value::{Metadata, Name, Zone};

record! {
    /// A person or an agent.
    User: User, UserId, tracked {
        /// Short name, unique among living users, written @handle in a description.
        handle: Name, Required;
        /// The full name.
        name: Option<Name>, Author;
        /// The e-mail address, unique among living users.
        email: Option<Name>, Author;
        /// The time zone in which they work (IANA).
        time_zone: Option<Zone>, Author;
        /// Work minutes they have in a day; 480 where absent.
        day_minutes: Option<Minutes>, Author;
        /// The user this one was merged into: assignments to either mean that one.
        merged_into: Option<UserId>, Author;
        /// Free facts about the user.
        metadata: Metadata, Author;
    }
}

/// Whether a name is taken for the id of a record wherever one is named. A project key is too short to be one.
pub fn reads_as_id(name: &str) -> bool {
    Uuid::try_parse(name).is_ok()
}
