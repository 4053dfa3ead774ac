use serde_json::{Map, Value, json};

use super::limit::at_least_one;
use super::reply::{count, table};
use super::{CliError, Context, Reply};
use crate::analytics::{Session, rows_json, rows_text};
use crate::domain::time::rfc3339;
use crate::service::ServiceError;
use crate::service::inbox::{Answer, Answered, Fate, MOST};
use crate::text::visible::visible_line;

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
    /// Apply the requests that wait, each all or nothing, the oldest first, and note the answers. Where more wait than a
    /// run takes, the users take turns.
    Apply {
        /// The most requests to answer in this run; the rest waits for the next.
        #[arg(long, value_name = "NUMBER", default_value_t = MOST, value_parser = most)]
        limit: usize,
    },
    /// The requests and their answers, those that wait first.
    List {
        /// The most requests to show.
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
            app.close().await;
            let json = rows_json(&batches).map_err(ServiceError::from)?;
            let rows = rows_text(&batches).map_err(ServiceError::from)?;
            Ok(list(&json, rows, &states, without_id[0]["rows"].as_u64().unwrap_or_default()))
        }
        Verb::Apply { limit } => {
            let answered = app.service.apply_inbox(&app.tables_with_inbox().await?, limit).await?;
            app.close().await;
            match answered.stopped {
                // What was answered is noted; the rest waits for the next run.
                Some((err, _)) => Err(err.into()),
                None => Ok(said(&answered)),
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
        "no one has asked for anything".to_owned()
    } else {
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        table(&header, found.clone())
    };
    if found.len() < number {
        text.push_str(&format!(
            "\n{} of {}; --limit shows more",
            found.len(),
            count(number, "request")
        ));
    }
    if without_id > 0 {
        text.push_str(&format!("\n{}", no_id(usize::try_from(without_id).unwrap_or(usize::MAX))));
    }
    let json =
        json!({"requests": json, "total": total, "states": states, "rows_without_id": without_id});
    Reply::new(json, text).counting("requests", number)
}

/// The first characters of an id, as one line.
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

fn said(answered: &Answered) -> Reply {
    let answers = &answered.answers;
    let of = |fate| answers.iter().filter(|answer| answer.fate == fate).count();
    let (applied, refused, conflicts) = (of(Fate::Applied), of(Fate::Refused), of(Fate::Conflict));
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
    for answer in answers.iter().filter(|answer| answer.fate != Fate::Applied) {
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
    // What was judged is noted beside the journal, whatever became of it.
    let reply = match answers.len() {
        0 => Reply::new(json, text),
        number => Reply::new(json, text).standing(format!("{} answered", count(number, "request"))),
    };
    reply
        .counting("applied", applied)
        .counting("refused", refused)
        .counting("conflicts", conflicts)
        .counting("waiting", answered.left)
        .counting("rows_without_id", answered.without_id)
}

fn answer_json(answer: &Answer) -> Value {
    json!({
        "request_id": answer.request_id, "outcome": answer.fate.word(), "seq": answer.seq,
        "patch_set_id": answer.id.to_string(), "created_keys": answer.keys, "message": answer.message,
        "request_at": answer.at.map(rfc3339), "rows_without_effect": answer.others,
    })
}
