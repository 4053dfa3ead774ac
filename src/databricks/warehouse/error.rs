//! Errors of a SQL warehouse.

use std::fmt;

use thiserror::Error;

use crate::databricks::WorkspaceError;
use crate::domain::error_kind::{ErrorClass, ErrorKind};
use crate::domain::hint::{Hint, QueryHint};

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WarehouseError {
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error("there is no warehouse {id}: {message}")]
    NoWarehouse { id: String, message: String },
    #[error("access to the warehouse {id} was denied: {message}")]
    NotAllowed { id: String, message: String },
    #[error("the warehouse {id} is stopped, and this user cannot start it: {message}")]
    Stopped { id: String, message: String },
    /// The statement itself failed.
    #[error("the warehouse reported: {message}{}", state.as_ref().map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default())]
    Failed { state: Option<String>, code: String, message: String },
    #[error("the warehouse cancelled the statement")]
    Cancelled,
    #[error("the warehouse no longer has the result")]
    Closed,
    #[error("interrupted; {left}")]
    Interrupted { left: StatementState },
    #[error("the warehouse did not answer in time; {left}")]
    Deadline { left: StatementState },
    #[error("the warehouse's answer cannot be read: {what}")]
    Unreadable { what: String },
}

/// Reason why a caller no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Interrupted,
    Deadline,
}

/// State of a statement that is no longer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementState {
    Cancelled,
    /// The cancellation was not confirmed.
    Unknown,
    /// The statement ended by itself, before its whole result was fetched.
    Ended,
}

impl fmt::Display for StatementState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the statement was cancelled",
            Self::Unknown => "the statement may still run",
            Self::Ended => "the statement had ended, and not all of its answer was fetched",
        })
    }
}

impl WarehouseError {
    pub fn stopped(why: Stop, left: StatementState) -> Self {
        match why {
            Stop::Interrupted => Self::Interrupted { left },
            Stop::Deadline => Self::Deadline { left },
        }
    }

    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Workspace(err) => return err.hint(),
            Self::NoWarehouse { .. } => Hint::advice(
                "find the id in the warehouse's Connection details, at the end of its HTTP path: SQL Warehouses, its name",
            ),
            Self::NotAllowed { .. } => Hint::advice(
                "ask the warehouse's owner to grant CAN USE: SQL Warehouses, its name, Permissions",
            ),
            Self::Stopped { .. } => Hint::advice(
                "start it in SQL Warehouses, or ask its owner for CAN USE, with which a statement starts it",
            ),
            Self::Failed { .. } => QueryHint::ListViews.into(),
            Self::Cancelled | Self::Closed => Hint::advice("retry the command"),
            Self::Deadline { .. } => QueryHint::AllowMoreTimeInWarehouse.into(),
            Self::Interrupted { .. } => return None,
            Self::Unreadable { .. } => QueryHint::RetryAsJson.into(),
        })
    }

    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Warehouse(match self {
            Self::Workspace(err) => err.kind().class(),
            Self::Failed { .. } => ErrorClass::Invalid,
            Self::Cancelled | Self::Closed | Self::Interrupted { .. } | Self::Deadline { .. } => {
                ErrorClass::Transient
            }
            Self::NoWarehouse { .. }
            | Self::NotAllowed { .. }
            | Self::Stopped { .. }
            | Self::Unreadable { .. } => ErrorClass::Environment,
        })
    }
}
