//! Reads the values of one column of an inbox file, of any type its writer chose, each by itself.
//!
//! Values are decoded without Arrow: with Arrow, a single text that is not UTF-8, or a time outside
//! its unit's range, fails the whole batch.

use bytes::{Buf, Bytes};
use deltalake::parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use deltalake::parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use deltalake::parquet::data_type::DataType;
use deltalake::parquet::errors::{ParquetError, Result};
use deltalake::parquet::file::metadata::RowGroupMetaData;
use deltalake::parquet::file::reader::{ChunkReader, Length};
use deltalake::parquet::file::serialized_reader::SerializedPageReader;
use deltalake::parquet::schema::types::ColumnDescPtr;
use std::sync::Arc;

/// A value as its writer left it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Text(String),
    /// Bytes that are not UTF-8, with a replacement character for each invalid one.
    NotUtf8(String),
    /// A text of `bytes` bytes, more than requested, and its start.
    TooLong {
        bytes: usize,
        start: String,
    },
    /// Microseconds since 1970 in UTC, in any range.
    Time(i64),
    /// Description of a value that is neither a text nor a time.
    Unfit(&'static str),
}

/// Bytes of a file from a position on.
pub struct Part {
    pub start: u64,
    pub bytes: Bytes,
}

impl Part {
    fn from(&self, start: u64) -> Result<Bytes> {
        let offset = start.checked_sub(self.start).and_then(|offset| usize::try_from(offset).ok());
        let offset = offset.filter(|offset| *offset <= self.bytes.len());
        offset
            .map(|offset| self.bytes.slice(offset..))
            .ok_or_else(|| ParquetError::EOF("a page is outside its column".to_owned()))
    }
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Part {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            return Err(ParquetError::EOF("a page is longer than its column".to_owned()));
        }
        Ok(bytes.slice(..length))
    }
}

/// A column of a row group, read from its first row on.
pub enum Cells {
    Stored {
        reader: Box<ColumnReader>,
        column: ColumnDescPtr,
        /// Number of values decoded at a time.
        step: usize,
    },
    /// Every row has the same value: the column is a partition column, is missing, or is nested.
    Same(Cell),
}

/// Position of a column in a row group.
pub enum Found {
    At(usize),
    Nested,
    Missing,
}

/// Finds a column by its name, ignoring case as SQL does.
pub fn find(group: &RowGroupMetaData, name: &str) -> Found {
    let is_named = |at: &usize| {
        let path = group.column(*at).column_path().parts();
        path.first().is_some_and(|first| first.eq_ignore_ascii_case(name))
    };
    match (0..group.num_columns()).find(is_named) {
        None => Found::Missing,
        Some(at) => {
            let column = group.column(at);
            let is_plain = column.column_path().parts().len() == 1
                && column.column_descr().max_rep_level() == 0;
            if is_plain { Found::At(at) } else { Found::Nested }
        }
    }
}

impl Cells {
    /// Opens the column at a position of a row group; `part` holds its bytes.
    pub fn open(group: &RowGroupMetaData, at: usize, part: Arc<Part>) -> Result<Self> {
        let (chunk, column) = (group.column(at), group.column(at).column_descr_ptr());
        let rows = usize::try_from(group.num_rows())
            .map_err(|err| ParquetError::General(err.to_string()))?;
        let pages = SerializedPageReader::new(part, chunk, rows, None)?;
        // Values keep their pages in memory, so long values are released one by one.
        let step = if chunk.uncompressed_size() > LARGE_FILE_BYTES { 1 } else { usize::MAX };
        Ok(Self::Stored {
            reader: Box::new(get_column_reader(ColumnDescPtr::clone(&column), Box::new(pages))),
            column,
            step,
        })
    }

    /// Returns at most `most` next values; a text of more than `longest` bytes is only measured.
    pub fn next(&mut self, most: usize, longest: usize) -> Result<Vec<Cell>> {
        let step = match self {
            Self::Same(cell) => return Ok(vec![cell.clone(); most]),
            Self::Stored { step, .. } => *step,
        };
        let mut found = Vec::new();
        while found.len() < most {
            let more = self.decode(step.min(most - found.len()), longest)?;
            if more.is_empty() {
                break;
            }
            found.extend(more);
        }
        Ok(found)
    }

    fn decode(&mut self, most: usize, longest: usize) -> Result<Vec<Cell>> {
        let (reader, column) = match self {
            Self::Same(_) => return Ok(Vec::new()),
            Self::Stored { reader, column, .. } => (reader.as_mut(), column),
        };
        let levels = column.max_def_level();
        let kind = Kind::of(column);
        let number = |value: i64| kind.number(value);
        Ok(match reader {
            ColumnReader::ByteArrayColumnReader(reader) => {
                cells(pull(reader, levels, most)?, |value| kind.bytes(value.data(), longest))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                cells(pull(reader, levels, most)?, |value| kind.bytes(value.data(), longest))
            }
            ColumnReader::Int32ColumnReader(reader) => {
                cells(pull(reader, levels, most)?, |value| number(i64::from(value)))
            }
            ColumnReader::Int64ColumnReader(reader) => cells(pull(reader, levels, most)?, number),
            ColumnReader::Int96ColumnReader(reader) => {
                cells(pull(reader, levels, most)?, |value| int96(value.data()))
            }
            ColumnReader::FloatColumnReader(reader) => {
                cells(pull(reader, levels, most)?, |value| Cell::Text(value.to_string()))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                cells(pull(reader, levels, most)?, |value| Cell::Text(value.to_string()))
            }
            ColumnReader::BoolColumnReader(reader) => {
                cells(pull(reader, levels, most)?, |value| Cell::Text(value.to_string()))
            }
        })
    }

