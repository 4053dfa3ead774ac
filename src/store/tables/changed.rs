//! Finds what changed in a current table since its last fold: edits in place, records that leave,
//! and records that enter.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::folding::Rewrite;
use super::read::{self, KeyFilter};
use super::source::Key;
use super::{YieldBudget, bucket};
use crate::domain::any_record::AnyRecord;
use crate::domain::id::ProjectId;
use crate::domain::patch::Op;
use crate::domain::record::Entity;
use crate::store::delta_log::table::Table;
use crate::store::error::StoreError;
use crate::store::row::Row;

/// A record in which only the changed fields are set, and the numbers of those fields.
pub(super) struct Edit {
    pub record: AnyRecord,
    pub fields: BTreeSet<usize>,
}

/// Changes of a table since its last fold.
#[derive(Default)]
pub(super) struct Changed {
    /// New values of each record that keeps its place.
    pub edits: BTreeMap<Key, Edit>,
    /// Records that leave their files.
    pub gone: BTreeSet<Key>,
    /// Buckets to rewrite, each with the records that enter it, sorted.
    pub buckets: BTreeMap<u32, Vec<AnyRecord>>,
}

impl Rewrite<'_> {
    /// Determines what the rows after `from` change in the table.
    pub(super) async fn changed(&self, current: &Table, from: u64) -> Result<Changed, StoreError> {
        let mut histories: BTreeMap<Uuid, Vec<&Row>> = BTreeMap::new();
        for row in self.folding.rows_after(from).filter(|row| row.entity == self.table.entity) {
            histories.entry(row.entity_id).or_default().push(row);
        }
        let mut changed = Changed::default();
        let mut moved: BTreeMap<Uuid, Vec<&Row>> = BTreeMap::new();
        let come = |changed: &mut Changed, record: AnyRecord| {
            changed
                .buckets
                .entry(bucket(record.entity(), record.project()))
                .or_default()
                .push(record);
        };
        let mut budget = YieldBudget::default();
        for (id, rows) in histories {
            budget.step(rows.len()).await;
            let is_new = rows.first().is_some_and(|row| matches!(row.op, Op::Create | Op::Link));
            let left = rows.iter().find_map(|row| row.source_project());
            if is_new {
                come(&mut changed, self.replay(None, &rows)?);
            } else if left.is_some() {
                changed.buckets.entry(bucket(self.table.entity, left)).or_default();
                changed.gone.insert(place(self.table.entity, left, id));
                moved.insert(id, rows);
            } else {
                let project = rows.first().and_then(|row| row.project_id);
                changed.buckets.entry(bucket(self.table.entity, project)).or_default();
                changed.edits.insert(place(self.table.entity, project, id), self.edit(&rows)?);
            }
        }
        if !moved.is_empty() {
            let left = |rows: &Vec<&Row>| rows.iter().find_map(|row| row.source_project());
            let buckets = moved.values().map(|rows| bucket(self.table.entity, left(rows)));
            let wanted = KeyFilter::ids(moved.keys().copied()).in_buckets(buckets);
            for record in read::records(self.log, current, self.table.entity, Some(&wanted)).await?
            {
                if let Some(rows) = moved.remove(&record.id()) {
                    come(&mut changed, self.replay(Some(record), &rows)?);
                }
            }
            if let Some(id) = moved.keys().next() {
                return Err(StoreError::damaged(
                    self.table.name,
                    format!("{id}, which the journal moved, is not in it"),
                ));
            }
        }
        for records in changed.buckets.values_mut() {
            records.sort_by_cached_key(key);
        }
        Ok(changed)
    }

    /// Applies rows to a record.
    fn replay(&self, before: Option<AnyRecord>, rows: &[&Row]) -> Result<AnyRecord, StoreError> {
        let mut record = before;
        for row in rows {
            record = self.folding.format.replay(row, record)?;
        }
        record.ok_or_else(|| StoreError::damaged(self.table.name, "a record without a row"))
    }

    /// Collects what the rows of a record that stays in its project set.
    fn edit(&self, rows: &[&Row]) -> Result<Edit, StoreError> {
        let entity = self.table.entity;
        let first = rows
            .first()
            .ok_or_else(|| StoreError::damaged(self.table.name, "a record without a row"))?;
        let mut record = AnyRecord::empty(entity, first.entity_id);
        if let Some(project) = first.project_id.filter(|_| entity.field("project_id").is_some()) {
            record.set("project_id", &Value::from(project.to_string())).map_err(|invalid| {
                StoreError::damaged(self.table.name, format!("a project's id {invalid}"))
            })?;
        }
        let mut fields = BTreeSet::new();
        for row in rows {
            let changes = self.folding.format.changes(row)?;
            fields.extend(
                (0..)
                    .zip(entity.fields())
                    .filter(|(_, field)| changes.contains_key(field.name))
                    .map(|(at, _)| at),
            );
            record = self.folding.format.set(row, &changes, record)?;
        }
        Ok(Edit { record, fields })
    }
}

/// Returns the sort key of rows in a bucket: the project, if the table has one, and the id.
pub(super) fn key(record: &AnyRecord) -> Key {
    place(record.entity(), record.project(), record.id())
}

fn place(entity: Entity, project: Option<ProjectId>, id: Uuid) -> Key {
    let project =
        project.filter(|_| entity.field("project_id").is_some()).map(|project| project.to_string());
    (project.unwrap_or_default(), id.hyphenated().to_string())
}
