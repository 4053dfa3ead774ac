//! The outline planner behind the interface of all planners.

use async_trait::async_trait;

use super::outline;
use crate::planning::plan::Plan;
use crate::planning::planner::{Options, Planner, PlannerError};
use crate::planning::unverified::Unverified;

/// The embedded planner. It uses no model and never fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutlinePlanner;

#[async_trait]
impl Planner for OutlinePlanner {
    fn name(&self) -> &str {
        "outline"
    }

    fn model(&self) -> &str {
        "outline"
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn plan(&self, text: &str, options: Options) -> Result<Unverified<Plan>, PlannerError> {
        Ok(Unverified::new(outline(text, options)))
    }
}
