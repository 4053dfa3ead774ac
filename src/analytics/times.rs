//! Handles times that the engine cannot represent in nanoseconds.
//!
//! The engine compares a text with a time in nanoseconds, which end in the year 2262. The lake's
//! times are microseconds and extend to the year 9999, so the text is cast to the type of the time.
//! `date_trunc` uses nanoseconds too, so times out of their range are shifted by whole calendar
//! cycles for it.

use std::any::Any;
use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use deltalake::arrow::compute::cast as cast_array;
use deltalake::arrow::compute::kernels::arity::try_binary;
use deltalake::arrow::datatypes::{DataType, FieldRef, Int64Type, TimeUnit};
use deltalake::arrow::error::ArrowError;
use deltalake::datafusion::common::config::ConfigOptions;
use deltalake::datafusion::common::tree_node::Transformed;
use deltalake::datafusion::common::{DFSchema, Result, ScalarValue};
use deltalake::datafusion::logical_expr::expr::{InList, ScalarFunction};
use deltalake::datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use deltalake::datafusion::logical_expr::{
    Between, BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, cast,
};

/// Rewrite that casts texts to the type of the times they are compared with.
#[derive(Debug)]
pub(super) struct Times;

impl FunctionRewrite for Times {
    fn name(&self) -> &str {
        "times"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if is_comparison(op) && (is_text(&left) || is_text(&right)) =>
            {
                let kind = time_of(&left, schema).or_else(|| time_of(&right, schema));
                let (left, right) = (as_time(*left, kind.as_ref()), as_time(*right, kind.as_ref()));
                Ok(Transformed::new_transformed(
                    Expr::BinaryExpr(BinaryExpr::new(left.into(), op, right.into())),
                    kind.is_some(),
                ))
            }
            Expr::Between(Between { expr, negated, low, high })
                if is_text(&low) || is_text(&high) =>
            {
                let kind = time_of(&expr, schema);
                let (low, high) = (as_time(*low, kind.as_ref()), as_time(*high, kind.as_ref()));
                let between = Expr::Between(Between::new(expr, negated, low.into(), high.into()));
                Ok(Transformed::new_transformed(between, kind.is_some()))
            }
            Expr::InList(InList { expr, list, negated }) if list.iter().any(is_text) => {
                let kind = time_of(&expr, schema);
                let list = list.into_iter().map(|value| as_time(value, kind.as_ref())).collect();
                Ok(Transformed::new_transformed(
                    Expr::InList(InList::new(expr, list, negated)),
                    kind.is_some(),
                ))
            }
            Expr::ScalarFunction(ScalarFunction { func, args })
                if func.name() == "date_trunc"
                    && !(func.inner().as_ref() as &dyn Any).is::<Truncated>() =>
            {
                let func = Arc::new(ScalarUDF::new_from_impl(Truncated { inner: func }));
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn is_text(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Literal(
            ScalarValue::Utf8(Some(_))
                | ScalarValue::Utf8View(Some(_))
                | ScalarValue::LargeUtf8(Some(_)),
            _
        )
    )
}

/// Returns the type of an expression that is a time in units coarser than nanoseconds.
fn time_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    let kind = expr.get_type(schema).ok()?;
    matches!(&kind, DataType::Timestamp(unit, _) if *unit != TimeUnit::Nanosecond).then_some(kind)
}

fn as_time(expr: Expr, kind: Option<&DataType>) -> Expr {
    match kind {
        Some(kind) if is_text(&expr) => cast(expr, kind.clone()),
        _ => expr,
    }
}

/// Microseconds in 400 years, after which days, months and weeks repeat.
const CYCLE: i64 = 146_097 * 86_400_000_000;
/// Start of the cycle that nanoseconds can represent: 200 years before 1970.
const BEGIN: i64 = -CYCLE / 2;

/// `date_trunc` that also supports microseconds out of the range of nanoseconds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Truncated {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Truncated {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ColumnarValue::Array(times)) = args.args.get(1) else {
            return self.inner.invoke_with_args(args);
        };
        let Some((moved, by)) = moved(times)? else { return self.inner.invoke_with_args(args) };
        args.args[1] = ColumnarValue::Array(moved);
        let rows = args.number_rows;
        let made = self.inner.invoke_with_args(args)?.into_array(rows)?;
        let whole = cast_array(&made, &DataType::Int64)?;
        let whole: Int64Array = try_binary(whole.as_primitive::<Int64Type>(), &by, |made, by| {
            made.checked_add(by)
                .ok_or_else(|| ArrowError::ComputeError(format!("the time {made} is out of range")))
        })?;
        Ok(ColumnarValue::Array(cast_array(&whole, made.data_type())?))
    }
}

/// Returns the times shifted into that cycle and the shift of each; `None` if nanoseconds can
/// represent them all.
fn moved(times: &ArrayRef) -> Result<Option<(ArrayRef, Int64Array)>> {
    if !matches!(times.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _)) {
        return Ok(None);
    }
    let whole = cast_array(times, &DataType::Int64)?;
    let whole = whole.as_primitive::<Int64Type>();
    let is_early = |time: i64| time.checked_mul(1_000).is_some();
    if whole.iter().flatten().all(is_early) {
        return Ok(None);
    }
    let by: Int64Array = whole.unary(|time| {
        if is_early(time) { 0 } else { time.saturating_sub(BEGIN).div_euclid(CYCLE) * CYCLE }
    });
    let moved: Int64Array = try_binary(whole, &by, |time, by| Ok(time - by))?;
    Ok(Some((cast_array(&moved, times.data_type())?, by)))
}
