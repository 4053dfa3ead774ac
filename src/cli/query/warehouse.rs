//! `query --warehouse`: runs the query on a SQL warehouse.

use crate::analytics::warehouse::{self, Rows};
use crate::analytics::{Format, Select};
use crate::app::App;
use crate::cli::{CliError, Context};
use crate::databricks::warehouse::{Disposition, Param, Stop};
use crate::service::ServiceError;

/// Runs the query until it ends or `stop` completes.
pub async fn rows(
    id: &str,
    select: &Select,
    params: &[Param],
    format: Format,
    stop: impl Future<Output = Stop>,
    context: &Context,
) -> Result<Rows, CliError> {
    let warehouse = App::warehouse(&context.config, id)?;
    // Output to a file may be large.
    let size = if matches!(format, Format::Csv | Format::Parquet) {
        Disposition::Large
    } else {
        Disposition::Small
    };
    let rows = warehouse::query(&warehouse, select, params, size, stop).await;
    let rows =
        rows.map_err(|err| ServiceError::from(crate::analytics::AnalyticsError::from(err)))?;
    if rows.is_truncated {
        tracing::warn!("the warehouse did not return all rows: its limit cut the answer off");
    }
    Ok(rows)
}
