//! Reports what a re-plan does to each task, dependency and requirement, and why.

use serde::Serialize;
use uuid::Uuid;

use crate::domain::hint::Hint;
use crate::domain::id::TaskId;
use crate::domain::record::Entity;

/// Changes that a description makes to a project.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// In the order of the description; removed items come last.
    pub items: Vec<Item>,
    /// Rows of the plan with their tasks; `None` if a person deleted the task.
    pub rows: Vec<Row>,
    /// Number of tasks and requirements whose line numbers alone changed.
    pub shifted: usize,
    /// Number of unchanged tasks.
    pub unchanged: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The row's key in the plan, such as P1.T2.
    pub key: String,
    pub task: Option<TaskId>,
}

/// A change, or an item that stays although the description has changed.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    pub mark: Mark,
    pub entity: Entity,
    pub id: Uuid,
    /// Title, requirement text, or description of a dependency.
    pub title: String,
    /// Dependent and prerequisite of a dependency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<(TaskId, TaskId)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What ends the reason.
    #[serde(skip)]
    pub hint: Option<Hint>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    pub field: String,
    pub from: serde_json::Value,
    pub to: serde_json::Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    New,
    Changed,
    /// The parent or position changed; `changes` may contain more.
    Moved,
    Gone,
    /// The item stays although the description differs; `reason` says why.
    Kept,
    /// The description states the item and the plan leaves it out; `reason` says why.
    LeftOut,
}

impl Report {
    pub fn count(&self, mark: Mark, entity: Entity) -> usize {
        self.items.iter().filter(|item| item.mark == mark && item.entity == entity).count()
    }

    pub(super) fn push(&mut self, mark: Mark, entity: Entity, id: Uuid, title: &str) -> &mut Item {
        let title = title.to_owned();
        self.items.push(Item {
            mark,
            entity,
            id,
            title,
            ends: None,
            changes: Vec::new(),
            reason: None,
            hint: None,
        });
        let last = self.items.len() - 1;
        &mut self.items[last]
    }
}

impl Item {
    pub(super) fn because(&mut self, reason: impl Into<String>) -> &mut Self {
        self.reason = Some(reason.into());
        self
    }

    pub(super) fn between(&mut self, from: TaskId, to: TaskId) -> &mut Self {
        self.ends = Some((from, to));
        self
    }
}
