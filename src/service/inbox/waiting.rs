//! Selects the requests of a run: which rows wait, whose turn it is, and what they request.
//!
//! A row waits if its request_id has no response; a row dated in the future gets no turn before
//! that time. Of several rows with one request_id, the first is the request, by time, then user,
//! then patch set; the others are never applied. The table is read part by part and only the rows
//! of the run are kept, so neither memory nor the time to apply a run grows with the number of
//! waiting rows.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::request::{MAX_PATCH_SET_BYTES, Written, is_ahead, key, plain};
use super::turn::{Candidate, Order, Turns};
use crate::domain::time::Instant;
use crate::store::inbox::{
    Cell, Columns, Inbox, InboxRow, RowPosition, Scanned, TextLimits, possible,
};
use crate::store::{LakeTables, StoreError};

/// Maximum number of patch set bytes in a run.
const BYTES: usize = 64 << 20;
/// Maximum number of other rows of one request_id to read.
const OTHERS: usize = 8;
/// Maximum number of rows without a request_id to describe.
const DESCRIBED: usize = 20;

/// Requests of a run.
#[derive(Debug, Default)]
pub struct Waiting {
    pub requests: Vec<InboxRequest>,
    /// Number of rows that wait for the next run.
    pub left: usize,
    /// Number of those that are dated in the future.
    pub ahead: usize,
    /// Number of rows without a request_id; `described` lists the first of them.
    pub without_id: usize,
    pub described: Vec<String>,
    /// Files that cannot be read.
    pub unreadable: Vec<String>,
    /// Files of the results table at the time of the run.
    pub seen: BTreeSet<String>,
}

/// The rows of one request_id, in order.
#[derive(Debug)]
pub struct InboxRequest {
    pub key: String,
    pub order: Order,
    pub rows: Vec<Written>,
    /// Number of rows with the id besides the first.
    pub others: usize,
}

/// A selected request, before its patch sets are read.
struct Chosen {
    rows: BTreeMap<Order, Candidate>,
    count: usize,
}

impl Chosen {
    fn new() -> Self {
        Self { rows: BTreeMap::new(), count: 0 }
    }

    /// Adds a row of the id; only the first ones are kept.
    fn add(&mut self, candidate: Candidate) {
        self.count += 1;
        self.rows.insert(candidate.order.clone(), candidate);
        if self.rows.len() > 1 + OTHERS {
            self.rows.pop_last();
        }
    }

    fn first(&self) -> Option<&Candidate> {
        self.rows.values().next()
    }
}

type Hash = [u8; 16];

fn hash(key: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&Sha256::digest(key)[..16]);
    hash
}

/// Returns at most `most` requests whose turn it is.
pub async fn gather(tables: &LakeTables, most: usize, now: Instant) -> Result<Waiting, StoreError> {
    let inbox = tables.open_inbox().await?;
    let mut waiting = Waiting::default();
    let answered = answered(tables, &mut waiting.seen).await?;
    let mut turns = Turns::new(most);
    let mut scan = inbox.scan(Columns::Light, TextLimits::OF_REQUESTS);
    let mut rows = 0;
    while let Some(scanned) = scan.next().await? {
        match scanned {
            Scanned::Unreadable(err) => waiting.unreadable.push(err.to_string()),
            Scanned::Rows(found, _) => {
                for row in found {
                    match key(&row) {
                        None => waiting.note_without_id(&row),
                        Some(key) if answered.contains(&hash(&key)) => {}
                        Some(_) if is_ahead(&row, now) => waiting.ahead += 1,
                        Some(key) => {
                            rows += 1;
                            turns.offer(candidate(key, row));
                        }
                    }
                }
            }
        }
    }
    drop(answered);
    let (chosen, left) = choose(&inbox, turns, rows, now).await?;
    waiting.left = left + waiting.ahead;
    load(&inbox, chosen, &mut waiting).await?;
    Ok(waiting)
}

