use serde_json::{Map, Value, json};

use super::context::request_by;
use super::limit::at_least_one;
use super::reply::{count, table};
use super::{CliError, Context, Reply};
use crate::analytics::{Session, rows_json, rows_text};
use crate::domain::time::rfc3339;
use crate::service::ServiceError;
use crate::service::inbox::{InboxOutcome, InboxResult, InboxRun, MAX_REQUESTS};
use crate::text::visible::visible_line;

/// Apply change requests submitted through SQL.
///
/// A request is a row in the table inbox: a request_id, the time, the requester, and a patch set
/// as JSON. The answers are in the table inbox_results; the view requests shows both.
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
    /// Apply waiting requests, oldest first, each all or nothing, and record the answers. If
    /// more are waiting than --limit, users take turns.
    Apply {
        /// Maximum number of requests to answer in this run; the rest wait for the next.
        #[arg(long, value_name = "NUMBER", default_value_t = MAX_REQUESTS, value_parser = most)]
        limit: usize,
    },
    /// List requests and their answers, waiting requests first.
    List {
        /// Maximum number of requests to show.
        #[arg(long, value_name = "NUMBER", default_value_t = 500, value_parser = at_least_one)]
        limit: usize,
    },
}

fn most(text: &str) -> Result<usize, String> {
    at_least_one(text)
        .ok()
        .filter(|number| *number <= 100_000)
        .ok_or_else(|| "must be a whole number, 1 or more and at most 100000".to_owned())
}

const LIST: &str = "SELECT substr(request_id, 1, 60) AS request_id, at, substr(user, 1, 40) AS user, state, seq, substr(message, 1, 200) AS message FROM requests
ORDER BY CASE WHEN state = 'waiting' THEN 0 ELSE 1 END, at DESC, request_id";
const STATES: &str =
    "SELECT state, count(*) AS requests FROM requests GROUP BY state ORDER BY state";
const WITHOUT_ID: &str = "SELECT count(*) AS rows FROM inbox WHERE request_id IS NULL";

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    match args.verb {
        Verb::List { limit } => {
            let session = Session::open(&app.tables_with_inbox().await?, app.service.clock.now())
                .await
                .map_err(ServiceError::from)?;
            let query = async |sql: &str| session.query(sql).await.map_err(ServiceError::from);
            // SQL has no larger number.
            let most = i64::try_from(limit).unwrap_or(i64::MAX);
            let batches = query(&format!("{LIST} LIMIT {most}")).await?;
            let states = rows_json(&query(STATES).await?).map_err(ServiceError::from)?;
            let without_id = rows_json(&query(WITHOUT_ID).await?).map_err(ServiceError::from)?;
            app.shutdown().await;
            let json = rows_json(&batches).map_err(ServiceError::from)?;
            let rows = rows_text(&batches).map_err(ServiceError::from)?;
            Ok(list(&json, rows, &states, without_id[0]["rows"].as_u64().unwrap_or_default()))
        }
        Verb::Apply { limit } => {
            let answered = app
                .service
                .apply_inbox(&app.tables_with_inbox().await?, limit, &request_by(&app))
                .await?;
            app.shutdown().await;
            match answered.stopped {
                // The responses so far are recorded; the rest waits for the next run.
                Some((err, _)) => Err(err.into()),
                None => Ok(summary(&answered)),
            }
        }
    }
}

