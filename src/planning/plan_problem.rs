//! Rules that a plan breaks, each with its place in the plan.

use std::fmt;

use serde::Serialize;

use crate::domain::value::string_enum;

string_enum! {
    /// Rule that a plan breaks. The word is stable, so that a planner can branch on it.
    PlanRule {
        Key = "key",
        Parent = "parent",
        Depth = "depth",
        Text = "text",
        Owner = "owner",
        EstimateOrder = "estimate_order",
        EstimateSize = "estimate_size",
        Date = "date",
        UnknownRow = "unknown_row",
        UnknownRequirement = "unknown_requirement",
        Coverage = "coverage",
        SelfLink = "self_link",
        LinkToRelative = "link_to_relative",
        DuplicateLink = "duplicate_link",
        Cycle = "cycle",
        Evidence = "evidence",
    }
}

/// One broken rule. A plan with any of them is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanProblem {
    /// Key of the row or requirement, a link such as `T1 -> T2`, or `plan`.
    pub place: String,
    pub rule: PlanRule,
    pub message: String,
}

impl fmt::Display for PlanProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.place, self.message, self.rule)
    }
}
