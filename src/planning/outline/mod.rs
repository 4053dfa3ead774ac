//! The embedded planner: converts a project description to a plan, based on its structure.
//!
//! A pure function of the text: it uses no model, clock, network or randomness, and the same text
//! always gives the same plan, byte for byte.
//!
//! # Input
//! Markdown and plain text: headings (also bold lines, capitals, "Phase 2: …"), lists, checkboxes,
//! tables of work, front matter of a task file, "Label: value" fields, and sentences such as "we
//! will …" in sections about work. The planner extracts titles, statuses, durations, weeks, dates,
//! owners, priorities, and dependencies ("depends on 2.1", "after the import").
//!
//! # What counts as work
//! Structure decides before words. A checkbox, a table of tasks, a numbered unit ("Phase 2", "Week
//! 3"), an owner, an effort or a due date make work of a list or a section, whatever its heading
//! says (`work_evidence`). Where nothing is marked, keywords (`keywords/en.toml`) classify the
//! headings, and the text is planned from its clearest kind of section ([`Rank`]): a roadmap or task
//! list if it has one, else deliverables, else features and stories, else lists of imperatives, else
//! any list, else the sentences that say who does what (`prose`). Weaker sections become requirements
//! that the plan is checked against.
//!
//! # Limits
//! The planner does not:
//! - Invent work: every row cites its source, and a split is marked as one.
//! - Turn goals, personas, risks, examples or code into tasks.
//! - Guess a dependency: a doubtful target is listed in `unresolved`.
//! - Return a cycle: a link that would form one is refused and reported.
//! - Drop text silently: text outside rows, descriptions and requirements is in `skipped` with a
//!   reason.
//! - Apply English keywords to another language: such a text is planned from its form and the few
//!   words in `keywords/other.toml`, and `language_note` says so.
//!
//! # Layers
//! `parser` (bytes to `blocks`; `pasted` tables, other `layout`, `labels` and `nesting` of outlines)
//! -> `sections` (blocks by heading) -> `extract` (sections to rows) -> `dependencies` (`targets` of
//! keywords, and `id_mentions`), `split`, `estimates`, `outcomes` and their `coverage` by
//! `requirement_names` and content -> `assemble` (the plan and its `problems`).
//!
//! Within `extract`, `section_classifier` decides, with `work_evidence` and `list_classifier`.
//! `lists`, `paragraphs`, `prose`, `sentences`, `tables`, `gantt`, `requirement_sections` and
//! `statements` read. They share the state in `walker`, and use `rows`, `items`, their `notes` and `fields`, and
//! the words and people in the `lexicon`.

mod acyclic;
mod assemble;
mod blocks;
mod builder;
mod coverage;
mod dates;
mod dependencies;
mod draft;
mod duration_tokens;
mod durations;
mod estimates;
mod extract;
mod fields;
mod front_matter;
mod gantt;
mod head;
mod id_mentions;
mod items;
mod keyword_schema;
mod keywords;
mod labels;
mod layout;
mod lexicon;
mod lines;
mod links;
mod list_classifier;
mod lists;
mod nesting;
mod notes;
mod outcomes;
mod paragraphs;
mod parser;
mod pasted;
mod planner;
mod problems;
mod prose;
mod repair;
mod requirement_names;
mod requirement_sections;
mod requirements;
mod rows;
mod section_classifier;
mod sections;
mod sentences;
mod split;
mod statements;
mod tables;
mod targets;
mod title;
mod titles;
mod units;
mod walker;
mod work_evidence;

pub use crate::planning::planner::Options;
pub use planner::OutlinePlanner;

use crate::planning::plan::{Node, Plan, Progress};
use draft::Draft;
use keywords::{DetectedLanguage, Keywords, Rank};
use lexicon::Lexicon;
use sections::Section;
use title::Title;
use walker::Seen;

