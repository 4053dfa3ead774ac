//! The inbox: change requests submitted through SQL. Each is applied once, like any other change,
//! and gets a response.
//!
//! # Rules
//! - Each row is read on its own. An invalid row is refused with a reason and does not stop the
//!   others.
//! - A request_id has one response. It goes to the first row of the id, by time, user and hash,
//!   among the rows in the table at that moment; its time and hash are recorded with the response.
//!   Rows that come later are never applied and do not change the response, whatever their time.
//!   The same holds for rows that are deleted or blanked after their response.
//! - A row dated in the future waits until that time: either its author's clock or this machine's
//!   is wrong.
//! - A row without a request_id cannot get a response. Every run counts such rows and lists them.
//! - The id of the patch set is derived from the request_id and the time of the row. Before a
//!   request with several rows is applied, the sets of the other rows are looked up. This finds a
//!   row that a run applied before it ended without recording the response, even if another row is
//!   now the first.
//! - If two concurrent runs see different rows of a request, the journal lets only one apply its
//!   row. The other leaves the request to that run, or to the next run if that one ended before it
//!   recorded the response.
//! - A run has a maximum number of requests and of patch set bytes, and users take turns; the rest
//!   waits.

mod request;
mod turn;
mod waiting;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{RequestContext, Service, ServiceError};
use crate::domain::id::PatchSetId;
use crate::domain::patch::Source;
use crate::domain::record::Fields;
use crate::domain::time::{Instant, rfc3339};
use crate::domain::value::string_enum;
use crate::exchange::patchset::Request;
use crate::store::event_tables::INBOX_RESULTS;
use crate::store::{LakeTables, Scope};
use request::{Written, detail, plain};
pub use waiting::count;
use waiting::{InboxRequest, gather};

string_enum! {
    /// Outcome of a request.
    InboxOutcome {
        Applied = "applied",
        Refused = "refused",
        Conflict = "conflict",
    }
}

/// Response to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxResult {
    pub request_id: String,
    pub outcome: InboxOutcome,
    pub id: PatchSetId,
    pub seq: Option<u64>,
    pub keys: Vec<String>,
    pub message: Option<String>,
    /// Time of the row that got the response; `hash` distinguishes it from other rows of its id.
    pub at: Option<Instant>,
    pub hash: String,
    /// Number of other rows with the same id. They are not applied.
    pub others: usize,
}

/// Result of a run over the inbox.
#[derive(Debug, Default)]
pub struct InboxRun {
    pub answers: Vec<InboxResult>,
    /// Number of rows that wait for the next run.
    pub left: usize,
    /// Number of rows without a request_id; `described` lists the first of them.
    pub without_id: usize,
    pub described: Vec<String>,
    /// Files of the table that cannot be read.
    pub unreadable: Vec<String>,
    /// Error that ended the run, and the number of requests that wait for the next run.
    pub stopped: Option<(ServiceError, usize)>,
}

/// Default maximum number of requests in a run.
pub const MAX_REQUESTS: usize = 5000;
/// Number of responses recorded at a time. A request that was applied and not recorded is found in
/// the journal by its id.
const RESULT_BATCH: usize = 100;

impl Service {
    /// Applies at most `most` waiting requests, oldest first, and records the responses.
    pub async fn apply_inbox(
        &self,
        tables: &LakeTables,
        most: usize,
        context: &RequestContext,
    ) -> Result<InboxRun, ServiceError> {
        let now = self.clock.now();
        let waiting = gather(tables, most, now).await?;
        if waiting.ahead > 0 {
            let (rows, are) = if waiting.ahead == 1 { ("row", "is") } else { ("rows", "are") };
            tracing::warn!(
                "{} {rows} of the inbox {are} dated after this machine's clock, {}, and skipped until then; set the clock if it is behind",
                waiting.ahead,
                rfc3339(now)
            );
        }
        let mut done = InboxRun {
            left: waiting.left,
            without_id: waiting.without_id,
            described: waiting.described,
            unreadable: waiting.unreadable,
            ..InboxRun::default()
        };
        let (mut noted, mut seen) = (0, waiting.seen);
        let number = waiting.requests.len();
        for (answered, asked) in waiting.requests.into_iter().enumerate() {
            match self.answer(asked, context).await {
                Ok(Some(answer)) => done.answers.push(answer),
                Ok(None) => done.left += 1,
                Err(err) => {
                    done.stopped = Some((err, number - answered));
                    break;
                }
            }
            if done.answers.len() - noted >= RESULT_BATCH {
                self.note(tables, &mut seen, &done.answers[noted..]).await?;
                noted = done.answers.len();
            }
        }
        self.note(tables, &mut seen, &done.answers[noted..]).await?;
        Ok(done)
    }

