//! Random patches, most of them valid, and their JSON.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use super::actions::{Action, Where};
use super::model::Model;

const STATUSES: [&str; 4] = ["pending", "in_progress", "completed", "review"];

/// Generates the patches of one run; every title and name is unique.
pub struct Author<'r> {
    pub random: &'r mut StdRng,
    pub named: usize,
}

impl Author<'_> {
    fn pick_any<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.random.random_range(0..of.len())].clone())
    }

    fn name(&mut self, prefix: &str) -> String {
        self.named += 1;
        format!("{prefix}{}", self.named)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    /// Picks one of these records, usually a live one.
    fn pick<T>(
        &mut self,
        of: &std::collections::BTreeMap<String, T>,
        lives: impl Fn(&T) -> bool,
    ) -> Option<String> {
        let expected = !self.chance(8);
        let fit: Vec<&String> =
            of.iter().filter(|(_, record)| !expected || lives(record)).map(|(id, _)| id).collect();
        self.pick_any(&fit).cloned()
    }

    fn task(&mut self, model: &Model) -> Option<String> {
        self.pick(&model.tasks, |task| task.deleted.is_none())
    }

    fn deleted_task(&mut self, model: &Model) -> Option<String> {
        self.pick(&model.tasks, |task| task.deleted.is_some())
    }

    fn project(&mut self, model: &Model) -> Option<String> {
        self.pick(&model.projects, |project| project.deleted.is_none())
    }

    fn user(&mut self, model: &Model) -> Option<String> {
        self.pick(&model.users, |user| user.deleted.is_none())
    }

    fn place(&mut self, model: &Model, project: &str, parent: Option<&String>) -> Option<Where> {
        let siblings = match parent {
            Some(parent) => model.tasks.get(parent)?.parts.clone(),
            None => model.projects.get(project)?.parts.clone(),
        };
        let sibling = if self.chance(90) { self.pick_any(&siblings) } else { self.task(model) };
        Some(match (self.random.random_range(0..5), sibling) {
            (0, _) => Where::First,
            (1, _) => Where::Last,
            (2, Some(sibling)) => Where::After(sibling),
            (3, Some(sibling)) => Where::Before(sibling),
            _ => return None,
        })
    }

    /// Generates one patch for a model that contains the earlier patches.
    pub fn action(&mut self, model: &Model) -> Option<Action> {
        Some(match self.random.random_range(0..100) {
            0..3 => {
                let key = if self.chance(80) { self.name("K") } else { "K1".to_owned() };
                Action::CreateProject { id: self.name("$p"), key }
            }
            3..4 => Action::RenameProject { id: self.project(model)?, name: self.name("renamed ") },
            4..5 => Action::DeleteProject(self.project(model)?),
            5..8 => Action::RestoreProject(
                self.pick(&model.projects, |project| project.deleted.is_some())?,
            ),
            8..32 => {
                let project = self.project(model)?;
                let tasks: Vec<String> = model
                    .tasks
                    .iter()
                    .filter(|(_, task)| task.project == project)
                    .map(|(id, _)| id.clone())
                    .collect();
                let parent = if self.chance(50) { self.pick_any(&tasks) } else { None };
                let place = self.place(model, &project, parent.as_ref());
                let assignee = if self.chance(20) { self.user(model) } else { None };
                Action::CreateTask {
                    id: self.name("$t"),
                    project,
                    parent,
                    place,
                    title: self.name("task "),
                    assignee,
                }
            }
            32..42 => {
                let id = self.task(model)?;
                let status =
                    self.pick_any(&STATUSES).map(str::to_owned).filter(|_| self.chance(50));
                let assignee = if self.chance(30) { Some(self.user(model)) } else { None };
                let expect =
                    if self.chance(20) { Some(model.tasks[&id].title.clone()) } else { None };
                let expect = if self.chance(3) { Some("another".to_owned()) } else { expect };
                Action::UpdateTask {
                    id,
                    title: Some(self.name("title ")),
                    status,
                    assignee,
                    expect,
                }
            }
            42..60 => {
                let id = self.task(model)?;
                let own = model.tasks[&id].project.clone();
                let project = if self.chance(35) { self.project(model) } else { None };
                let to = project.clone().unwrap_or(own);
                let tasks: Vec<String> = model
                    .tasks
                    .iter()
                    .filter(|(_, task)| task.project == to)
                    .map(|(id, _)| id.clone())
                    .collect();
                let parent = match self.random.random_range(0..3) {
                    0 => None,
                    1 => Some(None),
                    _ => Some(self.pick_any(&tasks)),
                };
                let below = match &parent {
                    Some(parent) => parent.clone(),
                    None if project.is_none() => model.tasks[&id].parent.clone(),
                    None => None,
                };
                let mut place = self.place(model, &to, below.as_ref());
                if project.is_none() && parent.is_none() && place.is_none() {
                    place = Some(Where::First);
                }
                Action::MoveTask { id, project, parent, place }
            }
            60..67 => Action::DeleteTask(self.task(model)?),
            67..74 => Action::RestoreTask(self.deleted_task(model)?),
            74..88 => {
                let from = self.task(model)?;
                let to = if self.chance(60) {
                    let own: Vec<String> = model
                        .tasks
                        .iter()
                        .filter(|(_, task)| task.project == model.tasks[&from].project)
                        .map(|(id, _)| id.clone())
                        .collect();
                    self.pick_any(&own)?
                } else {
                    self.task(model)?
                };
                let kind = self.pick_any(&["depends_on", "relates", "duplicates"])?;
                let dependency = if kind == "depends_on" {
                    self.pick_any(&["FS", "SS", "FF", "SF"]).map(str::to_owned)
                } else {
                    None
                };
                Action::Link { id: self.name("$l"), from, to, kind: kind.to_owned(), dependency }
            }
            88..92 => {
                let id = self.pick(&model.links, |link| link.deleted.is_none())?;
                let link = &model.links[&id];
                match self.random.random_range(0..3) {
                    0 if !id.starts_with('$') => Action::UnlinkById(id),
                    1 => {
                        Action::Unlink { from: link.from.clone(), to: link.to.clone(), kind: None }
                    }
                    _ => Action::Unlink {
                        from: link.from.clone(),
                        to: link.to.clone(),
                        kind: Some(link.kind.clone()),
                    },
                }
            }
            92..95 => Action::RestoreLink(self.pick(&model.links, |link| link.deleted.is_some())?),
            95..97 => {
                let handle = if self.chance(80) { self.name("u") } else { "ana".to_owned() };
                Action::CreateUser { id: self.name("$u"), handle }
            }
            97 => Action::MergeUser { id: self.user(model)?, into: self.user(model)? },
            98 => Action::DeleteUser(self.user(model)?),
            _ => Action::RestoreUser(self.pick(&model.users, |user| user.deleted.is_some())?),
        })
    }

    /// Generates an action that has its own command.
    pub fn command(&mut self, model: &Model) -> Option<Action> {
        let task = self.task(model)?;
        if self.chance(40) {
            return Some(Action::Split {
                task,
                parts: vec![self.name("part "), self.name("part ")],
            });
        }
        let own: Vec<String> = model
            .tasks
            .iter()
            .filter(|(_, other)| other.project == model.tasks[&task].project)
            .map(|(id, _)| id.clone())
            .collect();
        Some(Action::Merge { kept: task, gone: self.pick_any(&own)? })
    }

    /// Generates the merge of one user into another, with the live tasks and the other effects of a
    /// user merge.
    fn user_merge(&mut self, model: &Model) -> Option<Vec<Action>> {
        let (kept, gone) = (self.user(model)?, self.user(model)?);
        let assigned = model
            .tasks
            .iter()
            .filter(|(_, task)| task.deleted.is_none() && task.assignee.as_ref() == Some(&gone));
        let reassign = |(id, _): (&String, _)| Action::UpdateTask {
            id: id.clone(),
            title: None,
            status: None,
            assignee: Some(Some(kept.clone())),
            expect: None,
        };
        let merge = Action::MergeUser { id: gone.clone(), into: kept.clone() };
        let actions: Vec<Action> = [merge]
            .into_iter()
            .chain(assigned.map(reassign))
            .chain([Action::DeleteUser(gone.clone())])
            .collect();
        model.clone().apply(&actions).is_ok().then_some(actions)
    }

    /// Generates a set, in which each patch is valid after the ones before it.
    pub fn actions(&mut self, model: &Model) -> Vec<Action> {
        if self.chance(3)
            && let Some(actions) = self.user_merge(model)
        {
            return actions;
        }
        let mut at = model.clone();
        let mut actions: Vec<Action> = Vec::new();
        let expected = self.random.random_range(1..=5);
        for _ in 0..40 {
            if actions.len() == expected {
                break;
            }
            let Some(action) = self.action(&at) else { continue };
            actions.push(action);
            let mut next = model.clone();
            if next.apply(&actions).is_err() {
                // Patches after a refused one cannot be predicted; accepted sets test more.
                if self.chance(50) {
                    break;
                }
                actions.pop();
                continue;
            }
            at = next;
        }
        actions
    }

    /// Returns a reference to a task: its key before the set, a former key, or its id.
    pub fn task_word(&mut self, before: &Model, id: &str) -> Value {
        let Some(task) = before.tasks.get(id) else { return json!(id) };
        let key = before.key(id);
        match (self.random.random_range(0..4), task.former.first()) {
            (0, _) => json!(id),
            (1, Some(former)) => json!(former),
            (2, _) => json!(key.to_lowercase()),
            _ => json!(key),
        }
    }

    pub fn project_word(&mut self, before: &Model, id: &str) -> Value {
        let Some(project) = before.projects.get(id) else { return json!(id) };
        if self.chance(20) { json!(id) } else { json!(project.key) }
    }

    fn user_word(&mut self, before: &Model, id: &str) -> Value {
        match before.users.get(id) {
            Some(user) if user.deleted.is_none() && self.chance(70) => {
                json!(format!("@{}", user.handle))
            }
            _ => json!(id),
        }
    }

    fn where_word(&mut self, before: &Model, place: &Where) -> Value {
        match place {
            Where::First => json!("first"),
            Where::Last => json!("last"),
            Where::After(task) => json!({"after": self.task_word(before, task)}),
            Where::Before(task) => json!({"before": self.task_word(before, task)}),
        }
    }

    /// Returns the patch as an author writes it; `before` is the lake before the set.
    pub fn json(&mut self, before: &Model, action: &Action) -> Value {
        let mut fields = Map::new();
        let mut rest = Map::new();
        let (op, entity, id) = match action {
            Action::CreateProject { id, key } => {
                fields.extend([("key".to_owned(), json!(key)), ("name".to_owned(), json!(key))]);
                ("create", "project", Some(json!(id)))
            }
            Action::RenameProject { id, name } => {
                fields.insert("name".to_owned(), json!(name));
                ("update", "project", Some(self.project_word(before, id)))
            }
            Action::DeleteProject(id) => ("delete", "project", Some(self.project_word(before, id))),
            Action::RestoreProject(id) => {
                ("restore", "project", Some(self.project_word(before, id)))
            }
            Action::CreateTask { id, project, parent, place, title, assignee } => {
                fields.insert("project_id".to_owned(), self.project_word(before, project));
                fields.insert("title".to_owned(), json!(title));
                if let Some(parent) = parent {
                    fields.insert("parent_id".to_owned(), self.task_word(before, parent));
                }
                if let Some(user) = assignee {
                    fields.insert("assignee_id".to_owned(), self.user_word(before, user));
                }
                if let Some(place) = place {
                    rest.insert("place".to_owned(), self.where_word(before, place));
                }
                ("create", "task", Some(json!(id)))
            }
            Action::UpdateTask { id, title, status, assignee, expect } => {
                fields.extend(title.iter().map(|title| ("title".to_owned(), json!(title))));
                fields.extend(status.iter().map(|status| ("status".to_owned(), json!(status))));
                if let Some(assignee) = assignee {
                    let word =
                        assignee.as_ref().map_or(Value::Null, |user| self.user_word(before, user));
                    fields.insert("assignee_id".to_owned(), word);
                }
                if let Some(title) = expect {
                    rest.insert("expect".to_owned(), json!({ "title": title }));
                }
                ("update", "task", Some(self.task_word(before, id)))
            }
            Action::MoveTask { id, project, parent, place } => {
                if let Some(project) = project {
                    fields.insert("project_id".to_owned(), self.project_word(before, project));
                }
                if let Some(parent) = parent {
                    let word = parent
                        .as_ref()
                        .map_or(Value::Null, |parent| self.task_word(before, parent));
                    fields.insert("parent_id".to_owned(), word);
                }
                if let Some(place) = place {
                    rest.insert("place".to_owned(), self.where_word(before, place));
                }
                ("move", "task", Some(self.task_word(before, id)))
            }
            Action::DeleteTask(id) => ("delete", "task", Some(self.task_word(before, id))),
            Action::RestoreTask(id) => ("restore", "task", Some(self.task_word(before, id))),
            Action::Link { id, from, to, kind, dependency } => {
                fields.insert("from_id".to_owned(), self.task_word(before, from));
                fields.insert("to_id".to_owned(), self.task_word(before, to));
                fields.insert("kind".to_owned(), json!(kind));
                fields.extend(
                    dependency
                        .iter()
                        .map(|dependency| ("dependency".to_owned(), json!(dependency))),
                );
                ("link", "task_link", Some(json!(id)))
            }
            Action::Unlink { from, to, kind } => {
                fields.insert("from_id".to_owned(), self.task_word(before, from));
                fields.insert("to_id".to_owned(), self.task_word(before, to));
                fields.extend(kind.iter().map(|kind| ("kind".to_owned(), json!(kind))));
                ("unlink", "task_link", None)
            }
            Action::UnlinkById(id) => ("unlink", "task_link", Some(json!(id))),
            Action::RestoreLink(id) => ("restore", "task_link", Some(json!(id))),
            Action::CreateUser { id, handle } => {
                fields.insert("handle".to_owned(), json!(handle));
                ("create", "user", Some(json!(id)))
            }
            Action::MergeUser { id, into } => {
                fields.insert("merged_into".to_owned(), self.user_word(before, into));
                ("update", "user", Some(self.user_word(before, id)))
            }
            Action::DeleteUser(id) => ("delete", "user", Some(self.user_word(before, id))),
            Action::RestoreUser(id) => ("restore", "user", Some(self.user_word(before, id))),
            Action::Merge { .. } | Action::Split { .. } => {
                panic!("these actions are commands, not patches")
            }
        };
        let mut patch =
            Map::from_iter([("op".to_owned(), json!(op)), ("entity".to_owned(), json!(entity))]);
        patch.extend(id.map(|id| ("id".to_owned(), id)));
        if !fields.is_empty() {
            patch.insert("fields".to_owned(), Value::Object(fields));
        }
        patch.extend(rest);
        Value::Object(patch)
    }
}
