//! The rules of the model for links.

use std::collections::BTreeSet;

use super::actions::THIS_SET;
use super::model::{Link, Model};
use super::rules::{Verdict, ensure, refuse};

impl Model {
    pub fn only_link(&self, from: &str, to: &str, kind: Option<&str>) -> Result<String, String> {
        let fits = |link: &Link| {
            (link.from.as_str(), link.to.as_str()) == (from, to)
                && link.deleted.is_none()
                && kind.is_none_or(|kind| kind == link.kind)
        };
        let found: Vec<&String> =
            self.links.iter().filter(|(_, link)| fits(link)).map(|(id, _)| id).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            _ => refuse("not one link between the two"),
        }
    }

    pub fn is_new(&self, link: &Link) -> bool {
        let mirrored = Link { from: link.to.clone(), to: link.from.clone(), ..link.clone() };
        let equals = |expected: &Link| {
            let own = self
                .links
                .values()
                .filter(|own| own.deleted.is_none() && own.kind == expected.kind);
            own.into_iter().any(|own| (&own.from, &own.to) == (&expected.from, &expected.to))
        };
        !equals(link) && (link.kind != "relates" || !equals(&mirrored))
    }

    pub fn link_again(&mut self, id: &str) -> Verdict {
        let link = self.links[id].clone();
        self.may_link(id, &link)?;
        let project = self.tasks[&link.from].project.clone();
        let link = self.links.get_mut(id).expect("link");
        (link.project, link.deleted) = (project, None);
        Ok(())
    }

    pub fn may_link(&self, id: &str, link: &Link) -> Verdict {
        let (from, to) = (
            self.tasks.get(&link.from).ok_or("no task")?,
            self.tasks.get(&link.to).ok_or("no task")?,
        );
        ensure(from.deleted.is_none() && to.deleted.is_none(), "an end is deleted")?;
        ensure(
            link.kind != "depends_on" || from.project == to.project,
            "a dependency would cross projects",
        )?;
        let is_same_link = |(other_id, other): (&String, &Link)| {
            let same = (&other.from, &other.to) == (&link.from, &link.to);
            let mirrored =
                link.kind == "relates" && (&other.to, &other.from) == (&link.from, &link.to);
            other_id != id
                && other.deleted.is_none()
                && other.kind == link.kind
                && (same || mirrored)
        };
        ensure(!self.links.iter().any(is_same_link), "linked already")
    }

    pub fn unlink(&mut self, id: &str) -> Verdict {
        let link = self.links.get_mut(id).ok_or("no link")?;
        ensure(link.deleted.is_none(), "deleted already")?;
        link.deleted = Some(THIS_SET.to_owned());
        Ok(())
    }

    /// Checks that no chain of "not before" leads from a start or finish back to itself, and that
    /// dependencies have no cycle.
    pub fn check_dependencies(&self) -> Verdict {
        let links: Vec<&Link> = self
            .links
            .values()
            .filter(|link| link.deleted.is_none() && link.kind == "depends_on")
            .collect();
        for link in &links {
            let related = self.ancestors(&link.from).contains(&link.to)
                || self.ancestors(&link.to).contains(&link.from);
            ensure(!related, "a dependency on a relative")?;
        }
        let chain = links.iter().map(|link| (link.to.clone(), link.from.clone()));
        ensure(is_acyclic(chain.collect()), "a circle of dependencies")?;
        let (start, finish) =
            (|task: &String| format!("{task} starts"), |task: &String| format!("{task} ends"));
        let mut before: Vec<(String, String)> = Vec::new();
        for (id, task) in &self.tasks {
            before.push((start(id), finish(id)));
            if let Some(parent) = &task.parent {
                before.extend([(start(parent), start(id)), (finish(id), finish(parent))]);
            }
        }
        for link in links {
            let held_by =
                if link.dependency.starts_with('F') { finish(&link.to) } else { start(&link.to) };
            let holds =
                if link.dependency.ends_with('S') { start(&link.from) } else { finish(&link.from) };
            before.push((held_by, holds));
        }
        ensure(is_acyclic(before), "a deadlock through parents")
    }
}

/// Repeatedly removes nodes without predecessors; the rest is cyclic.
fn is_acyclic(mut edges: Vec<(String, String)>) -> bool {
    loop {
        let held: BTreeSet<String> = edges.iter().map(|(_, later)| later.clone()).collect();
        let left: Vec<_> =
            edges.iter().filter(|(earlier, _)| held.contains(earlier)).cloned().collect();
        if left.len() == edges.len() {
            return edges.is_empty();
        }
        edges = left;
    }
}
