//! Choosing the requests of a run: which rows wait, whose turn it is, and what they ask for.
//!
//! A row waits if its request_id has no answer, and has no turn before its time. Of several rows of one request_id the first one is the request, by time,
//! then user, then patch set; the others are never applied. The table is read a part at a time and only the rows of the run
//! are kept, so neither the memory nor the time of a run's changes grows with the number of those that wait.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::request::{LARGEST, Written, is_ahead, key, plain};
use super::turn::{Candidate, Order, Turns};
use crate::domain::time::Instant;
use crate::store::inbox::{Cell, Columns, Inbox, InboxRow, Longest, Place, Scanned, possible};
use crate::store::{LakeTables, StoreError};

/// The most bytes of the patch sets of a run.
const BYTES: usize = 64 << 20;
/// How many rows of one request_id are looked at beside the first.
const OTHERS: usize = 8;
/// How many rows that cannot be answered are described.
const DESCRIBED: usize = 20;

/// The requests of a run.
#[derive(Debug, Default)]
pub struct Waiting {
    pub requests: Vec<Asked>,
    /// How many rows wait for the next run.
    pub left: usize,
    /// How many of them are dated in the future.
    pub ahead: usize,
    /// How many rows have no request_id, and what the first of them are.
    pub without_id: usize,
    pub described: Vec<String>,
    /// Files that cannot be read.
    pub unreadable: Vec<String>,
    /// The files of the answers that there were.
    pub seen: BTreeSet<String>,
}

/// The rows of one request_id, in order.
#[derive(Debug)]
pub struct Asked {
    pub key: String,
    pub order: Order,
    pub rows: Vec<Written>,
    /// How many rows of the id there are beside the first.
    pub others: usize,
}

/// A chosen request before its patch sets are read.
struct Chosen {
    rows: BTreeMap<Order, Candidate>,
    count: usize,
}

impl Chosen {
    fn new() -> Self {
        Self { rows: BTreeMap::new(), count: 0 }
    }

    /// Takes in a row of the id, of which the first ones are kept.
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

/// The requests whose turn it is now, at most so many.
pub async fn gather(tables: &LakeTables, most: usize, now: Instant) -> Result<Waiting, StoreError> {
    let inbox = tables.open_inbox().await?;
    let mut waiting = Waiting::default();
    let answered = answered(tables, &mut waiting.seen).await?;
    let mut turns = Turns::new(most);
    let mut scan = inbox.scan(Columns::Light, Longest::OF_REQUESTS);
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

/// How many requests wait. A file that cannot be read has none that are counted.
pub async fn count(tables: &LakeTables) -> Result<usize, StoreError> {
    let inbox = tables.open_inbox().await?;
    let (answered, mut waiting) = (answered(tables, &mut BTreeSet::new()).await?, HashSet::new());
    let mut scan = inbox.scan(Columns::Light, Longest::OF_REQUESTS);
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

/// The requests that have an answer, by the files of answers that were not seen before; they are seen then.
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
        place: Place { file: 0, group: 0, row: 0 },
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

/// The requests of the run in their turn, each with the first rows of its id, and how many rows wait beside them.
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
    // Rows of the same ids may have been put away, so the table is looked through once more.
    of_key.extend(in_turn.iter().map(|key| (key.clone(), Chosen::new())));
    let mut scan = inbox.scan(Columns::Light, Longest::OF_REQUESTS);
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

/// Reads the patch sets of the chosen requests, as many as a run may hold: where they are too large together, those whose
/// turn comes last wait, and of each user all after the first that waits.
async fn load(
    inbox: &Arc<Inbox>,
    chosen: Vec<Chosen>,
    waiting: &mut Waiting,
) -> Result<(), StoreError> {
    let turn_of: BTreeMap<Place, usize> = (chosen.iter().enumerate())
        .flat_map(|(turn, chosen)| {
            chosen.rows.values().map(move |candidate| (candidate.row.place, turn))
        })
        .collect();
    let places: BTreeSet<Place> = turn_of.keys().copied().collect();
    let mut read: BTreeMap<(usize, Place), Cell> = BTreeMap::new();
    let mut late: BTreeSet<usize> = BTreeSet::new();
    let mut bytes = 0;
    let unreadable = &mut waiting.unreadable;
    let take = |place: Place, cell: Result<Cell, StoreError>| {
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
                    let gone = read.split_off(&(last, Place { file: 0, group: 0, row: 0 }));
                    bytes -= gone.values().map(size).sum::<usize>();
                }
            }
        }
    };
    inbox.patch_sets(&places, LARGEST, take).await?;
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
        // The same order as in the view. It sorts hashes, because patch sets may be too large together to be sorted.
        rows[..ties].sort_by_cached_key(|(_, written)| written.hash());
        let rows: Vec<Written> = rows.into_iter().map(|(_, written)| written).collect();
        waiting.requests.push(Asked { key, order, rows, others: chosen.count - 1 });
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
