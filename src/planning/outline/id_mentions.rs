//! Finds dependencies in sentences that name rows by their ids: "with the dataset of T1.3",
//! "T1.1 – T1.2 – T3.2".

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::draft::Draft;
use super::links::{Link, Reason};
use crate::text::pattern;

static ID: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:^|[^\p{L}\d./-])(?P<id>\p{Lu}{1,5}-?\d{1,4}(?:\.\d{1,3})*)(?:$|[^\p{L}\d-])")
});
/// Ids that dashes or arrows join: "T1.1 – T1.2 → T3.2".
static CHAIN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\p{Lu}{1,5}-?\d{1,4}(?:\.\d{1,3})*(?:\s*(?:\x{2013}|\x{2014}|->|-->|\x{2192}|>)\s*\p{Lu}{1,5}-?\d{1,4}(?:\.\d{1,3})*){2,}",
    )
});
/// Ends of sentences.
static END: LazyLock<Regex> = LazyLock::new(|| pattern(r"[.;!?]\s+|\n"));

/// Words shortly before ids that their row waits for.
static BEFORE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:\b(?P<far>nach|von|sobald|después de|tras|après|dès|dopo|after|as soon as|based on|builds? on|depend(?:s|ing)? on|extends|following|follows|from|needs?|once|only|output|requires?|reuses?|until|uses|using|waits? for|waiting for|when|without)\b[^.;]{0,40}|\b(?P<near>of|over|in|by|under) (?:the |task |deliverable |step )?)$",
    )
});
/// Words shortly after ids that their row waits for.
static AFTER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^[^.;]{0,40}?\b(?:needed|required|complete|completed|finished|done|merged|passed|ready|exists?|delivered)\b",
    )
});
/// Words of a sentence that orders nothing, or in the other direction.
static OTHER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:before|blocks|feeds|independent|in parallel|parallel with|instead of|(?:do|does|is|are|need) not|(?:do|does|is|are|need)n['\x{2019}]t|no longer|so that|supersedes|unlike|required by|needed (?:by|for)|used by|see)\b",
    )
});

/// Returns the dependencies that ids state. `names` holds the rows by their lower-case names.
pub(super) fn find(text: &str, draft: &Draft, names: &BTreeMap<String, Vec<usize>>) -> Vec<Link> {
    let has_ids = draft.rows.iter().flat_map(|row| &row.names).any(|name| is_id(name));
    if !has_ids {
        return Vec::new();
    }
    let owners = Owners::of(draft);
    let mut links = Vec::new();
    for sentence in sentences(text) {
        let words = &text[sentence.clone()];
        let found: Vec<(usize, usize)> = ids(words)
            .filter_map(|id| match names.get(&words[id.clone()].to_lowercase())?.as_slice() {
                [row] => Some((id.start, *row)),
                _ => None,
            })
            .collect();
        if found.is_empty() {
            continue;
        }
        let span = sentence.start..sentence.start + words.trim_end().len();
        let link = |from, to, word: &str| Link {
            from,
            to,
            reason: Reason::Cue(word.to_owned()),
            span: span.clone(),
        };
        if CHAIN.is_match(words) {
            links.extend(found.windows(2).map(|pair| link(pair[1].1, pair[0].1, "->")));
            continue;
        }
        if OTHER.is_match(words) {
            continue;
        }
        let first =
            words.len() - words.trim_start_matches([' ', '\t', '-', '*', '_', '(', '[']).len();
        let (from, others) = match found.as_slice() {
            // "T026 cannot be shown without T015"
            [(at, subject), others @ ..] if *at <= first => (Some(*subject), others),
            all => (owners.at(sentence.start + all[0].0), all),
        };
        let (Some(from), Some((start, _)), Some((last, _))) = (from, others.first(), others.last())
        else {
            continue;
        };
        let end = ids(&words[*last..]).next().map_or(*last, |id| last + id.end);
        let before = BEFORE.captures(&words[..*start]);
        let word = before
            .as_ref()
            .and_then(|found| found.name("far").or(found.name("near")))
            .or_else(|| AFTER.find(&words[end..]));
        let Some(word) = word.map(|word| word.as_str().trim().to_lowercase()) else { continue };
        let waits = others.iter().filter(|(_, row)| *row != from);
        links.extend(waits.map(|(_, row)| link(from, *row, &word)));
    }
    links
}

fn ids(words: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    ID.captures_iter(words).filter_map(|found| found.name("id")).map(|id| id.range())
}

fn is_id(name: &str) -> bool {
    ids(name).next().is_some_and(|id| id == (0..name.len()))
}

fn sentences(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    let ends = END.find_iter(text).map(|end| end.end()).chain(std::iter::once(text.len()));
    ends.map(move |end| {
        let sentence = at..end;
        at = end;
        sentence
    })
    .filter(|sentence| !sentence.is_empty())
}

/// Rows by the position of their text.
struct Owners<'a> {
    draft: &'a Draft,
    /// Starts of rows in text order, with the row.
    starts: Vec<(usize, usize)>,
}

impl<'a> Owners<'a> {
    fn of(draft: &'a Draft) -> Self {
        let rows = draft.rows.iter().enumerate();
        let mut starts: Vec<(usize, usize)> =
            rows.map(|(index, row)| (row.span.start, index)).collect();
        starts.sort_unstable();
        Self { draft, starts }
    }

    /// Returns the innermost row around a position.
    fn at(&self, position: usize) -> Option<usize> {
        let before = self.starts.partition_point(|(start, _)| *start <= position);
        let (_, last) = self.starts.get(before.checked_sub(1)?)?;
        let rows = &self.draft.rows;
        std::iter::successors(Some(*last), |row| rows[*row].parent)
            .find(|row| rows[*row].span.contains(&position))
    }
}
