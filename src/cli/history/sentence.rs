//! Describes a change in one sentence.

use serde_json::Value;

use super::super::reply::count;
use crate::domain::id::{ProjectId, TaskId, UserId};
use crate::domain::patch::Op;
use crate::domain::record::Fields;
use crate::domain::state::{ProjectState, State};
use crate::domain::time::Minutes;
use crate::exchange::view::change::ChangeView;
use crate::exchange::view::task::handle;

/// Fields that are not shown: those that follow from a change, and those for programs.
const QUIET: [&str; 9] = [
    "updated_at",
    "updated_by",
    "last_progress_at",
    "started_at",
    "completed_at",
    "lead_minutes",
    "cycle_minutes",
    "metadata",
    PLAN_BASE,
];
/// What a plan remembers about a record.
const PLAN_BASE: &str = "plan_base";
/// Shown as one range.
const ESTIMATE: [&str; 3] = ["estimate_low", "estimate_likely", "estimate_high"];

/// Describes a change: `update PAY-3: status pending -> review`.
pub fn sentence(state: &State, change: &ChangeView) -> String {
    let after = &change.after;
    let mut rendered = format!("{} {}", change.op, change.name);
    if change.op == Op::Erase {
        let rows = after.get("rows").and_then(Value::as_array).map_or(0, Vec::len);
        rendered.push_str(&format!(": values of {}", count(rows, "earlier change")));
    } else if change.erased {
        rendered.push_str(": erased");
    } else if change.op == Op::Update {
        let parts = changes(state, &change.before, after);
        // Names fields for programs too, so that no change looks empty.
        let quiet = || {
            after.keys().filter(|field| !QUIET[..7].contains(&field.as_str())).cloned().collect()
        };
        rendered
            .push_str(&format!(": {}", if parts.is_empty() { quiet() } else { parts }.join(", ")));
    } else if let Some(title) = after.get("title").or_else(|| after.get("name")) {
        rendered.push_str(&format!(": {}", brief(title)));
    }
    rendered
}

/// Whether a change only stores what a plan remembers. Such a change comes with others of the plan,
/// which people want to read.
pub fn is_only_remembered(change: &ChangeView) -> bool {
    let is_stamp = |field: &String| field.as_str() == PLAN_BASE || field.starts_with("updated_");
    change.op == Op::Update
        && change.after.contains_key(PLAN_BASE)
        && change.after.keys().all(is_stamp)
}

fn changes(state: &State, before: &Fields, after: &Fields) -> Vec<String> {
    let mut parts = Vec::new();
    if ESTIMATE.iter().any(|field| after.contains_key(*field)) {
        parts.push(format!("estimate {} -> {}", range(before), range(after)));
    }
    let nothing = Value::Null;
    for (field, is) in after {
        if QUIET.contains(&field.as_str()) || ESTIMATE.contains(&field.as_str()) {
            continue;
        }
        let was = before.get(field).unwrap_or(&nothing);
        parts.push(match (field.as_str(), was, is) {
            ("description", Value::String(_), Value::String(_)) => {
                "description rewritten".to_owned()
            }
            ("position", ..) => "another place".to_owned(),
            _ => format!(
                "{} {} -> {}",
                field.trim_end_matches("_id"),
                shown(state, field, was),
                shown(state, field, is)
            ),
        });
    }
    parts
}

/// Effort before or after a change, such as `4h` or `1d to 2d`.
fn range(fields: &Fields) -> String {
    let mut stated: Vec<u32> =
        ESTIMATE.iter().filter_map(|field| minutes(fields.get(*field)?)).collect();
    stated.sort_unstable();
    match (stated.first(), stated.last()) {
        (Some(low), Some(high)) if low == high => Minutes::new(*low).to_string(),
        (Some(low), Some(high)) => format!("{} to {}", Minutes::new(*low), Minutes::new(*high)),
        _ => "none".to_owned(),
    }
}

fn minutes(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn shown(state: &State, field: &str, value: &Value) -> String {
    let name = |text: &str| match field {
        "assignee_id" => text.parse::<UserId>().ok().map(|id| handle(state, id)),
        "parent_id" => {
            text.parse::<TaskId>().ok().and_then(|id| Some(state.task(id)?.key.to_string()))
        }
        "project_id" => {
            let project = text
                .parse::<ProjectId>()
                .ok()
                .and_then(|id| state.project(id))
                .and_then(ProjectState::project);
            project.map(|project| project.key.to_string())
        }
        _ => None,
    };
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => name(text).unwrap_or_else(|| brief(value)),
        Value::Number(_) if field.ends_with("_minutes") => minutes(value)
            .map_or_else(|| value.to_string(), |minutes| Minutes::new(minutes).to_string()),
        other => brief(other),
    }
}

fn brief(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(60).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}
