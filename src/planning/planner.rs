//! The interface of a planner, and its errors.
//!
//! The embedded planner and language models implement it. What a planner returns is unverified:
//! only `ValidPlan` enters the rest of the program.

use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

use super::plan::Plan;
use super::unverified::Unverified;
use crate::domain::error_kind::{ErrorClass, ErrorKind};
use crate::domain::hint::Hint;

/// Options of a planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Deepest level of a row; the top level is 0.
    pub max_depth: u32,
    /// Working minutes per day, for converting "2 days". Limited to between 1 and the minutes of a
    /// calendar day.
    pub day_minutes: u32,
    /// Whether a task of more than two days is cut into equal parts. Otherwise it is only reported.
    pub splits: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_depth: 5, day_minutes: 480, splits: false }
    }
}

/// Turns a description into a plan.
///
/// # Contract
/// - A planner writes nothing. It sees the description and the options, and nothing else of a lake.
/// - The description is data: a planner that asks a model must not take orders from it.
/// - The planner limits its own time and cost. A caller may drop the future at any time.
/// - A request is planned once, even if writing the plan takes several attempts.
#[async_trait]
pub trait Planner: fmt::Debug + Send + Sync {
    /// Name of the planner, which `agent_logs` shows.
    fn name(&self) -> &str;

    /// Name of the planner's model, which `agent_logs` and errors show.
    fn model(&self) -> &str;

    /// Whether the same text and options always give the same plan, at no cost. The first re-plan of
    /// a project that was last planned in format 1 then plans the stored description again, in order
    /// to learn what it stated.
    fn is_repeatable(&self) -> bool;

    /// Plans a description. A text without work gives an empty plan, not an error.
    async fn plan(&self, text: &str, options: Options) -> Result<Unverified<Plan>, PlannerError>;
}

/// Reason for which a planner returned no plan; nothing was written.
#[derive(Debug, Error)]
pub enum PlannerError {
    /// No answer, or none in time. A later attempt may succeed.
    #[error("the planner {model} did not answer")]
    Unavailable {
        model: String,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The planner refused to plan the text, for example because of its length.
    #[error("the planner {model} refused the description: {reason}")]
    Refused { model: String, reason: String },
    /// The answer cannot be read as a plan.
    #[error("the planner {model} returned no plan: {reason}")]
    NoPlan { model: String, reason: String },
}

impl PlannerError {
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Planner(match self {
            Self::Unavailable { .. } => ErrorClass::Transient,
            Self::Refused { .. } | Self::NoPlan { .. } => ErrorClass::Refused,
        })
    }

    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Unavailable { .. } => Some("retry the command".into()),
            Self::Refused { .. } | Self::NoPlan { .. } => None,
        }
    }
}
