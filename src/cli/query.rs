mod output;
mod timeout;
mod warehouse;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::reply::{count, rows, table};
use super::{CliError, Context, Reply, cancel};
use crate::analytics::{
    AnalyticsError, AsOfSnapshot, Format, LakeSelect, RecordBatch, Select, Session, VIEWS,
    csv_for_spreadsheets, memory_exceeded, rows_json, rows_text, run_blocking,
};
use crate::app::App;
use crate::databricks::warehouse::{Param, Stop};
use crate::domain::time::AsOf;
use crate::service::ServiceError;
use crate::store::Scope;
use crate::text::visible::visible_json;
use timeout::Timeout;

/// Query tables and views with SQL (read-only).
///
/// Only SELECT is allowed; a query changes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan query \"SELECT status, count(*) FROM tasks GROUP BY status\"\n  lakeplan query --view workload\n  lakeplan query --view workload --as-of 2026-11-20\n  lakeplan query --view audit --format csv > audit.csv\n  lakeplan query --views\n  lakeplan --lake main.plan query --warehouse 1a2b3c \"SELECT * FROM tasks WHERE key = :key\" --param key=PAY-1"
)]
pub struct Args {
    /// A single SELECT statement.
    #[arg(required_unless_present_any = ["view", "views"])]
    sql: Option<String>,
    /// Show all rows of a view.
    #[arg(long, value_name = "NAME", conflicts_with = "sql")]
    view: Option<String>,
    /// List the views.
    #[arg(long, conflicts_with_all = ["sql", "view"])]
    views: bool,
    /// Read the lake as of a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME", conflicts_with = "views")]
    as_of: Option<AsOf>,
    /// Output format: table, json, csv or parquet. CSV and Parquet are written as they are,
    /// also to a terminal.
    #[arg(long)]
    format: Option<Format>,
    /// Make CSV safe to open in a spreadsheet: text that starts with =, +, -, @, a tab or a
    /// line end gets a leading ', so that it is not a formula. Numbers stay numbers.
    #[arg(long, requires = "format")]
    safe_for_spreadsheets: bool,
    /// Run the query on this Databricks SQL warehouse. Names without a schema refer to the
    /// lake, if the lake is catalog.schema.
    #[arg(long, value_name = "ID", conflicts_with_all = ["as_of", "views"])]
    warehouse: Option<String>,
    /// Value for :NAME in the SQL, with an optional type: day=2026-11-21:DATE.
    #[arg(long = "param", value_name = "NAME=VALUE[:TYPE]", requires = "warehouse")]
    params: Vec<Param>,
    /// Time limit: 90, 90s, 5m or 1h; 0 means no limit.
    #[arg(long, value_name = "DURATION", conflicts_with = "views", default_value = "10m")]
    timeout: Timeout,
    /// Memory limit, such as 512MiB. A query that needs more spills to a temporary folder, or
    /// is refused [default: LAKEPLAN_QUERY_MEMORY, else 1GiB].
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["warehouse", "views"])]
    memory: Option<String>,
}

