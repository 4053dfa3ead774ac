//! The first plan and the following ones, with one change of the text at a time.

use lakeplan::domain::id::{EntityId, PatchSetId};
use lakeplan::domain::state::ProjectState;
use lakeplan::planning::replan::report::Mark;
use lakeplan::service::plan::PlanRequest;
use rstest::rstest;
use serde_json::json;

use super::{PlanFixture, only, rendered};

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

/// Returns the text with one change.
pub fn edited(from: &str, to: &str) -> String {
    assert_eq!(CELLAR.matches(from).count(), 1, "{from:?} must occur once in the text");
    CELLAR.replace(from, to)
}

#[test]
fn the_first_plan_creates_everything_in_one_set() {
    let fixture = PlanFixture::with(CELLAR);
    assert_eq!(
        fixture.outline(),
        "Phase 1: Room\n.Dig the vault\n.Insulate the walls\n.Install the racks for two hundred bottles\n\
         Phase 2: Stock\n.Buy barrels\n.Fill bottles"
    );
    let state = fixture.state();
    let project = state.projects().next().unwrap();
    assert_eq!(project.project().unwrap().description.as_ref().unwrap().as_str(), CELLAR);
    assert_eq!(project.project().unwrap().source.as_ref().unwrap().as_str(), "plan.md");
    let vault = fixture.task("Dig the vault");
    assert_eq!((vault.source_line, vault.estimate_likely.unwrap().get()), (Some(12), 960));
    assert_eq!(state.user(vault.assignee_id.unwrap()).unwrap().handle.as_str(), "ana");
    assert!(
        fixture
            .dependencies()
            .contains(&("Insulate the walls".to_owned(), "Dig the vault".to_owned()))
    );
    let mut labels: Vec<&str> =
        project.requirements().map(|requirement| requirement.label.as_str()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["R1", "R2"]);
    let racks = fixture.task("Install the racks for two hundred bottles");
    assert_eq!(project.coverage_of(racks.id.uuid()).count(), 1);
}

#[test]
fn the_same_text_again_changes_nothing() {
    let fixture = PlanFixture::with(CELLAR);
    let before = fixture.substance();
    let preview = fixture.plan(CELLAR);
    assert!(preview.set.patches.is_empty(), "{:?}", preview.set.patches);
    assert!(rendered(&preview).is_empty());
    assert_eq!(fixture.substance(), before);
}

#[test]
fn a_changed_title_keeps_the_task() {
    let fixture = PlanFixture::with(CELLAR);
    let before = fixture.task("Buy barrels");
    let preview = fixture.plan(&edited("Buy barrels", "Buy oak barrels"));
    let after = fixture.task("Buy oak barrels");
    assert_eq!((after.id, after.key), (before.id, before.key));
    let change = &only(&preview, Mark::Changed).changes;
    assert_eq!(change.len(), 1);
    assert_eq!(
        (change[0].from.as_str(), change[0].to.as_str()),
        (Some("Buy barrels"), Some("Buy oak barrels"))
    );
}

#[test]
fn a_changed_estimate_is_the_only_change() {
    let fixture = PlanFixture::with(CELLAR);
    let preview = fixture.plan(&edited("(1 day)", "(2 days)"));
    assert_eq!(rendered(&preview), [(Mark::Changed, "Insulate the walls".to_owned())]);
    assert_eq!(fixture.task("Insulate the walls").estimate_likely.unwrap().get(), 960);
}

#[test]
fn a_renamed_parent_keeps_its_id_and_its_children() {
    let fixture = PlanFixture::with(CELLAR);
    let (phase, racks) =
        (fixture.task("Phase 1: Room"), fixture.task("Install the racks for two hundred bottles"));
    fixture.plan(&edited("### Phase 1: Room", "### Phase 1: Underground chamber"));
    assert_eq!(fixture.task("Phase 1: Underground chamber").id, phase.id);
    let after = fixture.task("Install the racks for two hundred bottles");
    assert_eq!((after.id, after.parent_id), (racks.id, Some(phase.id)));
}

