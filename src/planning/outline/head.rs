//! What a line of work says: its title, and the values that people write beside it.

use super::dates::Window;
use super::durations::StatedDuration;
use super::units::Unit;
use crate::domain::task::Priority;
use crate::planning::plan::Progress;

/// Contents of a line of work.
#[derive(Debug, Default, Clone)]
pub(super) struct Head {
    /// Empty when the line has no words of its own.
    pub(super) title: String,
    /// Whether the title omits part of the line, which the description should contain.
    pub(super) shortened: bool,
    pub(super) unit: Option<Unit>,
    /// Numbers and ids that refer to the row, such as "2.1" and "T-12".
    pub(super) names: Vec<String>,
    pub(super) standing: Progress,
    /// Whether the text says that the work will not be done.
    pub(super) is_cancelled: bool,
    pub(super) has_mark: bool,
    /// Whether words say the state, not only a mark.
    pub(super) has_worded_state: bool,
    /// Whether the line starts with a word such as "then" and so follows the previous item.
    pub(super) is_next: bool,
    pub(super) stated: Option<StatedDuration>,
    pub(super) priority: Option<Priority>,
    pub(super) owners: Vec<String>,
    pub(super) window: Window,
    pub(super) weeks: Option<(u32, u32)>,
    /// Parenthesised notes that were removed from the title and may name prerequisites.
    pub(super) asides: Vec<String>,
}

impl Head {
    /// Takes a state from a mark. A state in words is more exact: "✅ (in progress)".
    pub(super) fn reaches(&mut self, standing: Progress) {
        if !self.has_worded_state {
            self.standing = self.standing.max(standing);
        }
        self.has_mark = true;
    }

    pub(super) fn add_owner(&mut self, owner: &str) {
        if !self.owners.iter().any(|known| known == owner) {
            self.owners.push(owner.to_owned());
        }
    }
}
