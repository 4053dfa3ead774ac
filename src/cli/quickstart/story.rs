//! The story as text: at most sixty lines, each beat with the command that does it.

use std::collections::BTreeMap;

use super::{FOLDER, QUESTIONS, SENTENCE, Story, TEXT};
use crate::cli::plan::{Shown, counts, cut, difference, effort, keys, reason, wrap};
use crate::cli::show;
use crate::domain::state::{ProjectState, State};
use crate::planning::plan::{Node, ProblemCode, SkipReason};
use crate::service::find;

const WIDTH: usize = 110;
/// How wide the description is beside its tasks.
const LEFT: usize = 72;
/// The part of the description that is shown beside its tasks.
const FROM: &str = "### Phase 2";
const TO: &str = "## Risks";

pub(super) fn key(story: &Story) -> String {
    let project = story.now.project(story.first.project).and_then(ProjectState::project);
    project.map(|project| project.key.to_string()).unwrap_or_default()
}

pub(super) fn text(story: &Story) -> String {
    let key = key(story);
    let (done, changed) = (&story.done_key, &story.changed_key);
    let mut told = vec![
        format!(
            "All of this just happened in ./{FOLDER}. cd there and type on; from a clone, lakeplan is cargo run --"
        ),
        String::new(),
        "1. A description becomes a plan.   $ lakeplan plan migration.md --yes".to_owned(),
        String::new(),
        format!("{:LEFT$}task, effort, who, waits for", " line  description"),
    ];
    told.extend(beside(story));
    told.push(String::new());
    told.extend(wrap(&counts(&story.first), WIDTH).iter().map(|line| format!(" {line}")));
    told.extend(caught(story));
    told.extend(not_planned(story));

    told.push(String::new());
    told.push(format!(
        "2. Work goes on, and one sentence changes.   $ lakeplan task done {done}; lakeplan plan migration.md --yes"
    ));
    told.push(format!("   was: {}", cut(SENTENCE.0.trim_start_matches("- "), WIDTH)));
    told.push(format!("   now: {}", cut(SENTENCE.1.trim_start_matches("- "), WIDTH)));
    let shown = Shown { rows: 12, is_full: false, lists_skipped: false, width: WIDTH };
    told.extend(
        difference(&story.second, shown)
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| format!("   {line}")),
    );
    told.push(format!("   {}   (not touched)", task(&story.now, done)));

    told.push(String::new());
    told.push(
        "3. The change is taken back, and can still be asked for.   $ lakeplan undo".to_owned(),
    );
    let asked = [
        (format!("task show {changed}"), task(&story.now, changed)),
        (
            format!("task show {changed} --as-of {}", story.replanned.seq),
            task(&story.then, changed),
        ),
        (
            format!("history {changed}"),
            format!("every change, who made it and why; the undo is seq {}", story.undone.seq),
        ),
    ];
    told.extend(
        asked
            .into_iter()
            .map(|(command, answer)| format!("   {:<39}{answer}", format!("$ lakeplan {command}"))),
    );

    told.push(String::new());
    told.push(
        "4. Everything is in Delta tables: ask them by SQL.   $ lakeplan query \"SELECT …\""
            .to_owned(),
    );
    for (question, answer) in QUESTIONS.iter().zip(&story.answers) {
        told.push(format!("   {question}"));
        let rows: Vec<String> = answer.iter().map(|row| row.join(" ")).collect();
        told.push(format!("     {}", rows.join("  |  ")));
    }
    told.push(
        "   Other engines read the same tables. DuckDB: SELECT key, title, status FROM delta_scan('lake/tasks');".to_owned(),
    );

    told.push(String::new());
    told.push("5. Your turn.".to_owned());
    let roles = [
        ("team lead", format!("lakeplan task tree {key} | edit migration.md, then lakeplan plan migration.md | lakeplan next")),
        ("to look at", format!("lakeplan visualize {key} --out plan.html | lakeplan report --out report.html")),
        ("coding agent", "lakeplan next --json | lakeplan task start KEY | lakeplan apply patches.json --id UUID".to_owned()),
        ("data team", "lakeplan query --views | lakeplan query --view velocity --format parquet > velocity.parquet".to_owned()),
    ];
    told.extend(roles.into_iter().map(|(role, commands)| format!("   {role:<14}{commands}")));
    told.join("\n")
}

fn task(state: &State, key: &str) -> String {
    find::task(state, key).map(|task| show::task_line(state, task)).unwrap_or_default()
}

/// Lines of the description, each beside the task it became.
fn beside(story: &Story) -> Vec<String> {
    let plan = &story.first.plan;
    let keys = keys(&story.first);
    let mut rows: BTreeMap<usize, &Node> = BTreeMap::new();
    for node in &plan.nodes {
        rows.entry(node.span.start_line).or_insert(node);
    }
    let mut told = Vec::new();
    let lines = TEXT
        .lines()
        .zip(1..)
        .skip_while(|(line, _)| !line.starts_with(FROM))
        .take_while(|(line, _)| *line != TO);
    for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
        let said = format!("{number:>5}  {}", cut(line, LEFT - 8));
        let row = rows.get(&number).map(|node| {
            let depth = node.key.matches('.').count();
            let key = keys.get(node.key.as_str()).map_or("", String::as_str);
            let after: Vec<&str> = (plan.links.iter().filter(|link| link.from == node.key))
                .filter_map(|link| keys.get(link.to.as_str()).map(String::as_str))
                .collect();
            let owner = node.owner.as_ref().map(|owner| format!("@{owner}"));
            let after = (!after.is_empty()).then(|| format!("after {}", after.join(", ")));
            let parts: Vec<String> =
                [Some(effort(node)), owner, after].into_iter().flatten().collect();
            format!("{}{key}  {}", if depth > 0 { "└─ " } else { "" }, parts.join("  "))
        });
        told.push(format!("{said:LEFT$}{}", row.unwrap_or_default()).trim_end().to_owned());
    }
    told
}

/// The mistakes of the description that the planner saw.
fn caught(story: &Story) -> Vec<String> {
    let problems = &story.first.plan.problems;
    let circle = problems.iter().find(|problem| problem.code == ProblemCode::DependencyCycle);
    let open = problems.iter().find(|problem| problem.code == ProblemCode::UncoveredRequirement);
    let notes = [("a circle:", circle), ("not covered:", open)];
    let told = notes
        .into_iter()
        .filter_map(|(name, problem)| Some(format!("{name} {}", problem?.message)));
    told.flat_map(|note| wrap(&note, WIDTH)).map(|line| format!(" {line}")).collect()
}

/// What was read and is no work, in a line.
fn not_planned(story: &Story) -> Vec<String> {
    let is_told = |found: SkipReason| {
        !matches!(found, SkipReason::Container | SkipReason::Markup | SkipReason::PlannedElsewhere)
    };
    let said = story.first.plan.skipped.iter().filter(|skipped| is_told(skipped.reason));
    let parts: Vec<String> = said
        .map(|skipped| format!("{} (L{})", reason(skipped.reason), skipped.span.start_line))
        .collect();
    let note = format!(
        "not planned: {}; lakeplan plan migration.md --skipped tells more",
        parts.join(", ")
    );
    wrap(&note, WIDTH).iter().map(|line| format!(" {line}")).collect()
}
