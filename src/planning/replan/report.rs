//! What planning a description does to each task, dependency and requirement, and why.

use serde::Serialize;
use uuid::Uuid;

use crate::domain::id::TaskId;
use crate::domain::record::Entity;

/// What a description does to a project.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// In the order of the description, what is no longer in it last.
    pub items: Vec<Item>,
    /// Each row of the plan and the task it is; `None` where a person deleted it.
    pub rows: Vec<Row>,
    /// Tasks and requirements of which nothing changed but the lines they stand on.
    pub shifted: usize,
    /// Tasks that stay as they are.
    pub unchanged: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The row's key in the plan, such as P1.T2.
    pub key: String,
    pub task: Option<TaskId>,
}

/// One thing that changes, or that stays although the description has changed.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    pub mark: Mark,
    pub entity: Entity,
    pub id: Uuid,
    /// The title, the text, or for a dependency both ends in words.
    pub title: String,
    /// For a dependency, the task that waits and the one waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<(TaskId, TaskId)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
    /// It has another parent or place; `changes` may say more.
    Moved,
    Gone,
    /// It stays although the description says otherwise; `reason` says why.
    Kept,
    /// The description says it and the plan leaves it out; `reason` says why.
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