/// Reads a project description as a plan. Never fails: a text without work gives an empty plan that
/// says why.
///
/// # Examples
///
/// ```
/// use lakeplan::planning::outline::{Options, outline};
/// use lakeplan::planning::plan::SkipReason;
///
/// let text = concat!(
///     "# Garden shed\n\n## Plan\n\n",
///     "- Level the ground (2 hours)\n",
///     "- Lay the slabs (1 day), depends on \"Level the ground\"\n\n",
///     "## Risks\n\n- It may rain\n",
/// );
/// let plan = outline(text, Options::default());
///
/// assert_eq!(plan.title, "Garden shed");
/// let titles: Vec<&str> = plan.nodes.iter().map(|node| node.title.as_str()).collect();
/// assert_eq!(titles, ["Level the ground", "Lay the slabs"]);
/// assert_eq!(plan.links.len(), 1);
/// assert!(plan.skipped.iter().any(|part| part.reason == SkipReason::Risks));
/// ```
pub fn outline(text: &str, options: Options) -> Plan {
    let options = Options { day_minutes: options.day_minutes.clamp(1, 24 * 60), ..options };
    match Keywords::of_text(text) {
        DetectedLanguage::Certain(keywords) => read_by(keywords, text, options),
        DetectedLanguage::Unknown => read_by(Keywords::none(), text, options),
        DetectedLanguage::Likely(keywords) => {
            let (plan, rank) = read_ranked(keywords, text, options);
            // Without a known verb in a title, the words may be of another language.
            let has_verb = |node: &Node| {
                node.title
                    .split(' ')
                    .next()
                    .is_some_and(|word| keywords.kind_of_verb(&word.to_lowercase()).is_some())
            };
            let is_weak = rank <= Rank::List || !plan.nodes.iter().any(has_verb);
            let by_form = is_weak.then(|| read_by(Keywords::none(), text, options));
            // A list of sources looks like a list of work, but has no owners and no checkboxes.
            let is_work = |plan: &Plan| {
                let is_marked =
                    |node: &Node| node.owner.is_some() || node.standing != Progress::Open;
                plan.nodes.iter().any(is_marked)
                    || (text.contains("[ ] ") && !plan.nodes.is_empty())
            };
            by_form.filter(is_work).unwrap_or(plan)
        }
    }
}

fn read_by(keywords: &Keywords, text: &str, options: Options) -> Plan {
    read_ranked(keywords, text, options).0
}

/// Returns the plan and the weakest kind of section that it comes from.
fn read_ranked(keywords: &Keywords, text: &str, options: Options) -> (Plan, Rank) {
    let (plan, rank) = read_once(keywords, text, options);
    if !plan.nodes.is_empty() {
        return (plan, rank);
    }
    // A text may be pasted with a fence around its plan.
    let Some(bare) = parser::without_text_fences(text) else { return (plan, rank) };
    let (inner, inner_rank) = read_once(keywords, &bare, options);
    if inner.nodes.is_empty() { (plan, rank) } else { (inner, inner_rank) }
}

fn read_once(keywords: &Keywords, text: &str, options: Options) -> (Plan, Rank) {
    let keywords = &Lexicon::of(text, keywords);
    let root = sections::tree(text, parser::read(text), keywords);
    let title = title::find(text, keywords, &root);
    let (mut draft, rank) = plainest(text, keywords, options, &root, &title);
    outcomes::add(&mut draft, &root, keywords);
    (assemble::plan(text, keywords, options, title, draft, rank), rank)
}

/// Reads the text by increasingly weak kinds of sections until they yield a plan.
fn plainest(
    text: &str,
    keywords: &Lexicon<'_>,
    options: Options,
    root: &Section,
    title: &Title,
) -> (Draft, Rank) {
    const ENOUGH_ROWS: usize = 2;
    let seen = Seen::default();
    let mut best: Option<(Draft, Rank)> = None;
    for rank in [Rank::Plan, Rank::Scope, Rank::Feature, Rank::Evidence, Rank::List, Rank::Prose] {
        let draft = extract::read(text, keywords, options, root, title, rank, &seen);
        let rows = draft.leaves();
        if best.as_ref().is_none_or(|(known, _)| rows > known.leaves()) {
            best = Some((draft, rank));
        }
        let next_is_prose = rank == Rank::List;
        if rows >= ENOUGH_ROWS
            || (next_is_prose && best.as_ref().is_some_and(|(draft, _)| draft.leaves() > 0))
        {
            break;
        }
    }
    best.unwrap_or((Draft::default(), Rank::Evidence))
}

#[cfg(test)]
mod tests;
