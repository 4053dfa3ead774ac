//! The work of large sets grows with their size, not with its square.

use std::time::Duration;

use lakeplan::domain::id::{EntityId, ProjectId, TaskId};
use lakeplan::domain::patch::{Op, Patch, Placement};
use lakeplan::domain::record::Entity;
use serde_json::json;
use uuid::Uuid;

use super::World;
use crate::support::{full, patch_set};

fn task(number: usize) -> Uuid {
    Uuid::from_u128((0x0190_0000_0000_7000_u128 << 64) | (0x8000_0000_0000_0000 + number as u128))
}

fn project(world: &World) -> ProjectId {
    world.project().project().unwrap().id
}

fn create(project: ProjectId, number: usize) -> Patch {
    let patch =
        Patch::new(Op::Create, Entity::Task, task(number), Some(project)).with("title", "t");
    patch.with("project_id", project.to_string())
}

fn of_task(op: Op, project: ProjectId, number: usize) -> Patch {
    Patch::new(op, Entity::Task, task(number), Some(project))
}

/// A project with so many tasks: at the top, or below the first.
fn filled(count: usize, below: bool) -> World {
    let mut world = World::new();
    // Projects beside it, which no lookup should pass one by one.
    world
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
    let project = project(&world);
    let mut patches = vec![create(project, 0)];
    patches.extend((1..count).map(|number| match below {
        true => create(project, number).with("parent_id", task(0).to_string()),
        false => create(project, number),
    }));
    world.patches(patches).unwrap();
    world
}

/// The time that this thread was on a processor, which others on the machine do not lengthen.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn timed(run: impl FnOnce()) -> Duration {
    let (begun, clock) = (on_processor(), std::time::Instant::now());
    run();
    begun.zip(on_processor()).map_or_else(|| clock.elapsed(), |(begun, ended)| ended - begun)
}

/// The best of three, so that what else the machine does counts little.
fn best(run: impl Fn() -> Duration) -> Duration {
    (0..3).map(|_| run()).min().unwrap()
}

fn grows(name: &str, run: impl Fn(usize) -> Duration) {
    let (small, large) = if full() { (10_000, 90_000) } else { (1_000, 8_000) };
    let (short, long) = (best(|| run(small)), best(|| run(large)));
    let (times, ratio) = ((large / small) as f64, long.as_secs_f64() / short.as_secs_f64());
    eprintln!(
        "{name}: {small} in {short:?}, {large} in {long:?}, {ratio:.1} times as long for {times:.0} times as much"
    );
    assert!(ratio < times * 3.0, "{name}: {ratio:.1} times as long for {times:.0} times as much");
}

#[test]
fn deleting_and_taking_back_grows_with_the_number_of_tasks() {
    grows("delete a parent", |count| {
        let mut world = filled(count, true);
        let project = project(&world);
        timed(|| drop(world.patches(vec![of_task(Op::Delete, project, 0)]).unwrap()))
    });
    grows("delete one by one", |count| {
        let mut world = filled(count, false);
        let project = project(&world);
        timed(|| {
            drop(
                world
                    .patches(
                        (0..count).map(|number| of_task(Op::Delete, project, number)).collect(),
                    )
                    .unwrap(),
            )
        })
    });
    grows("delete a project", |count| {
        let mut world = filled(count, false);
        let project = project(&world);
        timed(|| {
            drop(
                world
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
    grows("undo creates", |count| {
        let mut world = filled(count, false);
        timed(|| drop(world.undo().unwrap()))
    });
    grows("undo deletes", |count| {
        let mut world = filled(count, false);
        let project = project(&world);
        world
            .patches((0..count).map(|number| of_task(Op::Delete, project, number)).collect())
            .unwrap();
        timed(|| drop(world.undo().unwrap()))
    });
}

#[test]
fn placing_linking_and_resolving_grow_with_the_number_of_patches() {
    grows("move to the first place", |count| {
        let mut world = filled(count, false);
        let project = project(&world);
        let moves = (0..count)
            .map(|number| of_task(Op::Move, project, number).placed(Placement::First))
            .collect();
        timed(|| drop(world.patches(moves).unwrap()))
    });
    grows("undo moves", |count| {
        let mut world = filled(count, false);
        let project = project(&world);
        world
            .patches(
                (0..count)
                    .map(|number| of_task(Op::Move, project, number).placed(Placement::First))
                    .collect(),
            )
            .unwrap();
        timed(|| drop(lakeplan::domain::invert::invert(world.past.last().unwrap(), &world.state)))
    });
    grows("link to one task", |count| {
        let mut world = filled(count, false);
        let project = project(&world);
        let link = |number: usize| {
            let patch =
                Patch::new(Op::Link, Entity::TaskLink, task(1 << 40 | number), Some(project))
                    .with("kind", "relates");
            patch.with("from_id", task(0).to_string()).with("to_id", task(number).to_string())
        };
        timed(|| drop(world.patches((1..count).map(link).collect()).unwrap()))
    });
    grows("resolve", |count| {
        let mut world = filled(count, false);
        world.apply(json!([{"op": "create", "entity": "project", "fields": {"name": "Other", "key": "OTH"}}]));
        let delete = |number: usize| json!({"op": "delete", "entity": "task", "id": format!("PAY-{}", number + 1)});
        let create = |number: usize| json!({"op": "create", "entity": "task", "id": format!("$t{number}"), "fields": {"title": "n", "project_id": "Other"}});
        let link = |number: usize| json!({"op": "link", "entity": "task_link", "fields": {"from_id": format!("$t{number}"), "to_id": TaskId::of(task(number)).to_string(), "kind": "relates"}});
        let patches = (0..count / 3)
            .flat_map(|number| [delete(number), create(number), link(number)])
            .collect();
        timed(|| drop(patch_set(&world.state, patches).unwrap()))
    });
}

#[test]
fn many_moves_to_one_place_renumber_few_siblings_and_are_taken_back_one_for_one() {
    let count = 3_000;
    for place in [
        Placement::First,
        Placement::After(TaskId::of(task(0))),
        Placement::Before(TaskId::of(task(9))),
    ] {
        let mut world = filled(count, false);
        let (project, outline) = (project(&world), world.outline());
        let moved = (10..count).map(|number| of_task(Op::Move, project, number).placed(place));
        let changes = world.patches(moved.collect()).unwrap().len();
        assert!(changes < 16 * count, "{place:?}: {changes} changes");
        let undone = world.undo().unwrap().len();
        assert!(undone <= changes + changes / 100, "{place:?}: {undone} to undo {changes}");
        assert_eq!(world.outline(), outline, "{place:?}");
    }
}
