//! Converts the draft to the plan: kinds, keys, links, problems and skipped text.

use std::collections::BTreeMap;
use std::ops::Range;

use super::acyclic::{self, Refused};
use super::dependencies;
use super::draft::Draft;
use super::keywords::{Keywords, Rank};
use super::links::{Link, Reason};
use super::problems::{self, Rows};
use super::split::{self, Splits};
use super::title::Title;
use super::units::UnitClass;
use super::{coverage, estimates};
use crate::domain::value::Name;
use crate::planning::plan::{
    LinkBasis, Node, NodeKind, Origin, Plan, PlanLink, Problem, Requirement, SkipReason, Skipped,
    Span, Stats, Unresolved, fitting_title,
};
use crate::planning::planner::Options;

/// Builds the plan from a draft read at a rank.
pub(super) fn plan(
    text: &str,
    keywords: &Keywords,
    options: Options,
    title: Title,
    mut draft: Draft,
    rank: Rank,
) -> Plan {
    let lines = Lines::of(text);
    // A phrase may name a cancelled row, so such rows are removed only after all phrases are read.
    let found = dependencies::find(text, &draft, keywords);
    let found = found.restrict_to(&draft.leave_out_cancelled());
    let splits = split::split(&mut draft, options);
    let kinds = kinds(&draft, rank, &splits);
    let order = draft.preorder();
    let keys = keys(&draft, &kinds);
    let mut nodes = nodes(&draft, &kinds, &keys, &splits, keywords, options, &lines);
    account_for_all(text, &mut draft, &title);

    let (family, links): (Vec<Link>, Vec<Link>) = found.links.into_iter().partition(|link| {
        draft.is_ancestor(link.from, link.to) || draft.is_ancestor(link.to, link.from)
    });
    let (links, refused) = acyclic::accept(&draft, links);

    let requirements = requirements(text, &draft, keywords, &mut nodes, &lines);
    let rows = Rows { draft: &draft, nodes: &nodes };
    let problems =
        problems(&rows, &order, &splits, &links, &family, &refused, &requirements, &lines);
    let skipped = skipped(&draft, &lines);
    let unresolved = found
        .open
        .into_iter()
        .map(|open| Unresolved {
            from: keys[open.from].clone(),
            text: open.text,
            span: Some(lines.span(open.span)),
            best_guess: open.guess.map(|row| keys[row].clone()),
        })
        .collect();
    let links: Vec<PlanLink> =
        links.into_iter().map(|link| plan_link(link, &keys, &lines)).collect();

    let mut by_row: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    let nodes: Vec<Node> = order.iter().filter_map(|row| by_row[*row].take()).collect();
    let language_note = (!keywords.knows_words()).then(|| {
        "The planner knows only some words of this language, so it read the text by its form: headings, lists, tables, numbers and marks. Check the dependencies, and the parts that are no work.".to_owned()
    });
    let mut plan = Plan {
        title: title.text,
        title_span: title.span.map(|span| lines.span(span)),
        language_note,
        nodes,
        links,
        unresolved,
        requirements,
        problems,
        skipped,
        stats: Stats::default(),
    };
    plan.stats = Stats::of(text, &plan);
    plan
}

/// Line numbers by byte position.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).max(1)
    }

    fn span(&self, bytes: Range<usize>) -> Span {
        let (start, end) = (bytes.start.min(self.text.len()), bytes.end.min(self.text.len()));
        // Readers do not expect blank lines after a section in its line range.
        let content =
            self.text.get(start..end).map_or(end - start, |content| content.trim_end().len());
        Span {
            start_byte: start,
            end_byte: end,
            start_line: self.line(start),
            end_line: self.line((start + content).saturating_sub(1).max(start)),
        }
    }
}

