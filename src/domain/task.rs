//! Tasks: a tree in each project, at most six levels deep.

use chrono::NaiveDate;

use super::id::{ProjectId, TaskId, UserId};
use super::key::TaskKey;
use super::record::record;
use super::time::{Estimate, Instant, Minutes, whole_minute};
use super::value::{Importance, LongText, Metadata, Name, Tags, Title, string_enum};

string_enum! {
    /// Status of a task. Any transition is allowed, because trackers allow any.
    TaskStatus {
        Pending = "pending",
        Assigned = "assigned",
        InProgress = "in_progress",
        Review = "review",
        Blocked = "blocked",
        OnHold = "on_hold",
        Completed = "completed",
        Cancelled = "cancelled",
        Archived = "archived",
    }
}

impl TaskStatus {
    /// Whether work on the task has ended, in any way.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Archived)
    }
}

string_enum! {
    /// Priority of a task.
    Priority {
        Low = "low",
        Medium = "medium",
        High = "high",
        Critical = "critical",
    }
}

string_enum! {
    /// Kind of a task.
    TaskKind {
        /// A piece of work.
        Task = "task",
        /// A point in time without effort. It has no estimate and no subtasks.
        Milestone = "milestone",
    }
}

record! {
    /// A piece of work, or a milestone.
    Task: Task, TaskId, tracked {
        /// The project of the task.
        project_id: ProjectId, SetOnCreate;
        /// The name for people, such as PAY-42; never reused.
        key: TaskKey, Managed;
        /// Keys in the projects from which it moved; they still find the task.
        former_keys: Tags, Managed;
        /// The parent task; absent at the top level.
        parent_id: Option<TaskId>, SetOnCreate;
        /// Order among its siblings; the value itself has no meaning.
        position: i64, Managed;
        /// Depth below the top level: 0 to 5.
        depth: u8, Managed;
        /// The keys from the top-level task to this task, joined by '/'.
        path: Name, Managed;
        /// The top-level task of its branch; the task itself at the top level.
        root_id: TaskId, Managed;
        /// The work in one line.
        title: Title, RequiredOnCreate;
        /// task, or milestone: a point in time, at its due date, without estimate and subtasks.
        kind: TaskKind, Editable;
        /// Details, Markdown or plain text.
        description: Option<LongText>, Editable;
        /// pending, assigned, in_progress, review, blocked, on_hold, completed, cancelled (will not be
        /// done) or archived.
        status: TaskStatus, Editable;
        /// low, medium, high or critical.
        priority: Option<Priority>, Editable;
        /// The user who is to do the work.
        assignee_id: Option<UserId>, Editable;
        /// The day by which it should be done.
        due_date: Option<NaiveDate>, Editable;
        /// The earliest start day.
        not_before: Option<NaiveDate>, Editable;
        /// Work minutes, optimistic estimate.
        estimate_low: Option<Minutes>, Editable;
        /// Work minutes, most likely estimate.
        estimate_likely: Option<Minutes>, Editable;
        /// Work minutes, pessimistic estimate.
        estimate_high: Option<Minutes>, Editable;
        /// Work minutes spent so far.
        actual_minutes: Option<Minutes>, Editable;
        /// Importance, from 1 (low) to 5.
        importance: Option<Importance>, Editable;
        /// The time by which it is due under a service-level agreement.
        sla_due: Option<Instant>, Editable;
        /// When its status or its spent minutes last changed.
        last_progress_at: Option<Instant>, Managed;
        /// When work on it first started: when its status first became in_progress.
        started_at: Option<Instant>, Managed;
        /// When it was last completed; absent unless it is completed, or archived since.
        completed_at: Option<Instant>, Managed;
        /// Calendar minutes from creation to completion.
        lead_minutes: Option<i64>, Managed;
        /// Calendar minutes from the first start of work to completion.
        cycle_minutes: Option<i64>, Managed;
        /// Labels.
        tags: Tags, Editable;
        /// The text from which it was planned, such as a file name.
        source: Option<Name>, Editable;
        /// First line of the task in that text, counted from 1.
        source_line: Option<u32>, Editable;
        /// Last line of the task in that text.
        source_end_line: Option<u32>, Editable;
        /// Free-form data about the task.
        metadata: Metadata, Editable;
        /// The values that the last plan set, for the merge of the next one; absent if no plan stated
        /// the task. Only plans write it.
        plan_base: Option<Metadata>, Planner;
    }
}

impl Task {
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none()
    }

    pub fn is_milestone(&self) -> bool {
        self.kind == TaskKind::Milestone
    }

    /// Records a change of the status or the spent minutes at `at`; `was` is the previous status
    /// (pending for a new task).
    ///
    /// Only changes of its own status count. A task into which another is merged keeps its own
    /// times. A task that leaves the archive keeps its completion time.
    pub fn note_progress(&mut self, was: TaskStatus, at: Instant) {
        self.last_progress_at = Some(at);
        if self.status == was {
            return;
        }
        match self.status {
            TaskStatus::Completed if was == TaskStatus::Archived => {
                self.completed_at = self.completed_at.or(Some(at))
            }
            TaskStatus::Completed => self.completed_at = Some(at),
            TaskStatus::Archived => {}
            _ => self.completed_at = None,
        }
        if self.status == TaskStatus::InProgress {
            self.started_at = self.started_at.or(Some(at));
        }
        let minutes = |from: Instant, end: Instant| whole_minute(end) - whole_minute(from);
        self.lead_minutes = self.completed_at.map(|end| minutes(self.created_at, end));
        self.cycle_minutes =
            self.started_at.zip(self.completed_at).map(|(start, end)| minutes(start, end));
    }

    /// Returns the estimate if the likely effort is known, which is also the default for low and
    /// high.
    pub fn estimate(&self) -> Option<Estimate> {
        let likely = self.estimate_likely?;
        Some(Estimate {
            low: self.estimate_low.unwrap_or(likely),
            likely,
            high: self.estimate_high.unwrap_or(likely),
        })
    }
}
