//! `doctor --databricks`: one line per requirement.

use serde_json::json;

use crate::app::App;
use crate::cli::hint::hint_text;
use crate::cli::reply::count;
use crate::cli::{CliError, Context, Reply};
use crate::databricks::{Check, State};
use crate::service::ServiceError;
use crate::service::preflight::preflight;

pub async fn run(warehouse: Option<&str>, context: &Context) -> Result<Reply, CliError> {
    let config = &context.config;
    let (catalog, schema) = App::catalog(config)?;
    let warehouse = warehouse.map(|id| App::warehouse(config, id)).transpose()?;
    let checks = preflight(&catalog, &schema, warehouse.as_ref()).await;
    let word = |state: State| match state {
        State::Ok => "ok",
        State::Missing => "missing",
        State::Unknown => "unknown",
    };
    let missing = checks.iter().filter(|check| check.state == State::Missing).count();
    let json = json!({
        "lake": schema.to_string(), "missing": missing,
        "checks": checks.iter().map(|check| json!({"what": check.what, "state": word(check.state), "said": check.message, "way_out": check.advice.as_ref().map(hint_text)})).collect::<Vec<_>>(),
    });
    let longest = checks.iter().map(|check| check.what.len()).max().unwrap_or(0);
    let line = |check: &Check| {
        let line = format!("{:<7}  {:<longest$}  {}", word(check.state), check.what, check.message);
        match &check.advice {
            Some(advice) => format!("{line}\n{:9}{}", "", hint_text(advice)),
            None => line,
        }
    };
    let text = checks.iter().map(line).collect::<Vec<_>>().join("\n");
    if missing == 0 {
        return Ok(Reply::new(json, format!("{text}\n{schema} has what it needs")));
    }
    Err(if context.json {
        CliError::CheckFailed(json)
    } else {
        ServiceError::input(
            schema.to_string(),
            format!("{} missing\n{text}", count(missing, "thing")),
        )
        .into()
    })
}
