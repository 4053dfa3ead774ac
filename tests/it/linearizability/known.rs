//! The checker on histories with known verdicts: small ones made by hand, and logs of real systems.

use std::collections::HashMap;
use std::time::Duration;

use super::models::{
    Journal, JournalOp, JournalOutcome, Register, RegisterOp, RegisterOutcome, TextOp, Texts,
};
use super::{Operation, Verdict, check};
use crate::support::shared;

/// Reads a Jepsen log of an etcd register, one event a line: process, kind, function, value.
fn read_etcd(log: &str) -> Vec<Operation<RegisterOp, RegisterOutcome>> {
    let mut history: Vec<Operation<RegisterOp, RegisterOutcome>> = Vec::new();
    let mut open = HashMap::new();
    for (time, line) in (0..).zip(log.lines()) {
        let Some((_, event)) = line.split_once("jepsen.util - ") else { continue };
        let event = event.replace(['[', ']'], "");
        let words: Vec<&str> = event.split_whitespace().collect();
        let number =
            |place: usize| words[place].parse().unwrap_or_else(|_| panic!("no number in {line}"));
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
            // It may have taken effect, or still take effect; a failed read gives no information.
            [":info", ..] | [":fail", ":read", ..] => continue,
            _ => panic!("{line}"),
        };
        history[open[&process]].returned = Some((time, outcome));
    }
    history
}

/// Reads a log of a key-value store, one event a line: process, type, function, key, value.
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
            history[open[&word(":process")]].returned =
                Some((time, (function == ":get").then(|| text(":value"))));
        }
    }
    history
}

const LIMIT: Duration = Duration::from_secs(20);

/// Returns an operation that was called at one time and returned at another.
fn done<Op, Outcome>(
    called: u64,
    returned: u64,
    op: Op,
    outcome: Outcome,
) -> Operation<Op, Outcome> {
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
fn a_read_may_or_may_not_see_a_concurrent_write() {
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
    assert_eq!(
        register(&[first, second, done(4, 5, RegisterOp::Read, value(1))]),
        Verdict::NotLinearizable
    );
}

#[test]
fn operations_that_touch_in_time_overlap() {
    let first = done(0, 2, RegisterOp::Write(1), RegisterOutcome::Done);
    let second = done(2, 3, RegisterOp::Write(2), RegisterOutcome::Done);
    assert_eq!(
        register(&[first, second, done(4, 5, RegisterOp::Read, value(1))]),
        Verdict::Linearizable
    );
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
fn an_unanswered_operation_takes_effect_at_most_once() {
    let start = done(0, 1, RegisterOp::Write(1), RegisterOutcome::Done);
    let open = lost(2, RegisterOp::Write(2));
    let read = |at, seen| done(at, at + 1, RegisterOp::Read, value(seen));
    assert_eq!(
        register(&[start.clone(), open.clone(), read(3, 1), read(5, 1)]),
        Verdict::Linearizable
    );
    assert_eq!(
        register(&[start.clone(), open.clone(), read(3, 1), read(5, 2)]),
        Verdict::Linearizable
    );
    assert_eq!(
        register(&[start.clone(), open.clone(), read(3, 2), read(5, 1)]),
        Verdict::NotLinearizable
    );
    let again = done(5, 6, RegisterOp::Write(1), RegisterOutcome::Done);
    assert_eq!(
        register(&[start.clone(), open.clone(), read(3, 2), again, read(7, 2)]),
        Verdict::NotLinearizable
    );
    assert_eq!(
        register(&[start.clone(), lost(2, RegisterOp::Cas { from: 5, to: 6 })]),
        Verdict::Linearizable
    );
    // It cannot take effect before its call.
    assert_eq!(
        register(&[start, lost(6, RegisterOp::Write(2)), read(3, 2)]),
        Verdict::NotLinearizable
    );
}

#[test]
fn keys_are_checked_separately() {
    let append = |key: &str, at| {
        done(at, at + 1, TextOp::Append { key: key.to_owned(), text: key.to_owned() }, None)
    };
    let get = |key: &str, at, seen: &str| {
        done(at, at + 1, TextOp::Get { key: key.to_owned() }, Some(seen.to_owned()))
    };
    let history = [append("a", 0), append("b", 2), get("a", 4, "a"), get("b", 6, "b")];
    assert_eq!(check(&Texts, &history, LIMIT), Verdict::Linearizable);
    assert_eq!(
        check(&Texts, &[append("a", 0), append("b", 2), get("a", 4, "ab")], LIMIT),
        Verdict::NotLinearizable
    );
}

#[test]
fn a_journal_contains_each_set_once() {
    use JournalOutcome::{AlreadyCommitted, Committed, Listed, NotWritten, Refused};
    let read = |at, ids: &[u64]| done(at, at + 1, JournalOp::Read, Listed(ids.to_vec()));
    let first = done(0, 3, append(7), Committed { seq: 1 });
    let second = done(1, 2, append(8), Committed { seq: 2 });
    assert_eq!(journal(&[first.clone(), second.clone(), read(4, &[7, 8])]), Verdict::Linearizable);
    assert_eq!(
        journal(&[first.clone(), second.clone(), read(4, &[8, 7])]),
        Verdict::NotLinearizable
    );
    assert_eq!(journal(&[first.clone(), second.clone(), read(4, &[7])]), Verdict::NotLinearizable);
    let repeat = |seq| done(5, 6, append(7), AlreadyCommitted { seq });
    assert_eq!(journal(&[first.clone(), second.clone(), repeat(1)]), Verdict::Linearizable);
    assert_eq!(journal(&[first.clone(), second.clone(), repeat(2)]), Verdict::NotLinearizable);
    assert_eq!(
        journal(&[first.clone(), done(4, 5, append(7), Committed { seq: 2 })]),
        Verdict::NotLinearizable
    );
    // This call did not write it, so the value must come from another call.
    assert_eq!(
        journal(&[done(0, 1, append(7), NotWritten), read(2, &[7])]),
        Verdict::NotLinearizable
    );
    assert_eq!(
        journal(&[lost(0, append(7)), done(1, 2, append(7), NotWritten), read(3, &[7])]),
        Verdict::Linearizable
    );
    assert_eq!(journal(&[lost(0, append(7)), read(1, &[]), read(3, &[7])]), Verdict::Linearizable);
    assert_eq!(
        journal(&[lost(0, append(7)), read(1, &[7]), read(3, &[])]),
        Verdict::NotLinearizable
    );
    // An expectation is refused only if another set came in between.
    let after_first =
        |outcome| done(4, 5, JournalOp::Append { id: 9, entity: 0, expects: Some(7) }, outcome);
    assert_eq!(journal(&[first.clone(), after_first(Refused)]), Verdict::NotLinearizable);
    assert_eq!(journal(&[first.clone(), after_first(Committed { seq: 2 })]), Verdict::Linearizable);
    assert_eq!(journal(&[first, second, after_first(Refused)]), Verdict::Linearizable);
}

#[test]
fn a_long_journal_is_checked() {
    let committed = |n: usize| {
        done(
            n as u64 * 2,
            n as u64 * 2 + 3,
            append(n as u64),
            JournalOutcome::Committed { seq: n + 1 },
        )
    };
    let mut history: Vec<_> = (0..2_000).map(committed).collect();
    assert_eq!(journal(&history), Verdict::Linearizable);
    history.push(done(9_000, 9_001, JournalOp::Read, JournalOutcome::Listed((0..1_999).collect())));
    assert_eq!(journal(&history), Verdict::NotLinearizable);
}

#[test]
fn recorded_histories_get_their_known_verdict() -> std::io::Result<()> {
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
