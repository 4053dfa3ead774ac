//! Whether a history of calls and answers could have come from one thing that does one operation at a time.
//!
//! The search is Wing and Gong's with Lowe's memory. Operations are put in order one by one, each no later than its
//! return; the same operations in order with the same state after them are tried once. Parts of a model that do not
//! see each other are searched by themselves.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::successors;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::support::shared;

/// A thing that does one operation at a time.
pub trait Model {
    type State: Clone + Eq + Hash;
    type Op;
    type Outcome;
    /// Operations of different parts do not see each other.
    type Part: Eq + Hash;

    fn init(&self) -> Self::State;

    fn part(&self, op: &Self::Op) -> Self::Part;

    /// The state after the operation, if it could have had this outcome in `state`. Without an outcome, which nobody
    /// learnt, it has the effect that it would have had.
    fn step(&self, state: &Self::State, op: &Self::Op, outcome: Option<&Self::Outcome>) -> Option<Self::State>;
}

/// One call and, if it came, its answer.
#[derive(Clone, Debug)]
pub struct Operation<Op, Outcome> {
    pub op: Op,
    pub called: u64,
    /// When it returned and with what. `None`: it may take effect at any time after the call, or never.
    pub returned: Option<(u64, Outcome)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Linearizable,
    NotLinearizable,
    /// The time was up first.
    Undecided,
}

type Of<M> = Operation<<M as Model>::Op, <M as Model>::Outcome>;

/// Searches for an order of the operations that the model could have followed.
pub fn check<M: Model>(model: &M, history: &[Of<M>], limit: Duration) -> Verdict {
    let deadline = Instant::now() + limit;
    let mut parts: HashMap<M::Part, Vec<&Of<M>>> = HashMap::new();
    for operation in history {
        parts.entry(model.part(&operation.op)).or_default().push(operation);
    }
    let mut open: Vec<Vec<&Of<M>>> = parts.into_values().collect();
    // One part without an order settles it, and the next one may be far easier: each gets a little time first.
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
            // An open operation that changes nothing here is better kept for later.
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
            // Something has returned that found no place: the last decision was wrong.
            let Some((number, before)) = path.pop() else { return Verdict::NotLinearizable };
            state = before;
            ordered[number / 64] ^= 1 << (number % 64);
            events.put_back(number);
            at = events.after(events.call_at[number]);
        }
    }
    Verdict::Linearizable
}

/// Calls and returns in order of time, as a list from which an operation's two can be taken and put back.
struct Events {
    /// The operation, and whether it is its call. Place 0 is the list's two ends.
    what: Vec<(usize, bool)>,
    next: Vec<usize>,
    previous: Vec<usize>,
    call_at: Vec<usize>,
    return_at: Vec<Option<usize>>,
    /// How many returns are in the list.
    returns: usize,
}

impl Events {
    fn new<Op, Outcome>(operations: &[&Operation<Op, Outcome>]) -> Self {
        let calls = operations.iter().enumerate().map(|(number, operation)| (operation.called, false, number));
        let returns = operations.iter().enumerate().filter_map(|(n, operation)| Some((operation.returned.as_ref()?.0, true, n)));
        let mut sorted: Vec<(u64, bool, usize)> = calls.chain(returns).collect();
        // At one time calls come first: such operations overlap.
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

    fn step(&self, state: &Option<i64>, op: &RegisterOp, outcome: Option<&RegisterOutcome>) -> Option<Option<i64>> {
        let (next, would_be) = match *op {
            RegisterOp::Read => (*state, RegisterOutcome::Value(*state)),
            RegisterOp::Write(value) => (Some(value), RegisterOutcome::Done),
            RegisterOp::Cas { from, to } if *state == Some(from) => (Some(to), RegisterOutcome::Done),
            RegisterOp::Cas { .. } => (*state, RegisterOutcome::Differed),
        };
        outcome.is_none_or(|outcome| *outcome == would_be).then_some(next)
    }
}

/// Texts under keys, written anew or added to.
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
    /// What a get saw; nothing is learnt from the others.
    type Outcome = Option<String>;
    type Part = String;

