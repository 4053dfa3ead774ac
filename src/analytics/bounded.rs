//! Functions whose answer may be far larger than what they are given, kept within bounds.
//!
//! The engine's memory pool counts what sorts, joins and aggregations hold, and not what an expression allocates. So such a
//! function is measured: before it runs by what it would make, where an argument or a text multiplies, and after it by what
//! it made.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray};
use deltalake::arrow::compute::cast;
use deltalake::arrow::compute::kernels::length::length;
use deltalake::arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use deltalake::datafusion::common::config::ConfigOptions;
use deltalake::datafusion::common::tree_node::Transformed;
use deltalake::datafusion::common::{DFSchema, Result};
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::logical_expr::expr::ScalarFunction;
use deltalake::datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use deltalake::datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// The most bytes that one call makes for a batch of rows.
const BATCH: usize = 256 << 20;
/// The longest value that is the same for all rows: the engine copies it for each row of a batch.
const CONSTANT: usize = 64 << 10;
/// The same of an array, of which a query seldom shows all.
const CONSTANT_ARRAY: usize = 1 << 20;
/// The bytes that an element of an array takes at least.
const ELEMENT: usize = 8;

/// A function made more than it may.
#[derive(Debug, thiserror::Error)]
#[error("{function} would make {bytes} bytes at once, and {most} are the most")]
pub(super) struct Grown {
    pub function: String,
    pub bytes: usize,
    pub most: usize,
}

/// The functions that are measured, and how what they make follows from their arguments.
const GROWING: &[(&str, Growth)] = &[
    ("repeat", Growth::Times),
    ("lpad", Growth::To),
    ("rpad", Growth::To),
    ("replace", Growth::Replaced),
    ("regexp_replace", Growth::Replaced),
    ("overlay", Growth::Sum),
    ("translate", Growth::Sum),
    ("concat", Growth::Sum),
    ("concat_ws", Growth::Sum),
    ("to_char", Growth::Sum),
    ("array_repeat", Growth::Elements),
    ("array_resize", Growth::Elements),
    ("range", Growth::Series),
    ("generate_series", Growth::Series),
    ("array_to_string", Growth::Replaced),
    ("array_concat", Growth::Sum),
    ("array_append", Growth::Sum),
    ("array_prepend", Growth::Sum),
    ("make_array", Growth::Sum),
    ("string_to_array", Growth::Sum),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument, as often as the second says.
    Times,
    /// As many characters as the second argument says.
    To,
    /// The last text as often as it may have a place in the first.
    Replaced,
    /// The first argument as an element as often as the second says.
    Elements,
    /// From the first argument to the second, in steps of the third.
    Series,
    /// No more than all arguments together, a few times over.
    Sum,
}

/// Puts the measured form in the place of each function that grows, and around `||`.
#[derive(Debug)]
pub(super) struct Bounds;

impl FunctionRewrite for Bounds {
    fn name(&self) -> &str {
        "bounds"
    }

    fn rewrite(&self, expr: Expr, _: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        match expr {
            Expr::ScalarFunction(call) => {
                let growth = GROWING.iter().find(|(name, _)| *name == call.func.name()).map(|(_, growth)| *growth);
                let is_measured = (call.func.inner().as_ref() as &dyn Any).is::<Bounded>();
                let Some(growth) = growth.filter(|_| !is_measured) else {
                    return Ok(Transformed::no(Expr::ScalarFunction(call)));
                };
                let func = Arc::new(ScalarUDF::new_from_impl(Bounded::new(call.func, growth)));
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: call.args })))
            }
            Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => {
                let func = Arc::new(ScalarUDF::new_from_impl(Joined::default()));
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: vec![expr] })))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

/// A function, measured. It is not simplified, since that would bring the unmeasured form back.
#[derive(PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    signature: Signature,
}

impl Bounded {
    fn new(inner: Arc<ScalarUDF>, growth: Growth) -> Self {
        let mut signature = inner.signature().clone();
        if growth.is_many() {
            // Not worked out before the rows are known that it is made for.
            signature.volatility = Volatility::Volatile;
        }
        Self { inner, growth, signature }
    }

    /// What a call may make: little where it is the same for all rows.
    fn most(&self, args: &ScalarFunctionArgs) -> usize {
        if self.growth.is_many() && args.args.iter().all(is_constant) {
            return BATCH / args.number_rows.max(1);
        }
        most(args)
    }
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bounded({})", self.inner.name())
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        &self.signature
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

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let most = self.most(&args);
        let bytes = self.growth.estimate(&args)?;
        measured(self.name(), bytes, most)?;
        let made = self.inner.invoke_with_args(args)?;
        measured(self.name(), size(&made), most)?;
        Ok(made)
    }
}

/// What `||` made, measured.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
}

impl Default for Joined {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        "||"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.iter().map(|arg| arg.schema_name().to_string()).collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let most = most(&args);
        let made = args.args.into_iter().next().ok_or_else(|| DataFusionError::Internal("|| has no argument".to_owned()))?;
        measured("||", size(&made), most)?;
        Ok(made)
    }
}

fn is_constant(value: &ColumnarValue) -> bool {
    matches!(value, ColumnarValue::Scalar(_))
}

fn most(args: &ScalarFunctionArgs) -> usize {
    match args.return_field.data_type() {
        _ if !args.args.iter().all(is_constant) => BATCH,
        kind if kind.is_nested() => CONSTANT_ARRAY,
        _ => CONSTANT,
    }
}

