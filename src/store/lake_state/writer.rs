//! The single task of a process that owns the state. Every commit and every read goes through it,
//! one after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::group_commit::{Load, groups};
use super::published::Publisher;
use super::state::LakeState;
use crate::domain::id::{ProjectId, TaskId};
use crate::domain::patch::PatchSet;
use crate::domain::task_counts::TaskCounts;
use crate::store::error::StoreError;
use crate::store::head::{Head, Snapshot, SyncSnapshot};
use crate::store::journal::files::Files;
use crate::store::journal::{JournalReader, Order};
use crate::store::outcome::Outcome;
use crate::store::row::Stream;
use crate::store::throttle::throttled;
use crate::store::{Compacted, Erased, RecordLookup, Scope};

/// Minimum interval between commits of a busy writer, so that the log stays short.
const MIN_COMMIT_INTERVAL: Duration = Duration::from_millis(5);

/// Requests to the writer.
pub enum Message {
    Commit {
        sets: Vec<PatchSet>,
        answer: oneshot::Sender<Vec<Outcome>>,
    },
    Look {
        scope: Scope,
        answer: oneshot::Sender<Result<(Snapshot, Head), StoreError>>,
    },
    LookAtSync {
        answer: oneshot::Sender<Result<SyncSnapshot, StoreError>>,
    },
    Find {
        lookup: Vec<RecordLookup>,
        answer: oneshot::Sender<Result<Vec<Option<ProjectId>>, StoreError>>,
    },
    LinkedFrom {
        tasks: BTreeSet<TaskId>,
        answer: oneshot::Sender<Result<BTreeSet<ProjectId>, StoreError>>,
    },
    TaskCount {
        answer: oneshot::Sender<Result<TaskCounts, StoreError>>,
    },
    CountWaiting {
        answer: oneshot::Sender<Result<(Head, usize), StoreError>>,
    },
    JournalScan {
        lost: BTreeSet<&'static str>,
        answer: oneshot::Sender<Result<(), StoreError>>,
    },
    Files {
        stream: Stream,
        answer: oneshot::Sender<Result<Files, StoreError>>,
    },
    Folded {
        stream: Stream,
        seq: u64,
        written: Vec<(&'static str, u64)>,
    },
    Compact {
        answer: oneshot::Sender<Result<Compacted, StoreError>>,
    },
    Erase {
        answer: oneshot::Sender<Result<Erased, StoreError>>,
    },
    Read {
        after: u64,
        stream: Stream,
        order: Order,
        answer: oneshot::Sender<Result<JournalReader, StoreError>>,
    },
}

/// Runs the writer: it commits the sets that arrived while the last commit was in flight as groups,
/// and answers reads in between. After `stop`, it answers the requests that have already arrived,
/// and ends.
pub async fn run(
    mut state: LakeState,
    mut inbox: mpsc::Receiver<Message>,
    publisher: Publisher,
    stop: CancellationToken,
) {
    let mut waiting: Option<Message> = None;
    let mut checkpoint: Option<JoinHandle<()>> = None;
    let mut is_open = true;
    loop {
        let next = match waiting.take() {
            Some(message) => Some(message),
            None => tokio::select! {
                biased;
                () = stop.cancelled(), if is_open => {
                    inbox.close();
                    is_open = false;
                    continue;
                }
                message = inbox.recv() => message,
            },
        };
        let Some(first) = next else { break };
        match first {
            Message::Look { scope, answer } => {
                let looked = snapshot_with_head(&mut state, &scope).await;
                publisher.publish(&state, true);
                reply(answer, looked);
            }
            Message::LookAtSync { answer } => {
                let looked = state.sync_snapshot().await;
                publisher.publish(&state, false);
                reply(answer, looked);
            }
            Message::Find { lookup, answer } => {
                let answered = find(&mut state, &lookup).await;
                publisher.publish(&state, false);
                reply(answer, answered);
            }
            Message::LinkedFrom { tasks, answer } => {
                let answered = linked_from(&mut state, &tasks).await;
                publisher.publish(&state, false);
                reply(answer, answered);
            }
            Message::TaskCount { answer } => {
                let answered = tally(&mut state).await;
                publisher.publish(&state, false);
                reply(answer, answered);
            }
            Message::CountWaiting { answer } => {
                let looked = state.refresh().await.map(|_| (state.head(), state.rows_waiting()));
                publisher.publish(&state, false);
                reply(answer, looked);
            }
            Message::JournalScan { lost, answer } => {
                let answered = probe_all_tables(&mut state, lost).await;
                publisher.publish(&state, false);
                reply(answer, answered);
            }
            Message::Files { stream, answer } => {
                let looked = state.refresh().await.map(|_| state.files(stream));
                publisher.publish(&state, false);
                reply(answer, looked);
            }
            Message::Folded { stream, seq, written } => {
                state.note_folded(stream, seq, written);
                publisher.publish(&state, false);
            }
            Message::Compact { answer } => {
                let answered = state.compact().await;
                publisher.publish(&state, false);
                reply(answer, answered);
            }
            Message::Erase { answer } => {
                let answered = state.rewrite_erased_files().await;
                publisher.publish(&state, false);
                reply(answer, answered);
            }
            Message::Read { after, stream, order, answer } => {
                let looked = state.refresh().await.map(|_| state.reader(after, stream, order));
                publisher.publish(&state, false);
                reply(answer, looked);
            }
            Message::Commit { sets, answer } => {
                let begun = tokio::time::Instant::now();
                let before = state.head().version;
                let mut answers = vec![(sets.len(), answer)];
                let mut load = Load::of(&sets);
                let mut together = sets;
                while load.fits() {
                    match inbox.try_recv() {
                        Ok(Message::Commit { sets, answer }) => {
                            let more = load.and(Load::of(&sets));
                            if !more.fits() {
                                waiting = Some(Message::Commit { sets, answer });
                                break;
                            }
                            answers.push((sets.len(), answer));
                            together.extend(sets);
                            load = more;
                        }
                        Ok(other) => {
                            waiting = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                let mut outcomes = Vec::with_capacity(together.len());
                for group in if load.fits() { vec![together.as_slice()] } else { groups(&together) }
                {
                    outcomes.extend(state.commit(group).await);
                }
                publisher.publish(&state, false);
                let mut outcomes = outcomes.into_iter();
                for (count, answer) in answers {
                    reply(answer, outcomes.by_ref().take(count).collect());
                }
                // One checkpoint at a time: if the last one is still being written, the next one
                // makes up for this one.
                let is_idle = checkpoint.as_ref().is_none_or(JoinHandle::is_finished);
                if state.is_checkpoint_due(before) && is_idle {
                    checkpoint = Some(tokio::spawn(throttled(state.checkpoint())));
                }
                if waiting.is_some() || !inbox.is_empty() {
                    tokio::time::sleep_until(begun + MIN_COMMIT_INTERVAL).await;
                }
            }
        }
    }
    if let Some(checkpoint) = checkpoint
        && let Err(err) = checkpoint.await
    {
        tracing::warn!(%err, "a checkpoint was interrupted; the next one replaces it");
    }
}

/// Sends an answer. The receiver may be gone.
fn reply<T>(answer: oneshot::Sender<T>, value: T) {
    let _ = answer.send(value);
}

async fn snapshot_with_head(
    state: &mut LakeState,
    scope: &Scope,
) -> Result<(Snapshot, Head), StoreError> {
    state.refresh().await?;
    state.load(scope).await?;
    Ok((state.snapshot(), state.head()))
}

async fn find(
    state: &mut LakeState,
    lookup: &[RecordLookup],
) -> Result<Vec<Option<ProjectId>>, StoreError> {
    state.refresh().await?;
    state.find(lookup).await
}

async fn linked_from(
    state: &mut LakeState,
    tasks: &BTreeSet<TaskId>,
) -> Result<BTreeSet<ProjectId>, StoreError> {
    state.refresh().await?;
    state.linked_from(tasks).await
}

async fn tally(state: &mut LakeState) -> Result<TaskCounts, StoreError> {
    state.refresh().await?;
    state.tally().await
}

/// Looks at every table; the caller names the tables that lost data.
async fn probe_all_tables(
    state: &mut LakeState,
    lost: BTreeSet<&'static str>,
) -> Result<(), StoreError> {
    state.refresh().await?;
    state.note_lost(lost);
    state.try_revert_foreign_changes().await;
    state.probe_all_tables().await
}
