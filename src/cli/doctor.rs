mod databricks;

use std::str::FromStr;

use serde_json::json;

use super::hint::hint_text;
use super::reply::{count, table};
use super::{CliError, Context, Reply};
use crate::app::App;
use crate::service::ServiceError;
use crate::store::doctor::{Anchor, Extent, Finding};
use crate::store::row::{hex, unhex};

/// Check the lake for damage, without changing it.
///
/// Checks every log entry of the journal, every row's digest, the hash chain, every folded table
/// against the journal, and that every file exists with its recorded size. Prints the head of the
/// hash chain. Keep that value somewhere else: it proves later that nothing was rewritten.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan doctor\n  lakeplan doctor --full\n  lakeplan doctor --anchor 42:9f86d081…\n  lakeplan --lake main.plan doctor --databricks --warehouse 1a2b3c"
)]
pub struct Args {
    /// Head of the hash chain that an earlier run printed, as SEQ:HASH.
    #[arg(long, value_name = "SEQ:HASH")]
    anchor: Option<AnchorWord>,
    /// Also read every file of the inbox and of the event tables (runs, agent_logs,
    /// inbox_results, table_state), and compare the checkpoints of every table's log with the
    /// log entries they replace.
    #[arg(long)]
    full: bool,
    /// Check Databricks instead of the lake: privileges, settings, registered tables and views.
    /// Prints the statement or setting that fixes each problem.
    #[arg(long, conflicts_with_all = ["anchor", "full"])]
    databricks: bool,
    /// SQL warehouse to check as well.
    #[arg(long, value_name = "ID", requires = "databricks")]
    warehouse: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct AnchorWord(Anchor);

impl FromStr for AnchorWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once(':')
            .and_then(|(seq, chain)| Some(Anchor { seq: seq.parse().ok()?, chain: unhex(chain)? }));
        parts.map(Self).ok_or_else(|| {
            "must be a seq, a colon and 64 hexadecimal digits, as doctor prints them".to_owned()
        })
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    if args.databricks {
        return databricks::run(args.warehouse.as_deref(), context).await;
    }
    let extent = Extent { is_full: args.full, ..Extent::usual(args.anchor.map(|word| word.0)) };
    let checkup = App::examine(&context.config, extent).await?;
    let head = format!("{}:{}", checkup.sets, hex(&checkup.chain));
    let finding = |finding: &Finding| json!({"place": finding.place, "what": finding.what, "way_out": hint_text(&finding.advice)});
    let json = json!({
        "head": head, "sets": checkup.sets, "rows": checkup.rows,
        "tables": checkup.tables.iter().map(|(name, rows, seq)| json!({"table": name, "rows": rows, "seq": seq})).collect::<Vec<_>>(),
        "findings": checkup.findings.iter().map(finding).collect::<Vec<_>>(),
    });
    if !checkup.findings.is_empty() {
        let lines = checkup.findings.iter().map(|finding| {
            format!("{}: {}\n    {}", finding.place, finding.what, hint_text(&finding.advice))
        });
        let message = format!(
            "{}\n  {}",
            count(checkup.findings.len(), "finding"),
            lines.collect::<Vec<_>>().join("\n  ")
        );
        return Err(if context.json {
            CliError::CheckFailed(json)
        } else {
            ServiceError::input(&context.config.lake.value, message).into()
        });
    }
    let rows = checkup
        .tables
        .iter()
        .map(|(name, rows, seq)| vec![(*name).to_owned(), rows.to_string(), seq.to_string()]);
    let mut text = String::new();
    if !checkup.tables.is_empty() {
        text = format!("{}\n", table(&["table", "rows", "folded to"], rows));
    }
    text.push_str(&format!(
        "{} in {}; digests and chain verify, the tables match the journal\nhead {head}",
        count(checkup.rows, "journal row"),
        count(checkup.sets as usize, "set"),
    ));
    Ok(Reply::new(json, text)
        .with_count("rows", checkup.rows)
        .with_count("sets", checkup.sets as usize))
}
