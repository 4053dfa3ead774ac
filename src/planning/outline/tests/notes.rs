//! Tests notes beside a title: owners, dates, statuses and ids.

use chrono::NaiveDate;

use super::{links, plan};
use crate::planning::plan::{Progress, SkipReason};

#[test]
fn whoever_does_the_whole_does_the_parts_that_name_no_one() {
    let plan = plan(
        "## Plan\n\n### Phase 1: Barn (owner: ann)\n\n- Build the barn (5 days) @ben\n- Paint the barn\n  - Buy the paint @cleo\n  - Clean the brushes\n",
    );
    let owners: Vec<_> = plan
        .nodes
        .iter()
        .map(|node| (node.title.as_str(), node.owner.as_deref().unwrap_or("nobody")))
        .collect();
    assert_eq!(
        owners,
        [
            ("Phase 1: Barn", "ann"),
            ("Build the barn", "ben"),
            ("Paint the barn", "ann"),
            ("Buy the paint", "cleo"),
            ("Clean the brushes", "ann"),
        ]
    );
}

#[test]
fn a_table_says_how_far_its_rows_are_and_calls_them_by_their_ids() {
    let plan = plan(
        "## Tasks\n\n| ID | Task | Depends on | Status |\n|---|---|---|---|\n| T1 | Dig the bed | | in progress |\n| T2 | Sow the beans | T1 | open |\n| T3 | Sow the peas | T1 | cancelled |\n| T4 | Water the bed | T1, T2 | done |\n",
    );
    let standings: Vec<_> =
        plan.nodes.iter().map(|node| (node.title.as_str(), node.standing)).collect();
    assert_eq!(
        standings,
        [
            ("Dig the bed", Progress::Started),
            ("Sow the beans", Progress::Open),
            ("Water the bed", Progress::Done)
        ]
    );
    assert_eq!(links(&plan), [("T2", "T1"), ("T3", "T1"), ("T3", "T2")]);
    assert!(plan.unresolved.is_empty(), "{:?}", plan.unresolved);
    let cancelled: Vec<_> =
        plan.skipped.iter().filter(|skip| skip.reason == SkipReason::Cancelled).collect();
    assert_eq!(
        cancelled
            .iter()
            .map(|skip| (skip.what.as_str(), skip.span.unwrap().start_line))
            .collect::<Vec<_>>(),
        [("Sow the peas", 7)]
    );
}

#[test]
fn what_is_cancelled_takes_its_parts_with_it_and_nothing_else() {
    let plan = plan(
        "## Tasks\n\n- [-] Build a pond\n  - Dig a hole\n  - Fill the hole\n- [/] Build a shed\n  - [ ] Lay the floor\n  - [ ] ~~Cut the wood~~\n- [ ] Build a fence\n",
    );
    let standings: Vec<_> = plan
        .nodes
        .iter()
        .map(|node| (node.key.as_str(), node.title.as_str(), node.standing))
        .collect();
    assert_eq!(
        standings,
        [
            ("T1", "Build a shed", Progress::Started),
            ("T1.S1", "Lay the floor", Progress::Open),
            ("T2", "Build a fence", Progress::Open),
        ]
    );
}

#[test]
fn notes_in_brackets_are_read_whole() {
    let plan = plan(
        "## Tasks\n\n- Lay the path\n- Buy the gravel\n- Set the gate (2d, @ann, due 2031-03-19, after the path)\n- Hang the lamp (effort: 1d; owner: ben; depends on: Lay the path, Buy the gravel)\n",
    );
    let gate = &plan.nodes[2];
    assert_eq!(
        (gate.title.as_str(), gate.owner.as_deref(), gate.due),
        ("Set the gate", Some("ann"), NaiveDate::from_ymd_opt(2031, 3, 19))
    );
    assert_eq!(gate.estimate.range.likely.get(), 960);
    let lamp = &plan.nodes[3];
    assert_eq!(
        (lamp.title.as_str(), lamp.owner.as_deref(), lamp.estimate.range.likely.get()),
        ("Hang the lamp", Some("ben"), 480)
    );
    assert_eq!(links(&plan), [("T3", "T1"), ("T4", "T1"), ("T4", "T2")]);
}

#[test]
fn a_list_of_prerequisites_is_its_items_and_a_title_with_a_comma_one_task() {
    let plan = plan(
        "## Tasks\n\n- T1: Dig the well\n- Lay the path\n- Sow peas, beans and corn\n- Sow peas\n- Water the bed (depends on: T1, Lay the path)\n- Harvest, depends on \"Sow peas, beans and corn\"\n",
    );
    assert_eq!(links(&plan), [("T5", "T1"), ("T5", "T2"), ("T6", "T3")]);
}

#[test]
fn a_list_in_a_language_that_may_be_any_is_read_by_its_form_where_its_words_give_no_work() {
    let plan = plan(
        "# Datenbank umziehen\n\n## Aufgaben\n\n- Schema anpassen @ana\n- Sicherung anlegen\n- Testumgebung bauen\n- Betrieb umschalten @ben\n",
    );
    let titles: Vec<_> = plan.nodes.iter().map(|node| node.title.as_str()).collect();
    assert_eq!(
        titles,
        ["Schema anpassen", "Sicherung anlegen", "Testumgebung bauen", "Betrieb umschalten"]
    );
    assert!(plan.language_note.is_some());
    let sources = super::plan(
        "# Quellen\n\n- alpha/beta @ 6113c7e5\n- gamma/delta, Licence MIT\n- epsilon.md, zeta.txt, eta.md\n- theta/iota, Licence Apache\n- kappa/lambda\n",
    );
    assert_eq!(sources.nodes.len(), 0);
}
