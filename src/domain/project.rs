//! Projects.

use chrono::NaiveDate;

use super::id::UserId;
use super::key::ProjectKey;
use super::record::record;
use super::value::{LongText, Metadata, Name, Title, Zone, string_enum};

string_enum! {
    /// Status of a project.
    ProjectStatus {
        Planned = "planned",
        Active = "active",
        OnHold = "on_hold",
        Completed = "completed",
        Archived = "archived",
    }
}

impl Project {
    /// Whether the project is neither deleted nor archived.
    pub fn is_visible(&self) -> bool {
        self.deleted_at.is_none() && self.status != ProjectStatus::Archived
    }
}

record! {
    /// A body of work with its own tasks, requirements and task numbers.
    Project: Project, ProjectId, tracked {
        /// Short name, unique in the lake; the first part of its tasks' keys. It never changes.
        key: ProjectKey, SetOnCreate;
        /// The name of the project.
        name: Title, RequiredOnCreate;
        /// The description, Markdown or plain text, from which plans are made.
        description: Option<LongText>, Editable;
        /// planned, active, on_hold, completed or archived (hidden by default, still valid).
        status: ProjectStatus, Editable;
        /// The user who is responsible for the project.
        owner: Option<UserId>, Editable;
        /// The day on which work may begin.
        start_date: Option<NaiveDate>, Editable;
        /// The day by which it should be done.
        due_date: Option<NaiveDate>, Editable;
        /// The project's time zone (IANA); if absent, the lake's.
        time_zone: Option<Zone>, Editable;
        /// The source of the description; no two live projects have the same source.
        source: Option<Name>, Editable;
        /// Free-form data about the project.
        metadata: Metadata, Editable;
        /// The values that the last plan set, for the merge of the next one; absent if no plan stated
        /// the project. Only plans write it.
        plan_base: Option<Metadata>, Planner;
        /// The highest number of a task that moved to another project. With the numbers in use, it
        /// prevents the reuse of a number.
        left_number: u32, Managed;
    }
}
