//! Splits oversized tasks into smaller parts and marks them as splits.

use super::draft::{Draft, Row};
use super::durations::StatedDuration;
use crate::domain::time::{Estimate, Minutes};
use crate::planning::plan::Progress;
use crate::planning::planner::Options;

/// Maximum number of parts. More would explain nothing, so such a task stays whole and is reported.
const MAX_PARTS: u32 = 8;

/// Result of splitting.
#[derive(Debug, Default)]
pub(super) struct Splits {
    /// Row of the part, part number, and number of parts.
    pub(super) parts: Vec<(usize, u32, u32)>,
    /// Tasks that are too large and stay whole.
    pub(super) oversize: Vec<usize>,
}

/// Splits leaves with a stated size of more than two working days.
///
/// Phases are not split, because a stated duration limits a phase. A part is named after the task
/// and repeats nothing else of it.
pub(super) fn split(draft: &mut Draft, options: Options) -> Splits {
    let mut splits = Splits::default();
    for index in draft.preorder() {
        let row = &draft.rows[index];
        let Some(stated) = &row.stated else { continue };
        let largest = 2 * options.day_minutes;
        let likely = stated.range.likely.get();
        if likely <= largest
            || !row.children.is_empty()
            || row.is_phase_unit()
            || row.standing == Progress::Done
        {
            continue;
        }
        let parts = likely.div_ceil(largest);
        if !options.splits || parts > MAX_PARTS || row.depth >= options.max_depth {
            splits.oversize.push(index);
            continue;
        }
        let share = |minutes: Minutes| Minutes::new((minutes.get() / parts).max(1));
        let range = Estimate {
            low: share(stated.range.low),
            likely: share(stated.range.likely),
            high: share(stated.range.high),
        };
        let text = stated.text.clone();
        let (title, head) = (row.title.clone(), row.head.clone());
        for part in 1..=parts {
            let part_row = Row {
                title: format!("{title} (part {part} of {parts})"),
                span: head.clone(),
                head: head.clone(),
                stated: Some(StatedDuration { range, text: text.clone() }),
                ..Row::default()
            };
            let placed = draft.place(part_row, Some(index));
            splits.parts.push((placed, part, parts));
        }
    }
    splits
}

#[cfg(test)]
mod tests {
    use super::super::{Options, outline};
    use crate::planning::plan::{Origin, ProblemCode};

    #[test]
    fn five_days_become_three_parts_that_say_so() {
        let options = Options { splits: true, ..Options::default() };
        let plan = outline("## Tasks\n\n- Build the barn (5 days)\n", options);
        assert_eq!(plan.nodes.len(), 4);
        assert_eq!(plan.nodes[1].title, "Build the barn (part 1 of 3)");
        assert_eq!(
            plan.nodes[3].origin,
            Some(Origin::Split { of: "T1".to_owned(), part: 3, parts: 3 })
        );
        assert!(plan.nodes[1].estimate.range.high.get() <= 960);
    }

    #[test]
    fn what_fits_or_is_a_phase_stays_whole() {
        assert_eq!(
            outline("## Tasks\n\n- Build the barn (2 days)\n", Options::default()).nodes.len(),
            1
        );
        let phase = "## Plan\n\n### Phase 1: Barn (2 weeks)\n\nWe build.\n";
        assert_eq!(outline(phase, Options::default()).nodes.len(), 1);
    }

    #[test]
    fn a_year_is_not_split_but_reported() {
        let plan = outline("## Tasks\n\n- Build the barn (12 months)\n", Options::default());
        assert_eq!(plan.nodes.len(), 1);
        assert!(plan.problems.iter().any(|problem| problem.code == ProblemCode::Oversize));
    }
}
