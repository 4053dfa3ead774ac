//! Defines the schema of a keyword file, field by field as in `keywords/en.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::planning::plan::{Progress, SkipReason};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Language {
    pub(super) name: String,
    pub(super) function_words: Vec<String>,
    /// Function words of other languages.
    pub(super) foreign_words: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HeadingKeywords {
    pub(super) skip: BTreeMap<SkipReason, Vec<String>>,
    pub(super) work: WorkHeadings,
    pub(super) part: PartHeadings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkHeadings {
    pub(super) plan: Vec<String>,
    pub(super) scope: Vec<String>,
    pub(super) feature: Vec<String>,
    pub(super) activity: Vec<String>,
    pub(super) order: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PartHeadings {
    pub(super) criteria: Vec<String>,
    pub(super) detail: Vec<String>,
    pub(super) children: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Units {
    pub(super) phase: Vec<String>,
    pub(super) time: Vec<String>,
    pub(super) task: Vec<String>,
    pub(super) feature: Vec<String>,
    pub(super) ordered: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    pub(super) estimate: Vec<String>,
    pub(super) depends: Vec<String>,
    pub(super) blocks: Vec<String>,
    pub(super) priority: Vec<String>,
    pub(super) owner: Vec<String>,
    pub(super) status: Vec<String>,
    pub(super) due: Vec<String>,
    pub(super) start: Vec<String>,
    pub(super) dates: Vec<String>,
    pub(super) week: Vec<String>,
    pub(super) acceptance: Vec<String>,
    pub(super) nothing: Vec<String>,
}

/// Attribute that a "Label: value" line or a column describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attribute {
    Estimate,
    Depends,
    Blocks,
    Priority,
    Owner,
    Status,
    Due,
    Start,
    Dates,
    Week,
    Acceptance,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Columns {
    pub(super) title: Vec<String>,
    pub(super) weak_title: Vec<String>,
    pub(super) number: Vec<String>,
    pub(super) total: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StatusWords {
    pub(super) done: Vec<String>,
    pub(super) started: Vec<String>,
    pub(super) cancelled: Vec<String>,
    pub(super) open: Vec<String>,
    pub(super) done_marks: Vec<char>,
    pub(super) open_marks: Vec<char>,
}

impl StatusWords {
    /// Returns the progress that the words name, if known.
    pub(super) fn standing(&self, words: &str) -> Option<Progress> {
        self.standing_by(|word| word == words)
    }

    /// Whether the words name exactly one status.
    pub(super) fn is_state(&self, words: &str) -> bool {
        let lists = [&self.done, &self.started, &self.cancelled, &self.open];
        lists.into_iter().any(|list| list.iter().any(|word| word == words))
    }

    /// Whether the text starts with a word for cancelled work: "cancelled: no money".
    pub(super) fn calls_off_at_start(&self, words: &str) -> bool {
        self.cancelled.iter().any(|word| {
            words
                .strip_prefix(word.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    }

    /// Returns the progress that a longer text names at its start: "done in May".
    pub(super) fn standing_at_start(&self, words: &str) -> Option<Progress> {
        self.standing_by(|word| {
            words.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    }

    fn standing_by(&self, is_stated: impl Fn(&str) -> bool) -> Option<Progress> {
        let lists = [(&self.done, Progress::Done), (&self.started, Progress::Started)];
        lists
            .into_iter()
            .find(|(list, _)| list.iter().any(|word| is_stated(word)))
            .map(|(_, standing)| standing)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PriorityWords {
    pub(super) critical: Vec<String>,
    pub(super) high: Vec<String>,
    pub(super) medium: Vec<String>,
    pub(super) low: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DurationWords {
    pub(super) introducers: Vec<String>,
    pub(super) trailers: Vec<String>,
    pub(super) about: Vec<String>,
    pub(super) at_most: Vec<String>,
    pub(super) at_least: Vec<String>,
    pub(super) unit_adjectives: Vec<String>,
    pub(super) numbers: BTreeMap<String, [f64; 2]>,
    pub(super) vague: BTreeMap<String, [f64; 2]>,
    pub(super) horizons: Vec<String>,
    pub(super) units: DurationUnits,
}

/// Words of each unit: those read anywhere, and those read only after a larger unit.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DurationUnits {
    pub(super) minutes: [Vec<String>; 2],
    pub(super) hours: [Vec<String>; 2],
    pub(super) days: [Vec<String>; 2],
    pub(super) weeks: [Vec<String>; 2],
    pub(super) sprints: [Vec<String>; 2],
    pub(super) months: [Vec<String>; 2],
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DependencyWords {
    pub(super) strong: Vec<String>,
    pub(super) weak: Vec<String>,
    pub(super) reverse_strong: Vec<String>,
    pub(super) reverse_weak: Vec<String>,
    pub(super) stops: Vec<String>,
    pub(super) previous: Vec<String>,
    pub(super) then: Vec<String>,
    pub(super) first: Vec<String>,
    pub(super) steps: Vec<String>,
    pub(super) noise: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Statements {
    pub(super) modals: Vec<String>,
    pub(super) commitments: Vec<String>,
    pub(super) not_work: Vec<String>,
    pub(super) title_labels: Vec<String>,
    pub(super) lead_ins: Vec<String>,
    pub(super) attributes: Vec<String>,
    pub(super) outcomes: Vec<String>,
    pub(super) procedures: Vec<String>,
    pub(super) schedules: Vec<String>,
    pub(super) id_prefixes: Vec<String>,
}

/// A kind of work and its default duration.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) verbs: Vec<String>,
    pub(super) nouns: Vec<String>,
    /// Minutes: low, likely, high.
    pub(super) task: [u32; 3],
    pub(super) subtask: [u32; 3],
}
