//! Finds work in running text: a sentence in which someone does, or has to do, something.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::lexicon::Lexicon;
use super::list_classifier::starts_with_verb;
use super::titles::first_sentence;
use crate::text::pattern;

/// Work that a sentence states.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stated {
    /// The clause with the work, from its subject on.
    pub(super) clause: Range<usize>,
    pub(super) sentence: Range<usize>,
    /// The person at work, if the sentence names one.
    pub(super) agent: Option<String>,
    /// Whether the sentence says that it follows the work before it: "and then".
    pub(super) is_then: bool,
}

/// An obligation: "has to sign", "need to be connected".
static DUTY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[\w'\x{2019}().-]+ ){1,7}?(?:has to|have to|needs to|need to|is to be|are to be|was volunteered to) \p{Ll}+",
    )
});
/// A promise or a need of the writers: "we will", "I'll", "we need".
static PROMISE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[Ww]e|I)(?:['\x{2019}]ll| will| need to| have to| must| should| plan to| are going to| am going to| want to| need an?| plan an?) (?:then |also |first |now )?\p{L}+",
    )
});
/// The writers at work: "we hold a review", "I write the guide".
static WRITERS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:[Ww]e|I) (?:then |also |first |now )?(?P<verb>\p{Ll}+) "));
static AGENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:Dr|Mr|Ms|Mrs|Frau|Herr)\.? )?(?P<name>@?\p{L}[\p{L}\x{2019}-]+)(?: \([^)]{1,40}\))?(?P<more>(?:(?:, | and | & )\p{Lu}[\p{L}\x{2019}-]+)*) (?:then |also |first |now )?(?P<verb>\p{Ll}+)\b",
    )
});
static TEAM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[Tt]he (?:\p{L}+ ){0,2}(?:team|committee|council|group|department|board|leads?|agency|association|club|company) (?:then |also |first |now )?(?P<verb>\p{Ll}+)\b",
    )
});
/// The end of a clause that says when: "As soon as the cameras run, …".
static OPENING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:(?i:and|but|so|then|first|next|please|meanwhile|first of all|in parallel|after that|afterwards|finally|alongside|then)\b,? ?|(?i:actions?|action items?|ai|todo|next steps?|tasks?|decided|agreed|decision)(?: \([^)]{1,40}\))?: |(?i:as soon as|when|once|after|before|during|for|in|on|if|until|from|at|to|with|by|alongside)\b[^,.;:]{2,80}?(?:, | (?P<next>(?:we|I|\p{Lu}\p{L}+) )))",
    )
});
/// Verbs that say how something is, and no work.
const STATES: &[&str] = &[
    "is",
    "was",
    "has",
    "does",
    "says",
    "thinks",
    "wants",
    "needs",
    "knows",
    "means",
    "seems",
    "looks",
    "costs",
    "takes",
    "likes",
    "gives",
    "gets",
    "comes",
    "goes",
    "becomes",
    "remains",
    "stays",
    "lives",
    "works",
    "cares",
    "depends",
    "consists",
    "contains",
    "includes",
    "allows",
    "provides",
    "supports",
    "uses",
    "requires",
    "offers",
    "makes",
    "lets",
    "helps",
    "shows",
    "will",
    "would",
    "can",
    "could",
    "may",
    "might",
    "must",
    "should",
    "shall",
    "had",
    "did",
    "are",
    "were",
    "have",
    "do",
    "said",
    "asked",
    "told",
    "this",
    "its",
    "his",
    "us",
    "as",
    "always",
    "sometimes",
    "perhaps",
    "answers",
    "exists",
    "happens",
    "arrives",
    "belongs",
];

/// Returns the work that the sentences of a text state.
pub(super) fn stated(lexicon: &Lexicon<'_>, text: &str) -> Vec<Stated> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let sentence = first_sentence(&text[start..]);
        let range = start..start + sentence.len();
        start = range.end;
        if !sentence.trim_end().ends_with('?') {
            found.extend(work_of(lexicon, text, range));
        }
        if sentence.is_empty() {
            break;
        }
    }
    found
}

/// Whether a clause says that something is not done.
fn is_denied(clause: &str) -> bool {
    let start = clause.split(',').next().unwrap_or(clause);
    let padded = format!(" {} ", start.to_lowercase().replace('\u{2019}', "'"));
    [" not ", "n't ", " nobody ", " never ", " nothing "].iter().any(|no| padded.contains(no))
}

fn work_of(lexicon: &Lexicon<'_>, text: &str, sentence: Range<usize>) -> Vec<Stated> {
    let whole = &text[sentence.clone()];
    let mut at = sentence.start + (whole.len() - whole.trim_start().len());
    // Reads past the clauses that say when, up to the one that says what.
    for _ in 0..3 {
        let clause = &text[at..sentence.end];
        if is_denied(clause) {
            return Vec::new();
        }
        if let Some(agent) = agent_of(lexicon, clause) {
            return clauses(lexicon, text, at, &sentence, agent);
        }
        let opening = OPENING.captures(clause);
        let Some(whole) = opening.as_ref().and_then(|opening| opening.get(0)) else { break };
        let next = opening.as_ref().and_then(|opening| opening.name("next"));
        at += next.map_or(whole.end(), |next| next.start());
    }
    Vec::new()
}