fn measured(function: &str, bytes: usize, most: usize) -> Result<()> {
    if bytes <= most {
        return Ok(());
    }
    Err(DataFusionError::External(Box::new(Grown { function: function.to_owned(), bytes, most })))
}

/// The bytes that a value takes. Of an array it is what its rows show, which may be more than what lies in memory.
fn size(value: &ColumnarValue) -> usize {
    match value {
        ColumnarValue::Scalar(value) => value.size(),
        ColumnarValue::Array(array) => array.get_array_memory_size(),
    }
}

impl Growth {
    /// Whether it makes arrays of many elements from a few numbers.
    fn is_many(self) -> bool {
        matches!(self, Self::Elements | Self::Series)
    }

    /// The bytes that a call would make at most.
    fn estimate(self, args: &ScalarFunctionArgs) -> Result<usize> {
        if self == Self::Sum {
            return Ok(0);
        }
        // Constants alone are one row.
        let rows = if args.args.iter().all(is_constant) { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|arg| Column::of(arg, rows)).collect::<Result<Vec<_>>>()?;
        Ok((0..rows).fold(0, |total: usize, row| total.saturating_add(self.row(&columns, row))))
    }

    fn row(self, columns: &[Column], row: usize) -> usize {
        let length = |at: usize| columns.get(at).map_or(0, |column| column.length(row));
        let number = |at: usize| columns.get(at).and_then(|column| column.number(row));
        let count = || number(1).map_or(0, |number| usize::try_from(number.max(0)).unwrap_or(usize::MAX));
        match self {
            Self::Times => length(0).saturating_mul(count()),
            // A character has four bytes at most, and without a third argument it is a space.
            Self::To => count().saturating_mul(if columns.len() > 2 { length(2).min(4) } else { 1 }).saturating_add(length(0)),
            Self::Replaced => {
                let put = length(columns.len().min(3) - 1);
                (length(0) + 1).saturating_mul(put).saturating_add(length(0))
            }
            Self::Elements => count().saturating_mul(length(0).max(length(2)).max(ELEMENT)),
            Self::Series => {
                let (from, to) = if columns.len() == 1 { (Some(0), number(0)) } else { (number(0), number(1)) };
                let step = number(2).unwrap_or(1).unsigned_abs().max(1);
                let elements = from.unwrap_or(0).abs_diff(to.unwrap_or(0)) / step + 1;
                usize::try_from(elements).unwrap_or(usize::MAX).saturating_mul(ELEMENT)
            }
            Self::Sum => 0,
        }
    }
}

/// An argument's values by row.
enum Column {
    /// Whole numbers, and the nanoseconds of each.
    Numbers(ArrayRef, i128),
    Intervals(ArrayRef),
    /// How long texts are.
    Lengths(ArrayRef),
    /// How long values are on average.
    Other(usize),
    Same(Box<Column>),
}

impl Column {
    fn of(value: &ColumnarValue, rows: usize) -> Result<Self> {
        let (array, is_same) = match value {
            ColumnarValue::Array(array) => (Arc::clone(array), false),
            ColumnarValue::Scalar(value) => (value.to_array_of_size(1)?, true),
        };
        let numbers = |kind: &DataType| cast(&cast(&array, kind)?, &DataType::Int64);
        let column = match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Self::Lengths(length(&cast(&array, &DataType::LargeUtf8)?)?)
            }
            kind if kind.is_integer() => Self::Numbers(numbers(&DataType::Int64)?, 1),
            DataType::Date32 | DataType::Date64 => {
                Self::Numbers(numbers(&DataType::Timestamp(TimeUnit::Second, None))?, 1_000_000_000)
            }
            DataType::Timestamp(unit, _) => Self::Numbers(
                cast(&array, &DataType::Int64)?,
                match unit {
                    TimeUnit::Second => 1_000_000_000,
                    TimeUnit::Millisecond => 1_000_000,
                    TimeUnit::Microsecond => 1_000,
                    TimeUnit::Nanosecond => 1,
                },
            ),
            DataType::Interval(_) => Self::Intervals(cast(&array, &DataType::Interval(IntervalUnit::MonthDayNano))?),
            _ => Self::Other(array.get_array_memory_size() / rows.max(1)),
        };
        Ok(if is_same { Self::Same(Box::new(column)) } else { column })
    }

    /// How many bytes the value of a row has.
    fn length(&self, row: usize) -> usize {
        match self {
            Self::Lengths(lengths) => whole(lengths, row).map_or(0, |length| usize::try_from(length).unwrap_or(0)),
            Self::Numbers(..) | Self::Intervals(_) => ELEMENT,
            Self::Other(each) => *each,
            Self::Same(column) => column.length(0),
        }
    }

    /// The number of a row; times and steps between them are in nanoseconds, a step no longer than it can be.
    fn number(&self, row: usize) -> Option<i128> {
        const DAY: i128 = 86_400_000_000_000;
        match self {
            Self::Numbers(numbers, each) => whole(numbers, row).map(|number| i128::from(number) * each),
            Self::Intervals(steps) if steps.is_valid(row) => {
                let step = steps.as_primitive_opt::<IntervalMonthDayNanoType>()?.value(row);
                let days = i128::from(step.months) * 28 + i128::from(step.days);
                Some(days * DAY + i128::from(step.nanoseconds))
            }
            Self::Same(column) => column.number(0),
            _ => None,
        }
    }
}

fn whole(numbers: &ArrayRef, row: usize) -> Option<i64> {
    numbers.as_primitive_opt::<Int64Type>().filter(|numbers| numbers.is_valid(row)).map(|numbers| numbers.value(row))
}
