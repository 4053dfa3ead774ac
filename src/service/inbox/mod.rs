//! Requests from those who have SQL: each is applied like any other change, once, and answered.
//!
//! # Rules
//! - Each row is read alone. Whatever one row holds, it is refused with a reason and the others go on.
//! - A request_id has one answer. The row that is answered is the first one of the id, by time, user and hash, among
//!   those that are in the table when it is answered; its time and hash are noted with the answer. Rows that come later are
//!   never applied and change nothing of the answer, whatever their time. The same goes for rows that are deleted or blanked
//!   after their answer.
//! - A row that is dated in the future waits until its time has come: of its author's clock and this machine's one is wrong.
//! - A row without a request_id has nothing to answer to. Every run counts such rows, and tells which they are.
//! - The id of the patch set is made from the request_id and the time of the row. Before a request with several rows is
//!   applied, the sets of the other rows are looked for, so that a row that was applied by a run that ended before it noted
//!   the answer is found though another row is now the first.
//! - Of two runs at once that see different rows of a request, one applies its row, which the journal sees to. The other
//!   leaves the request to it, and to the next run if that one ended before it noted the answer.
//! - A run takes at most so many requests, and so many bytes of patch sets, the users in turn; the rest waits.

mod request;
mod turn;
mod waiting;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Service, ServiceError};
use crate::domain::id::PatchSetId;
use crate::domain::patch::Source;
use crate::domain::record::Fields;
use crate::domain::time::{Instant, rfc3339};
use crate::domain::value::words;
use crate::store::appended::INBOX_RESULTS;
use crate::store::{LakeTables, Scope};
use request::{Written, plain, said};
pub use waiting::count;
use waiting::{Asked, gather};

