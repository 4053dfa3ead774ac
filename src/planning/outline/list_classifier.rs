//! Decides whether a list is a list of work, by how its items are written.

use super::blocks::{Block, Item, Line};
use super::dates;
use super::items;
use super::keywords::{Keywords, normalized};
use super::lexicon::Lexicon;
use super::requirements::has_modal;
use super::units::Unit;
use crate::planning::planner::Options;

/// Numbers of list items by how they are written.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Evidence {
    pub(super) items: usize,
    /// Items that start with a work verb.
    pub(super) verbs: usize,
    /// Items that name an action by a noun ("database migration").
    pub(super) nouns: usize,
    /// Items with a checkbox or a status mark.
    pub(super) marks: usize,
    /// Items that are fields ("Privacy: on device") instead of work.
    pub(super) fields: usize,
    /// Items that start like a statement ("The", "All", "It").
    pub(super) statements: usize,
    /// Items that are counted parts of a plan ("Week 2: ...").
    pub(super) units: usize,
    /// Items that say that something must be so.
    pub(super) modals: usize,
    /// Items that are bold names with a list below them.
    pub(super) groups: usize,
    /// Items with a duration.
    pub(super) sized: usize,
    /// Items that end with a question mark or are bracketed instructions.
    pub(super) questions: usize,
    /// Items of the form "Label: value".
    pub(super) labelled: usize,
    /// Items that are links or names of files.
    pub(super) links: usize,
    /// Items with a checkbox.
    pub(super) boxes: usize,
    /// Items with a mark that only work has: a checkbox, a status, an owner, an effort or a due
    /// date.
    pub(super) explicit: usize,
}

impl Evidence {
    pub(super) fn of(keywords: &Lexicon<'_>, items: &[Item]) -> Self {
        let mut evidence = Self { items: items.len(), ..Self::default() };
        for item in items {
            let Some(line) = first_line(item) else {
                continue;
            };
            let text = line.text.trim();
            evidence.marks += usize::from(item.checked.is_some() || has_mark(keywords, text));
            evidence.verbs += usize::from(starts_with_verb(keywords, text));
            evidence.nouns += usize::from(names_action(keywords, text));
            evidence.units += usize::from(Unit::leading(keywords, text).is_some());
            evidence.fields += usize::from(is_field(keywords, &line));
            evidence.statements += usize::from(is_statement(keywords, text));
            evidence.modals +=
                usize::from(has_modal(keywords, text) && !starts_with_verb(keywords, text));
            let holds_list = item.blocks.iter().any(|block| matches!(block, Block::List { .. }));
            evidence.groups += usize::from(line.is_all_strong() && holds_list);
            let head = items::head(keywords, Options::default(), None, text, 0);
            let is_sized = head.stated.is_some();
            evidence.sized += usize::from(label_and_value(&line).is_none() && is_sized);
            evidence.links += usize::from(is_link(text));
            evidence.labelled +=
                usize::from(label_and_value(&line).is_some_and(|(label, value)| {
                    !value.is_empty() && label.chars().all(|c| c.is_alphabetic() || c == ' ')
                }));
            let is_box = item.checked.is_some() || items::checkbox(text).is_some();
            evidence.boxes += usize::from(is_box);
            let is_field = is_field(keywords, &line);
            let has_detail = is_sized
                || !head.owners.is_empty()
                || head.window.due.is_some()
                || dates::is_dated(text);
            evidence.explicit +=
                usize::from(is_box || (!is_field && (has_detail || head.has_mark)));
            evidence.questions += usize::from(
                text.ends_with('?') || (text.starts_with('[') && items::checkbox(text).is_none()),
            );
        }
        evidence
    }

    /// Whether the list is clearly work, in any section.
    pub(super) fn is_strong(self) -> bool {
        let most = self.items.max(1);
        self.units * 2 >= most
            || self.marks * 2 >= most
            || self.sized * 2 >= most
            || (self.verbs >= most && self.statements == 0)
            || (self.items >= 3
                && self.verbs * 4 >= self.items * 3
                && self.statements * 4 <= self.items)
    }

