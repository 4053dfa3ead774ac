//! Planners other than the embedded one: what they may leave out, and what is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use lakeplan::analytics::{Session, rows_text};
use lakeplan::domain::error_kind::{ErrorClass, ErrorKind};
use lakeplan::domain::task::Priority;
use lakeplan::domain::time::{Estimate, Minutes};
use lakeplan::planning::plan::{
    Basis, LinkBasis, Node, NodeEstimate, NodeKind, Origin, Plan, PlanLink, Progress, Requirement,
    Span, Stats, Unresolved,
};
use lakeplan::planning::plan_problem::{PlanProblem, PlanRule};
use lakeplan::planning::planner::{Options, Planner, PlannerError};
use lakeplan::planning::unverified::Unverified;
use lakeplan::runtime::SystemClock;
use lakeplan::service::plan::PlanRequest;
use lakeplan::service::{Service, ServiceError};
use lakeplan::store::delta::DeltaStore;
use lakeplan::store::{Format, Store};

use super::PlanFixture;
use super::concurrent::{InterleavedStore, new_lake, service, writer};
use crate::support::{author, random};

/// A planner that gives a prepared answer and counts the requests. Like a model, it cannot repeat a
/// plan.
#[derive(Debug)]
struct FakePlanner {
    answer: Result<Plan, &'static str>,
    requests: AtomicUsize,
}

