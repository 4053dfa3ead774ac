//! The check-up: reads the whole lake without changing it and says everything that is not as it should be.
//!
//! The journal is read in order: every entry of its log is there, every row's digest and every set's chain verify, no
//! seq is missing. Then it is replayed, and each current table is compared with what the journal says it should hold.
//!
//! Of an erased row the digest cannot be computed; it counts as sound where an erase names it, whose own digest verifies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::Value;

use super::erasure::{Erasures, unnamed};
use super::error::StoreError;
use super::format::Format;
use super::journal::files::Files;
use super::ledger::Ledger;
use super::row::{Hash, Row, hex, next_chain};
use super::scope::Scope;
use super::table_log::TableLog;
use super::tables::{TABLES, field_changes, read};
use crate::domain::any::AnyRecord;
use crate::domain::record::Entity;
use crate::domain::state::State;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub what: String,
    pub way_out: &'static str,
}

/// What a check-up saw.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    pub sets: u64,
    pub rows: usize,
    /// The chain after the last set.
    pub chain: Hash,
    /// Each current table with its rows and the seq it is folded to.
    pub tables: Vec<(&'static str, usize, u64)>,
    pub findings: Vec<Finding>,
}

const RESTORE: &str = "bring the lake back from a backup, or the object's earlier version from the storage";
const ERASE: &str = "lakeplan erase finishes it: name the record by its id, which lakeplan history --json shows";
const REFOLD: &str = "remove the table's folder; lakeplan fold builds it anew from the journal";

impl Checkup {
    fn find(&mut self, place: impl Into<String>, what: impl Into<String>, way_out: &'static str) {
        self.findings.push(Finding { place: place.into(), what: what.into(), way_out });
    }
}

/// A position and the chain that stood there, as an earlier check-up printed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub seq: u64,
    pub chain: Hash,
}

/// Examines the lake at `root`.
pub async fn examine(
    root: &Arc<dyn ObjectStore>,
    name: &str,
    format: &Format,
    anchor: Option<Anchor>,
) -> Result<Checkup, StoreError> {
    let mut checkup = Checkup::default();
    let mut files = Files::new(Arc::clone(root));
    check_log(&mut checkup, &files.log, root).await?;
    match files.load().await {
        Ok(Some(_)) => {}
        Ok(None) => return Err(StoreError::NotALake { root: name.to_owned() }),
        Err(fault) => {
            checkup.find("journal/_delta_log", told(&fault), RESTORE);
            return Ok(checkup);
        }
    }
    let mut rows = Vec::new();
    for file in files.live() {
        match files.read_rows(file, 0).await {
            Ok(found) if found.len() == file.rows => rows.extend(found),
            Ok(found) => {
                let what = format!("it holds {} rows, the log says {}", found.len(), file.rows);
                checkup.find(format!("journal/{}", file.path), what, RESTORE);
                rows.extend(found);
            }
            Err(fault) => checkup.find(format!("journal/{}", file.path), told(&fault), RESTORE),
        }
    }
    rows.sort_by_key(|row| (row.seq, row.ordinal));
    let erasures = erasures(&mut checkup, &rows);
    check_chain(&mut checkup, &rows, &erasures, anchor);
    let journal_is_sound = checkup.findings.is_empty();
    let folded = folded(root, files.folded, &mut checkup).await?;
    for (name, _, seq) in checkup.tables.clone() {
        if seq > checkup.sets {
            let what = format!("it is folded to seq {seq}, and the journal ends at {}: the journal lost its end", checkup.sets);
            checkup.find(name, what, RESTORE);
        }
    }
    let wanted: BTreeSet<u64> = folded.iter().map(|(_, _, seq)| *seq).collect();
    // A row that lost its payload to no erase is told of already; nothing after it can be replayed.
    let states = match erasures.restore(&mut rows) {
        None => replay(&mut checkup, &rows, name, format, &wanted),
        Some(_) => None,
    };
    if let Some(states) = states {
        for (entity, records, seq) in folded {
            if let Some(state) = states.get(&seq) {
                compare(&mut checkup, entity, &records, state);
            }
        }
    }
    if !journal_is_sound {
        // The tables may be all that is left of what the journal lost.
        for finding in checkup.findings.iter_mut().filter(|finding| finding.way_out == REFOLD) {
            finding.way_out = "mend the journal first; until then keep the table as it is";
        }
    }
    Ok(checkup)
}

