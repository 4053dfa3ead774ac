//! Resolves the dependency keywords of the text to rows.
//!
//! A target is found by its number or name, or else by a title whose similarity is above a
//! threshold. Anything less certain is reported as unresolved; nothing is guessed.

use super::draft::{Draft, Mention, OrderNote};
use super::id_mentions;
use super::keywords::{Attribute, Keywords};
use super::links::{Dependencies, Link, Open, Reason};
use super::rows::plain_words;
use super::targets::{IDENTIFIER, ListedItem, NUMBERED, Target, Targets};
use super::titles::without_code;
use super::units::UnitClass;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::text::pattern;

static ARROW: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s*(?:->|-->|=>|\x{2192}|\x{21d2})\s*"));

/// Whether a line may be a chain of rows.
pub(super) fn has_arrow(text: &str) -> bool {
    ARROW.is_match(text)
}

/// Finds all dependencies that the text states, explicit ones first.
pub(super) fn find(text: &str, draft: &Draft, keywords: &Keywords) -> Dependencies {
    let mut collector = Collector {
        draft,
        keywords,
        targets: Targets::new(draft, keywords),
        found: Dependencies::default(),
        ordered: BTreeSet::new(),
    };
    for index in draft.preorder() {
        for mention in &draft.rows[index].mentions {
            collector.mention(index, mention, &[]);
        }
    }
    collector.order_notes();
    collector.orders();
    collector.sequences();
    collector.time_units();
    let by_id = id_mentions::find(text, draft, collector.targets.names());
    let mut found = collector.found;
    found.links.extend(by_id);
    found.keep_first_links();
    let mut seen = BTreeSet::new();
    found.open.retain(|open| seen.insert((open.from, open.text.to_lowercase())));
    found
}

/// Reads the dependency keywords of a draft, and collects what they state.
struct Collector<'a> {
    draft: &'a Draft,
    keywords: &'a Keywords,
    targets: Targets<'a>,
    found: Dependencies,
    /// Rows with an order that the text states, which outranks that of their numbers.
    ordered: BTreeSet<usize>,
}