    /// Applies one request; `None` if another run has meanwhile applied another row of it. An error
    /// is unrelated to the request.
    async fn answer(
        &self,
        asked: InboxRequest,
        context: &RequestContext,
    ) -> Result<Option<InboxResult>, ServiceError> {
        let mut rows = asked.rows.into_iter();
        let Some(first) = rows.next() else {
            return Err(ServiceError::input(&asked.key, "the row of the request is gone"));
        };
        for other in rows {
            if let Some(answer) = self.applied_before(&asked.key, &other, context).await? {
                return Ok(Some(InboxResult { others: asked.others, ..answer }));
            }
        }
        let mut answer = blank(asked.key, &first);
        answer.others = asked.others;
        let request = match first.request(self.clock.now()) {
            Ok(request) => request,
            Err(why) => return Ok(Some(answer.failed(InboxOutcome::Refused, &why))),
        };
        match self.change(&request, &asker(context, &request)).await {
            Ok(done) if done.id != answer.id => Ok(None),
            Ok(done) => {
                answer.seq = Some(done.seq);
                answer.keys = done.keys.into_iter().map(|(_, key)| key).collect();
                Ok(Some(answer))
            }
            Err(ServiceError::Refused(violations)) => {
                Ok(Some(answer.failed(InboxOutcome::Refused, &detail(&violations))))
            }
            Err(err @ ServiceError::Conflicted { .. }) => {
                Ok(Some(answer.failed(InboxOutcome::Conflict, &err.to_string())))
            }
            Err(err @ (ServiceError::NotFound { .. } | ServiceError::Input { .. })) => {
                Ok(Some(answer.failed(InboxOutcome::Refused, &err.to_string())))
            }
            Err(err) => Err(err),
        }
    }

    /// Returns the response to a row that is already in the journal.
    async fn applied_before(
        &self,
        key: &str,
        row: &Written,
        context: &RequestContext,
    ) -> Result<Option<InboxResult>, ServiceError> {
        let Ok(request) = row.request(self.clock.now()) else { return Ok(None) };
        let state = self.state(&Scope::outline()).await?;
        let context = asker(context, &request);
        let done = self.find_committed(&state, &request, row.set_id(), &context).await?;
        Ok(done
            .filter(|done| done.id == row.set_id())
            .map(|done| InboxResult { seq: Some(done.seq), ..blank(key.to_owned(), row) }))
    }

    /// Records responses, except for requests that another run has answered since `seen`.
    async fn note(
        &self,
        tables: &LakeTables,
        seen: &mut BTreeSet<String>,
        answers: &[InboxResult],
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
                "request_id": answer.request_id, "at": at, "outcome": answer.outcome.as_str(), "seq": answer.seq,
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

/// Returns the context of a request: its user is the actor.
fn asker(context: &RequestContext, request: &Request) -> RequestContext {
    context.through(Source::Inbox).on_behalf_of(request.actor.clone())
}

/// Returns the response to an applied row, without the outcome.
fn blank(key: String, row: &Written) -> InboxResult {
    InboxResult {
        request_id: key,
        outcome: InboxOutcome::Applied,
        id: row.set_id(),
        seq: None,
        keys: Vec::new(),
        message: None,
        at: row.at(),
        hash: row.hash(),
        others: 0,
    }
}

impl InboxResult {
    fn failed(self, outcome: InboxOutcome, why: &str) -> Self {
        Self { outcome, message: Some(plain(why)), ..self }
    }
}
