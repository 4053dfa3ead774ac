//! Real descriptions: each can be planned, a second plan changes nothing, and the plan survives
//! edits of the text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use lakeplan::domain::id::TaskId;
use lakeplan::domain::state::ProjectState;
use lakeplan::domain::task::TaskStatus;
use lakeplan::planning::outline::{Options, outline};
use lakeplan::planning::plan::SkipReason;
use lakeplan::runtime::{Random, SeededRandom, random_bytes};
use lakeplan::service::ServiceError;
use serde_json::json;

use super::PlanFixture;
use crate::support::{counts, shared};

/// Returns the descriptions that list work, with their names.
fn descriptions() -> Vec<(String, String)> {
    all_descriptions().into_iter().filter(|(_, text)| lists_work(text)).collect()
}

fn lists_work(text: &str) -> bool {
    !outline(text, Options::default()).nodes.is_empty()
}

fn all_descriptions() -> Vec<(String, String)> {
    let Some(folder) = shared("data/prd") else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let texts = paths.iter().filter(|path| name(path) != "SOURCES.md" && path.is_file());
    texts.map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn below(random: &dyn Random, limit: usize) -> usize {
    u64::from_le_bytes(random_bytes(random)) as usize % limit.max(1)
}

/// Reasons for skipped sections that contain no work.
const NO_WORK: &[SkipReason] = &[
    SkipReason::Goals,
    SkipReason::NonGoals,
    SkipReason::OutOfScope,
    SkipReason::Personas,
    SkipReason::Background,
    SkipReason::Risks,
    SkipReason::Glossary,
    SkipReason::OpenQuestions,
    SkipReason::Metrics,
    SkipReason::Assumptions,
    SkipReason::References,
    SkipReason::Alternatives,
];

#[test]
fn descriptions_without_work_are_refused() {
    let all = all_descriptions();
    let without: Vec<_> = all.iter().filter(|(_, text)| !lists_work(text)).collect();
    assert!(without.len() * 8 <= all.len(), "{} of {} texts", without.len(), all.len());
    for (name, text) in without {
        let fixture = PlanFixture::new();
        let refused = fixture.try_plan(&PlanFixture::request(text));
        assert!(matches!(refused, Err(ServiceError::NoWork { .. })), "{name}: {refused:?}");
        assert_eq!(fixture.state().projects().count(), 0, "{name}");
    }
}

#[test]
fn planning_a_description_twice_changes_nothing() {
    let all = descriptions();
    for (name, text) in &all {
        let fixture = PlanFixture::new();
        let preview = fixture.plan(text);
        let state = fixture.state();
        let project = state.projects().next().unwrap();
        let tasks = project.tasks().count();
        assert_eq!(tasks, preview.plan.nodes.len(), "{name}");
        assert_eq!(project.dependencies().count(), preview.plan.links.len(), "{name}");
        assert!(project.tasks().all(|task| task.depth <= 5), "{name}");
        for task in project.tasks() {
            let (first, last) = (task.source_line.unwrap(), task.source_end_line.unwrap());
            assert!(
                first >= 1 && first <= last && last as usize <= text.lines().count(),
                "{name}: {}",
                task.title
            );
        }
        for skipped in
            preview.plan.skipped.iter().filter(|skipped| NO_WORK.contains(&skipped.reason))
        {
            let within = |node: &&lakeplan::planning::plan::Node| {
                let (outer, inner) = (skipped.span.unwrap(), node.span.unwrap());
                outer.start_byte <= inner.start_byte && inner.end_byte <= outer.end_byte
            };
            let found = preview.plan.nodes.iter().find(within);
            assert!(
                found.is_none(),
                "{name}: {:?} is in a skipped section {:?}",
                found,
                skipped.what
            );
        }
        let again = fixture.plan(text);
        assert!(again.set.patches.is_empty(), "{name}: {:?}", again.set.patches.first());
    }
    eprintln!("{} descriptions planned twice", all.len());
}

/// Makes twenty edits of a text's lines. Returns the new text.
fn edit_randomly(text: &str, random: &dyn Random) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..20 {
        if lines.len() < 2 {
            break;
        }
        let (at, other) = (below(random, lines.len()), below(random, lines.len()));
        match below(random, 4) {
            0 => {
                lines.remove(at);
            }
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            _ => lines[at].push_str(" and the rest of it"),
        }
    }
    lines.join("\n")
}

#[test]
fn descriptions_survive_edits() {
    let mut edits = 0;
    for (number, (name, text)) in descriptions().iter().enumerate() {
        for round in 0..counts(1, 8) {
            let random = SeededRandom::new((number * 100 + round) as u64);
            let fixture = PlanFixture::new();
            fixture.plan(text);
            finish_some(&fixture, &random);
            let before = fixture.state();
            let changed = edit_randomly(text, &random);
            let preview = fixture.plan(&changed);
            if changed.trim().is_empty() {
                continue;
            }
            let after = fixture.state();
            let (old, new) = (before.projects().next().unwrap(), after.projects().next().unwrap());
            for task in old.tasks().filter(|task| task.status.is_closed()) {
                let kept = new.task(task.id).unwrap();
                let fields = |task: &lakeplan::domain::task::Task| {
                    (
                        task.title.clone(),
                        task.description.clone(),
                        task.status,
                        task.estimate(),
                        task.parent_id,
                        task.assignee_id,
                    )
                };
                assert!(kept.is_live(), "{name}: the completed task {} was deleted", task.title);
                assert_eq!(fields(kept), fields(task), "{name}");
            }
            // A statement that is unique in both texts, below the same statements, is the same
            // task.
            let (paths_before, paths_after) = (paths(old), paths(new));
            for (path, id) in unique(&paths_before) {
                if let Some(kept) = unique(&paths_after).get(&path) {
                    assert_eq!(*kept, id, "{name}: {path} changed its id");
                }
            }
            assert!(fixture.plan(&changed).set.patches.is_empty(), "{name}");
            edits += preview.set.patches.len();
            fixture.plan(text);
            assert!(fixture.plan(text).set.patches.is_empty(), "{name}");
        }
    }
    eprintln!("{edits} patches from edits");
}

