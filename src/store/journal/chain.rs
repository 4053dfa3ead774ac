//! Checks the hash chain through rows that are read anyway.
//!
//! If the files of two copies of a lake are mixed, every seq exists once and each set is valid by
//! itself. Only the chain reveals the mix: a set of one copy does not follow a set of the other.

use crate::store::error::StoreError;
use crate::store::row::{Hash, Row, next_chain};

/// The parts of rows that form the chain. Any rows of the journal may be taken; consecutive sets
/// are checked.
#[derive(Debug, Default)]
pub struct Links(Vec<Link>);

#[derive(Debug)]
struct Link {
    seq: u64,
    ordinal: u32,
    digest: Hash,
    chain: Option<Hash>,
}

impl Links {
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Self {
        let mut links = Self::default();
        links.take(rows);
        links
    }

    pub fn take<'r>(&mut self, rows: impl IntoIterator<Item = &'r Row>) {
        let link = |row: &Row| Link {
            seq: row.seq,
            ordinal: row.ordinal,
            digest: row.digest,
            chain: row.chain,
        };
        self.0.extend(rows.into_iter().map(link));
    }

    /// Fails if two consecutive sets are not of one history. A set with missing rows is skipped.
    pub fn check_unbroken(mut self) -> Result<(), StoreError> {
        self.0.sort_unstable_by_key(|link| (link.seq, link.ordinal));
        let mut before: Option<(u64, Hash)> = None;
        for set in self.0.chunk_by(|a, b| a.seq == b.seq) {
            let is_loaded = set.iter().zip(0..).all(|(link, ordinal)| link.ordinal == ordinal);
            let Some((seq, stated)) =
                set.last().and_then(|last| Some((last.seq, last.chain?))).filter(|_| is_loaded)
            else {
                before = None;
                continue;
            };
            if let Some((_, chain)) = before.filter(|(earlier, _)| earlier + 1 == seq)
                && next_chain(chain, set.iter().map(|link| link.digest)) != stated
            {
                return Err(broken(seq));
            }
            before = Some((seq, stated));
        }
        Ok(())
    }
}

/// Returns the error for a set that does not follow the one before it.
pub fn broken(seq: u64) -> StoreError {
    let what = "the hash chain breaks here: a set was changed, or two copies of the lake are mixed";
    StoreError::damaged(format!("journal, seq {seq}"), what)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::change::Change;
    use crate::domain::id::{EntityId, PatchSetId};
    use crate::domain::patch::{Op, Source};
    use crate::domain::record::{Entity, Fields};
    use crate::domain::time::Instant;
    use crate::store::row::Envelope;

    /// Returns sets of two rows each that continue a history from `chain`.
    fn history(seqs: std::ops::RangeInclusive<u64>, mut chain: Hash) -> Vec<Vec<Row>> {
        let mut sets = Vec::new();
        for seq in seqs {
            let envelope = Envelope {
                seq,
                patch_set_id: PatchSetId::of(Uuid::from_u128(u128::from(seq))),
                request_hash: [0; 32],
                v: 1,
                actor: "ana",
                source: Source::Cli,
                reason: None,
                at: Instant::default(),
            };
            let change = Change {
                project: None,
                entity: Entity::User,
                id: Uuid::from_u128(1),
                op: Op::Create,
                before: Fields::new(),
                after: Fields::new(),
            };
            let rows = Row::chain_set(&envelope, &[change.clone(), change], chain, || [0; 16]);
            chain = rows.last().and_then(|row| row.chain).unwrap();
            sets.push(rows);
        }
        sets
    }

    #[test]
    fn sets_of_two_histories_do_not_follow_each_other() {
        let (here, there) = (history(1..=6, [0; 32]), history(1..=6, [7; 32]));
        let of = |sets: &[&Vec<Row>]| {
            Links::of(sets.iter().flat_map(|set| set.iter().rev())).check_unbroken()
        };
        of(&[&here[2], &here[0], &here[1]]).unwrap();
        let err = of(&[&here[0], &here[1], &there[2], &there[3]]).unwrap_err();
        assert!(err.to_string().contains("journal, seq 3"), "{err}");
        // Missing sets or rows allow no conclusion.
        of(&[&here[0], &there[2]]).unwrap();
        let mut part = there[1].clone();
        part.remove(0);
        of(&[&here[0], &part, &there[2]]).unwrap();
    }

    #[test]
    fn a_set_in_two_files_is_checked_if_both_are_taken() {
        let (here, there) = (history(1..=3, [0; 32]), history(1..=3, [7; 32]));
        let mixed = [&here[0], &here[1], &there[2]];
        let part = |ordinal: usize| mixed.iter().map(move |set| &set[ordinal]);
        let mut links = Links::of(part(1));
        links.take(part(0));
        assert!(links.check_unbroken().unwrap_err().to_string().contains("journal, seq 3"));
        Links::of(part(0)).check_unbroken().unwrap();
        Links::of(part(1)).check_unbroken().unwrap();
    }
}