/// Returns the kind of each row: phases at the top, subtasks at the leaves below tasks.
fn kinds(draft: &Draft, rank: Rank, splits: &Splits) -> Vec<NodeKind> {
    let mut kinds = vec![NodeKind::Task; draft.rows.len()];
    for index in draft.preorder() {
        let row = &draft.rows[index];
        let is_leaf = row.children.is_empty();
        let has_grandchildren =
            row.children.iter().any(|child| !draft.rows[*child].children.is_empty());
        let is_task_unit = row
            .unit
            .as_ref()
            .is_some_and(|unit| matches!(unit.class, UnitClass::Task | UnitClass::Feature));
        kinds[index] = match row.parent {
            _ if row.is_milestone && is_leaf => NodeKind::Milestone,
            None if row.is_phase_unit() || has_grandchildren => NodeKind::Phase,
            None if is_leaf || is_task_unit || !row.from_heading || rank < Rank::Plan => {
                NodeKind::Task
            }
            None => NodeKind::Phase,
            Some(parent) if kinds[parent] == NodeKind::Phase || !is_leaf => NodeKind::Task,
            Some(_) => NodeKind::Subtask,
        };
    }
    for (part, _, _) in &splits.parts {
        kinds[*part] = NodeKind::Task;
    }
    kinds
}

/// Returns each row's key, such as "P1.T2.S1": from the top down, the kind and the position among
/// siblings of that kind.
fn keys(draft: &Draft, kinds: &[NodeKind]) -> Vec<String> {
    let mut keys = vec![String::new(); draft.rows.len()];
    let mut counted: BTreeMap<(Option<usize>, char), usize> = BTreeMap::new();
    for index in draft.preorder() {
        let parent = draft.rows[index].parent;
        let letter = match kinds[index] {
            NodeKind::Phase => 'P',
            NodeKind::Task => 'T',
            NodeKind::Subtask => 'S',
            NodeKind::Milestone => 'M',
        };
        let position = counted.entry((parent, letter)).or_default();
        *position += 1;
        keys[index] = match parent {
            Some(parent) => format!("{}.{letter}{position}", keys[parent]),
            None => format!("{letter}{position}"),
        };
    }
    keys
}

fn nodes(
    draft: &Draft,
    kinds: &[NodeKind],
    keys: &[String],
    splits: &Splits,
    keywords: &Keywords,
    options: Options,
    lines: &Lines<'_>,
) -> Vec<Node> {
    let estimates = estimates::estimates(draft, kinds, keywords, options);
    let parts: BTreeMap<usize, (u32, u32)> =
        splits.parts.iter().map(|(row, part, parts)| (*row, (*part, *parts))).collect();
    draft
        .rows
        .iter()
        .enumerate()
        .zip(estimates)
        .map(|((index, row), estimate)| {
            let parent = row.parent.map(|parent| keys[parent].clone());
            let origin = match (parts.get(&index), &parent) {
                (Some((part, parts)), Some(of)) => {
                    Origin::Split { of: of.clone(), part: *part, parts: *parts }
                }
                _ => Origin::Stated,
            };
            Node {
                key: keys[index].clone(),
                parent,
                kind: kinds[index],
                title: fitting_title(&row.title),
                description: row.description.join("\n\n"),
                span: Some(lines.span(row.span.clone())),
                standing: row.standing,
                estimate,
                priority: row.priority,
                owner: draft.owner(index).filter(|owner| Name::new(owner).is_ok()).cloned(),
                due: row.window.due,
                not_before: row.window.not_before,
                relative_week: row.weeks,
                origin: Some(origin),
                requirement_keys: Vec::new(),
            }
        })
        .collect()
}

fn requirements(
    text: &str,
    draft: &Draft,
    keywords: &Keywords,
    nodes: &mut [Node],
    lines: &Lines<'_>,
) -> Vec<Requirement> {
    let coverage = coverage::coverage(text, draft, keywords.knows_words());
    let mut numbered: Vec<usize> = (0..draft.statements.len()).collect();
    numbered.sort_by_key(|at| draft.statements[*at].span.start);
    numbered.dedup_by_key(|at| draft.statements[*at].span.clone());
    numbered
        .into_iter()
        .enumerate()
        .map(|(number, at)| {
            let statement = &draft.statements[at];
            let key = format!("R{}", number + 1);
            for row in &coverage[at] {
                nodes[*row].requirement_keys.push(key.clone());
            }
            let covered_by = coverage[at].iter().map(|row| nodes[*row].key.clone()).collect();
            Requirement {
                key,
                text: statement.text.clone(),
                span: Some(lines.span(statement.span.clone())),
                covered_by,
            }
        })
        .collect()
}