impl Args {
    /// Returns the memory flag, which overrides a setting.
    pub fn memory(&self) -> Option<&String> {
        self.memory.as_ref()
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    if args.views {
        let listed = VIEWS.iter().map(|view| vec![view.name.to_owned(), view.doc().to_owned()]);
        let json: Vec<_> =
            VIEWS.iter().map(|view| json!({"name": view.name, "doc": view.doc()})).collect();
        return Ok(Reply::new(json!({"views": json}), table(&["view", "what it shows"], listed)));
    }
    let sql = match (&args.sql, &args.view) {
        (Some(sql), _) => sql.clone(),
        (None, Some(name)) => {
            let known = VIEWS.iter().any(|view| view.name == name);
            if !known {
                let names: Vec<&str> = VIEWS.iter().map(|view| view.name).collect();
                return Err(CliError::usage(format!(
                    "there is no view {name:?}; there are {}",
                    names.join(", ")
                )));
            }
            format!("SELECT * FROM {name}")
        }
        (None, None) => return Err(CliError::usage("specify a query: a SELECT, or --view NAME")),
    };
    let format = args.format.unwrap_or(if context.json { Format::Json } else { Format::Table });
    if args.safe_for_spreadsheets && format != Format::Csv {
        return Err(CliError::usage("--safe-for-spreadsheets is for --format csv"));
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = args.params.iter().map(Param::name).find(|name| !names.insert(*name)) {
        return Err(CliError::usage(format!("--param {twice} is given twice")));
    }
    if let Some(id) = &args.warehouse {
        let select = match &args.view {
            Some(view) => Select::all_of(view),
            None => Select::parse(&sql).map_err(ServiceError::from)?,
        };
        let found = warehouse::rows(
            id,
            &select,
            &args.params,
            format,
            cancel::stop_after(args.timeout.0),
            context,
        )
        .await?;
        return match format {
            Format::Csv if args.safe_for_spreadsheets => {
                Ok(Reply::raw(csv_for_spreadsheets(&found.batches).map_err(ServiceError::from)?))
            }
            Format::Csv | Format::Parquet => {
                Ok(Reply::raw(format.encode(&found.batches).map_err(ServiceError::from)?))
            }
            Format::Json | Format::Table => {
                let reply = shown(&found.batches, format, context.json, found.is_truncated);
                Ok(reply.map_err(ServiceError::from)?)
            }
        };
    }
    let select = LakeSelect::parse(&sql).map_err(ServiceError::from)?;
    tokio::select! {
        answered = of_lake(&select, &args, format, context) => answered,
        () = memory_exceeded(context.config.memory) => {
            Err(ServiceError::from(AnalyticsError::Memory { most: context.config.memory }).into())
        }
        stop = cancel::stop_after(args.timeout.0) => Err(ServiceError::from(match (stop, args.timeout.0) {
            (Stop::Deadline, Some(within)) => AnalyticsError::Deadline(within),
            _ => AnalyticsError::Interrupted,
        }).into()),
    }
}

/// Answers a query from the lake's own session. A table is laid out as a whole; other formats are
/// streamed.
async fn of_lake(
    select: &LakeSelect,
    args: &Args,
    format: Format,
    context: &Context,
) -> Result<Reply, CliError> {
    let app = context.open().await?;
    // Folds what a killed process left unfolded, so that the result is current.
    app.try_fold().await?;
    let session = open(&app, select, args.as_of, context.config.memory).await?;
    let reply = if format == Format::Table {
        let batches = session.gather(select, TIMES_AS_TEXT).await.map_err(ServiceError::from)?;
        let wants_json = context.json;
        run_blocking(move || shown(&batches, format, wants_json, false))
            .await
            .map_err(ServiceError::from)?
    } else {
        let answer = session.stream(select).await.map_err(ServiceError::from)?;
        output::write(answer, format, context.json, args.safe_for_spreadsheets).await?
    };
    app.shutdown().await;
    Ok(reply)
}

/// Memory of a table layout, as a multiple of the size of its rows.
const TIMES_AS_TEXT: usize = 8;

/// Formats a result. Creates JSON only on request, because not every type has a JSON form.
fn shown(
    batches: &[RecordBatch],
    format: Format,
    wants_json: bool,
    is_truncated: bool,
) -> Result<Reply, AnalyticsError> {
    if format == Format::Json {
        let json = rows_json(batches)?;
        let text = visible_json(&json.to_string()).into_owned();
        return Ok(Reply::new(json, text));
    }
    if wants_json {
        return Ok(Reply::new(rows_json(batches)?, String::new()));
    }
    let (header, found) = rows_text(batches)?;
    let total = count(found.len(), "row")
        + if is_truncated { ", cut off by the warehouse's limit" } else { "" };
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    Ok(Reply::new(
        Value::Null,
        format!("{}\n{total}", rows(&header, found)).trim_start().to_owned(),
    ))
}

async fn open(
    app: &App,
    select: &LakeSelect,
    as_of: Option<AsOf>,
    memory: u64,
) -> Result<Session, ServiceError> {
    let (service, now, tables) =
        (&app.service, app.service.clock.now(), app.tables_of(select.reads()).await?);
    let Some(as_of) = as_of else { return Ok(Session::open_at(&tables, now, None, memory).await?) };
    let snapshot = service.read(&Scope::All, Some(as_of)).await?;
    let at = match as_of {
        // A day that is not over yet is read up to now.
        AsOf::Time(asked) => asked.min(now).max(snapshot.at),
        AsOf::Seq(_) => snapshot.at,
    };
    Ok(Session::open_at(&tables, at, Some(AsOfSnapshot { snapshot, at }), memory).await?)
}
