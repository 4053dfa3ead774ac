//! Renders records as lines and trees for people.

use serde_json::json;

use crate::domain::id::EntityId;
use crate::domain::state::{ProjectState, State};
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::{Minutes, rfc3339};
use crate::exchange::view::task::{SizedTaskView, TaskView, effort, handle};
use crate::planning::effort::Efforts;
use crate::service::change::Committed;
use crate::service::show::Found;

use super::reply::Reply;

/// Formats a task: `PAY-7  Title  [in_progress]  2h to 4h  @ana  due 2026-12-01`.
pub fn task_line(view: &TaskView) -> String {
    let effort = view.task.estimate().map(|estimate| estimate.to_string());
    line(&view.task, view.assignee.as_deref(), effort)
}

/// Returns the title of a task, after a mark if the task is a milestone.
pub fn marked_title(task: &Task) -> String {
    if task.is_milestone() { format!("◆ {}", task.title) } else { task.title.to_string() }
}

fn line(task: &Task, assignee: Option<&str>, effort: Option<String>) -> String {
    let mut line = format!("{}  {}", task.key, marked_title(task));
    if task.status != TaskStatus::Pending {
        line.push_str(&format!("  [{}]", task.status));
    }
    if let Some(effort) = effort {
        line.push_str(&format!("  {effort}"));
    }
    if let Some(assignee) = assignee {
        line.push_str(&format!("  {assignee}"));
    }
    if let Some(due) = task.due_date {
        line.push_str(&format!("  due {due}"));
    }
    if !task.is_live() {
        line.push_str("  (deleted)");
    }
    line
}

/// Renders the tree below a task (of the project for `None`), live tasks only, with prerequisites.
pub fn tree(
    state: &State,
    project: &ProjectState,
    root: Option<&Task>,
    deepest: u8,
    efforts: &Efforts,
) -> String {
    let mut text = String::new();
    let mut open: Vec<(&Task, Vec<bool>)> = match root {
        Some(task) => vec![(task, Vec::new())],
        None => with_ends(
            project.children(None).map(AsRef::as_ref).filter(|task| task.is_live()).collect(),
            &[],
            true,
        ),
    };
    while let Some((task, ends)) = open.pop() {
        for (level, is_last) in ends.iter().enumerate().skip(1) {
            let own = level == ends.len() - 1;
            text.push_str(match (own, is_last) {
                (true, true) => "└─ ",
                (true, false) => "├─ ",
                (false, true) => "   ",
                (false, false) => "│  ",
            });
        }
        let assignee = task.assignee_id.map(|id| handle(state, id));
        let effort = effort(task.estimate(), efforts.of_parts(task.id));
        text.push_str(&line(task, assignee.as_deref(), effort));
        let waits: Vec<String> = project
            .links_at(task.id)
            .filter(|link| {
                link.kind == crate::domain::link::LinkKind::DependsOn && link.from_id == task.id
            })
            .filter(|_| !task.status.is_closed())
            .filter_map(|link| project.task(link.to_id))
            .filter(|other| !other.status.is_closed())
            .map(|other| other.key.to_string())
            .collect();
        if !waits.is_empty() {
            text.push_str(&format!("  waits for {}", waits.join(", ")));
        }
        text.push('\n');
        let children: Vec<&Task> = project
            .children(Some(task.id))
            .map(AsRef::as_ref)
            .filter(|task| task.is_live())
            .collect();
        if task.depth >= deepest && !children.is_empty() {
            for _ in 0..ends.len().max(1) - 1 {
                text.push_str("   ");
            }
            text.push_str(&format!(
                "   … {} below\n",
                project.descendants(task.id).iter().filter(|task| task.is_live()).count()
            ));
            continue;
        }
        let below = if ends.is_empty() { vec![true] } else { ends };
        open.extend(with_ends(children, &below, false));
    }
    text
}

