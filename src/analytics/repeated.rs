//! Limits the rows that an operator repeats.
//!
//! A join, a scalar subquery and an UNNEST copy one row next to each of many others, in batches of
//! the session's batch size. Neither the memory pool nor `bounded` counts these copies. So the
//! input rows are measured. If they are too wide for a batch of copies, the query ends and restarts
//! with small batches. If they are too wide for these too, the query is rejected.

use std::fmt;
use std::sync::Arc;

use deltalake::arrow::array::{Array, AsArray, OffsetSizeTrait, RecordBatch};
use deltalake::arrow::datatypes::DataType;
use deltalake::datafusion::common::Result;
use deltalake::datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::logical_expr::{Expr, LogicalPlan};
use deltalake::datafusion::physical_expr::PhysicalExpr;
use deltalake::datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use deltalake::datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::datafusion::physical_plan::unnest::UnnestExec;
use deltalake::datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{TryStreamExt, stream};

use super::growth::{GROWING, Growth};
use super::wide::{varies, widest, widest_row};

/// Maximum number of bytes in a batch of copies of one row.
const COPIES: usize = 512 << 20;
/// Maximum width of a repeated row: its copies are not only made but also processed and written.
const WIDEST: usize = 3 << 20;
/// Number of rows in a batch if some rows are wide.
pub(super) const SMALL_BATCH_ROWS: usize = 128;
/// Aggregates that make one value from many rows.
const COLLECTING_AGGREGATES: &[&str] = &["array_agg", "string_agg"];

/// Error for a row that is too wide to be repeated.
#[derive(Debug, thiserror::Error)]
#[error("{by} would repeat a row of {bytes} bytes; the limit is {most}")]
pub(super) struct TooWide {
    by: &'static str,
    bytes: usize,
    /// Maximum width with small batches.
    most: usize,
}

impl TooWide {
    /// Whether a query ended because of a row that small batches have room for.
    pub fn fits_small_batches(err: &DataFusionError) -> bool {
        let DataFusionError::External(cause) = err.find_root() else { return false };
        cause.downcast_ref::<Self>().is_some_and(|wide| wide.bytes <= wide.most)
    }
}

/// Whether a query makes wide values from narrow ones. Texts of the tables may be long too, but are
/// repeated as views.
pub(super) fn widens(plan: &LogicalPlan) -> Result<bool> {
    let mut is_found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                is_found |= match expr {
                    Expr::ScalarFunction(call) => {
                        let growth = GROWING.iter().find(|(name, _)| *name == call.func.name());
                        growth.is_some_and(|(_, growth)| *growth != Growth::Sum)
                    }
                    Expr::AggregateFunction(call) => {
                        COLLECTING_AGGREGATES.contains(&call.func.name())
                    }
                    Expr::WindowFunction(call) => COLLECTING_AGGREGATES.contains(&call.fun.name()),
                    _ => false,
                };
                Ok(if is_found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    })?;
    Ok(is_found)
}

/// Returns the plan with a check on each input whose rows are repeated.
pub(super) fn with_width_checks(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let done = plan.transform_up(|node| {
        let children: Vec<Arc<dyn ExecutionPlan>> = node.children().into_iter().cloned().collect();
        let has_wide = |child: &Arc<dyn ExecutionPlan>| {
            child.schema().fields().iter().any(|field| varies(field.data_type()))
        };
        if !children.iter().any(has_wide) {
            return Ok(Transformed::no(node));
        }
        let is_subquery = node.is::<ScalarSubqueryExec>();
        let by = if let Some(unnest) = node.downcast_ref::<UnnestExec>() {
            By::Unnest(
                unnest
                    .list_column_indices()
                    .iter()
                    .map(|list| list.index_in_input_schema)
                    .collect(),
            )
        } else if is_subquery {
            By::Subquery
        } else if node.name().ends_with("JoinExec") {
            By::Join
        } else {
            return Ok(Transformed::no(node));
        };
        // The first child of a subquery supplies the rows, and each other child one value for all
        // of them.
        let over = |(at, child): (usize, Arc<dyn ExecutionPlan>)| match is_subquery && at == 0 {
            true => child,
            false => RowWidthCheckExec::over(child, by.clone()),
        };
        let children = children.into_iter().enumerate().map(over).collect();
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Ok(Transformed::yes(node.replace_children(children, options)?))
    })?;
    // A window and an UNNEST may return more rows at once than a batch has.
    let done = done.data.transform_up(|node| {
        let is_long = node.name().ends_with("WindowAggExec") || node.is::<UnnestExec>();
        Ok(if is_long {
            Transformed::yes(RowWidthCheckExec::over(node, By::Nothing))
        } else {
            Transformed::no(node)
        })
    })?;
    Ok(done.data)
}

