use serde_json::json;

use super::reply::{count, table};
use super::{CliError, Context, Reply};
use crate::store::Vacuumed;

/// Keep the lake fast: fold, compact, checkpoint, vacuum.
///
/// Folds; merges small files of the journal and of past days of the event tables; deletes rows of
/// event tables past their retention; writes checkpoints. Deletes files that no version of the
/// last seven days needs, log entries that a checkpoint replaces, and, in a local folder,
/// temporary files that killed processes left more than a day ago. A lost file of an event table
/// is removed from the table, and a broken checkpoint is written again. No row is deleted while
/// this machine's clock is far ahead of everything in the lake. Safe beside writers and readers.
/// It does not change the inbox.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lakeplan maintain")]
pub struct Args {}

pub async fn run(_: Args, context: &Context) -> Result<Reply, CliError> {
    let app = context.open().await?;
    let report = app.maintain().await?;
    app.shutdown().await;
    let tables: Vec<_> = report
        .vacuumed
        .iter()
        .map(|(name, vacuumed)| json!({"table": name, "files": vacuumed.files, "bytes": vacuumed.bytes, "log_entries": vacuumed.entries}))
        .collect();
    let compacted = report.compacted.iter().map(|(name, done)| {
        json!({"table": name, "expired_rows": done.expired, "from": done.from, "into": done.into, "duplicates": done.duplicates})
    });
    let json = json!({
        "seq": report.seq, "compacted": {"from": report.journal.from, "into": report.journal.into},
        "condensed": compacted.collect::<Vec<_>>(), "vacuumed": tables,
        "temporaries": {"files": report.temporaries.files, "bytes": report.temporaries.bytes},
    });
    let rows = report.vacuumed.iter().filter(|(_, vacuumed)| vacuumed.files + vacuumed.entries > 0);
    let rows: Vec<Vec<String>> = rows
        .map(|(name, vacuumed)| {
            vec![
                (*name).to_owned(),
                vacuumed.files.to_string(),
                format!("{} KiB", vacuumed.bytes >> 10),
                vacuumed.entries.to_string(),
            ]
        })
        .collect();
    let mut text = match report.journal.from {
        0 => "the journal needs no compaction\n".to_owned(),
        from => format!("{} of the journal became {}\n", count(from, "file"), report.journal.into),
    };
    for (name, done) in &report.compacted {
        if done.from > 0 {
            text.push_str(&format!(
                "{} of {name} became {}\n",
                count(done.from, "file"),
                done.into
            ));
        }
        if done.expired > 0 {
            text.push_str(&format!("{} of {name} expired\n", count(done.expired, "row")));
        }
    }
    if report.temporaries.files > 0 {
        text.push_str(&format!(
            "{} of killed processes deleted\n",
            count(report.temporaries.files, "temporary file")
        ));
    }
    if rows.is_empty() {
        text.push_str("nothing is old enough to be deleted");
    } else {
        text.push_str(&table(&["table", "files deleted", "freed", "log entries deleted"], rows));
    }
    let deleted =
        |of: fn(&Vacuumed) -> usize| report.vacuumed.iter().map(|(_, vacuumed)| of(vacuumed)).sum();
    Ok(Reply::new(json, text)
        .standing("the round of maintenance is done")
        .with_count("files_joined", report.journal.from)
        .with_count("files_deleted", deleted(|vacuumed| vacuumed.files))
        .with_count("log_entries_deleted", deleted(|vacuumed| vacuumed.entries)))
}
