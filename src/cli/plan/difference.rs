//! Renders the changes of a replan, one line per item: `+` new, `~` changed, `>` moved, `-`
//! deleted, `=` kept, `!` left out.

use serde_json::Value;

use super::layout::{Shown, cut, fold};
use crate::cli::hint::hint_text;
use crate::cli::reply::count;
use crate::cli::skipped::line_range;
use crate::domain::id::{EntityId, TaskId, UserId};
use crate::domain::record::Entity;
use crate::domain::time::Minutes;
use crate::exchange::view::task::handle;
use crate::planning::replan::report::{FieldChange, Item, Mark};
use crate::service::plan::Preview;

pub(in crate::cli) fn difference(preview: &Preview, shown: Shown) -> String {
    let items = &preview.report.items;
    let most = if shown.is_full { items.len() } else { shown.rows };
    let mut rendered: Vec<String> =
        items.iter().take(most).flat_map(|item| item_lines(preview, item, shown)).collect();
    if items.len() > most {
        rendered.push(format!("… {} more; --full shows them", items.len() - most));
    }
    if !rendered.is_empty() {
        rendered.push(String::new());
    }
    rendered.push(summary(preview));
    rendered.join("\n")
}

fn summary(preview: &Preview) -> String {
    let report = &preview.report;
    let marks = [
        (Mark::New, "+", "new"),
        (Mark::Changed, "~", "changed"),
        (Mark::Moved, ">", "moved"),
        (Mark::Gone, "-", "gone"),
        (Mark::Kept, "=", "kept"),
        (Mark::LeftOut, "!", "left out"),
    ];
    let mut parts: Vec<String> = marks
        .into_iter()
        .filter_map(|(mark, sign, word)| {
            let number = report.items.iter().filter(|item| item.mark == mark).count();
            (number > 0).then(|| format!("{sign} {number} {word}"))
        })
        .collect();
    if report.shifted > 0 {
        parts.push(format!("{} only stand on other lines", report.shifted));
    }
    if report.unchanged > 0 {
        parts.push(format!("{} unchanged", count(report.unchanged, "task")));
    }
    parts.join(", ")
}

fn item_lines(preview: &Preview, item: &Item, shown: Shown) -> Vec<String> {
    let sign = match item.mark {
        Mark::New => '+',
        Mark::Changed => '~',
        Mark::Moved => '>',
        Mark::Gone => '-',
        Mark::Kept => '=',
        Mark::LeftOut => '!',
    };
    let mut head = format!("{sign} {}", subject(preview, item));
    if item.mark == Mark::Moved {
        let target = item.changes.iter().find(|change| change.field == "parent_id");
        head.push_str(&match target {
            Some(change) if change.to.is_null() => "  to the top".to_owned(),
            Some(change) => format!("  below {}", shown_value(preview, "parent_id", &change.to)),
            None => "  to another place among its siblings".to_owned(),
        });
    }
    if item.mark == Mark::Kept && !item.changes.is_empty() {
        let fields: Vec<&str> =
            item.changes.iter().map(|change| field_name(&change.field)).collect();
        head.push_str(&format!("  {}", fields.join(", ")));
    }
    if let Some(reason) =
        reason_of(item).filter(|_| matches!(item.mark, Mark::Kept | Mark::LeftOut))
    {
        head.push_str(&format!("  ({reason})"));
    }
    let mut rendered = fold(&head, shown.width);
    if item.mark == Mark::Changed {
        let mut estimate: Vec<&FieldChange> = Vec::new();
        for change in &item.changes {
            if change.field.starts_with("estimate_") {
                estimate.push(change);
            } else {
                rendered.extend(change_line(preview, change, shown));
            }
        }
        if !estimate.is_empty() {
            rendered.push(estimate_line(preview, item));
        }
    }
    rendered
}

/// Returns the reason for an item, with what ends it.
pub(super) fn reason_of(item: &Item) -> Option<String> {
    let reason = item.reason.as_ref()?;
    Some(match &item.hint {
        Some(hint) => format!("{reason}; {} brings it back", hint_text(hint)),
        None => reason.clone(),
    })
}

/// Names an item for people: `LM-7  Load orders`, `LM-7 waits for LM-3`, `R4 …`.
fn subject(preview: &Preview, item: &Item) -> String {
    match (item.entity, item.ends) {
        (Entity::Task, _) => {
            let id = TaskId::of(item.id);
            let span = preview
                .report
                .rows
                .iter()
                .position(|row| row.task == Some(id))
                .and_then(|row| preview.plan.nodes[row].span);
            let place = span.map(|span| format!("  {}", line_range(span))).unwrap_or_default();
            format!("{}  {}{place}", key(preview, id), cut(&item.title, 70))
        }
        (Entity::TaskLink, Some((from, to))) => {
            format!("{} waits for {}", key(preview, from), key(preview, to))
        }
        // Its text is on the next line.
        (Entity::Requirement, _) if item.mark == Mark::Changed => {
            format!("requirement {}", item.title.split(' ').next().unwrap_or_default())
        }
        (Entity::Requirement, _) => format!("requirement {}", item.title),
        (entity, _) => format!("{} {}", entity.noun(), item.title),
    }
}

fn key(preview: &Preview, id: TaskId) -> String {
    let task = preview.after.task(id).or_else(|| preview.before.task(id));
    task.map_or_else(|| "(none)".to_owned(), |task| task.key.to_string())
}

fn change_line(preview: &Preview, change: &FieldChange, shown: Shown) -> Vec<String> {
    let (from, to) = (
        shown_value(preview, &change.field, &change.from),
        shown_value(preview, &change.field, &change.to),
    );
    if change.field == "description" {
        return vec!["    description: follows the text".to_owned()];
    }
    fold(&format!("    {}: {from} -> {to}", field_name(&change.field)), shown.width)
}

fn estimate_line(preview: &Preview, item: &Item) -> String {
    let range = |state: &crate::domain::state::State| {
        let estimate = state.task(TaskId::of(item.id)).and_then(|task| task.estimate());
        estimate.map_or_else(|| "none".to_owned(), |range| range.to_string())
    };
    format!("    estimate: {} -> {}", range(&preview.before), range(&preview.after))
}

fn field_name(field: &str) -> &str {
    match field {
        "assignee_id" => "assignee",
        "due_date" => "due",
        "not_before" => "dates",
        "estimate_low" | "estimate_likely" | "estimate_high" => "estimate",
        other => other,
    }
}

fn shown_value(preview: &Preview, field: &str, value: &Value) -> String {
    let text = value.as_str();
    match (field, text) {
        (_, None) if value.is_null() => "none".to_owned(),
        ("assignee_id", Some(id)) => {
            id.parse::<UserId>().map_or_else(|_| id.to_owned(), |id| handle(&preview.after, id))
        }
        ("parent_id", Some(id)) => {
            id.parse::<TaskId>().map_or_else(|_| id.to_owned(), |id| key(preview, id))
        }
        (_, Some(text)) => format!("{:?}", cut(text, 80)),
        _ => match value.as_u64().and_then(|minutes| u32::try_from(minutes).ok()) {
            Some(minutes) if field.starts_with("estimate") => Minutes::new(minutes).to_string(),
            _ => value.to_string(),
        },
    }
}
