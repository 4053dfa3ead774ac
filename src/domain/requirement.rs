//! Requirements: the statements of a description that the work must make true, and which tasks answer them.

use super::id::{ProjectId, RequirementId, TaskId};
use super::record::record;
use super::value::{LongText, Name};

record! {
    /// A statement of a description that the work must make true.
    Requirement: Requirement, RequirementId, tracked {
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
    }
}

record! {
    /// A task answers a requirement.
    TaskRequirement: TaskRequirement, TaskRequirementId, tracked {
        /// The project of both.
        project_id: ProjectId, Store;
        /// The task.
        task_id: TaskId, Once;
        /// The requirement it answers.
        requirement_id: RequirementId, Once;
    }
}
