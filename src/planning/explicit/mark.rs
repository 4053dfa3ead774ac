//! Explicit marks and their kinds.

use serde::Serialize;

/// A kind of explicit mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    Checkbox,
    TableRow,
    Step,
    Owner,
    Effort,
    Date,
    State,
    Priority,
    Tag,
    Dependency,
}

impl MarkKind {
    /// Returns the noun for one mark of this kind. Every plural only adds an "s" but for the last.
    pub fn noun(self, count: usize) -> &'static str {
        let (one, several) = match self {
            Self::Checkbox => ("checkbox", "checkboxes"),
            Self::TableRow => ("table row", "table rows"),
            Self::Step => ("numbered step", "numbered steps"),
            Self::Owner => ("owner", "owners"),
            Self::Effort => ("effort", "efforts"),
            Self::Date => ("date", "dates"),
            Self::State => ("state", "states"),
            Self::Priority => ("priority", "priorities"),
            Self::Tag => ("tag", "tags"),
            Self::Dependency => ("dependency", "dependencies"),
        };
        if count == 1 { one } else { several }
    }

    /// Whether the mark makes its line a piece of work, instead of stating a detail of it.
    pub fn is_row(self) -> bool {
        matches!(self, Self::Checkbox | Self::TableRow | Self::Step)
    }
}

/// One explicit mark of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    pub kind: MarkKind,
    /// 1-based line.
    pub line: usize,
    /// The mark as written; for a row, its text.
    pub text: String,
}