words! {
    /// What became of a request.
    Fate {
        Applied = "applied",
        Refused = "refused",
        Conflict = "conflict",
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub request_id: String,
    pub fate: Fate,
    pub id: PatchSetId,
    pub seq: Option<u64>,
    pub keys: Vec<String>,
    pub message: Option<String>,
    /// The time of the row that was answered, and what tells it from others of its id.
    pub at: Option<Instant>,
    pub hash: String,
    /// How many rows of the same id there were beside it. They are not applied.
    pub others: usize,
}

/// What a run over the inbox did.
#[derive(Debug, Default)]
pub struct Answered {
    pub answers: Vec<Answer>,
    /// How many rows wait for the next run.
    pub left: usize,
    /// How many rows have no request_id, and what the first of them are.
    pub without_id: usize,
    pub described: Vec<String>,
    /// Files of the table that cannot be read.
    pub unreadable: Vec<String>,
    /// What kept it from answering the rest. Those wait for the next run.
    pub stopped: Option<(ServiceError, usize)>,
}

/// How many requests a run answers unless it is told otherwise.
pub const MOST: usize = 5000;
/// How many answers are noted at a time. A request that was applied and not noted is found in the journal by its id.
const NOTED: usize = 100;

impl Service {
    /// Applies the requests that wait, at most so many, the oldest first, and notes the answers.
    pub async fn apply_inbox(
        &self,
        tables: &LakeTables,
        most: usize,
    ) -> Result<Answered, ServiceError> {
        let now = self.clock.now();
        let waiting = gather(tables, most, now).await?;
        if waiting.ahead > 0 {
            let (rows, are) = if waiting.ahead == 1 { ("row", "is") } else { ("rows", "are") };
            tracing::warn!(
                "{} {rows} of the inbox {are} dated after this machine's clock, {}, and left until then; if it is behind, set it",
                waiting.ahead,
                rfc3339(now)
            );
        }
        let mut done = Answered {
            left: waiting.left,
            without_id: waiting.without_id,
            described: waiting.described,
            unreadable: waiting.unreadable,
            ..Answered::default()
        };
        let (mut noted, mut seen) = (0, waiting.seen);
        let number = waiting.requests.len();
        for (answered, asked) in waiting.requests.into_iter().enumerate() {
            match self.answer(asked).await {
                Ok(Some(answer)) => done.answers.push(answer),
                Ok(None) => done.left += 1,
                Err(err) => {
                    done.stopped = Some((err, number - answered));
                    break;
                }
            }
            if done.answers.len() - noted >= NOTED {
                self.note(tables, &mut seen, &done.answers[noted..]).await?;
                noted = done.answers.len();
            }
        }
        self.note(tables, &mut seen, &done.answers[noted..]).await?;
        Ok(done)
    }

    /// Answers one request; `None` where another run has applied another row of it meanwhile. An error is one that says
    /// nothing of the request.
    async fn answer(&self, asked: Asked) -> Result<Option<Answer>, ServiceError> {
        let mut rows = asked.rows.into_iter();
        let Some(first) = rows.next() else {
            return Err(ServiceError::input(&asked.key, "the row of the request is gone"));
        };
        for other in rows {
            if let Some(answer) = self.applied_before(&asked.key, &other).await? {
                return Ok(Some(Answer { others: asked.others, ..answer }));
            }
        }
        let mut answer = blank(asked.key, &first);
        answer.others = asked.others;
        let request = match first.request(self.clock.now()) {
            Ok(request) => request,
            Err(why) => return Ok(Some(answer.failed(Fate::Refused, &why))),
        };
        match self.change(&request, Source::Inbox).await {
            Ok(done) if done.id != answer.id => Ok(None),
            Ok(done) => {
                answer.seq = Some(done.seq);
                answer.keys = done.keys.into_iter().map(|(_, key)| key).collect();
                Ok(Some(answer))
            }
            Err(ServiceError::Refused(violations)) => {
                Ok(Some(answer.failed(Fate::Refused, &said(&violations))))
            }
            Err(err @ ServiceError::Conflicted { .. }) => {
                Ok(Some(answer.failed(Fate::Conflict, &err.to_string())))
            }
            Err(err @ (ServiceError::NotFound { .. } | ServiceError::Input { .. })) => {
                Ok(Some(answer.failed(Fate::Refused, &err.to_string())))
            }
            Err(err) => Err(err),
        }
    }

    /// The answer to a row that is in the journal already.
    async fn applied_before(
        &self,
        key: &str,
        row: &Written,
    ) -> Result<Option<Answer>, ServiceError> {
        let Ok(request) = row.request(self.clock.now()) else { return Ok(None) };
        let state = self.state(&Scope::outline()).await?;
        let done = self.stands(&state, &request, row.set_id(), Source::Inbox).await?;
        Ok(done
            .filter(|done| done.id == row.set_id())
            .map(|done| Answer { seq: Some(done.seq), ..blank(key.to_owned(), row) }))
    }

    /// Notes answers, but for requests that another run has answered since the files of answers that were seen.
    async fn note(
        &self,
        tables: &LakeTables,
        seen: &mut BTreeSet<String>,
        answers: &[Answer],
    ) -> Result<(), ServiceError> {
        if answers.is_empty() {
            return Ok(());
        }
        let mut theirs: BTreeSet<String> = BTreeSet::new();
        let note = |id: &str| {
            theirs.insert(id.to_owned());
        };
        tables.answered_since(seen, note).await?;
        let at = rfc3339(self.clock.now());
        let rows = answers.iter().filter(|answer| !theirs.contains(&answer.request_id)).map(|answer| {
            let keys = (!answer.keys.is_empty()).then(|| answer.keys.join(" "));
            json!({
                "request_id": answer.request_id, "at": at, "outcome": answer.fate.word(), "seq": answer.seq,
                "patch_set_id": answer.id.to_string(), "message": answer.message, "created_keys": keys,
                "request_at": answer.at.map(rfc3339), "request_hash": answer.hash,
            })
        });
        let rows = rows
            .map(|row| if let Value::Object(row) = row { row } else { Fields::new() })
            .collect();
        Ok(self.store.append(&INBOX_RESULTS, rows).await?)
    }
}

/// The answer to a row that was applied, without what came of it.
fn blank(key: String, row: &Written) -> Answer {
    Answer {
        request_id: key,
        fate: Fate::Applied,
        id: row.set_id(),
        seq: None,
        keys: Vec::new(),
        message: None,
        at: row.at(),
        hash: row.hash(),
        others: 0,
    }
}

impl Answer {
    fn failed(self, fate: Fate, why: &str) -> Self {
        Self { fate, message: Some(plain(why)), ..self }
    }
}
