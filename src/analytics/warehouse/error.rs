//! Why a warehouse gave no answer.

use std::fmt;

use thiserror::Error;

use super::Stop;
use crate::net::NetError;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WarehouseError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("there is no warehouse {id}: {said}")]
    NoWarehouse { id: String, said: String },
    #[error("the warehouse {id} may not be used: {said}")]
    NotAllowed { id: String, said: String },
    #[error("the warehouse {id} is stopped, and this user may not start it: {said}")]
    Stopped { id: String, said: String },
    /// The statement itself failed.
    #[error("the warehouse says: {message}{}", state.as_ref().map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default())]
    Failed { state: Option<String>, code: String, message: String },
    #[error("the statement was cancelled at the warehouse")]
    Cancelled,
    #[error("the warehouse no longer has the answer")]
    Closed,
    #[error("interrupted; {left}")]
    Interrupted { left: Left },
    #[error("the warehouse did not answer in time; {left}")]
    Deadline { left: Left },
    #[error("the warehouse's answer cannot be read: {what}")]
    Unreadable { what: String },
}

/// What became of a statement that is no longer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Cancelled,
    /// The cancelling was not confirmed.
    Unknown,
    /// It had ended by itself, before all of its answer was here.
    Ended,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the statement was cancelled",
            Self::Unknown => "the statement may still run",
            Self::Ended => "the statement had ended, and not all of its answer was fetched",
        })
    }
}

impl WarehouseError {
    pub(super) fn stopped(why: Stop, left: Left) -> Self {
        match why {
            Stop::Interrupted => Self::Interrupted { left },
            Stop::Deadline => Self::Deadline { left },
        }
    }

    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Net(fault) => return fault.hint(),
            Self::NoWarehouse { .. } => {
                "the id stands in the warehouse's Connection details, as the end of its HTTP path: SQL Warehouses, its name"
                    .to_owned()
            }
            Self::NotAllowed { .. } => "let the warehouse's owner give CAN USE: SQL Warehouses, its name, Permissions".to_owned(),
            Self::Stopped { .. } => {
                "start it in SQL Warehouses, or let its owner give CAN USE, with which a statement starts it".to_owned()
            }
            Self::Failed { .. } => {
                "lakeplan query --views lists the views; the data dictionary, schemas/README.md, tells the columns".to_owned()
            }
            Self::Cancelled | Self::Closed => "repeat the command".to_owned(),
            Self::Deadline { .. } => "give it longer with --timeout, or ask for less".to_owned(),
            Self::Interrupted { .. } => return None,
            Self::Unreadable { .. } => "repeat the command with --format json".to_owned(),
        })
    }

    /// Whether the same may work in a while, with nothing changed.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Net(fault) => fault.is_passing(),
            Self::Cancelled | Self::Closed | Self::Interrupted { .. } | Self::Deadline { .. } => {
                true
            }
            _ => false,
        }
    }
}
