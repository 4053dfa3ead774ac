//! Hints about queries.

/// A change of a query, of its limits or of its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryHint {
    /// List the tables and views; the name was probably meant as `nearest`.
    ListTables {
        nearest: Option<String>,
    },
    /// List the views; the dictionary has the columns.
    ListViews,
    /// List the tables and columns with a SELECT.
    DescribeTables,
    /// Write one SELECT, as the examples do.
    SeeExamples,
    /// Set the limits of the query otherwise than by a statement.
    SetLimits,
    /// Write the rows to a file in a format.
    Export,
    /// Make changes with tasks, plans or patch sets.
    ChangeThePlan,
    /// Repeat the query, or check the tables.
    RetryOrCheck,
    /// Check the tables.
    Check,
    /// Ask for less, write the rows without holding them, or allow more memory.
    AllowMoreMemory,
    AllowMoreTime,
    /// Allow more time than the warehouse took.
    AllowMoreTimeInWarehouse,
    /// Cast the column, select parts of it, or write it in the format that can hold it.
    UseFormat {
        format: &'static str,
    },
    /// Leave out or cast the values without a text form, or write them as Parquet.
    UseParquet,
    /// Repeat the query with its rows as JSON.
    RetryAsJson,
    /// Rebuild the current table from the journal.
    RebuildTable {
        table: &'static str,
    },
    /// Let maintenance drop the lost rows of the event table.
    DropLostRows {
        table: &'static str,
    },
    /// Check what is broken; a backup can replace the lake.
    CheckOrRestore,
}
