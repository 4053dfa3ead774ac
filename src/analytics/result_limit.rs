//! The error that all limits on the results of functions share.

use deltalake::datafusion::error::DataFusionError;

/// Error for a function that produces more than its limit.
#[derive(Debug, thiserror::Error)]
#[error("{function} would make {bytes} bytes at once; the limit is {most}")]
pub(super) struct ResultTooLarge {
    pub function: String,
    pub bytes: usize,
    pub most: usize,
}

impl From<ResultTooLarge> for DataFusionError {
    fn from(err: ResultTooLarge) -> Self {
        Self::External(Box::new(err))
    }
}
