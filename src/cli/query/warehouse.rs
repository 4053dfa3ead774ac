//! `query --warehouse`: the same question, answered by a SQL warehouse.

use super::Args;
use crate::analytics::warehouse::{Rows, Size};
use crate::analytics::{Format, Select};
use crate::app::App;
use crate::cli::{CliError, Context, interrupt};
use crate::service::ServiceError;

pub async fn rows(
    id: &str,
    select: &Select,
    args: &Args,
    format: Format,
    context: &Context,
) -> Result<Rows, CliError> {
    let warehouse = App::warehouse(&context.config, id)?;
    // What is written to a file may be large.
    let size =
        if matches!(format, Format::Csv | Format::Parquet) { Size::Large } else { Size::Small };
    let rows =
        warehouse.query(select, &args.params, size, interrupt::stop_after(args.timeout.0)).await;
    let rows =
        rows.map_err(|fault| ServiceError::from(crate::analytics::AnalyticsError::from(fault)))?;
    if rows.is_truncated {
        tracing::warn!("the warehouse gave not all rows: its limit cut the answer off");
    }
    Ok(rows)
}
