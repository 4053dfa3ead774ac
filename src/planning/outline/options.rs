//! Options of the planner.

/// Options of the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Deepest level of a row; the top level is 0.
    pub max_depth: u32,
    /// Working minutes per day, for converting "2 days". Limited to between 1 and the minutes of a
    /// calendar day.
    pub day_minutes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_depth: 5, day_minutes: 480 }
    }
}
