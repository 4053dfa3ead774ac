//! Renders the tour as text: at most sixty lines, each step with its command.

use std::collections::BTreeMap;

use super::story::{FOLDER, QUESTIONS, SENTENCE, Story, TEXT};
use crate::cli::plan::{Shown, counts, cut, difference, effort, fold, keys, wrap};
use crate::cli::show;
use crate::cli::skipped::reason;
use crate::domain::state::{ProjectState, State};
use crate::exchange::view::task::TaskView;
use crate::planning::plan::{Node, ProblemCode, SkipReason};
use crate::service::find;

/// Minimum and maximum width of the tour.
const WIDTHS: (usize, usize) = (60, 110);
/// Maximum indentation of a wrapped text.
const INDENT: usize = 5;
/// Width of the tasks next to the description.
const RIGHT: usize = 38;
/// Part of the description that is shown next to its tasks.
const FROM: &str = "### Phase 2";
const TO: &str = "## Risks";

pub(super) fn key(story: &Story) -> String {
    let project = story.now.project(story.first.project).and_then(ProjectState::project);
    project.map(|project| project.key.to_string()).unwrap_or_default()
}

/// Renders the tour for a width.
pub(super) fn text(story: &Story, width: usize) -> String {
    let width = width.clamp(WIDTHS.0, WIDTHS.1);
    let left = width - RIGHT;
    let key = key(story);
    let (done, changed) = (&story.done_key, &story.changed_key);
    let mut rendered = vec![
        format!(
            "All of this just ran in ./{FOLDER}. cd into it to continue; in a clone, use cargo run -- for lakeplan"
        ),
        String::new(),
        "1. Turn a description into a plan.   $ lakeplan plan migration.md --yes".to_owned(),
        String::new(),
        format!("{:left$}task, effort, who, waits for", " line  description"),
    ];
    rendered.extend(beside(story, left));
    rendered.push(String::new());
    rendered
        .extend(wrap(&counts(&story.first), width - INDENT).iter().map(|line| format!(" {line}")));
    rendered.extend(caught(story, width));
    rendered.extend(not_planned(story, width));

    rendered.push(String::new());
    rendered.push(format!(
        "2. Work goes on, and one sentence changes.   $ lakeplan task done {done}; lakeplan plan migration.md --yes"
    ));
    rendered.push(format!("   was:  {}", SENTENCE.0.trim_start_matches("- ")));
    rendered.push(format!("   now:  {}", SENTENCE.1.trim_start_matches("- ")));
    let shown = Shown { rows: 12, is_full: false, lists_skipped: false, width: width - 3 };
    rendered.extend(
        difference(&story.second, shown)
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| format!("   {line}")),
    );
    rendered.push(format!("   {}   (not touched)", task(&story.now, done)));

    rendered.push(String::new());
    rendered.push("3. Undo the change. Its history stays.   $ lakeplan undo".to_owned());
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
    rendered.extend(
        asked
            .into_iter()
            .map(|(command, answer)| format!("   {:<39}{answer}", format!("$ lakeplan {command}"))),
    );

    rendered.push(String::new());
    rendered.push(
        "4. Everything is in Delta tables: query them with SQL.   $ lakeplan query \"SELECT …\""
            .to_owned(),
    );
    for (question, answer) in QUESTIONS.iter().zip(&story.answers) {
        rendered.push(format!("   {question}"));
        let rows: Vec<String> = answer.iter().map(|row| row.join(" ")).collect();
        rendered.push(format!("     {}", rows.join("  |  ")));
    }
    rendered.push(
        "   Other engines read the same tables. DuckDB: SELECT key, title, status FROM delta_scan('lake/tasks');".to_owned(),
    );

    rendered.push(String::new());
    rendered.push("5. Your turn.".to_owned());
    let roles = [
        ("team lead", format!("lakeplan task tree {key} | edit migration.md, then lakeplan plan migration.md | lakeplan next")),
        ("to look at", format!("lakeplan visualize {key} --out plan.html | lakeplan report --out report.html")),
        ("coding agent", "lakeplan next --json | lakeplan task start KEY | lakeplan apply patches.json --id UUID".to_owned()),
        ("data team", "lakeplan query --views | lakeplan query --view velocity --format parquet > velocity.parquet".to_owned()),
    ];
    rendered.extend(roles.into_iter().map(|(role, commands)| format!("   {role:<14}{commands}")));
    rendered.iter().flat_map(|line| fold(line, width)).collect::<Vec<_>>().join("\n")
}

fn task(state: &State, key: &str) -> String {
    find::task(state, key)
        .map(|task| show::task_line(&TaskView::of(state, task)))
        .unwrap_or_default()
}

/// Returns lines of the description, each next to the task it became.
fn beside(story: &Story, left: usize) -> Vec<String> {
    let plan = &story.first.plan;
    let keys = keys(&story.first);
    let mut rows: BTreeMap<usize, &Node> = BTreeMap::new();
    for node in &plan.nodes {
        if let Some(line) = node.line() {
            rows.entry(line).or_insert(node);
        }
    }
    let mut rendered = Vec::new();
    let lines = TEXT
        .lines()
        .zip(1..)
        .skip_while(|(line, _)| !line.starts_with(FROM))
        .take_while(|(line, _)| *line != TO);
    for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
        let sentence = format!("{number:>5}  {}", cut(line, left - 8));
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
        rendered.push(format!("{sentence:left$}{}", row.unwrap_or_default()).trim_end().to_owned());
    }
    rendered
}

/// Returns the mistakes in the description that the planner found.
fn caught(story: &Story, width: usize) -> Vec<String> {
    let problems = &story.first.plan.problems;
    let circle = problems.iter().find(|problem| problem.code == ProblemCode::DependencyCycle);
    let open = problems.iter().find(|problem| problem.code == ProblemCode::UncoveredRequirement);
    let notes = [("a circle:", circle), ("not covered:", open)];
    let rendered = notes
        .into_iter()
        .filter_map(|(name, problem)| Some(format!("{name} {}", problem?.message)));
    rendered.flat_map(|note| wrap(&note, width - INDENT)).map(|line| format!(" {line}")).collect()
}

/// Summarizes in one line what was read and is not work.
fn not_planned(story: &Story, width: usize) -> Vec<String> {
    let is_reported = |found: SkipReason| {
        !matches!(found, SkipReason::Container | SkipReason::Markup | SkipReason::PlannedElsewhere)
    };
    let sentence = story.first.plan.skipped.iter().filter(|skipped| is_reported(skipped.reason));
    let parts: Vec<String> = sentence
        .map(|skipped| {
            let place = skipped.span.map(|span| format!(" (L{})", span.start_line));
            format!("{}{}", reason(skipped.reason), place.unwrap_or_default())
        })
        .collect();
    let note = format!(
        "not planned: {}; lakeplan plan migration.md --skipped lists more",
        parts.join(", ")
    );
    wrap(&note, width - INDENT).iter().map(|line| format!(" {line}")).collect()
}
