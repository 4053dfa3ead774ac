//! What must hold of a lake after a power cut or a kill: nothing that was acknowledged is missing, nothing is torn, the
//! check-up says nothing false and what it advises helps, and work goes on. Everything that does not hold is a sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use lakeplan::domain::patch::Source;
use lakeplan::domain::value::Name;
use lakeplan::runtime::{Random, SystemClock, SystemRandom};
use lakeplan::service::Service;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::doctor::{Extent, Finding, examine_to};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::row::{Row, Stream, next_chain};
use lakeplan::store::{Format, Scope, Store, StoreError};
use serde_json::Value;

use crate::store::titles;
use crate::support::request;

fn random() -> Arc<dyn Random> {
    Arc::new(SystemRandom::default())
}

/// What a lake holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    pub sets: Vec<String>,
    pub titles: Vec<String>,
    pub chain: [u8; 32],
    pub runs: BTreeSet<String>,
}

/// What a place must be.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A lake that held this before.
    Lake(Holds),
    /// A lake that was being made.
    New,
    /// A copy that was being made of a lake that holds this.
    Copy(Holds),
}

/// What was found where nothing was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    Whole,
    /// The check-up found something, and what it advised made the lake whole.
    Mended,
    /// It says by itself that it is none, or not a whole one.
    Unfinished,
}