/// Every entry of the log between the first and the last that are there.
async fn check_log(checkup: &mut Checkup, log: &TableLog, root: &Arc<dyn ObjectStore>) -> Result<(), StoreError> {
    let place = format!("{}/_delta_log", log.folder());
    let listed = root.list(Some(&Path::from(place.as_str())));
    let names: Vec<String> = listed
        .map_ok(|meta| meta.location.filename().unwrap_or_default().to_owned())
        .try_collect()
        .await
        .map_err(|fault| StoreError::storage("listing", place.clone(), fault))?;
    let versions: BTreeSet<u64> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .filter(|name| name.len() == 20)
        .filter_map(|name| name.parse().ok())
        .collect();
    let checkpoint =
        names.iter().filter(|name| name.contains(".checkpoint")).filter_map(|name| name.get(..20)?.parse::<u64>().ok()).max();
    let (Some(first), Some(last)) = (versions.first().copied(), versions.last().copied()) else { return Ok(()) };
    // What lies behind a checkpoint may have been cleaned up, in whatever order.
    let from = checkpoint.map_or(first, |checkpoint| first.max(checkpoint + 1));
    let missing: Vec<u64> = (from..=last).filter(|version| !versions.contains(version)).collect();
    if first > 0 && checkpoint.is_none_or(|checkpoint| checkpoint + 1 < first) {
        checkup.find(format!("{place}/{:020}.json", first - 1), "the entry is missing, and no checkpoint stands for it", RESTORE);
    }
    for version in missing {
        checkup.find(format!("{place}/{version:020}.json"), "the entry is missing", RESTORE);
    }
    Ok(())
}

/// What the erases name. One that was changed names nothing.
fn erasures(checkup: &mut Checkup, rows: &[Row]) -> Erasures {
    Erasures::of(rows.iter().filter(|row| row.compute_digest() == row.digest)).unwrap_or_else(|fault| {
        checkup.find("journal", told(&fault), RESTORE);
        Erasures::default()
    })
}

/// What is wrong with a row by itself.
fn fault_of(row: &Row, erasures: &Erasures) -> Option<(String, &'static str)> {
    let place = (row.seq, row.ordinal);
    let is_bare = row.before.is_none() && row.after.is_none() && row.request_hash.is_none();
    match (row.is_erased(), erasures.names(place)) {
        (true, true) if is_bare => None,
        (true, true) => Some(("an erase names it, and it has a payload that is not its own".to_owned(), RESTORE)),
        (true, false) => match unnamed(place) {
            StoreError::Damaged { what, .. } => Some((what, RESTORE)),
            other => Some((told(&other), RESTORE)),
        },
        (false, _) if row.compute_digest() != row.digest => {
            Some(("its digest does not fit what it says: it was changed".to_owned(), RESTORE))
        }
        (false, true) => Some(("an erase names it, and its payload is still there".to_owned(), ERASE)),
        (false, false) => None,
    }
}

