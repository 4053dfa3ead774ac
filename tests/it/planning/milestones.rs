//! Milestones of a description in a plan and in a re-plan.

use serde_json::json;

use super::PlanFixture;

const TEXT: &str = "# App

## Tasks

- Write the app (2 days)

## Milestones

- 2027-03-01 Beta for friends
- 2027-04-01 Public launch
";

impl PlanFixture {
    /// Returns the kind, due date and likely estimate of a task.
    fn kind_of(&self, title: &str) -> (String, Option<String>, Option<u32>) {
        let task = self.task(title);
        let due = task.due_date.map(|day| day.to_string());
        (task.kind.to_string(), due, task.estimate_likely.map(|minutes| minutes.get()))
    }
}

fn milestone(due: &str) -> (String, Option<String>, Option<u32>) {
    ("milestone".to_owned(), Some(due.to_owned()), None)
}

#[test]
fn a_plan_creates_milestones_at_their_dates() {
    let fixture = PlanFixture::with(TEXT);
    assert_eq!(fixture.kind_of("Beta for friends"), milestone("2027-03-01"));
    assert_eq!(fixture.kind_of("Public launch"), milestone("2027-04-01"));
    assert_eq!(fixture.kind_of("Write the app"), ("task".to_owned(), None, Some(960)));
    let seq = fixture.seq();
    fixture.plan(TEXT);
    assert_eq!(fixture.seq(), seq, "the same text changes nothing");
}

#[test]
fn a_replan_changes_the_kind_in_both_directions() {
    let fixture = PlanFixture::with(TEXT);
    let as_work = TEXT.replace("2027-03-01 Beta for friends", "Beta for friends (1 day)");
    fixture.plan(&as_work);
    assert_eq!(fixture.kind_of("Beta for friends"), ("task".to_owned(), None, Some(480)));
    fixture.plan(TEXT);
    assert_eq!(fixture.kind_of("Beta for friends"), milestone("2027-03-01"));
}

#[test]
fn a_replan_keeps_what_a_person_made_of_a_milestone() {
    let fixture = PlanFixture::with(TEXT);
    fixture.edit("Beta for friends", json!({"kind": "task", "estimate_likely": 60}));
    fixture.plan(&TEXT.replace("(2 days)", "(3 days)"));
    let (kind, _, estimate) = fixture.kind_of("Beta for friends");
    assert_eq!((kind.as_str(), estimate), ("task", Some(60)));
}

#[test]
fn a_task_with_subtasks_of_a_person_stays_a_task() {
    let as_work = TEXT.replace("2027-03-01 Beta for friends", "Beta for friends (1 day)");
    let fixture = PlanFixture::with(&as_work);
    let key = fixture.key("Beta for friends");
    let project = key.split('-').next().unwrap().to_owned();
    let fields = json!({"project_id": project, "title": "Invite them", "parent_id": key});
    fixture.change(json!([{"op": "create", "entity": "task", "fields": fields}]));
    fixture.plan(TEXT);
    assert_eq!(fixture.kind_of("Beta for friends").0, "task");
}