fn list(
    json: &Value,
    (header, mut found): (Vec<String>, Vec<Vec<String>>),
    states: &Value,
    without_id: u64,
) -> Reply {
    found.iter_mut().flatten().for_each(|cell| *cell = visible_line(cell).into_owned());
    let states = states.as_array().into_iter().flatten();
    let states: Map<String, Value> = states
        .filter_map(|row| Some((row["state"].as_str()?.to_owned(), row["requests"].clone())))
        .collect();
    let total: u64 = states.values().filter_map(Value::as_u64).sum();
    let number = usize::try_from(total).unwrap_or(usize::MAX);
    let mut text = if total == 0 {
        "there are no requests".to_owned()
    } else {
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        table(&header, found.clone())
    };
    if found.len() < number {
        text.push_str(&format!(
            "\n{} of {}; use --limit to show more",
            found.len(),
            count(number, "request")
        ));
    }
    if without_id > 0 {
        text.push_str(&format!("\n{}", no_id(usize::try_from(without_id).unwrap_or(usize::MAX))));
    }
    let json =
        json!({"requests": json, "total": total, "states": states, "rows_without_id": without_id});
    Reply::new(json, text).with_count("requests", number)
}

/// Shortens an id to one line.
fn short(id: &str) -> String {
    let cut: String = id.chars().take(60).collect();
    visible_line(&cut).into_owned()
}

fn no_id(number: usize) -> String {
    let verb = if number == 1 { "has" } else { "have" };
    format!(
        "{} {verb} no request_id that is a text, so nothing can be answered: SELECT * FROM inbox WHERE request_id IS NULL",
        count(number, "row")
    )
}

fn summary(answered: &InboxRun) -> Reply {
    let answers = &answered.answers;
    let of = |outcome| answers.iter().filter(|answer| answer.outcome == outcome).count();
    let (applied, refused, conflicts) =
        (of(InboxOutcome::Applied), of(InboxOutcome::Refused), of(InboxOutcome::Conflict));
    let mut text = match answers.len() {
        0 => "no request waits".to_owned(),
        number => {
            format!(
                "{}: {applied} applied, {refused} refused, {}",
                count(number, "request"),
                count(conflicts, "conflict")
            )
        }
    };
    for answer in answers.iter().filter(|answer| answer.outcome != InboxOutcome::Applied) {
        let id = short(&answer.request_id);
        text.push_str(&format!("\n  {id}: {}", answer.message.as_deref().unwrap_or_default()));
    }
    for answer in answers.iter().filter(|answer| answer.others > 0) {
        let id = short(&answer.request_id);
        let verb = if answer.others == 1 { "has" } else { "have" };
        text.push_str(&format!(
            "\n  {id}: {} more {verb} this request_id and {verb} no effect",
            count(answer.others, "row")
        ));
    }
    if answered.left > 0 {
        let verb = if answered.left == 1 { "waits" } else { "wait" };
        text.push_str(&format!("\n{} {verb} for the next run", count(answered.left, "row")));
    }
    if answered.without_id > 0 {
        text.push_str(&format!("\n{}", no_id(answered.without_id)));
        answered.described.iter().for_each(|row| text.push_str(&format!("\n  {row}")));
        if answered.without_id > answered.described.len() {
            text.push_str("\n  …");
        }
    }
    for file in &answered.unreadable {
        text.push_str(&format!("\ncannot be read, and is left out: {file}"));
    }
    let json = json!({
        "answers": answers.iter().map(answer_json).collect::<Vec<_>>(), "waiting": answered.left,
        "rows_without_id": {"count": answered.without_id, "rows": answered.described}, "unreadable_files": answered.unreadable,
    });
    // The responses are recorded, whatever their outcome.
    let reply = match answers.len() {
        0 => Reply::new(json, text),
        number => Reply::new(json, text).standing(format!("{} answered", count(number, "request"))),
    };
    reply
        .with_count("applied", applied)
        .with_count("refused", refused)
        .with_count("conflicts", conflicts)
        .with_count("waiting", answered.left)
        .with_count("rows_without_id", answered.without_id)
}

fn answer_json(answer: &InboxResult) -> Value {
    json!({
        "request_id": answer.request_id, "outcome": answer.outcome.as_str(), "seq": answer.seq,
        "patch_set_id": answer.id.to_string(), "created_keys": answer.keys, "message": answer.message,
        "request_at": answer.at.map(rfc3339), "rows_without_effect": answer.others,
    })
}
