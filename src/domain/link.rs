//! Links between tasks.

use super::id::{ProjectId, TaskId};
use super::record::record;
use super::time::Lag;
use super::value::words;

words! {
    /// What one task is to another.
    LinkKind {
        /// `from` depends on `to`.
        DependsOn = "depends_on",
        Relates = "relates",
        /// `from` is the same work as `to`, which stays.
        Duplicates = "duplicates",
    }
}

words! {
    /// Which end of the prerequisite holds which end of the dependent: finish to start is the usual one.
    DependencyType {
        FinishToStart = "FS",
        StartToStart = "SS",
        FinishToFinish = "FF",
        StartToFinish = "SF",
    }
}

record! {
    /// A link from one task to another. A dependency stays inside one project and never makes a circle.
    TaskLink: TaskLink, TaskLinkId, tracked {
        /// The project of the task it starts from.
        project_id: ProjectId, Store;
        /// The task it starts from; of a dependency, the one that waits.
        from_id: TaskId, Once;
        /// The task it leads to; of a dependency, the one waited for.
        to_id: TaskId, Once;
        /// depends_on, relates or duplicates.
        kind: LinkKind, Once;
        /// FS, SS, FF or SF: which end of the prerequisite holds which end of the dependent. Dependencies only.
        dependency: DependencyType, Author;
        /// Work minutes to wait between the two ends; negative lets them overlap. Dependencies only.
        lag_minutes: Lag, Author;
    }
}
