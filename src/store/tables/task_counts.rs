//! Counts the tasks of the table `tasks` without reading their content.

use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use deltalake::arrow::datatypes::Int32Type;
use object_store::ObjectStore;

use super::read::{readable, selected};
use crate::domain::id::{ProjectId, UserId};
use crate::domain::record::Entity;
use crate::domain::task::TaskStatus;
use crate::domain::task_counts::TaskCounts;
use crate::domain::time::Minutes;
use crate::store::delta_log::table_log::TableLog;
use crate::store::error::StoreError;
use crate::store::journal::files::Files;
use crate::store::mark::FoldPosition;

const TABLE: &str = "tasks";

/// Counts the tasks of the table, and returns the position to which it states it is folded; `None`
/// if there is no readable table.
pub async fn tally(
    root: &Arc<dyn ObjectStore>,
    files: &Files,
) -> Result<Option<(TaskCounts, FoldPosition)>, StoreError> {
    let log = TableLog::new(Arc::clone(root), TABLE);
    let Some((table, stand)) = readable(&log, Entity::Task, Some(files)).await? else {
        return Ok(None);
    };
    let mut task_counts = TaskCounts::default();
    for file in table.files.values() {
        let path = format!("{TABLE}/{}", file.path);
        for batch in selected(&path, log.get_live(&file.path).await?, None, &Columns::NAMES)? {
            let batch = batch?;
            let counted = Columns::of(&batch).and_then(|columns| columns.count(&mut task_counts));
            counted.ok_or_else(|| {
                StoreError::damaged(&path, "a column that tasks are counted by is invalid")
            })?;
        }
    }
    Ok(Some((task_counts, stand)))
}

struct Columns<'b> {
    project: &'b StringArray,
    assignee: &'b StringArray,
    status: &'b StringArray,
    likely: &'b Int32Array,
    deleted: &'b ArrayRef,
}

impl<'b> Columns<'b> {
    const NAMES: [&'static str; 5] =
        ["project_id", "assignee_id", "status", "estimate_likely", "deleted_at"];

    fn of(batch: &'b RecordBatch) -> Option<Self> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let [project, assignee, status, likely, deleted] = Self::NAMES;
        Some(Self {
            project: text(project)?,
            assignee: text(assignee)?,
            status: text(status)?,
            likely: batch.column_by_name(likely)?.as_primitive_opt::<Int32Type>()?,
            deleted: batch.column_by_name(deleted)?,
        })
    }

    fn count(&self, task_counts: &mut TaskCounts) -> Option<()> {
        for row in (0..self.project.len()).filter(|row| self.deleted.is_null(*row)) {
            let project: ProjectId = self.project.value(row).parse().ok()?;
            let assignee: Option<UserId> = match self.assignee.is_valid(row) {
                true => Some(self.assignee.value(row).parse().ok()?),
                false => None,
            };
            let status: TaskStatus = self.status.value(row).parse().ok()?;
            let likely = self
                .likely
                .is_valid(row)
                .then(|| self.likely.value(row).try_into().map(Minutes::new));
            task_counts.add(project, assignee, status, likely.transpose().ok()?);
        }
        Some(())
    }
}
