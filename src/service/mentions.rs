//! Finds where a person is still mentioned after their record is erased: in text by others, in the
//! inbox, and as an actor. It changes nothing; each mention comes with a remedy.

use std::collections::{BTreeSet, HashSet};

use futures::TryStreamExt;
use serde_json::Value;

use super::resolve::name_of;
use super::{Service, ServiceError};
use crate::databricks::catalog::literal;
use crate::domain::any_record::RecordKey;
use crate::domain::hint::Hint;
use crate::domain::record::Entity;
use crate::store::event_tables::{AGENT_LOGS, EventTable, INBOX_RESULTS, RUNS};
use crate::store::inbox::{Cell, Columns, Scanned, TextLimits};
use crate::store::row::{Row, Stream};
use crate::store::tables::TABLES;
use crate::store::{INBOX, LakeTables, Scope};

/// Maximum number of keys to show for one place.
const KEYS: usize = 20;
/// Columns that hold an actor.
const ACTORS: [&str; 3] = ["created_by", "updated_by", "deleted_by"];

/// The names of a person. They match whole words in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeSet<String>);

/// A place that mentions a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mention {
    pub table: &'static str,
    /// The columns, and which of their rows.
    pub place: &'static str,
    pub rows: usize,
    /// Names of the first rows.
    pub keys: Vec<String>,
    /// Actions and statements, or the reason why there is none.
    pub remedy: Vec<Hint>,
}

/// The inbox, as far as it is accessible.
pub struct InboxSeen<'a> {
    pub tables: &'a LakeTables,
    /// Reason why it is not accessible.
    pub error: Option<String>,
    /// Returns the text of an error for the user.
    pub describe: fn(&ServiceError) -> String,
    /// SQL names of the inbox and its results table.
    pub names: [String; 2],
}

