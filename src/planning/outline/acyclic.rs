//! Keeps the links between rows free of cycles, including parents and children.
//!
//! A link to a phase covers all of its tasks. Each row therefore has a start and an end: a parent
//! starts before its children and ends after them, and a link leads from the end of the
//! prerequisite to the start of the dependent.

use super::draft::Draft;
use super::links::Link;
use crate::domain::link::DependencyType;
use crate::domain::task_graph::{TaskGraph, finish, start};

/// A link that would form a cycle, with the accepted links it conflicts with.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) link: Link,
    pub(super) against: Vec<Link>,
}

/// Accepts links in order and refuses those that would form a cycle.
///
/// Runs in linear time without a cycle; otherwise only the links on a cycle are tried one by one.
pub(super) fn accept(draft: &Draft, links: Vec<Link>) -> (Vec<Link>, Vec<Refused>) {
    let mut graph = graph_of_rows(draft);
    for link in &links {
        graph.add_dependency(link.from, link.to, DependencyType::FinishToStart, None);
    }
    let on_cycle = graph.points().nodes_on_cycles();
    if on_cycle.iter().all(|cyclic| !cyclic) {
        return (links, Vec::new());
    }
    let mut graph = graph_of_rows(draft);
    let (mut accepted, mut refused): (Vec<Link>, Vec<Refused>) = (Vec::new(), Vec::new());
    for link in links {
        let suspect = on_cycle[finish(link.to)] && on_cycle[start(link.from)];
        let path = suspect.then(|| graph.points().path(start(link.from), finish(link.to)));
        let path = path.flatten();
        match path {
            Some(path) => {
                let against = path.into_iter().flatten().map(|at| accepted[at].clone()).collect();
                refused.push(Refused { link, against });
            }
            None => {
                let label = Some(accepted.len());
                graph.add_dependency(link.from, link.to, DependencyType::FinishToStart, label);
                accepted.push(link);
            }
        }
    }
    (accepted, refused)
}

/// Builds the graph of the rows without links. A label is the number of an accepted link.
fn graph_of_rows(draft: &Draft) -> TaskGraph<Option<usize>> {
    let mut graph = TaskGraph::new(draft.rows.len());
    for (index, row) in draft.rows.iter().enumerate() {
        graph.add_task(index);
        if let Some(parent) = row.parent {
            graph.add_child(parent, index);
        }
    }
    graph
}
