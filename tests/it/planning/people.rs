//! Planning again after people have changed the tasks: their edits win, finished work stays.

use lakeplan::domain::task::TaskStatus;
use lakeplan::planning::replan::report::Mark;
use lakeplan::service::ServiceError;
use serde_json::json;

use super::replanning::{CELLAR, edited};
use super::{Desk, only, rendered};

#[test]
fn finished_work_is_not_touched() {
    let desk = Desk::with(CELLAR);
    desk.edit("Insulate the walls", json!({"status": "completed", "actual_minutes": 300}));
    let before = desk.task("Insulate the walls");
    let preview = desk
        .plan(&edited("Insulate the walls (1 day)", "Insulate the walls and the ceiling (5 days)"));
    let after = desk.task("Insulate the walls");
    assert_eq!(
        (after.id, after.status, after.estimate()),
        (before.id, TaskStatus::Completed, before.estimate())
    );
    assert!(
        rendered(&preview).iter().all(|(mark, _)| *mark == Mark::Kept),
        "{:?}",
        rendered(&preview)
    );
    let preview = desk.plan(&edited("- Insulate the walls (1 day), depends on the vault\n", ""));
    assert_eq!(desk.task("Insulate the walls").status, TaskStatus::Completed);
    let kept = only(&preview, Mark::Kept);
    assert!(
        kept.reason.as_ref().unwrap().contains("no longer in the description; it is completed"),
        "{kept:?}"
    );
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
    desk.edit(
        "Insulate the walls",
        json!({"estimate_low": 60, "estimate_likely": 60, "estimate_high": 60, "priority": "high"}),
    );
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
    let without = edited("- Buy barrels (2 hours)\n", "")
        .replace("- Fill bottles, depends on the barrels\n", "- Fill bottles\n");
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
        assert!(
            rendered(&preview).iter().any(|(mark, _)| *mark == Mark::Kept),
            "{fields} is not reported"
        );
        assert!(desk.plan(&without).set.patches.is_empty(), "{fields}");
        // Stated again it is the same task.
        desk.plan(CELLAR);
        assert_eq!(desk.state().task(id).unwrap().source_line, Some(18), "{fields}");
    }
}

#[test]
fn what_a_person_linked_given_or_put_something_below_stays() {
    let without = edited("- Buy barrels (2 hours)\n", "")
        .replace("- Fill bottles, depends on the barrels\n", "- Fill bottles\n");
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
    let kept: Vec<String> = rendered(&preview)
        .into_iter()
        .filter(|(mark, _)| *mark == Mark::Kept)
        .map(|(_, title)| title)
        .collect();
    assert_eq!(kept, ["Phase 2: Stock", "Fill bottles"]);
}

#[test]
fn a_persons_link_stays_and_one_they_ended_is_not_made_again() {
    let desk = Desk::with(CELLAR);
    let (walls, vault, barrels) =
        (desk.key("Insulate the walls"), desk.key("Dig the vault"), desk.key("Buy barrels"));
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
    let (walls, racks) =
        (desk.key("Insulate the walls"), desk.key("Install the racks for two hundred bottles"));
    desk.change(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": walls, "to_id": racks}}]));
    let text = edited("bottles (4 hours)", "bottles (4 hours), depends on \"Insulate the walls\"");
    let preview = desk.plan(&text);
    let left = only(&preview, Mark::LeftOut);
    assert!(left.reason.as_ref().unwrap().contains("circle"), "{left:?}");
    assert!(desk.plan(&text).set.patches.is_empty());
    // Once the person's link is gone, the next plan makes its own.
    desk.change(json!([{"op": "unlink", "entity": "task_link", "fields": {"from_id": walls, "to_id": racks}}]));
    desk.plan(&text);
    assert!(
        desk.dependencies()
            .iter()
            .any(|(from, to)| from.starts_with("Install") && to.starts_with("Insulate"))
    );
}

#[test]
fn a_move_below_what_a_person_made_it_wait_for_is_left_out() {
    let desk = Desk::with(CELLAR);
    let (racks, stock) =
        (desk.key("Install the racks for two hundred bottles"), desk.key("Phase 2: Stock"));
    desk.change(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": stock, "to_id": racks}}]));
    let line = "- Install the racks for two hundred bottles (4 hours)\n";
    let preview =
        desk.plan(&edited(line, "").replace("- Buy barrels", &format!("{line}- Buy barrels")));
    assert!(only(&preview, Mark::Kept).reason.as_ref().unwrap().contains("circle"));
    assert_eq!(
        desk.task("Install the racks for two hundred bottles").parent_id,
        Some(desk.task("Phase 1: Room").id)
    );
}

#[test]
fn where_a_person_put_a_task_it_stays() {
    let desk = Desk::with(CELLAR);
    let (barrels, room) = (desk.key("Buy barrels"), desk.key("Phase 1: Room"));
    desk.change(
        json!([{"op": "move", "entity": "task", "id": barrels, "fields": {"parent_id": room}}]),
    );
    assert!(desk.plan(CELLAR).set.patches.is_empty());
    desk.plan(&edited("Buy barrels (2 hours)", "Buy barrels (3 hours)"));
    let task = desk.task("Buy barrels");
    assert_eq!(
        (task.parent_id, task.estimate_likely.unwrap().get()),
        (Some(desk.task("Phase 1: Room").id), 180)
    );
    // Neither where the text moves it, nor where the text drops it.
    let preview = desk.plan(
        &edited("- Buy barrels (2 hours)\n", "")
            .replace("### Phase 1", "- Buy barrels (3 hours)\n\n### Phase 1"),
    );
    assert_eq!(desk.task("Buy barrels").parent_id, Some(desk.task("Phase 1: Room").id));
    assert!(
        only(&preview, Mark::Kept).reason.as_ref().unwrap().contains("moved by hand"),
        "{:?}",
        rendered(&preview)
    );
}

#[test]
fn a_change_made_in_between_is_a_conflict_and_is_not_written_over() {
    for fields in [
        json!({"estimate_low": 1, "estimate_likely": 1, "estimate_high": 1}),
        json!({"metadata": {"mine": 1}}),
    ] {
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
fn an_owner_whose_name_reads_as_an_id_gets_a_handle_that_can_be_found() {
    let desk =
        Desk::with("# Shed\n\n- Build the walls (1 day) @ab92f0c12b3c7d4e8f50617283940516\n");
    let state = desk.state();
    let user = state.users().next().unwrap();
    assert_eq!(user.handle.as_str(), "user-ab92f0c12b3c7d4e8f50617283940516");
    assert_eq!(desk.task("Build the walls").assignee_id, Some(user.id));
}
