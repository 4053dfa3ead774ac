//! Checks whether a lake in Unity Catalog has everything it needs.

use crate::analytics::registration::view_names;
use crate::databricks::Check;
use crate::databricks::catalog::SchemaName;
use crate::databricks::warehouse::Warehouse;
use crate::store::location::catalog::Catalog;

/// Runs every check, including the warehouse if one is named. Changes nothing.
pub async fn preflight(
    catalog: &Catalog,
    schema: &SchemaName,
    warehouse: Option<&Warehouse>,
) -> Vec<Check> {
    let views: Vec<&str> = view_names().collect();
    let mut checks = catalog.preflight(schema, &views).await;
    let answers = checks.iter().any(|check| check.what == "identity" && check.is_ok());
    if let Some(warehouse) = warehouse.filter(|_| answers) {
        checks.push(warehouse.check().await);
    }
    checks
}
