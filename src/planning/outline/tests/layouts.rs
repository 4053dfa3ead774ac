//! Tests texts whose structure is drawn, aligned, indented or written in another notation.

use rstest::rstest;

use super::cases::outline_of;
use super::{links, plan};
use crate::planning::plan::NodeKind;

#[rstest]
#[case::a_gantt_chart(
    "# Release\n\n```mermaid\ngantt\n    dateFormat YYYY-MM-DD\n    section Backend\n    Schema change :done, a1, 2027-01-04, 5d\n    New API :a2, after a1, 10d\n    section Launch\n    Go live :milestone, after a2, 0d\n```\n",
    &["Backend", "  Schema change [done] 5d", "  New API 10d", "Launch", "  Go live"]
)]
#[case::a_table_of_characters(
    "+----+-------------+------+------+\n| Nr | Task        | Who  | Days |\n+----+-------------+------+------+\n| 1  | Order parts | Ana  | 2    |\n| 2  | Paint       | Bo   | 1    |\n+----+-------------+------+------+\n",
    &["Order parts @Ana 2d", "Paint @Bo 1d"]
)]
#[case::columns_by_spaces(
    "Order parts        Ana     2d    10 May\nAssemble frame     Bo      3d    14 May\nPaint              Ana     1d    15 May\n",
    &["Order parts 2d", "Assemble frame 3d", "Paint 1d"]
)]
#[case::an_outline_by_indentation(
    "Garden project\n    Dig the beds\n        mark out\n        remove turf\n    Build the shed\n        order wood\n",
    &["Dig the beds", "  Mark out", "  Remove turf", "Build the shed", "  Order wood"]
)]
#[case::a_list_in_html(
    "<h1>Relaunch</h1>\n<ul>\n<li><p>Collect content (Ana, 3 days)</p></li>\n<li>Test on phones</li>\n</ul>\n",
    &["Collect content @Ana 3d", "Test on phones"]
)]
#[case::org_mode(
    "* TODO Literature review\n  DEADLINE: <2026-12-10 Thu>\n** DONE Collect papers\n** TODO Write the summary\n* NEXT Set up the cluster\n",
    &["Literature review", "  Collect papers [done]", "  Write the summary", "Set up the cluster"]
)]
#[case::bullets_of_a_word_processor(
    "# P\n\n## Tasks\n\n\u{2022}\tDig the well @ana\n\u{2022}\tLay the path\n   \u{25e6} sort stones\n   \u{25e6} lay them\n",
    &["Dig the well @ana", "Lay the path", "  Sort stones", "  lay them"]
)]
#[case::bullets_of_east_asia(
    "# 移行計画\n\n## 作業内容\n\n・画面の開発（約30日）\n・データ移行\n　・書誌データ\n　・利用者データ\n",
    &["画面の開発 24d..37d 4h", "データ移行", "  書誌データ", "  利用者データ"]
)]
#[case::boxes_without_bullets(
    "BEFORE THE CAMP\n  [ ] book the house (@eva)\n  [x] buy insurance\n  [ ] print flyers\n",
    &["BEFORE THE CAMP", "  Book the house @eva", "  Buy insurance [done]", "  Print flyers"]
)]
#[case::bare_boxes(
    "[ ] translation revision, it was done for the last release\n[ ] second server\n[x] check the flags of the\nnew command\n",
    &["translation revision, it was done for the last release", "second server", "Check the flags of the new command [done]"]
)]
#[case::fields_between_bars(
    "# P\n\n## Tasks\n\n- Sow peas | @dan | 2d\n- Rake leaves \u{2014} Eve, 1 day\n",
    &["Sow peas @dan 2d", "Rake leaves @Eve 1d"]
)]
#[case::letters_in_brackets(
    "# P\n\n## Tasks\n\nWithin this task the partners will:\n (a) obtain the permits;\n (b) write the plan;\n (c) set up the repository.\n",
    &["obtain the permits", "Write the plan", "Set up the repository"]
)]
#[case::now_next_and_later(
    "# Roadmap\n\n## Now\n\n- Query cache\n\n## Next\n\n- Audit log export\n\n## Later\n\n- Multi region\n",
    &["Now", "  Query cache", "Next", "  Audit log export", "Later", "  Multi region"]
)]
#[case::packages_with_deliverables(
    "# Proposal\n\n## Work plan\n\n### Descriptions\n\n#### WP1 \u{2013} Sites\n\nLead: NIOZ. Participants: UCA.\n\n**T1.1 Selection** (M1\u{2013}M4)\nA long list will be scored. The committee picks twelve.\n\n**T1.2 Permits** (M2\u{2013}M6)\nFor which the list of T1.1 is needed.\n\nDeliverables\n\n- D1.1 Site dossier (M6)\n\n#### WP2 \u{2013} Stations\n\n**T2.1 Design** (M1\u{2013}M8)\nDesign it.\n",
    &["WP1 \u{2013} Sites @NIOZ", "  Selection (M1\u{2013}M4) @NIOZ", "  Permits (M2\u{2013}M6) @NIOZ", "  D1.1 Site dossier (M6) @NIOZ", "WP2 \u{2013} Stations", "  Design (M1\u{2013}M8)"]
)]
fn a_layout_is_read(#[case] text: &str, #[case] rows: &[&str]) {
    assert_eq!(outline_of(text), rows, "{text}");
}