    fn init(&self) -> String {
        String::new()
    }

    fn part(&self, op: &TextOp) -> String {
        let (TextOp::Get { key } | TextOp::Put { key, .. } | TextOp::Append { key, .. }) = op;
        key.clone()
    }

    fn step(&self, state: &String, op: &TextOp, outcome: Option<&Option<String>>) -> Option<String> {
        match op {
            TextOp::Get { .. } => outcome.is_none_or(|seen| seen.as_ref() == Some(state)).then(|| state.clone()),
            TextOp::Put { text, .. } => Some(text.clone()),
            TextOp::Append { text, .. } => Some(format!("{state}{text}")),
        }
    }
}

/// A journal of sets. Each set touches one entity and may expect which set touched it last.
pub struct Journal<Id>(PhantomData<Id>);

#[derive(Clone, Debug)]
pub enum JournalOp<Id> {
    Append { id: Id, entity: u64, expects: Option<Id> },
    Read,
}

/// An append of which nothing is known has no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalOutcome<Id> {
    Committed {
        seq: usize,
    },
    AlreadyCommitted {
        seq: usize,
    },
    /// What it expects does not stand.
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

    fn step(&self, state: &Sets<Id>, op: &JournalOp<Id>, outcome: Option<&JournalOutcome<Id>>) -> Option<Sets<Id>> {
        let JournalOp::Append { id, entity, expects } = op else {
            let Some(JournalOutcome::Listed(ids)) = outcome else { return outcome.is_none().then(|| state.clone()) };
            let same = ids.len() == state.seq() && state.iter().map(|link| &link.id).eq(ids.iter().rev());
            return same.then(|| state.clone());
        };
        let there = state.iter().find(|link| link.id == *id).map(|link| link.seq);
        let last = || state.iter().find(|link| link.entity == *entity).map(|link| &link.id);
        let stands = || expects.is_none() || last() == expects.as_ref();
        let same = |possible: bool| possible.then(|| state.clone());
        match outcome {
            Some(JournalOutcome::Committed { seq }) => {
                (there.is_none() && *seq == state.seq() + 1 && stands()).then(|| state.with(id, *entity))
            }
            Some(JournalOutcome::AlreadyCommitted { seq }) => same(there == Some(*seq)),
            Some(JournalOutcome::Refused) => same(there.is_none() && !stands()),
            Some(JournalOutcome::Listed(_)) => None,
            None if there.is_none() && stands() => Some(state.with(id, *entity)),
            Some(JournalOutcome::NotWritten) | None => same(true),
        }
    }
}

/// The sets of a journal, the last first. States that grew from each other share what they have in common.
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
        let link = Link { id: id.clone(), entity, seq: self.seq() + 1, hash: hasher.finish(), before: self.clone() };
        Self(Some(Rc::new(link)))
    }
}

impl<Id: Eq> PartialEq for Sets<Id> {
    fn eq(&self, other: &Self) -> bool {
        let mut own = self.iter().zip(other.iter()).take_while(|(a, b)| !std::ptr::eq(*a, *b));
        (self.seq(), self.hash()) == (other.seq(), other.hash()) && own.all(|(a, b)| a.id == b.id && a.entity == b.entity)
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
        // One after the other: the links of a long journal, each dropping the next, would exhaust the stack.
        let mut rest = self.0.take();
        while let Some(mut link) = rest.and_then(Rc::into_inner) {
            rest = link.before.0.take();
        }
    }
}

