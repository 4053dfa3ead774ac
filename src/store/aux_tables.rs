//! Creates the tables beside the journal that no fold writes. They are created empty with the lake,
//! so that queries and views of them work from the first day.

use std::sync::Arc;

use futures::future::try_join_all;
use object_store::ObjectStore;

use super::error::StoreError;
use super::event_tables::APPENDED;
use super::inbox;
use crate::domain::time::Instant;
use crate::runtime::Random;

/// Creates the missing tables.
pub async fn ensure(
    root: &Arc<dyn ObjectStore>,
    at: Instant,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let appended = try_join_all(APPENDED.iter().map(|table| table.ensure(root, at, random)));
    futures::try_join!(appended, inbox::ensure(root, at, random)).map(drop)
}
