use serde_json::json;

use super::reply::table;
use super::{CliError, Context, Reply};
use crate::store::tables::FoldedTable;

/// Bring the current tables up to date with the journal.
///
/// Every command that changes something folds before it ends. Use this command after a process
/// was killed. It also checks that every file of the tables exists with its recorded size, and
/// rebuilds a table that fails the check.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan fold\n  lakeplan fold --rebuild\n  lakeplan fold --rebuild tasks"
)]
pub struct Args {
    /// Rebuild one current table, or all of them, from the journal, whatever they hold.
    #[arg(long, value_name = "TABLE", num_args = 0..=1)]
    rebuild: Option<Option<String>>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let app = if args.rebuild.is_some() {
        context.open_to_rebuild().await?
    } else {
        context.open().await?
    };
    let report = match args.rebuild {
        None => app.fold().await?,
        Some(name) => {
            let table = name.map(|name| named(&name)).transpose()?;
            let rebuilt = app.rebuild(table).await?;
            app.service.store.fold().await?;
            rebuilt
        }
    };
    app.shutdown().await;
    let tables: Vec<_> = report.tables.iter().filter(|(_, folded)| folded.files > 0).collect();
    let json: Vec<_> = tables
        .iter()
        .map(|(name, folded)| json!({"table": name, "rows": folded.rows, "files": folded.files}))
        .collect();
    let json = json!({"seq": report.seq, "tables": json, "skipped": report.skipped});
    let standing = format!("the tables show seq {}", report.seq);
    if !report.skipped.is_empty() {
        let text = format!("skipped because of table features: {}", report.skipped.join(", "));
        return Ok(Reply::new(json, text).standing(standing));
    }
    if tables.is_empty() {
        return Ok(Reply::new(json, format!("{standing} already")).standing(standing));
    }
    let rows = tables.iter().map(|(name, folded)| {
        vec![(*name).to_owned(), folded.rows.to_string(), folded.files.to_string()]
    });
    let text = format!("{}\n{standing}", table(&["table", "changed rows", "files written"], rows));
    Ok(Reply::new(json, text).standing(standing))
}

/// Finds the current table with a name.
fn named(name: &str) -> Result<FoldedTable, CliError> {
    FoldedTable::all().find(|table| table.name() == name).ok_or_else(|| {
        let names: Vec<&str> = FoldedTable::all().map(FoldedTable::name).collect();
        CliError::Usage {
            message: format!("{name:?} is not a current table"),
            hint: Some(format!("the current tables are {}", names.join(", "))),
        }
    })
}
