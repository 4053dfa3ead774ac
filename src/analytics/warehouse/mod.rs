//! Answers from a SQL warehouse, by the Statement Execution API: the same SELECTs and the same formats as from the lake.
//!
//! A statement is waited for with growing pauses, and cancelled where the one who asked goes away. A small answer comes in
//! the API's own JSON; a large one as Arrow behind links, each fetched without a token.

mod answer;
mod error;
mod links;
mod param;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use deltalake::arrow::array::RecordBatch;
use serde_json::{Value, json};

pub use error::{Left, WarehouseError};
pub use param::Param;

use super::select::Select;
use crate::net::{NetError, Request, Workspace};
use crate::store::catalog::{Check, SchemaName};
use wire::{Answered, Running, Warehouse as Described};

const STATEMENTS: &str = "api/2.0/sql/statements";
const WAREHOUSES: &str = "api/2.0/sql/warehouses";
/// How long the API holds its first answer back for a statement that is quick. Short, since only with that answer does one
/// know what to cancel.
const FIRST_WAIT: &str = "5s";
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A statement that nobody waits for any more is cancelled with this much patience.
const CANCEL_WITHIN: Duration = Duration::from_secs(10);

/// A SQL warehouse of a workspace.
#[derive(Clone, Debug)]
pub struct Warehouse {
    workspace: Arc<Workspace>,
    id: String,
    /// Where names without a schema are looked for.
    schema: Option<SchemaName>,
}

/// The rows of an answer.
#[derive(Clone, Debug)]
pub struct Rows {
    pub batches: Vec<RecordBatch>,
    /// The warehouse gave not all of them.
    pub is_truncated: bool,
}

/// How an answer is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// In the API's own answer, up to 25 MiB; one that turns out larger is asked for again as a large one.
    Small,
    Large,
}

/// Why one who asked no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Interrupted,
    Deadline,
}

impl Warehouse {
    pub fn new(workspace: Arc<Workspace>, id: &str, schema: Option<SchemaName>) -> Self {
        Self { workspace, id: id.to_owned(), schema }
    }

    /// Asks one SELECT. When `stop` comes first, the statement is cancelled where it still runs.
    pub async fn query(
        &self,
        select: &Select,
        params: &[Param],
        size: Size,
        stop: impl Future<Output = Stop>,
    ) -> Result<Rows, WarehouseError> {
        let mut stop = std::pin::pin!(stop);
        let (answered, size) = match self.ask(select.as_str(), params, size, stop.as_mut()).await {
            Err(WarehouseError::Failed { message, .. })
                if size == Size::Small && is_about_size(&message) =>
            {
                (self.ask(select.as_str(), params, Size::Large, stop.as_mut()).await?, Size::Large)
            }
            answered => (answered?, size),
        };
        tokio::select! {
            rows = self.fetched(answered, size) => rows,
            why = stop => Err(WarehouseError::stopped(why, Left::Ended)),
        }
    }

    /// Runs a statement for what it does. When `stop` comes first, it is cancelled.
    pub async fn run(
        &self,
        sql: &str,
        stop: impl Future<Output = Stop>,
    ) -> Result<(), WarehouseError> {
        self.ask(sql, &[], Size::Small, std::pin::pin!(stop)).await.map(drop)
    }

    /// Whether there is such a warehouse and it runs.
    pub async fn look(&self) -> Check {
        let what = "warehouse";
        match self.described().await {
            Ok(found) if found.is_running() => Check::ok(what, format!("{} runs", found.name)),
            Ok(found) => Check::ok(
                what,
                format!("{} is {}; it starts with the first statement", found.name, found.word()),
            ),
            Err(fault) => Check::missing(what, fault.to_string(), fault.hint()),
        }
    }

    async fn described(&self) -> Result<Described, WarehouseError> {
        let answer = self.workspace.ask(&Request::get(WAREHOUSES).part(&self.id)).await;
        wire::read(answer.map_err(|fault| self.told(fault))?)
    }

    async fn fetched(&self, answered: Answered, size: Size) -> Result<Rows, WarehouseError> {
        match size {
            Size::Small => answer::rows(&self.workspace, answered).await,
            Size::Large => links::rows(&self.workspace, answered).await,
        }
    }