/// A Jepsen log of an etcd register, one event a line: process, kind, function, value.
fn read_etcd(log: &str) -> Vec<Operation<RegisterOp, RegisterOutcome>> {
    let mut history: Vec<Operation<RegisterOp, RegisterOutcome>> = Vec::new();
    let mut open = HashMap::new();
    for (time, line) in (0..).zip(log.lines()) {
        let Some((_, event)) = line.split_once("jepsen.util - ") else { continue };
        let event = event.replace(['[', ']'], "");
        let words: Vec<&str> = event.split_whitespace().collect();
        let number = |place: usize| words[place].parse().unwrap_or_else(|_| panic!("no number in {line}"));
        let process = words[0].to_owned();
        let outcome = match words[1..] {
            [":invoke", function, ..] => {
                let op = match function {
                    ":read" => RegisterOp::Read,
                    ":write" => RegisterOp::Write(number(3)),
                    ":cas" => RegisterOp::Cas { from: number(3), to: number(4) },
                    _ => panic!("{line}"),
                };
                open.insert(process, history.len());
                history.push(Operation { op, called: time, returned: None });
                continue;
            }
            [":ok", ":read", "nil"] => RegisterOutcome::Value(None),
            [":ok", ":read", _] => RegisterOutcome::Value(Some(number(3))),
            [":ok", ..] => RegisterOutcome::Done,
            [":fail", ":cas", ..] => RegisterOutcome::Differed,
            // It may have happened, or happen yet; a read that failed says nothing.
            [":info", ..] | [":fail", ":read", ..] => continue,
            _ => panic!("{line}"),
        };
        history[open[&process]].returned = Some((time, outcome));
    }
    history
}

/// A log of a key-value store, one event a line: process, type, function, key, value.
fn read_texts(log: &str) -> Vec<Operation<TextOp, Option<String>>> {
    let mut history: Vec<Operation<TextOp, Option<String>>> = Vec::new();
    let mut open = HashMap::new();
    for (time, line) in (0..).zip(log.lines()) {
        let field = |name: &str| {
            let (_, rest) = line.split_once(name).unwrap_or_else(|| panic!("no {name} in {line}"));
            rest.trim_start_matches(' ')
        };
        let text = |name: &str| field(name).split('"').nth(1).unwrap_or_default().to_owned();
        let word = |name: &str| field(name).split([',', '}']).next().unwrap_or_default().to_owned();
        let function = word(":f");
        if word(":type") == ":invoke" {
            let key = text(":key");
            let op = match function.as_str() {
                ":get" => TextOp::Get { key },
                ":put" => TextOp::Put { key, text: text(":value") },
                ":append" => TextOp::Append { key, text: text(":value") },
                _ => panic!("{line}"),
            };
            open.insert(word(":process"), history.len());
            history.push(Operation { op, called: time, returned: None });
        } else {
            history[open[&word(":process")]].returned = Some((time, (function == ":get").then(|| text(":value"))));
        }
    }
    history
}

const LIMIT: Duration = Duration::from_secs(20);

/// An operation that was called at one time and returned at another.
fn done<Op, Outcome>(called: u64, returned: u64, op: Op, outcome: Outcome) -> Operation<Op, Outcome> {
    Operation { op, called, returned: Some((returned, outcome)) }
}

fn lost<Op, Outcome>(called: u64, op: Op) -> Operation<Op, Outcome> {
    Operation { op, called, returned: None }
}

fn register(history: &[Operation<RegisterOp, RegisterOutcome>]) -> Verdict {
    check(&Register, history, LIMIT)
}

fn journal(history: &[Operation<JournalOp<u64>, JournalOutcome<u64>>]) -> Verdict {
    check(&Journal::new(), history, LIMIT)
}

fn value(value: i64) -> RegisterOutcome {
    RegisterOutcome::Value(Some(value))
}

fn append(id: u64) -> JournalOp<u64> {
    JournalOp::Append { id, entity: 0, expects: None }
}

