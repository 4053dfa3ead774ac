//! Scores the embedded planner on a description with a known right plan.

use super::ServiceError;
use crate::planning::eval::{Gold, Score};
use crate::planning::outline::OutlinePlanner;
use crate::planning::planner::{Options, Planner};
use crate::planning::valid_plan::ValidPlan;

/// Plans `text` with the embedded planner and compares the plan with the right one.
pub async fn evaluate(text: &str, gold: &Gold) -> Result<Score, ServiceError> {
    let (planner, options) = (OutlinePlanner, Options::default());
    let plan = planner.plan(text, options).await?;
    let plan = ValidPlan::check(plan, text, options).map_err(|problems| {
        ServiceError::InvalidPlan { model: planner.model().to_owned(), problems }
    })?;
    Ok(Score::of(text, &plan, gold))
}
