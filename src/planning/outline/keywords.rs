//! Keywords: the words of a language for goals, phases, durations and dependencies.
//!
//! The words are data in `keywords/<language>.toml`. To add a language, add one file and one line
//! to [`LANGUAGES`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

pub(super) use super::keyword_schema::{Attribute, Kind};
use super::keyword_schema::{
    Attributes, Columns, DependencyWords, DurationWords, HeadingKeywords, Language, PriorityWords,
    Statements, StatusWords, Units,
};
use crate::domain::task::Priority;
use crate::planning::plan::SkipReason;

/// Languages that the planner knows, in the order they are tried.
static LANGUAGES: LazyLock<Vec<Keywords>> =
    LazyLock::new(|| vec![Keywords::from_toml(include_str!("keywords/en.toml"))]);

/// Keywords of one language.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(default)]
pub(super) struct Keywords {
    pub(super) language: Language,
    headings: HeadingKeywords,
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
    /// All words of headings, verbs and nouns.
    #[serde(skip)]
    vocabulary: BTreeSet<String>,
}

/// Role of a heading for the text below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadingRole {
    Skip(SkipReason),
    Work(Rank),
    /// States the order of work listed elsewhere.
    Order,
    /// States what must be true of the parent task.
    Criteria,
    /// Explains the parent task.
    Detail,
    /// Lists the subtasks of the parent task.
    Children,
}

/// How clearly a section is a plan. Stronger ranks suppress weaker ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Sentences that say who does what, in a text without other work.
    Prose,
    /// Any list, in a text without other work.
    List,
    /// No keyword in the heading; the lists below it decide.
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
    /// Whether the heading names work itself and is therefore a row.
    is_activity: bool,
    role: HeadingRole,
}

