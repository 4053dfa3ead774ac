//! Tests the whole planner on small texts.

mod cases;
mod layouts;
mod notes;

use chrono::NaiveDate;

use super::{Options, outline};
use crate::domain::task::Priority;
use crate::planning::plan::{LinkBasis, NodeKind, Plan, ProblemCode, Progress, SkipReason};
use crate::planning::unverified::Unverified;
use crate::planning::valid_plan::ValidPlan;

/// Returns the plan of a text. Every plan passes the check of all planners.
fn plan(text: &str) -> Plan {
    let plan = outline(text, Options::default());
    let checked = ValidPlan::check(Unverified::new(plan.clone()), text, Options::default());
    match checked {
        Ok(checked) => assert_eq!(*checked, plan),
        Err(problems) => panic!("{problems:?} in {text:?}"),
    }
    plan
}

/// Returns the keys and titles, in order.
fn rows(plan: &Plan) -> Vec<String> {
    plan.nodes.iter().map(|node| format!("{} {}", node.key, node.title)).collect()
}

fn links(plan: &Plan) -> Vec<(&str, &str)> {
    plan.links.iter().map(|link| (link.from.as_str(), link.to.as_str())).collect()
}

const ORCHARD: &str = "\
# Orchard

We want fruit.

## Goals

- Build a reputation for cider

## Personas

- Ann, 40, likes apples
- Plant lovers

## Roadmap

### Phase 1: Ground (weeks 1-2)

1. Clear the meadow (2 days) @ben
   - Remove stones
   - Burn the brushwood
2. [x] Fence the meadow - 4 hours

### Phase 2: Trees (weeks 3-4)

- **Plant apple trees**: twenty of them, in rows
- Water the trees, depends on the pump
- Install the pump (High Priority)

## Risks

- Build costs may rise
";

#[test]
fn a_roadmap_becomes_phases_tasks_and_subtasks() {
    let plan = plan(ORCHARD);
    assert_eq!(plan.title, "Orchard");
    assert_eq!(
        rows(&plan),
        [
            "P1 Phase 1: Ground",
            "P1.T1 Clear the meadow",
            "P1.T1.S1 Remove stones",
            "P1.T1.S2 Burn the brushwood",
            "P1.T2 Fence the meadow",
            "P2 Phase 2: Trees",
            "P2.T1 Plant apple trees",
            "P2.T2 Water the trees",
            "P2.T3 Install the pump",
        ]
    );
    let node = |key: &str| plan.nodes.iter().find(|node| node.key == key).unwrap();
    assert_eq!(node("P1").relative_week, Some((1, 2)));
    assert_eq!(node("P1.T1").owner.as_deref(), Some("ben"));
    assert_eq!(node("P1.T1").estimate.range.likely.get(), 960);
    assert_eq!([node("P1.T2").standing, node("P1.T1").standing], [Progress::Done, Progress::Open]);
    assert_eq!(node("P2.T3").priority, Some(Priority::High));
    assert!(node("P2.T1").description.contains("twenty of them"));
    assert_eq!(node("P1.T1.S1").kind, NodeKind::Subtask);
}

#[test]
fn sections_without_work_give_no_rows_and_are_listed() {
    let plan = plan(ORCHARD);
    let reasons: Vec<SkipReason> = plan.skipped.iter().map(|skip| skip.reason).collect();
    for reason in [SkipReason::Goals, SkipReason::Personas, SkipReason::Risks] {
        assert!(reasons.contains(&reason), "{reason:?}");
    }
    assert!(
        !rows(&plan)
            .iter()
            .any(|row| row.contains("cider") || row.contains("lovers") || row.contains("costs"))
    );
}

#[test]
fn every_kind_of_section_without_work_stays_out() {
    for heading in [
        "Goals",
        "Non-Goals",
        "Out of Scope",
        "User Personas",
        "Background",
        "Problem Statement",
        "Overview",
        "Motivation",
        "Risks and Mitigations",
        "Glossary",
        "Open Questions",
        "Success Metrics",
        "Assumptions",
        "References",
        "Appendix",
        "Alternatives Considered",
        "Drawbacks",
        "FAQ",
        "About Me",
        "Biography",
        "Examples",
        "Revision History",
    ] {
        let text = format!(
            "# Shed\n\n## {heading}\n\n- Build the wall\n- Paint the door\n- Add a lock\n\n## Tasks\n\n- Dig the drain\n"
        );
        assert_eq!(rows(&plan(&text)), ["T1 Dig the drain"], "{heading}");
    }
}

