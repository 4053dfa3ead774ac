//! People and agents who do the work.

use super::id::{PatchSetId, UserId};
use super::record::record;
use super::time::{Instant, Minutes};
use super::value::{Metadata, Name, Zone};

record! {
    /// A person or an agent.
    User: User, UserId {
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
        /// When the user was created.
        created_at: Instant, Store;
        /// Who created it.
        created_by: Name, Store;
        /// When it last changed.
        updated_at: Instant, Store;
        /// Who changed it last.
        updated_by: Name, Store;
        /// When the user was deleted; absent where it lives.
        deleted_at: Option<Instant>, Store;
        /// Who deleted it.
        deleted_by: Option<Name>, Store;
        /// The patch set that deleted it, which is also what restores it.
        deleted_in: Option<PatchSetId>, Store;
    }
}