/// Detected language of a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum DetectedLanguage {
    Certain(&'static Keywords),
    /// No sign of another language, but little evidence for this one.
    Likely(&'static Keywords),
    Unknown,
}

impl Keywords {
    #[cfg(test)]
    pub(super) fn english() -> &'static Self {
        &LANGUAGES[0]
    }

    /// Detects the language of the text.
    ///
    /// The share of function words decides and, because plans are terse, the share of keywords. A
    /// text too short to tell counts as the first language unless it is in another script.
    pub(super) fn of_text(text: &str) -> DetectedLanguage {
        const SAMPLE_WORDS: usize = 4000;
        const ENOUGH_WORDS: usize = 12;
        let words: Vec<String> = crate::text::stem::words(text)
            .filter(|word| !word.starts_with(char::is_numeric))
            .take(SAMPLE_WORDS)
            .collect();
        if words.len() < ENOUGH_WORDS {
            let latin = words.iter().filter(|word| word.is_ascii()).count();
            return if latin * 2 >= words.len() {
                DetectedLanguage::Certain(&LANGUAGES[0])
            } else {
                DetectedLanguage::Unknown
            };
        }
        let share = |is_hit: &dyn Fn(&String) -> bool| {
            words.iter().filter(|word| is_hit(word)).count() as f64 / words.len() as f64
        };
        let known = LANGUAGES.iter().find(|keywords| {
            let function =
                share(&|word| keywords.language.function_words.binary_search(word).is_ok());
            let known = share(&|word| keywords.vocabulary.contains(word));
            function >= 0.06 || (function >= 0.02 && known >= 0.2) || known >= 0.35
        });
        if let Some(keywords) = known {
            return DetectedLanguage::Certain(keywords);
        }
        // A list of short tasks has few function words. In another language it still has that
        // language's words or letters.
        let is_foreign =
            |word: &&String| LANGUAGES[0].language.foreign_words.binary_search(word).is_ok();
        let foreign: BTreeSet<&String> = words.iter().filter(is_foreign).collect();
        let is_likely = foreign.len() < 2 && share(&|word| word.is_ascii()) >= 0.9;
        if is_likely { DetectedLanguage::Likely(&LANGUAGES[0]) } else { DetectedLanguage::Unknown }
    }

    /// Returns an empty set of keywords, for a text in an unknown language.
    pub(super) fn none() -> &'static Self {
        static NONE: LazyLock<Keywords> = LazyLock::new(|| {
            let kind = Kind {
                name: "other".to_owned(),
                task: [480, 720, 960],
                subtask: [30, 60, 120],
                ..Kind::default()
            };
            let other = Keywords::from_toml(include_str!("keywords/other.toml"));
            Keywords { kinds: vec![kind], ..other }
        });
        &NONE
    }

    fn from_toml(source: &str) -> Self {
        // The file is compiled into the program, and a test parses it.
        let mut keywords: Self = toml::from_str(source).unwrap_or_default();
        keywords.language.function_words.sort();
        keywords.language.foreign_words.sort();
        for (index, kind) in keywords.kinds.iter().enumerate() {
            for verb in &kind.verbs {
                keywords.kind_of_verb.entry(verb.clone()).or_insert(index);
            }
            for noun in &kind.nouns {
                keywords.kind_of_noun.entry(noun.clone()).or_insert(index);
            }
        }
        keywords.patterns = keywords.headings.patterns();
        let heading_words = keywords
            .patterns
            .iter()
            .flat_map(|pattern| pattern.words.split(' '))
            .map(str::to_owned);
        keywords.vocabulary = heading_words
            .chain(keywords.kind_of_verb.keys().cloned())
            .chain(keywords.kind_of_noun.keys().cloned())
            .collect();
        keywords
    }

    /// Returns the role of the heading; `inside_task` prefers roles of a task's parts.
    pub(super) fn heading(&self, heading: &str, inside_task: bool) -> Option<HeadingRole> {
        let heading = normalized(heading);
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
        let label = normalized(label);
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
        let text = normalized(text);
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

    /// Whether the text is exactly the heading of a known section.
    pub(super) fn is_exact(&self, heading: &str) -> bool {
        let heading = normalized(heading);
        self.patterns
            .iter()
            .any(|pattern| !pattern.open_start && !pattern.open_end && pattern.words == heading)
    }

    /// Whether any keywords exist. False for an unknown language, whose text is read by structure
    /// alone.
    pub(super) fn knows_words(&self) -> bool {
        !self.language.name.is_empty()
    }

    /// Whether the heading only introduces work ("Roadmap", "Tasks") and is not work itself.
    pub(super) fn is_container(&self, heading: &str) -> bool {
        let outside = heading.split('(').next().unwrap_or(heading);
        let words = normalized(outside);
        // "Table 3.1c: List of milestones"
        let heading = words.rsplit_once("list of ").map_or(words.as_str(), |(_, listed)| listed);
        self.patterns.iter().any(|pattern| {
            let names_work = matches!(pattern.role, HeadingRole::Work(_) | HeadingRole::Children);
            names_work
                && !pattern.is_activity
                && !pattern.open_start
                && !pattern.open_end
                && pattern.words == heading
        })
    }

    /// Whether a field states that it has no value: "none", "n/a", "-".
    pub(super) fn is_empty_value(&self, text: &str) -> bool {
        let text = normalized(text);
        text.is_empty() || self.attributes.nothing.contains(&text)
    }

    /// Whether the word makes the text after it part of the sentence: "to", "the", "under".
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

    /// Returns the kind of work with this verb.
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
    /// Returns the minutes of one unit; `inside_compound` also accepts short words.
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

impl HeadingKeywords {
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

/// Returns the text in lower case, with single spaces and without leading numbering.
pub(super) fn normalized(text: &str) -> String {
    let words: Vec<String> = crate::text::stem::words(text).collect();
    let numbering = words.iter().take_while(|word| word.chars().all(char::is_numeric)).count();
    let start = if numbering == words.len() { 0 } else { numbering };
    words[start..].join(" ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_cue_file_parses_and_has_no_unknown_section() {
        toml::from_str::<Keywords>(include_str!("keywords/other.toml")).unwrap();
        toml::from_str::<Keywords>(include_str!("keywords/en.toml")).unwrap();
        assert_eq!(Keywords::english().language.name, "English");
    }

    #[rstest]
    #[case::goals("2. Goals and Non-Goals", Some(HeadingRole::Skip(SkipReason::Goals)))]
    #[case::non_goals("Non-Goals (Out of Scope)", Some(HeadingRole::Skip(SkipReason::NonGoals)))]
    #[case::personas("Key User Personas", Some(HeadingRole::Skip(SkipReason::Personas)))]
    #[case::open_questions("Open Questions", Some(HeadingRole::Skip(SkipReason::OpenQuestions)))]
    #[case::resources("Resource Requirements", Some(HeadingRole::Skip(SkipReason::Resources)))]
    #[case::history("Implementation History", Some(HeadingRole::Skip(SkipReason::History)))]
    #[case::timeline("Weekly Timeline (90 hours)", Some(HeadingRole::Work(Rank::Plan)))]
    #[case::roadmap("Development Roadmap", Some(HeadingRole::Work(Rank::Plan)))]
    #[case::deliverables("Deliverables", Some(HeadingRole::Work(Rank::Scope)))]
    #[case::order("Logical Dependency Chain", Some(HeadingRole::Order))]
    #[case::criteria("Phase 1 Success Criteria", Some(HeadingRole::Criteria))]
    #[case::none("Colour of the shed", None)]
    fn headings_by_their_words(#[case] heading: &str, #[case] role: Option<HeadingRole>) {
        let keywords = Keywords::english();
        assert_eq!(keywords.heading(heading, false), role);
    }

    #[test]
    fn inside_a_task_the_same_words_name_its_parts() {
        let keywords = Keywords::english();
        assert_eq!(keywords.heading("Description", true), Some(HeadingRole::Detail));
        assert_eq!(keywords.heading("Tasks", true), Some(HeadingRole::Children));
        assert_eq!(keywords.heading("Requirements", true), Some(HeadingRole::Criteria));
    }

    #[test]
    fn languages_are_distinguished() {
        let english =
            "The planner must read the text and list what is not work for the author of it.";
        let german = "Der Planer soll den Text lesen und alles auflisten, was keine Arbeit f\u{fc}r den Autor ist.";
        assert!(matches!(Keywords::of_text(english), DetectedLanguage::Certain(_)));
        assert!(matches!(Keywords::of_text(german), DetectedLanguage::Unknown));
        assert!(matches!(Keywords::of_text("\u{8ba1}\u{5212}"), DetectedLanguage::Unknown));
    }
}