impl Names {
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(
            names
                .into_iter()
                .map(|name| name.trim().trim_start_matches('@').to_lowercase())
                .filter(|name| !name.is_empty())
                .collect(),
        )
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let is_word = |char: char| char.is_alphanumeric() || char == '_';
        self.0.iter().any(|name| {
            text.match_indices(name.as_str()).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let after = text[at + name.len()..].chars().next();
                !before.is_some_and(is_word) && !after.is_some_and(is_word)
            })
        })
    }

    fn are_in_value(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.are_in(text),
            Value::Array(items) => items.iter().any(|item| self.are_in_value(item)),
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| self.are_in(name) || self.are_in_value(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Returns a Databricks SQL condition that a column contains one of the names.
    fn condition(&self, column: &str) -> String {
        let escaped = self.0.iter().map(|name| name.chars().map(escape).collect::<String>());
        let pattern = format!(
            "(?iu)(^|[^\\p{{L}}\\p{{N}}_])({})($|[^\\p{{L}}\\p{{N}}_])",
            escaped.collect::<Vec<_>>().join("|")
        );
        format!("{column} RLIKE {}", literal(&pattern))
    }
}

/// Escapes a character for a regular expression.
fn escape(char: char) -> String {
    if char.is_alphanumeric() || char == ' ' { char.to_string() } else { format!("\\{char}") }
}

impl Mention {
    fn new(table: &'static str, place: &'static str) -> Self {
        Self { table, place, ..Self::default() }
    }

    fn note(&mut self, key: impl FnOnce() -> String) {
        self.rows += 1;
        if self.keys.len() < KEYS {
            let key = key();
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
    }

    fn remedy(self, remedy: impl Into<Hint>) -> Self {
        Self { remedy: vec![remedy.into()], ..self }
    }
}

impl Service {
    /// Returns the places that mention a person, except their own record.
    pub async fn mentions(
        &self,
        own: RecordKey,
        names: &Names,
        inbox: InboxSeen<'_>,
    ) -> Result<Vec<Mention>, ServiceError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.in_records(own, names).await?;
        found.extend(self.in_journal(own, names).await?);
        found.extend(in_inbox(names, &inbox).await?);
        found.extend(in_appended(names, inbox.tables).await?);
        found.retain(|mention| mention.rows > 0);
        Ok(found)
    }

    async fn in_records(
        &self,
        own: RecordKey,
        names: &Names,
    ) -> Result<Vec<Mention>, ServiceError> {
        let state = self.state(&Scope::All).await?;
        let mut mentions = Vec::new();
        for table in TABLES {
            let mut texts = Mention::new(table.name, "texts");
            let mut actors = Mention::new(table.name, "created_by, updated_by, deleted_by");
            for record in state
                .records()
                .filter(|record| record.entity() == table.entity && record.record_key() != own)
            {
                let slot = record.record_key();
                let key = || name_of(&state, slot.entity, slot.id, slot.project);
                let holds =
                    |name: &str| record.get(name).is_some_and(|value| names.are_in_value(&value));
                let fields = slot.entity.fields().iter().map(|field| field.name);
                if fields.filter(|name| !ACTORS.contains(name)).any(holds) {
                    texts.note(key);
                }
                if ACTORS.iter().any(|name| holds(name)) {
                    actors.note(key);
                }
            }
            texts.keys.sort();
            actors.keys.sort();
            texts.remedy = of_texts(table.entity, &texts.keys);
            mentions.push(texts);
            mentions.push(actors.remedy("stays: it is the name of who did it"));
        }
        Ok(mentions)
    }

    async fn in_journal(
        &self,
        own: RecordKey,
        names: &Names,
    ) -> Result<Vec<Mention>, ServiceError> {
        let mut texts = Mention::new("journal", "before, after of other records");
        let mut reasons = Mention::new("journal", "reason");
        let mut actors = Mention::new("journal", "actor");
        let mut rows = self.store.changes(0, Stream::Work, &Scope::All).await?;
        while let Some(row) = rows.try_next().await? {
            let key = || format!("seq {}", row.seq);
            if (row.entity, row.entity_id) != (own.entity, own.id) && payload_names(&row, names) {
                texts.note(key);
            }
            if row.reason.as_deref().is_some_and(|reason| names.are_in(reason)) {
                reasons.note(key);
            }
            if names.are_in(&row.actor) {
                actors.note(key);
            }
        }
        Ok(vec![
            texts.remedy(Hint::EraseHistory),
            reasons.remedy("stays: the hash chain holds it"),
            actors.remedy("stays: it is the name of who did it"),
        ])
    }
}

fn payload_names(row: &Row, names: &Names) -> bool {
    let in_payload = |payload: &Option<String>| {
        let Some(text) = payload else { return false };
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(fields)) => fields
                .iter()
                .filter(|(name, _)| !ACTORS.contains(&name.as_str()))
                .any(|(_, value)| names.are_in_value(value)),
            _ => names.are_in(text),
        }
    };
    in_payload(&row.before) || in_payload(&row.after)
}

fn of_texts(entity: Entity, keys: &[String]) -> Vec<Hint> {
    let each = |remedy: fn(String) -> Hint| keys.iter().cloned().map(remedy).collect();
    match entity {
        Entity::Task => each(|key| Hint::EraseOrUpdateTask { key }),
        Entity::Project => each(|key| Hint::EraseOrUpdateProject { key }),
        Entity::User => each(|name| Hint::ReviewUser { name }),
        Entity::Requirement => vec![Hint::PlanChangedDescription],
        Entity::Lake | Entity::TaskLink | Entity::TaskRequirement | Entity::Sync(_) => {
            vec![Hint::ApplyPatch]
        }
    }
}

