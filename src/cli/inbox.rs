use serde_json::{Value, json};

use super::reply::{count, table};
use super::{CliError, Context, Reply};
use crate::analytics::{Session, rows_json, rows_text};
use crate::service::ServiceError;
use crate::service::inbox::{Answer, Answered, Fate};

/// Requests for change from those who have SQL. They insert rows into the table inbox: a request_id of their own, the
/// time, who asks, and a patch set as JSON. The answers are in inbox_results; the view requests shows both.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan inbox list\n  lakeplan inbox apply\n\nA request in SQL:\n  INSERT INTO inbox VALUES ('r-1', current_timestamp(), 'ana',\n    '{\"patches\":[{\"op\":\"update\",\"entity\":\"task\",\"id\":\"PAY-1\",\"fields\":{\"status\":\"review\"}}]}')"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Apply every request that waits, each all or nothing, the oldest first, and note the answers.
    Apply,
    /// The requests and their answers, those that wait first.
    List,
}

const LIST: &str = "SELECT substr(request_id, 1, 60) AS request_id, at, substr(user, 1, 40) AS user, state, seq, substr(message, 1, 200) AS message FROM requests
ORDER BY CASE WHEN state = 'waiting' THEN 0 ELSE 1 END, at DESC, request_id";

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    match args.verb {
        Verb::List => {
            let session =
                Session::open(&app.tables_with_inbox().await?, app.service.clock.now()).await.map_err(ServiceError::from)?;
            let batches = session.query(LIST).await.map_err(ServiceError::from)?;
            app.close().await;
            let json = rows_json(&batches).map_err(ServiceError::from)?;
            let (header, found) = rows_text(&batches).map_err(ServiceError::from)?;
            let total = found.len();
            let header: Vec<&str> = header.iter().map(String::as_str).collect();
            let text = if total == 0 { "no one has asked for anything".to_owned() } else { table(&header, found) };
            Ok(Reply::new(json!({"requests": json}), text).counting("requests", total))
        }
        Verb::Apply => {
            let answered = app.service.apply_inbox(&app.tables_with_inbox().await?).await?;
            app.close().await;
            match answered.stopped {
                // What was answered is noted; the rest waits for the next run.
                Some((fault, _)) => Err(fault.into()),
                None => Ok(told(&answered)),
            }
        }
    }
}

fn told(answered: &Answered) -> Reply {
    let answers = &answered.answers;
    let of = |fate| answers.iter().filter(|answer| answer.fate == fate).count();
    let (applied, refused, conflicts) = (of(Fate::Applied), of(Fate::Refused), of(Fate::Conflict));
    let mut text = match answers.len() {
        0 => "no request waits".to_owned(),
        number => {
            format!("{}: {applied} applied, {refused} refused, {}", count(number, "request"), count(conflicts, "conflict"))
        }
    };
    for answer in answers.iter().filter(|answer| answer.fate != Fate::Applied) {
        text.push_str(&format!("\n  {}: {}", answer.request_id, answer.message.as_deref().unwrap_or_default()));
    }
    Reply::new(json!({"answers": answers.iter().map(answer_json).collect::<Vec<_>>()}), text)
        .counting("applied", applied)
        .counting("refused", refused)
        .counting("conflicts", conflicts)
}

fn answer_json(answer: &Answer) -> Value {
    json!({
        "request_id": answer.request_id, "outcome": answer.fate.word(), "seq": answer.seq,
        "patch_set_id": answer.id.to_string(), "created_keys": answer.keys, "message": answer.message,
    })
}
