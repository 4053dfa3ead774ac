//! Renders the rows of a plan under their current or future keys, with estimates, lines and
//! prerequisites.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Shown, cut};
use crate::cli::skipped::line_range;
use crate::domain::state::ProjectState;
use crate::domain::task::Priority;
use crate::planning::plan::{Basis, Node, NodeKind, Progress};
use crate::service::plan::Preview;

/// Renders the rows as a tree: all of them, or the upper levels and as many branches as fit.
pub(super) fn tree(preview: &Preview, shown: Shown) -> String {
    let forest = Forest::of(&preview.plan.nodes);
    let open = if shown.is_full { None } else { Some(forest.open_branches(shown.rows)) };
    let keys = keys(preview);
    let mut waits: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for link in &preview.plan.links {
        let to = keys.get(link.to.as_str()).map_or(link.to.as_str(), String::as_str);
        waits.entry(link.from.as_str()).or_default().push(to);
    }
    let mut rows: Vec<[String; 4]> = Vec::new();
    let mut hidden = 0;
    let mut stack: Vec<(usize, Vec<bool>)> = Vec::new();
    let tops = forest.below(None);
    let most_tops = if shown.is_full { tops.len() } else { shown.rows.max(1) };
    stack.extend(tops.iter().take(most_tops).rev().map(|top| (*top, Vec::new())));
    hidden += tops.iter().skip(most_tops).map(|top| 1 + forest.size(*top)).sum::<usize>();
    while let Some((index, ends)) = stack.pop() {
        let node = &preview.plan.nodes[index];
        let children = forest.below(Some(index));
        let is_open = open.as_ref().is_none_or(|open| open.contains(&index));
        let key = keys.get(node.key.as_str()).map_or("-", String::as_str);
        let mut title = format!("{}{key}  {}", branches(&ends), row_title(node));
        if !is_open && !children.is_empty() {
            title.push_str(&format!("  (+{})", forest.size(index)));
        }
        let after = waits
            .get(node.key.as_str())
            .map(|keys| format!("after {}", keys.join(", ")))
            .unwrap_or_default();
        rows.push([title, effort(node), node.span.map(line_range).unwrap_or_default(), after]);
        if is_open {
            let last = children.len().saturating_sub(1);
            let deeper = children.iter().enumerate().rev();
            stack.extend(
                deeper.map(|(at, child)| {
                    (*child, ends.iter().copied().chain([at == last]).collect())
                }),
            );
        } else {
            hidden += forest.size(index);
        }
    }
    let mut text = columns(&rows, shown.width);
    if hidden > 0 {
        text.push_str(&format!("\n… {hidden} more rows; --full shows them"));
    }
    text
}

/// Returns the keys of the plan's rows in the lake as it would be.
pub(in crate::cli) fn keys(preview: &Preview) -> BTreeMap<&str, String> {
    let project: Option<&ProjectState> = preview.after.project(preview.project);
    let rows = preview.report.rows.iter();
    rows.filter_map(|row| Some((row.key.as_str(), project?.task(row.task?)?.key.to_string())))
        .collect()
}

/// Formats a range of effort; a sum is rounded.
pub(in crate::cli) fn effort(node: &Node) -> String {
    if node.kind == NodeKind::Milestone {
        return String::new();
    }
    let range = node.estimate.range;
    if node.estimate.basis == Some(Basis::Children) { range.rough() } else { range.to_string() }
}

fn row_title(node: &Node) -> String {
    let mut title = String::new();
    if node.standing == Progress::Done {
        title.push_str("[x] ");
    }
    if node.kind == NodeKind::Milestone {
        title.push_str("◆ ");
    }
    title.push_str(&node.title);
    if node.standing == Progress::Started {
        title.push_str("  in progress");
    }
    if let Some(owner) = &node.owner {
        title.push_str(&format!("  @{}", owner.trim_start_matches('@')));
    }
    if let Some(priority) = node.priority.filter(|priority| *priority > Priority::Medium) {
        title.push_str(&format!("  {priority}"));
    }
    if let Some(due) = node.due {
        title.push_str(&format!("  due {due}"));
    }
    title
}

fn branches(ends: &[bool]) -> String {
    let mut text = String::new();
    for (level, is_last) in ends.iter().enumerate() {
        text.push_str(match (level + 1 == ends.len(), is_last) {
            (true, true) => "└─ ",
            (true, false) => "├─ ",
            (false, true) => "   ",
            (false, false) => "│  ",
        });
    }
    text
}

/// Minimum width of the titles.
const MIN_TITLE: usize = 24;

