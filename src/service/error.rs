//! Errors of the use cases.

use thiserror::Error;

use crate::analytics::AnalyticsError;
use crate::config::ConfigError;
use crate::databricks::WorkspaceError;
use crate::domain::apply::Conflict;
use crate::domain::error_kind::ErrorKind;
use crate::domain::hint::Hint;
use crate::domain::id::PatchSetId;
use crate::domain::violation::Violation;
use crate::exchange::json::JsonError;
use crate::planning::plan::Skipped;
use crate::planning::plan_problem::PlanProblem;
use crate::planning::planner::PlannerError;
use crate::store::StoreError;

#[derive(Debug, Error)]
pub enum ServiceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Query(#[from] AnalyticsError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Planner(#[from] PlannerError),
    /// The planner's plan breaks rules; nothing was written.
    #[error("the plan of the planner {model} is invalid")]
    InvalidPlan { model: String, problems: Vec<PlanProblem> },
    /// A text without work is no project; nothing was written.
    #[error("{place}: {}", if *is_canceled { "all work that it lists is canceled" } else { "lists no work that the planner can read" })]
    NoWork { place: String, is_canceled: bool, skipped: Vec<Skipped> },
    /// The change violates rules; nothing was written.
    #[error("the change was refused")]
    Refused(Vec<Violation>),
    /// A current value differs from the one that the change expected; nothing was written.
    #[error("{subject}: {field} is {theirs}, not {expected} as the change expects", field = conflict.field, theirs = conflict.theirs, expected = conflict.expected)]
    Conflicted { subject: String, conflict: Box<Conflict> },
    /// Nothing was written; a retry is safe.
    #[error("nothing was written")]
    NotWritten(#[source] StoreError),
    /// It may or may not be written; a retry with the same id shows which.
    #[error("could not determine whether patch set {id} was committed")]
    Unknown {
        id: PatchSetId,
        #[source]
        cause: StoreError,
    },
    #[error("there is no {what} {name:?}")]
    NotFound { what: &'static str, name: String, hint: Option<Hint> },
    #[error("{place}: {message}")]
    Input { place: String, message: String, hint: Option<Hint> },
    /// A parameter of the use case is missing or invalid. Each interface has its own name for it,
    /// such as a flag.
    #[error("{name}: {message}")]
    Parameter { name: &'static str, message: String, hint: Option<Hint> },
    #[error("{lake}: is not a lake in Unity Catalog")]
    NotInCatalog { lake: String },
}

impl ServiceError {
    pub fn input(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Input { place: place.into(), message: message.into(), hint: None }
    }

    pub fn json(place: impl Into<String>, err: &JsonError) -> Self {
        Self::input(place, err.to_string())
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(cause) => cause.kind(),
            Self::Query(cause) => cause.kind(),
            Self::Config(cause) => cause.kind(),
            Self::Workspace(cause) => cause.kind(),
            Self::Planner(cause) => cause.kind(),
            Self::InvalidPlan { .. } => ErrorKind::InvalidPlan,
            Self::Refused(_) => ErrorKind::Refused,
            Self::Conflicted { .. } => ErrorKind::Conflict,
            Self::NotWritten(cause) => ErrorKind::NotWritten(cause.kind().class()),
            Self::Unknown { .. } => ErrorKind::UnknownOutcome,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::NoWork { .. }
            | Self::Input { .. }
            | Self::Parameter { .. }
            | Self::NotInCatalog { .. } => ErrorKind::Input,
        }
    }

    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Store(cause) => cause.hint(),
            Self::Query(cause) => cause.hint(),
            Self::Config(cause) => Some(cause.hint()),
            Self::Workspace(cause) => cause.hint(),
            Self::Planner(cause) => cause.hint(),
            Self::NoWork { is_canceled: true, .. }
            | Self::Refused(_)
            | Self::InvalidPlan { .. } => None,
            Self::NoWork { .. } => {
                Some("add a list of the work, such as below a heading \"Tasks\"".into())
            }
            Self::Conflicted { .. } => {
                Some("review it and retry the change if it still applies".into())
            }
            Self::NotWritten(cause) => cause.hint().or_else(|| Some("retry the command".into())),
            Self::Unknown { id, .. } => Some(Hint::RetryWithId { id: *id }),
            Self::NotFound { hint, .. }
            | Self::Input { hint, .. }
            | Self::Parameter { hint, .. } => hint.clone(),
            Self::NotInCatalog { .. } => None,
        }
    }
}
