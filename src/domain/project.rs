//! Projects.

use chrono::NaiveDate;

use super::id::UserId;
use super::key::ProjectKey;
use super::record::record;
use super::value::{LongText, Metadata, Name, Title, Zone, words};

words! {
    /// Where a project stands.
    ProjectStatus {
        Planned = "planned",
        Active = "active",
        OnHold = "on_hold",
        Completed = "completed",
        Archived = "archived",
    }
}

impl Project {
    /// Neither deleted nor archived.
    pub fn is_in_sight(&self) -> bool {
        self.deleted_at.is_none() && self.status != ProjectStatus::Archived
    }
}

record! {
    /// A body of work with its own tasks, requirements and task numbers.
    Project: Project, ProjectId, tracked {
        /// Short name, unique in the lake, the first part of its tasks' keys; it never changes.
        key: ProjectKey, Once;
        /// What the project is called.
        name: Title, Required;
        /// The description, Markdown or plain text; plans are made from it.
        description: Option<LongText>, Author;
        /// planned, active, on_hold, completed or archived (out of sight, still true).
        status: ProjectStatus, Author;
        /// Who answers for the project.
        owner: Option<UserId>, Author;
        /// The day work may begin.
        start_date: Option<NaiveDate>, Author;
        /// The day it is to be done.
        due_date: Option<NaiveDate>, Author;
        /// The project's time zone (IANA); the lake's where absent.
        time_zone: Option<Zone>, Author;
        /// Where the description was read from; no two living projects have the same source.
        source: Option<Name>, Author;
        /// Free facts about the project.
        metadata: Metadata, Author;
        /// The highest number of a task that was moved away; with the numbers in use it keeps numbers from being given twice.
        left_number: u32, Store;
    }
}