async fn in_inbox(names: &Names, seen: &InboxSeen<'_>) -> Result<Vec<Mention>, ServiceError> {
    let (tables, [inbox, results]) = (seen.tables, &seen.names);
    let mut answered = Mention::new(INBOX, "user, patch_set of answered rows");
    let mut waiting = Mention::new(INBOX, "user, patch_set of rows that wait");
    let mut unreadable = Mention::new(INBOX, "files that cannot be read");
    let mut answers = HashSet::new();
    let note_answer = |id: &str| {
        answers.insert(id.to_owned());
    };
    tables.answered(note_answer).await?;
    let opened = match &seen.error {
        Some(error) => Err(error.clone()),
        None => tables.open_inbox().await.map_err(|err| (seen.describe)(&err.into())),
    };
    let condition = format!("{} OR {}", names.condition("user"), names.condition("patch_set"));
    let look = format!("check it with: SELECT * FROM {inbox} WHERE {condition}");
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // An inaccessible inbox must not be mistaken for an empty one, and does not prevent the
            // erase.
            unreadable.note(|| error);
            return Ok(vec![unreadable.remedy(look)]);
        }
    };
    let mut scan = opened.scan(Columns::All, TextLimits::NONE);
    while let Some(scanned) = scan.next().await? {
        let (rows, patch_sets) = match scanned {
            Scanned::Rows(rows, patch_sets) => (rows, patch_sets),
            Scanned::Unreadable(err) => {
                unreadable.note(|| err.to_string());
                continue;
            }
        };
        let holds = |cell: &Cell| cell.text().is_some_and(|text| names.are_in(text));
        for (row, patch_set) in rows.iter().zip(&patch_sets) {
            if !holds(&row.user) && !holds(patch_set) && !holds(&row.request_id) {
                continue;
            }
            let id = row.request_id.text();
            let is_answered =
                id.is_some_and(|id| answers.contains(&id.chars().take(1000).collect::<String>()));
            let key = || id.unwrap_or("NULL").chars().take(60).collect();
            if is_answered { answered.note(key) } else { waiting.note(key) }
        }
    }
    let answer = format!("(SELECT request_id FROM {results})");
    Ok(vec![
        answered.remedy(format!(
            "UPDATE {inbox} SET user = '', patch_set = '' WHERE request_id IN {answer} AND ({condition}); then VACUUM {inbox}"
        )),
        waiting.remedy(Hint::ApplyOrDeleteRequests {
            statement: format!(
                "DELETE FROM {inbox} WHERE (request_id IS NULL OR request_id NOT IN {answer}) AND ({condition})"
            ),
        }),
        unreadable.remedy(look),
    ])
}

async fn in_appended(names: &Names, tables: &LakeTables) -> Result<Vec<Mention>, ServiceError> {
    const COLUMNS: [(&EventTable, &str); 6] = [
        (&INBOX_RESULTS, "message"),
        (&INBOX_RESULTS, "request_id"),
        (&AGENT_LOGS, "actor"),
        (&AGENT_LOGS, "source"),
        (&AGENT_LOGS, "skipped_parts"),
        (&RUNS, "actor"),
    ];
    let mut mentions = Vec::new();
    for (table, column) in COLUMNS {
        let mut mention = Mention::new(table.name, column);
        tables.texts(table, column, |text| mention.rows += usize::from(names.are_in(text))).await?;
        mentions.push(mention.remedy(format!(
            "stays until its rows expire, {} days after they were written",
            table.days
        )));
    }
    Ok(mentions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_whole_words_in_any_case() {
        let names = Names::new([
            "@ana".to_owned(),
            "Ana Souza".to_owned(),
            "ana.s@example.com".to_owned(),
            "Łukasz".to_owned(),
        ]);
        for text in [
            "ask ANA",
            "@ana",
            "(ana)",
            "ana's task",
            "mail Ana.S@Example.com now",
            "łukasz!",
            "x_ana ana",
        ] {
            assert!(names.are_in(text), "{text}");
        }
        for text in ["banana", "anabel", "x_ana", "", "łukaszek"] {
            assert!(!names.are_in(text), "{text}");
        }
        assert_eq!(
            Names::new(["o'b.c".to_owned()]).condition("user"),
            r"user RLIKE '(?iu)(^|[^\\p{L}\\p{N}_])(o\\\'b\\.c)($|[^\\p{L}\\p{N}_])'"
        );
    }
}