impl Collector<'_> {
    /// Reads the keywords of one text. `known` contains the items of its list if that is outside
    /// the plan.
    fn mention(&mut self, from: usize, mention: &Mention, known: &[ListedItem]) {
        match mention.field {
            Some(Attribute::Blocks) => {
                self.cue(from, &mention.text, "blocks", mention, known, true, true)
            }
            Some(_) => self.cue(from, &mention.text, "depends on", mention, known, false, true),
            None => self.keywords_in(from, mention, known),
        }
    }

    fn keywords_in(&mut self, from: usize, mention: &Mention, known: &[ListedItem]) {
        let words = &self.keywords.dependencies;
        let text = without_code(&mention.text);
        let lists: [(&[String], bool, bool); 4] = [
            (&words.strong, false, true),
            (&words.reverse_strong, true, true),
            (&words.weak, false, false),
            (&words.reverse_weak, true, false),
        ];
        let mut taken: Vec<Range<usize>> = Vec::new();
        for (keywords, reverse, strong) in lists {
            for cue in keywords {
                let Some(at) = find_word(&text, cue) else {
                    continue;
                };
                if taken.iter().any(|range| range.contains(&at)) {
                    continue;
                }
                taken.push(at..at + cue.len());
                let rest = &mention.text[at + cue.len()..];
                let rest_words = rest.trim_start_matches([':', ' ']);
                // "We need to test the door" names no other work, and "does not need it" no order.
                if rest_words.starts_with("to ") || (cue != "before" && is_denied(&text[..at])) {
                    continue;
                }
                let phrase = self.phrase(rest_words);
                // A label such as "After:" is not a dependency, unless ids follow.
                let is_label = rest.trim_start().starts_with(':') && !are_ids(phrase);
                if !strong && (is_label || asks(&text[..at])) {
                    continue;
                }
                // "Not to the printer before the bands are booked" waits for the bands.
                let reverse = reverse && !(cue == "before" && denies(&text[..at]));
                self.cue(from, phrase, cue, mention, known, reverse, strong);
            }
        }
    }

    /// Returns the part of the text after a keyword that names its targets. A title in quotation
    /// marks can contain any word.
    fn phrase<'t>(&self, rest: &'t str) -> &'t str {
        let quotes = quotes(rest);
        let is_quoted = |at: usize| quotes.iter().any(|quote| quote.contains(&at));
        let is_end = |(at, c): &(usize, char)| {
            matches!(c, ';' | ')' | ']' | '(')
                || [". ", " - ", " \u{2013} ", " \u{2014} "]
                    .iter()
                    .any(|end| rest[*at..].starts_with(end))
        };
        let mut ends = rest.char_indices().filter(|(at, _)| !is_quoted(*at));
        let end = ends.find(is_end).map_or(rest.len(), |(at, _)| at);
        let rest = rest[..end].trim_end_matches('.');
        let mut stop = rest.len();
        let mut at = 0;
        for word in rest.split_inclusive(' ') {
            let plain = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            if at > 0 && !is_quoted(at) && self.keywords.dependencies.stops.contains(&plain) {
                stop = at;
                break;
            }
            at += word.len();
        }
        rest[..stop].trim()
    }

    #[expect(clippy::too_many_arguments, reason = "one cue, as it was read")]
    fn cue(
        &mut self,
        from: usize,
        phrase: &str,
        cue: &str,
        mention: &Mention,
        known: &[ListedItem],
        reverse: bool,
        strong: bool,
    ) {
        let is_pronoun = !phrase.contains(' ')
            && self.keywords.dependencies.previous.contains(&phrase.to_lowercase());
        if self.keywords.is_empty_value(phrase) || is_pronoun {
            return;
        }
        let is_list_of_ids =
            phrase.contains([',', '&']) && IDENTIFIER.find_iter(phrase).count() > 1;
        const ASIDE_WORDS: usize = 6;
        let is_aside = !mention.is_title && mention.text.split_whitespace().count() <= ASIDE_WORDS;
        let whole = if is_list_of_ids {
            Target::Unsure(None)
        } else {
            self.targets.resolve(from, phrase, known, strong, is_aside)
        };
        let parts = separate(phrase);
        let targets: Vec<Target> = parts
            .iter()
            .map(|part| self.targets.resolve(from, part, known, strong, is_aside))
            .collect();
        let is_sure = |target: &Target| matches!(target, Target::Rows(_));
        // A list can resemble the title of one of its items, and a title can itself be a list.
        let is_title = matches!(&whole, Target::Rows(rows) if rows.iter().any(|row| self.is_title(*row, phrase)));
        let is_quoted = quotes(phrase).first().is_some_and(|quote| *quote == (0..phrase.len()));
        let is_one = is_quoted || is_sure(&whole);
        if parts.len() < 2 || is_title || (is_one && !targets.iter().all(is_sure)) {
            return self.record(from, &named(phrase, known), cue, mention, whole, reverse, strong);
        }
        for (part, target) in parts.into_iter().zip(targets) {
            self.record(from, &named(part, known), cue, mention, target, reverse, strong);
        }
    }

    fn is_title(&self, row: usize, phrase: &str) -> bool {
        plain_words(&self.draft.rows[row].title) == plain_words(phrase)
    }

    #[expect(clippy::too_many_arguments, reason = "one cue, as it was read")]
    fn record(
        &mut self,
        from: usize,
        phrase: &str,
        cue: &str,
        mention: &Mention,
        target: Target,
        reverse: bool,
        strong: bool,
    ) {
        match target {
            Target::Rows(rows) => {
                for row in rows.into_iter().filter(|row| *row != from) {
                    let (from, to) = if reverse { (row, from) } else { (from, row) };
                    let reason = Reason::Cue(cue.to_owned());
                    self.found.links.push(Link { from, to, reason, span: mention.span.clone() });
                }
            }
            Target::Unsure(guess) => {
                let names_a_row = NUMBERED.captures(phrase.trim()).is_some_and(|found| {
                    found.name("word").is_some_and(|word| self.targets.is_unit_word(word.as_str()))
                });
                let is_name = phrase.contains(' ') && guess.is_some();
                let worth_saying = strong || (mention.is_title && (is_name || names_a_row));
                if worth_saying && !phrase.is_empty() {
                    self.found.open.push(Open {
                        from,
                        text: phrase.trim_matches(['"', '\u{201c}', '\u{201d}']).to_owned(),
                        span: mention.span.clone(),
                        guess,
                    });
                }
            }
        }
    }

    /// Reads the keywords of a section that orders rows listed elsewhere.
    fn order_notes(&mut self) {
        let notes = &self.draft.order_notes;
        let rows: Vec<Option<usize>> =
            notes.iter().map(|note| self.targets.titled(&note.title)).collect();
        let mut known: Vec<ListedItem> = Vec::new();
        for (note, row) in notes.iter().zip(&rows) {
            known.extend(note.names.iter().map(|name| ListedItem {
                name: name.clone(),
                row: *row,
                title: note.title.clone(),
            }));
        }
        let is_unique = |name: &str| known.iter().filter(|other| other.name == name).count() == 1;
        let unique: Vec<ListedItem> =
            known.iter().filter(|known| is_unique(&known.name)).cloned().collect();
        let is_open_ended = |note: &OrderNote| !self.targets.phases_from(&note.title).is_empty();
        let own: BTreeSet<usize> = (notes.iter().zip(&rows))
            .filter(|(note, _)| !is_open_ended(note))
            .filter_map(|(_, row)| *row)
            .collect();
        for (note, row) in notes.iter().zip(rows) {
            // "User stories (Phase 3+)" speaks of all phases without a note of their own.
            let mut from = self.targets.phases_from(&note.title);
            from.retain(|row| !own.contains(row));
            if from.is_empty() {
                from.extend(row);
            }
            for row in from {
                for mention in &note.mentions {
                    self.mention(row, mention, &unique);
                }
                self.ordered.insert(row);
            }
        }
    }

    /// Reads lines that order rows by their names. A line with an unknown name states nothing.
    fn orders(&mut self) {
        let draft = self.draft;
        for (text, span) in &draft.orders {
            let chain: Vec<Option<usize>> =
                ARROW.split(text).map(|part| self.targets.named(part)).collect();
            let chain: Option<Vec<usize>> = chain.into_iter().collect();
            if let Some(rows) = chain.filter(|rows| rows.len() > 1) {
                for pair in rows.windows(2) {
                    self.ordered.insert(pair[1]);
                    let reason = Reason::Cue("->".to_owned());
                    let link = Link { from: pair[1], to: pair[0], reason, span: span.clone() };
                    self.found.links.push(link);
                }
                continue;
            }
            let cues = self.keywords.dependencies.strong.iter().map(|cue| (cue, false));
            let cues =
                cues.chain(self.keywords.dependencies.reverse_strong.iter().map(|cue| (cue, true)));
            let cues: Vec<(&String, bool)> = cues
                .chain(self.keywords.dependencies.reverse_weak.iter().map(|cue| (cue, true)))
                .collect();
            for (cue, reverse) in cues {
                let Some(at) = find_word(text, cue) else { continue };
                let Some(from) = self.targets.named(&text[..at]) else { continue };
                if !reverse {
                    self.ordered.insert(from);
                }
                let mention = Mention::of_text(text, span.clone());
                let phrase = self.phrase(text[at + cue.len()..].trim_start_matches([':', ' ']));
                self.cue(from, phrase, cue, &mention, &[], reverse, true);
                break;
            }
        }
    }

    /// Links consecutive weeks, months and sprints that stand below different phases.
    fn time_units(&mut self) {
        let mut by_start: BTreeMap<(&str, u32), Vec<usize>> = BTreeMap::new();
        let mut by_end: BTreeMap<(&str, u32), Vec<usize>> = BTreeMap::new();
        for (row, unit) in self
            .draft
            .rows
            .iter()
            .enumerate()
            .filter_map(|(at, row)| Some((at, row.unit.as_ref()?)))
        {
            if let (UnitClass::Time, Some((first, last))) = (unit.class, unit.range()) {
                by_start.entry((unit.noun(), first)).or_default().push(row);
                by_end.entry((unit.noun(), last)).or_default().push(row);
            }
        }
        let mut links = Vec::new();
        for ((noun, first), rows) in &by_start {
            let before = first.checked_sub(1).and_then(|before| by_end.get(&(*noun, before)));
            if let (Some([to]), [from]) = (before.map(Vec::as_slice), rows.as_slice())
                && self.is_next_phase(*to, *from)
            {
                let span = self.draft.rows[*from].head.clone();
                links.push(Link { from: *from, to: *to, reason: Reason::Phases, span });
            }
        }
        self.found.links.extend(links);
    }

    /// Links consecutive steps and consecutive numbered phases.
    fn sequences(&mut self) {
        let parents = std::iter::once(&self.draft.roots)
            .chain(self.draft.rows.iter().map(|row| &row.children));
        let mut links = Vec::new();
        for siblings in parents {
            let mut last_of_unit: BTreeMap<&str, usize> = BTreeMap::new();
            for (at, &row) in siblings.iter().enumerate() {
                if let Some(before) = at.checked_sub(1).map(|at| siblings[at])
                    && self.is_next_step(before, row)
                {
                    links.push(Link {
                        from: row,
                        to: before,
                        reason: Reason::Steps,
                        span: self.draft.rows[row].head.clone(),
                    });
                }
                let Some(unit) = &self.draft.rows[row].unit else {
                    continue;
                };
                if let Some(before) = last_of_unit.insert(unit.noun(), row)
                    && self.is_next_phase(before, row)
                    && !self.ordered.contains(&row)
                {
                    links.push(Link {
                        from: row,
                        to: before,
                        reason: Reason::Phases,
                        span: self.draft.rows[row].head.clone(),
                    });
                }
            }
        }
        self.found.links.extend(links);
    }

    fn is_next_step(&self, before: usize, after: usize) -> bool {
        let (before, after) = (&self.draft.rows[before], &self.draft.rows[after]);
        after.is_next || (before.is_step && after.is_step && before.group == after.group)
    }

    /// Whether `after` is the next numbered phase, as "Phase 2" after "Phase 1", unless their weeks
    /// overlap.
    fn is_next_phase(&self, before: usize, after: usize) -> bool {
        let (before, after) = (&self.draft.rows[before], &self.draft.rows[after]);
        let (Some(first), Some(second)) = (&before.unit, &after.unit) else {
            return false;
        };
        let ordered = self.keywords.units.ordered.iter().any(|word| word == first.noun());
        let consecutive = matches!((first.range(), second.range()), (Some((_, end)), Some((start, _))) if start == end + 1);
        let overlap = matches!((before.weeks, after.weeks), (Some((_, end)), Some((start, _))) if start <= end);
        ordered && consecutive && !overlap
    }
}