/// For any changes by users between two plans, the second plan is accepted and the third changes
/// nothing.
#[test]
fn user_edits_and_text_edits_combine() {
    let texts: Vec<String> = std::iter::once(super::replanning::CELLAR.to_owned())
        .chain(
            descriptions()
                .into_iter()
                .filter(|(_, text)| text.len() < 12_000)
                .map(|(_, text)| text),
        )
        .collect();
    let (mut done, mut refused) = (0, 0);
    for (number, text) in texts.iter().enumerate() {
        for round in 0..counts(2, 40) {
            let random = SeededRandom::new((number * 1000 + round) as u64);
            let fixture = PlanFixture::with(text);
            for _ in 0..3 {
                for _ in 0..8 {
                    match change_as_user(&fixture, &random) {
                        true => done += 1,
                        false => refused += 1,
                    }
                }
                let changed = edit_randomly(text, &random);
                fixture.plan(&changed);
                let again = fixture.plan(&changed);
                assert!(again.set.patches.is_empty(), "{number}/{round}: {:#?}", again.set.patches);
            }
        }
    }
    eprintln!("{done} changes by users between plans, {refused} more refused");
    assert!(done > refused);
}

/// Makes one random change that a user may make.
fn change_as_user(fixture: &PlanFixture, random: &dyn Random) -> bool {
    let state = fixture.state();
    let tasks: Vec<_> = state.projects().flat_map(ProjectState::tasks).cloned().collect();
    let pick = || tasks.get(below(random, tasks.len()));
    let (Some(task), Some(other)) = (pick(), pick()) else { return true };
    let (id, other) = (task.id.to_string(), other.id.to_string());
    let update = |fields: serde_json::Value| json!([{"op": "update", "entity": "task", "id": id, "fields": fields}]);
    let links: Vec<_> = state.projects().flat_map(ProjectState::dependencies).collect();
    let patches = match below(random, 12) {
        0 => update(json!({"title": format!("Renamed {}", below(random, 99))})),
        1 => update(json!({"status": "in_progress", "actual_minutes": 30})),
        2 => update(json!({"status": "completed"})),
        3 => update(json!({"estimate_low": 5, "estimate_likely": 6, "estimate_high": 7})),
        4 => update(json!({"not_before": "2031-05-01", "due_date": "2031-06-01"})),
        5 => json!([{"op": "delete", "entity": "task", "id": id}]),
        6 => json!([{"op": "restore", "entity": "task", "id": id}]),
        7 => json!([{"op": "move", "entity": "task", "id": id, "fields": {"parent_id": other}}]),
        8 => json!([{"op": "create", "entity": "task",
            "fields": {"project_id": task.project_id.to_string(), "parent_id": id, "title": format!("By hand {}", below(random, 99))}}]),
        9 if !links.is_empty() => {
            json!([{"op": "unlink", "entity": "task_link", "id": links[below(random, links.len())].id.to_string()}])
        }
        _ => {
            json!([{"op": "link", "entity": "task_link", "fields": {"from_id": id, "to_id": other}}])
        }
    };
    fixture.try_change(patches).is_ok()
}

fn finish_some(fixture: &PlanFixture, random: &dyn Random) {
    let state = fixture.state();
    let chosen = state.projects().flat_map(ProjectState::tasks).filter(|_| below(random, 6) == 0);
    let open = chosen.filter(|task| task.status == TaskStatus::Pending);
    let finish = |id: String| json!({"op": "update", "entity": "task", "id": id, "fields": {"status": "completed"}});
    let patches: Vec<serde_json::Value> = open.map(|task| finish(task.id.to_string())).collect();
    if !patches.is_empty() {
        fixture.change(patches.into());
    }
}

/// Returns the titles from the top down to each live task.
fn paths(project: &ProjectState) -> Vec<(String, TaskId)> {
    let path = |task: &lakeplan::domain::task::Task| {
        let above = std::iter::successors(Some(task), |task| {
            project.task(task.parent_id?).map(AsRef::as_ref)
        });
        above.map(|task| task.title.to_string()).collect::<Vec<_>>().join(" < ")
    };
    project.tasks().filter(|task| task.is_live()).map(|task| (path(task), task.id)).collect()
}

fn unique(paths: &[(String, TaskId)]) -> BTreeMap<&String, TaskId> {
    let mut seen: BTreeSet<&String> = BTreeSet::new();
    let twice: BTreeSet<&String> =
        paths.iter().map(|(path, _)| path).filter(|path| !seen.insert(path)).collect();
    paths.iter().filter(|(path, _)| !twice.contains(path)).map(|(path, id)| (path, *id)).collect()
}

#[test]
fn the_longest_allowed_description_is_planned_twice() {
    let section = "## Phase 1: Import\n\n- Write the importer for the table (2 days), depends on the schema\n- Draw the schema\n\n";
    let mut text = String::from("# Long\n\n");
    while text.len() + section.len() < counts(64 << 10, 1 << 20) {
        text.push_str(&section.replace("table", &format!("table {}", text.len())));
    }
    let fixture = PlanFixture::with(&text);
    let rows = outline(&text, Options::default()).nodes.len();
    assert!(rows > 500, "{rows}");
    assert!(fixture.plan(&text).set.patches.is_empty());
    let changed = text.replacen("(2 days)", "(1 day)", 1);
    assert!(fixture.plan(&changed).set.patches.len() < 20);
}
