//! Kinds of errors on which a program can branch.

/// Kind of an error. The error of each layer states its kind; its code in JSON, its exit code and
/// its status follow from the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The change violates rules.
    Refused,
    /// A current value differs from the one that the change expected.
    Conflict,
    NotFound,
    Input,
    /// Nothing was written, and a repeat is safe.
    NotWritten(ErrorClass),
    /// The change may or may not be written.
    UnknownOutcome,
    /// A planner returned a plan that violates rules.
    InvalidPlan,
    /// A planner returned no plan.
    Planner(ErrorClass),
    Configuration,
    /// An API does not respond now.
    Unavailable,
    /// A query failed in a way without a kind of its own.
    Query(ErrorClass),
    UnknownTable,
    UnknownColumn,
    Syntax,
    TooComplex,
    Memory,
    Deadline,
    Interrupted,
    Warehouse(ErrorClass),
    NotALake,
    AlreadyALake,
    UnfinishedCopy,
    Within,
    Occupied,
    NoFolder,
    NewerFormat,
    Damaged,
    Features,
    Catalog(ErrorClass),
    /// The storage failed in a way without a kind of its own.
    Storage(ErrorClass),
}

/// What must change before the same request can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The state of the plan or of the lake rules the request out.
    Refused,
    /// The request itself is wrong.
    Invalid,
    /// A setting, a right or the stored data must be corrected first.
    Environment,
    /// A repeat may succeed.
    Transient,
    /// Lakeplan has a bug.
    Bug,
}

impl ErrorKind {
    /// Returns the code in JSON. Programs branch on it, so it never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::Input => "input",
            Self::NotWritten(_) => "not_written",
            Self::UnknownOutcome => "unknown_outcome",
            Self::InvalidPlan => "invalid_plan",
            Self::Planner(_) => "planner",
            Self::Configuration | Self::Unavailable => "configuration",
            Self::Query(_) => "query",
            Self::UnknownTable => "unknown_table",
            Self::UnknownColumn => "unknown_column",
            Self::Syntax => "syntax",
            Self::TooComplex => "too_complex",
            Self::Memory => "memory",
            Self::Deadline => "deadline",
            Self::Interrupted => "interrupted",
            Self::Warehouse(_) => "warehouse",
            Self::NotALake => "not_a_lake",
            Self::AlreadyALake => "already_a_lake",
            Self::UnfinishedCopy => "unfinished_copy",
            Self::Within => "within",
            Self::Occupied => "occupied",
            Self::NoFolder => "no_folder",
            Self::NewerFormat => "newer_format",
            Self::Damaged => "damaged",
            Self::Features => "features",
            Self::Catalog(_) => "catalog",
            Self::Storage(_) => "storage",
        }
    }

    pub fn class(self) -> ErrorClass {
        match self {
            Self::Refused
            | Self::Conflict
            | Self::NotFound
            | Self::Input
            | Self::InvalidPlan
            | Self::Memory
            | Self::AlreadyALake
            | Self::UnfinishedCopy
            | Self::Within
            | Self::Occupied => ErrorClass::Refused,
            Self::UnknownTable | Self::UnknownColumn | Self::Syntax | Self::TooComplex => {
                ErrorClass::Invalid
            }
            Self::Configuration
            | Self::NotALake
            | Self::NoFolder
            | Self::NewerFormat
            | Self::Damaged
            | Self::Features => ErrorClass::Environment,
            Self::UnknownOutcome | Self::Unavailable | Self::Deadline | Self::Interrupted => {
                ErrorClass::Transient
            }
            Self::NotWritten(class)
            | Self::Planner(class)
            | Self::Query(class)
            | Self::Warehouse(class)
            | Self::Catalog(class)
            | Self::Storage(class) => class,
        }
    }
}