    /// The statement's success, whatever became of it before.
    async fn ask(
        &self,
        sql: &str,
        params: &[Param],
        size: Size,
        mut stop: std::pin::Pin<&mut impl Future<Output = Stop>>,
    ) -> Result<Answered, WarehouseError> {
        let mut begun = std::pin::pin!(self.begin(sql, params, size));
        let running = tokio::select! {
            begun = &mut begun => begun?,
            // The first answer, which is seldom long in coming, says what to cancel.
            why = &mut stop => {
                let left = match tokio::time::timeout(CANCEL_WITHIN, begun).await {
                    Ok(begun) => self.cancel(&begun?).await,
                    Err(_) => Left::Unknown,
                };
                return Err(WarehouseError::stopped(why, left));
            }
        };
        tokio::select! {
            ended = self.ended(running.clone()) => ended,
            why = stop => Err(WarehouseError::stopped(why, self.cancel(&running).await)),
        }
    }

    /// The statement's success, asked for with growing pauses. One whose state can no longer be learned is cancelled.
    async fn ended(&self, mut running: Running) -> Result<Answered, WarehouseError> {
        let mut pause = FIRST_PAUSE;
        let mut is_told = false;
        loop {
            if let Some(ended) = running.ended() {
                return ended;
            }
            if running.is_pending() && !is_told {
                is_told = true;
                self.tell_of_start().await;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            running = match self.polled(&running).await {
                Ok(polled) => polled,
                Err(fault) => {
                    self.cancel(&running).await;
                    return Err(fault);
                }
            };
        }
    }

    async fn polled(&self, running: &Running) -> Result<Running, WarehouseError> {
        let answer =
            self.workspace.ask(&Request::get(STATEMENTS).part(&running.statement_id)).await;
        wire::read(answer.map_err(|fault| self.told(fault))?)
    }

    async fn begin(
        &self,
        sql: &str,
        params: &[Param],
        size: Size,
    ) -> Result<Running, WarehouseError> {
        let (disposition, format) = match size {
            Size::Small => ("INLINE", "JSON_ARRAY"),
            Size::Large => ("EXTERNAL_LINKS", "ARROW_STREAM"),
        };
        let mut body = json!({
            "statement": sql, "warehouse_id": self.id, "disposition": disposition, "format": format,
            "wait_timeout": FIRST_WAIT, "on_wait_timeout": "CONTINUE",
        });
        if let Some(schema) = &self.schema {
            body["catalog"] = json!(schema.catalog);
            body["schema"] = json!(schema.schema);
        }
        if !params.is_empty() {
            body["parameters"] = params.iter().map(Param::to_json).collect::<Value>();
        }
        let answer = self.workspace.ask(&Request::post(STATEMENTS, body)).await;
        wire::read(answer.map_err(|fault| self.told(fault))?)
    }

    /// Cancels a statement that was running when it was last heard of.
    async fn cancel(&self, running: &Running) -> Left {
        if running.ended().is_some() {
            return Left::Ended;
        }
        let request = Request::post(STATEMENTS, json!({}))
            .part(&running.statement_id)
            .part("cancel")
            .repeatable();
        match tokio::time::timeout(CANCEL_WITHIN, self.workspace.ask(&request)).await {
            Ok(Ok(_)) => return Left::Cancelled,
            Ok(Err(fault)) => {
                tracing::warn!(%fault, statement = running.statement_id, "the statement could not be cancelled")
            }
            Err(_) => tracing::warn!(
                statement = running.statement_id,
                "the workspace did not confirm the cancelling in time"
            ),
        }
        Left::Unknown
    }

    /// Says once why nothing happens yet.
    async fn tell_of_start(&self) {
        if let Ok(found) = self.described().await
            && !found.is_running()
        {
            tracing::warn!(
                "the warehouse {} is {}; it starts now, which may take minutes",
                found.name,
                found.word()
            );
        }
    }

    fn told(&self, fault: NetError) -> WarehouseError {
        let id = self.id.clone();
        let words =
            |fault: &NetError| fault.said().map(|said| said.message.clone()).unwrap_or_default();
        match &fault {
            NetError::NotFound { .. } => WarehouseError::NoWarehouse { id, said: words(&fault) },
            NetError::Forbidden { .. } => WarehouseError::NotAllowed { id, said: words(&fault) },
            NetError::Rejected { .. } => {
                let said = words(&fault);
                let lower = said.to_lowercase();
                if lower.contains("stopped") || lower.contains("not running") {
                    WarehouseError::Stopped { id, said }
                } else if lower.contains("warehouse")
                    && (lower.contains("does not exist") || lower.contains("not a valid"))
                {
                    WarehouseError::NoWarehouse { id, said }
                } else {
                    WarehouseError::Net(fault)
                }
            }
            _ => WarehouseError::Net(fault),
        }
    }
}

/// Whether a statement failed because its answer does not fit into the API's own.
fn is_about_size(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("inline")
        && ["exceed", "limit", "too large", "larger"].iter().any(|word| message.contains(word))
}
