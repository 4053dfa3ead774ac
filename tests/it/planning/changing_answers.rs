//! Re-plans with a planner that never gives the same answer twice, like a language model. Only the
//! stored merge base tells what the last plan set.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lakeplan::domain::state::ProjectState;
use lakeplan::domain::time::Minutes;
use lakeplan::planning::outline::outline;
use lakeplan::planning::plan::Plan;
use lakeplan::planning::planner::{Options, Planner, PlannerError};
use lakeplan::planning::replan::report::Mark;
use lakeplan::planning::unverified::Unverified;
use serde_json::json;

use super::replanning::{CELLAR, edited};
use super::{PlanFixture, only, rendered};

/// A planner whose nth answer states n hours for every row, and which records the texts that it is
/// asked for.
#[derive(Debug, Default)]
struct ChangingPlanner {
    texts: Mutex<Vec<String>>,
}

#[async_trait]
impl Planner for ChangingPlanner {
    fn name(&self) -> &str {
        "changing"
    }

    fn model(&self) -> &str {
        "changing"
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    async fn plan(&self, text: &str, options: Options) -> Result<Unverified<Plan>, PlannerError> {
        let mut texts = self.texts.lock().unwrap();
        texts.push(text.to_owned());
        let mut plan = outline(text, options);
        let hours = Minutes::new(60 * u32::try_from(texts.len()).unwrap());
        for node in &mut plan.nodes {
            let range = &mut node.estimate.range;
            (range.low, range.likely, range.high) = (hours, hours, hours);
            node.estimate.basis = None;
        }
        Ok(Unverified::new(plan))
    }
}

/// Returns a lake with the text planned, and its planner.
fn planned(text: &str) -> (PlanFixture, Arc<ChangingPlanner>) {
    let (mut fixture, planner) = (PlanFixture::new(), Arc::new(ChangingPlanner::default()));
    fixture.service.planner = Arc::clone(&planner) as Arc<dyn Planner>;
    fixture.plan(text);
    (fixture, planner)
}

fn hours(fixture: &PlanFixture, title: &str) -> u32 {
    fixture.task(title).estimate_likely.unwrap().get() / 60
}

#[test]
fn a_replan_keeps_edits_moves_its_own_values_and_asks_only_for_the_new_text() {
    let (fixture, planner) = planned(CELLAR);
    fixture.edit(
        "Insulate the walls",
        json!({"estimate_low": 420, "estimate_likely": 420, "estimate_high": 420}),
    );
    fixture.edit("Buy barrels", json!({"metadata": {"mine": 1}, "priority": "high"}));
    fixture.change(json!([{"op": "delete", "entity": "task", "id": fixture.key("Fill bottles")}]));
    let text = edited("- Install the racks for two hundred bottles (4 hours)\n", "- Sweep\n");
    let preview = fixture.plan(&text);
    assert_eq!(*planner.texts.lock().unwrap(), [CELLAR, &text]);
    assert_eq!(hours(&fixture, "Insulate the walls"), 7, "the edit is lost");
    assert_eq!(hours(&fixture, "Dig the vault"), 2, "the plan's own value did not follow");
    assert_eq!(hours(&fixture, "Buy barrels"), 2, "another field was edited");
    assert_eq!(fixture.task("Buy barrels").metadata.0["mine"], 1);
    assert!(!fixture.has("Fill bottles"), "the task that a person deleted was created again");
    assert!(!fixture.has("Install the racks for two hundred bottles") && fixture.has("Sweep"));
    let kept: Vec<String> = rendered(&preview)
        .into_iter()
        .filter(|(mark, _)| *mark == Mark::Kept)
        .map(|(_, title)| title)
        .collect();
    assert_eq!(kept, ["Insulate the walls", "Fill bottles"]);

    // What the second plan removed comes back as new, and what a person deleted still does not.
    let removed = fixture.state();
    let removed = removed.projects().flat_map(ProjectState::tasks);
    let removed = removed.filter(|task| task.title.as_str().starts_with("Install")).count();
    assert_eq!(removed, 1);
    fixture.plan(CELLAR);
    assert_eq!(planner.texts.lock().unwrap().len(), 3);
    assert_eq!(hours(&fixture, "Install the racks for two hundred bottles"), 3);
    assert_eq!(hours(&fixture, "Insulate the walls"), 7);
    assert!(!fixture.has("Fill bottles") && !fixture.has("Sweep"));
}

#[test]
fn a_statement_that_left_and_returns_gets_a_new_task() {
    let (fixture, _) = planned(CELLAR);
    let without = edited("- Fill bottles, depends on the barrels\n", "");
    fixture.change(json!([{"op": "delete", "entity": "task", "id": fixture.key("Fill bottles")}]));
    fixture.plan(&without);
    fixture.plan(CELLAR);
    assert!(fixture.has("Fill bottles"), "the description stopped stating the deleted task");
}

#[test]
fn an_undone_plan_creates_its_tasks_and_requirements_again() {
    let text = edited("- Fill bottles", "- Paint the label (1 hour)\n- Fill bottles")
        .replace("- Every bottle", "- The vault must stay cold.\n- Every bottle");
    let (fixture, planner) = planned(CELLAR);
    fixture.plan(&text);
    fixture.undo();
    assert!(!fixture.has("Paint the label"));
    let undone = fixture.state();
    let left = undone.projects().flat_map(ProjectState::tasks);
    let left: Vec<_> = left.filter(|task| !task.is_live() && task.plan_base.is_some()).collect();
    assert!(left.is_empty(), "an undone creation is remembered: {left:?}");
    fixture.plan(&text);
    assert_eq!(planner.texts.lock().unwrap().len(), 3);
    assert_eq!(hours(&fixture, "Paint the label"), 3);
    let state = fixture.state();
    let requirements = state.projects().flat_map(ProjectState::requirements);
    let cold = requirements
        .filter(|known| known.deleted_at.is_none() && known.text.as_str().contains("cold"));
    assert_eq!(cold.count(), 1);
    // The undo of an undo restores the memory too.
    fixture.undo();
    let seq = fixture.seq();
    fixture.undo_seq(seq);
    assert!(fixture.has("Paint the label"));
    assert!(fixture.task("Paint the label").plan_base.is_some());
}

#[test]
fn requirements_follow_the_text_until_a_person_edits_them() {
    let (fixture, planner) = planned(CELLAR);
    let text_of = |label: &str| {
        let state = fixture.state();
        let mut found = state.projects().flat_map(ProjectState::requirements);
        let found = found.find(|known| known.label.as_str() == label).unwrap();
        (found.text.to_string(), found.deleted_at.is_none())
    };
    let id = |label: &str| {
        let state = fixture.state();
        let mut found = state.projects().flat_map(ProjectState::requirements);
        found.find(|known| known.label.as_str() == label).unwrap().id
    };
    let edit = json!({"text": "Every bottle must have a printed label and a cork"});
    let label = id("R2").to_string();
    fixture.change(json!([{"op": "update", "entity": "requirement", "id": label, "fields": edit}]));
    let text = edited("must hold two hundred bottles.", "must hold three hundred bottles.")
        .replace("a printed label.", "a printed paper label.");
    let preview = fixture.plan(&text);
    assert!(text_of("R1").0.contains("three hundred"), "{:?}", text_of("R1"));
    assert!(text_of("R2").0.ends_with("and a cork"), "{:?}", text_of("R2"));
    assert!(only(&preview, Mark::Kept).title.starts_with("R2"));
    // Without their statements, the planned one goes and the edited one stays.
    let at = (text.find("## Requirements").unwrap(), text.find("## Plan").unwrap());
    fixture.plan(&format!("{}{}", &text[..at.0], &text[at.1..]));
    assert!(!text_of("R1").1 && text_of("R2").1);
    assert_eq!(planner.texts.lock().unwrap().len(), 3);
    // A statement that returns is a new requirement.
    fixture.plan(&text);
    assert!(!text_of("R1").1 && text_of("R3").0.contains("three hundred"));
}