/// Returns "7" as "7 (Title of item 7)".
fn named(phrase: &str, known: &[ListedItem]) -> String {
    match known.iter().find(|known| known.name == phrase) {
        Some(known) => format!("{phrase} ({})", known.title),
        None => phrase.to_owned(),
    }
}

/// Returns the byte position of a keyword that is not part of a longer word.
fn find_word(text: &str, cue: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    lower.match_indices(cue).map(|(at, _)| at).find(|at| {
        let before = lower[..*at].chars().next_back();
        let after = lower[at + cue.len()..].chars().next();
        let is_word =
            |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
        !is_word(before) && !is_word(after)
    })
}

/// Returns the parts of a text in quotation marks, with the marks.
fn quotes(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut open) = (Vec::new(), None);
    for (at, c) in text.char_indices() {
        match (c, open) {
            ('"' | '\u{201c}', None) => open = Some(at),
            ('"' | '\u{201d}', Some(from)) => {
                found.push(from..at + c.len_utf8());
                open = None;
            }
            _ => {}
        }
    }
    found
}

/// Whether the words just before a keyword deny it: "does not", "no longer".
fn is_denied(before: &str) -> bool {
    let lower = before.to_lowercase().replace('\u{2019}', "'");
    let mut words = lower.split_whitespace().rev();
    match words.next() {
        Some("not" | "never") => true,
        Some("longer") => words.next() == Some("no"),
        Some(word) => word.ends_with("n't"),
        None => false,
    }
}