#[expect(clippy::too_many_arguments, reason = "everything that can go wrong, gathered once")]
fn problems(
    rows: &Rows<'_>,
    order: &[usize],
    splits: &Splits,
    links: &[Link],
    family: &[Link],
    refused: &[Refused],
    requirements: &[Requirement],
    lines: &Lines<'_>,
) -> Vec<Problem> {
    let line_of = |link: &Link| lines.line(link.span.start);
    let mut problems: Vec<Problem> =
        refused.iter().map(|refused| rows.cycle(refused, line_of)).collect();
    problems.extend(family.iter().map(|link| rows.family(link, line_of(link))));
    problems.extend(rows.dates(links));
    problems.extend(rows.of_rows(order));
    problems.extend(splits.oversize.iter().map(|row| rows.oversize(*row)));
    problems.extend(rows.draft.folded.iter().map(|row| rows.folded(*row)));
    if rows.nodes.is_empty() {
        let design =
            rows.draft.skips.iter().filter(|skip| skip.reason != SkipReason::Markup).count();
        let reasons = if design == 0 {
            String::new()
        } else {
            format!(" ({design} sections and paragraphs are listed as skipped)")
        };
        let is_cancelled = rows.draft.skips.iter().any(|skip| skip.reason == SkipReason::Cancelled);
        problems.push(if is_cancelled {
            problems::all_cancelled()
        } else {
            problems::no_work(&reasons)
        });
    } else {
        problems.extend(
            requirements
                .iter()
                .filter(|requirement| requirement.covered_by.is_empty())
                .map(problems::uncovered),
        );
    }
    problems
}

fn plan_link(link: Link, keys: &[String], lines: &Lines<'_>) -> PlanLink {
    let span = lines.span(link.span);
    let basis = match link.reason {
        Reason::Cue(word) => LinkBasis::Cue { word, span },
        Reason::Steps => LinkBasis::Steps { span },
        Reason::Phases => LinkBasis::Phases { span },
    };
    PlanLink { from: keys[link.from].clone(), to: keys[link.to].clone(), basis: Some(basis) }
}

/// Records all text that no row, statement or skip covers.
fn account_for_all(text: &str, draft: &mut Draft, title: &Title) {
    let rows = draft.rows.iter().map(|row| row.span.clone());
    let statements = draft.statements.iter().map(|statement| statement.span.clone());
    let skips = draft.skips.iter().map(|skip| skip.span.clone());
    let mut held: Vec<Range<usize>> =
        rows.chain(statements).chain(skips).chain(title.span.clone()).collect();
    held.sort_by_key(|range| range.start);
    held.push(text.len()..text.len());
    let mut at = 0;
    for range in held {
        if let Some(gap) = text.get(at..range.start) {
            skip_gap(draft, gap, at);
        }
        at = at.max(range.end);
    }
    draft.skips.sort_by_key(|skip| (skip.span.start, skip.span.end));
}

/// Records the paragraphs of a gap that contain a word.
fn skip_gap(draft: &mut Draft, gap: &str, start: usize) {
    let mut at = start;
    for piece in gap.split_inclusive("\n\n") {
        let words = piece.trim();
        let from = at + (piece.len() - piece.trim_start().len());
        at += piece.len();
        let holds_word = words
            .split(|c: char| !c.is_alphabetic())
            .any(|word| word.chars().nth(1).is_some() || !word.is_ascii());
        if !holds_word {
            continue;
        }
        let reason = match words.trim_start_matches(['#', ' ']).chars().next() {
            Some('|') => SkipReason::Table,
            Some('[' | '<' | '!') => SkipReason::Markup,
            _ if words.starts_with('#') => SkipReason::Container,
            _ => SkipReason::Prose,
        };
        draft.skip(from..from + words.len(), words, reason);
    }
}

fn skipped(draft: &Draft, lines: &Lines<'_>) -> Vec<Skipped> {
    draft
        .skips
        .iter()
        .map(|skip| Skipped {
            span: Some(lines.span(skip.span.clone())),
            what: skip.what.clone(),
            reason: skip.reason,
        })
        .collect()
}
