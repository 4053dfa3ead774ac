//! What a fold or a round of maintenance left of the current tables, as rows of `table_state`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::FoldReport;
use super::table_log::TableSize;
use crate::domain::record::Fields;
use crate::domain::time::{Instant, rfc3339};

/// What became of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableState {
    pub rows: usize,
    pub size: TableSize,
}

/// The rows of one run: one for each table.
pub fn rows<'a>(
    run: Uuid,
    at: Instant,
    (seq, head): (u64, u64),
    tables: impl IntoIterator<Item = (&'a str, TableState)>,
) -> Vec<Fields> {
    let row = |(name, state): (&str, TableState)| {
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

/// The tables that a fold wrote.
pub fn written(report: &FoldReport) -> impl Iterator<Item = (&'static str, TableState)> {
    report.tables.iter().filter_map(|(name, folded)| {
        let size = folded.written?;
        Some((*name, TableState { rows: folded.rows, size }))
    })
}