#[test]
fn a_read_may_see_a_write_that_is_still_open_or_not_yet() {
    let write = done(0, 9, RegisterOp::Write(1), RegisterOutcome::Done);
    let not_yet = done(1, 2, RegisterOp::Read, RegisterOutcome::Value(None));
    let seen = done(3, 4, RegisterOp::Read, value(1));
    assert_eq!(register(&[write.clone(), not_yet.clone(), seen.clone()]), Verdict::Linearizable);
    let back = done(5, 6, RegisterOp::Read, RegisterOutcome::Value(None));
    assert_eq!(register(&[write, not_yet, seen, back]), Verdict::NotLinearizable);
}

#[test]
fn a_stale_read_is_found() {
    let first = done(0, 1, RegisterOp::Write(1), RegisterOutcome::Done);
    let second = done(2, 3, RegisterOp::Write(2), RegisterOutcome::Done);
    assert_eq!(register(&[first, second, done(4, 5, RegisterOp::Read, value(1))]), Verdict::NotLinearizable);
}

#[test]
fn calls_and_returns_at_one_time_overlap() {
    let first = done(0, 2, RegisterOp::Write(1), RegisterOutcome::Done);
    let second = done(2, 3, RegisterOp::Write(2), RegisterOutcome::Done);
    assert_eq!(register(&[first, second, done(4, 5, RegisterOp::Read, value(1))]), Verdict::Linearizable);
}

#[test]
fn a_lost_update_is_found() {
    let start = done(0, 1, RegisterOp::Write(1), RegisterOutcome::Done);
    let one = done(2, 5, RegisterOp::Cas { from: 1, to: 2 }, RegisterOutcome::Done);
    let other = |outcome| done(3, 4, RegisterOp::Cas { from: 1, to: 3 }, outcome);
    let history = [start.clone(), one.clone(), other(RegisterOutcome::Done)];
    assert_eq!(register(&history), Verdict::NotLinearizable);
    assert_eq!(register(&[start, one, other(RegisterOutcome::Differed)]), Verdict::Linearizable);
}

#[test]
fn an_operation_without_an_answer_may_take_effect_late_or_never_but_once() {
    let start = done(0, 1, RegisterOp::Write(1), RegisterOutcome::Done);
    let open = lost(2, RegisterOp::Write(2));
    let read = |at, seen| done(at, at + 1, RegisterOp::Read, value(seen));
    assert_eq!(register(&[start.clone(), open.clone(), read(3, 1), read(5, 1)]), Verdict::Linearizable);
    assert_eq!(register(&[start.clone(), open.clone(), read(3, 1), read(5, 2)]), Verdict::Linearizable);
    assert_eq!(register(&[start.clone(), open.clone(), read(3, 2), read(5, 1)]), Verdict::NotLinearizable);
    let again = done(5, 6, RegisterOp::Write(1), RegisterOutcome::Done);
    assert_eq!(register(&[start.clone(), open.clone(), read(3, 2), again, read(7, 2)]), Verdict::NotLinearizable);
    assert_eq!(register(&[start.clone(), lost(2, RegisterOp::Cas { from: 5, to: 6 })]), Verdict::Linearizable);
    // Not before its call.
    assert_eq!(register(&[start, lost(6, RegisterOp::Write(2)), read(3, 2)]), Verdict::NotLinearizable);
}

#[test]
fn keys_are_searched_apart() {
    let append = |key: &str, at| done(at, at + 1, TextOp::Append { key: key.to_owned(), text: key.to_owned() }, None);
    let get = |key: &str, at, seen: &str| done(at, at + 1, TextOp::Get { key: key.to_owned() }, Some(seen.to_owned()));
    let history = [append("a", 0), append("b", 2), get("a", 4, "a"), get("b", 6, "b")];
    assert_eq!(check(&Texts, &history, LIMIT), Verdict::Linearizable);
    assert_eq!(check(&Texts, &[append("a", 0), append("b", 2), get("a", 4, "ab")], LIMIT), Verdict::NotLinearizable);
}

