//! Error messages of commands, and their exit codes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::hint::hint_text;
use super::skipped::no_work;
use crate::config::ConfigError;
use crate::databricks::warehouse::WarehouseError;
use crate::domain::error_kind::{ErrorClass, ErrorKind};
use crate::domain::hint::Hint;
use crate::domain::violation::Violation;
use crate::service::ServiceError;
use crate::store::StoreError;
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

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind.class() {
            ErrorClass::Refused => Self::Refused,
            ErrorClass::Invalid => Self::Usage,
            ErrorClass::Environment => Self::Configuration,
            ErrorClass::Transient => Self::TryAgain,
            ErrorClass::Bug => Self::Bug,
        }
    }
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
    /// A reply could not be written, and nothing was changed.
    #[error("the result could not be written to standard output")]
    Output(#[source] std::io::Error),
    /// The command succeeded, but its reply could not be written.
    #[error("{what}; the result could not be written to standard output")]
    ReplyLost {
        what: String,
        #[source]
        err: std::io::Error,
    },
    /// A check found problems; the error contains the full result.
    #[error("the lake has problems")]
    CheckFailed(Value),
    /// Some work was done and some failed; the error contains the full result.
    #[error("{message}")]
    Partial { message: String, text: String, counts: BTreeMap<&'static str, usize>, answer: Value },
    /// A statement that registers the lake failed: its purpose, and the text that follows the
    /// cause.
    #[error("{what}: {cause}")]
    Statement {
        what: String,
        detail: String,
        #[source]
        cause: Box<WarehouseError>,
    },
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
}

impl From<StoreError> for CliError {
    fn from(err: StoreError) -> Self {
        Self::Service(err.into())
    }
}

/// Returns the message of a service error, with the names that its parts have on the command line.
pub fn service_message(err: &ServiceError) -> String {
    match err {
        ServiceError::Parameter { name, message, .. } => {
            format!("--{}: {message}", name.replace('_', "-"))
        }
        ServiceError::NotInCatalog { .. } => {
            format!("{err}; specify one as catalog.schema with --lake")
        }
        _ => err.to_string(),
    }
}

fn violation_json(violation: &Violation) -> Value {
    let mut json = json!({
        "patch": violation.patch,
        "field": violation.field,
        "rule": violation.rule,
        "message": violation.message,
        "hint": violation.hint.as_ref().map(hint_text),
    });
    if let Some(json) = json.as_object_mut() {
        json.retain(|_, value| !value.is_null());
    }
    json
}

impl CliError {
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Service(err) => err.kind().into(),
            Self::Config(err) => err.kind().into(),
            // The statement is Lakeplan's own, so its failure is not a usage error.
            Self::Statement { cause, .. } if matches!(**cause, WarehouseError::Failed { .. }) => {
                Exit::Refused
            }
            Self::Statement { cause, .. } => cause.kind().into(),
            Self::Usage { .. } => Exit::Usage,
            Self::CheckFailed(_) | Self::Partial { .. } | Self::Output(_) => Exit::Refused,
            Self::Io(_) => Exit::TryAgain,
            // Any other code would make a script repeat the command.
            Self::ReplyLost { .. } => Exit::Ok,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Service(err) => err.kind().code(),
            Self::Config(err) => err.kind().code(),
            Self::Statement { cause, .. } => cause.kind().code(),
            Self::Usage { .. } => "usage",
            Self::CheckFailed(_) => "found",
            Self::Partial { .. } => "partly",
            Self::Io(_) => "io",
            Self::Output(_) | Self::ReplyLost { .. } => "output",
        }
    }

    /// Hint, without credentials.
    fn hint(&self) -> Option<String> {
        self.raw_hint().map(|hint| masked(&hint).into_owned())
    }

    fn raw_hint(&self) -> Option<Cow<'static, str>> {
        let hint = match self {
            Self::Service(err) => err.hint(),
            Self::Config(err) => Some(err.hint()),
            Self::Statement { cause, .. } => cause.hint(),
            Self::Usage { hint, .. } => return hint.clone().map(Cow::Owned),
            Self::Output(_) => {
                Some(Hint::advice("send it to a file on a disk with room, or into a pipe"))
            }
            Self::ReplyLost { .. } => Some(Hint::advice(
                "do not retry the command; run lakeplan history to see what was changed",
            )),
            Self::Io(_) | Self::CheckFailed(_) | Self::Partial { .. } => None,
        };
        hint.as_ref().map(hint_text)
    }

    /// Message with its causes. It may repeat user input, so URLs in it are masked.
    fn message(&self) -> String {
        let mut message = match self {
            Self::Service(err) => service_message(err),
            _ => self.to_string(),
        };
        let mut cause = std::error::Error::source(self);
        while let Some(err) = cause {
            let detail = err.to_string();
            if !message.contains(&detail) {
                message.push_str(": ");
                message.push_str(&detail);
            }
            cause = err.source();
        }
        if let Self::Statement { detail, .. } = self {
            message.push_str(detail);
        }
        masked(&message).into_owned()
    }

    pub fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code(), "message": self.message(), "hint": self.hint(), "exit": self.exit() as u8});
        if let (Self::Service(ServiceError::Refused(violations)), Some(error)) =
            (self, error.as_object_mut())
        {
            let violations: Vec<Value> = violations.iter().map(violation_json).collect();
            error.insert("violations".to_owned(), violations.into());
        }
        if let (Self::Service(ServiceError::InvalidPlan { problems, .. }), Some(error)) =
            (self, error.as_object_mut())
        {
            error.insert("problems".to_owned(), json!(problems));
        }
        if let (Self::Service(ServiceError::NoWork { skipped, .. }), Some(error)) =
            (self, error.as_object_mut())
        {
            error.insert("skipped".to_owned(), json!(skipped));
        }
        if let (Self::CheckFailed(checkup), Some(error)) = (self, error.as_object_mut()) {
            error.insert("checkup".to_owned(), checkup.clone());
        }
        if let (Self::Partial { answer, counts, .. }, Some(error)) = (self, error.as_object_mut()) {
            error.insert("answer".to_owned(), answer.clone());
            error.insert("counts".to_owned(), json!(counts));
        }
        if self.exit() == Exit::Ok {
            json!({ "warning": error })
        } else {
            json!({ "error": error })
        }
    }

    /// Prints the error to standard error.
    pub fn report(&self, json: bool) -> Exit {
        let exit = self.exit();
        let text = if json { self.to_json().to_string() } else { self.text() };
        let text = if json { visible_json(&text) } else { visible(&text) };
        // If standard error is closed, nothing more can be done.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
        exit
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}",
            if self.exit() == Exit::Ok { "warning" } else { "error" },
            self.message()
        );
        if let Self::Partial { text: detail, .. } = self {
            text.push_str(&format!("\n{detail}"));
        }
        if let Self::Service(ServiceError::Refused(violations)) = self {
            // The author of a single change does not count patches; the author of several must know
            // which one failed.
            let is_one = violations.iter().all(|violation| violation.patch == 0);
            for violation in violations {
                let detail = match violation.field.as_deref() {
                    Some(field) if is_one => format!("{field}: {}", violation.message),
                    None if is_one => violation.message.clone(),
                    _ => violation.to_string(),
                };
                text.push_str(&format!("\n  {detail}"));
                if let Some(hint) = &violation.hint {
                    text.push_str(&format!("\n    hint: {}", hint_text(hint)));
                }
            }
        }
        if let Self::Service(ServiceError::NoWork { skipped, .. }) = self {
            no_work(skipped).iter().for_each(|line| text.push_str(&format!("\n  {line}")));
        }
        if let Self::Service(ServiceError::InvalidPlan { problems, .. }) = self {
            problems.iter().for_each(|problem| text.push_str(&format!("\n  {problem}")));
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
