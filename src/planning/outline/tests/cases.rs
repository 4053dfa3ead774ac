//! Tests descriptions in the forms that people use: what is work, what it belongs to, and what is
//! said of it.

use rstest::rstest;

use super::{links, plan};
use crate::planning::plan::{Basis, Node, NodeKind, Progress, SkipReason};

/// Returns the rows of a text, indented, with what is stated of them.
pub(super) fn outline_of(text: &str) -> Vec<String> {
    plan(text).nodes.iter().map(shown).collect()
}

fn shown(node: &Node) -> String {
    let indent = "  ".repeat(node.key.matches('.').count());
    let mut line = format!("{indent}{}", node.title);
    if node.standing != Progress::Open {
        line.push_str(&format!(" [{:?}]", node.standing).to_lowercase());
    }
    if let Some(owner) = &node.owner {
        line.push_str(&format!(" @{owner}"));
    }
    if let Some(Basis::Stated { .. }) = &node.estimate.basis {
        let range = &node.estimate.range;
        line.push_str(&match range.low == range.high {
            true => format!(" {}", range.low),
            false => format!(" {}..{}", range.low, range.high),
        });
    }
    line
}

fn below_tasks(lines: &str) -> String {
    format!("# X\n\n## Tasks\n\n{lines}\n")
}

#[rstest]
#[case::boxes_under_any_heading(
    "# Office\n\n## Shopping\n\n- [ ] Buy paper\n- [ ] Buy pens\n\n## Documentation\n\n- [ ] Write the guide\n- [ ] Print it\n",
    &["Shopping", "  Buy paper", "  Buy pens", "Documentation", "  Write the guide", "  Print it"]
)]
#[case::brackets_behind_a_phase(
    "# Tool\n\n## Phase 1: Setup\n\n- [ ] Make it\n\n## Phase 2: Foundation (Blocking Prerequisites)\n\n- [ ] Add the schema\n- [ ] Add the client\n\n## Communication\n\n- [ ] Tell the stakeholders\n",
    &["Phase 1: Setup", "  Make it", "Phase 2: Foundation (Blocking Prerequisites)", "  Add the schema", "  Add the client", "Communication", "  Tell the stakeholders"]
)]
#[case::a_heading_that_nobody_thought_of(
    "# Exit\n\n## Zebra\n\n### Inventory\n\n- [ ] Export the tables @jonas (4h)\n- [ ] Drop the dead ones (1d)\n\n### Landing zone\n\n- [ ] Create the bucket\n- [ ] Grant access\n",
    &["Zebra", "  Inventory", "    Export the tables @jonas 4h", "    Drop the dead ones 1d", "  Landing zone", "    Create the bucket", "    Grant access"]
)]
#[case::nouns_in_a_milestone_but_not_what_it_does_not_do(
    "# Plan\n\n## Milestone 2: Stage\n\n**What ships:**\n\n- `stage` command\n- Status management\n\n**What it does NOT enable yet:**\n\n- Review formula\n",
    &["Milestone 2: Stage", "  What ships", "    stage command", "    Status management"]
)]
#[case::nouns_in_a_version(
    "# Product roadmap\n\n## Version 0.2\n\n### New features\n\n- Timeline view\n- Task templates\n- Kanban board\n",
    &["Version 0.2", "  New features", "    Timeline view", "    Task templates", "    Kanban board"]
)]
#[case::the_only_list(
    "# Offsite demo\n\n- Sandbox workspace (jonas)\n- Sample data, 10M rows\n- Slides\n",
    &["Sandbox workspace (jonas)", "Sample data, 10M rows", "Slides"]
)]
#[case::bold_groups_in_a_countdown(
    "# Conference plan\n\n## 9 months out\n\n- **Organisers**\n  - Select the chairs\n- **Venue**\n  - Book the hotel\n",
    &["9 months out", "  Organisers", "    Select the chairs", "  Venue", "    Book the hotel"]
)]
#[case::bold_lines_with_an_effort(
    "# Service\n\n## Phase 2: Features\n\n### Worth showing\n\n**Answers (2-3 days)**\n\n- Generate answers\n\n**Maps (1-2 days)**\n\n- Interactive 3D view\n",
    &["Phase 2: Features", "  Worth showing", "    Answers 2d..3d", "      Generate answers", "    Maps 1d..2d", "      Interactive 3D view"]
)]
#[case::an_outline_with_indentation(
    "Garden shop\n\n1. Foundation\n   1.1 Create the model (1 day)\n2. Front\n   2.1 Create the page (1 day)\n",
    &["Foundation", "  Create the model 1d", "Front", "  Create the page 1d"]
)]
#[case::an_outline_without_indentation(
    "Garden shop\n\n1. Foundation\n1.1 Create the model (1 day)\n2. Front\n2.1 Create the page (1 day)\n",
    &["Foundation", "  Create the model 1d", "Front", "  Create the page 1d"]
)]
#[case::roman_numbers_and_letters(
    "Garden shop\n\nI. Foundation\nA. Create the model (1 day)\nB. Seed it\nII. Front\nA. Create the page (1 day)\nB. Style it\n",
    &["Foundation", "  Create the model 1d", "  Seed it", "Front", "  Create the page 1d", "  Style it"]
)]
#[case::letters(
    "Garden shop\n\na) Create the model (1 day)\nb) Create the page (1 day)\n",
    &["Create the model 1d", "Create the page 1d"]
)]
#[case::the_columns_of_a_board(
    "# Board\n\n## To do\n\n- [ ] Write the page\n\n## Doing\n\n- [ ] Build the api\n\n## Done\n\n- [ ] Choose the name\n",
    &["Write the page", "Build the api [started]", "Choose the name [done]"]
)]
#[case::words_beat_marks_and_a_finished_phase_finishes_its_parts(
    "# X\n\n### Phase 1: Core \u{2705} (In Progress)\n\n- [ ] Write a\n\n### Phase 2: Base (COMPLETED)\n\n- Write b\n",
    &["Phase 1: Core [started]", "  Write a", "Phase 2: Base [done]", "  Write b [done]"]
)]
#[case::numbered_steps_in_a_table(
    "# X\n\n| Step | Description | Status |\n|---|---|---|\n| 1 | Write the model | \u{2705} |\n| 2 | Write the page | |\n",
    &["Write the model [done]", "Write the page"]
)]
fn structure_says_what_is_work(#[case] text: &str, #[case] rows: &[&str]) {
    assert_eq!(outline_of(text), rows);
}

