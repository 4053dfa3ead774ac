//! Limits functions whose result may be far larger than their arguments.
//!
//! The engine's memory pool counts what sorts, joins and aggregations hold, but not what an
//! expression allocates. So such a function is measured twice: before it runs, by an estimate of
//! its result if an argument multiplies it, and afterwards by its actual result.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use deltalake::arrow::array::Array;
use deltalake::arrow::datatypes::{DataType, FieldRef};
use deltalake::datafusion::common::config::ConfigOptions;
use deltalake::datafusion::common::tree_node::Transformed;
use deltalake::datafusion::common::{DFSchema, Result};
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::logical_expr::expr::{Cast, ScalarFunction, TryCast};
use deltalake::datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use deltalake::datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use super::frames::counted;
use super::growth::{ELEMENT, GROWING, Growth, is_constant};
use super::result_limit::ResultTooLarge;

/// Maximum number of bytes that one call produces for a batch of rows.
const BATCH: usize = 256 << 20;
/// Maximum size of a value that is the same for all rows: the engine copies it for each row of a
/// batch.
const CONSTANT: usize = 64 << 10;
/// Maximum size of an array that is the same for all rows. A query seldom shows all of it.
const CONSTANT_ARRAY: usize = 1 << 20;

/// Number of rows in a batch of the engine.
const ROWS: usize = 8 << 10;
/// Maximum size of a value of a fixed-size type. A null takes the same space, in each row of a
/// batch.
const FIXED: usize = BATCH / ROWS;
/// Functions that cast to the Arrow type in their second argument.
const CASTING: [&str; 2] = ["arrow_cast", "arrow_try_cast"];

/// Rewrite that puts measured forms in place of functions that grow, also over a window, and around
/// `||`.
#[derive(Debug)]
pub(super) struct Bounds;

impl FunctionRewrite for Bounds {
    fn name(&self) -> &str {
        "bounds"
    }

    fn rewrite(&self, expr: Expr, _: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        check_fixed(&expr)?;
        match expr {
            Expr::ScalarFunction(call) => {
                let growth = GROWING
                    .iter()
                    .find(|(name, _)| *name == call.func.name())
                    .map(|(_, growth)| *growth);
                let is_measured = (call.func.inner().as_ref() as &dyn Any).is::<MeasuredFunction>();
                let Some(growth) = growth.filter(|_| !is_measured) else {
                    return Ok(Transformed::no(Expr::ScalarFunction(call)));
                };
                let func =
                    Arc::new(ScalarUDF::new_from_impl(MeasuredFunction::new(call.func, growth)));
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: call.args })))
            }
            Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => {
                let func = Arc::new(ScalarUDF::new_from_impl(MeasuredConcat::default()));
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction {
                    func,
                    args: vec![expr],
                })))
            }
            Expr::WindowFunction(mut call) => {
                let counted = counted(&call);
                let is_new = counted.is_some();
                call.fun = counted.unwrap_or(call.fun);
                Ok(Transformed::new_transformed(Expr::WindowFunction(call), is_new))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

/// Rejects a cast to a type with large fixed-size values.
fn check_fixed(expr: &Expr) -> Result<()> {
    match expr {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            measured("a cast", fixed_size(field.data_type()), FIXED)
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if CASTING.contains(&func.name()) => {
            let kind = match args.get(1) {
                Some(Expr::Literal(kind, _)) => {
                    kind.try_as_str().flatten().and_then(|kind| kind.parse::<DataType>().ok())
                }
                _ => None,
            };
            measured(func.name(), kind.map_or(0, |kind| fixed_size(&kind)), FIXED)
        }
        _ => Ok(()),
    }
}

/// Returns the bytes that fixed-size lists and binaries take in each value of a type.
fn fixed_size(kind: &DataType) -> usize {
    let times = |size: i32, each: usize| usize::try_from(size).unwrap_or(0).saturating_mul(each);
    match kind {
        DataType::FixedSizeList(item, size) => {
            let kind = item.data_type();
            times(*size, kind.primitive_width().unwrap_or_else(|| fixed_size(kind).max(ELEMENT)))
        }
        DataType::FixedSizeBinary(size) => times(*size, 1),
        DataType::Dictionary(_, value) => fixed_size(value),
        DataType::RunEndEncoded(_, value) => fixed_size(value.data_type()),
        DataType::Struct(fields) => {
            fields.iter().fold(0, |sum, field| sum.saturating_add(fixed_size(field.data_type())))
        }
        DataType::Union(fields, _) => fields
            .iter()
            .fold(0, |sum, (_, field)| sum.saturating_add(fixed_size(field.data_type()))),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::Map(item, _) => fixed_size(item.data_type()),
        _ => 0,
    }
}

/// Measured function. It is not simplified, since that would restore the unmeasured form.
#[derive(PartialEq, Eq, Hash)]
struct MeasuredFunction {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    signature: Signature,
}

impl MeasuredFunction {
    fn new(inner: Arc<ScalarUDF>, growth: Growth) -> Self {
        let mut signature = inner.signature().clone();
        if growth.makes_many_elements() {
            // Prevents constant folding, which runs before the number of rows is known.
            signature.volatility = Volatility::Volatile;
        }
        Self { inner, growth, signature }
    }

    /// Returns the size limit of a call, which is small if the result is the same for all rows.
    fn most(&self, args: &ScalarFunctionArgs) -> usize {
        if self.growth.makes_many_elements() && args.args.iter().all(is_constant) {
            return BATCH / args.number_rows.max(1);
        }
        most(args)
    }
}

impl fmt::Debug for MeasuredFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bounded({})", self.inner.name())
    }
}

impl ScalarUDFImpl for MeasuredFunction {
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

/// Measured result of `||`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MeasuredConcat {
    signature: Signature,
}

impl Default for MeasuredConcat {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MeasuredConcat {
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
        let made = args
            .args
            .into_iter()
            .next()
            .ok_or_else(|| DataFusionError::Internal("|| has no argument".to_owned()))?;
        measured("||", size(&made), most)?;
        Ok(made)
    }
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
    Err(ResultTooLarge { function: function.to_owned(), bytes, most }.into())
}

/// Returns the memory that a value takes, in bytes.
fn size(value: &ColumnarValue) -> usize {
    match value {
        ColumnarValue::Scalar(value) => value.size(),
        ColumnarValue::Array(array) => array.get_array_memory_size(),
    }
}
