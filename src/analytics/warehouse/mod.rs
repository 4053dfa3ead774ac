//! Runs SELECTs in a SQL warehouse: the same ones, in the same formats, as in the lake's session.
//!
//! A small result arrives in the API's own JSON, a large one as Arrow behind links, each fetched
//! without a token.

mod answer;
mod links;

pub use answer::Rows;

use super::select::Select;
use crate::databricks::warehouse::{
    Disposition, Param, StatementState, Stop, Succeeded, Warehouse, WarehouseError,
};

/// Runs one SELECT. If `stop` completes first, cancels the statement if it is still running.
pub async fn query(
    warehouse: &Warehouse,
    select: &Select,
    params: &[Param],
    size: Disposition,
    stop: impl Future<Output = Stop>,
) -> Result<Rows, WarehouseError> {
    let mut stop = std::pin::pin!(stop);
    let sql = select.as_str();
    let (answered, size) = match warehouse.execute(sql, params, size, stop.as_mut()).await {
        Err(WarehouseError::Failed { message, .. })
            if size == Disposition::Small && is_about_size(&message) =>
        {
            let size = Disposition::Large;
            (warehouse.execute(sql, params, size, stop.as_mut()).await?, size)
        }
        answered => (answered?, size),
    };
    tokio::select! {
        rows = fetch(warehouse, answered, size) => rows,
        why = stop => Err(WarehouseError::stopped(why, StatementState::Ended)),
    }
}

async fn fetch(
    warehouse: &Warehouse,
    answered: Succeeded,
    size: Disposition,
) -> Result<Rows, WarehouseError> {
    match size {
        Disposition::Small => answer::rows(warehouse.workspace(), answered).await,
        Disposition::Large => links::rows(warehouse.workspace(), answered).await,
    }
}

/// Whether a statement failed because its result does not fit into the API's own response.
fn is_about_size(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("inline")
        && ["exceed", "limit", "too large", "larger"].iter().any(|word| message.contains(word))
}