/// The joint before another piece of work: ", then", " and ", "; ".
static JOINT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:[,;]\s+(?P<then>and then|then|afterwards|after that)?\s*(?:and\s+)?|\s+(?P<arrow>->|\x{2192})\s*|\s+and (?P<next>then |afterwards )?)",
    )
});
/// Words after a verb that begin its object: "mark the line".
const OBJECTS: &[&str] = &[
    "the",
    "a",
    "an",
    "all",
    "each",
    "every",
    "it",
    "them",
    "its",
    "our",
    "their",
    "his",
    "her",
    "this",
    "these",
    "those",
    "one",
    "two",
    "three",
    "to",
    "for",
    "in",
    "into",
    "what",
    "that",
    "new",
    "everyone",
    "everybody",
    "from",
    "with",
    "up",
];

/// Divides a clause of work from the clauses after it: those in which someone else works, and those
/// that begin with another verb.
fn clauses(
    lexicon: &Lexicon<'_>,
    text: &str,
    start: usize,
    sentence: &Range<usize>,
    agent: Option<String>,
) -> Vec<Stated> {
    let stated = |clause: Range<usize>, agent, is_then| Stated {
        clause,
        sentence: sentence.clone(),
        agent,
        is_then,
    };
    let mut found = vec![stated(start..sentence.end, agent.clone(), false)];
    let mut depth_from = start;
    for joint in JOINT.captures_iter(&text[start..sentence.end]) {
        let Some(whole) = joint.get(0) else { continue };
        let (at, next) = (start + whole.start(), start + whole.end());
        let opened = text[depth_from..at].matches('(').count();
        let closed = text[depth_from..at].matches(')').count();
        if opened > closed {
            continue;
        }
        let rest = &text[next..sentence.end];
        let is_then = joint.name("then").or(joint.name("next")).or(joint.name("arrow")).is_some();
        let other = AGENT.captures(rest).filter(|found| {
            lexicon.is_agent(&found["name"]) && is_at_work(lexicon, &found["verb"], false)
        });
        let goes_on = || {
            let mut words = rest.split_whitespace();
            let verb = words.next().unwrap_or_default();
            let object = words.next().unwrap_or_default();
            let verb = verb.trim_matches(|c: char| !c.is_alphanumeric());
            let known = lexicon.kind_of_verb(verb).is_some()
                || verb.strip_suffix('s').is_some_and(|base| lexicon.kind_of_verb(base).is_some());
            let is_verb = verb.starts_with(char::is_lowercase) && !STATES.contains(&verb) && known;
            let has_object = OBJECTS.contains(&object.to_lowercase().as_str())
                || object.starts_with(|c: char| c.is_ascii_digit() || c == '#' || c == '`');
            is_verb && (has_object || is_then)
        };
        let is_writers = || {
            let from = OPENING.captures(rest).and_then(|found| found.name("next"));
            let clause = from.map_or(rest, |next| &rest[next.start()..]);
            WRITERS.is_match(clause) && agent_of(lexicon, clause).is_some()
        };
        let next_agent = match other {
            Some(found) => Some(Some(found["name"].trim_start_matches('@').to_owned())),
            None if goes_on() => Some(found.last().and_then(|last| last.agent.clone())),
            None if is_writers() => Some(None),
            None => None,
        };
        let Some(next_agent) = next_agent.filter(|_| !is_denied(rest)) else { continue };
        if let Some(last) = found.last_mut() {
            last.clause.end = at;
        }
        depth_from = next;
        found.push(stated(next..sentence.end, next_agent, is_then));
    }
    found
}

/// Returns who does the work that a clause states, if it states work; the inner value is absent if
/// the clause names no person.
fn agent_of(lexicon: &Lexicon<'_>, clause: &str) -> Option<Option<String>> {
    if starts_with_verb(lexicon, clause) || PROMISE.is_match(clause) {
        return Some(None);
    }
    if let Some(found) = AGENT.captures(clause) {
        let name = found["name"].trim_start_matches('@');
        let is_handle = found["name"].starts_with('@');
        let is_plural = !found["more"].is_empty();
        let is_duty = || {
            DUTY.is_match(clause)
                || is_promised(&found["verb"], clause, found.get(0).map_or(0, |found| found.end()))
        };
        if (is_handle || lexicon.is_agent(name))
            && (is_at_work(lexicon, &found["verb"], is_plural) || is_duty())
        {
            return Some(Some(name.to_owned()));
        }
    }
    let is_team =
        TEAM.captures(clause).is_some_and(|found| is_at_work(lexicon, &found["verb"], false));
    let are_writers = WRITERS.captures(clause).is_some_and(|found| {
        lexicon.kind_of_verb(&found["verb"]).is_some()
            || matches!(&found["verb"], "hold" | "decide" | "agree")
    });
    (is_team || are_writers || DUTY.is_match(clause)).then_some(None)
}

/// Whether a person "will" or "is to" do something.
fn is_promised(verb: &str, clause: &str, end: usize) -> bool {
    let next = clause[end..].split_whitespace().next().unwrap_or_default();
    let is_verb = next.chars().all(|c| c.is_lowercase() || c == '-') && next.len() > 1;
    verb == "will" && is_verb && !matches!(next, "be" | "have" | "not")
}

/// Whether a verb says that someone does something: "builds", or "build" of several people.
fn is_at_work(lexicon: &Lexicon<'_>, verb: &str, is_plural: bool) -> bool {
    if STATES.contains(&verb) {
        return false;
    }
    (verb.ends_with('s') && !verb.ends_with("ss"))
        || (is_plural && lexicon.kind_of_verb(verb).is_some())
        || (is_plural && matches!(verb, "go" | "meet" | "hold"))
}
