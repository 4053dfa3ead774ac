//! Builds the rows of `table_state`: the current tables after a fold or a maintenance run.

use serde_json::{Value, json};
use uuid::Uuid;

use super::FoldReport;
use super::delta_log::table::TableSize;
use crate::domain::record::Fields;
use crate::domain::time::{Instant, rfc3339};

/// Result of a run for one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCount {
    pub rows: usize,
    pub size: TableSize,
}

/// Returns the rows of one run, one per table.
pub fn rows<'a>(
    run: Uuid,
    at: Instant,
    (seq, head): (u64, u64),
    tables: impl IntoIterator<Item = (&'a str, RowCount)>,
) -> Vec<Fields> {
    let row = |(name, state): (&str, RowCount)| {
        let row = json!({
            "run_id": run.to_string(), "at": rfc3339(at), "table_name": name, "seq": seq, "head_seq": head,
            "rows_written": state.rows, "files": state.size.files, "bytes": state.size.bytes, "version": state.size.version,
        });
        match row {
            Value::Object(row) => row,
            _ => Fields::new(),
        }
    };
    tables.into_iter().map(row).collect()
}

/// Returns the tables that a fold wrote.
pub fn written(report: &FoldReport) -> impl Iterator<Item = (&'static str, RowCount)> {
    report.tables.iter().filter_map(|(name, folded)| {
        let size = folded.written?;
        Some((*name, RowCount { rows: folded.rows, size }))
    })
}