#[test]
fn two_numbered_sections_have_no_title_above_them() {
    let plan =
        plan("## 1. Backend\n\n- [ ] Add the model\n\n## 2. Frontend\n\n- [ ] Add the page\n");
    let titles: Vec<&str> = plan.nodes.iter().map(|node| node.title.as_str()).collect();
    assert_eq!(titles, ["Backend", "Add the model", "Frontend", "Add the page"]);
}

#[test]
fn requirements_in_a_table_are_requirements() {
    let text = "# Shop\n\n## Requirements\n\n| ID | Requirement | Prio |\n|---|---|---|\n| R1 | Customers can pay by card | high |\n| R2 | Receipts are sent by mail | low |\n\n## Tasks\n\n- [ ] Add the form\n";
    let plan = plan(text);
    let texts: Vec<&str> = plan.requirements.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["Customers can pay by card", "Receipts are sent by mail"]);
    assert_eq!(plan.nodes.len(), 1);
}

#[test]
fn dated_lines_of_a_timeline_do_not_replace_the_work() {
    let text = "# Exit\n\n## Implementation\n\n### Inventory\n\n- [ ] Export the tables\n- [ ] Drop the dead ones\n\n## Timeline\n\n- Jan 31: inventory done\n- Feb 28: all done\n";
    let rows = outline_of(text);
    assert_eq!(
        rows[..4],
        ["Implementation", "  Inventory", "    Export the tables", "    Drop the dead ones"]
    );
}

#[rstest]
#[case("- Write a (0,5 day)", &["Write a 4h"])]
#[case("- Write a (1,000 hours)", &["Write a 125d"])]
#[case("- Write a (2 days, 3 hours)", &["Write a 2d 3h"])]
#[case("- Write a (4h-1d)", &["Write a 4h..1d"])]
#[case("- Write a (30m-1h)", &["Write a 30m..1h"])]
#[case("- Write a (1w-2d)\n- Write b (1d)", &["Write a 2d..5d", "Write b 1d"])]
#[case("- Write a (owner: ana.lopez)", &["Write a @ana.lopez"])]
#[case("- Write a @ana.lopez", &["Write a @ana.lopez"])]
#[case("- Write a (owner: o'brien)", &["Write a @o'brien"])]
#[case("- Write a (4 days, Jonas)", &["Write a @Jonas 4d"])]
#[case("- Upgrade to Spark 4 DONE", &["Upgrade to Spark 4 [done]"])]
#[case("- [\u{2713}] Write y\n- [] Write z\n- [>] Write x", &["Write y [done]", "Write z", "Write x"])]
#[case("- Use <team>-<role> in names", &["Use <team>-<role> in names"])]
#[case("- Compute 2*3*4", &["Compute 2*3*4"])]
#[case("- Watch Graph Alg. IV: Geometry", &["Watch Graph Alg. IV: Geometry"])]
#[case("- Pr\u{e4}sentation f\u{fc}r den 1. Audit", &["Pr\u{e4}sentation f\u{fc}r den 1. Audit"])]
#[case("- [ ] Write u\n  _Requirements: 1.1_", &["Write u"])]
fn a_value_is_read_whole(#[case] lines: &str, #[case] rows: &[&str]) {
    assert_eq!(outline_of(&below_tasks(lines)), rows);
}