/// Number of waiting requests. Unreadable files are not counted.
pub async fn count(tables: &LakeTables) -> Result<usize, StoreError> {
    let inbox = tables.open_inbox().await?;
    let (answered, mut waiting) = (answered(tables, &mut BTreeSet::new()).await?, HashSet::new());
    let mut scan = inbox.scan(Columns::Light, TextLimits::OF_REQUESTS);
    while let Some(scanned) = scan.next().await? {
        if let Scanned::Rows(found, _) = scanned {
            waiting.extend(
                found
                    .iter()
                    .filter_map(key)
                    .map(|key| hash(&key))
                    .filter(|key| !answered.contains(key)),
            );
        }
    }
    Ok(waiting.len())
}

/// Returns the requests with a response in files that are not in `seen`, and adds those files to
/// it.
async fn answered(
    tables: &LakeTables,
    seen: &mut BTreeSet<String>,
) -> Result<HashSet<Hash>, StoreError> {
    let mut answered: HashSet<Hash> = HashSet::new();
    let note = |id: &str| {
        answered.insert(hash(&key_of(id)));
    };
    tables.answered_since(seen, note).await?;
    Ok(answered)
}

fn key_of(id: &str) -> String {
    let row = InboxRow {
        place: RowPosition { file: 0, group: 0, row: 0 },
        request_id: Cell::Text(id.to_owned()),
        at: Cell::Null,
        user: Cell::Null,
    };
    key(&row).unwrap_or_default()
}

fn candidate(key: String, row: InboxRow) -> Candidate {
    let at = row.at.micros().filter(|micros| possible(*micros).is_some());
    let user = row.user.text().map(|user| user.chars().take(256).collect());
    let order = Order {
        has_no_time: at.is_none(),
        at: at.unwrap_or_default(),
        has_no_user: user.is_none(),
        user: user.unwrap_or_default(),
        place: row.place,
    };
    Candidate { key, order, row }
}

/// Returns the requests of the run in turn, each with the first rows of its id, and the number of
/// other waiting rows.
async fn choose(
    inbox: &Arc<Inbox>,
    mut turns: Turns,
    rows: usize,
    now: Instant,
) -> Result<(Vec<Chosen>, usize), StoreError> {
    let mut of_key: BTreeMap<String, Chosen> = BTreeMap::new();
    let has_all = turns.has_all();
    if has_all {
        for candidate in turns.all() {
            of_key.entry(candidate.key.clone()).or_insert_with(Chosen::new).add(candidate.clone());
        }
        let is_first = |candidate: &Candidate| {
            of_key
                .get(&candidate.key)
                .and_then(Chosen::first)
                .is_some_and(|first| first.order == candidate.order)
        };
        turns.retain(is_first);
    }
    let requests = of_key.len();
    let mut seen = HashSet::new();
    let in_turn: Vec<String> = turns
        .finish()
        .into_iter()
        .map(|candidate| candidate.key)
        .filter(|key| seen.insert(key.clone()))
        .collect();
    if has_all {
        let chosen: Vec<Chosen> = in_turn.iter().filter_map(|key| of_key.remove(key)).collect();
        let left = requests - chosen.len();
        return Ok((chosen, left));
    }
    // Rows of the same ids may have been dropped, so the table is scanned again.
    of_key.extend(in_turn.iter().map(|key| (key.clone(), Chosen::new())));
    let mut scan = inbox.scan(Columns::Light, TextLimits::OF_REQUESTS);
    while let Some(scanned) = scan.next().await? {
        let Scanned::Rows(found, _) = scanned else { continue };
        for row in found.into_iter().filter(|row| !is_ahead(row, now)) {
            let Some(key) = key(&row) else { continue };
            if let Some(chosen) = of_key.get_mut(&key) {
                chosen.add(candidate(key, row));
            }
        }
    }
    let chosen: Vec<Chosen> = in_turn
        .iter()
        .filter_map(|key| of_key.remove(key))
        .filter(|chosen| chosen.count > 0)
        .collect();
    let taken: usize = chosen.iter().map(|chosen| chosen.count).sum();
    Ok((chosen, rows.saturating_sub(taken)))
}