/// Operator that repeats the rows.
#[derive(Clone, Debug)]
enum By {
    Join,
    Subquery,
    /// Repeats each row as often as its longest list in these columns has elements.
    Unnest(Vec<usize>),
    Nothing,
}

impl By {
    /// Checks that no row of a batch is too wide for output batches of `rows` rows.
    fn weigh(&self, batch: &RecordBatch, rows: usize) -> Result<()> {
        let (by, row, longest) = match self {
            Self::Nothing => return Ok(()),
            Self::Join => ("a join", widest_row(batch), 0),
            Self::Subquery => ("a subquery", widest_row(batch), 0),
            Self::Unnest(lists) => {
                let longest = lists
                    .iter()
                    .map(|list| longest(batch.column(*list).as_ref()))
                    .max()
                    .unwrap_or(0);
                let columns =
                    batch.columns().iter().enumerate().filter(|(at, _)| !lists.contains(at));
                ("unnest", columns.map(|(_, column)| widest(column.as_ref())).sum(), longest)
            }
        };
        let most_of = |rows: usize| (COPIES / longest.max(rows).max(1)).min(WIDEST);
        if row <= most_of(rows) {
            return Ok(());
        }
        let most = most_of(SMALL_BATCH_ROWS);
        Err(DataFusionError::External(Box::new(TooWide { by, bytes: row, most })))
    }
}

/// Returns the number of elements in the longest list.
fn longest(array: &dyn Array) -> usize {
    fn of<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
        offsets.windows(2).map(|pair| (pair[1] - pair[0]).as_usize()).max().unwrap_or(0)
    }
    match array.data_type() {
        DataType::List(_) => of(array.as_list::<i32>().value_offsets()),
        DataType::LargeList(_) => of(array.as_list::<i64>().value_offsets()),
        DataType::FixedSizeList(_, length) => usize::try_from(*length).unwrap_or(0),
        _ => 0,
    }
}

/// Operator that checks the rows of its input and splits them into batches of the usual size.
#[derive(Debug)]
struct RowWidthCheckExec {
    input: Arc<dyn ExecutionPlan>,
    by: By,
}

impl RowWidthCheckExec {
    fn over(input: Arc<dyn ExecutionPlan>, by: By) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input, by })
    }
}

impl DisplayAs for RowWidthCheckExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weighed: {:?}", self.by)
    }
}

impl ExecutionPlan for RowWidthCheckExec {
    fn name(&self) -> &str {
        "Weighed"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next();
        let input = input
            .ok_or_else(|| DataFusionError::Internal("what is weighed has no input".to_owned()))?;
        Ok(Self::over(input, self.by.clone()))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (rows, by) = (context.session_config().batch_size().max(1), self.by.clone());
        let batches = self.input.execute(partition, context)?;
        let with_width_checks = batches
            .and_then(move |batch| futures::future::ready(by.weigh(&batch, rows).map(|()| batch)));
        let slices = with_width_checks.map_ok(move |batch| {
            let starts = (0..batch.num_rows()).step_by(rows);
            let slices: Vec<_> =
                starts.map(|at| Ok(batch.slice(at, rows.min(batch.num_rows() - at)))).collect();
            stream::iter(slices)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), slices.try_flatten())))
    }
}
