//! Scores a planner on a description with a known right plan.

use super::ServiceError;
use crate::planning::eval::{Gold, Score};
use crate::planning::planner::{Options, Planner};
use crate::planning::valid_plan::ValidPlan;

/// Plans `text` and compares the plan with the right one.
pub async fn evaluate(
    planner: &dyn Planner,
    text: &str,
    gold: &Gold,
) -> Result<Score, ServiceError> {
    let options = Options::default();
    let plan = planner.plan(text, options).await?;
    let plan = ValidPlan::check(plan, text, options).map_err(|problems| {
        ServiceError::InvalidPlan { model: planner.model().to_owned(), problems }
    })?;
    Ok(Score::of(text, &plan, gold))
}
