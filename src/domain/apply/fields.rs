//! Fills a record from a patch and checks the rules between its fields.

use std::sync::Arc;

use serde_json::Value;

use super::{Applier, ApplyResult, Failed};
use crate::domain::any_record::AnyRecord;
use crate::domain::hint::Hint;
use crate::domain::id::{EntityId, UserId};
use crate::domain::patch::{Patch, Source};
use crate::domain::project::Project;
use crate::domain::record::{Access, Field};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::user::reads_as_id;
use crate::domain::value::FieldValue;
use crate::domain::violation::{Rule, Violation};

impl Applier<'_> {
    /// Sets the fields of `patch` on `record`. Reports every invalid field, not only the first.
    pub(super) fn fill(
        &mut self,
        record: &mut AnyRecord,
        patch: &Patch,
        creating: bool,
    ) -> ApplyResult {
        let known = self.violations.len();
        let fields = record.entity().fields();
        for (name, value) in &patch.fields {
            let place = format!("fields.{name}");
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                let err = Violation::new(
                    self.patch,
                    Rule::UnknownField,
                    format!("a {} has no such field", record.entity().noun()),
                );
                let err = err.field(place);
                self.refuse(match nearest(name, fields) {
                    Some(known) => err.hint(format!("did you mean {known}?")),
                    None => err,
                });
                continue;
            };
            let allowed = match field.access {
                Access::Editable | Access::RequiredOnCreate => true,
                Access::SetOnCreate => creating,
                Access::Managed => false,
                Access::Planner => self.may_write_plan_base(value),
            };
            if !allowed {
                let message = match field.access {
                    Access::SetOnCreate => {
                        "is set when the entity is created and cannot be changed"
                    }
                    Access::Planner => "is set by plans only",
                    _ => "is set by Lakeplan only",
                };
                self.refuse(Violation::new(self.patch, Rule::FieldNotYours, message).field(place));
            } else if value.is_null() && field.access == Access::RequiredOnCreate {
                self.refuse(
                    Violation::new(self.patch, Rule::Required, "cannot be cleared").field(place),
                );
            } else if let Err(invalid) = record.set(name, value) {
                self.refuse(Violation::new(self.patch, Rule::Value, invalid.0).field(place));
            }
        }
        if creating {
            for field in fields.iter().filter(|field| field.access == Access::RequiredOnCreate) {
                if !patch.fields.contains_key(field.name) {
                    let err = Violation::new(self.patch, Rule::Required, "must be given");
                    self.refuse(err.field(format!("fields.{}", field.name)));
                }
            }
        }
        if self.violations.len() > known { Err(Failed) } else { Ok(()) }
    }

    /// Whether this set may write a value that a plan remembers. An undo gives back what a plan
    /// wrote, and an erase clears it.
    fn may_write_plan_base(&self, value: &Value) -> bool {
        match self.set.source {
            Source::Plan | Source::Undo => true,
            Source::Maintenance => value.is_null(),
            _ => false,
        }
    }

    /// Checks the rules between fields and towards other records, on the record as it would be
    /// after the patch.
    pub(super) fn check(&mut self, record: &mut AnyRecord, patch: &Patch) -> ApplyResult {
        let known = self.violations.len();
        match record {
            AnyRecord::Task(task) => {
                let task = Arc::make_mut(task);
                self.check_estimate(task.estimate_low, task.estimate_likely, task.estimate_high);
                self.check_milestone(task, patch);
                if let (Some(begin), Some(due)) = (task.not_before, task.due_date)
                    && begin > due
                    && touches(patch, &["not_before", "due_date"])
                {
                    let message = format!("not_before {begin} is after due_date {due}");
                    self.refuse(
                        Violation::new(self.patch, Rule::DateOrder, message)
                            .field("fields.not_before"),
                    );
                }
                if touches(patch, &["assignee_id"]) {
                    task.assignee_id = self.check_user(task.assignee_id, "assignee_id");
                }
            }
            AnyRecord::Project(project) => {
                let project = Arc::make_mut(project);
                if let (Some(start), Some(due)) = (project.start_date, project.due_date)
                    && start > due
                {
                    let message = format!("start_date {start} is after due_date {due}");
                    self.refuse(
                        Violation::new(self.patch, Rule::DateOrder, message)
                            .field("fields.start_date"),
                    );
                }
                if touches(patch, &["owner"]) {
                    project.owner = self.check_user(project.owner, "owner");
                }
                if touches(patch, &["source"]) {
                    let project = project.clone();
                    self.check_source(&project);
                }
            }
            AnyRecord::User(user) => {
                let user = Arc::clone(user);
                if touches(patch, &["handle"]) {
                    self.check_handle(user.handle.as_str());
                }
                self.check_user_names(
                    user.id,
                    user.handle.as_str(),
                    user.email.as_ref().map(|email| email.as_str()),
                );
                if let Some(into) = user.merged_into
                    && touches(patch, &["merged_into"])
                {
                    self.check_merge_target(user.id, into);
                }
            }
            AnyRecord::Requirement(requirement) => {
                let taken = self.state.project(requirement.project_id).is_some_and(|project| {
                    project.requirements().any(|other| {
                        other.deleted_at.is_none()
                            && other.id != requirement.id
                            && other.label == requirement.label
                    })
                });
                if taken && requirement.deleted_at.is_none() {
                    let message =
                        format!("the project already has a requirement {}", requirement.label);
                    self.refuse(
                        Violation::new(self.patch, Rule::KeyTaken, message).field("fields.label"),
                    );
                }
            }
            AnyRecord::Lake(_)
            | AnyRecord::TaskLink(_)
            | AnyRecord::TaskRequirement(_)
            | AnyRecord::Sync(_) => {}
        }
        if self.violations.len() > known { Err(Failed) } else { Ok(()) }
    }

    /// Refuses a source that another live project has. Planning that text again could not tell the
    /// two projects apart.
    fn check_source(&mut self, project: &Project) {
        let Some(key) = self.other_of_source(project).map(|other| other.key.clone()) else {
            return;
        };
        let source = project.source.as_ref().map(ToString::to_string).unwrap_or_default();
        let message = format!("{source} is the source of the project {key}");
        let err = Violation::new(self.patch, Rule::AlreadyExists, message).field("fields.source");
        self.refuse(err.hint(Hint::ChangeOrDeleteProject { key }));
    }

    /// Returns another live project with the same source.
    pub(super) fn other_of_source(&self, project: &Project) -> Option<&Project> {
        let source = project.source.as_ref()?;
        let projects = self.state.projects().filter_map(|found| found.project().map(AsRef::as_ref));
        projects
            .filter(|other: &&Project| other.id != project.id && other.deleted_at.is_none())
            .find(|other| other.source.as_ref() == Some(source))
    }

    fn check_estimate<M: Ord + std::fmt::Display>(
        &mut self,
        low: Option<M>,
        likely: Option<M>,
        high: Option<M>,
    ) {
        let mut refuse = |message: String| {
            self.refuse(
                Violation::new(self.patch, Rule::EstimateOrder, message)
                    .field("fields.estimate_likely"),
            );
        };
        match (&low, &likely, &high) {
            (None, None, None) => {}
            (_, None, _) => refuse("must be set if estimate_low or estimate_high is".to_owned()),
            (Some(low), Some(likely), _) if low > likely => {
                refuse(format!("is {likely}, below estimate_low, {low}"))
            }
            (_, Some(likely), Some(high)) if likely > high => {
                refuse(format!("is {likely}, above estimate_high, {high}"))
            }
            _ => {}
        }
    }

    /// Refuses a milestone with an estimate or with live subtasks.
    fn check_milestone(&mut self, task: &Task, patch: &Patch) {
        if !task.is_milestone() {
            return;
        }
        let estimates = [
            ("estimate_low", task.estimate_low),
            ("estimate_likely", task.estimate_likely),
            ("estimate_high", task.estimate_high),
        ];
        let set: Vec<&str> =
            estimates.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect();
        if !set.is_empty() {
            let touched = set.iter().find(|name| patch.fields.contains_key(**name));
            let field = touched.copied().unwrap_or("kind");
            let err = Violation::new(
                self.patch,
                Rule::Milestone,
                "a milestone is a point in time and has no estimate",
            );
            self.refuse(
                err.field(format!("fields.{field}"))
                    .hint(format!("clear {}, or leave the kind task", set.join(", "))),
            );
        }
        let project = self.state.project(task.project_id);
        let part = project
            .and_then(|project| project.children(Some(task.id)).find(|part| part.is_live()))
            .map(|part| part.key.clone());
        if let Some(part) = part {
            let message = format!("a milestone has no subtasks, but {part} is below it");
            let err = Violation::new(self.patch, Rule::Milestone, message).field("fields.kind");
            self.refuse(err.hint("move its subtasks elsewhere, or leave the kind task"));
        }
    }

    /// Refuses a place below a milestone.
    pub(super) fn check_parent_kind(&mut self, parent: Option<&Task>, field: &str) -> ApplyResult {
        let Some(parent) = parent.filter(|parent| parent.is_milestone()) else { return Ok(()) };
        let message = format!("{} is a milestone, which has no subtasks", parent.key);
        let err = Violation::new(self.patch, Rule::Milestone, message).field(field);
        self.fail(err.hint("name another parent, or change the kind of this one to task"))
    }

    /// Returns the live user that a reference means, following merges.
    fn check_user(&mut self, id: Option<UserId>, field: &str) -> Option<UserId> {
        let id = self.state.acting_user(id?);
        let message = match self.state.user(id) {
            Some(user) if user.deleted_at.is_none() => return Some(id),
            Some(user) => format!("the user @{} is deleted", user.handle),
            None if self.failed.contains(&id.uuid()) => return Some(id),
            None => format!("there is no user {id}"),
        };
        let err = Violation::new(self.patch, Rule::UnknownReference, message)
            .field(format!("fields.{field}"));
        self.refuse(err.hint(Hint::ListUsers));
        None
    }

    /// Refuses a handle by which no lookup would find the user. A handle that an earlier version
    /// accepted stays.
    fn check_handle(&mut self, handle: &str) {
        if reads_as_id(handle) {
            let message = "looks like a UUID, so it would be mistaken for the id of a user";
            let violation = Violation::new(self.patch, Rule::Value, message).field("fields.handle");
            self.refuse(violation.hint("give a short name, such as ana"));
        }
    }

    fn check_user_names(&mut self, id: UserId, handle: &str, email: Option<&str>) {
        if handle.starts_with('@') || handle.contains(char::is_whitespace) {
            let message = "is one word, written without the @";
            self.refuse(Violation::new(self.patch, Rule::Value, message).field("fields.handle"));
        }
        let taken = |name: Option<&str>| {
            name.and_then(|name| {
                self.state.users().find(|user| {
                    user.id != id
                        && user.deleted_at.is_none()
                        && (user.handle.as_str() == name
                            || user.email.as_ref().is_some_and(|email| email.as_str() == name))
                })
            })
            .map(|user| user.handle.clone())
        };
        for (field, other) in [("handle", taken(Some(handle))), ("email", taken(email))] {
            if let Some(other) = other {
                let err = Violation::new(
                    self.patch,
                    Rule::HandleTaken,
                    format!("belongs to the user @{other}"),
                );
                self.refuse(err.field(format!("fields.{field}")).hint(Hint::MergeUsers));
            }
        }
    }

    fn check_merge_target(&mut self, id: UserId, into: UserId) {
        let message = match self.state.user(into) {
            None => format!("there is no user {into}"),
            Some(target) if target.deleted_at.is_some() => {
                format!("the user @{} is deleted", target.handle)
            }
            Some(_) if self.state.merge_chain(into).any(|user| user == id) => {
                "leads back to the same user".to_owned()
            }
            Some(_) => return,
        };
        self.refuse(
            Violation::new(self.patch, Rule::UnknownReference, message).field("fields.merged_into"),
        );
    }

    /// Records progress if the status or the spent minutes changed.
    pub(super) fn note_progress(&self, record: &mut AnyRecord, old: Option<&AnyRecord>) {
        let AnyRecord::Task(task) = record else { return };
        let (status, spent) = match old {
            Some(AnyRecord::Task(old)) => (old.status, old.actual_minutes),
            _ => (TaskStatus::Pending, None),
        };
        if (task.status, task.actual_minutes) == (status, spent) {
            return;
        }
        let task = Arc::make_mut(task);
        if old.is_none() {
            // The lead time starts here; the other stamps follow when the task is written.
            task.created_at = self.at;
        }
        task.note_progress(status, self.at);
    }
}

fn touches(patch: &Patch, fields: &[&str]) -> bool {
    fields.iter().any(|field| patch.fields.contains_key(*field))
}

/// Returns the known field whose name is closest to a wrong one, if any is close.
fn nearest(name: &str, fields: &'static [Field]) -> Option<&'static str> {
    let close = |field: &&Field| {
        field.name.starts_with(name)
            || name.starts_with(field.name)
            || distance(name, field.name) <= 2
    };
    fields.iter().filter(|field| field.access.is_authored()).find(close).map(|field| field.name)
}

/// Edit distance between two words (insert, delete, replace a character).
pub fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// Returns the id in one of the patch's fields, if it is valid.
pub(super) fn id_field<I: FieldValue>(patch: &Patch, field: &str) -> Option<I> {
    patch
        .fields
        .get(field)
        .filter(|value| !Value::is_null(value))
        .and_then(|value| I::read(value).ok())
}
