//! The lake as the model sees it, and the conversion of a real state.

use std::collections::BTreeMap;

use lakeplan::domain::state::State;

/// Records by id. A record that a set creates has its local name as id until the lake assigns one.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub projects: BTreeMap<String, Project>,
    pub tasks: BTreeMap<String, Task>,
    pub links: BTreeMap<String, Link>,
    pub users: BTreeMap<String, User>,
}

#[derive(Clone, Debug)]
pub struct Project {
    pub key: String,
    pub name: String,
    /// The highest number of any of its tasks so far.
    pub highest: u32,
    /// The top-level tasks in order, including deleted ones.
    pub parts: Vec<String>,
    /// The set that deleted it.
    pub deleted: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub project: String,
    pub number: u32,
    pub former: Vec<String>,
    pub parent: Option<String>,
    pub parts: Vec<String>,
    pub title: String,
    pub status: String,
    pub assignee: Option<String>,
    pub deleted: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Link {
    pub project: String,
    pub from: String,
    pub to: String,
    pub kind: String,
    pub dependency: String,
    pub deleted: Option<String>,
}

#[derive(Clone, Debug)]
pub struct User {
    pub handle: String,
    pub into: Option<String>,
    pub deleted: Option<String>,
}

impl Model {
    /// Converts a real state. Checks the fields that follow from the tree: depth, path and root.
    pub fn of(state: &State) -> Self {
        let mut model = Self::default();
        for user in state.users() {
            let user_of = User {
                handle: user.handle.to_string(),
                into: user.merged_into.map(|id| id.to_string()),
                deleted: user.deleted_in.map(|id| id.to_string()),
            };
            model.users.insert(user.id.to_string(), user_of);
        }
        for (held, own) in
            state.projects().map(|held| (held, held.project().expect("project has a record")))
        {
            let project = own.id.to_string();
            for task in held.tasks() {
                assert_eq!(task.project_id, own.id);
                assert_eq!(
                    task.key.project(),
                    &own.key,
                    "the key of {} belongs to another project",
                    task.key
                );
                let parts = held.children(Some(task.id)).map(|part| part.id.to_string()).collect();
                let task_of = Task {
                    project: project.clone(),
                    number: task.key.number(),
                    former: task.former_keys.0.clone(),
                    parent: task.parent_id.map(|id| id.to_string()),
                    parts,
                    title: task.title.to_string(),
                    status: task.status.to_string(),
                    assignee: task.assignee_id.map(|id| id.to_string()),
                    deleted: task.deleted_in.map(|id| id.to_string()),
                };
                assert_eq!(task.deleted_at.is_some(), task.deleted_in.is_some());
                assert!(
                    model.tasks.insert(task.id.to_string(), task_of).is_none(),
                    "{} is in two projects",
                    task.key
                );
            }
            for link in held.links() {
                let link_of = Link {
                    project: project.clone(),
                    from: link.from_id.to_string(),
                    to: link.to_id.to_string(),
                    kind: link.kind.to_string(),
                    dependency: link.dependency.to_string(),
                    deleted: link.deleted_in.map(|id| id.to_string()),
                };
                model.links.insert(link.id.to_string(), link_of);
            }
            let parts = held.children(None).map(|part| part.id.to_string()).collect();
            let project_of = Project {
                key: own.key.to_string(),
                name: own.name.to_string(),
                highest: held.highest_number(),
                parts,
                deleted: own.deleted_in.map(|id| id.to_string()),
            };
            model.projects.insert(project, project_of);
        }
        for task in state.projects().flat_map(|project| project.tasks()) {
            let above = model.ancestors(&task.id.to_string());
            assert_eq!(usize::from(task.depth), above.len(), "depth of {}", task.key);
            let path: Vec<String> =
                above.iter().rev().map(|id| model.key(id)).chain([task.key.to_string()]).collect();
            assert_eq!(task.path.as_str(), path.join("/"), "path of {}", task.key);
            assert_eq!(
                Some(&task.root_id.to_string()),
                above.last().or(Some(&task.id.to_string())),
                "root of {}",
                task.key
            );
        }
        model.check_sound();
        model
    }

    /// Asserts the invariants of any lake.
    fn check_sound(&self) {
        for (id, task) in self.tasks.iter().filter(|(_, task)| task.deleted.is_none()) {
            assert!(
                self.projects[&task.project].deleted.is_none(),
                "{} is live in a deleted project",
                self.key(id)
            );
            let lives =
                task.parent.as_ref().is_none_or(|parent| self.tasks[parent].deleted.is_none());
            assert!(lives, "{} is live below a deleted task", self.key(id));
        }
        for link in self.links.values().filter(|link| link.deleted.is_none()) {
            let (from, to) = (&self.tasks[&link.from], &self.tasks[&link.to]);
            let name = format!("{} {} {}", self.key(&link.from), link.kind, self.key(&link.to));
            assert!(
                from.deleted.is_none() && to.deleted.is_none(),
                "{name} starts or ends at a deleted task"
            );
            assert_eq!(link.project, from.project, "{name} is not in the project it starts from");
            assert!(
                link.kind != "depends_on" || from.project == to.project,
                "{name} crosses projects"
            );
        }
    }