/// Whether a text before a keyword says "not".
fn denies(before: &str) -> bool {
    let clause = before.rsplit(['.', ';', ',']).next().unwrap_or(before);
    let padded = format!(" {} ", clause.to_lowercase().replace('\u{2019}', "'"));
    [" not ", " no ", " never ", " cannot ", "n't ", " nobody "]
        .iter()
        .any(|word| padded.contains(word))
}

/// Whether a text before a keyword asks: "What needs fixing" states no dependency.
fn asks(before: &str) -> bool {
    let first = before.split_whitespace().next().unwrap_or_default().to_lowercase();
    matches!(first.as_str(), "what" | "who" | "how" | "why" | "which" | "whatever")
}

/// Whether a phrase consists of ids and numbers only: "T1 T2", "#4", "2.1, 2.2".
fn are_ids(phrase: &str) -> bool {
    let mut words = phrase.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
    let is_id = |word: &str| {
        word.contains(|c: char| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '#'))
            && word.chars().filter(|c| c.is_ascii_lowercase()).count() == 0
    };
    words.peek().is_some() && words.all(is_id)
}

/// Splits "A, B and C" into its parts, and "T1 T2".
fn separate(phrase: &str) -> Vec<&str> {
    if are_ids(phrase) {
        return phrase.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    }
    phrase
        .split([',', '&', '+'])
        .flat_map(|part| part.split(" and "))
        .map(str::trim)
        .map(|part| part.strip_prefix("and ").unwrap_or(part))
        .filter(|part| !part.is_empty())
        .collect()
}
