//! What a command says when it did not do what it was asked, and the exit code that goes with it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::analytics::AnalyticsError;
use crate::analytics::warehouse::WarehouseError;
use crate::config::ConfigError;
use crate::service::ServiceError;
use crate::store::StoreError;
use crate::store::catalog::CatalogError;
use crate::text::masked::masked;
use crate::text::visible::{visible, visible_json};

/// Exit codes. Scripts branch on them, so they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    Refused = 1,
    Usage = 2,
    Configuration = 3,
    TryAgain = 4,
    Bug = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// There was an answer, and nothing was changed.
    #[error("the answer could not be written to standard output")]
    Output(#[source] std::io::Error),
    /// The command did what it was asked; only its answer did not arrive.
    #[error("{what}; the answer could not be written to standard output")]
    Unread {
        what: String,
        #[source]
        fault: std::io::Error,
    },
    /// A check-up found something; the whole of it is the answer.
    #[error("the lake is not as it should be")]
    Found(Value),
    /// Some of it was done and some could not be; the whole of it is the answer.
    #[error("{message}")]
    Partly { message: String, text: String, counts: BTreeMap<&'static str, usize>, answer: Value },
    /// A statement that makes the lake known did not run: what it was for, and what is told after the cause.
    #[error("{what}: {cause}")]
    Statement {
        what: String,
        told: String,
        #[source]
        cause: Box<WarehouseError>,
    },
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
}

impl From<StoreError> for CliError {
    fn from(fault: StoreError) -> Self {
        Self::Service(fault.into())
    }
}

fn warehouse_exit(fault: &WarehouseError) -> Exit {
    match fault {
        WarehouseError::Failed { .. } => Exit::Usage,
        fault if fault.is_passing() => Exit::TryAgain,
        _ => Exit::Configuration,
    }
}

fn store_exit(fault: &StoreError) -> Exit {
    match fault {
        StoreError::Storage { .. } | StoreError::Deadline { .. } => Exit::TryAgain,
        StoreError::WriterGone => Exit::Bug,
        StoreError::Catalog(cause) if cause.is_passing() => Exit::TryAgain,
        StoreError::Catalog(
            CatalogError::AlreadyRegistered { .. } | CatalogError::ReadOnly { .. },
        ) => Exit::Refused,
        StoreError::AlreadyALake { .. }
        | StoreError::CopyOntoLake { .. }
        | StoreError::CopyChanged { .. }
        | StoreError::UnfinishedCopy { .. }
        | StoreError::Within { .. }
        | StoreError::Occupied { .. }
        | StoreError::BeforeItsTime
        | StoreError::AfterItsEnd { .. } => Exit::Refused,
        _ => Exit::Configuration,
    }
}

impl CliError {
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Configuration,
            Self::Usage { .. } => Exit::Usage,
            Self::Found(_) | Self::Partly { .. } => Exit::Refused,
            // The statement is Lakeplan's own, so its failure is no wrong use.
            Self::Statement { cause, .. } if matches!(**cause, WarehouseError::Failed { .. }) => {
                Exit::Refused
            }
            Self::Statement { cause, .. } => warehouse_exit(cause),
            Self::Io(_) => Exit::TryAgain,
            Self::Output(_) => Exit::Refused,
            // Any other code would have a script do it once more.
            Self::Unread { .. } => Exit::Ok,
            Self::Service(fault) => match fault {
                ServiceError::Refused(_)
                | ServiceError::Conflicted { .. }
                | ServiceError::NotFound { .. }
                | ServiceError::Input { .. } => Exit::Refused,
                ServiceError::Config(_) => Exit::Configuration,
                ServiceError::Net(fault) => {
                    if fault.is_passing() {
                        Exit::TryAgain
                    } else {
                        Exit::Configuration
                    }
                }
                ServiceError::Query(cause) => match cause {
                    AnalyticsError::Writes { .. }
                    | AnalyticsError::Memory { .. }
                    | AnalyticsError::Grows(_) => Exit::Refused,
                    AnalyticsError::UnknownTable { .. }
                    | AnalyticsError::Several
                    | AnalyticsError::TooComplex(_)
                    | AnalyticsError::UnknownColumn { .. }
                    | AnalyticsError::Syntax(_)
                    | AnalyticsError::Unwritable { .. }
                    | AnalyticsError::Textless { .. }
                    | AnalyticsError::Unplanned(_)
                    | AnalyticsError::Sql(_) => Exit::Usage,
                    AnalyticsError::Encoding(_) | AnalyticsError::Panicked(_) => Exit::Bug,
                    AnalyticsError::Broken { .. } => Exit::Configuration,
                    AnalyticsError::Warehouse(cause) => warehouse_exit(cause),
                    AnalyticsError::Store(cause) => store_exit(cause),
                    AnalyticsError::Reading(_)
                    | AnalyticsError::Thread(_)
                    | AnalyticsError::Deadline(_)
                    | AnalyticsError::Interrupted => Exit::TryAgain,
                },
                ServiceError::Unknown { .. } => Exit::TryAgain,
                ServiceError::Store(cause) | ServiceError::NotWritten(cause) => store_exit(cause),
            },
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "configuration",
            Self::Usage { .. } => "usage",
            Self::Found(_) => "found",
            Self::Partly { .. } => "partly",
            Self::Statement { .. } => "warehouse",
            Self::Io(_) => "io",
            Self::Output(_) | Self::Unread { .. } => "output",
            Self::Service(fault) => match fault {
                ServiceError::Refused(_) => "refused",
                ServiceError::Conflicted { .. } => "conflict",
                ServiceError::NotFound { .. } => "not_found",
                ServiceError::Input { .. } => "input",
                ServiceError::Config(_) | ServiceError::Net(_) => "configuration",
                ServiceError::Query(cause) => match cause {
                    AnalyticsError::UnknownTable { .. } => "unknown_table",
                    AnalyticsError::UnknownColumn { .. } => "unknown_column",
                    AnalyticsError::Syntax(_) => "syntax",
                    AnalyticsError::TooComplex(_) => "too_complex",
                    AnalyticsError::Memory { .. } | AnalyticsError::Grows(_) => "memory",
                    AnalyticsError::Deadline(_) => "deadline",
                    AnalyticsError::Interrupted => "interrupted",
                    AnalyticsError::Broken { .. } => "damaged",
                    AnalyticsError::Warehouse(_) => "warehouse",
                    _ => "query",
                },
                ServiceError::NotWritten(_) => "not_written",
                ServiceError::Unknown { .. } => "unknown_outcome",
                ServiceError::Store(cause) => match cause {
                    StoreError::NotALake { .. } | StoreError::JournalLost { .. } => "not_a_lake",
                    StoreError::UnfinishedCopy { .. } => "unfinished_copy",
                    StoreError::AlreadyALake { .. }
                    | StoreError::CopyOntoLake { .. }
                    | StoreError::CopyChanged { .. } => "already_a_lake",
                    StoreError::Within { .. } => "within",
                    StoreError::Occupied { .. } => "occupied",
                    StoreError::NoFolder { .. } => "no_folder",
                    StoreError::NewerFormat { .. } => "newer_format",
                    StoreError::Damaged { .. } | StoreError::NameTaken { .. } => "damaged",
                    StoreError::Features { .. } => "features",
                    StoreError::Catalog(_) => "catalog",
                    _ => "storage",
                },
            },
        }
    }

    /// The way out, which repeats no credentials either.
    fn hint(&self) -> Option<String> {
        self.said_hint().map(|hint| masked(&hint).into_owned())
    }

    fn said_hint(&self) -> Option<String> {
        match self {
            Self::Service(fault) => fault.hint(),
            Self::Usage { hint, .. } => hint.clone(),
            Self::Config(fault) => Some(fault.hint()),
            Self::Statement { cause, .. } => cause.hint(),
            Self::Output(_) => {
                Some("send it to a file on a disk with room, or into a pipe".to_owned())
            }
            Self::Unread { .. } => Some(
                "do not repeat the command; lakeplan history shows what was changed".to_owned(),
            ),
            Self::Io(_) | Self::Found(_) | Self::Partly { .. } => None,
        }
    }

    /// The sentence, with what caused it. It may repeat what a person wrote, so the URLs in it are masked.
    fn message(&self) -> String {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(fault) = cause {
            let told = fault.to_string();
            if !message.contains(&told) {
                message.push_str(": ");
                message.push_str(&told);
            }
            cause = fault.source();
        }
        if let Self::Statement { told, .. } = self {
            message.push_str(told);
        }
        masked(&message).into_owned()
    }

    pub fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code(), "message": self.message(), "hint": self.hint(), "exit": self.exit() as u8});
        if let (Self::Service(ServiceError::Refused(violations)), Some(error)) =
            (self, error.as_object_mut())
        {
            error.insert("violations".to_owned(), json!(violations));
        }
        if let (Self::Found(checkup), Some(error)) = (self, error.as_object_mut()) {
            error.insert("checkup".to_owned(), checkup.clone());
        }
        if let (Self::Partly { answer, counts, .. }, Some(error)) = (self, error.as_object_mut()) {
            error.insert("answer".to_owned(), answer.clone());
            error.insert("counts".to_owned(), json!(counts));
        }
        if self.exit() == Exit::Ok {
            json!({ "warning": error })
        } else {
            json!({ "error": error })
        }
    }

    /// Says it on standard error.
    pub fn report(&self, json: bool) -> Exit {
        let exit = self.exit();
        let text = if json { self.to_json().to_string() } else { self.text() };
        let text = if json { visible_json(&text) } else { visible(&text) };
        // If standard error is closed there is no one left to tell.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
        exit
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}",
            if self.exit() == Exit::Ok { "warning" } else { "error" },
            self.message()
        );
        if let Self::Partly { text: told, .. } = self {
            text.push_str(&format!("\n{told}"));
        }
        if let Self::Service(ServiceError::Refused(violations)) = self {
            // Who made one change counts no patches; an author of several has to know which.
            let is_one = violations.iter().all(|violation| violation.patch == 0);
            for violation in violations {
                let told = match violation.field.as_deref() {
                    Some(field) if is_one => format!("{field}: {}", violation.message),
                    None if is_one => violation.message.clone(),
                    _ => violation.to_string(),
                };
                text.push_str(&format!("\n  {told}"));
                if let Some(hint) = &violation.hint {
                    text.push_str(&format!("\n    hint: {hint}"));
                }
            }
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("\nhint: {hint}"));
        }
        if self.exit() == Exit::Bug {
            text.push_str("\nThis should not happen. Please report it with the command and LAKEPLAN_LOG=debug.");
        }
        text
    }
}
