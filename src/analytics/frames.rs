//! Limits window functions whose values are as long as the rows they see.
//!
//! A window function returns a separate value for each row, and its operator produces the values of
//! a whole partition at once. So the values are counted over all rows as they are produced.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deltalake::arrow::array::ArrayRef;
use deltalake::arrow::datatypes::{DataType, FieldRef};
use deltalake::datafusion::common::{Result, ScalarValue};
use deltalake::datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use deltalake::datafusion::logical_expr::function::{
    AccumulatorArgs, ExpressionArgs, PartitionEvaluatorArgs, StateFieldsArgs, WindowUDFFieldArgs,
};
use deltalake::datafusion::logical_expr::utils::AggregateOrderSensitivity;
use deltalake::datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, LimitEffect, PartitionEvaluator, ReversedUDAF,
    ReversedUDWF, SetMonotonicity, Signature, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition, WindowUDF, WindowUDFImpl,
};
use deltalake::datafusion::physical_expr::PhysicalExpr;

use super::result_limit::ResultTooLarge;
use super::wide::{bytes_of, varies};

/// Maximum number of bytes in all values of one window function.
const VALUES: usize = 512 << 20;
/// Functions whose values may be long.
const LONG: &[&str] =
    &["array_agg", "string_agg", "min", "max", "first_value", "last_value", "nth_value"];

/// Returns the counted form of a window function whose values may be long; `None` leaves it
/// unchanged.
pub(super) fn counted(call: &WindowFunction) -> Option<WindowFunctionDefinition> {
    if !LONG.contains(&call.fun.name()) {
        return None;
    }
    let count = Count::default();
    match &call.fun {
        WindowFunctionDefinition::AggregateUDF(inner) => {
            let is_same = is_the_same_for_all(&call.params);
            let is_new = !(inner.inner().as_ref() as &dyn Any).is::<CountedAggregate>();
            is_new.then(|| {
                CountedAggregate { inner: Arc::clone(inner), is_same, count }.into_definition()
            })
        }
        WindowFunctionDefinition::WindowUDF(inner) => {
            let is_new = !(inner.inner().as_ref() as &dyn Any).is::<CountedWindowFunction>();
            is_new.then(|| {
                WindowFunctionDefinition::WindowUDF(Arc::new(
                    CountedWindowFunction { inner: Arc::clone(inner), count }.into(),
                ))
            })
        }
    }
}

/// Whether all rows of a partition get the same value, which the engine then evaluates once.
fn is_the_same_for_all(params: &WindowFunctionParams) -> bool {
    let frame = &params.window_frame;
    let is_open = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::CurrentRow => {
            frame.units == WindowFrameUnits::Range && params.order_by.is_empty()
        }
        _ => bound.is_unbounded(),
    };
    is_open(&frame.start_bound) && is_open(&frame.end_bound)
}

/// Number of bytes that one window function has produced. Equality ignores the number.
#[derive(Clone, Debug, Default)]
struct Count(Arc<AtomicUsize>);

impl PartialEq for Count {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Count {}

impl Hash for Count {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Count {
    /// Adds a value that is returned for `rows` rows.
    fn add(&self, function: &str, value: &ScalarValue, rows: usize) -> Result<()> {
        let bytes = bytes_of(value).saturating_mul(rows);
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
            Some(before.saturating_add(bytes))
        });
        let bytes = before.unwrap_or_else(|before| before).saturating_add(bytes);
        if bytes <= VALUES {
            return Ok(());
        }
        Err(ResultTooLarge { function: format!("{function} OVER"), bytes, most: VALUES }.into())
    }
}

/// Counted aggregate over a window.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CountedAggregate {
    inner: Arc<AggregateUDF>,
    is_same: bool,
    count: Count,
}

impl CountedAggregate {
    fn into_definition(self) -> WindowFunctionDefinition {
        WindowFunctionDefinition::AggregateUDF(Arc::new(AggregateUDF::new_from_impl(self)))
    }

    fn of(&self, inner: Arc<AggregateUDF>) -> Self {
        Self { inner, is_same: self.is_same, count: self.count.clone() }
    }

    /// Wraps an accumulator to count its values. Numbers and times have a fixed size and are not
    /// counted.
    fn around(&self, is_long: bool, inner: Box<dyn Accumulator>) -> Box<dyn Accumulator> {
        if !is_long {
            return inner;
        }
        let function = self.inner.name().to_owned();
        Box::new(Gathering {
            inner,
            function,
            seen: self.is_same.then_some(0),
            count: self.count.clone(),
        })
    }
}

