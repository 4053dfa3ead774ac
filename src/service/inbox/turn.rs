//! Chooses the next requests: the users of the inbox take turns, each with their oldest request
//! first.
//!
//! Requests arrive one at a time in any order. Only those among the first `most` so far are kept. A
//! dropped request was behind `most` others. A later request only moves requests of its own user
//! back and none forward, so a dropped request stays behind them.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::inbox::{InboxRow, RowPosition};

/// A waiting row.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub key: String,
    pub order: Order,
    pub row: InboxRow,
}

/// Order of rows: by time (rows without one last), then by user, then by storage position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    pub has_no_time: bool,
    pub at: i64,
    pub has_no_user: bool,
    pub user: String,
    pub place: RowPosition,
}

impl Order {
    /// Whether two rows have the same time and user, so that their hashes decide.
    pub fn ties(&self, other: &Self) -> bool {
        (self.has_no_time, self.at, &self.user) == (other.has_no_time, other.at, &other.user)
    }
}

pub struct Turns {
    most: usize,
    users: BTreeMap<String, BTreeMap<Order, Candidate>>,
    kept: usize,
    has_put_away: bool,
}

impl Turns {
    pub fn new(most: usize) -> Self {
        Self { most, users: BTreeMap::new(), kept: 0, has_put_away: false }
    }

    pub fn offer(&mut self, candidate: Candidate) {
        let own = self.users.entry(candidate.order.user.clone()).or_default();
        if own.insert(candidate.order.clone(), candidate).is_none() {
            self.kept += 1;
        }
        if self.kept > 2 * self.most.max(1) {
            self.put_away();
            self.has_put_away = true;
        }
    }

    /// Whether every offered candidate is still here.
    pub fn has_all(&self) -> bool {
        !self.has_put_away
    }

    pub fn all(&self) -> impl Iterator<Item = &Candidate> {
        self.users.values().flat_map(BTreeMap::values)
    }

    /// Keeps only the rows for which `is_kept` is true.
    pub fn retain(&mut self, is_kept: impl Fn(&Candidate) -> bool) {
        for own in self.users.values_mut() {
            own.retain(|_, candidate| is_kept(candidate));
        }
        self.kept = self.users.values().map(BTreeMap::len).sum();
    }

    fn put_away(&mut self) {
        let mut slots: Vec<(usize, &Order)> =
            self.users.values().flat_map(|own| own.keys().enumerate()).collect();
        slots.sort_unstable();
        let chosen: BTreeSet<Order> =
            slots.into_iter().take(self.most).map(|(_, order)| order.clone()).collect();
        for own in self.users.values_mut() {
            own.retain(|order, _| chosen.contains(order));
        }
        self.users.retain(|_, own| !own.is_empty());
        self.kept = chosen.len();
    }

    /// Returns the requests in turn: every user's oldest, then every user's second, and so on.
    pub fn finish(mut self) -> Vec<Candidate> {
        self.put_away();
        let ranked = self.users.into_values().flat_map(|own| own.into_values().enumerate());
        let mut ranked: Vec<(usize, Candidate)> = ranked.collect();
        ranked.sort_by(|a, b| (a.0, &a.1.order).cmp(&(b.0, &b.1.order)));
        ranked.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{SeededRandom, random_bytes};
    use crate::store::inbox::Cell;

    fn candidate(user: &str, at: i64, row: usize) -> Candidate {
        let place = RowPosition { file: 0, group: 0, row };
        let order =
            Order { has_no_time: false, at, has_no_user: false, user: user.to_owned(), place };
        let row = InboxRow { place, request_id: Cell::Null, at: Cell::Null, user: Cell::Null };
        Candidate { key: String::new(), order, row }
    }

    #[test]
    fn users_take_turns_whatever_the_order_in_which_rows_are_seen() {
        for seed in 0..200 {
            let random = SeededRandom::new(seed);
            let below = |most: usize| usize::from_le_bytes(random_bytes(&random)) % most;
            let mut rows: Vec<Candidate> = (0..1 + below(60))
                .map(|row| {
                    candidate(["a", "b", "c", "d"][below(4).min(below(4))], below(9) as i64, row)
                })
                .collect();
            let most = 1 + below(7);
            let mut of_user: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
            for row in &rows {
                of_user.entry(row.order.user.clone()).or_default().push(row.clone());
            }
            let mut ranked: Vec<(usize, Candidate)> = Vec::new();
            for mut own in of_user.into_values() {
                own.sort_by(|a, b| a.order.cmp(&b.order));
                ranked.extend(own.into_iter().enumerate());
            }
            ranked.sort_by(|a, b| (a.0, &a.1.order).cmp(&(b.0, &b.1.order)));
            let wanted: Vec<Candidate> =
                ranked.into_iter().take(most).map(|(_, row)| row).collect();
            let mut turns = Turns::new(most);
            while !rows.is_empty() {
                turns.offer(rows.swap_remove(below(rows.len())));
                assert!(turns.kept <= 2 * most);
            }
            assert_eq!(turns.finish(), wanted, "seed {seed}");
        }
    }
}