#[test]
fn code_never_becomes_work() {
    let plan = plan("## Tasks\n\n- Build the wall\n\n```\n- Build the trap\n```\n");
    assert_eq!(rows(&plan), ["T1 Build the wall"]);
    assert!(plan.skipped.iter().any(|skip| skip.reason == SkipReason::Code));
}

#[test]
fn spans_hold_the_words_of_their_titles() {
    let plan = plan(ORCHARD);
    for node in &plan.nodes {
        let source = ORCHARD[node.span.unwrap().bytes()].to_lowercase();
        for word in crate::text::stem::words(&node.title) {
            assert!(source.contains(&word), "{} {word}", node.key);
        }
        let first_line = ORCHARD.lines().nth(node.line().unwrap() - 1).unwrap();
        assert!(first_line.contains(node.title.split(' ').next().unwrap()));
    }
}

#[test]
fn every_word_is_accounted_for() {
    let plan = plan(ORCHARD);
    let covered = |at: usize| {
        let inside = |span: Option<crate::planning::plan::Span>| {
            span.is_some_and(|span| span.bytes().contains(&at))
        };
        plan.nodes.iter().any(|node| inside(node.span))
            || plan.skipped.iter().any(|skip| inside(skip.span))
            || plan.requirements.iter().any(|requirement| inside(requirement.span))
            || inside(plan.title_span)
    };
    for (at, c) in ORCHARD.char_indices().filter(|(_, c)| c.is_alphabetic()) {
        assert!(covered(at), "line {}: {c}", ORCHARD[..at].lines().count());
    }
}

#[test]
fn the_same_text_gives_the_same_plan() {
    let once = serde_json::to_string(&plan(ORCHARD)).unwrap();
    let again = serde_json::to_string(&plan(ORCHARD)).unwrap();
    assert_eq!(once, again);
    let read: Plan = serde_json::from_str(&once).unwrap();
    assert_eq!(read, plan(ORCHARD));
}

#[test]
fn each_dependency_cue_links_the_right_way() {
    let cases = [
        ("Paint the wall after building the wall", Some(("T2", "T1"))),
        ("Paint everything (after task 1)", Some(("T2", "T1"))),
        ("Paint everything once \"Build the wall\" is done", Some(("T2", "T1"))),
        ("Paint everything, depends on Build the wall", Some(("T2", "T1"))),
        ("Paint everything, depends on 1", Some(("T2", "T1"))),
        ("Paint everything (blocked by Build the wall)", Some(("T2", "T1"))),
        ("Paint everything, requires task 1", Some(("T2", "T1"))),
        ("Order bricks before task 1", Some(("T1", "T2"))),
        ("Then paint everything", Some(("T2", "T1"))),
        ("Paint everything before lunch", None),
        ("Paint everything after the storm", None),
    ];
    for (line, expected) in cases {
        let plan = plan(&format!("## Tasks\n\n1. Build the wall\n2. {line}\n"));
        assert_eq!(links(&plan).first().copied(), expected, "{line}: {:?}", rows(&plan));
    }
}

#[test]
fn fields_name_prerequisites_by_number_and_id() {
    let text = "## Tasks\n\n### T-1: Dig the well\n\n### T-2: Lay the pipe\n\nDepends on: T-1\n\n### T-3: Fit the tap\n\nDependencies: T-1, T-2\n\n### T-4: Drink\n\nDependencies: none\n";
    assert_eq!(links(&plan(text)), [("T2", "T1"), ("T3", "T1"), ("T3", "T2")]);
}

#[test]
fn a_doubtful_target_is_reported_and_not_guessed() {
    let plan = plan(
        "## Tasks\n\n1. Build the north wall\n2. Build the south wall\n3. Paint (depends on the roof truss)\n",
    );
    assert!(plan.links.is_empty());
    assert_eq!(plan.unresolved[0].text, "the roof truss");
    assert_eq!(plan.unresolved[0].from, "T3");
}

