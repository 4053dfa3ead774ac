//! A location for a lake.

use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

/// A location for a lake: its URL and the store rooted there.
#[derive(Clone, Debug)]
pub struct LakeLocation {
    pub url: Url,
    pub store: Arc<dyn ObjectStore>,
}
