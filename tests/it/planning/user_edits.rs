//! Planning again after users changed the tasks: their edits win, and completed work is kept.

use lakeplan::domain::task::TaskStatus;
use lakeplan::planning::replan::report::Mark;
use lakeplan::service::ServiceError;
use rstest::rstest;
use serde_json::{Value, json};

use super::replanning::{CELLAR, edited};
use super::{PlanFixture, only, rendered};

#[test]
fn completed_tasks_are_not_changed() {
    let fixture = PlanFixture::with(CELLAR);
    fixture.edit("Insulate the walls", json!({"status": "completed", "actual_minutes": 300}));
    let before = fixture.task("Insulate the walls");
    let preview = fixture
        .plan(&edited("Insulate the walls (1 day)", "Insulate the walls and the ceiling (5 days)"));
    let after = fixture.task("Insulate the walls");
    assert_eq!(
        (after.id, after.status, after.estimate()),
        (before.id, TaskStatus::Completed, before.estimate())
    );
    assert!(
        rendered(&preview).iter().all(|(mark, _)| *mark == Mark::Kept),
        "{:?}",
        rendered(&preview)
    );
    let preview = fixture.plan(&edited("- Insulate the walls (1 day), depends on the vault\n", ""));
    assert_eq!(fixture.task("Insulate the walls").status, TaskStatus::Completed);
    let kept = only(&preview, Mark::Kept);
    assert!(
        kept.reason.as_ref().unwrap().contains("no longer in the description; it is completed"),
        "{kept:?}"
    );
}

#[test]
fn a_checked_box_completes_and_an_unchecked_one_does_not_reopen() {
    let open = edited("- Buy barrels", "- [ ] Buy barrels");
    let ticked = edited("- Buy barrels", "- [x] Buy barrels");
    let fixture = PlanFixture::with(&open);
    fixture.edit("Buy barrels", json!({"status": "in_progress"}));
    fixture.plan(&ticked);
    assert_eq!(fixture.task("Buy barrels").status, TaskStatus::Completed);
    fixture.plan(&open);
    assert_eq!(fixture.task("Buy barrels").status, TaskStatus::Completed);
}

#[test]
fn a_user_edit_wins_and_is_reported_once() {
    let fixture = PlanFixture::with(CELLAR);
    fixture.edit(
        "Insulate the walls",
        json!({"estimate_low": 60, "estimate_likely": 60, "estimate_high": 60, "priority": "high"}),
    );
    let text = edited("Insulate the walls (1 day)", "Insulate the walls (2 days)");
    let preview = fixture.plan(&text);
    let kept = only(&preview, Mark::Kept);
    assert_eq!(kept.reason.as_deref(), Some("edited since it was planned"));
    assert_eq!(fixture.task("Insulate the walls").estimate_likely.unwrap().get(), 60);
    assert!(fixture.task("Insulate the walls").priority.is_some());
    assert!(fixture.plan(&text).set.patches.is_empty());
    // Fields that the user did not change still follow the text.
    fixture.plan(&text.replace("Insulate the walls", "Insulate all the walls"));
    assert_eq!(fixture.task("Insulate all the walls").estimate_likely.unwrap().get(), 60);
}

#[test]
fn a_renamed_task_is_found_by_its_statement() {
    let fixture = PlanFixture::with(CELLAR);
    let id = fixture.task("Buy barrels").id;
    fixture.edit("Buy barrels", json!({"title": "Casks"}));
    assert!(fixture.plan(CELLAR).set.patches.is_empty());
    fixture.plan(&edited("Buy barrels (2 hours)", "Buy barrels (3 hours)"));
    let task = fixture.task("Casks");
    assert_eq!((task.id, task.estimate_likely.unwrap().get()), (id, 180));
}

/// Returns the description without the statement of the barrels.
fn without_barrels() -> String {
    edited("- Buy barrels (2 hours)\n", "")
        .replace("- Fill bottles, depends on the barrels\n", "- Fill bottles\n")
}

#[test]
fn a_removed_statement_deletes_an_untouched_task() {
    let without = without_barrels();
    let fixture = PlanFixture::with(CELLAR);
    let preview = fixture.plan(&without);
    assert!(!fixture.has("Buy barrels"));
    assert_eq!(only(&preview, Mark::Gone).title, "Buy barrels");
}

#[rstest]
#[case::status(json!({"status": "in_progress"}))]
#[case::logged_time(json!({"actual_minutes": 10}))]
#[case::description(json!({"description": "oak"}))]
#[case::tags(json!({"tags": ["wood"]}))]
#[case::importance(json!({"importance": 5}))]
#[case::title(json!({"title": "Casks"}))]
#[case::due_date(json!({"due_date": "2027-01-01"}))]
#[case::metadata(json!({"metadata": {"mine": 1}}))]
fn a_removed_statement_keeps_an_edited_task(#[case] fields: Value) {
    let without = without_barrels();
    let fixture = PlanFixture::with(CELLAR);
    let id = fixture.task("Buy barrels").id;
    fixture.edit("Buy barrels", fields.clone());
    let preview = fixture.plan(&without);
    let task = fixture.state().task(id).unwrap().as_ref().clone();
    assert!(task.is_live(), "{fields} did not keep the task");
    assert_eq!(task.source_line, None);
    assert!(
        rendered(&preview).iter().any(|(mark, _)| *mark == Mark::Kept),
        "{fields} is not reported"
    );
    assert!(fixture.plan(&without).set.patches.is_empty(), "{fields}");
    // Planned again, it is the same task.
    fixture.plan(CELLAR);
    assert_eq!(fixture.state().task(id).unwrap().source_line, Some(18), "{fields}");
}