#[test]
fn steps_follow_each_other_only_where_the_text_says_steps() {
    let steps = plan(
        "## Tasks\n\nFollow these steps:\n\n1. Dig the hole\n2. Lay the pipe\n3. Fill the hole\n",
    );
    assert_eq!(links(&steps), [("T2", "T1"), ("T3", "T2")]);
    assert!(steps.links.iter().all(|link| matches!(link.basis, Some(LinkBasis::Steps { .. }))));
    assert!(plan("## Tasks\n\n1. Dig the hole\n2. Lay the pipe\n").links.is_empty());
}

#[test]
fn a_cycle_is_refused_and_explained_with_both_lines() {
    let plan = plan("## Tasks\n\n1. Dig the hole, depends on 2\n2. Lay the pipe, depends on 1\n");
    assert_eq!(links(&plan), [("T1", "T2")]);
    let problem =
        plan.problems.iter().find(|problem| problem.code == ProblemCode::DependencyCycle).unwrap();
    assert_eq!(problem.lines, [4, 3]);
    assert!(
        problem.message.contains("line 4 says") && problem.message.contains("line 3 says"),
        "{}",
        problem.message
    );
}

#[test]
fn a_cycle_through_a_parent_is_refused() {
    let text = "## Plan\n\n### Phase 1: Ground\n\n- Dig the hole, depends on Phase 2\n\n### Phase 2: Water\n\n- Lay the pipe\n";
    let plan = plan(text);
    assert_eq!(links(&plan), [("P1.T1", "P2")]);
    assert!(plan.problems.iter().any(|problem| problem.code == ProblemCode::DependencyCycle));
}

#[test]
fn waiting_for_ones_own_parent_is_refused() {
    let plan = plan("## Plan\n\n### Phase 1: Ground\n\n- Dig the hole (depends on Phase 1)\n");
    assert!(plan.links.is_empty());
    assert!(plan.problems.iter().any(|problem| problem.code == ProblemCode::DependencyOnFamily));
}

#[test]
fn a_section_that_orders_tasks_adds_links_and_no_rows() {
    let text = "## Tasks\n\n- Build the pump house\n- Connect the water pipe\n\n## Logical Dependency Chain\n\n1. Pump house\n2. Water pipe (depends on 1)\n";
    let plan = plan(text);
    assert_eq!(plan.nodes.len(), 2);
    assert_eq!(links(&plan), [("T2", "T1")]);
}

#[test]
fn tables_of_work_give_rows_with_fields() {
    let text = "## Schedule\n\n| # | Task | Effort (days) | Owner | Depends on | Due | Status |\n|---|---|---|---|---|---|---|\n| 1 | Dig the well | 2 | Ann | - | 2031-05-01 | Done |\n| 2 | Lay the pipe | 1 | Ben | 1 | 2031-06-01 | Open |\n| | **Total** | 3 | | | | |\n";
    let plan = plan(text);
    assert_eq!(rows(&plan), ["T1 Dig the well", "T2 Lay the pipe"]);
    assert_eq!(plan.nodes[0].estimate.range.likely.get(), 960);
    assert_eq!(plan.nodes[0].owner.as_deref(), Some("Ann"));
    assert_eq!(plan.nodes[0].due, NaiveDate::from_ymd_opt(2031, 5, 1));
    assert_eq!([plan.nodes[0].standing, plan.nodes[1].standing], [Progress::Done, Progress::Open]);
    assert_eq!(links(&plan), [("T2", "T1")]);
}

#[test]
fn other_tables_are_skipped() {
    let plan = plan(
        "## Tasks\n\n- Dig\n- Plant a tree\n\n| Colour | Taste |\n|---|---|\n| red | sweet |\n",
    );
    assert_eq!(plan.nodes.len(), 2);
    assert!(plan.skipped.iter().any(|skip| skip.reason == SkipReason::Table));
}

#[test]
fn a_later_timeline_adds_to_the_phases_it_names() {
    let text = "## Implementation Plan\n\n### Phase 1: Dig\n\n- Mark the bed\n\n### Phase 2: Sow\n\n- Buy seeds\n\n## Timeline\n\n| Phase | Estimated Duration | Dependencies |\n|---|---|---|\n| Phase 1: Dig | 1 day | None |\n| Phase 2: Sow | 3 days | Phase 1 |\n";
    let plan = plan(text);
    assert_eq!(plan.nodes.len(), 4);
    assert_eq!(plan.nodes[2].estimate.range.likely.get(), 1440);
    assert_eq!(links(&plan), [("P2", "P1")]);
}

