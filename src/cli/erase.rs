use serde_json::{Value, json};

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

/// Erases what a record says of someone, now and in its history: the values become neutral, the earlier ones leave the
/// journal, and the hash chain still verifies. It cannot be undone. Without --yes it shows what would be erased. It tells
/// where a person still stands afterwards, such as in texts of other records and in the inbox, and what to do about it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan erase user @ana\n  lakeplan erase user @ana --yes\n  lakeplan erase task PAY-42 --yes"
)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Do it.
    #[arg(long, global = true)]
    yes: bool,
    /// Another name of the person, or a text, to look for in what stays; may be given more than once.
    #[arg(long, global = true, value_name = "NAME")]
    also: Vec<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A user's handle, name, e-mail address, time zone, work hours and metadata.
    User {
        /// Handle, e-mail address or id.
        user: String,
    },
    /// A task's title, description, tags, source and metadata.
    Task {
        /// Key or id.
        task: String,
    },
    /// A project's own name, description, source and metadata; not its tasks.
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
    let mentions = app.mentions(erasable.record, &names).await?;
    let reply = erase(&app, &erasable, &mentions, args.yes).await?;
    app.close().await;
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
    let (journal_files, table_files) = app.files_to_erase(erasable).await?;
    let table_files = if erasable.fields.is_empty() { 0 } else { table_files };
    let (mut journal_rows, mut seq) = (erasable.rows.len(), None);
    let mut written = journal_files;
    if yes && !erasable.is_empty() {
        let (done, erased) = app.erase(erasable).await?;
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
    // Where the record is neutral already, values may have come before and gone.
    let named = if erasable.fields.is_empty() {
        fields(entity).join(", ")
    } else {
        erasable.fields.join(", ")
    };
    lines.push(format!("{verb} {named}"));
    // The change that puts neutral values in place holds the old ones as well, so in the end it is one row more.
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
            "The old files can be read until lakeplan maintain deletes them, on {until} at the earliest. Backups made before hold everything still."
        ));
    } else {
        lines.push("nothing is erased yet, and it cannot be undone; --yes does it".to_owned());
    }
    Ok(Reply::new(json, lines.join("\n")))
}

/// Where the person still stands, and what to do about it.
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
        lines.extend(mention.remedy.iter().map(|remedy| format!("    {}", visible_line(remedy))));
    }
    lines
}

fn mention_json(mention: &Mention) -> Value {
    json!({
        "table": mention.table, "columns": mention.place, "rows": mention.rows, "keys": mention.keys, "remedy": mention.remedy,
    })
}