#[test]
fn a_moved_statement_moves_its_task() {
    let fixture = PlanFixture::with(CELLAR);
    let racks = fixture.task("Install the racks for two hundred bottles");
    let line = "- Install the racks for two hundred bottles (4 hours)\n";
    let text = edited(line, "").replace("- Buy barrels", &format!("{line}- Buy barrels"));
    let preview = fixture.plan(&text);
    assert_eq!(rendered(&preview), [(Mark::Moved, racks.title.to_string())]);
    let moved = fixture.task("Install the racks for two hundred bottles");
    assert_eq!((moved.id, moved.parent_id), (racks.id, Some(fixture.task("Phase 2: Stock").id)));
    assert!(
        fixture
            .outline()
            .contains("Phase 2: Stock\n.Install the racks for two hundred bottles\n.Buy barrels")
    );
    assert!(fixture.plan(&text).set.patches.is_empty());
}

#[test]
fn swapped_statements_change_only_the_order() {
    let fixture = PlanFixture::with(CELLAR);
    let id = fixture.task("Dig the vault").id;
    let first = "- Dig the vault (2 days) @ana\n";
    let last = "- Install the racks for two hundred bottles (4 hours)\n";
    let preview = fixture.plan(&edited(first, "").replace(last, &format!("{last}{first}")));
    assert_eq!(rendered(&preview), [(Mark::Moved, "Dig the vault".to_owned())]);
    assert!(
        fixture
            .outline()
            .contains(".Install the racks for two hundred bottles\n.Dig the vault\nPhase 2")
    );
    assert_eq!(fixture.task("Dig the vault").id, id);
}

#[test]
fn dependencies_follow_the_text() {
    let fixture = PlanFixture::with(CELLAR);
    let text = edited("bottles (4 hours)", "bottles (4 hours), depends on \"Insulate the walls\"");
    fixture.plan(&text);
    let pair =
        ("Install the racks for two hundred bottles".to_owned(), "Insulate the walls".to_owned());
    assert!(fixture.dependencies().contains(&pair), "{:?}", fixture.dependencies());
    let preview = fixture.plan(CELLAR);
    assert!(!fixture.dependencies().contains(&pair));
    assert_eq!(
        only(&preview, Mark::Gone).title,
        "\"Install the racks for two hundred bottles\" waits for \"Insulate the walls\""
    );
}

#[test]
fn new_statements_are_inserted_in_text_order() {
    let fixture = PlanFixture::with(CELLAR);
    fixture.plan(
        &edited("- Buy barrels", "- Rent a cart\n- Buy barrels")
            .replace("- Fill bottles", "- Wash bottles\n- Fill bottles"),
    );
    assert!(
        fixture
            .outline()
            .ends_with("Phase 2: Stock\n.Rent a cart\n.Buy barrels\n.Wash bottles\n.Fill bottles"),
        "{}",
        fixture.outline()
    );
}

#[test]
fn requirements_follow_the_text_and_keep_their_labels() {
    let fixture = PlanFixture::with(CELLAR);
    let text = edited(
        "- The racks must hold two hundred bottles.",
        "- The room must stay below fourteen degrees.\n- The racks must hold two hundred wine bottles.",
    );
    fixture.plan(&text);
    let stated = |fixture: &PlanFixture| -> Vec<String> {
        let state = fixture.state();
        let all = state
            .projects()
            .flat_map(ProjectState::requirements)
            .filter(|known| known.deleted_at.is_none());
        let mut stated: Vec<String> =
            all.map(|known| format!("{} {}", known.label, known.text)).collect();
        stated.sort();
        stated
    };
    assert_eq!(
        stated(&fixture),
        [
            "R1 The racks must hold two hundred wine bottles",
            "R2 Every bottle must have a printed label",
            "R3 The room must stay below fourteen degrees"
        ]
    );
    fixture.plan(&text.replace("- Every bottle must have a printed label.\n", ""));
    assert_eq!(stated(&fixture).len(), 2);
    fixture.plan(CELLAR);
    assert!(
        stated(&fixture).contains(&"R4 Every bottle must have a printed label".to_owned()),
        "{:?}",
        stated(&fixture)
    );
}

