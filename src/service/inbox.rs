//! Requests from those who have SQL: each is applied like any other change, once, and answered.

use serde_json::{Value, json};

use super::{Service, ServiceError};
use crate::analytics::{InboxRequest, Session};
use crate::domain::id::PatchSetId;
use crate::domain::patch::Source;
use crate::domain::record::Fields;
use crate::domain::time::rfc3339;
use crate::domain::value::{Name, words};
use crate::domain::violation::Violation;
use crate::exchange::{json, patchset::Request};
use crate::store::LakeTables;
use crate::store::appended::INBOX_RESULTS;

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
}

/// What a run over the inbox did.
#[derive(Debug, Default)]
pub struct Answered {
    pub answers: Vec<Answer>,
    /// What kept it from answering the rest. Those wait for the next run.
    pub stopped: Option<(ServiceError, usize)>,
}

/// How many answers are noted at a time. A request that was applied and not noted is found in the journal by its id.
const NOTED: usize = 100;
/// How many faults of a request its answer names, and how many characters it has at most.
const FAULTS: usize = 20;
const MESSAGE: usize = 2000;

impl Service {
    /// Applies every request that waits, the oldest first, and notes the answers.
    pub async fn apply_inbox(&self, tables: &LakeTables) -> Result<Answered, ServiceError> {
        tables.readable_inbox().await?;
        let waiting = Session::open(tables, self.clock.now()).await?.waiting_requests().await?;
        let mut done = Answered::default();
        let mut noted = 0;
        for (number, request) in waiting.iter().enumerate() {
            match self.answer(request).await {
                Ok(answer) => done.answers.push(answer),
                Err(fault) => {
                    done.stopped = Some((fault, waiting.len() - number));
                    break;
                }
            }
            if done.answers.len() - noted == NOTED {
                self.note(&done.answers[noted..]).await?;
                noted = done.answers.len();
            }
        }
        self.note(&done.answers[noted..]).await?;
        Ok(done)
    }

    /// Applies one request. An error is one that says nothing of the request.
    async fn answer(&self, waiting: &InboxRequest) -> Result<Answer, ServiceError> {
        let id = PatchSetId::of_event(waiting.at.timestamp_millis().max(0), waiting.request_id.as_bytes());
        let answer = |fate, message: String| Answer {
            request_id: waiting.request_id.clone(),
            fate,
            id,
            seq: None,
            keys: Vec::new(),
            message: Some(cut(&message)),
        };
        let request = match read(waiting, id) {
            Ok(request) => request,
            Err(why) => return Ok(answer(Fate::Refused, why)),
        };
        match self.change(&request, Source::Inbox).await {
            Ok(done) => Ok(Answer {
                request_id: waiting.request_id.clone(),
                fate: Fate::Applied,
                id,
                seq: Some(done.seq),
                keys: done.keys.into_iter().map(|(_, key)| key).collect(),
                message: None,
            }),
            Err(ServiceError::Refused(violations)) => Ok(answer(Fate::Refused, told(&violations))),
            Err(fault @ ServiceError::Conflicted { .. }) => Ok(answer(Fate::Conflict, fault.to_string())),
            Err(fault @ (ServiceError::NotFound { .. } | ServiceError::Input { .. })) => {
                Ok(answer(Fate::Refused, fault.to_string()))
            }
            Err(fault) => Err(fault),
        }
    }

    async fn note(&self, answers: &[Answer]) -> Result<(), ServiceError> {
        let at = rfc3339(self.clock.now());
        let rows = answers.iter().map(|answer| {
            let keys = (!answer.keys.is_empty()).then(|| answer.keys.join(" "));
            json!({
                "request_id": answer.request_id, "at": at, "outcome": answer.fate.word(), "seq": answer.seq,
                "patch_set_id": answer.id.to_string(), "message": answer.message, "created_keys": keys,
            })
        });
        let rows = rows.map(|row| if let Value::Object(row) = row { row } else { Fields::new() }).collect();
        Ok(self.store.append(&INBOX_RESULTS, rows).await?)
    }
}

/// The request that a row holds, made by the row's user and known by the row's id whatever the JSON says.
fn read(waiting: &InboxRequest, id: PatchSetId) -> Result<Request, String> {
    let actor = Name::new(&waiting.user).map_err(|misfit| format!("the user {misfit}"))?;
    let value = json::parse(waiting.patch_set.as_bytes()).map_err(|fault| format!("patch_set: {fault}"))?;
    let request = Request::from_json(&value).map_err(|faults| told(&faults))?;
    Ok(Request { id: Some(id), actor: Some(actor), ..request })
}

/// The faults of a request, the first of them where they are many: whoever may write a row must not flood a table with it.
fn told(faults: &[Violation]) -> String {
    let mut told: Vec<String> = faults.iter().take(FAULTS).map(ToString::to_string).collect();
    if faults.len() > FAULTS {
        told.push(format!("and {} more", faults.len() - FAULTS));
    }
    cut(&told.join("; "))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MESSAGE { text.to_owned() } else { text.chars().take(MESSAGE).chain(['…']).collect() }
}