impl FakePlanner {
    fn with(answer: Result<Plan, &'static str>) -> Arc<Self> {
        Arc::new(Self { answer, requests: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Planner for FakePlanner {
    fn name(&self) -> &str {
        "fake planner"
    }

    fn model(&self) -> &str {
        "fake"
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    async fn plan(&self, _: &str, _: Options) -> Result<Unverified<Plan>, PlannerError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let unavailable = |cause: &str| PlannerError::Unavailable {
            model: "fake".to_owned(),
            cause: cause.into(),
        };
        self.answer.clone().map(Unverified::new).map_err(unavailable)
    }
}

fn node(key: &str, parent: Option<&str>) -> Node {
    let hours = |hours: u32| Minutes::new(60 * hours);
    Node {
        key: key.to_owned(),
        parent: parent.map(str::to_owned),
        kind: NodeKind::Task,
        title: format!("Do {key}"),
        description: String::new(),
        span: None,
        standing: Progress::Open,
        estimate: NodeEstimate {
            range: Estimate { low: hours(1), likely: hours(2), high: hours(4) },
            basis: None,
        },
        priority: Some(Priority::High),
        owner: Some("Ana Lopez".to_owned()),
        due: None,
        not_before: None,
        relative_week: None,
        origin: None,
        requirement_keys: Vec::new(),
    }
}

fn link(from: &str, to: &str) -> PlanLink {
    PlanLink { from: from.to_owned(), to: to.to_owned(), basis: None }
}

/// A plan without evidence: A holds B and C, D waits for B, and R1 is covered by C.
fn plan() -> Plan {
    let mut nodes =
        vec![node("A", None), node("B", Some("A")), node("C", Some("A")), node("D", None)];
    nodes[2].requirement_keys.push("R1".to_owned());
    let requirement = Requirement {
        key: "R1".to_owned(),
        text: "It must float".to_owned(),
        span: None,
        covered_by: vec!["C".to_owned()],
    };
    Plan {
        title: "Boat".to_owned(),
        title_span: None,
        language_note: None,
        nodes,
        links: vec![link("D", "B")],
        unresolved: Vec::new(),
        requirements: vec![requirement],
        problems: Vec::new(),
        skipped: Vec::new(),
        stats: Stats { tasks: 99, ..Stats::default() },
    }
}

const TEXT: &str = "We build a boat.\nIt must float.";

/// Plans the text with a planner that returns `plan`. Returns the result and the lake's records.
fn try_plan(answer: Result<Plan, &'static str>) -> (Result<(), ServiceError>, Vec<String>) {
    let mut fixture = PlanFixture::new();
    fixture.service.planner = FakePlanner::with(answer);
    let before = fixture.substance();
    let result = fixture.try_plan(&PlanFixture::request(TEXT)).map(|_| ());
    let after = fixture.substance();
    (result, after.into_iter().filter(|record| !before.contains(record)).collect())
}

/// Returns the problems of an invalid plan, and checks that nothing was written.
fn problems(change: impl FnOnce(&mut Plan)) -> Vec<PlanProblem> {
    let mut plan = plan();
    change(&mut plan);
    match try_plan(Ok(plan)) {
        (Err(ServiceError::InvalidPlan { model, problems }), written) => {
            assert_eq!(model, "fake");
            assert!(written.is_empty(), "{written:?}");
            problems
        }
        (result, _) => panic!("{result:?}"),
    }
}

/// Returns the only problem of an invalid plan.
fn problem(change: impl FnOnce(&mut Plan)) -> (String, PlanRule) {
    let found = problems(change);
    assert_eq!(found.len(), 1, "{found:?}");
    (found[0].place.clone(), found[0].rule)
}

#[test]
fn a_plan_without_evidence_is_written_and_a_repeat_changes_nothing() {
    let mut fixture = PlanFixture::new();
    fixture.service.planner = FakePlanner::with(Ok(plan()));
    let preview = fixture.plan(TEXT);
    assert_eq!(fixture.outline(), "Do A\n.Do B\n.Do C\nDo D");
    assert_eq!(fixture.dependencies(), [("Do D".to_owned(), "Do B".to_owned())]);
    let task = fixture.task("Do B");
    assert_eq!((task.source_line, task.source_end_line), (None, None));
    assert_eq!(task.source.unwrap().as_str(), "plan.md");
    assert_eq!(task.estimate_likely, Some(Minutes::new(120)));
    assert!(task.assignee_id.is_some());
    let stats = preview.plan.stats;
    assert_eq!((stats.tasks, stats.depth, stats.lines, stats.covered), (4, 1, 2, 1));
    let again = fixture.plan(TEXT);
    assert!(again.set.patches.is_empty(), "{:?}", again.set.patches);
}

#[test]
fn edits_survive_a_changed_plan_without_evidence() {
    let mut fixture = PlanFixture::new();
    fixture.service.planner = FakePlanner::with(Ok(plan()));
    fixture.plan(TEXT);
    fixture.edit("Do B", serde_json::json!({"title": "Do B well"}));
    let mut changed = plan();
    changed.nodes[1].priority = Some(Priority::Low);
    changed.nodes[2].title = "Do C twice".to_owned();
    changed.nodes.push(node("E", Some("A")));
    changed.nodes.remove(3);
    changed.links.clear();
    fixture.service.planner = FakePlanner::with(Ok(changed));
    fixture.plan(TEXT);
    assert_eq!(fixture.outline(), "Do A\n.Do B well\n.Do C twice\n.Do E");
    assert_eq!(fixture.task("Do B well").priority, Some(Priority::Low));
}

#[test]
fn an_error_of_the_planner_is_returned_and_writes_nothing() {
    let (result, written) = try_plan(Err("connection refused"));
    let err = result.unwrap_err();
    assert!(
        matches!(&err, ServiceError::Planner(cause) if cause.kind() == ErrorKind::Planner(ErrorClass::Transient)),
        "{err:?}"
    );
    assert_eq!(err.to_string(), "the planner fake did not answer");
    assert_eq!(err.hint(), Some("retry the command".into()));
    assert!(written.is_empty(), "{written:?}");
}

#[test]
fn a_cycle_is_refused() {
    let found = problems(|plan| plan.links.extend([link("B", "C"), link("C", "D")]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].to_string(), "plan: these rows wait for each other: B, D, C [cycle]");
    // The parts of A wait for D, and D waits for one of them.
    let found = problem(|plan| plan.links.push(link("A", "D")));
    assert_eq!(found, ("plan".to_owned(), PlanRule::Cycle));
}

#[test]
fn links_must_join_two_unrelated_rows_of_the_plan() {
    let of = |from: &'static str, to: &'static str| problem(|plan| plan.links.push(link(from, to)));
    assert_eq!(of("D", "X"), ("D -> X".to_owned(), PlanRule::UnknownRow));
    assert_eq!(of("X", "D"), ("X -> D".to_owned(), PlanRule::UnknownRow));
    assert_eq!(of("D", "D"), ("D -> D".to_owned(), PlanRule::SelfLink));
    assert_eq!(of("A", "B"), ("A -> B".to_owned(), PlanRule::LinkToRelative));
    assert_eq!(of("C", "A"), ("C -> A".to_owned(), PlanRule::LinkToRelative));
    assert_eq!(of("D", "B"), ("D -> B".to_owned(), PlanRule::DuplicateLink));
}

#[test]
fn values_must_fit_their_fields() {
    let of = |change: fn(&mut Node)| problem(|plan| change(&mut plan.nodes[3])).1;
    assert_eq!(of(|node| node.title = "x".repeat(501)), PlanRule::Text);
    assert_eq!(of(|node| node.title = "two\nlines".to_owned()), PlanRule::Text);
    assert_eq!(of(|node| node.title = "\u{200b}".to_owned()), PlanRule::Text);
    assert_eq!(of(|node| node.description = "\0".to_owned()), PlanRule::Text);
    assert_eq!(of(|node| node.owner = Some("x".repeat(201))), PlanRule::Owner);
    assert_eq!(of(|node| node.estimate.range.low = Minutes::new(121)), PlanRule::EstimateOrder);
    assert_eq!(
        of(|node| node.estimate.range.high = Minutes::new(u32::MAX)),
        PlanRule::EstimateSize
    );
    assert_eq!(of(|node| node.due = Some(chrono::NaiveDate::MAX)), PlanRule::Date);
    assert_eq!(of(|node| node.not_before = Some(chrono::NaiveDate::MIN)), PlanRule::Date);
    assert_eq!(problem(|plan| plan.title = "x".repeat(501)), ("plan".to_owned(), PlanRule::Text));
    let text = problem(|plan| plan.requirements[0].text = "x".repeat((1 << 20) + 1));
    assert_eq!(text, ("R1".to_owned(), PlanRule::Text));
    // A sum is not stored.
    let mut sum = plan();
    sum.nodes[0].estimate.range.high = Minutes::new(u32::MAX);
    sum.nodes[0].estimate.basis = Some(Basis::Children);
    sum.nodes[0].origin = Some(Origin::Stated);
    try_plan(Ok(sum)).0.unwrap();
}

#[test]
fn rows_need_their_own_keys_and_a_parent_above_them() {
    assert_eq!(problem(|plan| plan.nodes.swap(0, 1)), ("B".to_owned(), PlanRule::Parent));
    let unknown = problem(|plan| plan.nodes[3].parent = Some("X".to_owned()));
    assert_eq!(unknown, ("D".to_owned(), PlanRule::Parent));
    let below_milestone = problem(|plan| {
        plan.nodes[1].kind = NodeKind::Milestone;
        plan.nodes[2].parent = Some("B".to_owned());
    });
    assert_eq!(below_milestone, ("C".to_owned(), PlanRule::Parent));
    let twice = problem(|plan| plan.nodes.push(node("D", None)));
    assert_eq!(twice, ("D".to_owned(), PlanRule::Key));
    let nameless = problem(|plan| plan.nodes.push(node("", None)));
    assert_eq!(nameless, ("plan".to_owned(), PlanRule::Key));
    let deep = |levels: usize| {
        let mut plan = plan();
        let keys: Vec<String> = (0..=levels).map(|level| format!("L{level}")).collect();
        for (level, key) in keys.iter().enumerate() {
            let parent = level.checked_sub(1).map(|above| keys[above].as_str());
            plan.nodes.push(node(key, parent));
        }
        plan
    };
    try_plan(Ok(deep(5))).0.unwrap();
    let found = problem(|plan| *plan = deep(6));
    assert_eq!(found, ("L6".to_owned(), PlanRule::Depth));
}

#[test]
fn requirements_and_rows_must_agree() {
    let lost = problem(|plan| plan.requirements[0].covered_by.push("X".to_owned()));
    assert_eq!(lost, ("R1".to_owned(), PlanRule::UnknownRow));
    let unknown = problem(|plan| plan.nodes[0].requirement_keys.push("R2".to_owned()));
    assert_eq!(unknown, ("A".to_owned(), PlanRule::UnknownRequirement));
    let one_sided = problem(|plan| plan.nodes[0].requirement_keys.push("R1".to_owned()));
    assert_eq!(one_sided, ("A".to_owned(), PlanRule::Coverage));
    let one_sided = problem(|plan| plan.requirements[0].covered_by.push("A".to_owned()));
    assert_eq!(one_sided, ("R1".to_owned(), PlanRule::Coverage));
    let twice = problem(|plan| {
        let again = plan.requirements[0].clone();
        plan.requirements.push(again);
    });
    assert_eq!(twice, ("R1".to_owned(), PlanRule::Key));
}

#[test]
fn evidence_must_lie_inside_the_text() {
    let span = |start_byte, end_byte, start_line, end_line| {
        Some(Span { start_byte, end_byte, start_line, end_line })
    };
    let mut good = plan();
    good.nodes[0].span = span(0, TEXT.len(), 1, 2);
    try_plan(Ok(good)).0.unwrap();
    let bad = [
        span(0, TEXT.len() + 1, 1, 2),
        span(5, 4, 1, 1),
        span(0, 4, 0, 1),
        span(0, 4, 2, 1),
        span(0, 4, 1, 3),
    ];
    for span in bad {
        let of_row = problem(|plan| plan.nodes[0].span = span);
        assert_eq!(of_row, ("A".to_owned(), PlanRule::Evidence), "{span:?}");
    }
    let of_link = problem(|plan| {
        plan.links[0].basis = bad[0].map(|span| LinkBasis::Steps { span });
    });
    assert_eq!(of_link.1, PlanRule::Evidence);
    let of_requirement = problem(|plan| plan.requirements[0].span = bad[1]);
    assert_eq!(of_requirement.1, PlanRule::Evidence);
    let open =
        Unresolved { from: "A".to_owned(), text: "x".to_owned(), span: bad[2], best_guess: None };
    assert_eq!(problem(|plan| plan.unresolved.push(open)).1, PlanRule::Evidence);
    assert_eq!(problem(|plan| plan.title_span = bad[3]).1, PlanRule::Evidence);
}

#[test]
fn problems_are_reported_together_up_to_a_limit() {
    let found = problems(|plan| {
        plan.nodes[0].title = String::new();
        plan.links.push(link("D", "X"));
    });
    assert_eq!(found.len(), 2, "{found:?}");
    let many = problems(|plan| plan.links.extend((0..1000).map(|_| link("D", "X"))));
    assert_eq!(many.len(), 50);
}

/// Returns the rows of `agent_logs`.
async fn agent_logs(service: &Service, store: &DeltaStore) -> Vec<Vec<String>> {
    let session = Session::open(&store.tables(), service.clock.now()).await.unwrap();
    let rows = session.query("SELECT agent, model, tasks FROM agent_logs").await.unwrap();
    rows_text(&rows).unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_planner_is_asked_once_and_named_in_the_log() {
    let lake = new_lake().await;
    let store =
        DeltaStore::open(&lake, Format::default(), Arc::new(SystemClock), random(3)).await.unwrap();
    let store = Arc::new(store);
    let planner = FakePlanner::with(Ok(plan()));
    let request = PlanRequest {
        source: Some("boat.md".to_owned()),
        text: TEXT.to_owned(),
        ..PlanRequest::default()
    };
    // The same text is planned between the read and the commit.
    let mut other = service(writer(&lake, 2).await, 20);
    other.planner = FakePlanner::with(Ok(plan()));
    let first = request.clone();
    let interleaved = Box::pin(async move {
        other.apply_plan(&first, &author(&other)).await.unwrap();
    });
    let inner = Arc::clone(&store) as Arc<dyn Store>;
    let mut late = service(InterleavedStore::new(inner, interleaved), 30);
    late.planner = Arc::clone(&planner) as Arc<dyn Planner>;
    late.apply_plan(&request, &author(&late)).await.unwrap();
    assert_eq!(planner.requests.load(Ordering::Relaxed), 1);
    let row = ["fake planner", "fake", "4"].map(str::to_owned).to_vec();
    assert_eq!(agent_logs(&late, &store).await, [row.clone(), row]);

    let invalid = Plan { links: vec![link("D", "X")], ..plan() };
    late.planner = FakePlanner::with(Ok(invalid));
    let head = store.head().await.unwrap();
    late.apply_plan(&request, &author(&late)).await.unwrap_err();
    assert_eq!(store.head().await.unwrap().seq, head.seq);
    assert_eq!(agent_logs(&late, &store).await.len(), 2);
}

/// The bridge over a canceled step repeats a link that the text states.
#[test]
fn a_link_that_bridges_a_canceled_step_is_kept_once() {
    let text = "# Port\n\n## Steps\n\n1. [ ] Lay the stones (1 day)\n2. [-] Buy the crane\n3. [ ] Ship the boxes (1 day), depends on \"Lay the stones\"\n";
    let preview = PlanFixture::new().plan(text);
    assert_eq!(preview.plan.links.len(), 1, "{:?}", preview.plan.links);
}