fn check_chain(checkup: &mut Checkup, rows: &[Row], erasures: &Erasures, anchor: Option<Anchor>) {
    let mut chain: Hash = [0; 32];
    let mut expected = 1;
    for set in rows.chunk_by(|a, b| a.seq == b.seq) {
        let seq = set[0].seq;
        if seq != expected {
            checkup.find(format!("journal, seq {expected}"), format!("it is missing; the next set is seq {seq}"), RESTORE);
        }
        expected = seq + 1;
        for (ordinal, row) in set.iter().enumerate() {
            if row.ordinal as usize != ordinal {
                checkup.find(format!("journal, row {seq}.{ordinal}"), "it is missing", RESTORE);
                break;
            }
            if let Some((what, way_out)) = fault_of(row, erasures) {
                checkup.find(format!("journal, row {seq}.{ordinal}"), what, way_out);
            }
        }
        chain = next_chain(chain, set.iter().map(|row| row.digest));
        if set.last().and_then(|row| row.chain) != Some(chain) {
            checkup.find(
                format!("journal, seq {seq}"),
                "the hash chain breaks here: a set before it was changed, or it was",
                RESTORE,
            );
            chain = set.last().and_then(|row| row.chain).unwrap_or(chain);
        }
        if let Some(anchor) = anchor.filter(|anchor| anchor.seq == seq && anchor.chain != chain) {
            let what = format!(
                "the chain is {}, the anchor says {}: the history up to here was rewritten",
                hex(&chain),
                hex(&anchor.chain)
            );
            checkup.find(format!("journal, seq {seq}"), what, RESTORE);
        }
        checkup.sets = seq;
    }
    if let Some(anchor) = anchor.filter(|anchor| anchor.seq >= expected) {
        checkup.find(
            format!("journal, seq {}", anchor.seq),
            format!("the anchor is of a set that is not there; the last is {}", expected - 1),
            RESTORE,
        );
    }
    checkup.rows = rows.len();
    checkup.chain = chain;
}

/// The records of each current table, and the seq to which it is folded.
async fn folded(
    root: &Arc<dyn ObjectStore>,
    known: u64,
    checkup: &mut Checkup,
) -> Result<Vec<(Entity, Vec<AnyRecord>, u64)>, StoreError> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for table in TABLES {
        match read::one(root, table, &Scope::All).await {
            Ok(Some(contents)) => {
                let seq = contents.seq.max(known);
                checkup.tables.push((table.name, contents.records.len(), seq));
                found.push((table.entity, contents.records, seq));
            }
            Ok(None) => missing.push(table.name),
            Err(fault) => checkup.find(table.name, told(&fault), REFOLD),
        }
    }
    match read::load(&TableLog::new(Arc::clone(root), field_changes::NAME)).await {
        Ok(Some(_)) => {}
        Ok(None) => missing.push(field_changes::NAME),
        Err(fault) => checkup.find(field_changes::NAME, told(&fault), REFOLD),
    }
    // Before the first fold there are none.
    if !found.is_empty() || known > 0 {
        for name in missing {
            checkup.find(name, "the table is missing", REFOLD);
        }
    }
    Ok(found)
}

/// The states at the wanted positions; `None` where the journal cannot be replayed.
fn replay(
    checkup: &mut Checkup,
    rows: &[Row],
    name: &str,
    format: &Format,
    wanted: &BTreeSet<u64>,
) -> Option<BTreeMap<u64, State>> {
    let mut ledger = Ledger::new(format.clone(), name);
    let mut states = BTreeMap::new();
    for set in rows.chunk_by(|a, b| a.seq == b.seq) {
        if let Err(fault) = ledger.replay(set) {
            checkup.find(format!("journal, seq {}", set[0].seq), told(&fault), RESTORE);
            return None;
        }
        if wanted.contains(&ledger.seq) {
            states.insert(ledger.seq, ledger.state.clone());
        }
    }
    Some(states)
}

fn compare(checkup: &mut Checkup, entity: Entity, records: &[AnyRecord], state: &State) {
    let table = TABLES.iter().find(|table| table.entity == entity).map_or("", |table| table.name);
    let mut wanted: BTreeMap<_, AnyRecord> =
        state.records().filter(|record| record.entity() == entity).map(|record| (record.id(), record)).collect();
    for record in records {
        match wanted.remove(&record.id()) {
            None => checkup.find(table, format!("the row {} is not in the journal, or is there twice", record.id()), REFOLD),
            Some(known) if known != *record => {
                let (journal, found) = record.touched(&known);
                let what =
                    format!("the row {} says {}, the journal {}", record.id(), Value::Object(found), Value::Object(journal));
                checkup.find(table, what, REFOLD);
            }
            Some(_) => {}
        }
    }
    for id in wanted.keys() {
        checkup.find(table, format!("the row {id} is missing"), REFOLD);
    }
}

/// An error with what caused it.
fn told(fault: &StoreError) -> String {
    match std::error::Error::source(fault) {
        Some(cause) => format!("{fault}: {cause}"),
        None => fault.to_string(),
    }
}