/// Lays out rows in columns. If space is short, the titles are cut, and the prerequisites take
/// several lines.
fn columns(rows: &[[String; 4]], width: usize) -> String {
    let longest =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (estimate, lines, after) = (longest(1), longest(2), longest(3).min(width / 4));
    let gaps = if after > 0 { 6 } else { 4 };
    let most = width.saturating_sub(estimate + lines + after + gaps).max(MIN_TITLE);
    let title = longest(0).min(most);
    let row = |row: &[String; 4]| {
        let mut waits = broken(&row[3], after).into_iter();
        let first = format!(
            "{:title$}  {:>estimate$}  {:lines$}  {}",
            cut(&row[0], title),
            row[1],
            row[2],
            waits.next().unwrap_or_default()
        );
        let left = title + estimate + lines + 6;
        let more = waits.map(|keys| format!("{:left$}{keys}", trunks(&row[0])));
        let row: Vec<String> = [first].into_iter().chain(more).collect();
        row.into_iter().map(|line| line.trim_end().to_owned())
    };
    rows.iter().flat_map(row).collect::<Vec<_>>().join("\n")
}

/// Breaks prerequisites after commas. The lines after the first are indented to the keys.
fn broken(waits: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for key in waits.split_inclusive(", ") {
        match lines.last_mut() {
            Some(line) if (line.clone() + key).trim_end().chars().count() <= width => {
                line.push_str(key);
            }
            Some(_) => lines.push(format!("{:6}{key}", "")),
            None => lines.push(key.to_owned()),
        }
    }
    lines
}

/// Returns the branches of a row as they continue below it.
fn trunks(title: &str) -> String {
    let branches = title.chars().take_while(|c| matches!(c, '│' | '├' | '└' | '─' | ' '));
    branches.map(|c| if matches!(c, '│' | '├') { '│' } else { ' ' }).collect()
}

struct Forest {
    children: BTreeMap<Option<usize>, Vec<usize>>,
    depths: Vec<usize>,
    sizes: Vec<usize>,
}

impl Forest {
    fn of(nodes: &[Node]) -> Self {
        let rows: BTreeMap<&str, usize> =
            nodes.iter().enumerate().map(|(index, node)| (node.key.as_str(), index)).collect();
        let parents: Vec<Option<usize>> = nodes
            .iter()
            .map(|node| node.parent.as_deref().and_then(|parent| rows.get(parent).copied()))
            .collect();
        let mut forest = Self {
            children: BTreeMap::new(),
            depths: vec![0; nodes.len()],
            sizes: vec![0; nodes.len()],
        };
        for (index, parent) in parents.iter().enumerate() {
            forest.children.entry(*parent).or_default().push(index);
            forest.depths[index] = parent.map_or(0, |parent| forest.depths[parent] + 1);
        }
        for (index, parent) in parents.iter().enumerate().rev() {
            if let Some(parent) = parent {
                forest.sizes[*parent] += forest.sizes[index] + 1;
            }
        }
        forest
    }

    fn below(&self, parent: Option<usize>) -> &[usize] {
        self.children.get(&parent).map_or(&[], Vec::as_slice)
    }

    fn size(&self, index: usize) -> usize {
        self.sizes[index]
    }

    /// Returns the rows that show their children: level by level, in order, as long as they fit.
    fn open_branches(&self, room: usize) -> BTreeSet<usize> {
        let mut left = room.saturating_sub(self.below(None).len());
        let mut open = BTreeSet::new();
        let deepest = self.depths.iter().copied().max().unwrap_or(0);
        for level in 0..=deepest {
            for index in (0..self.depths.len()).filter(|index| self.depths[*index] == level) {
                let is_shown = self.children.iter().all(|(parent, children)| {
                    parent.is_none_or(|parent| open.contains(&parent) || !children.contains(&index))
                });
                let below = self.below(Some(index)).len();
                if is_shown && below > 0 && below <= left {
                    left -= below;
                    open.insert(index);
                }
            }
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_titles_are_cut_in_a_narrow_terminal() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned);
        let rows = [
            row(["A-1  A phase", "3d", "L1-2", ""]),
            row([
                "├─ A-2  A task with a long title that does not fit",
                "1d to 2d",
                "L10000-10001",
                "after A-3, A-4, A-5, A-6",
            ]),
            row(["└─ A-3  Another", "1d", "L3", "after A-4"]),
        ];
        let expected = [
            "A-1  A phase                    3d  L1-2",
            "├─ A-2  A task with a l…  1d to 2d  L10000-10001  after A-3, A-4,",
            "│                                                       A-5, A-6",
            "└─ A-3  Another                  1d  L3            after A-4",
        ];
        let rendered = columns(&rows, 60);
        for (line, expected) in rendered.lines().zip(expected) {
            assert_eq!(
                line.split_whitespace().collect::<Vec<_>>(),
                expected.split_whitespace().collect::<Vec<_>>()
            );
        }
        assert_eq!(rendered.lines().count(), expected.len(), "{rendered}");
    }
}
