//! What a second planning does: one change of the text or of a person at a time.

use lakeplan::domain::id::{EntityId, PatchSetId};
use lakeplan::domain::state::ProjectState;
use lakeplan::domain::task::TaskStatus;
use lakeplan::planning::replan::report::Mark;
use lakeplan::service::ServiceError;
use lakeplan::service::plan::PlanRequest;
use serde_json::json;

use super::{Desk, only, told};

pub const CELLAR: &str = "\
# Wine cellar

## Requirements

- The racks must hold two hundred bottles.
- Every bottle must have a printed label.

## Plan

### Phase 1: Room

- Dig the vault (2 days) @ana
- Insulate the walls (1 day), depends on the vault
- Install the racks for two hundred bottles (4 hours)

### Phase 2: Stock

- Buy barrels (2 hours)
- Fill bottles, depends on the barrels
";

fn edited(from: &str, to: &str) -> String {
    assert_eq!(CELLAR.matches(from).count(), 1, "{from:?} is not once in the text");
    CELLAR.replace(from, to)
}

#[test]
fn the_first_time_makes_everything_in_one_set() {
    let desk = Desk::with(CELLAR);
    assert_eq!(
        desk.outline(),
        "Phase 1: Room\n.Dig the vault\n.Insulate the walls\n.Install the racks for two hundred bottles\n\
         Phase 2: Stock\n.Buy barrels\n.Fill bottles"
    );
    let state = desk.state();
    let project = state.projects().next().unwrap();
    assert_eq!(project.project().unwrap().description.as_ref().unwrap().as_str(), CELLAR);
    assert_eq!(project.project().unwrap().source.as_ref().unwrap().as_str(), "plan.md");
    let vault = desk.task("Dig the vault");
    assert_eq!((vault.source_line, vault.estimate_likely.unwrap().get()), (Some(12), 960));
    assert_eq!(state.user(vault.assignee_id.unwrap()).unwrap().handle.as_str(), "ana");
    assert!(desk.dependencies().contains(&("Insulate the walls".to_owned(), "Dig the vault".to_owned())));
    let mut labels: Vec<&str> = project.requirements().map(|requirement| requirement.label.as_str()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["R1", "R2"]);
    let racks = desk.task("Install the racks for two hundred bottles");
    assert_eq!(project.answers_at(racks.id.uuid()).count(), 1);
}

#[test]
fn the_same_text_again_changes_nothing() {
    let desk = Desk::with(CELLAR);
    let before = desk.substance();
    let preview = desk.plan(CELLAR);
    assert!(preview.set.patches.is_empty(), "{:?}", preview.set.patches);
    assert!(told(&preview).is_empty());
    assert_eq!(desk.substance(), before);
}

#[test]
fn a_changed_title_keeps_the_task() {
    let desk = Desk::with(CELLAR);
    let before = desk.task("Buy barrels");
    let preview = desk.plan(&edited("Buy barrels", "Buy oak barrels"));
    let after = desk.task("Buy oak barrels");
    assert_eq!((after.id, after.key), (before.id, before.key));
    let change = &only(&preview, Mark::Changed).changes;
    assert_eq!(change.len(), 1);
    assert_eq!((change[0].from.as_str(), change[0].to.as_str()), (Some("Buy barrels"), Some("Buy oak barrels")));
}

#[test]
fn a_changed_estimate_is_the_only_change() {
    let desk = Desk::with(CELLAR);
    let preview = desk.plan(&edited("(1 day)", "(2 days)"));
    assert_eq!(told(&preview), [(Mark::Changed, "Insulate the walls".to_owned())]);
    assert_eq!(desk.task("Insulate the walls").estimate_likely.unwrap().get(), 960);
}

#[test]
fn a_renamed_parent_keeps_its_id_and_its_children() {
    let desk = Desk::with(CELLAR);
    let (phase, racks) = (desk.task("Phase 1: Room"), desk.task("Install the racks for two hundred bottles"));
    desk.plan(&edited("### Phase 1: Room", "### Phase 1: Underground chamber"));
    assert_eq!(desk.task("Phase 1: Underground chamber").id, phase.id);
    let after = desk.task("Install the racks for two hundred bottles");
    assert_eq!((after.id, after.parent_id), (racks.id, Some(phase.id)));
}

