//! Defines a current table as Delta describes it: the actions that create it, and those that add
//! and remove its files.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::BUCKET;
use super::columns::is_long;
use crate::domain::record::Entity;
use crate::domain::time::Instant;
use crate::domain::value::Kind;
use crate::store::delta_log::action::{Action, Add, CommitInfo};
use crate::store::delta_log::spec::Column;
use crate::store::delta_log::table::Table;
use crate::store::head::Head;
use crate::store::mark::{LakeMark, Mark};

/// Returns the columns of an entity's table, the partition column last.
pub fn columns(entity: Entity) -> Vec<Column> {
    let column = |name: &str, kind: Value, nullable: bool, doc: &str| Column {
        name: name.to_owned(),
        kind,
        nullable,
        doc: doc.trim().to_owned(),
    };
    let mut columns = vec![column("id", json!("string"), false, "The record's id (UUID).")];
    columns.extend(
        entity
            .fields()
            .iter()
            .map(|field| column(field.name, delta_type(field.kind), field.nullable, field.doc)),
    );
    columns.push(column(
        BUCKET,
        json!("integer"),
        false,
        "The bucket of the project, which determines the files of the row.",
    ));
    columns
}

/// Returns the sort columns of the rows in a bucket.
pub fn sort_columns(entity: Entity) -> impl Iterator<Item = &'static str> {
    entity.field("project_id").map(|field| field.name).into_iter().chain(["id"])
}

fn delta_type(kind: Kind) -> Value {
    match kind {
        Kind::Text { .. }
        | Kind::String { .. }
        | Kind::Enum(_)
        | Kind::Id(_)
        | Kind::Object { .. } => json!("string"),
        Kind::Integer { min, max } if is_long(min, max) => json!("long"),
        Kind::Integer { .. } => json!("integer"),
        Kind::Date => json!("date"),
        Kind::Instant => json!("timestamp"),
        Kind::StringList { .. } => {
            json!({"type": "array", "elementType": "string", "containsNull": false})
        }
    }
}

/// A position of the journal to which tables are folded.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    pub seq: u64,
    /// Commit time of the position.
    pub at: Instant,
    pub mark: Mark,
    pub lake: Option<LakeMark>,
}

impl Position {
    /// Returns the position of the journal's end.
    pub fn of(head: &Head) -> Self {
        Self { seq: head.seq, at: head.at, mark: Mark::of(head.seq, &head.chain), lake: head.lake }
    }
}

/// A file that a fold has written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewFile {
    pub path: String,
    pub size: usize,
    pub bucket: u32,
    pub rows: usize,
    /// The column with known bounds, and its lowest and highest value.
    pub key: &'static str,
    pub ids: (String, String),
}

/// Returns the action that adds the file.
pub fn add(file: &NewFile, at: Instant) -> Add {
    let stats = json!({
        "numRecords": file.rows,
        "minValues": {file.key: file.ids.0}, "maxValues": {file.key: file.ids.1}, "nullCount": {file.key: 0},
    });
    Add {
        data_change: true,
        modification_time: Some(at.timestamp_millis()),
        partition_values: [(BUCKET.to_owned(), Some(file.bucket.to_string()))].into(),
        path: file.path.clone(),
        size: file.size as i64,
        stats: Some(stats.to_string()),
        ..Add::default()
    }
}

/// App id whose transaction version is the mark of the journal position to which the table is
/// folded.
const MARK: &str = "lakeplan-chain";
/// App id whose transaction version is the mark of the table's lake.
const LAKE: &str = "lakeplan-lake";
/// App id whose transaction version is the [`fingerprint`] of the table's live files.
const SEAL: &str = "lakeplan-files";

/// Adds to a commit's actions the fingerprint of the files that are live after it. A commit of
/// another writer does not update the fingerprint and is thus noticed. `before` holds the files
/// that were live.
pub fn seal(actions: &mut Vec<Action>, before: Option<&Table>) {
    let mut live: BTreeMap<String, i64> = before
        .into_iter()
        .flat_map(|table| table.files.values())
        .map(|file| (file.path.clone(), file.size))
        .collect();
    for remove in actions.iter().filter_map(Action::as_remove) {
        live.remove(&remove.path);
    }
    live.extend(actions.iter().filter_map(Action::as_add).map(|add| (add.path.clone(), add.size)));
    let seal = fingerprint(live.iter().map(|(path, size)| (path.as_str(), *size)));
    actions.push(Action::txn(SEAL, seal));
}

/// Returns whether every live file was committed by Lakeplan. A table older than fingerprints is
/// checked by the names of its files.
pub fn is_sealed(table: &Table) -> bool {
    match table.txns.get(SEAL) {
        Some(seal) => {
            *seal == fingerprint(table.files.values().map(|file| (file.path.as_str(), file.size)))
        }
        None => table
            .files
            .keys()
            .all(|path| path.starts_with(&format!("{BUCKET}=")) && !path.contains("part-")),
    }
}

/// Hashes a set of files, given in the order of their paths.
fn fingerprint<'f>(files: impl Iterator<Item = (&'f str, i64)>) -> i64 {
    let mut hash = Sha256::new();
    for (path, size) in files {
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path.as_bytes());
        hash.update(size.to_be_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    // Positive, as transaction versions are.
    i64::from_be_bytes([a & 0x7f, b, c, d, e, f, g, h])
}

/// Returns the actions by which a commit that folds a table to a position states itself and the
/// position.
pub fn commit(operation: &str, to: &Position) -> Vec<Action> {
    let mut actions = vec![
        CommitInfo::new(operation, to.at).into(),
        Action::txn(super::TXN, to.seq as i64),
        Action::txn(MARK, to.mark.version()),
    ];
    actions.extend(to.lake.map(|lake| Action::txn(LAKE, lake.version())));
    actions
}

/// Returns the mark of the position at `seq` to which a table's transactions state it is folded.
/// `None` if a writer without marks folded it.
pub fn mark(txns: &BTreeMap<String, i64>, seq: u64) -> Option<Mark> {
    txns.get(MARK).and_then(|version| Mark::stated(*version, seq))
}

/// Returns the lake that a table states it belongs to.
pub fn lake(table: &Table) -> Option<LakeMark> {
    table.txns.get(LAKE).map(|version| LakeMark::stated(*version))
}
