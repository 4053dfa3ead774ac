//! The answers of the Statement Execution API as types.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::WarehouseError;

/// A statement as it stands.
#[derive(Clone, Debug, Deserialize)]
pub struct Running {
    pub statement_id: String,
    status: Status,
    manifest: Option<Manifest>,
    result: Option<Chunk>,
}

/// A statement that succeeded.
#[derive(Clone, Debug)]
pub struct Answered {
    pub statement_id: String,
    pub manifest: Manifest,
    /// The first piece; `None` where there are no rows.
    pub first: Option<Chunk>,
}

#[derive(Clone, Debug, Deserialize)]
struct Status {
    state: String,
    error: Option<Fault>,
    sql_state: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Fault {
    error_code: String,
    message: String,
    sql_state: Option<String>,
}

/// What the answer is like.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Manifest {
    pub schema: Schema,
    pub truncated: bool,
    pub total_chunk_count: u64,
    pub total_row_count: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Schema {
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Column {
    pub name: String,
    pub type_name: String,
    pub type_text: String,
    pub type_precision: Option<u8>,
    pub type_scale: Option<i8>,
}

/// A piece of the answer: rows, or links to them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Chunk {
    pub data_array: Vec<Vec<Option<String>>>,
    pub next_chunk_index: Option<u64>,
    pub external_links: Vec<Link>,
}

/// Where a piece can be fetched, for a while.
#[derive(Clone, Deserialize)]
pub struct Link {
    pub external_link: String,
    pub chunk_index: u64,
    pub next_chunk_index: Option<u64>,
}

/// A link is signed, so it is a secret while it lasts.
impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("chunk_index", &self.chunk_index).finish_non_exhaustive()
    }
}

/// A warehouse as the workspace describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Warehouse {
    pub name: String,
    state: String,
}

impl Warehouse {
    pub fn is_running(&self) -> bool {
        self.state == "RUNNING"
    }

    /// Its state in lower case, such as "stopped".
    pub fn word(&self) -> String {
        self.state.to_lowercase()
    }
}

impl Running {
    /// Whether it waits for its warehouse.
    pub fn is_pending(&self) -> bool {
        self.status.state == "PENDING"
    }

    /// What came of it; `None` while it runs. A statement that failed is an answer like any other to the API.
    pub fn ended(&self) -> Option<Result<Answered, WarehouseError>> {
        let state = self.status.state.as_str();
        Some(match state {
            "PENDING" | "RUNNING" => return None,
            "SUCCEEDED" => Ok(Answered {
                statement_id: self.statement_id.clone(),
                manifest: self.manifest.clone().unwrap_or_default(),
                first: self.result.clone(),
            }),
            "CANCELED" => Err(WarehouseError::Cancelled),
            "CLOSED" => Err(WarehouseError::Closed),
            "FAILED" => {
                let fault = self.status.error.clone().unwrap_or_default();
                let state = self
                    .status
                    .sql_state
                    .clone()
                    .or(fault.sql_state)
                    .filter(|state| !state.is_empty());
                Err(WarehouseError::Failed {
                    state,
                    code: fault.error_code,
                    message: fault.message,
                })
            }
            other => Err(WarehouseError::Unreadable { what: format!("the state {other:?}") }),
        })
    }
}

/// An answer of the API. What could not be read is told by its field and not by its content, which may be a signed link.
pub fn read<T: DeserializeOwned>(answer: Value) -> Result<T, WarehouseError> {
    serde_json::from_value(answer).map_err(|fault| WarehouseError::Unreadable {
        what: if fault.is_data() {
            "a field is missing or of another kind".to_owned()
        } else {
            fault.to_string()
        },
    })
}
