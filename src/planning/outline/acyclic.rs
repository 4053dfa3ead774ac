//! Keeps the links between rows free of cycles, including parents and children.
//!
//! A link to a phase covers all of its tasks. Each row therefore has a start and an end: a parent
//! starts before its children and ends after them, and a link leads from the end of the
//! prerequisite to the start of the dependent.

use super::dependencies::Link;
use super::draft::Draft;

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
    let mut graph = Graph::of_rows(draft);
    for link in &links {
        graph.add(link, 0);
    }
    let on_cycle = graph.components_with_cycles();
    if on_cycle.iter().all(|cyclic| !cyclic) {
        return (links, Vec::new());
    }
    let mut graph = Graph::of_rows(draft);
    let (mut accepted, mut refused): (Vec<Link>, Vec<Refused>) = (Vec::new(), Vec::new());
    for link in links {
        let suspect = on_cycle[end(link.to)] && on_cycle[start(link.from)];
        let path = if suspect { graph.path(start(link.from), end(link.to)) } else { None };
        match path {
            Some(path) => {
                let against = path.into_iter().map(|at| accepted[at].clone()).collect();
                refused.push(Refused { link, against });
            }
            None => {
                graph.add(&link, accepted.len() + 1);
                accepted.push(link);
            }
        }
    }
    (accepted, refused)
}

fn start(row: usize) -> usize {
    2 * row
}

fn end(row: usize) -> usize {
    2 * row + 1
}

/// Each edge has the number of its accepted link; zero means no link.
struct Graph {
    edges: Vec<Vec<(usize, usize)>>,
}

impl Graph {
    fn of_rows(draft: &Draft) -> Self {
        let mut edges = vec![Vec::new(); 2 * draft.rows.len()];
        for (index, row) in draft.rows.iter().enumerate() {
            edges[start(index)].push((end(index), 0));
            if let Some(parent) = row.parent {
                edges[start(parent)].push((start(index), 0));
                edges[end(index)].push((end(parent), 0));
            }
        }
        Self { edges }
    }

    fn add(&mut self, link: &Link, number: usize) {
        self.edges[end(link.to)].push((start(link.from), number));
    }

    /// Returns the accepted links on some path between two points.
    fn path(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut came: Vec<Option<(usize, usize)>> = vec![None; self.edges.len()];
        let mut open = std::collections::VecDeque::from([from]);
        while let Some(at) = open.pop_front() {
            if at == to {
                return Some(trace(&came, from, to));
            }
            for &(next, number) in &self.edges[at] {
                if next != from && came[next].is_none() {
                    came[next] = Some((at, number));
                    open.push_back(next);
                }
            }
        }
        None
    }

    /// Returns, for each point, whether it is in a strongly connected component of several points.
    ///
    /// Uses Tarjan's algorithm with an explicit stack instead of recursion.
    fn components_with_cycles(&self) -> Vec<bool> {
        const UNSEEN: usize = usize::MAX;
        let points = self.edges.len();
        let (mut order, mut low) = (vec![UNSEEN; points], vec![0; points]);
        let (mut on_stack, mut cyclic) = (vec![false; points], vec![false; points]);
        let (mut stack, mut next_order) = (Vec::new(), 0);
        for root in 0..points {
            if order[root] != UNSEEN {
                continue;
            }
            let mut visits: Vec<(usize, usize)> = vec![(root, 0)];
            while let Some((at, edge)) = visits.pop() {
                if edge == 0 {
                    order[at] = next_order;
                    low[at] = next_order;
                    next_order += 1;
                    stack.push(at);
                    on_stack[at] = true;
                }
                if let Some(&(next, _)) = self.edges[at].get(edge) {
                    visits.push((at, edge + 1));
                    if order[next] == UNSEEN {
                        visits.push((next, 0));
                    } else if on_stack[next] {
                        low[at] = low[at].min(order[next]);
                    }
                    continue;
                }
                if low[at] == order[at] {
                    let from = stack.iter().rposition(|point| *point == at).unwrap_or(0);
                    let is_cycle = stack.len() - from > 1;
                    for point in stack.drain(from..) {
                        on_stack[point] = false;
                        cyclic[point] = is_cycle;
                    }
                }
                if let Some((parent, _)) = visits.last() {
                    low[*parent] = low[*parent].min(low[at]);
                }
            }
        }
        cyclic
    }
}

fn trace(came: &[Option<(usize, usize)>], from: usize, to: usize) -> Vec<usize> {
    let mut links = Vec::new();
    let mut at = to;
    while at != from {
        let Some((before, number)) = came[at] else {
            break;
        };
        links.extend(number.checked_sub(1));
        at = before;
    }
    links.reverse();
    links
}
