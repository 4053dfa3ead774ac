//! Matches the rows of a new plan to existing tasks.
//!
//! Matches are tried in this order: same text below the same parent; same text elsewhere (a move);
//! a parent with mostly the same child rows; similar text below the same parent. The parent is the
//! one last set by the plan, not by a person.

use std::collections::BTreeMap;

use crate::domain::id::TaskId;
use crate::domain::state::ProjectState;
use crate::domain::task::Task;
use crate::planning::plan::{Node, fitting_title};
use crate::planning::replan::merge_base::{MergeBase, TaskBase, normal};
use crate::planning::valid_plan::ValidPlan;
use crate::text::similarity::TitleIndex;
use crate::text::stem::content_words;

/// Minimum similarity for treating a changed text as the same task.
const FLOOR: f64 = 0.55;

/// A task created by an earlier plan.
#[derive(Debug)]
pub struct ExistingTask<'a> {
    pub task: &'a Task,
    pub base: &'a TaskBase,
}

/// Returns the planned tasks of a project: the live ones, and those that a person deleted although
/// the description states them.
pub fn known<'a>(project: Option<&'a ProjectState>, base: &'a MergeBase) -> Vec<ExistingTask<'a>> {
    let Some(project) = project else { return Vec::new() };
    let mut known: Vec<ExistingTask<'a>> = project
        .tasks()
        .filter_map(|task| Some(ExistingTask { task, base: base.tasks.get(&task.id)? }))
        .filter(|known| known.task.is_live() || !known.base.gone)
        .collect();
    known.sort_by_key(|known| (known.base.gone, known.task.source_line, known.task.key.number()));
    known
}

/// Returns the index into `known` of each row's task.
pub fn matches(plan: &ValidPlan, known: &[ExistingTask<'_>]) -> Vec<Option<usize>> {
    let mut matcher = Matcher {
        nodes: &plan.nodes,
        texts: plan.nodes.iter().map(|node| normal(&fitting_title(&node.title))).collect(),
        parents: plan.parents(),
        known,
        places: known.iter().enumerate().map(|(index, known)| (known.task.id, index)).collect(),
        of_node: vec![None; plan.nodes.len()],
        is_taken: vec![false; known.len()],
    };
    matcher.same_place();
    matcher.elsewhere();
    matcher.by_their_rows();
    matcher.similar();
    matcher.of_node
}

struct Matcher<'a> {
    nodes: &'a [Node],
    texts: Vec<String>,
    parents: &'a [Option<usize>],
    known: &'a [ExistingTask<'a>],
    places: BTreeMap<TaskId, usize>,
    of_node: Vec<Option<usize>>,
    is_taken: Vec<bool>,
}