    /// Whether the form alone says that the list is work.
    pub(super) fn is_explicit(self) -> bool {
        self.boxes > 0 || (self.explicit > 0 && self.explicit * 2 >= self.items)
    }

    /// Whether the list is work in a text without other work.
    pub(super) fn may_be_the_work(self) -> bool {
        self.is_listed_work() && self.labelled * 2 <= self.items
    }

    /// Whether the list is work below a heading that names a task.
    pub(super) fn are_subtasks(self) -> bool {
        self.items > 0
            && (self.units * 2 >= self.items
                || self.is_explicit()
                || self.marks * 2 >= self.items
                || self.sized * 2 >= self.items
                || self.groups * 2 >= self.items
                || (self.fields * 2 < self.items
                    && self.verbs * 2 >= self.items
                    && self.statements * 2 <= self.items))
    }

    /// Whether the list is work below a work item. Requires more than below a heading.
    pub(super) fn are_nested_subtasks(self) -> bool {
        let several = self.items > 1 || self.marks > 0 || self.units > 0;
        several
            && (self.are_subtasks()
                || self.fields == 0 && (self.verbs + self.nouns) * 4 >= self.items * 3)
    }

    /// Whether the list is work directly below a heading such as "Roadmap", where items need no
    /// verb.
    pub(super) fn is_listed_work(self) -> bool {
        self.items > 0
            && (self.units > 0
                || self.is_explicit()
                || self.marks * 2 >= self.items
                || (self.fields * 2 <= self.items
                    && self.statements * 2 <= self.items
                    && self.modals * 2 <= self.items
                    && self.links * 2 <= self.items
                    && self.questions * 2 <= self.items))
    }
}

/// Returns the first line of an item that starts with a paragraph.
pub(super) fn first_line(item: &Item) -> Option<Line> {
    match item.blocks.first() {
        Some(Block::Paragraph { lines, .. }) => lines.first().cloned(),
        _ => None,
    }
}

fn has_mark(keywords: &Keywords, text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| {
        keywords.status.done_marks.contains(&c) || keywords.status.open_marks.contains(&c)
    }) || items::checkbox(text).is_some()
}

/// Whether a text starts with a verb: "Build the thing", "**Build** the thing", "We will build the
/// thing".
pub(super) fn starts_with_verb(keywords: &Keywords, text: &str) -> bool {
    let words = normalized(text);
    let rest = keywords
        .statements
        .commitments
        .iter()
        .find_map(|cue| words.strip_prefix(cue.as_str()).filter(|rest| rest.starts_with(' ')))
        .unwrap_or(&words)
        .trim_start();
    let mut rest = rest.split(' ').skip_while(|word| word.ends_with("ly") && word.len() > 4);
    let Some(first) = rest.next() else {
        return false;
    };
    let second = rest.next();
    let noun_phrase =
        text.split_once(':').is_some_and(|(label, _)| label.split_whitespace().count() == 1);
    keywords.kind_of_verb(first).is_some()
        && !noun_phrase
        && second
            .is_some_and(|second| !matches!(second, "is" | "are" | "must" | "was" | "were" | "of"))
}

/// Whether a text names an action: "Invoice export implementation", "Testing of exports".
fn names_action(keywords: &Keywords, text: &str) -> bool {
    let plain = text.split(['(', ':', ',']).next().unwrap_or(text);
    let words = normalized(plain);
    let mut words = words.split(' ').peekable();
    if words.peek().is_none() || plain.split_whitespace().count() > 12 {
        return false;
    }
    let before_of: Vec<&str> = words
        .by_ref()
        .take_while(|word| !matches!(*word, "of" | "for" | "with" | "to" | "from" | "in" | "by"))
        .collect();
    before_of.last().is_some_and(|word| keywords.kind_of_noun(word).is_some())
}

