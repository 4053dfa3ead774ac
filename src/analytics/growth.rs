//! Estimates the size of a function's result before it runs.

use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray};
use deltalake::arrow::compute::cast;
use deltalake::arrow::compute::kernels::length::length;
use deltalake::arrow::datatypes::{
    DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use deltalake::datafusion::common::Result;
use deltalake::datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// Minimum number of bytes in an array element.
pub(super) const ELEMENT: usize = 8;

/// Measured functions, and how the size of their results follows from their arguments.
pub(super) const GROWING: &[(&str, Growth)] = &[
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
pub(super) enum Growth {
    /// First argument, repeated as often as the second says.
    Times,
    /// As many characters as the second argument says.
    To,
    /// Last text, as often as it may occur in the first.
    Replaced,
    /// First argument as an element, repeated as often as the second says.
    Elements,
    /// From the first argument to the second, in steps of the third.
    Series,
    /// At most a small multiple of all arguments together.
    Sum,
}

impl Growth {
    /// Whether the function produces arrays of many elements from a few numbers.
    pub fn makes_many_elements(self) -> bool {
        matches!(self, Self::Elements | Self::Series)
    }

    /// Estimates the maximum number of bytes that a call would produce.
    pub fn estimate(self, args: &ScalarFunctionArgs) -> Result<usize> {
        if self == Self::Sum {
            return Ok(0);
        }
        // If all arguments are constant, there is one row.
        let rows = if args.args.iter().all(is_constant) { 1 } else { args.number_rows };
        let columns =
            args.args.iter().map(|arg| Column::of(arg, rows)).collect::<Result<Vec<_>>>()?;
        Ok((0..rows).fold(0, |total: usize, row| total.saturating_add(self.row(&columns, row))))
    }

    fn row(self, columns: &[Column], row: usize) -> usize {
        let length = |at: usize| columns.get(at).map_or(0, |column| column.length(row));
        let number = |at: usize| columns.get(at).and_then(|column| column.number(row));
        let count =
            || number(1).map_or(0, |number| usize::try_from(number.max(0)).unwrap_or(usize::MAX));
        match self {
            Self::Times => length(0).saturating_mul(count()),
            // A character has at most four bytes. Without a third argument the padding is a space.
            Self::To => count()
                .saturating_mul(if columns.len() > 2 { length(2).min(4) } else { 1 })
                .saturating_add(length(0)),
            Self::Replaced => {
                let put = length(1).max(length(2));
                (length(0) + 1).saturating_mul(put).saturating_add(length(0))
            }
            Self::Elements => count().saturating_mul(length(0).max(length(2)).max(ELEMENT)),
            Self::Series => {
                let (from, to) =
                    if columns.len() == 1 { (Some(0), number(0)) } else { (number(0), number(1)) };
                let step = number(2).unwrap_or(1).unsigned_abs().max(1);
                let elements = from.unwrap_or(0).abs_diff(to.unwrap_or(0)) / step + 1;
                usize::try_from(elements).unwrap_or(usize::MAX).saturating_mul(ELEMENT)
            }
            Self::Sum => 0,
        }
    }
}

/// Whether an argument is the same for all rows.
pub(super) fn is_constant(value: &ColumnarValue) -> bool {
    matches!(value, ColumnarValue::Scalar(_))
}

/// Values of an argument, by row.
enum Column {
    /// Integers, and the number of nanoseconds in each unit.
    Numbers(ArrayRef, i128),
    Intervals(ArrayRef),
    /// Lengths of texts.
    Lengths(ArrayRef),
    /// Average size of the values.
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
            DataType::Interval(_) => {
                Self::Intervals(cast(&array, &DataType::Interval(IntervalUnit::MonthDayNano))?)
            }
            _ => Self::Other(array.get_array_memory_size() / rows.max(1)),
        };
        Ok(if is_same { Self::Same(Box::new(column)) } else { column })
    }

    /// Returns the number of bytes in a row's value.
    fn length(&self, row: usize) -> usize {
        match self {
            Self::Lengths(lengths) => {
                whole(lengths, row).map_or(0, |length| usize::try_from(length).unwrap_or(0))
            }
            Self::Numbers(..) | Self::Intervals(_) => ELEMENT,
            Self::Other(each) => *each,
            Self::Same(column) => column.length(0),
        }
    }

    /// Returns the number in a row. Times and steps are in nanoseconds; a step counts with its
    /// minimum length.
    fn number(&self, row: usize) -> Option<i128> {
        const DAY: i128 = 86_400_000_000_000;
        match self {
            Self::Numbers(numbers, each) => {
                whole(numbers, row).map(|number| i128::from(number) * each)
            }
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
    numbers
        .as_primitive_opt::<Int64Type>()
        .filter(|numbers| numbers.is_valid(row))
        .map(|numbers| numbers.value(row))
}
