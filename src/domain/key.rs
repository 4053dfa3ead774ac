//! Keys that people type: `PAY` for a project, `PAY-42` for a task.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    #[error(
        "a project key is 2 to 10 capital letters or digits and begins with a letter, such as PAY; this is {0:?}"
    )]
    Project(String),
    #[error("a task key is a project key, a hyphen and a number, such as PAY-42; this is {0:?}")]
    Task(String),
}

/// Short name of a project, unique in the lake: 2 to 10 of `A-Z0-9`, starting with a letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectKey(String);

impl ProjectKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Suggests a key for a name: the initials of its words, else its first letters. Adds a digit
    /// until `taken` returns false.
    pub fn suggest(name: &str, taken: impl Fn(&ProjectKey) -> bool) -> Self {
        let words: Vec<String> = name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .map(|word| word.to_ascii_uppercase())
            .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
            .collect();
        let mut base: String = match words.as_slice() {
            [] => String::new(),
            [only] => only.chars().take(4).collect(),
            many => many.iter().filter_map(|word| word.chars().next()).take(4).collect(),
        };
        if base.len() < 2 {
            base = "PLAN".to_owned();
        }
        let mut key = Self(base.clone());
        let mut n = 2u32;
        while taken(&key) {
            key = Self(format!("{base}{n}"));
            n += 1;
        }
        key
    }
}

impl FromStr for ProjectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let valid = (2..=10).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError::Project(text.chars().take(40).collect()))
        }
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for ProjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Name of a task for people: the project's key and a number that counts up in the project and is
/// never reused.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    project: ProjectKey,
    number: u32,
}

impl TaskKey {
    pub fn new(project: ProjectKey, number: u32) -> Self {
        Self { project, number }
    }

    pub fn project(&self) -> &ProjectKey {
        &self.project
    }

    pub fn number(&self) -> u32 {
        self.number
    }
}

impl FromStr for TaskKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let err = || KeyError::Task(text.chars().take(40).collect());
        let (project, number) = text.rsplit_once('-').ok_or_else(err)?;
        let canonical = !number.starts_with(['0', '+']);
        let number = number.parse().ok().filter(|_| canonical).ok_or_else(err)?;
        Ok(Self { project: project.parse().map_err(|_| err())?, number })
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.project, self.number)
    }
}

impl Serialize for TaskKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_key_round_trips_and_nothing_else_passes() {
        let key: TaskKey = "PAY-42".parse().unwrap();
        assert_eq!((key.project().as_str(), key.number()), ("PAY", 42));
        assert_eq!(key.to_string(), "PAY-42");
        for wrong in [
            "",
            "PAY",
            "PAY-",
            "PAY-0",
            "PAY-042",
            "PAY-+1",
            "pay-42",
            "P-1",
            "PAY-4294967296",
            "-1",
            "PAY--1",
        ] {
            assert!(wrong.parse::<TaskKey>().is_err(), "{wrong:?} passed");
        }
    }

    #[test]
    fn a_suggested_key_is_valid_and_free() {
        let none = |_: &ProjectKey| false;
        assert_eq!(ProjectKey::suggest("Payments", none).as_str(), "PAYM");
        assert_eq!(ProjectKey::suggest("Lake house migration plan of 2026", none).as_str(), "LHMP");
        assert_eq!(ProjectKey::suggest("計画", none).as_str(), "PLAN");
        assert_eq!(ProjectKey::suggest("Payments", |key| key.as_str() == "PAYM").as_str(), "PAYM2");
    }
}