impl Matcher<'_> {
    fn take(&mut self, node: usize, known: usize) {
        self.of_node[node] = Some(known);
        self.is_taken[known] = true;
    }

    /// Returns the task of a row's parent: `None` if the parent is new, `Some(None)` at the top
    /// level.
    fn parent_of(&self, node: usize) -> Option<Option<TaskId>> {
        match self.parents[node] {
            None => Some(None),
            Some(parent) => self.of_node[parent].map(|known| Some(self.known[known].task.id)),
        }
    }

    fn free(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.known.len())
            .filter(|index| !self.is_taken[*index] && self.known[*index].task.is_live())
    }

    fn open(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.of_node[*node].is_none()).collect()
    }

    fn same_place(&mut self) {
        let mut waiting: BTreeMap<(Option<TaskId>, String), Vec<usize>> = BTreeMap::new();
        for (index, known) in self.known.iter().enumerate().rev() {
            waiting.entry((known.base.parent, normal(known.base.title()))).or_default().push(index);
        }
        for node in 0..self.nodes.len() {
            let Some(parent) = self.parent_of(node) else { continue };
            if let Some(found) =
                waiting.get_mut(&(parent, self.texts[node].clone())).and_then(Vec::pop)
            {
                self.take(node, found);
            }
        }
    }

    fn elsewhere(&mut self) {
        let mut waiting: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in self.free() {
            waiting.entry(normal(self.known[index].base.title())).or_default().push(index);
        }
        for node in self.open() {
            let wanted = self.parents[node].map(|parent| self.texts[parent].clone());
            let Some(found) = waiting.get_mut(&self.texts[node]).filter(|found| !found.is_empty())
            else {
                continue;
            };
            let parent_text = |index: usize| {
                let parent =
                    self.known[index].base.parent.and_then(|parent| self.places.get(&parent));
                parent.map(|parent| normal(self.known[*parent].base.title()))
            };
            let at = found.iter().position(|index| parent_text(*index) == wanted).unwrap_or(0);
            let found = found.remove(at);
            self.take(node, found);
        }
    }

    /// Matches a changed parent to the old parent of most of its rows, if these are at least half.
    fn by_their_rows(&mut self) {
        let mut below: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        for node in 0..self.nodes.len() {
            let Some(parent) = self.parents[node] else { continue };
            *sizes.entry(parent).or_default() += 1;
            let came_from = self.of_node[node].and_then(|known| self.known[known].base.parent);
            if let Some(old) = came_from.and_then(|old| self.places.get(&old)) {
                *below.entry(parent).or_default().entry(*old).or_default() += 1;
            }
        }
        for node in self.open() {
            let Some(parent) = self.parent_of(node) else { continue };
            let fits = |index: &usize| {
                let known = &self.known[*index];
                !self.is_taken[*index] && known.task.is_live() && known.base.parent == parent
            };
            let most = below
                .get(&node)
                .into_iter()
                .flatten()
                .filter(|(index, _)| fits(index))
                .max_by_key(|(_, count)| **count);
            if let Some((index, count)) = most
                && 2 * *count >= sizes.get(&node).copied().unwrap_or_default()
            {
                self.take(node, *index);
            }
        }
    }

    fn similar(&mut self) {
        let open = self.open();
        let old: Vec<usize> = self.free().collect();
        let likeness = Likeness::of(self, &open, &old);
        let mut siblings: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for node in open {
            siblings.entry(self.parents[node]).or_default().push(node);
        }
        // Plans list parents before their rows, so a parent matched here is known when its rows are
        // matched.
        for nodes in siblings.values() {
            let Some(parent) = nodes.first().and_then(|node| self.parent_of(*node)) else {
                continue;
            };
            let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
            for node in nodes {
                let alike = likeness.of_node.get(node).into_iter().flatten();
                let here = alike.filter(|(known, _)| {
                    !self.is_taken[**known] && self.known[**known].base.parent == parent
                });
                pairs.extend(here.map(|(known, score)| (*score, *node, *known)));
            }
            pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
            for (_, node, known) in pairs {
                if self.of_node[node].is_none() && !self.is_taken[known] {
                    self.take(node, known);
                }
            }
        }
    }
}

/// Similar tasks and their scores by row. Because people shorten and lengthen statements, it is
/// enough if one text contains most of the other and the contained text has more than one word.
struct Likeness {
    of_node: BTreeMap<usize, BTreeMap<usize, f64>>,
}

impl Likeness {
    fn of(matcher: &Matcher<'_>, nodes: &[usize], known: &[usize]) -> Self {
        let mut likeness = Self { of_node: BTreeMap::new() };
        let title_of = |known: usize| matcher.known[known].base.title();
        let old = TitleIndex::new(known.iter().map(|known| title_of(*known)));
        for node in nodes {
            for found in old
                .matches(&matcher.nodes[*node].title)
                .into_iter()
                .take_while(|found| found.score >= FLOOR)
            {
                likeness.note(*node, known[found.index], found.score);
            }
        }
        let new = TitleIndex::new(nodes.iter().map(|node| matcher.nodes[*node].title.as_str()));
        for known in known.iter().filter(|known| content_words(title_of(**known)).len() > 1) {
            for found in
                new.matches(title_of(*known)).into_iter().take_while(|found| found.score >= FLOOR)
            {
                likeness.note(nodes[found.index], *known, found.score);
            }
        }
        likeness
    }

    fn note(&mut self, node: usize, known: usize, score: f64) {
        let best = self.of_node.entry(node).or_default().entry(known).or_insert(score);
        *best = best.max(score);
    }
}
