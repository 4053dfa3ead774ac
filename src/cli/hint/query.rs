//! Words hints about queries.

use std::borrow::Cow;

use crate::domain::hint::QueryHint;

pub fn words(hint: &QueryHint) -> Cow<'static, str> {
    let fixed = match hint {
        QueryHint::ListTables { nearest } => {
            let nearest = nearest.as_ref().map(|name| format!("did you mean {name}? "));
            return format!("{}lakeplan query --views lists the views; SELECT table_name FROM information_schema.tables lists all there is", nearest.unwrap_or_default()).into();
        }
        QueryHint::ListViews => {
            "run lakeplan query --views to list the views; see the data dictionary, schemas/README.md, for the columns"
        }
        QueryHint::DescribeTables => {
            "SELECT table_name, column_name FROM information_schema.columns lists what there is, and lakeplan query --views the views"
        }
        QueryHint::SeeExamples => "use one SELECT; run lakeplan query --help for examples",
        QueryHint::SetLimits => {
            "remove it, and set the limits of a query with --memory and --timeout"
        }
        QueryHint::Export => {
            "lakeplan query --format csv, json or parquet writes the rows of a SELECT"
        }
        QueryHint::ChangeThePlan => "make changes with lakeplan task, plan or apply",
        QueryHint::RetryOrCheck => "retry the command, or run lakeplan doctor to check the tables",
        QueryHint::Check => "run lakeplan doctor to check the tables",
        QueryHint::AllowMoreMemory => {
            "ask for less with a WHERE, a LIMIT or fewer columns; write a long answer with --format csv, json or parquet, which holds no rows back; or allow more with --memory"
        }
        QueryHint::AllowMoreTime => "ask for less, or allow more time with --timeout",
        QueryHint::AllowMoreTimeInWarehouse => "allow more time with --timeout, or ask for less",
        QueryHint::UseFormat { format } => {
            return format!("cast it to another type, select parts of it, or write the answer with --format {format}").into();
        }
        QueryHint::UseParquet => {
            "leave such rows out with a WHERE, cast the column to a number, or write the answer with --format parquet, which holds any value"
        }
        QueryHint::RetryAsJson => "retry the command with --format json",
        QueryHint::RebuildTable { table } => {
            return format!("run lakeplan fold --rebuild {table} to rebuild it from the journal; lakeplan doctor shows what else is broken").into();
        }
        QueryHint::DropLostRows { table } => {
            return format!("run lakeplan maintain to continue without the lost data of {table}; lakeplan doctor shows what is lost").into();
        }
        QueryHint::CheckOrRestore => {
            "run lakeplan doctor to see what is broken; lakeplan restore-lake creates a lake from a backup"
        }
    };
    Cow::Borrowed(fixed)
}