/// Returns siblings in reverse order, so that the first is popped first, each with the levels above
/// it that end there.
fn with_ends<'s>(tasks: Vec<&'s Task>, above: &[bool], top: bool) -> Vec<(&'s Task, Vec<bool>)> {
    let last = tasks.len().saturating_sub(1);
    let ends = |index: usize| {
        if top { vec![true] } else { above.iter().copied().chain([index == last]).collect() }
    };
    let mut siblings: Vec<(&Task, Vec<bool>)> =
        tasks.into_iter().enumerate().map(|(index, task)| (task, ends(index))).collect();
    siblings.reverse();
    siblings
}

/// Renders a task's own fields, one per line.
pub fn task_page(found: &Found<SizedTaskView>) -> String {
    let SizedTaskView { view, estimate_of_parts } = &found.view;
    let (state, task) = (&found.state, &view.task);
    let project = state.project(task.project_id);
    let own = task.estimate();
    let parts = estimate_of_parts.filter(|parts| own.is_none_or(|own| parts.likely > own.likely));
    let mut lines = vec![format!("{}  {}", task.key, marked_title(task))];
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("  {name:<12} {value}"));
        }
    };
    line("kind", task.is_milestone().then(|| task.kind.to_string()));
    line("status", Some(task.status.to_string()));
    line("priority", task.priority.map(|priority| priority.to_string()));
    line("importance", task.importance.map(|importance| importance.get().to_string()));
    line("assignee", view.assignee.clone());
    line("estimate", own.map(|estimate| format!("{estimate}, likely {}", estimate.likely)));
    line("its parts", parts.map(|parts| format!("Σ {parts}, likely {}", parts.likely)));
    line("spent", task.actual_minutes.map(|minutes: Minutes| minutes.to_string()));
    line("not before", task.not_before.map(|day| day.to_string()));
    line("due", task.due_date.map(|day| day.to_string()));
    line("tags", (!task.tags.0.is_empty()).then(|| task.tags.0.join(", ")));
    line(
        "below",
        task.parent_id
            .and_then(|id| project?.task(id))
            .map(|parent| format!("{} {}", parent.key, parent.title)),
    );
    line(
        "from",
        task.source.as_ref().map(|source| match (task.source_line, task.source_end_line) {
            (Some(first), Some(last)) if last > first => {
                format!("{source}, lines {first} to {last}")
            }
            (Some(first), _) => format!("{source}, line {first}"),
            _ => source.to_string(),
        }),
    );
    line("once", (!task.former_keys.0.is_empty()).then(|| task.former_keys.0.join(", ")));
    for link in project.into_iter().flat_map(|project| project.links_at(task.id)) {
        let (phrase, other) = match (link.kind.as_str(), link.from_id == task.id) {
            ("depends_on", true) => ("waits for", link.to_id),
            ("depends_on", false) => ("holds up", link.from_id),
            ("duplicates", true) => ("duplicates", link.to_id),
            ("duplicates", false) => ("duplicate", link.from_id),
            (_, true) => ("relates to", link.to_id),
            (_, false) => ("relates to", link.from_id),
        };
        line(
            phrase,
            state
                .task(other)
                .map(|other| format!("{} {} [{}]", other.key, other.title, other.status)),
        );
    }
    let covered = project.into_iter().flat_map(|project| project.coverage_of(task.id.uuid()));
    for answer in covered {
        line(
            "answers",
            project
                .and_then(|project| project.requirement(answer.requirement_id))
                .map(|found| format!("{} {}", found.label, found.text)),
        );
    }
    line("changed", Some(format!("{} by {}", rfc3339(task.updated_at), task.updated_by)));
    line("deleted", task.deleted_at.map(rfc3339));
    if let Some(description) = &task.description {
        lines.push(String::new());
        lines.push(description.to_string());
    }
    lines.join("\n")
}

/// Builds the reply to a change.
pub fn done(done: &Committed, text: impl Into<String>) -> Reply {
    let text = text.into();
    let mark = if done.repeated { "was done before" } else { "done" };
    Reply::new(json!(done), format!("{text}  ({mark}, seq {})", done.seq))
        .standing(format!("seq {} is committed", done.seq))
}
