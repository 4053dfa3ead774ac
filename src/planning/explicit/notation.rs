//! The usual notations of details: who, how long, until when, in what state, how important.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::mark::MarkKind;
use super::scan::{Form, RawLine};
use crate::text::pattern;

const UNIT: &str =
    r"(?:h|hrs?|hours?|d|days?|w|wks?|weeks?|min|mins|minutes?|months?|sp|pts|points|story points)";
const NUMBER: &str =
    r"(?:\d+(?:[.,]\d+)?|half an?|an?|one|two|three|four|five|six|seven|eight|nine|ten)";
const MONTH: &str = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?";

static QUANTITY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)^(?:~|\x{{2248}}|about|around|approx\.?|ca\.?|roughly|up to|max\.?|est\.?:?|estimated?:?|effort:?|duration:?|time:?|size:?)*\s*{NUMBER}(?:\s*{UNIT}\b)?(?:\s*(?:-|\x{{2013}}|to|or|,|and)?\s*{NUMBER}\s*{UNIT})*\s*(?:of work|of effort|total|each)?$"
    ))
});
static HAS_UNIT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)(?:\d|\b(?:an?|half|one|two|three|four|five|six|seven|eight|nine|ten))\s*{UNIT}$|\d\s*{UNIT}\b"
    ))
});
static HANDLE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^@[\p{L}_][\p{L}\p{M}\p{N}_.'\x{2019}-]*$"));
static TAG: LazyLock<Regex> = LazyLock::new(|| pattern(r"^#\p{L}[\p{L}\p{N}_/-]*$"));
static PRIORITY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:p[0-4]|!{1,3}|(?:prio(?:rity)?:?\s*)?(?:critical|urgent|high|medium|low)(?:\s+prio(?:rity)?)?|prio(?:rity)?:?\s*\S+)$",
    )
});
static STATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:status:?\s*)?(?:done|complete|completed|finished|in progress|wip|started|ongoing|blocked|in review|on hold|deferred|cancell?ed|won['\x{2019}]t do|not started|pending|\x{2705}|\x{274c}|\x{1f6a7}|\x{2714}\x{fe0f}?|\x{2611}\x{fe0f}?)$",
    )
});
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)^(?:(?:due|deadline|by|until|on|before|starts?|from|not before|end|date):?\s+)?(?:\d{{4}}-\d{{1,2}}-\d{{1,2}}|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}|{MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?|\d{{1,2}}\.?\s+{MONTH}(?:\s+\d{{4}})?)$"
    ))
});
/// A date with its word, which is one even without a number.
static DEADLINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^(?:due|deadline|by|until):?\s+(?:next\s+)?(?:mon|tues?|wednes|thurs?|fri|satur|sun)day$|^(?:due|deadline):?\s+(?:today|tomorrow|q[1-4](?:\s+\d{4})?)$",
    )
});
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\**(?P<label>owners?|assignees?|assigned to|responsible|effort|estimate|estimated effort|duration|due|due date|deadline|start|start date|status|state|priority|prio|depends on|dependencies|blocked by|after|tags?|labels?)\**\s*:\**\s*(?P<value>\S.*)$",
    )
});

/// Returns what a whole expression states, such as "3d", "@ana" or "in progress".
pub(super) fn kind_of(expression: &str) -> Option<MarkKind> {
    let expression = expression.trim().trim_end_matches(['.', ';']);
    let kinds: [(&Regex, MarkKind); 6] = [
        (&HANDLE, MarkKind::Owner),
        (&TAG, MarkKind::Tag),
        (&PRIORITY, MarkKind::Priority),
        (&STATE, MarkKind::State),
        (&DATE, MarkKind::Date),
        (&DEADLINE, MarkKind::Date),
    ];
    let kind = kinds.iter().find(|(form, _)| form.is_match(expression)).map(|(_, kind)| *kind);
    let is_effort = || QUANTITY.is_match(expression) && HAS_UNIT.is_match(expression);
    kind.or_else(|| is_effort().then_some(MarkKind::Effort))
}

