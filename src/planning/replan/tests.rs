//! The results of the steps between a plan and its patches.

use uuid::Uuid;

use super::context::{Context, Description};
use super::desired::removed::Resolution;
use super::desired::rows::RowTask;
use super::diff::Change;
use super::report::Mark;
use super::{base_storage, desired, diff, matching, patches, replan};
use crate::domain::apply::apply;
use crate::domain::id::{EntityId, PatchSetId};
use crate::domain::patch::{Op, PatchSet, Source};
use crate::domain::record::Entity;
use crate::domain::state::{ProjectState, State};
use crate::domain::time::Instant;
use crate::domain::value::Name;
use crate::planning::outline::outline;
use crate::planning::planner::Options;
use crate::planning::unverified::Unverified;
use crate::planning::valid_plan::ValidPlan;

const BEFORE: &str = "# Shed\n\n## Tasks\n\n- Lay the floor\n- Build the walls (depends on Lay the floor)\n- Hang the door\n";

fn plan(text: &str) -> ValidPlan {
    let plan = Unverified::new(outline(text, Options::default()));
    ValidPlan::check(plan, text, Options::default()).unwrap()
}

fn set(number: u128) -> PatchSetId {
    PatchSetId::of(Uuid::from_u128(number))
}

/// Returns a state in which the text before the change is planned.
fn planned() -> State {
    let (plan, source) = (plan(BEFORE), Name::new("shed.md").unwrap());
    let input = Description { source: &source, text: BEFORE, plan: &plan, name: None };
    let mut state = State::default();
    let made = replan(&state, None, input, None, set(1));
    let set = PatchSet {
        id: set(1),
        request_hash: [0; 32],
        actor: Name::new("ana").unwrap(),
        source: Source::Plan,
        reason: None,
        patches: made.patches,
        also: vec![made.project],
    };
    let _ = apply(&mut state, &set, Instant::UNIX_EPOCH).unwrap();
    state
}

#[test]
fn each_step_has_a_result_that_can_be_inspected() {
    let state = planned();
    let project = state.projects().next();
    let text = "# Shed\n\n## Tasks\n\n- Lay the floor\n- Paint everything\n- Hang the door twice\n";
    let (new, source) = (plan(text), Name::new("shed.md").unwrap());
    let input = Description { source: &source, text, plan: &new, name: None };
    let context = Context::new(&state, project, input, set(2));
    let task = |number| project.unwrap().task_by_number(number).unwrap().id;
    assert_eq!(Some(context.id), project.and_then(ProjectState::project).map(|found| found.id));

    let base = base_storage::read(project, None);
    assert_eq!(base.title.as_deref(), Some("Shed"));
    assert_eq!(base.tasks[&task(2)].after, [task(1)]);
    let matched = matching::matched(&context, &base);
    assert_eq!(matched.of_row, [Some(0), None, Some(2)]);

    let desired = desired::desired(&context, &matched);
    let rows: Vec<RowTask> = desired.rows.iter().collect();
    let paint = context.new_task("T2");
    let expected = [RowTask::Existing(task(1)), RowTask::New(paint), RowTask::Existing(task(3))];
    assert_eq!(rows, expected);
    let removed = &desired.removed.tasks;
    assert_eq!(removed.len(), 1);
    assert_eq!((removed[0].task, &removed[0].resolution), (task(2), &Resolution::Deleted));
    assert!(desired.links.missing.is_empty() && desired.moves.made.is_empty());

    let diff = diff::diff(&context, &base, &matched, &desired);
    let of_tasks = |change: &&Change| match change {
        Change::Create { entity, .. }
        | Change::Update { entity, .. }
        | Change::Delete { entity, .. } => *entity == Entity::Task,
        _ => true,
    };
    let changes: Vec<&Change> = diff.changes.iter().filter(of_tasks).collect();
    assert_eq!(changes.len(), 4, "{changes:?}");
    assert!(matches!(changes[0], Change::Create { id, .. } if *id == paint.uuid()));
    assert!(changes[1].sets("title") && changes[1].sets("plan_base"), "{:?}", changes[1]);
    assert!(matches!(changes[2], Change::Update { id, .. } if *id == task(2).uuid()));
    assert!(matches!(changes[3], Change::Delete { id, .. } if *id == task(2).uuid()));
    assert_eq!(diff.report.count(Mark::Gone, Entity::Task), 1);

    let ops: Vec<Op> =
        patches::patches(&diff.changes, context.id).iter().map(|patch| patch.op).collect();
    assert_eq!(ops, [Op::Update, Op::Create, Op::Update, Op::Update, Op::Delete]);
}

#[test]
fn an_unchanged_text_gives_an_empty_diff() {
    let state = planned();
    let project = state.projects().next();
    let (plan, source) = (plan(BEFORE), Name::new("shed.md").unwrap());
    let input = Description { source: &source, text: BEFORE, plan: &plan, name: None };
    let context = Context::new(&state, project, input, set(2));
    let base = base_storage::read(project, None);
    let matched = matching::matched(&context, &base);
    let desired = desired::desired(&context, &matched);
    let diff = diff::diff(&context, &base, &matched, &desired);
    assert_eq!(diff.changes, []);
    assert!(diff.report.items.is_empty() && diff.report.unchanged == 3);
}