#[rstest]
#[case::ids_of_a_chart(
    "```mermaid\ngantt\n    Schema change :a1, 2027-01-04, 5d\n    New API :a2, after a1, 10d\n    Launch :milestone, after a1 a2, 0d\n```\n",
    &[("T2", "T1"), ("M1", "T1"), ("M1", "T2")]
)]
#[case::a_runbook(
    "# Runbook: rotate keys\n\n1. Generate the key pair\n2. Add the key to the document\n3. Switch the issuer\n",
    &[("T2", "T1"), ("T3", "T2")]
)]
#[case::an_order_below_the_list(
    "# P\n\n## Tasks\n\n| Step | Who |\n|---|---|\n| Stop the writers | Ana |\n| Copy the data | Bo |\n\nSteps are strictly in this order.\n",
    &[("T2", "T1")]
)]
#[case::a_number_in_the_same_list(
    "# P\n\n## Tasks\n\n1. Build the screen (3 days)\n2. Issue the keys (5 days), after 1\n",
    &[("T2", "T1")]
)]
#[case::numbers_in_remarks(
    "# P\n\n| Nr | Task | Days | Remarks |\n|---|---|---|---|\n| 1 | Call for stalls | 1 | on the website |\n| 2 | Pick stalls | 2 | when the call has closed |\n| 3 | Pitch map | 1 | 1, 2 |\n",
    &[("T2", "T1"), ("T3", "T1"), ("T3", "T2")]
)]
#[case::not_before(
    "# P\n\n| Task | Days | Remarks |\n|---|---|---|\n| Support bands | 1 | |\n| Poster | 2 | not to the printer before the bands are booked |\n",
    &[("T2", "T1")]
)]
#[case::letters_of_titles(
    "# P\n\n## Tasks\n\n- Replace controllers, building A\n- Replace controllers, building B\n- Interlock test\n  - only after A and B are replaced\n",
    &[("T3", "T1"), ("T3", "T2")]
)]
#[case::ids_in_running_text(
    "# P\n\n## Tasks\n\n- T1: Dig the well\n- T2: Lay the path. It follows the plan of T1.\n- T3: Sow peas\n\nThe longest chain is T1 \u{2013} T2 \u{2013} T3.\n",
    &[("T2", "T1"), ("T3", "T2")]
)]
#[case::ids_that_are_not_needed(
    "# P\n\n## Tasks\n\n- T1: Dig the well\n- T2: Lay the path. It does not need T1.\n- T3: Sow peas. They no longer wait for T2.\n",
    &[]
)]
#[case::a_need_to_do_something(
    "# P\n\n## Tasks\n\n- We need to test the door\n- Test the door\n",
    &[]
)]
#[case::phases_from_a_number_on(
    "# P\n\n## Phase 1: Setup\n\n- [ ] Make it\n\n## Phase 2: Base\n\n- [ ] Add it\n\n## Phase 3: User Story 1\n\n- [ ] Show it\n\n## Phase 4: User Story 2\n\n- [ ] Hide it\n\n## Phase Dependencies\n\n- **Base (Phase 2)**: Depends on Setup completion\n- **User Stories (Phase 3+)**: All depend on Base phase completion\n",
    &[("P2", "P1"), ("P3", "P2"), ("P4", "P2")]
)]
#[case::words_of_other_languages(
    "# Umzug\n\n## Aufgaben\n\n- Netzwerk aufbauen (@ana)\n- Testsysteme umziehen (@bo), sobald das Netzwerk steht\n",
    &[("T2", "T1")]
)]
fn stated_orders_become_links(#[case] text: &str, #[case] expected: &[(&str, &str)]) {
    assert_eq!(links(&plan(text)), expected, "{text}");
}