    pub fn key(&self, task: &str) -> String {
        let task = &self.tasks[task];
        format!("{}-{}", self.projects[&task.project].key, task.number)
    }

    /// Returns the ancestors of a task, the nearest first.
    pub fn ancestors(&self, task: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut at = self.tasks[task].parent.clone();
        while let Some(parent) = at {
            at = self.tasks[&parent].parent.clone();
            found.push(parent);
        }
        found
    }

    /// Returns a task and all its descendants, parents first and siblings in order.
    pub fn branch(&self, task: &str) -> Vec<String> {
        let mut found = vec![task.to_owned()];
        for part in &self.tasks[task].parts {
            found.extend(self.branch(part));
        }
        found
    }

    pub fn siblings(&mut self, project: &str, parent: Option<&str>) -> &mut Vec<String> {
        match parent {
            Some(parent) => &mut self.tasks.get_mut(parent).expect("parent").parts,
            None => &mut self.projects.get_mut(project).expect("project").parts,
        }
    }

    /// Returns all records as lines, with names instead of ids.
    pub fn lines(&self) -> Vec<String> {
        let task = |id: &String| self.key(id);
        let handle = |id: &Option<String>| id.as_ref().map(|id| self.users[id].handle.clone());
        let mut lines: Vec<String> = Vec::new();
        for project in self.projects.values() {
            let parts: Vec<String> = project.parts.iter().map(task).collect();
            lines.push(format!(
                "project {} {:?} up to {} {parts:?} {:?}",
                project.key, project.name, project.highest, project.deleted
            ));
        }
        for (id, own) in &self.tasks {
            let parts: Vec<String> = own.parts.iter().map(task).collect();
            lines.push(format!(
                "task {} {:?} {} below {:?} {:?} {:?} {parts:?} {:?}",
                self.key(id),
                own.title,
                own.status,
                own.parent.as_ref().map(task),
                handle(&own.assignee),
                own.former,
                own.deleted
            ));
        }
        for link in self.links.values() {
            let (from, to, project) =
                (task(&link.from), task(&link.to), &self.projects[&link.project].key);
            lines.push(format!(
                "link {from} {} {to} {} in {project} {:?}",
                link.kind, link.dependency, link.deleted
            ));
        }
        for user in self.users.values() {
            lines.push(format!("user {} {:?} {:?}", user.handle, handle(&user.into), user.deleted));
        }
        lines.sort();
        lines
    }

    /// Returns the live records as lines, without the things that an undo keeps: assigned numbers
    /// and former keys.
    pub fn living(&self) -> Vec<String> {
        let mut living = self.clone();
        living.projects.retain(|_, project| project.deleted.is_none());
        living.tasks.retain(|_, task| task.deleted.is_none());
        living.links.retain(|_, link| link.deleted.is_none());
        living.users.retain(|_, user| user.deleted.is_none());
        let is_there = |tasks: &BTreeMap<String, Task>, parts: &mut Vec<String>| {
            parts.retain(|part| tasks.contains_key(part))
        };
        let tasks = living.tasks.clone();
        living.tasks.values_mut().for_each(|task| {
            is_there(&tasks, &mut task.parts);
            task.former.clear();
        });
        living.projects.values_mut().for_each(|project| {
            is_there(&tasks, &mut project.parts);
            project.highest = 0;
        });
        let users = living.users.clone();
        // An assignment to a user who was merged since resolves to the other user.
        let acting =
            |user: String| Some(self.end_of_chain(&user)).filter(|user| users.contains_key(user));
        living
            .tasks
            .values_mut()
            .for_each(|task| task.assignee = task.assignee.take().and_then(acting));
        living
            .users
            .values_mut()
            .for_each(|user| user.into = user.into.take().filter(|into| users.contains_key(into)));
        living.lines()
    }

    /// Replaces the placeholder in records that the last set deleted by the id that the lake gave
    /// the set.
    pub fn set_deleting_set(&mut self, set: &str) {
        let marks = (self.projects.values_mut().map(|it| &mut it.deleted))
            .chain(self.tasks.values_mut().map(|it| &mut it.deleted))
            .chain(self.links.values_mut().map(|it| &mut it.deleted))
            .chain(self.users.values_mut().map(|it| &mut it.deleted));
        for mark in marks.filter(|mark| mark.as_deref() == Some(super::actions::THIS_SET)) {
            *mark = Some(set.to_owned());
        }
    }
}