#[test]
fn a_plan_is_undone_as_one_set() {
    let fixture = PlanFixture::with(CELLAR);
    let before = fixture.substance();
    let text = edited("Buy barrels (2 hours)", "Buy oak barrels (4 hours)")
        .replace("- Insulate the walls (1 day), depends on the vault\n", "")
        .replace("## Plan", "## Plan\n\n### Phase 0: Permits\n\n- Ask the neighbours\n");
    let preview = fixture.plan(&text);
    assert!(preview.report.items.len() > 3);
    fixture.undo();
    assert_eq!(fixture.substance(), before);
    fixture.plan(&text);
    fixture.plan(CELLAR);
    assert_eq!(fixture.outline(), PlanFixture::with(CELLAR).outline());
}

#[test]
fn a_description_is_planned_into_an_existing_project() {
    let fixture = PlanFixture::new();
    fixture.change(
        json!([{"op": "create", "entity": "project", "fields": {"name": "House", "key": "HOUSE"}}]),
    );
    fixture.change(json!([{"op": "create", "entity": "task", "fields": {"project_id": "HOUSE", "title": "Paint the door"}}]));
    let request = PlanRequest { project: Some("house".to_owned()), ..PlanFixture::request(CELLAR) };
    fixture.try_plan(&request).unwrap();
    assert!(
        fixture.outline().starts_with("Phase 1: Room")
            && fixture.outline().ends_with("Paint the door"),
        "{}",
        fixture.outline()
    );
    assert_eq!(fixture.key("Paint the door"), "HOUSE-1");
    assert_eq!(
        fixture.state().projects().next().unwrap().project().unwrap().name.as_str(),
        "House"
    );
    assert!(fixture.plan(CELLAR).set.patches.is_empty());
}

#[test]
fn the_same_id_is_planned_once() {
    let fixture = PlanFixture::new();
    let id: PatchSetId = crate::support::set_id();
    let request = PlanRequest { id: Some(id), ..PlanFixture::request(CELLAR) };
    fixture.try_plan(&request).unwrap();
    let before = fixture.substance();
    fixture.try_plan(&request).unwrap();
    assert_eq!(fixture.substance(), before);
    let other = PlanRequest { text: edited("(1 day)", "(2 days)"), ..request };
    let err = fixture.try_plan(&other).unwrap_err();
    assert!(format!("{err:?}").contains("different content"), "{err:?}");
}

#[rstest]
#[case::not_utf8(b"# a\n\xff".to_vec(), "line 2 is not UTF-8")]
#[case::a_nul_character(b"# a\nb\0".to_vec(), "line 2 holds a NUL")]
#[case::too_large(vec![b'a'; (1 << 20) + (1 << 19)], "is 1.5 MiB")]
#[case::empty(b" \n\n".to_vec(), "is empty")]
fn invalid_input_is_reported_with_location_and_hint(
    #[case] bytes: Vec<u8>,
    #[case] expected: &str,
) {
    let err = PlanRequest::read("prd.md", bytes).unwrap_err();
    assert!(err.to_string().starts_with("prd.md: ") && err.to_string().contains(expected), "{err}");
    assert!(err.hint().is_some());
}

#[test]
fn a_range_with_two_units_is_planned() {
    let fixture = PlanFixture::with(
        "# Shed\n\n- Write it (1 day to 5 minutes)\n- Check it (2 days - 3 hours)\n- Build it (3 hours to 1 day)\n",
    );
    let range = |title: &str| {
        let task = fixture.task(title);
        [task.estimate_low, task.estimate_likely, task.estimate_high]
            .map(|minutes| minutes.unwrap().get())
    };
    assert_eq!(range("Write it"), [5, 243, 480]);
    assert_eq!(range("Check it"), [180, 570, 960]);
    assert_eq!(range("Build it"), [180, 330, 480]);
}