#[test]
fn a_moved_statement_moves_its_task() {
    let desk = Desk::with(CELLAR);
    let racks = desk.task("Install the racks for two hundred bottles");
    let line = "- Install the racks for two hundred bottles (4 hours)\n";
    let text = edited(line, "").replace("- Buy barrels", &format!("{line}- Buy barrels"));
    let preview = desk.plan(&text);
    assert_eq!(told(&preview), [(Mark::Moved, racks.title.to_string())]);
    let moved = desk.task("Install the racks for two hundred bottles");
    assert_eq!((moved.id, moved.parent_id), (racks.id, Some(desk.task("Phase 2: Stock").id)));
    assert!(desk.outline().contains("Phase 2: Stock\n.Install the racks for two hundred bottles\n.Buy barrels"));
    assert!(desk.plan(&text).set.patches.is_empty());
}

#[test]
fn statements_that_change_places_change_the_order_and_nothing_else() {
    let desk = Desk::with(CELLAR);
    let id = desk.task("Dig the vault").id;
    let first = "- Dig the vault (2 days) @ana\n";
    let last = "- Install the racks for two hundred bottles (4 hours)\n";
    let preview = desk.plan(&edited(first, "").replace(last, &format!("{last}{first}")));
    assert_eq!(told(&preview), [(Mark::Moved, "Dig the vault".to_owned())]);
    assert!(desk.outline().contains(".Install the racks for two hundred bottles\n.Dig the vault\nPhase 2"));
    assert_eq!(desk.task("Dig the vault").id, id);
}

#[test]
fn finished_work_is_not_touched() {
    let desk = Desk::with(CELLAR);
    desk.edit("Insulate the walls", json!({"status": "completed", "actual_minutes": 300}));
    let before = desk.task("Insulate the walls");
    let preview = desk.plan(&edited("Insulate the walls (1 day)", "Insulate the walls and the ceiling (5 days)"));
    let after = desk.task("Insulate the walls");
    assert_eq!((after.id, after.status, after.estimate()), (before.id, TaskStatus::Completed, before.estimate()));
    assert!(told(&preview).iter().all(|(mark, _)| *mark == Mark::Kept), "{:?}", told(&preview));
    let preview = desk.plan(&edited("- Insulate the walls (1 day), depends on the vault\n", ""));
    assert_eq!(desk.task("Insulate the walls").status, TaskStatus::Completed);
    let kept = only(&preview, Mark::Kept);
    assert!(kept.reason.as_ref().unwrap().contains("no longer in the description; it is completed"), "{kept:?}");
}

#[test]
fn a_box_that_is_ticked_finishes_and_one_unticked_does_not_reopen() {
    let open = edited("- Buy barrels", "- [ ] Buy barrels");
    let ticked = edited("- Buy barrels", "- [x] Buy barrels");
    let desk = Desk::with(&open);
    desk.edit("Buy barrels", json!({"status": "in_progress"}));
    desk.plan(&ticked);
    assert_eq!(desk.task("Buy barrels").status, TaskStatus::Completed);
    desk.plan(&open);
    assert_eq!(desk.task("Buy barrels").status, TaskStatus::Completed);
}

#[test]
fn a_persons_edit_wins_and_is_reported_once() {
    let desk = Desk::with(CELLAR);
    desk.edit("Insulate the walls", json!({"estimate_low": 60, "estimate_likely": 60, "estimate_high": 60, "priority": "high"}));
    let text = edited("Insulate the walls (1 day)", "Insulate the walls (2 days)");
    let preview = desk.plan(&text);
    let kept = only(&preview, Mark::Kept);
    assert_eq!(kept.reason.as_deref(), Some("edited since it was planned"));
    assert_eq!(desk.task("Insulate the walls").estimate_likely.unwrap().get(), 60);
    assert!(desk.task("Insulate the walls").priority.is_some());
    assert!(desk.plan(&text).set.patches.is_empty());
    // What the person did not touch still follows the text.
    desk.plan(&text.replace("Insulate the walls", "Insulate all the walls"));
    assert_eq!(desk.task("Insulate all the walls").estimate_likely.unwrap().get(), 60);
}

#[test]
fn a_renamed_task_is_still_found_by_its_statement() {
    let desk = Desk::with(CELLAR);
    let id = desk.task("Buy barrels").id;
    desk.edit("Buy barrels", json!({"title": "Casks"}));
    assert!(desk.plan(CELLAR).set.patches.is_empty());
    desk.plan(&edited("Buy barrels (2 hours)", "Buy barrels (3 hours)"));
    let task = desk.task("Casks");
    assert_eq!((task.id, task.estimate_likely.unwrap().get()), (id, 180));
}