#[test]
fn plain_text_is_read_by_its_capitals_and_underlines() {
    let text = "GARDEN PLAN FOR SPRING\n\nOVERVIEW\n--------\nA garden.\n\nTASKS\n-----\n1. Dig the bed\n2. Sow the peas\n";
    assert_eq!(rows(&plan(text)), ["T1 Dig the bed", "T2 Sow the peas"]);
}

#[test]
fn features_are_planned_only_without_a_plainer_plan() {
    let features =
        "# Shed\n\n## Features\n\n- Door that locks\n- Window that opens\n- Roof of slate\n";
    assert_eq!(plan(features).nodes.len(), 3);
    let both = format!(
        "{features}\n## Tasks\n\n- Hang the door that locks\n- Set the window\n- Nail the slate\n"
    );
    let plan = plan(&both);
    assert_eq!(plan.nodes.len(), 3);
    assert_eq!(plan.requirements.len(), 3);
    assert_eq!(plan.requirements[0].covered_by, ["T1"]);
}

#[test]
fn a_feature_described_elsewhere_gives_its_parts_to_the_task() {
    let text = "# Shed\n\n## Features\n\n### Sliding Door System\n\nIt slides.\n\n**Requirements:**\n\n- Mount the upper rail\n- Hang the door leaf\n\n## Milestones\n\n### Milestone 1: Door\n\n- Build sliding door system\n- Paint the frame\n- Clean the floor\n";
    let plan = plan(text);
    assert!(rows(&plan).contains(&"P1.T1.S1 Mount the upper rail".to_owned()), "{:?}", rows(&plan));
    assert!(plan.requirements.iter().all(|requirement| !requirement.covered_by.is_empty()));
}

#[test]
fn a_task_file_is_one_task_with_its_criteria() {
    let text = "---\ntitle: 'Paint the shed'\nstatus: To Do\nassignee: []\npriority: high\ndependencies:\n  - shed-8\n---\n\n## Description\n\nGreen.\n\n## Acceptance Criteria\n- [ ] #1 The door is green\n- [ ] #2 The frame is white\n";
    let plan = plan(text);
    assert_eq!(rows(&plan), ["T1 Paint the shed"]);
    assert_eq!(plan.nodes[0].priority, Some(Priority::High));
    assert_eq!(plan.requirements.len(), 2);
    assert_eq!(plan.requirements[0].text, "The door is green");
    assert_eq!(plan.unresolved[0].text, "shed-8");
}

#[test]
fn a_letter_of_plain_sentences_is_read_by_its_imperatives() {
    let text = "Dear all,\n\nThe shed is old. First, clear the shed. Then repaint the walls. We will add a new door by 2031-05-01. Are you in?\n";
    let plan = plan(text);
    assert_eq!(
        rows(&plan),
        ["T1 Clear the shed", "T2 Repaint the walls", "T3 Add a new door by 2031-05-01"]
    );
    assert_eq!(links(&plan), [("T2", "T1")]);
    assert_eq!(plan.nodes[2].due, NaiveDate::from_ymd_opt(2031, 5, 1));
}

#[test]
fn an_essay_gives_no_rows_and_says_why() {
    let plan = plan(
        "# On sheds\n\n## Motivation\n\nSheds are old. People like them because they keep things dry.\n",
    );
    assert!(plan.nodes.is_empty());
    assert_eq!(plan.problems[0].code, ProblemCode::NoWork);
}

#[test]
fn another_language_is_planned_by_structure_alone() {
    let text = "# Gartenplan\n\n## Ziele\n\nWir wollen einen sch\u{f6}nen Garten haben und dort Gem\u{fc}se anbauen.\n\n## Aufgaben\n\n- Beet umgraben und Steine entfernen\n- Erbsen s\u{e4}en, h\u{e4}ngt ab von Beet umgraben\n";
    let plan = plan(text);
    assert!(plan.language_note.is_some());
    assert!(plan.nodes.iter().any(|node| node.title.starts_with("Beet umgraben")));
    assert_eq!(links(&plan), [("T2", "T1")]);
}

