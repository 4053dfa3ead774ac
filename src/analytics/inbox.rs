//! The requests of the inbox that wait for an answer.

use serde::Deserialize;

use super::{AnalyticsError, Session, rows_json};
use crate::domain::time::Instant;

/// A request as SQL users write it; nothing in it is verified.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct InboxRequest {
    pub request_id: String,
    pub at: Instant,
    pub user: String,
    pub patch_set: String,
}

const WAITING: &str = "SELECT request_id, at, user, patch_set FROM requests WHERE state = 'waiting' ORDER BY at, request_id";

impl Session {
    /// The requests without an answer, the oldest first.
    pub async fn waiting_requests(&self) -> Result<Vec<InboxRequest>, AnalyticsError> {
        let rows = rows_json(&self.query(WAITING).await?)?;
        serde_json::from_value(rows).map_err(|fault| AnalyticsError::Encoding(fault.into()))
    }
}
