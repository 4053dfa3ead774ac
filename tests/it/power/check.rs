//! Requirements on a lake after a power cut or a kill: acknowledged sets exist, no set is partial,
//! `doctor` reports nothing false, its advice helps, and work continues. Each violated requirement
//! is reported as a sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use lakeplan::cli::hint::hint_text;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::runtime::{Random, SystemClock, SystemRandom};
use lakeplan::service::Service;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Extent, Finding, examine_to};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::row::{Row, Stream, next_chain};
use lakeplan::store::{Format, Scope, Store, StoreError};
use serde_json::Value;

use crate::store::titles;
use crate::support::{author, request};

fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom::default())
}

/// The contents of a lake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub sets: Vec<String>,
    pub titles: Vec<String>,
    pub chain: [u8; 32],
    pub runs: BTreeSet<String>,
}

/// The required state of a location.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A lake that had these contents before.
    Lake(Contents),
    /// A lake that was being created.
    New,
    /// A copy that was being created of a lake with these contents.
    Copy(Contents),
}

/// The result of a check without violations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckResult {
    Complete,
    /// `doctor` found something, and its advice repaired the lake.
    Repaired,
    /// The location itself reports that it has no lake or an incomplete one.
    Unfinished,
}

/// Returns the error with its causes.
pub fn error_chain(err: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(err), |err| err.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn root(path: &Path) -> Result<LakeLocation, StoreError> {
    LakeLocation::open(&path.display().to_string(), false)
}

async fn open(path: &Path) -> Result<DeltaStore, StoreError> {
    DeltaStore::open(&root(path)?, Format::default(), Arc::new(SystemClock), random()).await
}

pub async fn examine(path: &Path) -> Result<Vec<Finding>, StoreError> {
    let root = root(path)?;
    let extent = Extent { is_full: true, ..Extent::usual(None) };
    Ok(examine_to(&root.store, "the lake", &Format::default(), extent).await?.findings)
}

/// Returns the sets of a journal with their number of rows.
async fn sets(store: &dyn Store) -> Result<Vec<(String, usize)>, String> {
    let rows =
        store.changes(0, Stream::Work, &Scope::All).await.map_err(|err| error_chain(&err))?;
    let rows: Vec<Row> = rows.try_collect().await.map_err(|err| error_chain(&err))?;
    let (mut found, mut known, mut chain) = (Vec::new(), BTreeSet::new(), [0; 32]);
    for (index, rows) in rows.chunk_by(|a, b| a.seq == b.seq).enumerate() {
        chain = next_chain(chain, rows.iter().map(Row::compute_digest));
        if rows[0].seq != index as u64 + 1 || rows.last().and_then(|row| row.chain) != Some(chain) {
            return Err(format!(
                "the journal has a gap or its chain breaks at seq {}",
                rows[0].seq
            ));
        }
        let id = rows[0].patch_set_id.to_string();
        if !known.insert(id.clone()) {
            return Err(format!("{id} is in the journal twice"));
        }
        found.push((id, rows.len()));
    }
    Ok(found)
}

pub async fn read_contents(path: &Path) -> Result<Contents, String> {
    let store =
        open(path).await.map_err(|err| format!("it cannot be opened: {}", error_chain(&err)))?;
    let sets = sets(&store).await?.into_iter().map(|(id, _)| id).collect();
    let state = store.snapshot(&Scope::All).await.map_err(|err| error_chain(&err))?.state;
    let chain = store.head().await.map_err(|err| error_chain(&err))?.chain;
    let mut runs = BTreeSet::new();
    let root = root(path).map_err(|err| error_chain(&err))?;
    let read = RUNS
        .texts(&root.store, "run_id", |run| {
            runs.insert(run.to_owned());
        })
        .await;
    read.map_err(|err| error_chain(&err))?;
    Ok(Contents { sets, titles: titles(&state), chain, runs })
}

/// Checks a location. `sent` are the requests, of two tasks each, that may have been committed in
/// addition to the former contents.
pub async fn check_place(
    path: &Path,
    kind: &Kind,
    sent: &[Value],
    acknowledged: &[String],
) -> Result<CheckResult, String> {
    match kind {
        Kind::Lake(before) => check_lake(path, before, sent, acknowledged).await,
        Kind::New => match examine(path).await {
            Err(_) if acknowledged.is_empty() => {
                let root = LakeLocation::open(&path.display().to_string(), true)
                    .map_err(|err| error_chain(&err))?;
                let made =
                    DeltaStore::create(&root, Format::default(), Arc::new(SystemClock), random())
                        .await;
                made.map_err(|err| {
                    format!("it is not a lake and none can be created: {}", error_chain(&err))
                })?
                .shutdown()
                .await;
                check_lake(path, &Contents::default(), sent, &[])
                    .await
                    .map(|_| CheckResult::Unfinished)
            }
            _ => {
                let is_set =
                    |id: &&String| sent.iter().any(|document| document["id"] == id.as_str());
                let acknowledged: Vec<String> =
                    acknowledged.iter().filter(is_set).cloned().collect();
                check_lake(path, &Contents::default(), sent, &acknowledged).await
            }
        },
        Kind::Copy(original) => {
            let finished = !acknowledged.is_empty();
            match examine(path).await {
                Err(err) if finished => {
                    return Err(format!("the copy is gone: {}", error_chain(&err)));
                }
                Err(_) => return Ok(CheckResult::Unfinished),
                Ok(findings) if findings.iter().any(|finding| advice(finding).is_none()) => {
                    return if finished {
                        Err(format!("{findings:?}"))
                    } else {
                        Ok(CheckResult::Unfinished)
                    };
                }
                Ok(_) => {}
            }
            let found = read_contents(path).await?;
            let is_same = found.sets == original.sets
                && found.chain == original.chain
                && found.titles == original.titles
                && found.runs == original.runs;
            if !is_same {
                let lacks = |of: &str, found: usize, expected: usize| {
                    if found == expected {
                        String::new()
                    } else {
                        format!(" {found} of {expected} {of}")
                    }
                };
                return Err(format!(
                    "an unfinished copy looks complete, with{}{}",
                    lacks("sets", found.sets.len(), original.sets.len()),
                    lacks("runs", found.runs.len(), original.runs.len())
                ));
            }
            check_lake(path, original, sent, &[]).await
        }
    }
}

/// Returns whether the advised fold is a rebuild; `None` if a finding advises something else.
fn advice(finding: &Finding) -> Option<bool> {
    hint_text(&finding.advice)
        .starts_with("run lakeplan fold")
        .then(|| hint_text(&finding.advice).contains("--rebuild"))
}

async fn follow_advice(path: &Path, findings: &[Finding]) -> Result<(), String> {
    let Some(advice) = findings.iter().map(advice).collect::<Option<Vec<bool>>>() else {
        return Err(format!("doctor asks for a backup: {findings:?}"));
    };
    let store =
        open(path).await.map_err(|err| format!("it cannot be opened: {}", error_chain(&err)))?;
    let done = if advice.contains(&true) { store.rebuild(None).await } else { store.fold().await };
    done.map_err(|err| format!("the advice fails: {}", error_chain(&err)))?;
    store.shutdown().await;
    match examine(path).await {
        Ok(left) if left.is_empty() => Ok(()),
        left => Err(format!("the advice does not help: {findings:?}, then {left:?}")),
    }
}

/// Checks that a lake is complete and continues to work.
async fn check_lake(
    path: &Path,
    before: &Contents,
    sent: &[Value],
    acknowledged: &[String],
) -> Result<CheckResult, String> {
    let findings =
        examine(path).await.map_err(|err| format!("doctor fails: {}", error_chain(&err)))?;
    if !findings.is_empty() {
        follow_advice(path, &findings).await?;
    }
    let store = Arc::new(
        open(path).await.map_err(|err| format!("it cannot be opened: {}", error_chain(&err)))?,
    );
    let there = sets(store.as_ref()).await?;
    let known: BTreeMap<&str, usize> =
        there.iter().map(|(id, rows)| (id.as_str(), *rows)).collect();
    let missing =
        before.sets.iter().chain(acknowledged).find(|id| !known.contains_key(id.as_str()));
    if let Some(id) = missing {
        return Err(format!("{id} was acknowledged and is missing"));
    }
    // Every request is sent again, plus one more. Each must then be committed exactly once.
    let service = Service {
        planner: Arc::new(OutlinePlanner),
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock: Arc::new(SystemClock),
        random: random(),
    };
    for round in 0..2 {
        for document in sent {
            let id = document["id"].as_str().unwrap_or_default();
            let done = service.change(&request(document.clone()), &author(&service)).await;
            let done =
                done.map_err(|err| format!("{id} cannot be sent again: {}", error_chain(&err)))?;
            if done.repeated != (round == 1 || known.contains_key(id)) {
                return Err(format!(
                    "{id} was sent again and counted as {}",
                    if done.repeated { "a repeat" } else { "new" }
                ));
            }
        }
    }
    let after = sets(store.as_ref()).await?;
    let torn = after
        .iter()
        .find(|(id, rows)| sent.iter().any(|document| document["id"] == **id) && *rows != 2);
    if let Some((id, rows)) = torn {
        return Err(format!("{id} has {rows} rows"));
    }
    let state = store.snapshot(&Scope::All).await.map_err(|err| error_chain(&err))?.state;
    let mut expected = before.titles.clone();
    expected.extend(sent.iter().flat_map(|document| {
        let patches = document["patches"].as_array().unwrap();
        patches.iter().filter_map(|patch| patch["fields"]["title"].as_str().map(str::to_owned))
    }));
    expected.sort();
    if titles(&state) != expected {
        return Err(format!("the tasks are {:?} instead of {expected:?}", titles(&state)));
    }
    drop(service);
    if let Some(store) = Arc::into_inner(store) {
        store.shutdown().await;
    }
    match examine(path).await {
        Ok(left) if left.is_empty() => {
            Ok(if findings.is_empty() { CheckResult::Complete } else { CheckResult::Repaired })
        }
        Ok(left) => Err(format!("after one more change doctor finds {left:?}")),
        Err(err) => Err(format!("after one more change doctor fails: {}", error_chain(&err))),
    }
}
