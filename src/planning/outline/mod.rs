//! The embedded planner: from a project description to a plan, by its structure.
//!
//! A pure function of the text: no model, clock, network or randomness, and the
//! same text always gives the same plan, byte for byte.
//!
//! # What it reads
//! Markdown and plain text: headings (also bold lines, capitals, "Phase 2: …"),
//! lists, checkboxes, tables of work, front matter of a task file, "Label:
//! value" fields, and sentences such as "we will …" in sections about work.
//! From them it takes titles, states, durations, weeks, dates, owners,
//! priorities, and dependencies ("depends on 2.1", "after the import").
//!
//! # How it decides what is work
//! Section headings are judged by cue words (`cues/en.toml`). A text is planned
//! by its plainest kind of section: a roadmap or task list if it has one, else
//! deliverables, else features and stories, else lists of imperatives. What the
//! weaker sections say becomes requirements that the plan is checked against.
//!
//! # What it will not do
//! - Invent work: every row cites its source, and a split says that it is one.
//! - Turn goals, personas, risks, examples or code into tasks.
//! - Guess a dependency: a doubtful target is listed in `unresolved`.
//! - Return a cycle: the link that would close it is refused and reported.
//! - Drop text silently: what is neither a row, its description nor a
//!   requirement is in `skipped` with a reason.
//! - Apply English cue words to another language: such a text is planned by its
//!   headings and lists alone, and `language_note` says so.
//!
//! # Layers
//! `blocks` (bytes to blocks) -> `sections` (what stands under which heading)
//! -> `walk` (sections to rows: `reading` decides, `lists`, `tables`,
//! `statements`, `items`, their `notes` and `fields` read) -> `dependencies`,
//! `split`, `estimates`, `requirements` -> `assemble` (the plan and its
//! `problems`).

mod acyclic;
mod assemble;
mod blocks;
mod builder;
mod cues;
mod dates;
mod dependencies;
mod draft;
mod durations;
mod estimates;
mod evidence;
mod fields;
mod front_matter;
mod items;
mod lists;
mod notes;
mod problems;
mod reading;
mod repair;
mod requirements;
mod rows;
mod sections;
mod split;
mod statements;
mod tables;
mod targets;
mod title;
mod units;
mod vocabulary;
mod walk;
mod wording;

use crate::planning::plan::{Node, Plan, Standing};
use cues::{Cues, Rank, WrittenIn};
use draft::Draft;
use sections::Section;
use title::Title;

/// What the planner may be told besides the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Deepest level of a row; the top level is 0.
    pub max_depth: u32,
    /// Working minutes of a day, by which "2 days" is converted. Taken as at
    /// least one and at most those of a calendar day.
    pub day_minutes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_depth: 5, day_minutes: 480 }
    }
}

/// Reads a project description as a plan. Never fails: a text without work
/// gives a plan without rows that says why.
pub fn outline(text: &str, options: Options) -> Plan {
    let options = Options { day_minutes: options.day_minutes.clamp(1, 24 * 60), ..options };
    match Cues::of_text(text) {
        WrittenIn::Known(cues) => read_by(cues, text, options),
        WrittenIn::Unknown => read_by(Cues::none(), text, options),
        WrittenIn::Likely(cues) => {
            let plan = read_by(cues, text, options);
            let by_form = plan.nodes.is_empty().then(|| read_by(Cues::none(), text, options));
            // A list of sources has the form of one of work, but nobody's name and no box to tick.
            let is_work = |plan: &Plan| {
                let is_marked =
                    |node: &Node| node.owner.is_some() || node.standing != Standing::Open;
                plan.nodes.iter().any(is_marked)
                    || (text.contains("[ ] ") && !plan.nodes.is_empty())
            };
            by_form.filter(is_work).unwrap_or(plan)
        }
    }
}

fn read_by(cues: &Cues, text: &str, options: Options) -> Plan {
    let root = sections::tree(blocks::read(text), cues);
    let title = title::find(text, cues, &root);
    let (draft, rank) = plainest(text, cues, options, &root, &title);
    assemble::plan(text, cues, options, title, draft, rank)
}

/// Reads the text by ever weaker kinds of sections until they yield a plan.
fn plainest(
    text: &str,
    cues: &Cues,
    options: Options,
    root: &Section,
    title: &Title,
) -> (Draft, Rank) {
    const ENOUGH_ROWS: usize = 2;
    let mut best: Option<(Draft, Rank)> = None;
    for rank in [Rank::Plan, Rank::Scope, Rank::Feature, Rank::Evidence] {
        let draft = walk::read(text, cues, options, root, title, rank);
        let rows = draft.leaves();
        if best.as_ref().is_none_or(|(known, _)| rows > known.leaves()) {
            best = Some((draft, rank));
        }
        if rows >= ENOUGH_ROWS {
            break;
        }
    }
    best.unwrap_or((Draft::default(), Rank::Evidence))
}

#[cfg(test)]
mod tests;