#[rstest]
#[case("- [~] Write w")]
#[case("- [ ] ~~Write w~~")]
#[case("- [-] Write w")]
fn canceled_work_is_named_and_not_planned(#[case] line: &str) {
    let plan = plan(&below_tasks(&format!("- Write a\n{line}")));
    assert_eq!(plan.nodes.len(), 1);
    assert!(plan.skipped.iter().any(|part| part.reason == SkipReason::Cancelled), "{plan:#?}");
}

#[rstest]
#[case("- T1: Write a\n- T2: Write b\n- T3: Write c, not before T1", &[("T3", "T1")])]
#[case("- T1: Write a\n- T2: Write b\n- T3: Write c (after: T1 T2)", &[("T3", "T1"), ("T3", "T2")])]
#[case("- T1: Write a (blocks: T2)\n- T2: Write b", &[("T2", "T1")])]
#[case("- T1: Write a\n- T2: Write b\n\n## Task dependencies\n\n- T2 depends on T1", &[("T2", "T1")])]
#[case("- T1: Write a\n- T2: Write b\n- T3: Write c\n\nT1 -> T2 -> T3", &[("T2", "T1"), ("T3", "T2")])]
#[case("### What needs fixing\n\n- Write a\n\n### Fix build issues\n\n- Write b", &[])]
#[case("### Set up\n\n- Create the repo\n\n### Build the endpoint\n\nDependencies: Set up\n\n- Write the handler", &[("P2", "P1")])]
fn names_of_tasks_say_the_order(#[case] lines: &str, #[case] expected: &[(&str, &str)]) {
    let plan = plan(&below_tasks(lines));
    assert_eq!(links(&plan), expected, "{:#?}", plan.nodes);
}

#[test]
fn weeks_below_a_phase_follow_each_other() {
    let plan = plan(
        "# Fixes\n\n## Phase 1\n\n### Week 1: Tests\n\n- Write tests\n\n### Week 2: Services\n\n- Write services\n",
    );
    assert_eq!(links(&plan), [("P1.T2", "P1.T1")]);
}

#[test]
fn parts_within_the_range_of_their_phase_are_no_problem() {
    let plan = plan(
        "# X\n\n## Phase 1: Blockers (17-24 days)\n\n- Write a (7 days)\n- Write b (7 days)\n- Write c (7-10 days)\n",
    );
    assert!(
        plan.problems.iter().all(|problem| !problem.message.contains("add up")),
        "{:#?}",
        plan.problems
    );
}

#[test]
fn a_title_does_not_make_every_heading_work() {
    let plan = plan(
        "# Product roadmap\n\n## Version 0.2\n\n- Timeline view\n\n## The bottom line\n\nWe build what you need.\n",
    );
    let titles: Vec<&str> = plan.nodes.iter().map(|node| node.title.as_str()).collect();
    assert_eq!(titles, ["Version 0.2", "Timeline view"]);
}

#[rstest]
#[case::milestones("## Milestones\n\n- 2026-03-01 Beta\n- 2026-04-01: Launch\n")]
#[case::timeline("## Timeline 2026\n\n- Mar 1: Beta\n- April 1 - Launch\n")]
#[case::label("Milestones:\n\n- 2026-03-01 Beta\n- **2026-04-01**: Launch\n")]
fn dated_lines_of_a_timeline_are_milestones(#[case] schedule: &str) {
    let text = format!("# App\n\n## Tasks\n\n- Write the app (2 days)\n\n{schedule}");
    let plan = plan(&text);
    let found: Vec<(&str, String)> = (plan.nodes.iter())
        .filter(|node| node.kind == NodeKind::Milestone)
        .map(|node| (node.title.as_str(), node.due.unwrap().to_string()))
        .collect();
    assert_eq!(found, [("Beta", "2026-03-01".to_owned()), ("Launch", "2026-04-01".to_owned())]);
    assert_eq!(plan.stats.milestones, 2);
}

#[rstest]
#[case::a_period("- 2026-03-01 to 2026-03-05: Write the manual\n")]
#[case::an_effort("- 2026-03-01: Write the manual (3 days)\n")]
#[case::no_date("- Write the manual\n")]
fn work_in_a_timeline_is_no_milestone(#[case] line: &str) {
    let plan = plan(&format!("# App\n\n## Timeline\n\n{line}- Print the manual\n"));
    assert!(plan.nodes.iter().all(|node| node.kind != NodeKind::Milestone), "{:?}", plan.nodes);
    assert_eq!(plan.nodes.len(), 2, "{:?}", plan.nodes);
}
