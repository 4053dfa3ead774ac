//! Requirements: statements of a description that the work must fulfill, and the tasks that cover
//! them.

use super::id::{ProjectId, RequirementId, TaskId};
use super::record::record;
use super::value::{LongText, Metadata, Name};

record! {
    /// A statement of a description that the work must fulfill.
    Requirement: Requirement, RequirementId, tracked {
        /// The project whose description contains it.
        project_id: ProjectId, SetOnCreate;
        /// Short name in the project, such as R7.
        label: Name, RequiredOnCreate;
        /// The statement.
        text: LongText, RequiredOnCreate;
        /// The text that contains it, such as a file name.
        source: Option<Name>, Editable;
        /// First line of the statement, counted from 1.
        source_line: Option<u32>, Editable;
        /// Last line of the statement.
        source_end_line: Option<u32>, Editable;
        /// The values that the last plan set, for the merge of the next one; absent if no plan stated
        /// the requirement. Only plans write it.
        plan_base: Option<Metadata>, Planner;
    }
}

record! {
    /// A link from a task to a requirement that the task covers.
    TaskRequirement: TaskRequirement, TaskRequirementId, tracked {
        /// The project of both.
        project_id: ProjectId, Managed;
        /// The task.
        task_id: TaskId, SetOnCreate;
        /// The requirement that the task covers.
        requirement_id: RequirementId, SetOnCreate;
    }
}
