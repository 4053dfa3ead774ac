//! Estimates each row: as stated, by kind of work, or as the sum of its children.

use super::draft::Draft;
use super::keywords::{Keywords, Kind};
use crate::domain::time::{Estimate, Minutes};
use crate::planning::plan::{Basis, NodeEstimate, NodeKind};
use crate::planning::planner::Options;

/// Returns the estimates of all rows, by index.
///
/// Bottom up, a stated duration takes precedence, then the sum of the children, then the range for
/// the kind of work. Then, top down, rows without a stated size are scaled down to fit the duration
/// or weeks stated for an ancestor.
pub(super) fn estimates(
    draft: &Draft,
    kinds: &[NodeKind],
    keywords: &Keywords,
    options: Options,
) -> Vec<NodeEstimate> {
    let mut estimates: Vec<NodeEstimate> = draft
        .rows
        .iter()
        .zip(kinds)
        .map(|(row, kind)| match &row.stated {
            _ if *kind == NodeKind::Milestone => {
                NodeEstimate { range: Estimate::default(), basis: None }
            }
            Some(stated) => NodeEstimate {
                range: stated.range,
                basis: Some(Basis::Stated { text: stated.text.clone() }),
            },
            None => by_kind(keywords, &row.title, *kind, options),
        })
        .collect();
    let order = draft.preorder();
    sum_up(draft, &order, &mut estimates);
    for &index in &order {
        fit(draft, index, &mut estimates, options);
    }
    sum_up(draft, &order, &mut estimates);
    estimates
}

fn sum_up(draft: &Draft, order: &[usize], estimates: &mut [NodeEstimate]) {
    for &index in order.iter().rev() {
        let row = &draft.rows[index];
        if !row.children.is_empty() && row.stated.is_none() {
            let range = row
                .children
                .iter()
                .map(|child| estimates[*child].range)
                .fold(Estimate::default(), Estimate::and);
            estimates[index] = NodeEstimate { range, basis: Some(Basis::Children) };
        }
    }
}

/// Scales the unstated leaves below a row down to its stated duration.
fn fit(draft: &Draft, index: usize, estimates: &mut [NodeEstimate], options: Options) {
    /// Smaller shares mean that the stated duration is for other work than these rows.
    const MIN_SHARE: f64 = 0.2;
    const MIN_MINUTES: f64 = 30.0;
    let row = &draft.rows[index];
    let weeks = row.weeks.map(|(first, last)| {
        let days = 5 * (last - first + 1).min(520);
        (Minutes::new(days * options.day_minutes), weeks_text(first, last))
    });
    let stated = row.stated.as_ref().map(|stated| (stated.range.likely, stated.text.clone()));
    let Some((room, of)) = stated.or(weeks).filter(|_| !row.children.is_empty()) else {
        return;
    };
    let (mut fixed, mut free, mut leaves) = (0.0, 0.0, Vec::new());
    let mut open: Vec<usize> = row.children.clone();
    while let Some(below) = open.pop() {
        let likely = f64::from(estimates[below].range.likely.get());
        if draft.rows[below].stated.is_some() {
            fixed += likely;
        } else if draft.rows[below].children.is_empty() {
            free += likely;
            leaves.push(below);
        } else {
            open.extend(&draft.rows[below].children);
        }
    }
    let share = (f64::from(room.get()) - fixed).max(0.0) / f64::max(free, 1.0);
    if !(MIN_SHARE..1.0).contains(&share) {
        return;
    }
    for leaf in leaves {
        let scaled = |minutes: Minutes| {
            let value = (f64::from(minutes.get()) * share / 15.0).round() * 15.0;
            Minutes::new(value.max(MIN_MINUTES).min(f64::from(minutes.get())) as u32)
        };
        let range = estimates[leaf].range;
        let range = Estimate {
            low: scaled(range.low),
            likely: scaled(range.likely),
            high: scaled(range.high),
        };
        estimates[leaf] = NodeEstimate { range, basis: Some(Basis::Share { of: of.clone() }) };
    }
}

fn weeks_text(first: u32, last: u32) -> String {
    if first == last { format!("week {first}") } else { format!("weeks {first}-{last}") }
}

