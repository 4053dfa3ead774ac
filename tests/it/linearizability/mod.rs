//! Checks whether a history of calls and returns is linearizable.
//!
//! The search is the algorithm of Wing and Gong with Lowe's memoization. Operations are ordered one
//! by one, each no later than its return. The same operations in order with the same state after
//! them are tried once. Independent parts of a model are searched separately.

mod known;
mod models;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::time::{Duration, Instant};

pub use models::{Journal, JournalOp, JournalOutcome};

/// A sequential object, which executes one operation at a time.
pub trait Model {
    type State: Clone + Eq + Hash;
    type Op;
    type Outcome;
    /// Operations of different parts are independent.
    type Part: Eq + Hash;

    fn init(&self) -> Self::State;

    fn part(&self, op: &Self::Op) -> Self::Part;

    /// Returns the state after the operation, if it can have this outcome in `state`. An operation
    /// without a known outcome has its normal effect.
    fn step(
        &self,
        state: &Self::State,
        op: &Self::Op,
        outcome: Option<&Self::Outcome>,
    ) -> Option<Self::State>;
}

/// A call and, if it returned, its outcome.
#[derive(Clone, Debug)]
pub struct Operation<Op, Outcome> {
    pub op: Op,
    pub called: u64,
    /// Time and outcome of the return. With `None`, the operation may take effect at any time after
    /// the call, or never.
    pub returned: Option<(u64, Outcome)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Linearizable,
    NotLinearizable,
    /// The search reached its time limit.
    Undecided,
}

type Of<M> = Operation<<M as Model>::Op, <M as Model>::Outcome>;

/// Searches for an order of the operations that the model allows.
pub fn check<M: Model>(model: &M, history: &[Of<M>], limit: Duration) -> Verdict {
    let deadline = Instant::now() + limit;
    let mut parts: HashMap<M::Part, Vec<&Of<M>>> = HashMap::new();
    for operation in history {
        parts.entry(model.part(&operation.op)).or_default().push(operation);
    }
    let mut open: Vec<Vec<&Of<M>>> = parts.into_values().collect();
    // One part without a valid order settles the verdict, and a later part may be much easier: each
    // part gets a little time first.
    for share in [256, 16, 1] {
        let mut undecided = Vec::new();
        for part in open {
            match check_part(model, &part, deadline.min(Instant::now() + limit / share)) {
                Verdict::Linearizable => {}
                Verdict::NotLinearizable => return Verdict::NotLinearizable,
                Verdict::Undecided => undecided.push(part),
            }
        }
        if undecided.is_empty() {
            return Verdict::Linearizable;
        }
        open = undecided;
    }
    Verdict::Undecided
}

fn check_part<M: Model>(model: &M, operations: &[&Of<M>], deadline: Instant) -> Verdict {
    let mut events = Events::new(operations);
    let mut ordered = vec![0_u64; operations.len().div_ceil(64)];
    let mut tried = HashSet::new();
    let mut path: Vec<(usize, M::State)> = Vec::new();
    let mut state = model.init();
    let mut at = events.first();
    let mut steps = 0_u32;
    while events.returns > 0 {
        steps = steps.wrapping_add(1);
        if steps.is_multiple_of(1024) && Instant::now() > deadline {
            return Verdict::Undecided;
        }
        if let Some(number) = events.call(at) {
            let operation = operations[number];
            let outcome = operation.returned.as_ref().map(|(_, outcome)| outcome);
            let next = model.step(&state, &operation.op, outcome);
            // An open operation without an effect here is better tried later.
            if let Some(next) = next.filter(|next| outcome.is_some() || *next != state) {
                ordered[number / 64] ^= 1 << (number % 64);
                if tried.insert((ordered.clone(), next.clone())) {
                    path.push((number, std::mem::replace(&mut state, next)));
                    events.take_out(number);
                    at = events.first();
                    continue;
                }
                ordered[number / 64] ^= 1 << (number % 64);
            }
            at = events.after(at);
        } else {
            // An operation that has returned fits nowhere, so the last decision was wrong.
            let Some((number, before)) = path.pop() else { return Verdict::NotLinearizable };
            state = before;
            ordered[number / 64] ^= 1 << (number % 64);
            events.put_back(number);
            at = events.after(events.call_at[number]);
        }
    }
    Verdict::Linearizable
}

/// Calls and returns ordered by time, in a linked list from which the two events of an operation
/// can be removed and restored.
struct Events {
    /// The operation, and whether the event is its call. Index 0 is the sentinel of the list.
    what: Vec<(usize, bool)>,
    next: Vec<usize>,
    previous: Vec<usize>,
    call_at: Vec<usize>,
    return_at: Vec<Option<usize>>,
    /// Number of returns in the list.
    returns: usize,
}

impl Events {
    fn new<Op, Outcome>(operations: &[&Operation<Op, Outcome>]) -> Self {
        let calls = operations
            .iter()
            .enumerate()
            .map(|(number, operation)| (operation.called, false, number));
        let returns = operations
            .iter()
            .enumerate()
            .filter_map(|(n, operation)| Some((operation.returned.as_ref()?.0, true, n)));
        let mut sorted: Vec<(u64, bool, usize)> = calls.chain(returns).collect();
        // At the same time, calls come before returns, so such operations overlap.
        sorted.sort_unstable();
        let places = sorted.len() + 1;
        let mut events = Self {
            what: vec![(usize::MAX, false)],
            next: (0..places).map(|place| (place + 1) % places).collect(),
            previous: (0..places).map(|place| (place + places - 1) % places).collect(),
            call_at: vec![0; operations.len()],
            return_at: vec![None; operations.len()],
            returns: 0,
        };
        for (place, (_, is_return, number)) in (1..).zip(sorted) {
            events.what.push((number, !is_return));
            if is_return {
                events.return_at[number] = Some(place);
                events.returns += 1;
            } else {
                events.call_at[number] = place;
            }
        }
        events
    }

    fn first(&self) -> usize {
        self.next[0]
    }

    fn after(&self, place: usize) -> usize {
        self.next[place]
    }

    fn call(&self, place: usize) -> Option<usize> {
        let (number, is_call) = self.what[place];
        is_call.then_some(number)
    }

    fn take_out(&mut self, number: usize) {
        for place in [Some(self.call_at[number]), self.return_at[number]].into_iter().flatten() {
            let (previous, next) = (self.previous[place], self.next[place]);
            self.next[previous] = next;
            self.previous[next] = previous;
        }
        self.returns -= usize::from(self.return_at[number].is_some());
    }

    fn put_back(&mut self, number: usize) {
        for place in [self.return_at[number], Some(self.call_at[number])].into_iter().flatten() {
            let (previous, next) = (self.previous[place], self.next[place]);
            self.next[previous] = place;
            self.previous[next] = place;
        }
        self.returns += usize::from(self.return_at[number].is_some());
    }
}