#[test]
fn conflicts_are_reported_and_nothing_is_dropped() {
    let text = "## Tasks\n\n- Dig (owner: Ann) @ben\n- Sow peas (due 2031-01-01), depends on Buy seeds\n- Buy seeds (due 2031-02-01)\n- Water (1 hour)\n  - Fill the can (2h)\n  - Empty the can (1h)\n- Dig\n";
    let codes: Vec<ProblemCode> = plan(text).problems.iter().map(|problem| problem.code).collect();
    for code in [
        ProblemCode::SeveralOwners,
        ProblemCode::DatesConflict,
        ProblemCode::ChildrenExceedParent,
        ProblemCode::DuplicateTitle,
    ] {
        assert!(codes.contains(&code), "{code:?} in {codes:?}");
    }
}

#[test]
fn levels_below_the_limit_are_folded_into_the_parent() {
    let mut text = "## Tasks\n\n".to_owned();
    for depth in 0..9 {
        text.push_str(&format!(
            "{}- Build part number {depth}\n{}- Check part number {depth}\n",
            "  ".repeat(depth),
            "  ".repeat(depth)
        ));
    }
    let nested = text.replace("- Check part number 3\n", "");
    for text in [text, nested] {
        let plan = plan(&text);
        assert!(plan.nodes.iter().all(|node| node.key.matches('.').count() <= 5));
    }
    let deep: String = (0..9)
        .map(|depth| format!("{}- [ ] Build part number {depth}\n", "  ".repeat(depth)))
        .collect();
    let plan = plan(&format!("## Tasks\n\n{deep}"));
    assert_eq!(plan.stats.depth, 5);
    assert!(plan.nodes[5].description.contains("part number 8"));
    assert!(plan.problems.iter().any(|problem| problem.code == ProblemCode::DepthFolded));
}

#[test]
fn nasty_texts_give_a_plan_and_no_panic() {
    let long_line = "word ".repeat(50_000);
    let quotes = ">".repeat(20_000);
    let brackets = "[".repeat(5_000);
    let nested: String = (0..500).map(|depth| format!("{}- a\n", " ".repeat(depth * 2))).collect();
    let emoji = "## Tasks\n- \u{1f680}\u{fe0f}\u{200d}\u{1f525}\n- \u{2705}\n- (\n- )\n- @\n- 1.\n- **\n- ``\n- \u{202e}abc (2 days\n";
    let table = "| Task | Days |\n|--|--|\n| |\n| a | b | c | d |\n|||\n";
    let texts = [
        "",
        " ",
        "\n",
        "\u{feff}",
        "#",
        "# ",
        "-",
        "- ",
        "---",
        "---\n",
        "---\n---\n",
        "```",
        "|",
        "| |",
        "|-|",
        "[x]",
        "- [x]",
        "1.",
        "\r\n\r\n",
        "\0",
        "\t\t\t",
        "\u{4f60}\u{597d}",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        "# \u{1f680}",
        "**",
        "**a",
        "a\r\n===\r\n- b\r\n",
        "## Tasks\n\n- \u{0130}stanbul after task 1\n- \u{1e9e} depends on \u{0130}",
        "## Tasks\n- a, a, a, depends on , , ,\n",
        &long_line,
        &quotes,
        &brackets,
        &nested,
        emoji,
        table,
    ];
    for text in texts {
        let plan = plan(text);
        for node in &plan.nodes {
            assert!(text.get(node.span.unwrap().bytes()).is_some());
            assert!(node.title.len() <= 500 && !node.title.is_empty());
        }
    }
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing_but_spans() {
    let windows = format!("\u{feff}{}", ORCHARD.replace('\n', "\r\n"));
    assert_eq!(rows(&plan(&windows)), rows(&plan(ORCHARD)));
    assert_eq!(links(&plan(&windows)), links(&plan(ORCHARD)));
}

#[test]
fn what_shows_nothing_is_no_row() {
    let plan = plan(
        "# Shed\n\n- \u{3164} (2 days)\n- \u{200b}\n- Build it (1 day)\n\n## \u{200b}\n\n- Write the docs\n",
    );
    assert_eq!(rows(&plan), ["T1 Build it", "T2 Write the docs"]);
}

#[test]
fn every_prefix_of_a_text_gives_a_plan() {
    for (at, _) in ORCHARD.char_indices() {
        plan(&ORCHARD[..at]);
    }
}
