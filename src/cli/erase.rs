use serde_json::{Value, json};

use super::context::request_by;
use super::error::service_message;
use super::hint::hint_text;
use super::reply::count;
use super::{CliError, Context, Reply};
use crate::app::App;
use crate::domain::erase::fields;
use crate::domain::record::Entity;
use crate::service::erase::Erasable;
use crate::service::mentions::{Mention, Names};
use crate::store::Retention;
use crate::store::tables::TABLES;
use crate::text::visible::visible_line;

/// Erase personal data from the lake and its history.
///
/// This cannot be undone. The values become neutral, the earlier values leave the journal, and
/// the hash chain still verifies. Without --yes, shows what would be erased. Afterwards, lists
/// every place that still mentions the person, such as the text of another record or the inbox,
/// and what to do about it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan erase user @ana\n  lakeplan erase user @ana --yes\n  lakeplan erase task PAY-42 --yes"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Erase (the default is a dry run).
    #[arg(long, global = true)]
    yes: bool,
    /// Another name of the person, or a text, to search for in what remains. Repeat for more.
    #[arg(long, global = true, value_name = "NAME")]
    also: Vec<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Erase a user's handle, name, e-mail address, time zone, work hours and metadata.
    User {
        /// Handle, e-mail address or id.
        user: String,
    },
    /// Erase a task's title, description, tags, source and metadata.
    Task {
        /// Key or id.
        task: String,
    },
    /// Erase a project's name, description, source and metadata, but not its tasks.
    Project {
        /// Key, name or id.
        project: String,
    },
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let (entity, name) = match &args.what {
        What::User { user } => (Entity::User, user),
        What::Task { task } => (Entity::Task, task),
        What::Project { project } => (Entity::Project, project),
    };
    let erasable = app.service.find_erasable(entity, name).await?;
    let names = Names::new(erasable.names.iter().cloned().chain(args.also));
    let mentions = app.mentions(erasable.record, &names, service_message).await?;
    let reply = erase(&app, &erasable, &mentions, args.yes).await?;
    app.shutdown().await;
    Ok(reply)
}

async fn erase(
    app: &App,
    erasable: &Erasable,
    mentions: &[Mention],
    yes: bool,
) -> Result<Reply, CliError> {
    let entity = erasable.record.entity;
    let table = TABLES.iter().find(|table| table.entity == entity).map_or("", |table| table.name);
    let (journal_files, table_files) = app.count_affected_files(erasable).await?;
    let table_files = if erasable.fields.is_empty() { 0 } else { table_files };
    let (mut journal_rows, mut seq) = (erasable.rows.len(), None);
    let mut written = journal_files;
    if yes && !erasable.is_empty() {
        let (done, erased) = app.erase(erasable, &request_by(app)).await?;
        (journal_rows, written, seq) = (erased.rows, erased.files, done.map(|done| done.seq));
    }
    let done = yes && !erasable.is_empty();
    let until = (app.service.clock.now() + Retention::default().files).date_naive();
    let json = json!({
        "entity": entity, "id": erasable.record.id.to_string(), "name": erasable.name, "fields": erasable.fields,
        "journal_rows": journal_rows, "journal_files": written, "table": table, "table_files": table_files,
        "rows_as_actor": erasable.as_actor, "erased": done, "seq": seq,
        "old_files_until": done.then(|| until.to_string()), "remains": mentions.iter().map(mention_json).collect::<Vec<_>>(),
    });
    if erasable.is_empty() {
        let mut lines =
            vec![format!("{} {}: nothing is left to erase", entity.noun(), erasable.name)];
        lines.extend(remains(mentions));
        return Ok(Reply::new(json, lines.join("\n")));
    }
    let mut lines = vec![format!("{} {}  {}", entity.noun(), erasable.name, erasable.record.id)];
    let verb = if done { "erased" } else { "would erase" };
    // If the record is already neutral, values may have existed before.
    let named = if erasable.fields.is_empty() {
        fields(entity).join(", ")
    } else {
        erasable.fields.join(", ")
    };
    lines.push(format!("{verb} {named}"));
    // The change that sets the neutral values also contains the old ones, so one more row is erased
    // in the end.
    lines.push(format!(
        "  {} of the journal, in {}",
        count(journal_rows, "row"),
        count(written, "file")
    ));
    lines.push(format!("  {} of {table}", count(table_files, "file")));
    if erasable.as_actor > 0 {
        let rows = count(erasable.as_actor, "row");
        lines.push(format!("stays: {rows} of the journal with this person's name as the actor, and what others wrote of them"));
    }
    lines.extend(remains(mentions));
    if done {
        lines.push(format!(
            "The old files can be read until lakeplan maintain deletes them, on {until} at the earliest. Earlier backups still contain everything."
        ));
    } else {
        lines.push(
            "nothing is erased yet; run with --yes to erase, which cannot be undone".to_owned(),
        );
    }
    Ok(Reply::new(json, lines.join("\n")))
}

/// Lists where the person is still mentioned, and what to do about it.
fn remains(mentions: &[Mention]) -> Vec<String> {
    let mut lines = Vec::new();
    if !mentions.is_empty() {
        lines.push("still named afterwards in:".to_owned());
    }
    for mention in mentions {
        let keys: Vec<String> =
            mention.keys.iter().map(|key| visible_line(key).into_owned()).collect();
        let keys = if keys.is_empty() { String::new() } else { format!(" ({})", keys.join(", ")) };
        lines.push(format!(
            "  {} of {}: {}{keys}",
            count(mention.rows, "row"),
            mention.table,
            mention.place
        ));
        lines.extend(
            mention.remedy.iter().map(|remedy| format!("    {}", visible_line(&hint_text(remedy)))),
        );
    }
    lines
}

fn mention_json(mention: &Mention) -> Value {
    json!({
        "table": mention.table, "columns": mention.place, "rows": mention.rows, "keys": mention.keys, "remedy": mention.remedy.iter().map(hint_text).collect::<Vec<_>>(),
    })
}