#[test]
fn a_journal_has_each_set_once_and_in_one_place() {
    use JournalOutcome::{AlreadyCommitted, Committed, Listed, NotWritten, Refused};
    let read = |at, ids: &[u64]| done(at, at + 1, JournalOp::Read, Listed(ids.to_vec()));
    let first = done(0, 3, append(7), Committed { seq: 1 });
    let second = done(1, 2, append(8), Committed { seq: 2 });
    assert_eq!(journal(&[first.clone(), second.clone(), read(4, &[7, 8])]), Verdict::Linearizable);
    assert_eq!(journal(&[first.clone(), second.clone(), read(4, &[8, 7])]), Verdict::NotLinearizable);
    assert_eq!(journal(&[first.clone(), second.clone(), read(4, &[7])]), Verdict::NotLinearizable);
    let repeat = |seq| done(5, 6, append(7), AlreadyCommitted { seq });
    assert_eq!(journal(&[first.clone(), second.clone(), repeat(1)]), Verdict::Linearizable);
    assert_eq!(journal(&[first.clone(), second.clone(), repeat(2)]), Verdict::NotLinearizable);
    assert_eq!(journal(&[first.clone(), done(4, 5, append(7), Committed { seq: 2 })]), Verdict::NotLinearizable);
    // Not written by this call, and so not there unless another call brought it.
    assert_eq!(journal(&[done(0, 1, append(7), NotWritten), read(2, &[7])]), Verdict::NotLinearizable);
    assert_eq!(journal(&[lost(0, append(7)), done(1, 2, append(7), NotWritten), read(3, &[7])]), Verdict::Linearizable);
    assert_eq!(journal(&[lost(0, append(7)), read(1, &[]), read(3, &[7])]), Verdict::Linearizable);
    assert_eq!(journal(&[lost(0, append(7)), read(1, &[7]), read(3, &[])]), Verdict::NotLinearizable);
    // An expectation is refused only where another set came between.
    let after_first = |outcome| done(4, 5, JournalOp::Append { id: 9, entity: 0, expects: Some(7) }, outcome);
    assert_eq!(journal(&[first.clone(), after_first(Refused)]), Verdict::NotLinearizable);
    assert_eq!(journal(&[first.clone(), after_first(Committed { seq: 2 })]), Verdict::Linearizable);
    assert_eq!(journal(&[first, second, after_first(Refused)]), Verdict::Linearizable);
}

#[test]
fn a_long_journal_is_checked() {
    let committed = |n: usize| done(n as u64 * 2, n as u64 * 2 + 3, append(n as u64), JournalOutcome::Committed { seq: n + 1 });
    let mut history: Vec<_> = (0..2_000).map(committed).collect();
    assert_eq!(journal(&history), Verdict::Linearizable);
    history.push(done(9_000, 9_001, JournalOp::Read, JournalOutcome::Listed((0..1_999).collect())));
    assert_eq!(journal(&history), Verdict::NotLinearizable);
}

#[test]
fn real_histories_get_their_known_verdict() -> std::io::Result<()> {
    let Some(folder) = shared("data/reliability/porcupine-histories") else { return Ok(()) };
    let word = |good| if good { Verdict::Linearizable } else { Verdict::NotLinearizable };
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in std::fs::read_to_string(folder.join("verdicts.csv"))?.lines().skip(1) {
        let Some((name, good)) = line.split_once(',') else { continue };
        let log = std::fs::read_to_string(folder.join("test_data/jepsen").join(name))?;
        let verdict = register(&read_etcd(&log));
        count += 1;
        if verdict != word(good == "true") {
            wrong.push(format!("{name}: {verdict:?}"));
        }
    }
    for file in std::fs::read_dir(folder.join("test_data/kv"))? {
        let path = file?.path();
        let verdict = check(&Texts, &read_texts(&std::fs::read_to_string(&path)?), LIMIT);
        count += 1;
        if verdict != word(path.to_string_lossy().ends_with("-ok.txt")) {
            wrong.push(format!("{}: {verdict:?}", path.display()));
        }
    }
    assert_eq!((count, wrong), (108, Vec::new()));
    Ok(())
}
