//! Client of a SQL warehouse, through the Statement Execution API.
//!
//! Polls a statement with growing delays, and cancels it if the caller goes away. The caller reads
//! the chunks of the result.

mod chunks;
mod error;
mod param;
mod wire;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

pub use error::{StatementState, Stop, WarehouseError};
pub use param::Param;
pub use wire::{Chunk, Column, Link, Succeeded};

use super::catalog::SchemaName;
use super::check::Check;
use super::error::WorkspaceError;
use super::workspace::Workspace;
use crate::net::Request;
use wire::{Running, STATEMENTS, Warehouse as Described};

const WAREHOUSES: &str = "api/2.0/sql/warehouses";
/// Time that the API waits for a quick statement before its first response. Short, since only that
/// response identifies the statement to cancel.
const FIRST_ANSWER_TIMEOUT: &str = "5s";
const INITIAL_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// Timeout for cancelling a statement that is no longer waited for.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// SQL warehouse of a workspace.
#[derive(Clone, Debug)]
pub struct Warehouse {
    workspace: Arc<Workspace>,
    id: String,
    /// Schema in which unqualified names are looked up.
    schema: Option<SchemaName>,
}

/// Transfer method of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// In the API's own response, up to 25 MiB. A result that turns out larger is requested again
    /// as `Large`.
    Small,
    Large,
}

impl Warehouse {
    pub fn new(workspace: Arc<Workspace>, id: &str, schema: Option<SchemaName>) -> Self {
        Self { workspace, id: id.to_owned(), schema }
    }

    /// Returns the workspace of the warehouse, from which results are fetched.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Runs a statement for its effect. If `stop` completes first, cancels it.
    pub async fn run(
        &self,
        sql: &str,
        stop: impl Future<Output = Stop>,
    ) -> Result<(), WarehouseError> {
        self.execute(sql, &[], Disposition::Small, std::pin::pin!(stop)).await.map(drop)
    }

    /// Checks whether the warehouse exists and runs.
    pub async fn check(&self) -> Check {
        let what = "warehouse";
        match self.described().await {
            Ok(found) if found.is_running() => Check::ok(what, format!("{} runs", found.name)),
            Ok(found) => Check::ok(
                what,
                format!(
                    "{} is {}; it starts with the first statement",
                    found.name,
                    found.state_name()
                ),
            ),
            Err(err) => Check::missing(what, err.to_string(), err.hint()),
        }
    }

    async fn described(&self) -> Result<Described, WarehouseError> {
        let answer = self.workspace.send(&Request::get(WAREHOUSES).part(&self.id)).await;
        wire::read(answer.map_err(|err| self.explain(err))?)
    }

    /// Runs a statement until it succeeds. If `stop` completes first, cancels it.
    pub async fn execute(
        &self,
        sql: &str,
        params: &[Param],
        size: Disposition,
        mut stop: Pin<&mut impl Future<Output = Stop>>,
    ) -> Result<Succeeded, WarehouseError> {
        let mut begun = std::pin::pin!(self.begin(sql, params, size));
        let running = tokio::select! {
            begun = &mut begun => begun?,
            // The first response, which seldom takes long, identifies the statement to cancel.
            why = &mut stop => {
                let left = match tokio::time::timeout(CANCEL_TIMEOUT, begun).await {
                    Ok(begun) => self.cancel(&begun?).await,
                    Err(_) => StatementState::Unknown,
                };
                return Err(WarehouseError::stopped(why, left));
            }
        };
        tokio::select! {
            ended = self.wait_until_ended(running.clone()) => ended,
            why = stop => Err(WarehouseError::stopped(why, self.cancel(&running).await)),
        }
    }

    /// Polls a statement with growing delays until it ends. Cancels it if its state can no longer
    /// be read.
    async fn wait_until_ended(&self, mut running: Running) -> Result<Succeeded, WarehouseError> {
        let mut pause = INITIAL_BACKOFF;
        let mut is_reported = false;
        loop {
            if let Some(ended) = running.ended() {
                return ended;
            }
            if running.is_pending() && !is_reported {
                is_reported = true;
                self.report_start().await;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_BACKOFF);
            running = match self.polled(&running).await {
                Ok(polled) => polled,
                Err(err) => {
                    self.cancel(&running).await;
                    return Err(err);
                }
            };
        }
    }

    async fn polled(&self, running: &Running) -> Result<Running, WarehouseError> {
        let answer =
            self.workspace.send(&Request::get(STATEMENTS).part(&running.statement_id)).await;
        wire::read(answer.map_err(|err| self.explain(err))?)
    }

    async fn begin(
        &self,
        sql: &str,
        params: &[Param],
        size: Disposition,
    ) -> Result<Running, WarehouseError> {
        let (disposition, format) = match size {
            Disposition::Small => ("INLINE", "JSON_ARRAY"),
            Disposition::Large => ("EXTERNAL_LINKS", "ARROW_STREAM"),
        };
        let mut body = json!({
            "statement": sql, "warehouse_id": self.id, "disposition": disposition, "format": format,
            "wait_timeout": FIRST_ANSWER_TIMEOUT, "on_wait_timeout": "CONTINUE",
        });
        if let Some(schema) = &self.schema {
            body["catalog"] = json!(schema.catalog);
            body["schema"] = json!(schema.schema);
        }
        if !params.is_empty() {
            body["parameters"] = params.iter().map(Param::to_json).collect::<Value>();
        }
        let answer = self.workspace.send(&Request::post(STATEMENTS, body)).await;
        wire::read(answer.map_err(|err| self.explain(err))?)
    }

    /// Cancels a statement that was running when it was last polled.
    async fn cancel(&self, running: &Running) -> StatementState {
        if running.ended().is_some() {
            return StatementState::Ended;
        }
        let request = Request::post(STATEMENTS, json!({}))
            .part(&running.statement_id)
            .part("cancel")
            .repeatable();
        match tokio::time::timeout(CANCEL_TIMEOUT, self.workspace.send(&request)).await {
            Ok(Ok(_)) => return StatementState::Cancelled,
            Ok(Err(err)) => {
                tracing::warn!(%err, statement = running.statement_id, "the statement could not be cancelled")
            }
            Err(_) => tracing::warn!(
                statement = running.statement_id,
                "the workspace did not confirm the cancelling in time"
            ),
        }
        StatementState::Unknown
    }

    /// Warns if the warehouse does not run yet.
    async fn report_start(&self) {
        if let Ok(found) = self.described().await
            && !found.is_running()
        {
            tracing::warn!(
                "the warehouse {} is {}; it starts now, which may take minutes",
                found.name,
                found.state_name()
            );
        }
    }

    fn explain(&self, err: WorkspaceError) -> WarehouseError {
        let id = self.id.clone();
        let words = |err: &WorkspaceError| {
            err.body().map(|message| message.message.clone()).unwrap_or_default()
        };
        match &err {
            WorkspaceError::NotFound { .. } => {
                WarehouseError::NoWarehouse { id, message: words(&err) }
            }
            WorkspaceError::Forbidden { .. } => {
                WarehouseError::NotAllowed { id, message: words(&err) }
            }
            WorkspaceError::Rejected { .. } => {
                let message = words(&err);
                let lower = message.to_lowercase();
                if lower.contains("stopped") || lower.contains("not running") {
                    WarehouseError::Stopped { id, message }
                } else if lower.contains("warehouse")
                    && (lower.contains("does not exist") || lower.contains("not a valid"))
                {
                    WarehouseError::NoWarehouse { id, message }
                } else {
                    WarehouseError::Workspace(err)
                }
            }
            _ => WarehouseError::Workspace(err),
        }
    }
}
