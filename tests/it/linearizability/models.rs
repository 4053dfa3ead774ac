//! Sequential models: a register, texts under keys, a journal of sets.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::successors;
use std::marker::PhantomData;
use std::rc::Rc;

use super::Model;

/// A register with compare-and-set.
pub struct Register;

#[derive(Clone, Copy, Debug)]
pub enum RegisterOp {
    Read,
    Write(i64),
    Cas { from: i64, to: i64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterOutcome {
    Value(Option<i64>),
    Done,
    /// The compare-and-set found another value.
    Differed,
}

impl Model for Register {
    type State = Option<i64>;
    type Op = RegisterOp;
    type Outcome = RegisterOutcome;
    type Part = ();

    fn init(&self) -> Self::State {
        None
    }

    fn part(&self, _op: &RegisterOp) {}

    fn step(
        &self,
        state: &Option<i64>,
        op: &RegisterOp,
        outcome: Option<&RegisterOutcome>,
    ) -> Option<Option<i64>> {
        let (next, would_be) = match *op {
            RegisterOp::Read => (*state, RegisterOutcome::Value(*state)),
            RegisterOp::Write(value) => (Some(value), RegisterOutcome::Done),
            RegisterOp::Cas { from, to } if *state == Some(from) => {
                (Some(to), RegisterOutcome::Done)
            }
            RegisterOp::Cas { .. } => (*state, RegisterOutcome::Differed),
        };
        outcome.is_none_or(|outcome| *outcome == would_be).then_some(next)
    }
}

/// Texts under keys, which are replaced or appended to.
pub struct Texts;

#[derive(Clone, Debug)]
pub enum TextOp {
    Get { key: String },
    Put { key: String, text: String },
    Append { key: String, text: String },
}

impl Model for Texts {
    type State = String;
    type Op = TextOp;
    /// The result of a get; the other operations return nothing.
    type Outcome = Option<String>;
    type Part = String;

    fn init(&self) -> String {
        String::new()
    }

    fn part(&self, op: &TextOp) -> String {
        let (TextOp::Get { key } | TextOp::Put { key, .. } | TextOp::Append { key, .. }) = op;
        key.clone()
    }

    fn step(
        &self,
        state: &String,
        op: &TextOp,
        outcome: Option<&Option<String>>,
    ) -> Option<String> {
        match op {
            TextOp::Get { .. } => {
                outcome.is_none_or(|seen| seen.as_ref() == Some(state)).then(|| state.clone())
            }
            TextOp::Put { text, .. } => Some(text.clone()),
            TextOp::Append { text, .. } => Some(format!("{state}{text}")),
        }
    }
}

/// A journal of sets. Each set changes one entity and may expect the last set that changed it.
pub struct Journal<Id>(PhantomData<Id>);

#[derive(Clone, Debug)]
pub enum JournalOp<Id> {
    Append { id: Id, entity: u64, expects: Option<Id> },
    Read,
}

/// An append with an unknown result has no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalOutcome<Id> {
    Committed {
        seq: usize,
    },
    AlreadyCommitted {
        seq: usize,
    },
    /// The expectation does not match.
    Refused,
    /// This call wrote nothing.
    NotWritten,
    /// The ids in order of seq, from the first.
    Listed(Vec<Id>),
}

impl<Id> Journal<Id> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<Id: Clone + Eq + Hash> Model for Journal<Id> {
    type State = Sets<Id>;
    type Op = JournalOp<Id>;
    type Outcome = JournalOutcome<Id>;
    type Part = ();

    fn init(&self) -> Sets<Id> {
        Sets(None)
    }

    fn part(&self, _op: &JournalOp<Id>) {}

    fn step(
        &self,
        state: &Sets<Id>,
        op: &JournalOp<Id>,
        outcome: Option<&JournalOutcome<Id>>,
    ) -> Option<Sets<Id>> {
        let JournalOp::Append { id, entity, expects } = op else {
            let Some(JournalOutcome::Listed(ids)) = outcome else {
                return outcome.is_none().then(|| state.clone());
            };
            let same =
                ids.len() == state.seq() && state.iter().map(|link| &link.id).eq(ids.iter().rev());
            return same.then(|| state.clone());
        };
        let there = state.iter().find(|link| link.id == *id).map(|link| link.seq);
        let last = || state.iter().find(|link| link.entity == *entity).map(|link| &link.id);
        let matches_expectation = || expects.is_none() || last() == expects.as_ref();
        let same = |possible: bool| possible.then(|| state.clone());
        match outcome {
            Some(JournalOutcome::Committed { seq }) => {
                (there.is_none() && *seq == state.seq() + 1 && matches_expectation())
                    .then(|| state.with(id, *entity))
            }
            Some(JournalOutcome::AlreadyCommitted { seq }) => same(there == Some(*seq)),
            Some(JournalOutcome::Refused) => same(there.is_none() && !matches_expectation()),
            Some(JournalOutcome::Listed(_)) => None,
            None if there.is_none() && matches_expectation() => Some(state.with(id, *entity)),
            Some(JournalOutcome::NotWritten) | None => same(true),
        }
    }
}

/// The sets of a journal, the last first. States with a common history share memory.
#[derive(Clone)]
pub struct Sets<Id>(Option<Rc<Link<Id>>>);

struct Link<Id> {
    id: Id,
    entity: u64,
    seq: usize,
    hash: u64,
    before: Sets<Id>,
}

impl<Id> Sets<Id> {
    fn iter(&self) -> impl Iterator<Item = &Link<Id>> {
        successors(self.0.as_deref(), |link| link.before.0.as_deref())
    }

    fn seq(&self) -> usize {
        self.0.as_ref().map_or(0, |link| link.seq)
    }

    fn hash(&self) -> u64 {
        self.0.as_ref().map_or(0, |link| link.hash)
    }
}

impl<Id: Clone + Hash> Sets<Id> {
    fn with(&self, id: &Id, entity: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.hash(), id, entity).hash(&mut hasher);
        let link = Link {
            id: id.clone(),
            entity,
            seq: self.seq() + 1,
            hash: hasher.finish(),
            before: self.clone(),
        };
        Self(Some(Rc::new(link)))
    }
}

impl<Id: Eq> PartialEq for Sets<Id> {
    fn eq(&self, other: &Self) -> bool {
        let mut own = self.iter().zip(other.iter()).take_while(|(a, b)| !std::ptr::eq(*a, *b));
        (self.seq(), self.hash()) == (other.seq(), other.hash())
            && own.all(|(a, b)| a.id == b.id && a.entity == b.entity)
    }
}

impl<Id: Eq> Eq for Sets<Id> {}

impl<Id> Hash for Sets<Id> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.hash().hash(hasher);
    }
}

impl<Id> Drop for Sets<Id> {
    fn drop(&mut self) {
        // Iterative, because a recursive drop of a long list would overflow the stack.
        let mut rest = self.0.take();
        while let Some(mut link) = rest.and_then(Rc::into_inner) {
            rest = link.before.0.take();
        }
    }
}
