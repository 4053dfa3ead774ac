//! Path and response types of the Statement Execution API.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::WarehouseError;

/// Path of the statements below the workspace.
pub const STATEMENTS: &str = "api/2.0/sql/statements";

/// Current state of a statement.
#[derive(Clone, Debug, Deserialize)]
pub struct Running {
    pub statement_id: String,
    status: Status,
    manifest: Option<Manifest>,
    result: Option<Chunk>,
}

/// Statement that succeeded.
#[derive(Clone, Debug)]
pub struct Succeeded {
    pub statement_id: String,
    pub manifest: Manifest,
    /// First chunk; `None` if there are no rows.
    pub first: Option<Chunk>,
}

#[derive(Clone, Debug, Deserialize)]
struct Status {
    state: String,
    error: Option<StatementError>,
    sql_state: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StatementError {
    error_code: String,
    message: String,
    sql_state: Option<String>,
}

/// Description of a result.
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

/// Chunk of a result: rows, or links to them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Chunk {
    pub data_array: Vec<Vec<Option<String>>>,
    pub next_chunk_index: Option<u64>,
    pub external_links: Vec<Link>,
}

/// Temporary link to a chunk.
#[derive(Clone, Deserialize)]
pub struct Link {
    pub external_link: String,
    pub chunk_index: u64,
    pub next_chunk_index: Option<u64>,
}

/// Omits the link, which is signed and therefore a secret while it is valid.
impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("chunk_index", &self.chunk_index).finish_non_exhaustive()
    }
}

/// Warehouse as the workspace describes it.
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

    /// Returns the state in lower case, such as "stopped".
    pub fn state_name(&self) -> String {
        self.state.to_lowercase()
    }
}

impl Running {
    /// Whether the statement waits for its warehouse.
    pub fn is_pending(&self) -> bool {
        self.status.state == "PENDING"
    }

    /// Returns the outcome; `None` while the statement runs. To the API, a failed statement is a
    /// normal response.
    pub fn ended(&self) -> Option<Result<Succeeded, WarehouseError>> {
        let state = self.status.state.as_str();
        Some(match state {
            "PENDING" | "RUNNING" => return None,
            "SUCCEEDED" => Ok(Succeeded {
                statement_id: self.statement_id.clone(),
                manifest: self.manifest.clone().unwrap_or_default(),
                first: self.result.clone(),
            }),
            "CANCELED" => Err(WarehouseError::Cancelled),
            "CLOSED" => Err(WarehouseError::Closed),
            "FAILED" => {
                let err = self.status.error.clone().unwrap_or_default();
                let state = self
                    .status
                    .sql_state
                    .clone()
                    .or(err.sql_state)
                    .filter(|state| !state.is_empty());
                Err(WarehouseError::Failed { state, code: err.error_code, message: err.message })
            }
            other => Err(WarehouseError::Unreadable { what: format!("the state {other:?}") }),
        })
    }
}

/// Parses an API response. An error does not show the content, which may be a signed link.
pub fn read<T: DeserializeOwned>(answer: Value) -> Result<T, WarehouseError> {
    serde_json::from_value(answer).map_err(|err| WarehouseError::Unreadable {
        what: if err.is_data() {
            "a field is missing or of another kind".to_owned()
        } else {
            err.to_string()
        },
    })
}