#[test]
fn what_is_gone_goes_only_if_nobody_touched_it() {
    let without = edited("- Buy barrels (2 hours)\n", "").replace("- Fill bottles, depends on the barrels\n", "- Fill bottles\n");
    let desk = Desk::with(CELLAR);
    let preview = desk.plan(&without);
    assert!(!desk.has("Buy barrels"));
    assert_eq!(only(&preview, Mark::Gone).title, "Buy barrels");
    for fields in [
        json!({"status": "in_progress"}),
        json!({"actual_minutes": 10}),
        json!({"description": "oak"}),
        json!({"tags": ["wood"]}),
        json!({"importance": 5}),
        json!({"title": "Casks"}),
        json!({"due_date": "2027-01-01"}),
        json!({"metadata": {"mine": 1}}),
    ] {
        let desk = Desk::with(CELLAR);
        let id = desk.task("Buy barrels").id;
        let mut fields = fields;
        if let Some(metadata) = fields.get_mut("metadata") {
            let plan = desk.task("Buy barrels").metadata.0["plan"].clone();
            metadata["plan"] = plan;
        }
        desk.edit("Buy barrels", fields.clone());
        let preview = desk.plan(&without);
        let task = desk.state().task(id).unwrap().as_ref().clone();
        assert!(task.is_live(), "{fields} did not keep it");
        assert_eq!(task.source_line, None);
        assert!(told(&preview).iter().any(|(mark, _)| *mark == Mark::Kept), "{fields} is not reported");
        assert!(desk.plan(&without).set.patches.is_empty(), "{fields}");
        // Stated again it is the same task.
        desk.plan(CELLAR);
        assert_eq!(desk.state().task(id).unwrap().source_line, Some(18), "{fields}");
    }
}

