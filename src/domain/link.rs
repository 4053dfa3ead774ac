//! Links between tasks.

use super::id::{ProjectId, TaskId};
use super::record::record;
use super::time::Lag;
use super::value::string_enum;

string_enum! {
    /// Relation between two tasks.
    LinkKind {
        /// `from` depends on `to`.
        DependsOn = "depends_on",
        Relates = "relates",
        /// `from` is the same work as `to`; `to` stays.
        Duplicates = "duplicates",
    }
}

string_enum! {
    /// Dependency type: which end of the prerequisite constrains which end of the dependent task.
    /// Finish to start is the most common.
    DependencyType {
        FinishToStart = "FS",
        StartToStart = "SS",
        FinishToFinish = "FF",
        StartToFinish = "SF",
    }
}

record! {
    /// A link from one task to another. Dependencies stay inside one project and never form a
    /// cycle.
    TaskLink: TaskLink, TaskLinkId, tracked {
        /// The project of the source task.
        project_id: ProjectId, Managed;
        /// The source task; for a dependency, the task that waits.
        from_id: TaskId, SetOnCreate;
        /// The target task; for a dependency, the task that it waits for.
        to_id: TaskId, SetOnCreate;
        /// depends_on, relates or duplicates.
        kind: LinkKind, SetOnCreate;
        /// FS, SS, FF or SF: which end of the prerequisite constrains which end of the dependent
        /// task. Dependencies only.
        dependency: DependencyType, Editable;
        /// Lag between the two ends in work minutes; a negative lag lets them overlap. Dependencies
        /// only.
        lag_minutes: Lag, Editable;
    }
}
