//! The lake's own row: the first change of the journal, which also holds the format version.

use super::record::record;
use super::time::Instant;
use super::value::{Name, Zone};

/// The first format in which records store the values of the last plan. Before, these values lay in
/// the metadata of tasks and projects.
pub const PLAN_BASE: u32 = 2;

record! {
    /// Settings of the whole lake.
    Lake: Lake, LakeId {
        /// The storage URL at which the lake was created or last adopted. A lake opened at another
        /// URL is a copy.
        root: Name, Managed;
        /// The lowest format that a binary must support to read the lake.
        format_reader: u32, Managed;
        /// The lowest format that a binary must support to write to the lake.
        format_writer: u32, Managed;
        /// The time zone that defines the team's days (IANA).
        time_zone: Option<Zone>, Editable;
        /// The deepest level allowed for a task: 0 is the top level, 5 is the maximum.
        max_depth: u8, Editable;
        /// When the lake was created.
        created_at: Instant, Managed;
        /// When the row last changed.
        updated_at: Instant, Managed;
        /// Who changed it last.
        updated_by: Name, Managed;
    }
}
