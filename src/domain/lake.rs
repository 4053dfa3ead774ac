//! The lake's own row: the journal's first change, and the place where its format stands.

use super::record::record;
use super::time::Instant;
use super::value::{Name, Zone};

record! {
    /// What holds for the whole lake.
    Lake: Lake, LakeId {
        /// The storage URL where the lake was made or last adopted. Opened from elsewhere, it is a copy.
        root: Name, Store;
        /// The lowest format a binary must know to read the lake.
        format_reader: u32, Store;
        /// The lowest format a binary must know to write to the lake.
        format_writer: u32, Store;
        /// The time zone in which a day begins and ends for the team (IANA).
        time_zone: Option<Zone>, Author;
        /// The deepest level a task may stand on; 0 is the top, 5 the deepest there is.
        max_depth: u8, Author;
        /// When the lake was made.
        created_at: Instant, Store;
        /// When the row last changed.
        updated_at: Instant, Store;
        /// Who changed it last.
        updated_by: Name, Store;
    }
}
