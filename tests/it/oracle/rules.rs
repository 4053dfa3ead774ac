//! The rules of the model: whether an action is allowed, and its effect.

use std::collections::BTreeSet;

use super::actions::{Action, THIS_SET, Where};
use super::model::{Link, Model, Project, Task, User};

pub type Verdict = Result<(), String>;

pub fn refuse<T>(why: impl Into<String>) -> Result<T, String> {
    Err(why.into())
}

pub fn ensure(holds: bool, why: &str) -> Verdict {
    if holds { Ok(()) } else { refuse(why) }
}

impl Model {
    /// Applies a set, or returns the reason for its refusal.
    pub fn apply(&mut self, actions: &[Action]) -> Verdict {
        for action in actions {
            // References are resolved at that point of the set.
            let link = match action {
                Action::Unlink { from, to, kind } => {
                    Some(self.only_link(from, to, kind.as_deref())?)
                }
                _ => None,
            };
            if let Action::UpdateTask { id, .. } = action {
                ensure(
                    self.tasks.get(id).ok_or("no task")?.deleted.is_none(),
                    "the task is deleted",
                )?;
            }
            self.step(action, link)?;
        }
        self.check_dependencies()
    }

    fn step(&mut self, action: &Action, link: Option<String>) -> Verdict {
        match action {
            Action::CreateProject { id, key } => {
                ensure(
                    self.projects.values().all(|project| project.key != *key),
                    "the key is taken",
                )?;
                let project = Project {
                    key: key.clone(),
                    name: key.clone(),
                    highest: 0,
                    parts: Vec::new(),
                    deleted: None,
                };
                self.projects.insert(id.clone(), project);
            }
            Action::RenameProject { id, name } => {
                self.projects.get_mut(id).ok_or("no project")?.name.clone_from(name)
            }
            Action::DeleteProject(id) => {
                self.live_project(id)?;
                self.projects.get_mut(id).ok_or("no project")?.deleted = Some(THIS_SET.to_owned());
                let tasks: Vec<String> = self
                    .tasks
                    .keys()
                    .filter(|task| self.tasks[*task].project == *id)
                    .cloned()
                    .collect();
                self.end(&tasks);
                for link in self
                    .links
                    .values_mut()
                    .filter(|link| link.project == *id && link.deleted.is_none())
                {
                    link.deleted = Some(THIS_SET.to_owned());
                }
            }
            Action::RestoreProject(id) => {
                let set = self
                    .projects
                    .get(id)
                    .ok_or("no project")?
                    .deleted
                    .clone()
                    .ok_or("not deleted")?;
                self.projects.get_mut(id).ok_or("no project")?.deleted = None;
                let tops = self.projects[id].parts.clone();
                let tasks: Vec<String> = tops.iter().flat_map(|top| self.branch(top)).collect();
                let links = self
                    .links
                    .iter()
                    .filter(|(_, link)| link.project == *id)
                    .map(|(id, _)| id.clone())
                    .collect();
                self.restore(&tasks, links, &set)?;
            }
            Action::CreateTask { id, project, parent, place, title, assignee } => {
                self.live_project(project)?;
                if let Some(parent) = parent {
                    self.live_task_in(parent, project)?;
                }
                let assignee = assignee.as_ref().map(|user| self.acting(user)).transpose()?;
                let own = self.projects.get_mut(project).ok_or("no project")?;
                own.highest += 1;
                let task = Task {
                    project: project.clone(),
                    number: own.highest,
                    former: Vec::new(),
                    parent: parent.clone(),
                    parts: Vec::new(),
                    title: title.clone(),
                    status: "pending".to_owned(),
                    assignee,
                    deleted: None,
                };
                self.tasks.insert(id.clone(), task);
                ensure(self.ancestors(id).len() <= 5, "too deep")?;
                self.insert_sibling(id, project, parent.as_deref(), place.as_ref())?;
            }
            Action::UpdateTask { id, title, status, assignee, expect } => {
                let acting = match assignee {
                    Some(Some(user)) => Some(Some(self.acting(user)?)),
                    Some(None) => Some(None),
                    None => None,
                };
                let task = self.tasks.get_mut(id).ok_or("no task")?;
                ensure(
                    expect.as_ref().is_none_or(|title| *title == task.title),
                    "another title is expected",
                )?;
                task.title = title.clone().unwrap_or_else(|| task.title.clone());
                task.status = status.clone().unwrap_or_else(|| task.status.clone());
                task.assignee = acting.unwrap_or_else(|| task.assignee.clone());
            }
            Action::MoveTask { id, project, parent, place } => {
                self.relocate(id, project.as_deref(), parent, place.as_ref())?
            }
            Action::DeleteTask(id) => {
                ensure(self.tasks.get(id).ok_or("no task")?.deleted.is_none(), "deleted already")?;
                self.end(&self.branch(id));
            }
            Action::RestoreTask(id) => {
                let task = self.tasks.get(id).ok_or("no task")?;
                let set = task.deleted.clone().ok_or("not deleted")?;
                self.live_project(&task.project.clone())?;
                let branch = self.branch(id);
                self.restore(&branch, BTreeSet::new(), &set)?;
            }
            Action::Link { id, from, to, kind, dependency } => {
                let dependency = dependency.clone().unwrap_or_else(|| "FS".to_owned());
                ensure(from != to, "linked to itself")?;
                let project = self.tasks.get(from).ok_or("no task")?.project.clone();
                let link = Link {
                    project,
                    from: from.clone(),
                    to: to.clone(),
                    kind: kind.clone(),
                    dependency,
                    deleted: None,
                };
                self.may_link(id, &link)?;
                self.links.insert(id.clone(), link);
            }
            Action::Unlink { .. } => self.unlink(&link.ok_or("no link")?)?,
            Action::UnlinkById(id) => self.unlink(id)?,
            Action::RestoreLink(id) => {
                let link = self.links.get(id).ok_or("no link")?.clone();
                ensure(link.deleted.is_some(), "not deleted")?;
                self.live_project(&link.project)?;
                self.link_again(id)?;
            }
            Action::CreateUser { id, handle } => {
                self.free_handle(handle)?;
                self.users
                    .insert(id.clone(), User { handle: handle.clone(), into: None, deleted: None });
            }
            Action::MergeUser { id, into } => {
                ensure(
                    self.users.get(into).ok_or("no user")?.deleted.is_none(),
                    "the user is deleted",
                )?;
                ensure(!self.chain(into).any(|user| user == *id), "leads back to the same user")?;
                self.users.get_mut(id).ok_or("no user")?.into = Some(into.clone());
            }
            Action::DeleteUser(id) => {
                let user = self.users.get_mut(id).ok_or("no user")?;
                ensure(user.deleted.is_none(), "deleted already")?;
                user.deleted = Some(THIS_SET.to_owned());
            }
            Action::RestoreUser(id) => {
                let user = self.users.get(id).ok_or("no user")?;
                ensure(user.deleted.is_some(), "not deleted")?;
                self.free_handle(&user.handle.clone())?;
                self.users.get_mut(id).ok_or("no user")?.deleted = None;
            }
            Action::Merge { kept, gone } => self.merge(kept, gone)?,
            Action::Split { task, parts } => {
                let own = self.tasks.get(task).ok_or("no task")?.clone();
                ensure(own.deleted.is_none(), "the task is deleted")?;
                for title in parts {
                    let action = Action::CreateTask {
                        id: format!("$part {title}"),
                        project: own.project.clone(),
                        parent: Some(task.clone()),
                        place: None,
                        title: title.clone(),
                        assignee: own.assignee.clone(),
                    };
                    self.step(&action, None)?;
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, kept: &str, gone: &str) -> Verdict {
        let (own, other) = (
            self.tasks.get(kept).ok_or("no task")?.clone(),
            self.tasks.get(gone).ok_or("no task")?.clone(),
        );
        ensure(own.deleted.is_none() && other.deleted.is_none(), "one is deleted")?;
        ensure(kept != gone && own.project == other.project, "not two tasks of one project")?;
        ensure(!self.ancestors(kept).iter().any(|above| above == gone), "stands below it")?;
        if let (None, Some(user)) = (&own.assignee, &other.assignee) {
            self.tasks.get_mut(kept).ok_or("no task")?.assignee = Some(self.acting(user)?);
        }
        for part in other
            .parts
            .iter()
            .filter(|part| self.tasks[*part].deleted.is_none())
            .cloned()
            .collect::<Vec<_>>()
        {
            self.relocate(&part, None, &Some(Some(kept.to_owned())), None)?;
        }
        let taken = |task: &String| if task == gone { kept.to_owned() } else { task.clone() };
        let at_gone =
            |link: &&Link| link.deleted.is_none() && (link.from == gone || link.to == gone);
        for link in self.links.values().filter(at_gone).cloned().collect::<Vec<_>>() {
            let new = Link { from: taken(&link.from), to: taken(&link.to), ..link };
            if new.from != new.to && self.is_new(&new) {
                self.links.insert(format!("$taken {} {} {}", new.from, new.kind, new.to), new);
            }
        }
        self.end(&self.branch(gone));
        Ok(())
    }

    fn live_project(&self, id: &str) -> Verdict {
        ensure(
            self.projects.get(id).ok_or("no project")?.deleted.is_none(),
            "the project is deleted",
        )
    }

    fn live_task_in(&self, id: &str, project: &str) -> Verdict {
        let task = self.tasks.get(id).ok_or("no task")?;
        ensure(task.project == project && task.deleted.is_none(), "no living task of the project")
    }

    fn free_handle(&self, handle: &str) -> Verdict {
        ensure(
            self.users.values().all(|user| user.deleted.is_some() || user.handle != handle),
            "the handle is taken",
        )
    }

    pub fn end_of_chain(&self, user: &str) -> String {
        self.chain(user).last().unwrap_or_default()
    }

    /// Returns the user, the user it was merged into, and so on.
    fn chain(&self, user: &str) -> impl Iterator<Item = String> {
        std::iter::successors(Some(user.to_owned()), |at| {
            self.users.get(at).and_then(|user| user.into.clone())
        })
    }

    fn acting(&self, user: &str) -> Result<String, String> {
        let end = self.end_of_chain(user);
        ensure(self.users.get(&end).ok_or("no user")?.deleted.is_none(), "the user is deleted")?;
        Ok(end)
    }

    /// Inserts a task into a list of siblings.
    fn insert_sibling(
        &mut self,
        id: &str,
        project: &str,
        parent: Option<&str>,
        place: Option<&Where>,
    ) -> Verdict {
        let siblings = self.siblings(project, parent);
        siblings.retain(|other| other != id);
        let at = |other: &String| {
            siblings.iter().position(|sibling| sibling == other).ok_or("no sibling there")
        };
        let at = match place {
            None | Some(Where::Last) => siblings.len(),
            Some(Where::First) => 0,
            Some(Where::After(other)) => at(other)? + 1,
            Some(Where::Before(other)) => at(other)?,
        };
        siblings.insert(at, id.to_owned());
        Ok(())
    }

    fn relocate(
        &mut self,
        id: &str,
        project: Option<&str>,
        parent: &Option<Option<String>>,
        place: Option<&Where>,
    ) -> Verdict {
        let task = self.tasks.get(id).ok_or("no task")?.clone();
        ensure(task.deleted.is_none(), "the task is deleted")?;
        let to = project.unwrap_or(&task.project).to_owned();
        self.live_project(&to)?;
        let crosses = to != task.project;
        let new_parent = match parent {
            Some(parent) => parent.clone(),
            None if crosses => None,
            None => task.parent.clone(),
        };
        let branch = self.branch(id);
        if let Some(parent) = &new_parent {
            self.live_task_in(parent, &to)?;
            ensure(!branch.contains(parent), "below itself")?;
        }
        if crosses {
            let is_in = |id: &String| branch.contains(id);
            for link in self.links.values_mut().filter(|link| link.project == task.project) {
                let tears = link.deleted.is_none()
                    && link.kind == "depends_on"
                    && is_in(&link.from) != is_in(&link.to);
                ensure(!tears, "a dependency would cross projects")?;
                if is_in(&link.from) {
                    link.project.clone_from(&to);
                }
            }
            for moved in &branch {
                self.rename(moved, &to);
            }
        }
        let stays = !crosses && place.is_none() && new_parent == task.parent;
        if !stays {
            self.siblings(&task.project, task.parent.as_deref()).retain(|other| other != id);
            self.tasks.get_mut(id).ok_or("no task")?.parent.clone_from(&new_parent);
            self.insert_sibling(id, &to, new_parent.as_deref(), place)?;
        }
        ensure(branch.iter().all(|id| self.ancestors(id).len() <= 5), "too deep")
    }

    /// Assigns a key in another project: the task's former key there, or else the next one.
    fn rename(&mut self, id: &str, to: &str) {
        let left = self.key(id);
        let project = self.projects.get_mut(to).expect("project");
        let task = self.tasks.get_mut(id).expect("task");
        let had = task
            .former
            .iter()
            .position(|key| key.split_once('-').map(|(key, _)| key) == Some(&project.key));
        task.number = match had {
            Some(at) => task
                .former
                .remove(at)
                .split_once('-')
                .and_then(|(_, number)| number.parse().ok())
                .expect("number"),
            None => {
                project.highest += 1;
                project.highest
            }
        };
        task.project = to.to_owned();
        task.former.push(left);
    }

    /// Deletes live tasks and all their live links, from any project.
    fn end(&mut self, tasks: &[String]) {
        for id in tasks {
            let task = self.tasks.get_mut(id).expect("task");
            task.deleted.get_or_insert_with(|| THIS_SET.to_owned());
        }
        let touches = |link: &Link| tasks.contains(&link.from) || tasks.contains(&link.to);
        for link in self.links.values_mut().filter(|link| touches(link)) {
            link.deleted.get_or_insert_with(|| THIS_SET.to_owned());
        }
    }

    /// Restores the records that one set deleted: tasks with live parents, then links with live
    /// ends.
    fn restore(&mut self, tasks: &[String], mut links: BTreeSet<String>, set: &str) -> Verdict {
        for id in tasks {
            if self.tasks[id].deleted.as_deref() != Some(set) {
                continue;
            }
            let parent = self.tasks[id].parent.clone();
            ensure(
                parent.is_none_or(|parent| self.tasks[&parent].deleted.is_none()),
                "the parent is deleted",
            )?;
            self.tasks.get_mut(id).expect("task").deleted = None;
        }
        let touches = |link: &Link| tasks.contains(&link.from) || tasks.contains(&link.to);
        links.extend(self.links.iter().filter(|(_, link)| touches(link)).map(|(id, _)| id.clone()));
        links.retain(|id| self.links[id].deleted.as_deref() == Some(set));
        for id in links {
            let (from, to) = (&self.tasks[&self.links[&id].from], &self.tasks[&self.links[&id].to]);
            let fits = self.links[&id].kind != "depends_on" || from.project == to.project;
            if from.deleted.is_none() && to.deleted.is_none() && fits {
                self.link_again(&id)?;
            }
        }
        Ok(())
    }
}