fn by_kind(keywords: &Keywords, title: &str, kind: NodeKind, options: Options) -> NodeEstimate {
    let Some(work) = kind_of_work(keywords, title) else {
        let minute = Minutes::new(1);
        return NodeEstimate {
            range: Estimate { low: minute, likely: minute, high: minute },
            basis: Some(Basis::Children),
        };
    };
    let [low, likely, high] = if kind == NodeKind::Subtask { work.subtask } else { work.task };
    // The table assumes an eight-hour day.
    let scale = |minutes: u32| {
        let scaled =
            if kind == NodeKind::Subtask { minutes } else { minutes * options.day_minutes / 480 };
        Minutes::new(scaled.max(1))
    };
    NodeEstimate {
        range: Estimate { low: scale(low), likely: scale(likely), high: scale(high) },
        basis: Some(Basis::Kind { kind: work.name.clone() }),
    }
}

/// Returns the kind of work that a title names: by an object that outweighs the verb ("write
/// tests"), by its first verb, or else by the last noun of its head.
fn kind_of_work<'a>(keywords: &'a Keywords, title: &str) -> Option<&'a Kind> {
    let outside = title.split('(').next().unwrap_or(title);
    let label = match outside.split_once(':') {
        Some((label, rest)) if label.split_whitespace().count() < 2 && rest.contains(' ') => rest,
        Some((label, _)) => label,
        None => outside,
    };
    let words: Vec<String> = crate::text::stem::words(label).collect();
    let first = words
        .iter()
        .find_map(|word| keywords.kind_of_verb(word).map(|kind| (word, kind)))
        .filter(|(word, _)| Some(*word) == words.first());
    let object = words
        .iter()
        .skip(1)
        .take(4)
        .take_while(|word| {
            !matches!(word.as_str(), "for" | "with" | "in" | "to" | "from" | "of" | "on" | "using")
        })
        .filter_map(|word| keywords.kind_of_noun(word))
        .last();
    match (first, object) {
        (Some((_, verb)), Some(object))
            if verb.name == "implement"
                && matches!(object.name.as_str(), "test" | "document" | "migrate") =>
        {
            Some(object)
        }
        (Some((_, verb)), _) => Some(verb),
        (None, _) => {
            let head: Vec<&String> = words
                .iter()
                .take_while(|word| {
                    !matches!(
                        word.as_str(),
                        "for" | "with" | "in" | "to" | "from" | "of" | "on" | "using"
                    )
                })
                .collect();
            let noun = head.iter().rev().take(2).find_map(|word| keywords.kind_of_noun(word));
            noun.or_else(|| keywords.kind_named("other"))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::{Options, outline};
    use super::*;
    use crate::planning::plan::Plan;

    fn likely(plan: &Plan, key: &str) -> u32 {
        plan.nodes
            .iter()
            .find(|node| node.key == key)
            .map(|node| node.estimate.range.likely.get())
            .unwrap()
    }

    #[rstest]
    #[case::a_verb("Implement the export", "implement")]
    #[case::a_verb_and_tests("Write unit tests", "test")]
    #[case::a_verb_and_a_guide("Write the user guide", "document")]
    #[case::a_noun("Invoice table migration", "migrate")]
    #[case::a_review("Review the draft", "review")]
    #[case::neither("Colour of the shed", "other")]
    fn the_kind_of_work_follows_verb_and_object(#[case] title: &str, #[case] kind: &str) {
        let keywords = Keywords::english();
        assert_eq!(kind_of_work(keywords, title).unwrap().name, kind);
    }

    #[test]
    fn stated_durations_win_and_parents_sum() {
        let plan = outline(
            "## Tasks\n\n- Dig the bed\n  - Remove the stones (2h)\n  - Add the compost (1h)\n",
            Options::default(),
        );
        assert_eq!(likely(&plan, "T1.S1"), 120);
        assert_eq!(likely(&plan, "T1"), 180);
        assert_eq!(plan.nodes[0].estimate.basis, Some(Basis::Children));
    }

    #[test]
    fn unstated_children_fit_into_the_stated_parent() {
        let plan = outline(
            "## Plan\n\n### Phase 1: Spring (1 day)\n\n- Build fence\n- Build gate\n- Build shed\n",
            Options::default(),
        );
        assert_eq!(likely(&plan, "P1"), 480);
        assert!((1..=3).map(|n| likely(&plan, &format!("P1.T{n}"))).sum::<u32>() <= 500);
        assert!(matches!(plan.nodes[1].estimate.basis, Some(Basis::Share { .. })));
    }
}