#[test]
fn what_a_person_linked_given_or_put_something_below_stays() {
    let without = edited("- Buy barrels (2 hours)\n", "").replace("- Fill bottles, depends on the barrels\n", "- Fill bottles\n");
    for n in 0..3 {
        let desk = Desk::with(CELLAR);
        let (key, other) = (desk.key("Buy barrels"), desk.key("Dig the vault"));
        match n {
            0 => desk.change(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": key, "to_id": other, "kind": "relates"}}])),
            1 => desk.change(json!([{"op": "update", "entity": "task", "id": key, "fields": {"assignee_id": "@ana"}}])),
            _ => desk.change(json!([{"op": "create", "entity": "task", "fields": {"project_id": "WC", "parent_id": key, "title": "Ask the cooper"}}])),
        }
        desk.plan(&without);
        assert!(desk.has("Buy barrels"), "case {n}");
    }
}

#[test]
fn a_parent_stays_while_something_below_it_does() {
    let desk = Desk::with(CELLAR);
    desk.edit("Fill bottles", json!({"status": "completed"}));
    let at = CELLAR.find("### Phase 2").unwrap();
    let preview = desk.plan(&CELLAR[..at]);
    assert!(desk.has("Phase 2: Stock") && desk.has("Fill bottles") && !desk.has("Buy barrels"));
    let kept: Vec<String> = told(&preview).into_iter().filter(|(mark, _)| *mark == Mark::Kept).map(|(_, title)| title).collect();
    assert_eq!(kept, ["Phase 2: Stock", "Fill bottles"]);
}

#[test]
fn a_new_dependency_is_made_and_one_gone_is_ended() {
    let desk = Desk::with(CELLAR);
    let text = edited("bottles (4 hours)", "bottles (4 hours), depends on \"Insulate the walls\"");
    desk.plan(&text);
    let pair = ("Install the racks for two hundred bottles".to_owned(), "Insulate the walls".to_owned());
    assert!(desk.dependencies().contains(&pair), "{:?}", desk.dependencies());
    let preview = desk.plan(CELLAR);
    assert!(!desk.dependencies().contains(&pair));
    assert_eq!(
        only(&preview, Mark::Gone).title,
        "\"Install the racks for two hundred bottles\" waits for \"Insulate the walls\""
    );
}

#[test]
fn a_persons_link_stays_and_one_they_ended_is_not_made_again() {
    let desk = Desk::with(CELLAR);
    let (walls, vault, barrels) = (desk.key("Insulate the walls"), desk.key("Dig the vault"), desk.key("Buy barrels"));
    desk.change(json!([
        {"op": "link", "entity": "task_link", "fields": {"from_id": barrels, "to_id": vault}},
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": walls, "to_id": vault}},
    ]));
    let before = desk.dependencies();
    assert!(desk.plan(CELLAR).set.patches.is_empty());
    desk.plan(&edited("(1 day)", "(2 days)"));
    assert_eq!(desk.dependencies(), before);
}

#[test]
fn a_dependency_that_would_close_a_circle_with_a_persons_is_left_out() {
    let desk = Desk::with(CELLAR);
    let (walls, racks) = (desk.key("Insulate the walls"), desk.key("Install the racks for two hundred bottles"));
    desk.change(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": walls, "to_id": racks}}]));
    let text = edited("bottles (4 hours)", "bottles (4 hours), depends on \"Insulate the walls\"");
    let preview = desk.plan(&text);
    let left = only(&preview, Mark::LeftOut);
    assert!(left.reason.as_ref().unwrap().contains("circle"), "{left:?}");
    assert!(desk.plan(&text).set.patches.is_empty());
    // Once the person's link is gone, the next plan makes its own.
    desk.change(json!([{"op": "unlink", "entity": "task_link", "fields": {"from_id": walls, "to_id": racks}}]));
    desk.plan(&text);
    assert!(desk.dependencies().iter().any(|(from, to)| from.starts_with("Install") && to.starts_with("Insulate")));
}

#[test]
fn a_move_below_what_a_person_made_it_wait_for_is_left_out() {
    let desk = Desk::with(CELLAR);
    let (racks, stock) = (desk.key("Install the racks for two hundred bottles"), desk.key("Phase 2: Stock"));
    desk.change(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": stock, "to_id": racks}}]));
    let line = "- Install the racks for two hundred bottles (4 hours)\n";
    let preview = desk.plan(&edited(line, "").replace("- Buy barrels", &format!("{line}- Buy barrels")));
    assert!(only(&preview, Mark::Kept).reason.as_ref().unwrap().contains("circle"));
    assert_eq!(desk.task("Install the racks for two hundred bottles").parent_id, Some(desk.task("Phase 1: Room").id));
}

#[test]
fn where_a_person_put_a_task_it_stays() {
    let desk = Desk::with(CELLAR);
    let (barrels, room) = (desk.key("Buy barrels"), desk.key("Phase 1: Room"));
    desk.change(json!([{"op": "move", "entity": "task", "id": barrels, "fields": {"parent_id": room}}]));
    assert!(desk.plan(CELLAR).set.patches.is_empty());
    desk.plan(&edited("Buy barrels (2 hours)", "Buy barrels (3 hours)"));
    let task = desk.task("Buy barrels");
    assert_eq!((task.parent_id, task.estimate_likely.unwrap().get()), (Some(desk.task("Phase 1: Room").id), 180));
    // Neither where the text moves it, nor where the text drops it.
    let preview =
        desk.plan(&edited("- Buy barrels (2 hours)\n", "").replace("### Phase 1", "- Buy barrels (3 hours)\n\n### Phase 1"));
    assert_eq!(desk.task("Buy barrels").parent_id, Some(desk.task("Phase 1: Room").id));
    assert!(only(&preview, Mark::Kept).reason.as_ref().unwrap().contains("moved by hand"), "{:?}", told(&preview));
}

#[test]
fn a_change_made_in_between_is_a_conflict_and_is_not_written_over() {
    for fields in [json!({"estimate_low": 1, "estimate_likely": 1, "estimate_high": 1}), json!({"metadata": {"mine": 1}})] {
        let desk = Desk::with(CELLAR);
        let preview = desk.preview(&Desk::request(&edited("(1 day)", "(2 days)")));
        desk.edit("Insulate the walls", fields);
        let before = desk.substance();
        assert!(matches!(desk.commit(&preview), Err(ServiceError::Conflicted { .. })));
        assert_eq!(desk.substance(), before);
    }
    let desk = Desk::with(CELLAR);
    let preview = desk.preview(&Desk::request(&edited("- Buy barrels (2 hours)\n", "")));
    desk.edit("Buy barrels", json!({"status": "in_progress"}));
    assert!(matches!(desk.commit(&preview), Err(ServiceError::Conflicted { .. })));
}

#[test]
fn a_task_that_a_person_deleted_does_not_come_back() {
    let desk = Desk::with(CELLAR);
    desk.change(json!([{"op": "delete", "entity": "task", "id": desk.key("Buy barrels")}]));
    let preview = desk.plan(&edited("(1 day)", "(2 days)"));
    assert!(!desk.has("Buy barrels"));
    assert!(only(&preview, Mark::Kept).reason.as_ref().unwrap().contains("was deleted by planner"));
    // What an undo took back does.
    let desk = Desk::with(&edited("- Buy barrels (2 hours)\n", ""));
    desk.plan(CELLAR);
    desk.undo();
    assert!(!desk.has("Buy barrels"));
    desk.plan(CELLAR);
    assert!(desk.has("Buy barrels"));
}

#[test]
fn new_statements_stand_where_the_text_has_them() {
    let desk = Desk::with(CELLAR);
    desk.plan(
        &edited("- Buy barrels", "- Rent a cart\n- Buy barrels").replace("- Fill bottles", "- Wash bottles\n- Fill bottles"),
    );
    assert!(
        desk.outline().ends_with("Phase 2: Stock\n.Rent a cart\n.Buy barrels\n.Wash bottles\n.Fill bottles"),
        "{}",
        desk.outline()
    );
}

#[test]
fn requirements_follow_the_text_and_keep_their_labels() {
    let desk = Desk::with(CELLAR);
    let text = edited(
        "- The racks must hold two hundred bottles.",
        "- The room must stay below fourteen degrees.\n- The racks must hold two hundred wine bottles.",
    );
    desk.plan(&text);
    let said = |desk: &Desk| -> Vec<String> {
        let state = desk.state();
        let all = state.projects().flat_map(ProjectState::requirements).filter(|known| known.deleted_at.is_none());
        let mut said: Vec<String> = all.map(|known| format!("{} {}", known.label, known.text)).collect();
        said.sort();
        said
    };
    assert_eq!(
        said(&desk),
        [
            "R1 The racks must hold two hundred wine bottles",
            "R2 Every bottle must have a printed label",
            "R3 The room must stay below fourteen degrees"
        ]
    );
    desk.plan(&text.replace("- Every bottle must have a printed label.\n", ""));
    assert_eq!(said(&desk).len(), 2);
    desk.plan(CELLAR);
    assert!(said(&desk).contains(&"R4 Every bottle must have a printed label".to_owned()), "{:?}", said(&desk));
}

#[test]
fn a_plan_is_undone_as_one() {
    let desk = Desk::with(CELLAR);
    let before = desk.substance();
    let text = edited("Buy barrels (2 hours)", "Buy oak barrels (4 hours)")
        .replace("- Insulate the walls (1 day), depends on the vault\n", "")
        .replace("## Plan", "## Plan\n\n### Phase 0: Permits\n\n- Ask the neighbours\n");
    let preview = desk.plan(&text);
    assert!(preview.report.items.len() > 3);
    desk.undo();
    assert_eq!(desk.substance(), before);
    desk.plan(&text);
    desk.plan(CELLAR);
    assert_eq!(desk.outline(), Desk::with(CELLAR).outline());
}

#[test]
fn a_description_is_planned_into_a_project_that_is_there() {
    let desk = Desk::new();
    desk.change(json!([{"op": "create", "entity": "project", "fields": {"name": "House", "key": "HOUSE"}}]));
    desk.change(json!([{"op": "create", "entity": "task", "fields": {"project_id": "HOUSE", "title": "Paint the door"}}]));
    let request = PlanRequest { project: Some("house".to_owned()), ..Desk::request(CELLAR) };
    desk.try_plan(&request).unwrap();
    assert!(desk.outline().starts_with("Phase 1: Room") && desk.outline().ends_with("Paint the door"), "{}", desk.outline());
    assert_eq!(desk.key("Paint the door"), "HOUSE-1");
    assert_eq!(desk.state().projects().next().unwrap().project().unwrap().name.as_str(), "House");
    assert!(desk.plan(CELLAR).set.patches.is_empty());
}

#[test]
fn the_same_id_is_planned_once() {
    let desk = Desk::new();
    let id: PatchSetId = crate::support::set_id();
    let request = PlanRequest { id: Some(id), ..Desk::request(CELLAR) };
    desk.try_plan(&request).unwrap();
    let before = desk.substance();
    desk.try_plan(&request).unwrap();
    assert_eq!(desk.substance(), before);
    let other = PlanRequest { text: edited("(1 day)", "(2 days)"), ..request };
    let fault = desk.try_plan(&other).unwrap_err();
    assert!(format!("{fault:?}").contains("another content"), "{fault:?}");
}

#[test]
fn bad_input_names_the_place_and_the_way_out() {
    let cases: [(Vec<u8>, &str); 4] = [
        (b"# a\n\xff".to_vec(), "line 2 is not UTF-8"),
        (b"# a\nb\0".to_vec(), "line 2 holds a NUL"),
        (vec![b'a'; (1 << 20) + (1 << 19)], "is 1.5 MiB"),
        (b" \n\n".to_vec(), "is empty"),
    ];
    for (bytes, says) in cases {
        let fault = PlanRequest::read("prd.md", bytes).unwrap_err();
        assert!(fault.to_string().starts_with("prd.md: ") && fault.to_string().contains(says), "{fault}");
        assert!(fault.hint().is_some());
    }
}