/// Reads "Owner: ana". Returns the kind and the value.
pub(super) fn labelled(text: &str) -> Option<(MarkKind, &str)> {
    let found = LABEL.captures(text.trim())?;
    let value = found.name("value")?.as_str().trim();
    let label = found["label"].to_lowercase();
    let kind = match label.as_str() {
        "owner" | "owners" | "assignee" | "assignees" | "assigned to" | "responsible" => {
            MarkKind::Owner
        }
        "effort" | "estimate" | "estimated effort" | "duration" => MarkKind::Effort,
        "status" | "state" => MarkKind::State,
        "priority" | "prio" => MarkKind::Priority,
        "depends on" | "dependencies" | "blocked by" | "after" => MarkKind::Dependency,
        "tag" | "tags" | "label" | "labels" => MarkKind::Tag,
        _ => MarkKind::Date,
    };
    Some((kind, value))
}

/// The names by which a text refers to its pieces of work: ids, numbers and titles.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: BTreeSet<String>,
    titles: BTreeSet<String>,
}

static ID: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[\[(]?(?P<id>[A-Z]{1,6}-?\d{1,5}(?:\.\d{1,3})*)[\])]?(?:[:.)]|\s|$)")
});
static CUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:\b(?:depends? on|blocked by|blocks|not before|after|before|requires?|needs|prerequisites?:?|waits? for|builds on)\b:?|->|\x{2192}|=>)\s*(?P<rest>\S.*)$",
    )
});

impl Names {
    pub(super) fn of(lines: &[RawLine<'_>]) -> Self {
        let mut names = Self::default();
        for line in lines {
            match &line.form {
                Form::Item(item) => {
                    names.ids.extend(item.number.map(str::to_owned));
                    names.add(&item.content);
                }
                Form::Heading(text) => names.add(text),
                Form::Cells { cells, .. } => cells.iter().for_each(|cell| names.add(cell)),
                Form::Nothing | Form::Text(_) => {}
            }
        }
        names
    }

    fn add(&mut self, text: &str) {
        self.ids.extend(ID.captures(text).map(|found| found["id"].to_owned()));
        let title = words(text.split(['(', '[']).next().unwrap_or(text));
        if title.contains(' ') {
            self.titles.insert(title);
        }
    }

    /// Returns the words of a text from a dependency word on, if a name of work follows it.
    pub(super) fn dependency<'t>(&self, text: &'t str) -> Option<&'t str> {
        let found = CUE.captures(text)?;
        let rest = found.name("rest")?.as_str();
        let is_named = self.starts_with_id(rest) || self.starts_with_title(rest);
        is_named.then(|| found.get(0).map_or(text, |found| found.as_str()).trim())
    }

    fn starts_with_id(&self, rest: &str) -> bool {
        let rest = rest.trim_start_matches(['#', '"', '\'', '(', '*']);
        let rest = ["task ", "step ", "phase ", "tasks ", "steps "]
            .iter()
            .find_map(|word| {
                rest.get(..word.len())
                    .filter(|start| start.eq_ignore_ascii_case(word))
                    .map(|_| &rest[word.len()..])
            })
            .unwrap_or(rest);
        let id: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
            .collect();
        let id = id.trim_end_matches(['.', '-']);
        // A bare number is an id only where a bracket, a comma or the end follows.
        let is_bare = id.chars().all(|c| c.is_ascii_digit());
        let tail = rest[id.len()..].trim_start();
        self.ids.contains(id)
            && (!is_bare || tail.is_empty() || tail.starts_with([',', ')', ';', '.']))
    }

    fn starts_with_title(&self, rest: &str) -> bool {
        let rest = words(rest);
        self.titles.iter().any(|title| {
            rest.strip_prefix(title.as_str())
                .is_some_and(|tail| tail.is_empty() || tail.starts_with(' '))
        })
    }
}

/// Returns the words of a text in lower case, with single spaces.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.filter(|word| *word != "the").collect::<Vec<_>>().join(" ")
}