impl AggregateUDFImpl for CountedAggregate {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.inner.inner().window_function_schema_name(params)
    }

    fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.inner.inner().window_function_display_name(params)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.inner.inner().return_field(fields)
    }

    fn is_nullable(&self) -> bool {
        self.inner.inner().is_nullable()
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let is_long = varies(args.return_field.data_type());
        Ok(self.around(is_long, self.inner.inner().accumulator(args)?))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.inner().state_fields(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let is_long = varies(args.return_field.data_type());
        Ok(self.around(is_long, self.inner.inner().create_sliding_accumulator(args)?))
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        is_beneficial: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let made = Arc::clone(self.inner.inner()).with_beneficial_ordering(is_beneficial)?;
        Ok(made.map(|made| {
            Arc::new(self.of(Arc::new(AggregateUDF::new_from_shared_impl(made))))
                as Arc<dyn AggregateUDFImpl>
        }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.inner().order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.inner.inner().reverse_expr() {
            ReversedUDAF::Reversed(inner) => {
                ReversedUDAF::Reversed(Arc::new(AggregateUDF::new_from_impl(self.of(inner))))
            }
            other => other,
        }
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(types)
    }

    fn is_descending(&self) -> Option<bool> {
        self.inner.inner().is_descending()
    }

    fn default_value(&self, kind: &DataType) -> Result<ScalarValue> {
        self.inner.inner().default_value(kind)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.inner().supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.inner.inner().supports_within_group_clause()
    }

    fn set_monotonicity(&self, kind: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(kind)
    }
}

/// Counted accumulator over the rows of a window.
#[derive(Debug)]
struct Gathering {
    inner: Box<dyn Accumulator>,
    function: String,
    /// Number of rows seen, if all of them get the same value.
    seen: Option<usize>,
    count: Count,
}

impl Accumulator for Gathering {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if let Some(seen) = &mut self.seen {
            *seen += values.first().map_or(0, |values| values.len());
        }
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.inner.evaluate()?;
        self.count.add(&self.function, &value, self.seen.unwrap_or(1))?;
        Ok(value)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

/// Counted function that picks a row of a window.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CountedWindowFunction {
    inner: Arc<WindowUDF>,
    count: Count,
}

impl WindowUDFImpl for CountedWindowFunction {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn expressions(&self, args: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        self.inner.expressions(args)
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let inner = self.inner.partition_evaluator_factory(args)?;
        Ok(Box::new(Picking {
            inner,
            function: self.inner.name().to_owned(),
            count: self.count.clone(),
        }))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.field(args)
    }

    fn sort_options(&self) -> Option<deltalake::arrow::compute::SortOptions> {
        self.inner.sort_options()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        match self.inner.reverse_expr() {
            ReversedUDWF::Reversed(inner) => {
                ReversedUDWF::Reversed(Arc::new(Self { inner, count: self.count.clone() }.into()))
            }
            other => other,
        }
    }

    fn limit_effect(&self, args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.inner.inner().limit_effect(args)
    }
}

#[derive(Debug)]
struct Picking {
    inner: Box<dyn PartitionEvaluator>,
    function: String,
    count: Count,
}

impl PartitionEvaluator for Picking {
    fn memoize(
        &mut self,
        state: &mut deltalake::datafusion::logical_expr::window_state::WindowAggState,
    ) -> Result<()> {
        self.inner.memoize(state)
    }

    fn get_range(&self, row: usize, rows: usize) -> Result<Range<usize>> {
        self.inner.get_range(row, rows)
    }

    fn is_causal(&self) -> bool {
        self.inner.is_causal()
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        self.inner.evaluate_all(values, rows)
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let value = self.inner.evaluate(values, range)?;
        if varies(&value.data_type()) {
            self.count.add(&self.function, &value, 1)?;
        }
        Ok(value)
    }

    fn evaluate_all_with_rank(&self, rows: usize, ranks: &[Range<usize>]) -> Result<ArrayRef> {
        self.inner.evaluate_all_with_rank(rows, ranks)
    }

    fn supports_bounded_execution(&self) -> bool {
        self.inner.supports_bounded_execution()
    }

    fn uses_window_frame(&self) -> bool {
        self.inner.uses_window_frame()
    }

    fn include_rank(&self) -> bool {
        self.inner.include_rank()
    }
}
