use std::collections::BTreeMap;
use std::path::PathBuf;

use askama::Template;
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::files::{check_page, write_file};
use super::reply::count;
use super::{CliError, Context, Reply, show};
use crate::analytics::AnalyticsError;
use crate::domain::id::TaskId;
use crate::domain::state::{ProjectState, State};
use crate::domain::task::Task;
use crate::domain::time::{AsOf, Instant, Minutes, rfc3339};
use crate::planning::effort::Efforts;
use crate::planning::timeline::{Basis, Span, timeline};
use crate::service::{ServiceError, find};
use crate::text::visible::{path_text, visible};

/// Write an HTML page with a project's tree and timeline.
///
/// The page needs only a browser: no network, no server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan visualize PAY --out pay.html\n  lakeplan visualize PAY --out - > pay.html\n  lakeplan visualize PAY --as-of 2026-11-20 --out then.html"
)]
pub struct Args {
    /// Project; optional if there is one project.
    project: Option<String>,
    /// File to write, or - for standard output. A page that Lakeplan wrote is replaced; any
    /// other file is not.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Read the lake as of a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<AsOf>,
}

impl Args {
    pub fn files(&self) -> Vec<PathBuf> {
        self.out.iter().cloned().collect()
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let out = args.out.ok_or_else(|| CliError::Usage {
        message: "specify the output".to_owned(),
        hint: Some("--out plan.html writes a file, --out - writes to standard output".to_owned()),
    })?;
    if out.as_os_str() != "-" {
        check_page(&out)?;
    }
    let app = context.open().await?;
    let snapshot = match &args.project {
        None => app.service.read_only_project(args.as_of).await?,
        Some(project) => app.service.read_projects_of(&[project], args.as_of).await?,
    };
    // A page of the past uses that time as now.
    let now = args.as_of.map_or(app.service.clock.now(), |_| snapshot.at);
    app.close().await;
    let state = &snapshot.state;
    let project = match &args.project {
        None => find::only_project(state)?.0,
        Some(name) => find::project(state, name)?.0,
    };
    let mut data = data(state, project, now);
    data["seq"] = json!(snapshot.seq);
    let html = page(&data)?;
    if out.as_os_str() == "-" {
        return Ok(Reply::raw(html.into_bytes()));
    }
    write_file(&out, html.as_bytes())?;
    let (out, tasks) = (path_text(&out), data["tasks"].as_array().map_or(0, Vec::len));
    let json = json!({"out": out, "bytes": html.len(), "tasks": tasks, "seq": snapshot.seq});
    let text = format!("wrote {out}: {}; open it in a browser", count(tasks, "task"));
    Ok(Reply::new(json, text).standing(format!("{out} is written")))
}

/// The page with its styles and scripts; the scripts build its content from the data.
#[derive(Template)]
#[template(path = "visualize/page.html")]
struct Page {
    data: Value,
}

fn page(data: &Value) -> Result<String, CliError> {
    let page = Page { data: shown(data.clone()) };
    Ok(page.render().map_err(|err| ServiceError::from(AnalyticsError::Encoding(err.into())))?)
}

/// Makes the texts of the data safe to display: on a page too, a direction mark would reorder the
/// text around it.
fn shown(data: Value) -> Value {
    match data {
        Value::String(text) => visible(&text).into(),
        Value::Array(values) => values.into_iter().map(shown).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, shown(value))).collect()
        }
        other => other,
    }
}

/// Returns the data of the page. Tasks refer to each other by index, parents before their subtasks.
fn data(state: &State, project: &ProjectState, now: Instant) -> Value {
    let efforts = Efforts::of(project);
    let spans = timeline(project, now);
    let tops = project.children(None);
    let all = tops.flat_map(|top| std::iter::once(top).chain(project.descendants(top.id)));
    let tasks: Vec<&Task> = all.map(AsRef::as_ref).filter(|task| task.is_live()).collect();
    let places: BTreeMap<TaskId, usize> =
        tasks.iter().enumerate().map(|(place, task)| (task.id, place)).collect();
    let listed = tasks.iter().map(|task| {
        let span = spans.get(&task.id);
        let day = |of: fn(&Span) -> NaiveDate| span.map(|span| of(span).to_string());
        json!({
            "key": task.key.to_string(),
            "title": task.title.as_str(),
            "parent": task.parent_id.and_then(|id| places.get(&id)),
            "status": task.status.as_str(),
            "priority": task.priority.map(|priority| priority.as_str()),
            "assignee": task.assignee_id.map(|id| show::handle(state, id)),
            "effort": show::effort(task, &efforts),
            "spent": task.actual_minutes.map(|minutes| minutes.to_string()),
            "not_before": task.not_before.map(|day| day.to_string()),
            "due": task.due_date.map(|day| day.to_string()),
            "start": day(|span| span.start),
            "end": day(|span| span.end),
            "basis": span.map(|span| word(span.basis)),
        })
    });
    let links = project.dependencies().filter_map(|link| {
        let (from, to) = (places.get(&link.from_id)?, places.get(&link.to_id)?);
        Some(json!({"from": from, "to": to, "type": link.dependency.as_str(), "lag": lag(link.lag_minutes.get())}))
    });
    let own = project.project().map(|project| {
        json!({
            "key": project.key.to_string(),
            "name": project.name.as_str(),
            "status": project.status.as_str(),
            "due": project.due_date.map(|day| day.to_string()),
        })
    });
    json!({
        "project": own,
        "made_at": rfc3339(now),
        "today": now.date_naive().to_string(),
        "open_work": efforts.open().map(|open| open.rough()),
        "tasks": listed.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
    })
}

fn word(basis: Basis) -> &'static str {
    match basis {
        Basis::Done => "done",
        Basis::Underway => "underway",
        Basis::Due => "due",
        Basis::LaidOut => "laid_out",
        Basis::Parts => "parts",
    }
}

/// Formats a lag: `+ 1d`, `- 2h`; `None` for zero.
fn lag(minutes: i64) -> Option<String> {
    let amount = Minutes::new(u32::try_from(minutes.unsigned_abs()).unwrap_or(u32::MAX));
    (minutes != 0).then(|| format!("{} {amount}", if minutes < 0 { "-" } else { "+" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_stays_inside_its_script_and_keeps_its_value() {
        let title = r#"</script><!-- <script> ]]> "x" & 'y' {{ data }}"#;
        let page = page(&json!({"tasks": [{"title": title}], "project": "\u{202e}gpj"})).unwrap();
        let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
        let (data, rest) = rest.split_once("</script>").unwrap();
        assert!(!data.contains('<'), "{data}");
        assert!(rest.starts_with("\n<script>\n(() => {"), "{rest}");
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data, json!({"tasks": [{"title": title}], "project": r"\u{202e}gpj"}));
    }
}
