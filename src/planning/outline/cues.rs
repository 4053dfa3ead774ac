//! Cue words: what a language calls goals, phases, durations and dependencies.
//!
//! The words are data in `cues/<language>.toml`. To add a language, add one
//! file and one line to [`LANGUAGES`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

pub(super) use super::vocabulary::{Attribute, Kind};
use super::vocabulary::{
    Attributes, Columns, DependencyWords, DurationWords, HeadingCues, Language, PriorityWords,
    Statements, StatusWords, Units,
};
use crate::domain::task::Priority;
use crate::planning::plan::SkipReason;

/// Every language the planner knows, in the order they are tried.
static LANGUAGES: LazyLock<Vec<Cues>> =
    LazyLock::new(|| vec![Cues::from_toml(include_str!("cues/en.toml"))]);

/// The words of one language.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cues {
    pub(super) language: Language,
    headings: HeadingCues,
    pub(super) units: Units,
    pub(super) attributes: Attributes,
    pub(super) columns: Columns,
    pub(super) status: StatusWords,
    priority: PriorityWords,
    pub(super) durations: DurationWords,
    pub(super) dependencies: DependencyWords,
    pub(super) statements: Statements,
    pub(super) kinds: Vec<Kind>,
    #[serde(skip)]
    kind_of_verb: BTreeMap<String, usize>,
    #[serde(skip)]
    kind_of_noun: BTreeMap<String, usize>,
    #[serde(skip)]
    patterns: Vec<HeadingPattern>,
    /// Every word of headings, verbs and nouns.
    #[serde(skip)]
    vocabulary: BTreeSet<String>,
}

/// What a heading says about the text below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadingRole {
    Skip(SkipReason),
    Work(Rank),
    /// Tells the order of work listed elsewhere.
    Order,
    /// Statements of what must be true of the task above.
    Criteria,
    /// Explains the task above.
    Detail,
    /// Lists the parts of the task above.
    Children,
}

/// How plainly a section is a plan. Stronger kinds silence weaker ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Nothing in the heading; the lists below must speak for themselves.
    Evidence,
    Feature,
    Scope,
    Plan,
}

#[derive(Debug)]
struct HeadingPattern {
    words: String,
    open_start: bool,
    open_end: bool,
    /// Names work itself, so the heading is a row.
    is_activity: bool,
    role: HeadingRole,
}