/// Reads the patch sets of the chosen requests, as many as fit into a run. If they are too large
/// together, the requests whose turn comes last wait; after a user's first waiting request, all of
/// that user's later ones wait too.
async fn load(
    inbox: &Arc<Inbox>,
    chosen: Vec<Chosen>,
    waiting: &mut Waiting,
) -> Result<(), StoreError> {
    let turn_of: BTreeMap<RowPosition, usize> = (chosen.iter().enumerate())
        .flat_map(|(turn, chosen)| {
            chosen.rows.values().map(move |candidate| (candidate.row.place, turn))
        })
        .collect();
    let places: BTreeSet<RowPosition> = turn_of.keys().copied().collect();
    let mut read: BTreeMap<(usize, RowPosition), Cell> = BTreeMap::new();
    let mut late: BTreeSet<usize> = BTreeSet::new();
    let mut bytes = 0;
    let unreadable = &mut waiting.unreadable;
    let take = |place: RowPosition, cell: Result<Cell, StoreError>| {
        let turn = turn_of[&place];
        match cell {
            Err(err) => unreadable.push(err.to_string()),
            Ok(_) if late.contains(&turn) => {}
            Ok(cell) => {
                bytes += size(&cell);
                read.insert((turn, place), cell);
                while bytes > BYTES
                    && let Some(last) =
                        read.last_key_value().map(|((last, _), _)| *last).filter(|last| *last > 0)
                {
                    late.insert(last);
                    let gone = read.split_off(&(last, RowPosition { file: 0, group: 0, row: 0 }));
                    bytes -= gone.values().map(size).sum::<usize>();
                }
            }
        }
    };
    inbox.patch_sets(&places, MAX_PATCH_SET_BYTES, take).await?;
    waiting.unreadable.sort();
    waiting.unreadable.dedup();
    let mut held_up: BTreeSet<String> = BTreeSet::new();
    for (turn, chosen) in chosen.into_iter().enumerate() {
        let Some(first) = chosen.first() else { continue };
        let (key, order) = (first.key.clone(), first.order.clone());
        let has_first = read.contains_key(&(turn, first.row.place));
        if late.contains(&turn) || held_up.contains(&order.user) || !has_first {
            held_up.insert(order.user);
            waiting.left += 1;
            continue;
        }
        let written = |candidate: Candidate| {
            let patch_set = read.remove(&(turn, candidate.row.place))?;
            Some((candidate.order, Written { row: candidate.row, patch_set }))
        };
        let mut rows: Vec<(Order, Written)> =
            chosen.rows.into_values().filter_map(written).collect();
        let ties = rows.iter().take_while(|(other, _)| other.ties(&order)).count();
        // Same order as in the view. Sorts hashes, because the patch sets together may be too large
        // to sort.
        rows[..ties].sort_by_cached_key(|(_, written)| written.hash());
        let rows: Vec<Written> = rows.into_iter().map(|(_, written)| written).collect();
        waiting.requests.push(InboxRequest { key, order, rows, others: chosen.count - 1 });
    }
    waiting.requests.sort_by(|a, b| (&a.order, &a.key).cmp(&(&b.order, &b.key)));
    Ok(())
}

fn size(cell: &Cell) -> usize {
    cell.text().map_or(0, str::len)
}

impl Waiting {
    fn note_without_id(&mut self, row: &InboxRow) {
        self.without_id += 1;
        if self.described.len() < DESCRIBED {
            let user: String = row.user.text().unwrap_or("nobody").chars().take(60).collect();
            let at = row
                .at
                .micros()
                .and_then(possible)
                .map_or_else(|| "no time".to_owned(), crate::domain::time::rfc3339);
            self.described.push(plain(&format!("a row of {user}, {at}")));
        }
    }
}
