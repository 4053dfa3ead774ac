//! The formats of a query result.

use crate::domain::value::string_enum;

string_enum! {
    /// Format of a query result.
    Format {
        Table = "table",
        Json = "json",
        Csv = "csv",
        Parquet = "parquet",
    }
}
