//! People and agents who do the work.

use uuid::Uuid;

use super::id::UserId;
use super::record::record;
use super::time::Minutes;
use super::value::{Metadata, Name, Zone};

record! {
    /// A person or an agent.
    User: User, UserId, tracked {
        /// Short name, unique among live users, written as @handle in a description.
        handle: Name, RequiredOnCreate;
        /// The full name.
        name: Option<Name>, Editable;
        /// The e-mail address, unique among live users.
        email: Option<Name>, Editable;
        /// The time zone in which the user works (IANA).
        time_zone: Option<Zone>, Editable;
        /// Work minutes available per day; 480 if absent.
        day_minutes: Option<Minutes>, Editable;
        /// The user into which this one was merged; assignments to either mean that user.
        merged_into: Option<UserId>, Editable;
        /// Free-form data about the user.
        metadata: Metadata, Editable;
    }
}

/// Whether a name would be read as the id of a record. A project key is too short for that.
pub fn reads_as_id(name: &str) -> bool {
    Uuid::try_parse(name).is_ok()
}
