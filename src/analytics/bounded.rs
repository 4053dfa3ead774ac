//! Functions whose answer may be far larger than what they are given, kept within bounds.
//!
//! The engine's memory pool counts what sorts, joins and aggregations hold, and not what an expression allocates. So such a
//! function is measured: before it runs by what it would make, where an argument or a text multiplies, and after it by what
//! it made.

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
use super::growth::{ELEMENT, GROWING, Growth};

/// The most bytes that one call makes for a batch of rows.
const BATCH: usize = 256 << 20;
/// The longest value that is the same for all rows: the engine copies it for each row of a batch.
const CONSTANT: usize = 64 << 10;
/// The same of an array, of which a query seldom shows all.
const CONSTANT_ARRAY: usize = 1 << 20;

/// The rows of a batch, as the engine makes it.
const ROWS: usize = 8 << 10;
/// The longest value of a type whose values are all of one size. Also a null takes as much, in each row of a batch.
const FIXED: usize = BATCH / ROWS;
/// The functions that cast to a type of Arrow, which is their second argument.
const CASTING: [&str; 2] = ["arrow_cast", "arrow_try_cast"];

/// A function made more than it may.
#[derive(Debug, thiserror::Error)]
#[error("{function} would make {bytes} bytes at once, and {most} are the most")]
pub(super) struct Grown {
    pub function: String,
    pub bytes: usize,
    pub most: usize,
}

/// Puts the measured form in the place of each function that grows, and of one over a window, and around `||`.
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
                let is_measured = (call.func.inner().as_ref() as &dyn Any).is::<Bounded>();
                let Some(growth) = growth.filter(|_| !is_measured) else {
                    return Ok(Transformed::no(Expr::ScalarFunction(call)));
                };
                let func = Arc::new(ScalarUDF::new_from_impl(Bounded::new(call.func, growth)));
                Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: call.args })))
            }
            Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => {
                let func = Arc::new(ScalarUDF::new_from_impl(Joined::default()));
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

/// Refuses a cast to a type whose values are all of one size, and large.
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

/// The bytes that each value of a type takes, where it holds lists or bytes of a fixed size.
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
        let made = args
            .args
            .into_iter()
            .next()
            .ok_or_else(|| DataFusionError::Internal("|| has no argument".to_owned()))?;
        measured("||", size(&made), most)?;
        Ok(made)
    }
}

pub(super) fn is_constant(value: &ColumnarValue) -> bool {
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

/// The bytes of memory that a value takes.
fn size(value: &ColumnarValue) -> usize {
    match value {
        ColumnarValue::Scalar(value) => value.size(),
        ColumnarValue::Array(array) => array.get_array_memory_size(),
    }
}
