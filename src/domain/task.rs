//! Tasks: a tree in each project, at most six levels deep.

use chrono::NaiveDate;

use super::id::{ProjectId, TaskId, UserId};
use super::key::TaskKey;
use super::record::record;
use super::time::{Estimate, Instant, Minutes, whole_minute};
use super::value::{Importance, LongText, Metadata, Name, Tags, Title, words};

words! {
    /// Where a task stands. Any move between them is allowed, because trackers make any.
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
    /// Work on the task has ended, one way or the other.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Archived)
    }
}

words! {
    /// What comes first.
    Priority {
        Low = "low",
        Medium = "medium",
        High = "high",
        Critical = "critical",
    }
}

record! {
    /// A piece of work.
    Task: Task, TaskId, tracked {
        /// The project it belongs to.
        project_id: ProjectId, Once;
        /// The name people use, such as PAY-42; never reused.
        key: TaskKey, Store;
        /// Keys it had in projects it was moved from; they still find it.
        former_keys: Tags, Store;
        /// The task it is part of; absent at the top.
        parent_id: Option<TaskId>, Once;
        /// Order among its siblings; only the order means something.
        position: i64, Store;
        /// Levels below the top: 0 to 5.
        depth: u8, Store;
        /// The keys from the top down to this task, joined by '/'.
        path: Name, Store;
        /// The task at the top of its branch, itself where it stands there.
        root_id: TaskId, Store;
        /// What is to be done, in a line.
        title: Title, Required;
        /// Details, Markdown or plain text.
        description: Option<LongText>, Author;
        /// pending, assigned, in_progress, review, blocked, on_hold, completed, cancelled (will not be done) or archived.
        status: TaskStatus, Author;
        /// low, medium, high or critical.
        priority: Option<Priority>, Author;
        /// Who is to do it.
        assignee_id: Option<UserId>, Author;
        /// The day it is to be done.
        due_date: Option<NaiveDate>, Author;
        /// The day before which it cannot begin.
        not_before: Option<NaiveDate>, Author;
        /// Work minutes if all goes well.
        estimate_low: Option<Minutes>, Author;
        /// Work minutes that are likely.
        estimate_likely: Option<Minutes>, Author;
        /// Work minutes if much goes wrong.
        estimate_high: Option<Minutes>, Author;
        /// Work minutes spent so far.
        actual_minutes: Option<Minutes>, Author;
        /// How much it matters, 1 (little) to 5.
        importance: Option<Importance>, Author;
        /// The moment by which a promise to others requires it.
        sla_due: Option<Instant>, Author;
        /// When its status or its spent work last changed.
        last_progress_at: Option<Instant>, Store;
        /// When work on it first began: its status first became in_progress.
        started_at: Option<Instant>, Store;
        /// When it was last completed; absent unless it is completed, or archived since.
        completed_at: Option<Instant>, Store;
        /// Minutes of calendar time from its creation to its completion.
        lead_minutes: Option<i64>, Store;
        /// Minutes of calendar time from when work on it first began to its completion.
        cycle_minutes: Option<i64>, Store;
        /// Labels.
        tags: Tags, Author;
        /// The text it was planned from, such as a file's name.
        source: Option<Name>, Author;
        /// First line of that text which it comes from, counted from 1.
        source_line: Option<u32>, Author;
        /// Last line of that text which it comes from.
        source_end_line: Option<u32>, Author;
        /// Free facts about the task.
        metadata: Metadata, Author;
    }
}

impl Task {
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// Notes that its status or its spent work moved at `at`, where `was` is the status before; a new task was pending.
    ///
    /// Only the moves of its own status count: a task that another is merged into keeps its own times, and one that is
    /// taken out of the archive was completed when it was completed, not when it came back.
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

    /// The estimate where the likely effort is known; the ends default to it.
    pub fn estimate(&self) -> Option<Estimate> {
        let likely = self.estimate_likely?;
        Some(Estimate {
            low: self.estimate_low.unwrap_or(likely),
            likely,
            high: self.estimate_high.unwrap_or(likely),
        })
    }
}
