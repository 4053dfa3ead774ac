//! Erases values from the journal's past, which stays provable and replayable.
//!
//! An erase is a change like any other, with its own row. The row's `after` names each erased row,
//! by seq and ordinal, and holds what remains of that row's payload: everything but the personal
//! values, with neutral values in their place. Then the files that hold the named rows are
//! rewritten without `before`, `after`, `salt` and `request_hash` of these rows. Decisions:
//!
//! - The named rows keep their digest, so the chain still verifies, and so do anchors of earlier
//!   check-ups. Their remains are in the erase's own row, under its digest and in the chain, so a
//!   change of the remains is detected too.
//! - Code that replays, folds or shows rows reads them through `Files::read_whole`, which restores
//!   the remains. A create without its payload therefore gives a valid record with neutral values,
//!   in its project, under its key; a fold of all tables from an erased journal gives the existing
//!   tables; and `--as-of` shows neutral values for the past and true ones for fields that were not
//!   personal, like the status. Compaction reads and writes the rows as they are.
//! - A row without its payload that no erase names is damage: nothing replays it, and the check-up
//!   reports it.
//! - Only rows that hold a value to be erased are named. The others reveal nothing about anyone and
//!   can still be undone.
//! - First a normal update gives the current record neutral values; the update's own `before` is
//!   erased with the rest. Only rows up to this update are named. Values entered afterwards are
//!   new, and not erased.
//! - The tables are folded past that update before a payload leaves the journal, so no table shows
//!   what the journal no longer says. `field_changes` holds no field that is erased.
//! - The erase is committed first, the files are rewritten after it. A crash in between leaves
//!   named rows that still hold their payload: the check-up reports them, and repeating the
//!   command, with the record's id, finishes the erase.
//! - Two concurrent erases name the same rows twice, with the same remains; the one that gets the
//!   version rewrites the files, and the other finds nothing left to do. The same holds for a
//!   second erase of the same record, which then commits nothing.
//! - A copy takes erased rows as they are, with the erase that names them. A copy that would end
//!   before that erase is refused: it could not be replayed. A backup made before the erase still
//!   holds everything and must be thrown away.
//! - An undo of a set that lost a value is refused, because the value cannot be restored.
//!
//! - A task that lost its source is no longer matched by its description: planning that text again
//!   creates the task again, with its title, as long as the text has it.
//! - An older binary does not know the op and rejects the journal as damaged.
//!
//! Some values remain, and the command reports where and what to do about it (`service::mentions`):
//! rows of `inbox`, which belong to those who write it, and messages in `inbox_results`; the names
//! of actors (`actor`, `created_by`, `updated_by`, `deleted_by`, `runs`, `agent_logs`), because
//! they are whatever name a process was run under, belong to no user's record, and are what an
//! audit is about; reasons; the request's hash in the other rows of a set; names of source files in
//! `agent_logs`; and names that somebody wrote into the texts of other records. Old files stay
//! until `maintain` deletes them, seven days after they were replaced.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::StoreError;
use super::row::Row;
use crate::domain::patch::Op;
use crate::domain::record::Fields;

/// Position of a row in the journal: seq and ordinal.
pub type RowAddress = (u64, u32);

/// What remains of a row's payload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remains {
    pub before: Option<Fields>,
    pub after: Option<Fields>,
}

/// The remains of the rows that erases name.
#[derive(Clone, Debug, Default)]
pub struct Erasures(BTreeMap<RowAddress, Remains>);

/// Field of an erase's `after` that lists the rows.
const ROWS: &str = "rows";

/// Returns the field [`ROWS`] with its value.
pub fn listed<'r>(
    rows: impl IntoIterator<Item = (&'r RowAddress, &'r Remains)>,
) -> (&'static str, Value) {
    let row = |((seq, ordinal), remains): (&RowAddress, &Remains)| json!({"seq": seq, "ordinal": ordinal, "before": remains.before, "after": remains.after});
    (ROWS, rows.into_iter().map(row).collect())
}

impl Erasures {
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Result<Self, StoreError> {
        let mut erasures = Self::default();
        rows.into_iter().try_for_each(|row| erasures.note(row))?;
        Ok(erasures)
    }

    /// Records the rows that an erase names; other rows are ignored.
    pub fn note(&mut self, row: &Row) -> Result<(), StoreError> {
        if row.op != Op::Erase {
            return Ok(());
        }
        let damaged = |what: &str| {
            StoreError::damaged(format!("journal row {}.{}", row.seq, row.ordinal), what)
        };
        let payload = row.after_fields().map_err(|err| damaged(&err.to_string()))?;
        let rows = payload
            .get(ROWS)
            .and_then(Value::as_array)
            .ok_or_else(|| damaged("it does not say which rows it erases"))?;
        for named in rows {
            let place = named["seq"]
                .as_u64()
                .zip(named["ordinal"].as_u64().and_then(|ordinal| u32::try_from(ordinal).ok()));
            let place = place.ok_or_else(|| damaged("it names a row without its place"))?;
            let side = |name: &str| named[name].as_object().cloned();
            self.0.insert(place, Remains { before: side("before"), after: side("after") });
        }
        Ok(())
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn names(&self, place: RowAddress) -> bool {
        self.0.contains_key(&place)
    }

    /// Returns whether a row with one of these seqs is named.
    pub fn names_within(&self, (first, last): (u64, u64)) -> bool {
        self.0.range((first, 0)..=(last, u32::MAX)).next().is_some()
    }

    /// Restores the remains of erased rows; returns the address of the first row that no erase
    /// names, if any.
    pub fn restore(&self, rows: &mut [Row]) -> Option<RowAddress> {
        let text = |fields: &Option<Fields>| {
            fields.as_ref().map(|fields| Value::Object(fields.clone()).to_string())
        };
        for row in rows.iter_mut().filter(|row| row.is_erased()) {
            let Some(remains) = self.0.get(&(row.seq, row.ordinal)) else {
                return Some((row.seq, row.ordinal));
            };
            (row.before, row.after) = (text(&remains.before), text(&remains.after));
        }
        None
    }
}

/// Returns the error for a row that lost its payload and that no erase names.
pub fn unnamed((seq, ordinal): RowAddress) -> StoreError {
    StoreError::damaged(
        format!("journal row {seq}.{ordinal}"),
        "its payload is missing, but no erase names it",
    )
}