    /// Skips `number` values.
    pub fn skip(&mut self, number: usize) -> Result<()> {
        let Self::Stored { reader, .. } = self else { return Ok(()) };
        match reader.as_mut() {
            ColumnReader::ByteArrayColumnReader(reader) => reader.skip_records(number),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => reader.skip_records(number),
            ColumnReader::Int32ColumnReader(reader) => reader.skip_records(number),
            ColumnReader::Int64ColumnReader(reader) => reader.skip_records(number),
            ColumnReader::Int96ColumnReader(reader) => reader.skip_records(number),
            ColumnReader::FloatColumnReader(reader) => reader.skip_records(number),
            ColumnReader::DoubleColumnReader(reader) => reader.skip_records(number),
            ColumnReader::BoolColumnReader(reader) => reader.skip_records(number),
        }
        .map(drop)
    }
}

fn cells<V>(values: Vec<Option<V>>, cell: impl Fn(V) -> Cell) -> Vec<Cell> {
    values.into_iter().map(|value| value.map_or(Cell::Null, &cell)).collect()
}

fn pull<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: i16,
    most: usize,
) -> Result<Vec<Option<T::T>>> {
    let mut found = Vec::with_capacity(most);
    while found.len() < most {
        let (mut defined, mut values) = (Vec::new(), Vec::new());
        let (records, _, _) =
            reader.read_records(most - found.len(), Some(&mut defined), None, &mut values)?;
        if records == 0 {
            break;
        }
        let mut values = values.into_iter();
        if levels == 0 {
            found.extend(values.map(Some));
        } else {
            found.extend(
                defined.iter().map(|level| if *level == levels { values.next() } else { None }),
            );
        }
    }
    Ok(found)
}

/// Meaning of a column's numbers and bytes.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Millis,
    Micros,
    Nanos,
    Days,
    Unfit(&'static str),
}

impl Kind {
    fn of(column: &ColumnDescPtr) -> Self {
        match column.logical_type_ref() {
            Some(LogicalType::Timestamp(kind)) => match kind.unit {
                TimeUnit::MILLIS => Self::Millis,
                TimeUnit::MICROS => Self::Micros,
                TimeUnit::NANOS => Self::Nanos,
            },
            Some(LogicalType::Date) => Self::Days,
            Some(LogicalType::Decimal(_)) => Self::Unfit("a decimal"),
            Some(LogicalType::Time(_)) => Self::Unfit("a time of day"),
            Some(_) => Self::Plain,
            None => match column.converted_type() {
                ConvertedType::TIMESTAMP_MILLIS => Self::Millis,
                ConvertedType::TIMESTAMP_MICROS => Self::Micros,
                ConvertedType::DATE => Self::Days,
                ConvertedType::DECIMAL => Self::Unfit("a decimal"),
                ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS => {
                    Self::Unfit("a time of day")
                }
                _ => Self::Plain,
            },
        }
    }

    fn number(self, value: i64) -> Cell {
        match self {
            Self::Plain => Cell::Text(value.to_string()),
            Self::Micros => Cell::Time(value),
            Self::Millis => Cell::Time(value.saturating_mul(1000)),
            Self::Nanos => Cell::Time(value.div_euclid(1000)),
            Self::Days => Cell::Time(value.saturating_mul(MICROS_A_DAY)),
            Self::Unfit(what) => Cell::Unfit(what),
        }
    }

    fn bytes(self, bytes: &[u8], longest: usize) -> Cell {
        if let Self::Unfit(what) = self {
            return Cell::Unfit(what);
        }
        if bytes.len() > longest {
            let start = String::from_utf8_lossy(bytes.get(..START).unwrap_or(bytes)).into_owned();
            return Cell::TooLong { bytes: bytes.len(), start };
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::NotUtf8(String::from_utf8_lossy(bytes).into_owned()),
        }
    }
}

/// A column of a row group with more bytes than this holds long texts, or very many texts.
const LARGE_FILE_BYTES: i64 = 64 << 20;
/// Number of bytes kept of a text that is too long.
pub const START: usize = 4096;
const MICROS_A_DAY: i64 = 86_400_000_000;

/// Decodes the nanoseconds of a day, in two words, and the Julian day.
fn int96(words: &[u32]) -> Cell {
    const JULIAN_1970: i128 = 2_440_588;
    let &[low, high, day] = words else { return Cell::Unfit("a number of 96 bits") };
    let nanos = i128::from(low) | i128::from(high) << 32;
    let micros =
        (i128::from(day.cast_signed()) - JULIAN_1970) * i128::from(MICROS_A_DAY) + nanos / 1000;
    Cell::Time(i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX }))
}