/// Whether a line describes something instead of listing work: "Privacy: on device", "**Why:**
/// because".
pub(super) fn is_field(keywords: &Keywords, line: &Line) -> bool {
    let Some((label, value)) = label_and_value(line) else {
        return false;
    };
    let label = normalized(label);
    !value.is_empty()
        && (is_references(value)
            || keywords.attribute(&label).is_some()
            || keywords.statements.attributes.contains(&label))
}

/// Whether a value only lists numbers and ids, such as "1.1, 2.3" or "FR-2 and FR-3".
fn is_references(value: &str) -> bool {
    let mut words =
        value.split([',', ' ', ';']).filter(|word| !word.is_empty() && *word != "and").peekable();
    let is_id = |word: &str| {
        let bare = word.trim_matches(['_', '*', '.', '(', ')']);
        bare.contains(|c: char| c.is_ascii_digit())
            && bare.chars().all(|c| {
                c.is_ascii_digit() || c.is_ascii_uppercase() || matches!(c, '.' | '-' | '#')
            })
    };
    words.peek().is_some() && words.all(is_id)
}

/// Splits "Label: value" if the label is short enough.
pub(super) fn label_and_value(line: &Line) -> Option<(&str, &str)> {
    let text = line.text.trim();
    let (label, value) = text.split_once(':')?;
    let label = label.trim_matches(['*', ' ', '_']);
    let short = !label.is_empty() && label.split_whitespace().count() <= 3 && label.len() <= 40;
    let is_address = value.starts_with("//");
    (short && !is_address).then_some((label, value.trim_matches(['*', ' ', '_'])))
}

/// Whether a text begins with an address or a path.
fn is_link(text: &str) -> bool {
    let first =
        text.split([' ', ',']).next().unwrap_or_default().trim_matches(['`', '*', '<', '>']);
    let has_ending = first.rsplit_once('.').is_some_and(|(name, ending)| {
        !name.is_empty()
            && (1..=5).contains(&ending.len())
            && ending.chars().all(|c| c.is_ascii_alphanumeric())
            && ending.starts_with(|c: char| c.is_ascii_lowercase())
    });
    first.contains("://")
        || has_ending
        || (first.contains('/')
            && first.chars().all(|c| c.is_alphanumeric() || "/._-@".contains(c)))
}

fn is_statement(keywords: &Keywords, text: &str) -> bool {
    const STARTS: [&str; 24] = [
        "the", "it", "this", "that", "these", "all", "no", "users", "user", "each", "every",
        "there", "any", "when", "if", "a", "an", "its", "they", "only", "is", "are", "you", "most",
    ];
    if !keywords.knows_words() {
        return false;
    }
    let first = crate::text::stem::words(text).next().unwrap_or_default();
    STARTS.contains(&first.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::outline::parser;

    fn evidence(text: &str) -> Evidence {
        match &parser::read(text)[0] {
            Block::List { items, .. } => Evidence::of(&Lexicon::english(), items),
            _ => Evidence::default(),
        }
    }

    #[test]
    fn imperatives_are_work_anywhere() {
        assert!(
            evidence("- Dig the bed\n- Build a fence around it\n- We will add a gate\n")
                .is_strong()
        );
    }

    #[test]
    fn traits_of_a_person_are_not() {
        let persona = evidence(
            "- 34 years old, lives in town\n- Prefers short walks\n- The garden is her hobby\n",
        );
        assert!(!persona.is_strong() && !persona.are_subtasks());
    }

    #[test]
    fn fields_are_not_work() {
        assert!(!evidence("- Owner: Ann\n- Status: open\n- Why: because\n").is_listed_work());
    }

    #[test]
    fn nouns_of_action_count_below_an_item() {
        assert!(
            evidence("- fence installation\n- soil analysis\n- compost delivery and setup\n")
                .are_nested_subtasks()
        );
        assert!(!evidence("- red\n- green\n").are_nested_subtasks());
    }
}