/// What is known of the language of a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum WrittenIn {
    Known(&'static Cues),
    /// Nothing tells it from this one, and little says that it is.
    Likely(&'static Cues),
    Unknown,
}

impl Cues {
    #[cfg(test)]
    pub(super) fn english() -> &'static Self {
        &LANGUAGES[0]
    }

    /// The language the text is written in.
    ///
    /// Decided by the share of function words and, because plans are terse, of
    /// the cue words themselves. A text too short to tell is taken for the first
    /// language unless it is written in another script.
    pub(super) fn of_text(text: &str) -> WrittenIn {
        const SAMPLE_WORDS: usize = 4000;
        const ENOUGH_WORDS: usize = 12;
        let words: Vec<String> = crate::text::stem::words(text)
            .filter(|word| !word.starts_with(char::is_numeric))
            .take(SAMPLE_WORDS)
            .collect();
        if words.len() < ENOUGH_WORDS {
            let latin = words.iter().filter(|word| word.is_ascii()).count();
            return if latin * 2 >= words.len() {
                WrittenIn::Known(&LANGUAGES[0])
            } else {
                WrittenIn::Unknown
            };
        }
        let share = |is_hit: &dyn Fn(&String) -> bool| {
            words.iter().filter(|word| is_hit(word)).count() as f64 / words.len() as f64
        };
        let known = LANGUAGES.iter().find(|cues| {
            let function = share(&|word| cues.language.function_words.binary_search(word).is_ok());
            let known = share(&|word| cues.vocabulary.contains(word));
            function >= 0.06 || (function >= 0.02 && known >= 0.2) || known >= 0.35
        });
        if let Some(cues) = known {
            return WrittenIn::Known(cues);
        }
        // A list of short tasks has hardly a function word. One of another language still has its own, or its letters.
        let is_foreign =
            |word: &&String| LANGUAGES[0].language.foreign_words.binary_search(word).is_ok();
        let foreign: BTreeSet<&String> = words.iter().filter(is_foreign).collect();
        let is_likely = foreign.len() < 2 && share(&|word| word.is_ascii()) >= 0.9;
        if is_likely { WrittenIn::Likely(&LANGUAGES[0]) } else { WrittenIn::Unknown }
    }

    /// No cue words at all: for a text in an unknown language.
    pub(super) fn none() -> &'static Self {
        static NONE: LazyLock<Cues> = LazyLock::new(|| Cues {
            kinds: vec![Kind {
                name: "other".to_owned(),
                task: [480, 720, 960],
                subtask: [30, 60, 120],
                ..Kind::default()
            }],
            ..Cues::default()
        });
        &NONE
    }

    fn from_toml(source: &str) -> Self {
        // The file is part of the program; a test parses it.
        let mut cues: Self = toml::from_str(source).unwrap_or_default();
        cues.language.function_words.sort();
        cues.language.foreign_words.sort();
        for (index, kind) in cues.kinds.iter().enumerate() {
            for verb in &kind.verbs {
                cues.kind_of_verb.entry(verb.clone()).or_insert(index);
            }
            for noun in &kind.nouns {
                cues.kind_of_noun.entry(noun.clone()).or_insert(index);
            }
        }
        cues.patterns = cues.headings.patterns();
        let heading_words =
            cues.patterns.iter().flat_map(|pattern| pattern.words.split(' ')).map(str::to_owned);
        cues.vocabulary = heading_words
            .chain(cues.kind_of_verb.keys().cloned())
            .chain(cues.kind_of_noun.keys().cloned())
            .collect();
        cues
    }

    /// What the heading says about its section; `inside_task` reads it as a part of a task first.
    pub(super) fn heading(&self, heading: &str, inside_task: bool) -> Option<HeadingRole> {
        let heading = normalised(heading);
        let is_part = |role: HeadingRole| {
            matches!(role, HeadingRole::Criteria | HeadingRole::Detail | HeadingRole::Children)
        };
        self.patterns
            .iter()
            .filter(|pattern| pattern.matches(&heading))
            .filter(|pattern| {
                inside_task || !matches!(pattern.role, HeadingRole::Detail | HeadingRole::Children)
            })
            .max_by_key(|pattern| {
                let exact = !pattern.open_start && !pattern.open_end;
                (
                    is_part(pattern.role) == inside_task && exact,
                    pattern.words.len(),
                    is_part(pattern.role) == inside_task,
                )
            })
            .map(|pattern| pattern.role)
    }

    pub(super) fn attribute(&self, label: &str) -> Option<Attribute> {
        let label = normalised(label);
        let lists = [
            (&self.attributes.estimate, Attribute::Estimate),
            (&self.attributes.depends, Attribute::Depends),
            (&self.attributes.blocks, Attribute::Blocks),
            (&self.attributes.priority, Attribute::Priority),
            (&self.attributes.owner, Attribute::Owner),
            (&self.attributes.status, Attribute::Status),
            (&self.attributes.due, Attribute::Due),
            (&self.attributes.start, Attribute::Start),
            (&self.attributes.dates, Attribute::Dates),
            (&self.attributes.week, Attribute::Week),
            (&self.attributes.acceptance, Attribute::Acceptance),
        ];
        lists.into_iter().find(|(words, _)| words.contains(&label)).map(|(_, attribute)| attribute)
    }

    pub(super) fn priority(&self, text: &str) -> Option<Priority> {
        let text = normalised(text);
        let first = text.split(' ').next().unwrap_or_default();
        let says = |words: &[String]| words.iter().any(|word| *word == text || word == first);
        let words = &self.priority;
        [
            (&words.critical, Priority::Critical),
            (&words.high, Priority::High),
            (&words.medium, Priority::Medium),
            (&words.low, Priority::Low),
        ]
        .into_iter()
        .find(|(words, _)| says(words))
        .map(|(_, priority)| priority)
    }

    /// Whether the text is word for word the heading of a known section.
    pub(super) fn is_exact(&self, heading: &str) -> bool {
        let heading = normalised(heading);
        self.patterns
            .iter()
            .any(|pattern| !pattern.open_start && !pattern.open_end && pattern.words == heading)
    }

    /// False for a text in an unknown language, which is read by its structure alone.
    pub(super) fn knows_words(&self) -> bool {
        !self.units.phase.is_empty()
    }

    /// Whether the heading only says that work follows ("Roadmap", "Tasks") and is none itself.
    pub(super) fn is_container(&self, heading: &str) -> bool {
        let outside = heading.split('(').next().unwrap_or(heading);
        let heading = normalised(outside);
        self.patterns.iter().any(|pattern| {
            let names_work = matches!(pattern.role, HeadingRole::Work(_) | HeadingRole::Children);
            names_work
                && !pattern.is_activity
                && !pattern.open_start
                && !pattern.open_end
                && pattern.words == heading
        })
    }

    /// "none", "n/a", "-": a field filled in to say there is nothing.
    pub(super) fn says_nothing(&self, text: &str) -> bool {
        let text = normalised(text);
        text.is_empty() || self.attributes.nothing.contains(&text)
    }

    /// Whether what follows the word belongs to the sentence: "to", "the", "under".
    pub(super) fn introduces(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let words = &self.durations;
        self.language.function_words.binary_search(&word).is_ok()
            || [&words.at_most, &words.at_least, &words.about]
                .into_iter()
                .flatten()
                .any(|phrase| phrase.split(' ').any(|part| part == word))
            || ["every", "after", "before", "until", "per"].contains(&word.as_str())
    }

    /// The kind of work whose verb this word is.
    pub(super) fn kind_of_verb(&self, word: &str) -> Option<&Kind> {
        self.kind_of_verb.get(&word.to_lowercase()).map(|index| &self.kinds[*index])
    }

    pub(super) fn kind_of_noun(&self, word: &str) -> Option<&Kind> {
        self.kind_of_noun.get(&word.to_lowercase()).map(|index| &self.kinds[*index])
    }

    pub(super) fn kind_named(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

impl DurationWords {
    /// Minutes of one unit; `inside_compound` also accepts the short words.
    pub(super) fn unit_minutes(
        &self,
        word: &str,
        day_minutes: u32,
        inside_compound: bool,
    ) -> Option<u32> {
        let units = [
            (&self.units.minutes, 1),
            (&self.units.hours, 60),
            (&self.units.days, day_minutes),
            (&self.units.weeks, 5 * day_minutes),
            (&self.units.sprints, 10 * day_minutes),
            (&self.units.months, 20 * day_minutes),
        ];
        units
            .into_iter()
            .find(|(words, _)| {
                words[0].iter().any(|w| w == word)
                    || (inside_compound && words[1].iter().any(|w| w == word))
            })
            .map(|(_, minutes)| minutes)
    }
}

impl HeadingCues {
    fn patterns(&self) -> Vec<HeadingPattern> {
        let skip = self.skip.iter().map(|(reason, list)| (HeadingRole::Skip(*reason), list));
        let work = [
            (HeadingRole::Work(Rank::Plan), &self.work.plan),
            (HeadingRole::Work(Rank::Scope), &self.work.scope),
            (HeadingRole::Work(Rank::Feature), &self.work.feature),
            (HeadingRole::Work(Rank::Feature), &self.work.activity),
            (HeadingRole::Order, &self.work.order),
            (HeadingRole::Criteria, &self.part.criteria),
            (HeadingRole::Detail, &self.part.detail),
            (HeadingRole::Children, &self.part.children),
        ];
        let mut patterns: Vec<HeadingPattern> = skip
            .chain(work)
            .flat_map(|(role, list)| {
                list.iter().map(move |pattern| HeadingPattern::new(pattern, role))
            })
            .collect();
        for pattern in &mut patterns {
            pattern.is_activity = self.work.activity.contains(&pattern.words);
        }
        patterns
    }
}

impl HeadingPattern {
    fn new(pattern: &str, role: HeadingRole) -> Self {
        Self {
            words: pattern.trim_matches(['*', ' ']).to_owned(),
            open_start: pattern.starts_with('*'),
            open_end: pattern.ends_with('*'),
            is_activity: false,
            role,
        }
    }

    fn matches(&self, heading: &str) -> bool {
        let words = self.words.as_str();
        match (self.open_start, self.open_end) {
            (false, false) => heading == words,
            (false, true) => heading.starts_with(words),
            (true, false) => heading
                .strip_suffix(words)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(' ')),
            (true, true) => heading.contains(words),
        }
    }
}

