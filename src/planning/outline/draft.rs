//! The plan while it is being read: rows by index, without resolved references.

use std::ops::Range;

use super::dates::Window;
use super::durations::StatedDuration;
use super::head::Head;
use super::keywords::Attribute;
use super::units::{Unit, UnitClass};
use crate::domain::task::Priority;
use crate::planning::plan::{Progress, SkipReason};

/// Result of one pass over the text.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Rows, parents before children; siblings in text order.
    pub(super) rows: Vec<Row>,
    pub(super) roots: Vec<usize>,
    pub(super) statements: Vec<Statement>,
    pub(super) order_notes: Vec<OrderNote>,
    /// Lines that may state an order between rows by their names: "T2 depends on T1", "A -> B -> C".
    pub(super) orders: Vec<(String, Range<usize>)>,
    pub(super) skips: Vec<Skip>,
    /// Parents with deeper levels folded into their description.
    pub(super) folded: Vec<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) parent: Option<usize>,
    pub(super) children: Vec<usize>,
    pub(super) depth: u32,
    pub(super) title: String,
    pub(super) description: Vec<String>,
    /// Line that the row was read from.
    pub(super) head: Range<usize>,
    /// Whole row, including its children.
    pub(super) span: Range<usize>,
    pub(super) from_heading: bool,
    pub(super) unit: Option<Unit>,
    pub(super) names: Vec<String>,
    /// Group number, shared by the rows of one list.
    pub(super) group: usize,
    /// Whether the text calls the list items steps.
    pub(super) is_step: bool,
    /// Whether the row only states a date on which something is reached.
    pub(super) is_milestone: bool,
    /// Whether the text says that the row follows the previous row.
    pub(super) is_next: bool,
    pub(super) standing: Progress,
    /// Whether the text says that the work will not be done.
    pub(super) is_cancelled: bool,
    pub(super) stated: Option<StatedDuration>,
    pub(super) priority: Option<Priority>,
    pub(super) owners: Vec<String>,
    pub(super) window: Window,
    pub(super) weeks: Option<(u32, u32)>,
    pub(super) mentions: Vec<Mention>,
}

/// Text that may name other rows as prerequisites.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// The field, such as "Depends on:", if the text is its value and thus only names rows.
    pub(super) field: Option<Attribute>,
    /// Whether the text is the row's title. Only a title reports unresolved targets of weak
    /// keywords.
    pub(super) is_title: bool,
}

impl Mention {
    /// Creates a mention from running text of a row.
    pub(super) fn of_text(text: &str, span: Range<usize>) -> Self {
        Self { text: text.to_owned(), span, field: None, is_title: false }
    }
}

/// A statement of what must be true.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// Row that the statement belongs to by position.
    pub(super) owner: Option<usize>,
}

/// An item of a section that states the order of rows listed elsewhere.
#[derive(Debug)]
pub(super) struct OrderNote {
    pub(super) title: String,
    pub(super) names: Vec<String>,
    pub(super) mentions: Vec<Mention>,
}

#[derive(Debug)]
pub(super) struct Skip {
    pub(super) span: Range<usize>,
    pub(super) what: String,
    pub(super) reason: SkipReason,
}

impl Row {
    /// Creates an unplaced row from its line.
    pub(super) fn of_head(head: Head, line: Range<usize>, span: Range<usize>) -> Self {
        let mentions = head
            .asides
            .iter()
            .map(|aside| Mention::of_text(aside, line.clone()))
            .chain(std::iter::once(Mention {
                text: head.title.clone(),
                span: line.clone(),
                field: None,
                is_title: true,
            }))
            .collect();
        Self {
            title: head.title,
            head: line,
            span,
            unit: head.unit,
            names: head.names,
            is_next: head.is_next,
            standing: head.standing,
            is_cancelled: head.is_cancelled,
            stated: head.stated,
            priority: head.priority,
            owners: head.owners,
            window: head.window,
            weeks: head.weeks,
            mentions,
            ..Self::default()
        }
    }

    pub(super) fn is_phase_unit(&self) -> bool {
        self.unit
            .as_ref()
            .is_some_and(|unit| matches!(unit.class, UnitClass::Phase | UnitClass::Time))
    }

    /// Adds the values that another mention of the same row has and this one lacks.
    pub(super) fn absorb(&mut self, other: Self) {
        self.standing = self.standing.max(other.standing);
        self.is_cancelled |= other.is_cancelled;
        self.stated = self.stated.take().or(other.stated);
        self.priority = self.priority.or(other.priority);
        self.weeks = self.weeks.or(other.weeks);
        self.window.due = self.window.due.or(other.window.due);
        self.window.not_before = self.window.not_before.or(other.window.not_before);
        for owner in other.owners {
            if !self.owners.contains(&owner) {
                self.owners.push(owner);
            }
        }
        self.mentions.extend(other.mentions.into_iter().filter(|mention| !mention.is_title));
        self.description.extend(other.description);
    }
}

impl Draft {
    /// Places a row under its parent and returns its index.
    pub(super) fn place(&mut self, mut row: Row, parent: Option<usize>) -> usize {
        let index = self.rows.len();
        row.parent = parent;
        row.depth = parent.map_or(0, |parent| self.rows[parent].depth + 1);
        self.rows.push(row);
        match parent {
            Some(parent) => self.rows[parent].children.push(index),
            None => self.roots.push(index),
        }
        index
    }