/// The whole error with what caused it.
pub fn result(err: &(dyn std::error::Error + 'static)) -> String {
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

/// The sets of a journal, whose rows are all there.
async fn sets(store: &dyn Store) -> Result<Vec<(String, usize)>, String> {
    let rows = store.changes(0, Stream::Work, &Scope::All).await.map_err(|err| result(&err))?;
    let rows: Vec<Row> = rows.try_collect().await.map_err(|err| result(&err))?;
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

pub async fn holds(path: &Path) -> Result<Holds, String> {
    let store = open(path).await.map_err(|err| format!("it does not open: {}", result(&err)))?;
    let sets = sets(&store).await?.into_iter().map(|(id, _)| id).collect();
    let state = store.snapshot(&Scope::All).await.map_err(|err| result(&err))?.state;
    let chain = store.head().await.map_err(|err| result(&err))?.chain;
    let mut runs = BTreeSet::new();
    let root = root(path).map_err(|err| result(&err))?;
    let read = RUNS
        .texts(&root.store, "run_id", |run| {
            runs.insert(run.to_owned());
        })
        .await;
    read.map_err(|err| result(&err))?;
    Ok(Holds { sets, titles: titles(&state), chain, runs })
}

/// Judges a place; `sent` are the requests that may stand there beside what it held, of two tasks each.
pub async fn judge(
    path: &Path,
    kind: &Kind,
    sent: &[Value],
    acknowledged: &[String],
) -> Result<Found, String> {
    match kind {
        Kind::Lake(before) => whole(path, before, sent, acknowledged).await,
        Kind::New => match examine(path).await {
            Err(_) if acknowledged.is_empty() => {
                let root = LakeLocation::open(&path.display().to_string(), true)
                    .map_err(|err| result(&err))?;
                let made =
                    DeltaStore::create(&root, Format::default(), Arc::new(SystemClock), random())
                        .await;
                made.map_err(|err| {
                    format!("it is no lake and none can be made: {}", result(&err))
                })?
                .close()
                .await;
                whole(path, &Holds::default(), sent, &[]).await.map(|_| Found::Unfinished)
            }
            _ => {
                let is_set =
                    |id: &&String| sent.iter().any(|document| document["id"] == id.as_str());
                let acknowledged: Vec<String> =
                    acknowledged.iter().filter(is_set).cloned().collect();
                whole(path, &Holds::default(), sent, &acknowledged).await
            }
        },
        Kind::Copy(original) => {
            let finished = !acknowledged.is_empty();
            match examine(path).await {
                Err(err) if finished => return Err(format!("the copy is gone: {}", result(&err))),
                Err(_) => return Ok(Found::Unfinished),
                Ok(findings) if findings.iter().any(|finding| advice(finding).is_none()) => {
                    return if finished {
                        Err(format!("{findings:?}"))
                    } else {
                        Ok(Found::Unfinished)
                    };
                }
                Ok(_) => {}
            }
            let found = holds(path).await?;
            let is_same = found.sets == original.sets
                && found.chain == original.chain
                && found.titles == original.titles
                && found.runs == original.runs;
            if !is_same {
                let lacks = |of: &str, found: usize, wanted: usize| {
                    if found == wanted {
                        String::new()
                    } else {
                        format!(" {found} of {wanted} {of}")
                    }
                };
                return Err(format!(
                    "an unfinished copy passes for a whole one, with{}{}",
                    lacks("sets", found.sets.len(), original.sets.len()),
                    lacks("runs", found.runs.len(), original.runs.len())
                ));
            }
            whole(path, original, sent, &[]).await
        }
    }
}

/// What a finding advises, where it is a fold: whether it is one that rebuilds.
fn advice(finding: &Finding) -> Option<bool> {
    finding.advice.starts_with("run lakeplan fold").then(|| finding.advice.contains("--rebuild"))
}

async fn follow(path: &Path, findings: &[Finding]) -> Result<(), String> {
    let Some(advice) = findings.iter().map(advice).collect::<Option<Vec<bool>>>() else {
        return Err(format!("the check-up asks for a backup: {findings:?}"));
    };
    let store = open(path).await.map_err(|err| format!("it does not open: {}", result(&err)))?;
    let done = if advice.contains(&true) { store.rebuild(None).await } else { store.fold().await };
    done.map_err(|err| format!("what the check-up advises fails: {}", result(&err)))?;
    store.close().await;
    match examine(path).await {
        Ok(left) if left.is_empty() => Ok(()),
        left => {
            Err(format!("what the check-up advises does not help: {findings:?}, then {left:?}"))
        }
    }
}

/// A lake that must be whole and go on working.
async fn whole(
    path: &Path,
    before: &Holds,
    sent: &[Value],
    acknowledged: &[String],
) -> Result<Found, String> {
    let findings =
        examine(path).await.map_err(|err| format!("it cannot be examined: {}", result(&err)))?;
    if !findings.is_empty() {
        follow(path, &findings).await?;
    }
    let store =
        Arc::new(open(path).await.map_err(|err| format!("it does not open: {}", result(&err)))?);
    let there = sets(store.as_ref()).await?;
    let known: BTreeMap<&str, usize> =
        there.iter().map(|(id, rows)| (id.as_str(), *rows)).collect();
    let missing =
        before.sets.iter().chain(acknowledged).find(|id| !known.contains_key(id.as_str()));
    if let Some(id) = missing {
        return Err(format!("{id} was acknowledged and is not there"));
    }
    // What was sent is sent again, and one more: each then stands once.
    let service = Service {
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock: Arc::new(SystemClock),
        random: random(),
        actor: Name::new("tester").unwrap(),
    };
    for round in 0..2 {
        for document in sent {
            let id = document["id"].as_str().unwrap_or_default();
            let done = service.change(&request(document.clone()), Source::Cli).await;
            let done =
                done.map_err(|err| format!("{id} cannot be sent again: {}", result(&err)))?;
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
    let state = store.snapshot(&Scope::All).await.map_err(|err| result(&err))?.state;
    let mut wanted = before.titles.clone();
    wanted.extend(sent.iter().flat_map(|document| {
        let patches = document["patches"].as_array().unwrap();
        patches.iter().filter_map(|patch| patch["fields"]["title"].as_str().map(str::to_owned))
    }));
    wanted.sort();
    if titles(&state) != wanted {
        return Err(format!("the tasks are {:?} and not {wanted:?}", titles(&state)));
    }
    drop(service);
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
    match examine(path).await {
        Ok(left) if left.is_empty() => {
            Ok(if findings.is_empty() { Found::Whole } else { Found::Mended })
        }
        Ok(left) => Err(format!("after one more change the check-up says {left:?}")),
        Err(err) => Err(format!("after one more change it cannot be examined: {}", result(&err))),
    }
}
