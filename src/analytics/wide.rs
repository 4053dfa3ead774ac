//! Measures the bytes of an array's values, and of the widest one. An operator that repeats a row
//! takes that space again each time.

use deltalake::arrow::array::{Array, AsArray, OffsetSizeTrait, RecordBatch};
use deltalake::arrow::datatypes::{ArrowNativeType, ByteArrayType, ByteViewType, DataType};
use deltalake::arrow::datatypes::{
    BinaryType, BinaryViewType, LargeBinaryType, LargeUtf8Type, StringViewType, Utf8Type,
};
use deltalake::datafusion::common::ScalarValue;

/// Bytes of a list or text besides its content.
const HEAD: usize = 16;

/// Whether values of a type differ in size.
pub(super) fn varies(kind: &DataType) -> bool {
    match kind {
        DataType::Struct(fields) => fields.iter().any(|field| varies(field.data_type())),
        DataType::FixedSizeList(field, _) => varies(field.data_type()),
        DataType::Null => false,
        kind => {
            kind.primitive_width().is_none()
                && !matches!(kind, DataType::Boolean | DataType::FixedSizeBinary(_))
        }
    }
}

/// Returns an upper bound on the bytes of the widest row of a batch.
pub(super) fn widest_row(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| widest(column.as_ref())).sum()
}

/// Returns the bytes of all rows of a batch.
pub(super) fn bytes_in(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| bytes(column.as_ref())).sum()
}

/// Returns the bytes of the widest value.
pub(super) fn widest(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8 => longest::<Utf8Type>(array),
        DataType::LargeUtf8 => longest::<LargeUtf8Type>(array),
        DataType::Binary => longest::<BinaryType>(array),
        DataType::LargeBinary => longest::<LargeBinaryType>(array),
        DataType::Utf8View => HEAD + viewed::<StringViewType>(array).max().unwrap_or(0),
        DataType::BinaryView => HEAD + viewed::<BinaryViewType>(array).max().unwrap_or(0),
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|column| widest(column.as_ref())).sum()
        }
        kind if varies(kind) => {
            (0..array.len()).map(|row| bytes(array.slice(row, 1).as_ref())).max().unwrap_or(0)
        }
        kind => width(kind),
    }
}

/// Returns the bytes of all values.
pub(super) fn bytes(array: &dyn Array) -> usize {
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8 => HEAD * rows + text::<Utf8Type>(array),
        DataType::LargeUtf8 => HEAD * rows + text::<LargeUtf8Type>(array),
        DataType::Binary => HEAD * rows + text::<BinaryType>(array),
        DataType::LargeBinary => HEAD * rows + text::<LargeBinaryType>(array),
        DataType::Utf8View => HEAD * rows + viewed::<StringViewType>(array).sum::<usize>(),
        DataType::BinaryView => HEAD * rows + viewed::<BinaryViewType>(array).sum::<usize>(),
        DataType::List(_) => HEAD * rows + listed::<i32>(array),
        DataType::LargeList(_) => HEAD * rows + listed::<i64>(array),
        DataType::Map(..) => {
            let offsets = array.as_map().value_offsets();
            HEAD * rows + within(array.as_map().entries(), offsets)
        }
        DataType::FixedSizeList(..) => {
            let (lists, each) =
                (array.as_fixed_size_list(), array.as_fixed_size_list().value_length());
            let from = usize::try_from(lists.value_offset(0)).unwrap_or(0);
            let values = usize::try_from(each).unwrap_or(0) * rows;
            bytes(lists.values().slice(from, values).as_ref())
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|column| bytes(column.as_ref())).sum()
        }
        // A rare type, of which only the total is known.
        kind if varies(kind) => array.get_buffer_memory_size(),
        kind => width(kind) * rows,
    }
}

/// Returns the bytes of one value.
pub(super) fn bytes_of(value: &ScalarValue) -> usize {
    match value {
        ScalarValue::List(array) => bytes(array.as_ref()),
        ScalarValue::LargeList(array) => bytes(array.as_ref()),
        ScalarValue::FixedSizeList(array) => bytes(array.as_ref()),
        ScalarValue::Struct(array) => bytes(array.as_ref()),
        ScalarValue::Map(array) => bytes(array.as_ref()),
        value => value.size(),
    }
}

fn width(kind: &DataType) -> usize {
    match kind {
        DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or(0),
        kind => kind.primitive_width().unwrap_or(1),
    }
}

fn ends<O: OffsetSizeTrait>(offsets: &[O]) -> (usize, usize) {
    let end = |offset: Option<&O>| offset.map_or(0, |offset| offset.as_usize());
    (end(offsets.first()), end(offsets.last()))
}

fn text<T: ByteArrayType>(array: &dyn Array) -> usize {
    let (from, to) = ends(array.as_bytes::<T>().value_offsets());
    to - from
}

fn longest<T: ByteArrayType>(array: &dyn Array) -> usize {
    let offsets = array.as_bytes::<T>().value_offsets();
    HEAD + offsets.windows(2).map(|pair| (pair[1] - pair[0]).as_usize()).max().unwrap_or(0)
}

fn viewed<T: ByteViewType>(array: &dyn Array) -> impl Iterator<Item = usize> {
    array.as_byte_view::<T>().lengths().map(|length| length as usize)
}

fn listed<O: OffsetSizeTrait>(array: &dyn Array) -> usize {
    let lists = array.as_list::<O>();
    within(lists.values().as_ref(), lists.value_offsets())
}

fn within<O: OffsetSizeTrait>(values: &dyn Array, offsets: &[O]) -> usize {
    let (from, to) = ends(offsets);
    bytes(values.slice(from, to - from).as_ref())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deltalake::arrow::array::{
        ArrayRef, Int64Array, ListArray, StringArray, StringViewArray, StructArray,
    };
    use deltalake::arrow::datatypes::{Field, Int64Type};

    use super::*;

    #[test]
    fn values_are_weighed_within_their_slice() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "bbbb", "cc"]));
        let views: ArrayRef =
            Arc::new(StringViewArray::from(vec!["a", "a text of more than twelve bytes", "cc"]));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some(vec![Some(1); 5]),
            None,
            Some(vec![Some(2); 3]),
        ]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let struct_of: ArrayRef = Arc::new(StructArray::from(vec![
            (Arc::new(Field::new("t", DataType::Utf8, true)), Arc::clone(&texts)),
            (Arc::new(Field::new("n", DataType::Int64, true)), Arc::clone(&numbers)),
        ]));
        let with_width_checks = |array: &ArrayRef| {
            (widest(array.as_ref()), bytes(array.as_ref()), bytes(array.slice(2, 1).as_ref()))
        };
        assert_eq!(with_width_checks(&texts), (HEAD + 4, 3 * HEAD + 7, HEAD + 2));
        assert_eq!(with_width_checks(&views), (HEAD + 32, 3 * HEAD + 35, HEAD + 2));
        assert_eq!(with_width_checks(&lists), (HEAD + 40, 3 * HEAD + 64, HEAD + 24));
        assert_eq!(with_width_checks(&numbers), (8, 24, 8));
        assert_eq!(with_width_checks(&struct_of), (HEAD + 12, 3 * HEAD + 31, HEAD + 10));
        assert!(
            varies(struct_of.data_type())
                && varies(lists.data_type())
                && !varies(numbers.data_type())
        );
    }
}