/// Lower case, words separated by single spaces, no leading numbering.
pub(super) fn normalised(text: &str) -> String {
    let words: Vec<String> = crate::text::stem::words(text).collect();
    let numbering = words.iter().take_while(|word| word.chars().all(char::is_numeric)).count();
    let start = if numbering == words.len() { 0 } else { numbering };
    words[start..].join(" ")
}

/// Compiles a pattern that is part of the program, not of the input.
pub(super) fn pattern(source: &str) -> Regex {
    Regex::new(source).unwrap_or_else(|error| unreachable!("a built-in pattern is valid: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cue_file_parses_and_has_no_unknown_section() {
        toml::from_str::<Cues>(include_str!("cues/en.toml")).unwrap();
        assert_eq!(Cues::english().language.name, "English");
    }

    #[test]
    fn headings_by_their_words() {
        let cues = Cues::english();
        let cases = [
            ("2. Goals and Non-Goals", HeadingRole::Skip(SkipReason::Goals)),
            ("Non-Goals (Out of Scope)", HeadingRole::Skip(SkipReason::NonGoals)),
            ("Key User Personas", HeadingRole::Skip(SkipReason::Personas)),
            ("Open Questions", HeadingRole::Skip(SkipReason::OpenQuestions)),
            ("Resource Requirements", HeadingRole::Skip(SkipReason::Resources)),
            ("Implementation History", HeadingRole::Skip(SkipReason::History)),
            ("Weekly Timeline (90 hours)", HeadingRole::Work(Rank::Plan)),
            ("Development Roadmap", HeadingRole::Work(Rank::Plan)),
            ("Deliverables", HeadingRole::Work(Rank::Scope)),
            ("Logical Dependency Chain", HeadingRole::Order),
            ("Phase 1 Success Criteria", HeadingRole::Criteria),
        ];
        for (heading, role) in cases {
            assert_eq!(cues.heading(heading, false), Some(role), "{heading}");
        }
        assert_eq!(cues.heading("Colour of the shed", false), None);
    }

    #[test]
    fn inside_a_task_the_same_words_name_its_parts() {
        let cues = Cues::english();
        assert_eq!(cues.heading("Description", true), Some(HeadingRole::Detail));
        assert_eq!(cues.heading("Tasks", true), Some(HeadingRole::Children));
        assert_eq!(cues.heading("Requirements", true), Some(HeadingRole::Criteria));
    }

    #[test]
    fn languages_are_told_apart() {
        let english =
            "The planner must read the text and list what is not work for the author of it.";
        let german = "Der Planer soll den Text lesen und alles auflisten, was keine Arbeit f\u{fc}r den Autor ist.";
        assert!(matches!(Cues::of_text(english), WrittenIn::Known(_)));
        assert!(matches!(Cues::of_text(german), WrittenIn::Unknown));
        assert!(matches!(Cues::of_text("\u{8ba1}\u{5212}"), WrittenIn::Unknown));
    }
}
