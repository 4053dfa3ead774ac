use serde_json::{Value, json};

use super::context::request_by;
use super::reply::{count, table};
use super::{CliError, Context, Reply};
use crate::app::Upgrade;
use crate::store::Format;

/// Upgrade the lake to this version's format.
///
/// Older versions of lakeplan cannot open the lake afterwards. Values that an earlier version
/// accepted and no field can hold, such as a day in year 0, are cleared in one change of the
/// history. Current tables that still hold one are rebuilt from the journal.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lakeplan upgrade --dry-run\n  lakeplan upgrade")]
pub struct Args {
    /// Show what would happen, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let upgrade = match args.dry_run {
        true => app.plan_upgrade().await?,
        false => app.upgrade(&request_by(&app)).await?,
    };
    app.shutdown().await;
    let (current, cleared) = (
        Format::default().current(),
        upgrade.repairs.iter().filter(|repair| repair.obstacle.is_none()),
    );
    let cleared = cleared.count();
    let is_needed =
        upgrade.format.is_some() || !upgrade.repairs.is_empty() || !upgrade.tables.is_empty();
    let text = if is_needed {
        message(&upgrade, args.dry_run)
    } else {
        format!("the lake has format {current} already")
    };
    Ok(Reply::new(json_of(&upgrade, current, args.dry_run), text).with_count("cleared", cleared))
}

fn json_of(upgrade: &Upgrade, current: u32, is_dry: bool) -> Value {
    let values: Vec<Value> = upgrade
        .repairs
        .iter()
        .map(|repair| {
            let value = &repair.value;
            json!({
                "entity": value.entity.as_str(), "id": value.id.to_string(), "name": repair.name, "field": value.field,
                "value": value.value, "seq": value.seq, "obstacle": repair.obstacle,
            })
        })
        .collect();
    let tables: Vec<Value> = upgrade
        .tables
        .iter()
        .map(|(table, values)| json!({"table": table.name(), "values": values}))
        .collect();
    let last = upgrade.done.last();
    json!({
        "format": current, "from": upgrade.format.map_or(current, |(from, _)| from), "dry_run": is_dry,
        "changed": !upgrade.done.is_empty() || (!is_dry && !upgrade.tables.is_empty()),
        "values": values, "tables": tables,
        "seq": last.map(|done| done.seq), "patch_set_id": last.map(|done| done.id.to_string()),
    })
}

fn message(upgrade: &Upgrade, is_dry: bool) -> String {
    let would = |is: &str, done: &str| if is_dry { format!("would {is}") } else { done.to_owned() };
    let mut parts = Vec::new();
    if let Some((from, to)) = upgrade.format {
        parts.push(format!("{} from format {from} to {to}", would("raise the lake", "raised")));
    }
    let (clear, left): (Vec<_>, Vec<_>) =
        upgrade.repairs.iter().partition(|repair| repair.obstacle.is_none());
    for (repairs, what) in [
        (&clear, would("clear", "cleared")),
        (&left, "left as it is: give the field another value".to_owned()),
    ] {
        if repairs.is_empty() {
            continue;
        }
        let rows = repairs.iter().map(|repair| {
            let value = &repair.value;
            let why = repair.obstacle.clone().unwrap_or_default();
            vec![
                repair.name.clone(),
                value.field.clone(),
                cut(&value.value.to_string()),
                value.seq.to_string(),
                why,
            ]
        });
        let header = ["record", "field", "value", "set in seq", "why"];
        parts.push(format!("{what}: {}\n{}", count(repairs.len(), "value"), table(&header, rows)));
    }
    if !upgrade.tables.is_empty() {
        let names = upgrade
            .tables
            .iter()
            .map(|(table, values)| format!("{} ({})", table.name(), count(*values, "value")));
        let what = would(
            "take such values out of the current tables",
            "such values were taken out of the current tables",
        );
        parts.push(format!("{what}: {}", names.collect::<Vec<_>>().join(", ")));
    }
    if let Some(done) = upgrade.done.last() {
        parts.push(format!(
            "the last change is seq {}; the values before it stay in the history",
            done.seq
        ));
    }
    if is_dry {
        parts.push("nothing was written".to_owned());
    }
    parts.join("\n")
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}