/// The number of rows that cover each requirement.
#[rstest]
#[case::numbers_of_criteria(
    "# P\n\n## Requirements\n\n### Requirement 1: Saving\n\n#### Acceptance Criteria\n\n1. WHEN a buyer saves THEN the system SHALL store it.\n2. IF there are 25 THEN the system SHALL refuse it.\n\n## Tasks\n\n- [ ] Write the service\n  - _Requirements: 1.1_\n- [ ] Write the page\n  - _Requirements: 1.1_\n",
    &[2, 0]
)]
#[case::ids(
    "# P\n\n## Goals\n\n- KR1.1 No double charge in a month\n- KR1.2 Errors below 1 %\n\n## Tasks\n\n- [ ] Add the key (serves KR1.1)\n- [ ] Paint the wall\n",
    &[1, 0]
)]
#[case::what_must_be_true(
    "# P\n\n## What must be true at the end\n\n1. Auditors can query seven years of closed periods\n2. Nobody rings twice\n\n## Tasks\n\n- [ ] Archive the closed periods for auditors\n- [ ] Paint the wall\n",
    &[1, 0]
)]
#[case::what_should_be(
    "# P\n\n### Should have\n\n- Guests choose a room on a floor plan\n- Keys on the phone for guests\n\n## Implementation\n\n1. Room chooser with a floor plan (3 days)\n2. Paint the wall (2 days)\n",
    &[1, 0]
)]
#[case::a_goal_of_a_phase(
    "# P\n\n## Phase 1: Offers\n\n**Goal**: Members list surplus seeds\n\n- [ ] Add the form for surplus seeds\n- [ ] Paint the wall\n\n## Phase 2: Rest\n\n- [ ] Sleep well\n",
    &[1]
)]
fn requirements_name_their_rows(#[case] text: &str, #[case] rows: &[usize]) {
    let plan = plan(text);
    let found: Vec<usize> = plan.requirements.iter().map(|found| found.covered_by.len()).collect();
    assert_eq!(found, rows, "{text}");
}

#[rstest]
#[case("- Vertrag schließen (Einkauf, bis 15. März 2027)", "2027-03-15")]
#[case("- 15/04/2027: entorno listo", "2027-04-15")]
#[case("- Reservar el stand (@marta), antes del 10 de abril de 2027", "2027-04-10")]
#[case("- Go live ......... 2027-05-01", "2027-05-01")]
fn dates_of_other_notations_are_read(#[case] line: &str, #[case] due: &str) {
    let plan = plan(&format!("# Plan\n\n## Meilensteine\n\n{line}\n- Abschluss\n"));
    let found = plan.nodes.iter().find_map(|node| node.due).map(|due| due.to_string());
    assert_eq!(found.as_deref(), Some(due), "{line}");
}

/// The milestones, with their dates.
#[rstest]
#[case::days_without_a_year("## Timeline\n\n- Jan 31: inventory done\n", &["Jan 31: inventory done"])]
#[case::leaders("# Milestones\n\n- Beta .......... 26.02.2027\n- Start ........ 03.05.2027\n", &["Beta 2027-02-26", "Start 2027-05-03"])]
#[case::a_table("## Plan\n\n| Milestone | Date |\n|---|---|\n| Pilot live | 2027-05-10 |\n| All live | 2027-07-12 |\n", &["Pilot live 2027-05-10", "All live 2027-07-12"])]
#[case::a_chart("```mermaid\ngantt\n  Build :a1, 2027-01-04, 5d\n  Launch :milestone, 2027-02-01, 0d\n```\n", &["Launch 2027-02-01"])]
fn dates_of_events_are_milestones(#[case] text: &str, #[case] expected: &[&str]) {
    let plan = plan(&format!("# App\n\n## Tasks\n\n- [ ] Write the app (2 days)\n\n{text}"));
    let milestones = plan.nodes.iter().filter(|node| node.kind == NodeKind::Milestone);
    let found: Vec<String> = milestones
        .map(|node| {
            format!("{} {}", node.title, node.due.map_or(String::new(), |due| due.to_string()))
        })
        .map(|line| line.trim_end().to_owned())
        .collect();
    assert_eq!(found, expected, "{text}");
}
