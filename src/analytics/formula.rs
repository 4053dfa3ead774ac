//! Neutralizes cells that a spreadsheet would interpret as formulas. A formula may read other
//! cells, access the network or start a program, and anyone who may write a title can write one.

use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{DataType, Field, Schema};
use deltalake::arrow::error::ArrowError;

/// Returns the batch with a `'` before each text or column name that would be a formula. Numbers
/// stay unchanged, even if they are text.
pub fn inert(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let name = quoted(field.name());
        if is_never_text(column.data_type()) {
            fields.push(Field::new(name, column.data_type().clone(), field.is_nullable()));
            columns.push(Arc::clone(column));
            continue;
        }
        let texts = cast(column, &DataType::Utf8)?;
        let texts: StringArray =
            texts.as_string::<i32>().iter().map(|text| text.map(quoted)).collect();
        fields.push(Field::new(name, DataType::Utf8, true));
        columns.push(Arc::new(texts));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn is_never_text(kind: &DataType) -> bool {
    match kind {
        DataType::Boolean | DataType::Null => true,
        // Written in hexadecimal, whatever text the bytes would be.
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => true,
        DataType::Dictionary(_, value) => is_never_text(value),
        DataType::RunEndEncoded(_, value) => is_never_text(value.data_type()),
        kind => kind.is_numeric() || kind.is_temporal(),
    }
}

fn quoted(text: &str) -> String {
    let begins_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !is_number(text);
    if begins_formula { format!("'{text}") } else { text.to_owned() }
}

/// Whether a text is just a decimal number.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, part]
        .iter()
        .all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deltalake::arrow::array::{
        BinaryArray, BinaryViewArray, FixedSizeBinaryArray, LargeBinaryArray,
    };

    #[test]
    fn bytes_stay_bytes() {
        let bytes: Vec<&[u8]> = vec![b"\xff", b"="];
        let fixed = FixedSizeBinaryArray::try_from_iter(bytes.iter()).unwrap();
        let columns: [ArrayRef; 4] = [
            Arc::new(BinaryArray::from(bytes.clone())),
            Arc::new(LargeBinaryArray::from(bytes.clone())),
            Arc::new(BinaryViewArray::from(bytes)),
            Arc::new(fixed),
        ];
        let batch =
            RecordBatch::try_from_iter(["a", "b", "c", "d"].into_iter().zip(columns)).unwrap();
        assert_eq!(inert(&batch).unwrap().columns(), batch.columns());
    }

    #[test]
    fn what_would_be_a_formula_is_quoted_and_numbers_stay() {
        for text in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "-",
            "-1e5",
            "+1.",
            "--1",
            "-1.2.3",
        ] {
            assert_eq!(quoted(text), format!("'{text}"));
        }
        for text in ["-5", "+3.25", "1=1", "a", "", "'=1", "2026-11-29"] {
            assert_eq!(quoted(text), text);
        }
    }
}
