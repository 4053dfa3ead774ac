use chrono::NaiveDate;
use serde_json::json;

use super::context::request_by;
use super::reply::{count, table_without_empty_columns};
use super::{CliError, Context, Reply, show};
use crate::domain::patch::Op;
use crate::domain::project::ProjectStatus;
use crate::domain::record::Entity;
use crate::domain::time::AsOf;
use crate::exchange::patchset::{RawPatch, Request};
use crate::exchange::view::record::ProjectView;
use crate::exchange::view::task::handle;
use crate::service::find;
use crate::service::list::projects::{ProjectList, ProjectQuery};

/// Create, list, show, update, delete and restore projects.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan project create \"Payments migration\" --key PAY\n  lakeplan project list\n  lakeplan project update PAY --status active"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Create a project.
    Create {
        name: String,
        /// Short name, 2 to 10 capital letters or digits [default: derived from the name].
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// List projects.
    List {
        /// Include archived projects.
        #[arg(long)]
        all: bool,
        /// Read the lake as of a seq, a date or a time.
        #[arg(long, value_name = "SEQ|TIME")]
        as_of: Option<AsOf>,
    },
    /// Show a project.
    Show {
        project: String,
        /// Read the lake as of a seq, a date or a time.
        #[arg(long, value_name = "SEQ|TIME")]
        as_of: Option<AsOf>,
    },
    /// Change a project's fields.
    Update {
        project: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Delete a project and everything in it; `restore` brings it back.
    Delete { project: String },
    /// Restore a deleted project, with everything that was deleted with it.
    Restore { project: String },
}

#[derive(Debug, clap::Args)]
struct Fields {
    /// Text of the description, not a file.
    #[arg(long)]
    description: Option<String>,
    /// Status: planned, active, on_hold, completed or archived.
    #[arg(long)]
    status: Option<ProjectStatus>,
    /// User who is responsible for the project.
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    #[arg(long, value_name = "DATE", value_parser = crate::domain::day::read)]
    start: Option<NaiveDate>,
    #[arg(long, value_name = "DATE", value_parser = crate::domain::day::read)]
    due: Option<NaiveDate>,
    /// IANA time zone, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

impl Fields {
    fn apply(self, patch: RawPatch) -> RawPatch {
        let fields = [
            ("description", self.description),
            ("status", self.status.map(|status| status.to_string())),
            ("owner", self.owner),
            ("start_date", self.start.map(|day| day.to_string())),
            ("due_date", self.due.map(|day| day.to_string())),
            ("time_zone", self.time_zone),
        ];
        fields.into_iter().fold(patch, |patch, (field, value)| match value {
            Some(value) => patch.with(field, value),
            None => patch,
        })
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let service = &app.service;
    let author = request_by(&app);
    let change = async |patch: RawPatch| service.change(&Request::of(vec![patch]), &author).await;
    let reply = match args.verb {
        Verb::Create { name, key, fields } => {
            let mut patch = RawPatch::new(Op::Create, Entity::Project).with("name", name.as_str());
            if let Some(key) = key {
                patch = patch.with("key", key);
            }
            let done = change(fields.apply(patch)).await?;
            let key = done.keys.first().map(|(_, key)| key.clone()).unwrap_or_default();
            show::done(&done, format!("project {key}: {name}"))
        }
        Verb::List { all, as_of } => {
            list(&service.list_projects(&ProjectQuery { archived: all, as_of }).await?)
        }
        Verb::Show { project, as_of } => {
            let found = service.show_project(&project, as_of).await?;
            let ProjectView { project, open_tasks: open, closed_tasks: closed } = &found.view;
            let mut text = format!(
                "{}  {}\n  status       {}\n  tasks        {open} open, {closed} closed",
                project.key, project.name, project.status
            );
            for (name, day) in [("start", project.start_date), ("due", project.due_date)] {
                if let Some(day) = day {
                    text.push_str(&format!("\n  {name:<12} {day}"));
                }
            }
            if let Some(owner) = project.owner {
                text.push_str(&format!("\n  owner        {}", handle(&found.state, owner)));
            }
            if project.deleted_at.is_some() {
                text.push_str("\n  deleted");
            }
            if let Some(description) = &project.description {
                text.push_str(&format!("\n\n{description}"));
            }
            Reply::new(json!(found), text)
        }
        Verb::Update { project, name, fields } => {
            let mut patch =
                fields.apply(RawPatch::of(Op::Update, Entity::Project, project.as_str()));
            if let Some(name) = name {
                patch = patch.with("name", name);
            }
            if patch.fields.is_empty() {
                return Err(CliError::usage("specify what to change, such as --status active"));
            }
            show::done(&change(patch).await?, format!("{project} updated"))
        }
        Verb::Delete { project } => {
            let done = change(RawPatch::of(Op::Delete, Entity::Project, project.as_str())).await?;
            show::done(
                &done,
                format!("{project} deleted; lakeplan project restore {project} brings it back"),
            )
        }
        Verb::Restore { project } => {
            let source = async || {
                let state = service.read_projects_of(&[&project], None).await?.state;
                Ok::<_, CliError>(find::project(&state, &project)?.1.source.clone())
            };
            let before = source().await?;
            let done = change(RawPatch::of(Op::Restore, Entity::Project, project.as_str())).await?;
            let mut text = format!("{project} restored");
            if let (Some(source), None) = (before, source().await?) {
                text.push_str(&format!(
                    " without its source: another project is planned from {source} now"
                ));
            }
            show::done(&done, text)
        }
    };
    app.shutdown().await;
    Ok(reply)
}

fn list(listed: &ProjectList) -> Reply {
    let row = |view: &ProjectView| {
        let project = &view.project;
        vec![
            project.key.to_string(),
            project.name.to_string(),
            project.status.to_string(),
            view.open_tasks.to_string(),
            view.closed_tasks.to_string(),
            project.due_date.map_or_else(String::new, |day| day.to_string()),
        ]
    };
    let rows: Vec<Vec<String>> = listed.projects.iter().map(row).collect();
    let text = if rows.is_empty() {
        "no projects yet; create one with lakeplan project create NAME".to_owned()
    } else {
        let total = count(rows.len(), "project");
        let header = ["key", "name", "status", "open", "closed", "due"];
        format!("{}\n{total}", table_without_empty_columns(&header, rows))
    };
    Reply::new(json!(listed), text)
}
