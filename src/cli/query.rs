mod warehouse;

use serde_json::json;

use super::reply::{count, rows, table};
use super::{CliError, Context, Reply};
use crate::analytics::warehouse::Param;
use crate::analytics::{Format, Select, Session, Then, VIEWS, csv_for_spreadsheets, rows_json, rows_text};
use crate::app::App;
use crate::domain::time::AsOf;
use crate::service::ServiceError;
use crate::store::Scope;
use crate::text::visible::visible_json;

/// Answers by SQL, over the tables and views of the lake. Only SELECT: nothing can be changed here.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan query \"SELECT status, count(*) FROM tasks GROUP BY status\"\n  lakeplan query --view workload\n  lakeplan query --view workload --as-of 2026-11-20\n  lakeplan query --view audit --format csv > audit.csv\n  lakeplan query --views\n  lakeplan --lake main.plan query --warehouse 1a2b3c \"SELECT * FROM tasks WHERE key = :key\" --param key=PAY-1"
)]
pub struct Args {
    /// One SELECT.
    #[arg(required_unless_present_any = ["view", "views"])]
    sql: Option<String>,
    /// All of a view.
    #[arg(long, value_name = "NAME", conflicts_with = "sql")]
    view: Option<String>,
    /// What views there are.
    #[arg(long, conflicts_with_all = ["sql", "view"])]
    views: bool,
    /// The lake as it was: a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME", conflicts_with = "views")]
    as_of: Option<AsOf>,
    /// table, json, csv or parquet. What is CSV or Parquet is data and goes as it is, to a terminal too.
    #[arg(long)]
    format: Option<Format>,
    /// For CSV that a spreadsheet is to open: a text that begins with =, +, -, @, a tab or a line end gets a ' before it, so
    /// that it is no formula. Numbers stay numbers.
    #[arg(long, requires = "format")]
    safe_for_spreadsheets: bool,
    /// Ask this SQL warehouse of Databricks; names without a schema are those of the lake, where it is catalog.schema.
    #[arg(long, value_name = "ID", conflicts_with_all = ["as_of", "views"])]
    warehouse: Option<String>,
    /// A value for :NAME in the SQL, with a type or without: day=2026-11-21:DATE.
    #[arg(long = "param", value_name = "NAME=VALUE[:TYPE]", requires = "warehouse")]
    params: Vec<Param>,
    /// How long the warehouse may take, in seconds.
    #[arg(long, value_name = "SECONDS", requires = "warehouse", default_value_t = 600)]
    timeout: u64,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    if args.views {
        let listed = VIEWS.iter().map(|view| vec![view.name.to_owned(), view.doc().to_owned()]);
        let json: Vec<_> = VIEWS.iter().map(|view| json!({"name": view.name, "doc": view.doc()})).collect();
        return Ok(Reply::new(json!({"views": json}), table(&["view", "what it shows"], listed)));
    }
    let sql = match (&args.sql, &args.view) {
        (Some(sql), _) => sql.clone(),
        (None, Some(name)) => {
            let known = VIEWS.iter().any(|view| view.name == name);
            if !known {
                let names: Vec<&str> = VIEWS.iter().map(|view| view.name).collect();
                return Err(CliError::usage(format!("there is no view {name:?}; there are {}", names.join(", "))));
            }
            format!("SELECT * FROM {name}")
        }
        (None, None) => return Err(CliError::usage("say what to ask: a SELECT, or --view NAME")),
    };
    let format = args.format.unwrap_or(if context.json { Format::Json } else { Format::Table });
    if args.safe_for_spreadsheets && format != Format::Csv {
        return Err(CliError::usage("--safe-for-spreadsheets is for --format csv"));
    }
    let mut is_truncated = false;
    let batches = if let Some(id) = &args.warehouse {
        let select = match &args.view {
            Some(view) => Select::all_of(view),
            None => Select::parse(&sql).map_err(ServiceError::from)?,
        };
        let rows = warehouse::rows(id, &select, &args, format, context).await?;
        is_truncated = rows.is_truncated;
        rows.batches
    } else {
        let app = context.open().await?;
        // What a killed process left unfolded is folded first, so that the answer is of now.
        app.fold_if_may().await?;
        let session = open(&app, &sql, args.as_of).await?;
        let batches = session.query(&sql).await.map_err(ServiceError::from)?;
        app.close().await;
        batches
    };
    let encoded = |format: Format| format.encode(&batches).map_err(ServiceError::from);
    match format {
        Format::Csv if args.safe_for_spreadsheets => Ok(Reply::raw(csv_for_spreadsheets(&batches).map_err(ServiceError::from)?)),
        Format::Csv | Format::Parquet => Ok(Reply::raw(encoded(format)?)),
        Format::Json => {
            let json = rows_json(&batches).map_err(ServiceError::from)?;
            let text = visible_json(&json.to_string()).into_owned();
            Ok(Reply::new(json, text))
        }
        Format::Table => {
            let (header, found) = rows_text(&batches).map_err(ServiceError::from)?;
            let total = count(found.len(), "row") + if is_truncated { ", cut off by the warehouse's limit" } else { "" };
            let header: Vec<&str> = header.iter().map(String::as_str).collect();
            let json = rows_json(&batches).map_err(ServiceError::from)?;
            Ok(Reply::new(json, format!("{}\n{total}", rows(&header, found)).trim_start().to_owned()))
        }
    }
}

async fn open(app: &App, sql: &str, as_of: Option<AsOf>) -> Result<Session, ServiceError> {
    let (service, now, tables) = (&app.service, app.service.clock.now(), app.tables_of(sql).await?);
    let Some(as_of) = as_of else { return Ok(Session::open(&tables, now).await?) };
    let snapshot = service.read(&Scope::All, Some(as_of)).await?;
    let at = match as_of {
        // A day that is not over yet is asked of as far as it went.
        AsOf::Time(asked) => asked.min(now).max(snapshot.at),
        AsOf::Seq(_) => snapshot.at,
    };
    Ok(Session::open_then(&tables, Then { snapshot, at }).await?)
}
