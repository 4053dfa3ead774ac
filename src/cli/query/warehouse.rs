//! `query --warehouse`: runs the query on a SQL warehouse.

use super::Args;
use crate::analytics::warehouse::{Disposition, Rows};
use crate::analytics::{Format, Select};
use crate::app::App;
use crate::cli::{CliError, Context, cancel};
use crate::service::ServiceError;

pub async fn rows(
    id: &str,
    select: &Select,
    args: &Args,
    format: Format,
    context: &Context,
) -> Result<Rows, CliError> {
    let warehouse = App::warehouse(&context.config, id)?;
    // Output to a file may be large.
    let size = if matches!(format, Format::Csv | Format::Parquet) {
        Disposition::Large
    } else {
        Disposition::Small
    };
    let rows =
        warehouse.query(select, &args.params, size, cancel::stop_after(args.timeout.0)).await;
    let rows =
        rows.map_err(|err| ServiceError::from(crate::analytics::AnalyticsError::from(err)))?;
    if rows.is_truncated {
        tracing::warn!("the warehouse did not return all rows: its limit cut the answer off");
    }
    Ok(rows)
}
