use serde_json::json;

use super::context::request_by;
use super::reply::{count, table_without_empty_columns};
use super::{CliError, Context, Reply, show};
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::domain::time::{AsOf, Minutes};
use crate::domain::value::{FieldValue, Name};
use crate::exchange::patchset::{RawPatch, Request};
use crate::exchange::view::record::UserView;
use crate::service::list::users::UserList;

/// Manage the people and agents who do the work.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan user add ana --name \"Ana Souza\" --email ana@example.com\n  lakeplan user list\n  lakeplan user merge ana asouza      asouza's tasks become ana's"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Add a user.
    Add {
        /// Short name, one word.
        handle: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// List users and their open work.
    List {
        /// Read the lake as of a seq, a date or a time.
        #[arg(long, value_name = "SEQ|TIME")]
        as_of: Option<AsOf>,
    },
    /// Show a user.
    Show {
        user: String,
        /// Read the lake as of a seq, a date or a time.
        #[arg(long, value_name = "SEQ|TIME")]
        as_of: Option<AsOf>,
    },
    /// Change a user's fields.
    Update {
        user: String,
        #[arg(long)]
        handle: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Merge two users: the first stays and takes over the other's tasks.
    Merge { kept: String, gone: String },
}

#[derive(Debug, clap::Args)]
struct Fields {
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    email: Option<String>,
    /// IANA time zone, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Working time per day, such as 6h.
    #[arg(long, value_name = "DURATION")]
    day: Option<Minutes>,
}

impl Fields {
    fn apply(self, patch: RawPatch) -> RawPatch {
        let texts = [("name", self.name), ("email", self.email), ("time_zone", self.time_zone)];
        let patch = texts.into_iter().fold(patch, |patch, (field, value)| match value {
            Some(value) => patch.with(field, value),
            None => patch,
        });
        match self.day {
            Some(day) => patch.with("day_minutes", day.json()),
            None => patch,
        }
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let service = &app.service;
    let author = request_by(&app);
    let change = async |patch: RawPatch| service.change(&Request::of(vec![patch]), &author).await;
    let reply = match args.verb {
        Verb::Add { handle, fields } => {
            let handle = handle.trim_start_matches('@').to_owned();
            let patch = fields
                .apply(RawPatch::new(Op::Create, Entity::User).with("handle", handle.as_str()));
            show::done(&change(patch).await?, format!("@{handle} added"))
        }
        Verb::List { as_of } => list(&service.list_users(as_of).await?),
        Verb::Show { user, as_of } => {
            let view = service.show_user(&user, as_of).await?;
            let user = &view.record;
            let mut text = format!("@{}", user.handle);
            for (name, value) in [("name", &user.name), ("email", &user.email)] {
                if let Some(value) = value {
                    text.push_str(&format!("\n  {name:<12} {value}"));
                }
            }
            if let Some(zone) = &user.time_zone {
                text.push_str(&format!("\n  time zone    {zone}"));
            }
            if let Some(day) = user.day_minutes {
                text.push_str(&format!("\n  day          {day}"));
            }
            Reply::new(json!(view), text)
        }
        Verb::Update { user, handle, fields } => {
            let mut patch = fields.apply(RawPatch::of(Op::Update, Entity::User, user.as_str()));
            if let Some(handle) = handle {
                patch = patch.with("handle", handle);
            }
            if patch.fields.is_empty() {
                return Err(CliError::usage(
                    "specify what to change, such as --email ana@example.com",
                ));
            }
            show::done(&change(patch).await?, format!("{user} updated"))
        }
        Verb::Merge { kept, gone } => {
            let (tasks, done) = service.merge_users(&kept, &gone, &author).await?;
            show::done(
                &done,
                format!("{gone} merged into {kept}, {} reassigned", count(tasks, "task")),
            )
        }
    };
    app.shutdown().await;
    Ok(reply)
}

fn list(listed: &UserList) -> Reply {
    let text = |value: &Option<Name>| value.as_ref().map(Name::to_string).unwrap_or_default();
    let row = |view: &UserView| {
        vec![
            format!("@{}", view.user.handle),
            text(&view.user.name),
            text(&view.user.email),
            view.open_tasks.to_string(),
            view.open_minutes.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = listed.users.iter().map(row).collect();
    let text = if rows.is_empty() {
        "no users yet; add one with lakeplan user add HANDLE".to_owned()
    } else {
        table_without_empty_columns(&["handle", "name", "email", "open", "likely work"], rows)
    };
    Reply::new(json!(listed), text)
}