#[test]
fn a_task_with_user_changes_is_kept() {
    let without = edited("- Buy barrels (2 hours)\n", "")
        .replace("- Fill bottles, depends on the barrels\n", "- Fill bottles\n");
    for n in 0..3 {
        let fixture = PlanFixture::with(CELLAR);
        let (key, other) = (fixture.key("Buy barrels"), fixture.key("Dig the vault"));
        match n {
            0 => fixture.change(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": key, "to_id": other, "kind": "relates"}}])),
            1 => fixture.change(json!([{"op": "update", "entity": "task", "id": key, "fields": {"assignee_id": "@ana"}}])),
            _ => fixture.change(json!([{"op": "create", "entity": "task", "fields": {"project_id": "WC", "parent_id": key, "title": "Ask the cooper"}}])),
        }
        fixture.plan(&without);
        assert!(fixture.has("Buy barrels"), "case {n}");
    }
}

#[test]
fn a_parent_is_kept_while_a_subtask_is_kept() {
    let fixture = PlanFixture::with(CELLAR);
    fixture.edit("Fill bottles", json!({"status": "completed"}));
    let at = CELLAR.find("### Phase 2").unwrap();
    let preview = fixture.plan(&CELLAR[..at]);
    assert!(
        fixture.has("Phase 2: Stock") && fixture.has("Fill bottles") && !fixture.has("Buy barrels")
    );
    let kept: Vec<String> = rendered(&preview)
        .into_iter()
        .filter(|(mark, _)| *mark == Mark::Kept)
        .map(|(_, title)| title)
        .collect();
    assert_eq!(kept, ["Phase 2: Stock", "Fill bottles"]);
}

#[test]
fn user_links_are_kept_and_deleted_links_are_not_recreated() {
    let fixture = PlanFixture::with(CELLAR);
    let (walls, vault, barrels) = (
        fixture.key("Insulate the walls"),
        fixture.key("Dig the vault"),
        fixture.key("Buy barrels"),
    );
    fixture.change(json!([
        {"op": "link", "entity": "task_link", "fields": {"from_id": barrels, "to_id": vault}},
        {"op": "unlink", "entity": "task_link", "fields": {"from_id": walls, "to_id": vault}},
    ]));
    let before = fixture.dependencies();
    assert!(fixture.plan(CELLAR).set.patches.is_empty());
    fixture.plan(&edited("(1 day)", "(2 days)"));
    assert_eq!(fixture.dependencies(), before);
}

#[test]
fn a_dependency_that_closes_a_cycle_with_a_user_link_is_omitted() {
    let fixture = PlanFixture::with(CELLAR);
    let (walls, racks) = (
        fixture.key("Insulate the walls"),
        fixture.key("Install the racks for two hundred bottles"),
    );
    fixture.change(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": walls, "to_id": racks}}]));
    let text = edited("bottles (4 hours)", "bottles (4 hours), depends on \"Insulate the walls\"");
    let preview = fixture.plan(&text);
    let left = only(&preview, Mark::LeftOut);
    assert!(left.reason.as_ref().unwrap().contains("circle"), "{left:?}");
    assert!(fixture.plan(&text).set.patches.is_empty());
    // After the user's link is deleted, the next plan creates its own.
    fixture.change(json!([{"op": "unlink", "entity": "task_link", "fields": {"from_id": walls, "to_id": racks}}]));
    fixture.plan(&text);
    assert!(
        fixture
            .dependencies()
            .iter()
            .any(|(from, to)| from.starts_with("Install") && to.starts_with("Insulate"))
    );
}

#[test]
fn a_move_that_conflicts_with_a_user_link_is_omitted() {
    let fixture = PlanFixture::with(CELLAR);
    let (racks, stock) =
        (fixture.key("Install the racks for two hundred bottles"), fixture.key("Phase 2: Stock"));
    fixture.change(json!([{"op": "link", "entity": "task_link", "fields": {"from_id": stock, "to_id": racks}}]));
    let line = "- Install the racks for two hundred bottles (4 hours)\n";
    let preview =
        fixture.plan(&edited(line, "").replace("- Buy barrels", &format!("{line}- Buy barrels")));
    assert!(only(&preview, Mark::Kept).reason.as_ref().unwrap().contains("circle"));
    assert_eq!(
        fixture.task("Install the racks for two hundred bottles").parent_id,
        Some(fixture.task("Phase 1: Room").id)
    );
}

#[test]
fn a_task_moved_by_a_user_stays() {
    let fixture = PlanFixture::with(CELLAR);
    let (barrels, room) = (fixture.key("Buy barrels"), fixture.key("Phase 1: Room"));
    fixture.change(
        json!([{"op": "move", "entity": "task", "id": barrels, "fields": {"parent_id": room}}]),
    );
    assert!(fixture.plan(CELLAR).set.patches.is_empty());
    fixture.plan(&edited("Buy barrels (2 hours)", "Buy barrels (3 hours)"));
    let task = fixture.task("Buy barrels");
    assert_eq!(
        (task.parent_id, task.estimate_likely.unwrap().get()),
        (Some(fixture.task("Phase 1: Room").id), 180)
    );
    // Neither if the text moves it, nor if the text drops it.
    let preview = fixture.plan(
        &edited("- Buy barrels (2 hours)\n", "")
            .replace("### Phase 1", "- Buy barrels (3 hours)\n\n### Phase 1"),
    );
    assert_eq!(fixture.task("Buy barrels").parent_id, Some(fixture.task("Phase 1: Room").id));
    assert!(
        only(&preview, Mark::Kept).reason.as_ref().unwrap().contains("moved by hand"),
        "{:?}",
        rendered(&preview)
    );
}

#[test]
fn a_concurrent_change_is_a_conflict_and_is_not_overwritten() {
    let fixture = PlanFixture::with(CELLAR);
    let preview = fixture.preview(&PlanFixture::request(&edited("(1 day)", "(2 days)")));
    let hour = json!({"estimate_low": 1, "estimate_likely": 1, "estimate_high": 1});
    fixture.edit("Insulate the walls", hour);
    let before = fixture.substance();
    assert!(matches!(fixture.commit(&preview), Err(ServiceError::Conflicted { .. })));
    assert_eq!(fixture.substance(), before);
}

#[test]
fn a_concurrent_change_of_the_metadata_and_a_plan_do_not_meet() {
    let fixture = PlanFixture::with(CELLAR);
    let preview = fixture.preview(&PlanFixture::request(&edited("(1 day)", "(2 days)")));
    fixture.edit("Insulate the walls", json!({"metadata": {"mine": 1}}));
    fixture.commit(&preview).unwrap();
    let task = fixture.task("Insulate the walls");
    assert_eq!((task.metadata.0.len(), task.estimate_likely.unwrap().get()), (1, 960));
}

#[rstest]
#[case::status(json!({"status": "in_progress"}))]
#[case::priority(json!({"priority": "high"}))]
#[case::due_date(json!({"due_date": "2027-01-01"}))]
#[case::not_before(json!({"not_before": "2027-01-01"}))]
#[case::estimate_low(json!({"estimate_low": 60}))]
#[case::estimate_likely(json!({"estimate_likely": 130, "estimate_high": 130}))]
#[case::title(json!({"title": "Casks"}))]
#[case::metadata(json!({"metadata": {"mine": 1}}))]
fn a_task_that_is_edited_meanwhile_is_not_deleted(#[case] fields: Value) {
    // Alone, and with the phase above it, whose delete includes the task.
    let phase = CELLAR.find("### Phase 2").unwrap();
    for text in [&without_barrels(), &CELLAR[..phase]] {
        let fixture = PlanFixture::with(CELLAR);
        let preview = fixture.preview(&PlanFixture::request(text));
        assert!(preview.report.items.iter().any(|item| item.title == "Buy barrels"));
        let id = fixture.task("Buy barrels").id;
        fixture.edit("Buy barrels", fields.clone());
        let result = fixture.commit(&preview);
        assert!(matches!(result, Err(ServiceError::Conflicted { .. })), "{fields}: {result:?}");
        assert!(fixture.state().task(id).unwrap().is_live());
        // Planned again, the task stays because of the edit.
        fixture.plan(text);
        assert!(fixture.state().task(id).unwrap().is_live(), "{fields}");
    }
}

#[test]
fn a_task_deleted_by_a_user_is_not_recreated() {
    let fixture = PlanFixture::with(CELLAR);
    fixture.change(json!([{"op": "delete", "entity": "task", "id": fixture.key("Buy barrels")}]));
    let preview = fixture.plan(&edited("(1 day)", "(2 days)"));
    assert!(!fixture.has("Buy barrels"));
    assert!(only(&preview, Mark::Kept).reason.as_ref().unwrap().contains("was deleted by tester"));
    // An undone change does not count as a user's change.
    let fixture = PlanFixture::with(&edited("- Buy barrels (2 hours)\n", ""));
    fixture.plan(CELLAR);
    fixture.undo();
    assert!(!fixture.has("Buy barrels"));
    fixture.plan(CELLAR);
    assert!(fixture.has("Buy barrels"));
}

#[test]
fn an_owner_whose_name_looks_like_an_id_gets_a_valid_handle() {
    let fixture = PlanFixture::with(
        "# Shed\n\n- Build the walls (1 day) @ab92f0c12b3c7d4e8f50617283940516\n",
    );
    let state = fixture.state();
    let user = state.users().next().unwrap();
    assert_eq!(user.handle.as_str(), "user-ab92f0c12b3c7d4e8f50617283940516");
    assert_eq!(fixture.task("Build the walls").assignee_id, Some(user.id));
}
