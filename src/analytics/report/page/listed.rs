//! Lists that the page shortens.

/// A list of which the page shows the beginning.
pub struct Listed<'r, T> {
    pub shown: Vec<&'r T>,
    /// Items that the reader can expand.
    pub more: Vec<&'r T>,
    /// Number of items that only the JSON contains.
    pub left_out: i64,
}

impl<'r, T> Listed<'r, T> {
    /// Shows the first `shown` items. The reader can expand more, up to `listed` in all.
    pub fn of(all: impl IntoIterator<Item = &'r T>, shown: usize, listed: usize) -> Self {
        let mut all = all.into_iter();
        Self {
            shown: all.by_ref().take(shown).collect(),
            more: all.by_ref().take(listed - shown).collect(),
            left_out: all.count() as i64,
        }
    }

    /// Returns the number of items that are not shown at first.
    pub fn hidden(&self) -> i64 {
        self.more.len() as i64 + self.left_out
    }
}
