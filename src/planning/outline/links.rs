//! Dependencies between rows, as the text states them.

use std::collections::BTreeSet;
use std::ops::Range;

/// A dependency between rows: `from` waits for `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) reason: Reason,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    Cue(String),
    Steps,
    Phases,
}

/// A stated dependency with an uncertain target.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) from: usize,
    pub(super) text: String,
    pub(super) span: Range<usize>,
    pub(super) guess: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Dependencies {
    pub(super) links: Vec<Link>,
    pub(super) open: Vec<Open>,
}

impl Dependencies {
    /// Drops links of a row to itself, and repeated links.
    pub(super) fn keep_first_links(&mut self) {
        let mut seen = BTreeSet::new();
        self.links.retain(|link| link.from != link.to && seen.insert((link.from, link.to)));
    }

    /// Keeps the dependencies between kept rows and converts them to the new indices. The successor
    /// of a removed row in a sequence follows its predecessor instead.
    pub(super) fn restrict_to(mut self, kept: &[Option<usize>]) -> Self {
        let is_sequence = |link: &&Link| matches!(link.reason, Reason::Steps | Reason::Phases);
        for gone in (0..kept.len()).filter(|row| kept[*row].is_none()) {
            let before: Vec<usize> = self
                .links
                .iter()
                .filter(is_sequence)
                .filter(|link| link.from == gone)
                .map(|link| link.to)
                .collect();
            let after: Vec<Link> = self
                .links
                .iter()
                .filter(is_sequence)
                .filter(|link| link.to == gone)
                .cloned()
                .collect();
            let bridges = after
                .iter()
                .flat_map(|link| before.iter().map(|to| Link { to: *to, ..link.clone() }));
            self.links.extend(bridges);
        }
        let renumbered =
            |link: Link| Some(Link { from: kept[link.from]?, to: kept[link.to]?, ..link });
        self.links = self.links.into_iter().filter_map(renumbered).collect();
        // A bridge may repeat a stated link.
        self.keep_first_links();
        let renumbered = |open: Open| {
            Some(Open {
                from: kept[open.from]?,
                guess: open.guess.and_then(|row| kept[row]),
                ..open
            })
        };
        self.open = self.open.into_iter().filter_map(renumbered).collect();
        self
    }
}
