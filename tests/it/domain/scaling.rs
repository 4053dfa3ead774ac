//! The work of large sets grows linearly with their size.

use std::time::Duration;

use lakeplan::domain::id::{EntityId, ProjectId, TaskId};
use lakeplan::domain::patch::{Op, Patch, Placement};
use lakeplan::domain::record::Entity;
use rstest::rstest;
use serde_json::json;
use uuid::Uuid;

use super::Fixture;
use crate::support::{full, patch_set};

fn task(number: usize) -> Uuid {
    Uuid::from_u128((0x0190_0000_0000_7000_u128 << 64) | (0x8000_0000_0000_0000 + number as u128))
}

fn project(fixture: &Fixture) -> ProjectId {
    fixture.project().project().unwrap().id
}

fn create(project: ProjectId, number: usize) -> Patch {
    let patch =
        Patch::new(Op::Create, Entity::Task, task(number), Some(project)).with("title", "t");
    patch.with("project_id", project.to_string())
}

fn of_task(op: Op, project: ProjectId, number: usize) -> Patch {
    Patch::new(op, Entity::Task, task(number), Some(project))
}

/// Returns a project with this number of tasks, at the top level or below the first task.
fn fixture_with(count: usize, below: bool) -> Fixture {
    let mut fixture = Fixture::new();
    // Other projects, which no lookup should scan one by one.
    fixture
        .patches(
            (0..50)
                .map(|n| {
                    Patch::new(
                        Op::Create,
                        Entity::Project,
                        task(1 << 30 | n),
                        Some(ProjectId::of(task(1 << 30 | n))),
                    )
                    .with("name", format!("p{n}"))
                })
                .collect(),
        )
        .unwrap();
    let project = project(&fixture);
    let mut patches = vec![create(project, 0)];
    patches.extend((1..count).map(|number| match below {
        true => create(project, number).with("parent_id", task(0).to_string()),
        false => create(project, number),
    }));
    fixture.patches(patches).unwrap();
    fixture
}

/// Returns the CPU time of this thread, which other load on the machine does not affect.
fn thread_cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn timed(run: impl FnOnce()) -> Duration {
    let (started, clock) = (thread_cpu_time(), std::time::Instant::now());
    run();
    started
        .zip(thread_cpu_time())
        .map_or_else(|| clock.elapsed(), |(started, ended)| ended - started)
}

/// Returns the best of three runs, so that other load on the machine has little effect.
fn best(run: impl Fn() -> Duration) -> Duration {
    (0..3).map(|_| run()).min().unwrap()
}

fn assert_scales(name: &str, run: impl Fn(usize) -> Duration) {
    let (small, large) = if full() { (10_000, 90_000) } else { (1_000, 8_000) };
    let (short, long) = (best(|| run(small)), best(|| run(large)));
    let (times, ratio) = ((large / small) as f64, long.as_secs_f64() / short.as_secs_f64());
    eprintln!(
        "{name}: {small} in {short:?}, {large} in {long:?}: {ratio:.1} times as long for {times:.0} times as much"
    );
    assert!(ratio < times * 3.0, "{name}: {ratio:.1} times as long for {times:.0} times as much");
}

#[test]
fn delete_and_undo_scale_linearly_with_tasks() {
    assert_scales("delete a parent", |count| {
        let mut fixture = fixture_with(count, true);
        let project = project(&fixture);
        timed(|| drop(fixture.patches(vec![of_task(Op::Delete, project, 0)]).unwrap()))
    });
    assert_scales("delete one by one", |count| {
        let mut fixture = fixture_with(count, false);
        let project = project(&fixture);
        timed(|| {
            drop(
                fixture
                    .patches(
                        (0..count).map(|number| of_task(Op::Delete, project, number)).collect(),
                    )
                    .unwrap(),
            )
        })
    });
    assert_scales("delete a project", |count| {
        let mut fixture = fixture_with(count, false);
        let project = project(&fixture);
        timed(|| {
            drop(
                fixture
                    .patches(vec![Patch::new(
                        Op::Delete,
                        Entity::Project,
                        project.uuid(),
                        Some(project),
                    )])
                    .unwrap(),
            )
        })
    });
    assert_scales("undo creates", |count| {
        let mut fixture = fixture_with(count, false);
        timed(|| drop(fixture.undo().unwrap()))
    });
    assert_scales("undo deletes", |count| {
        let mut fixture = fixture_with(count, false);
        let project = project(&fixture);
        fixture
            .patches((0..count).map(|number| of_task(Op::Delete, project, number)).collect())
            .unwrap();
        timed(|| drop(fixture.undo().unwrap()))
    });
}

#[test]
fn placing_linking_and_resolving_scale_linearly_with_patches() {
    assert_scales("move to the first place", |count| {
        let mut fixture = fixture_with(count, false);
        let project = project(&fixture);
        let moves = (0..count)
            .map(|number| of_task(Op::Move, project, number).placed(Placement::First))
            .collect();
        timed(|| drop(fixture.patches(moves).unwrap()))
    });
    assert_scales("undo moves", |count| {
        let mut fixture = fixture_with(count, false);
        let project = project(&fixture);
        fixture
            .patches(
                (0..count)
                    .map(|number| of_task(Op::Move, project, number).placed(Placement::First))
                    .collect(),
            )
            .unwrap();
        timed(|| {
            drop(lakeplan::domain::invert::invert(fixture.applied.last().unwrap(), &fixture.state))
        })
    });
    assert_scales("link to one task", |count| {
        let mut fixture = fixture_with(count, false);
        let project = project(&fixture);
        let link = |number: usize| {
            let patch =
                Patch::new(Op::Link, Entity::TaskLink, task(1 << 40 | number), Some(project))
                    .with("kind", "relates");
            patch.with("from_id", task(0).to_string()).with("to_id", task(number).to_string())
        };
        timed(|| drop(fixture.patches((1..count).map(link).collect()).unwrap()))
    });
    assert_scales("resolve", |count| {
        let mut fixture = fixture_with(count, false);
        fixture.apply(json!([{"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}}]));
        let delete = |number: usize| json!({"op": "delete", "entity": "task", "id": format!("PAY-{}", number + 1)});
        let create = |number: usize| json!({"op": "create", "entity": "task", "id": format!("$t{number}"), "fields": {"title": "n", "project_id": "Other"}});
        let link = |number: usize| json!({"op": "link", "entity": "task_link", "fields": {"from_id": format!("$t{number}"), "to_id": TaskId::of(task(number)).to_string(), "kind": "relates"}});
        let patches = (0..count / 3)
            .flat_map(|number| [delete(number), create(number), link(number)])
            .collect();
        timed(|| drop(patch_set(&fixture.state, patches).unwrap()))
    });
}

#[rstest]
#[case::first(Placement::First)]
#[case::after_a_sibling(Placement::After(TaskId::of(task(0))))]
#[case::before_a_sibling(Placement::Before(TaskId::of(task(9))))]
fn many_moves_to_one_place_renumber_few_siblings_and_undo_exactly(#[case] place: Placement) {
    let count = 3_000;
    let mut fixture = fixture_with(count, false);
    let (project, outline) = (project(&fixture), fixture.outline());
    let moved = (10..count).map(|number| of_task(Op::Move, project, number).placed(place));
    let changes = fixture.patches(moved.collect()).unwrap().len();
    assert!(changes < 16 * count, "{place:?}: {changes} changes");
    let undone = fixture.undo().unwrap().len();
    assert!(undone <= changes + changes / 100, "{place:?}: {undone} changes to undo {changes}");
    assert_eq!(fixture.outline(), outline, "{place:?}");
}
