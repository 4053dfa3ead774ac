use serde_json::json;

use crate::cli::{Reply, show};
use crate::domain::key::TaskKey;
use crate::service::task::Completed;

/// Maximum number of keys to show; more would hide the sentence.
const MAX_KEYS: usize = 8;

/// Reports what was completed and what remains.
pub(super) fn reply(task: &str, completed: &Completed) -> Reply {
    let with_parts = match completed.completed_parts.as_slice() {
        [] => String::new(),
        parts => format!(" with {}", rendered(parts)),
    };
    let mut reply = show::done(&completed.done, format!("{task} completed{with_parts}"));
    if !completed.open_parts.is_empty() {
        let open = rendered(&completed.open_parts);
        reply.text.push_str(&format!(
            "\nstill open below it: {open}; lakeplan task done {task} --parts completes them"
        ));
    }
    if let Some(whole) = &completed.whole {
        reply
            .text
            .push_str(&format!("\nnext: lakeplan task done {whole}, as all its parts are closed"));
    }
    reply.json = json!(completed);
    reply
}

fn rendered(keys: &[TaskKey]) -> String {
    let first: Vec<String> = keys.iter().take(MAX_KEYS).map(ToString::to_string).collect();
    match keys.len().checked_sub(MAX_KEYS).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", first.join(", ")),
        None => first.join(", "),
    }
}
