//! Requirements: the statements of a description that the work must make true, and which tasks answer them.

use super::id::{PatchSetId, ProjectId, RequirementId, TaskId};
use super::record::record;
use super::time::Instant;
use super::value::{LongText, Name};

record! {
    /// A statement of a description that the work must make true.
    Requirement: Requirement, RequirementId {
        /// The project whose description states it.
        project_id: ProjectId, Once;
        /// Short name in the project, such as R7.
        label: Name, Required;
        /// The statement.
        text: LongText, Required;
        /// The text it stands in, such as a file's name.
        source: Option<Name>, Author;
        /// First line of the statement, counted from 1.
        source_line: Option<u32>, Author;
        /// Last line of the statement.
        source_end_line: Option<u32>, Author;
        /// When the requirement was recorded.
        created_at: Instant, Store;
        /// Who recorded it.
        created_by: Name, Store;
        /// When it last changed.
        updated_at: Instant, Store;
        /// Who changed it last.
        updated_by: Name, Store;
        /// When it was deleted, for instance because the description no longer states it.
        deleted_at: Option<Instant>, Store;
        /// Who deleted it.
        deleted_by: Option<Name>, Store;
        /// The patch set that deleted it, which is also what restores it.
        deleted_in: Option<PatchSetId>, Store;
    }
}

record! {
    /// A task answers a requirement.
    TaskRequirement: TaskRequirement, TaskRequirementId {
        /// The project of both.
        project_id: ProjectId, Store;
        /// The task.
        task_id: TaskId, Once;
        /// The requirement it answers.
        requirement_id: RequirementId, Once;
        /// When the link was made.
        created_at: Instant, Store;
        /// Who made it.
        created_by: Name, Store;
        /// When it last changed.
        updated_at: Instant, Store;
        /// Who changed it last.
        updated_by: Name, Store;
        /// When it was deleted; absent where it lives.
        deleted_at: Option<Instant>, Store;
        /// Who deleted it.
        deleted_by: Option<Name>, Store;
        /// The patch set that deleted it.
        deleted_in: Option<PatchSetId>, Store;
    }
}