    /// Removes the cancelled rows and their descendants. Returns the new index of each row.
    pub(super) fn leave_out_cancelled(&mut self) -> Vec<Option<usize>> {
        let mut is_kept: Vec<bool> = Vec::with_capacity(self.rows.len());
        for index in 0..self.rows.len() {
            let row = &self.rows[index];
            let is_below = row.parent.is_some_and(|parent| !is_kept[parent]);
            if row.is_cancelled && !is_below {
                let (span, title) = (row.span.clone(), row.title.clone());
                self.skip(span, &title, SkipReason::Cancelled);
            }
            is_kept.push(!is_below && !self.rows[index].is_cancelled);
        }
        self.retain(&is_kept)
    }

    /// Replaces headings that only hold phases ("Work package descriptions") by their content.
    pub(super) fn hoist_containers(&mut self) {
        let has_id = |row: &Row| row.names.iter().any(|name| name.contains(char::is_alphabetic));
        let is_phase = |row: &Row| row.from_heading && (row.is_phase_unit() || has_id(row));
        let mut is_kept = vec![true; self.rows.len()];
        // Children come after their parents, so the innermost container goes first.
        for index in (0..self.rows.len()).rev() {
            let row = &self.rows[index];
            let holds = row.children.iter().filter(|child| is_phase(&self.rows[**child])).count();
            let is_bare = row.from_heading
                && !is_phase(row)
                && row.owners.is_empty()
                && row.stated.is_none()
                && row.standing == Progress::Open
                && row.mentions.iter().all(|mention| mention.is_title);
            if !is_bare
                || holds < 2
                || row.children.iter().any(|child| !self.rows[*child].from_heading)
            {
                continue;
            }
            is_kept[index] = false;
            let (parent, children) = (row.parent, row.children.clone());
            let (head, title) = (row.head.clone(), row.title.clone());
            for child in &children {
                self.rows[*child].parent = parent;
            }
            for statement in self.statements.iter_mut().filter(|known| known.owner == Some(index)) {
                statement.owner = parent;
            }
            let siblings = match parent {
                Some(parent) => &mut self.rows[parent].children,
                None => &mut self.roots,
            };
            if let Some(at) = siblings.iter().position(|sibling| *sibling == index) {
                siblings.splice(at..=at, children);
            }
            self.skip(head, &title, SkipReason::Container);
        }
        self.retain(&is_kept);
        for index in 0..self.rows.len() {
            let parent = self.rows[index].parent;
            self.rows[index].depth = parent.map_or(0, |parent| self.rows[parent].depth + 1);
        }
    }

    /// Removes the rows that are not kept, and every reference to them. Returns the new index of each
    /// row.
    fn retain(&mut self, is_kept: &[bool]) -> Vec<Option<usize>> {
        let mut count = 0;
        let kept: Vec<Option<usize>> = is_kept
            .iter()
            .map(|is_kept| {
                count += usize::from(*is_kept);
                is_kept.then(|| count - 1)
            })
            .collect();
        let renumber =
            |rows: &mut Vec<usize>| *rows = rows.iter().filter_map(|row| kept[*row]).collect();
        let rows = std::mem::take(&mut self.rows)
            .into_iter()
            .zip(&kept)
            .filter(|(_, place)| place.is_some());
        self.rows = rows.map(|(row, _)| row).collect();
        for row in &mut self.rows {
            row.parent = row.parent.and_then(|parent| kept[parent]);
            renumber(&mut row.children);
        }
        renumber(&mut self.roots);
        renumber(&mut self.folded);
        self.statements
            .retain(|statement| statement.owner.is_none_or(|owner| kept[owner].is_some()));
        for statement in &mut self.statements {
            statement.owner = statement.owner.and_then(|owner| kept[owner]);
        }
        kept
    }

    /// Returns the owner of a row: its own, or else that of its nearest ancestor with one.
    pub(super) fn owner(&self, row: usize) -> Option<&String> {
        std::iter::successors(Some(row), |row| self.rows[*row].parent)
            .find_map(|row| self.rows[row].owners.first())
    }

    pub(super) fn skip(&mut self, span: Range<usize>, what: &str, reason: SkipReason) {
        let mut what: String = super::titles::clean(what).chars().take(80).collect();
        if what.is_empty() {
            what = "(no text)".to_owned();
        }
        self.skips.push(Skip { span, what, reason });
    }

    pub(super) fn leaves(&self) -> usize {
        self.rows.iter().filter(|row| row.children.is_empty()).count()
    }

    /// Sorts siblings into text order, because notes below a list may be read before it.
    pub(super) fn sort_siblings(&mut self) {
        let starts: Vec<usize> = self.rows.iter().map(|row| row.head.start).collect();
        self.roots.sort_by_key(|row| starts[*row]);
        for row in &mut self.rows {
            row.children.sort_by_key(|child| starts[*child]);
        }
    }

    /// Returns the rows in document order, parents before children.
    pub(super) fn preorder(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.rows.len());
        let mut open: Vec<usize> = self.roots.iter().rev().copied().collect();
        while let Some(row) = open.pop() {
            order.push(row);
            open.extend(self.rows[row].children.iter().rev());
        }
        order
    }

    pub(super) fn is_ancestor(&self, ancestor: usize, mut row: usize) -> bool {
        while let Some(parent) = self.rows[row].parent {
            if parent == ancestor {
                return true;
            }
            row = parent;
        }
        false
    }
}
