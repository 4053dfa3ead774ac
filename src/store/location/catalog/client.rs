//! The catalog that names lakes, with the settings of its storage.

use std::fmt;
use std::sync::Arc;

use crate::databricks::Workspace;
use crate::databricks::catalog::UnityCatalog;
use crate::runtime::Clock;

/// Unity Catalog, as the place of lakes.
#[derive(Clone)]
pub struct Catalog {
    pub(super) unity: UnityCatalog,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) variables: Arc<[(String, String)]>,
}

impl Catalog {
    /// `variables` hold cloud settings other than credentials, for example a region.
    pub fn new(
        workspace: Arc<Workspace>,
        clock: Arc<dyn Clock>,
        variables: Vec<(String, String)>,
    ) -> Self {
        Self { unity: UnityCatalog { workspace }, clock, variables: variables.into() }
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("unity", &self.unity).finish_non_exhaustive()
    }
}
