//! The options that set a task's fields, the same for create and update.

use chrono::NaiveDate;

use crate::cli::CliError;
use crate::domain::task::{Priority, TaskKind};
use crate::domain::time::Minutes;
use crate::domain::value::FieldValue;
use crate::exchange::patchset::RawPatch;

#[derive(Debug, clap::Args)]
pub struct TaskFieldArgs {
    /// Description, Markdown or plain text.
    #[arg(long)]
    description: Option<String>,
    /// Kind: task, or milestone: a point in time, at its due date, without estimate and subtasks.
    #[arg(long)]
    kind: Option<TaskKind>,
    /// Priority: low, medium, high or critical.
    #[arg(long)]
    priority: Option<Priority>,
    /// Assignee: a handle or an e-mail address.
    #[arg(long, value_name = "USER")]
    assignee: Option<String>,
    #[arg(long, value_name = "DATE", value_parser = crate::domain::day::read)]
    due: Option<NaiveDate>,
    /// Earliest start date.
    #[arg(long, value_name = "DATE", value_parser = crate::domain::day::read)]
    not_before: Option<NaiveDate>,
    /// Effort: 2h, a range 1d-3d, or low/likely/high 1d/2d/4d.
    #[arg(long, value_name = "DURATION")]
    estimate: Option<String>,
    /// Importance, from 1 (low) to 5.
    #[arg(long)]
    importance: Option<u8>,
    /// Tag. Repeat for more; they replace the existing tags.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

impl TaskFieldArgs {
    pub fn apply(self, mut patch: RawPatch) -> Result<RawPatch, CliError> {
        let fields = [
            ("description", self.description),
            ("kind", self.kind.map(|kind| kind.to_string())),
            ("priority", self.priority.map(|priority| priority.to_string())),
            ("assignee_id", self.assignee),
            ("due_date", self.due.map(|day| day.to_string())),
            ("not_before", self.not_before.map(|day| day.to_string())),
        ];
        for (field, value) in fields {
            if let Some(value) = value {
                patch = patch.with(field, value);
            }
        }
        if let Some(importance) = self.importance {
            patch = patch.with("importance", importance);
        }
        if !self.tag.is_empty() {
            patch = patch.with("tags", self.tag);
        }
        if let Some(estimate) = &self.estimate {
            let (low, likely, high) = read_estimate(estimate)?;
            patch = patch
                .with("estimate_low", low.json())
                .with("estimate_likely", likely.json())
                .with("estimate_high", high.json());
        }
        Ok(patch)
    }
}

/// Parses `2h`, `1d-3d` (likely in the middle) or `1d/2d/4d`.
fn read_estimate(text: &str) -> Result<(Minutes, Minutes, Minutes), CliError> {
    let read = |part: &str| {
        part.parse::<Minutes>().map_err(|err| CliError::usage(format!("--estimate: {err}")))
    };
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    match parts.as_slice() {
        [only] => read(only).map(|minutes| (minutes, minutes, minutes)),
        [low, high] => {
            let (low, high) = (read(low)?, read(high)?);
            Ok((low, Minutes::new((low.get() + high.get()) / 2), high))
        }
        [low, likely, high] => Ok((read(low)?, read(likely)?, read(high)?)),
        _ => Err(CliError::usage(format!("--estimate is 2h, 1d-3d or 1d/2d/4d, not {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_one_two_or_three_durations() {
        let minutes = |text: &str| {
            read_estimate(text)
                .map(|(low, likely, high)| (low.get(), likely.get(), high.get()))
                .unwrap()
        };
        assert_eq!(minutes("2h"), (120, 120, 120));
        assert_eq!(minutes("1d-3d"), (480, 960, 1440));
        assert_eq!(minutes("1d/2d/4d"), (480, 960, 1920));
        assert!(read_estimate("1d/2d/3d/4d").is_err());
        assert!(read_estimate("soon").is_err());
    }
}
