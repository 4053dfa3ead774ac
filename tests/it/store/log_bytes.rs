//! The bytes of the log entries that Lakeplan writes. Every operation that commits to a table
//! appears, so that no change of them goes unnoticed.
//!
//! After an intended change, run `INSTA_UPDATE=always cargo test log_bytes` and look at the
//! difference. Other engines read these entries.

use std::collections::BTreeMap;
use std::path::Path as LocalPath;
use std::sync::Arc;

use chrono::TimeDelta;
use insta::Settings;
use lakeplan::domain::id::{EntityId, PatchSetId};
use lakeplan::domain::patch::Source;
use lakeplan::domain::record::Entity;
use lakeplan::domain::time::rfc3339;
use lakeplan::domain::value::Name;
use lakeplan::planning::outline::OutlinePlanner;
use lakeplan::runtime::{ManualClock, SeededRandom, uuid_v7};
use lakeplan::service::resolve::resolve;
use lakeplan::service::{RequestContext, Service};
use lakeplan::store::backup::copy;
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::{Format, Outcome, Retention, Store};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::{Value, json};

use super::doctor::files;
use super::{root, state, task};
use crate::support::{author, noon, random, request};

/// Entries of one table with one operation that the snapshot shows.
const SHOWN: usize = 2;

struct Lake {
    location: LakeLocation,
    clock: Arc<ManualClock>,
    store: Arc<DeltaStore>,
    sets: SeededRandom,
}

impl Lake {
    async fn new() -> Self {
        let location = root(Arc::new(InMemory::new()));
        let clock = Arc::new(ManualClock::new(noon(), TimeDelta::milliseconds(1)));
        let store =
            DeltaStore::create(&location, Format::default(), clock.clone(), random(1)).await;
        Self { location, clock, store: Arc::new(store.unwrap()), sets: SeededRandom::new(2) }
    }

    async fn commit(&self, patches: Value) {
        let id = PatchSetId::of(uuid_v7(noon(), &self.sets));
        let context = RequestContext {
            actor: Name::new("tester").unwrap(),
            source: Source::Cli,
            now: noon(),
        };
        let state = state(self.store.as_ref()).await;
        let set = resolve(&state, &request(json!({"patches": patches})), id, &context).unwrap();
        let outcome = self.store.commit(vec![set]).await.pop().unwrap();
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    }

    async fn record_run(&self, number: usize) {
        let row = json!({
            "run_id": format!("run {number}"), "started_at": rfc3339(noon()), "duration_ms": 1,
            "command": "task", "actor": "ana", "seq": 1, "version": "0.1.0",
        });
        self.store.append(&RUNS, vec![row.as_object().cloned().unwrap()]).await.unwrap();
    }

    async fn entries(&self, table: &str) -> Vec<Path> {
        files(&self.location, &format!("{table}/_delta_log"), ".json").await
    }

    async fn text(&self, path: &Path) -> String {
        let bytes = self.location.store.get(path).await.unwrap().bytes().await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Removes a live file of a table, and replaces its columns, as another engine does.
    async fn change_as_another_engine(&self, table: &str) {
        let entries = self.entries(table).await;
        let mut lines = vec![
            json!({"commitInfo": {"operation": "DELETE", "engineInfo": "Apache-Spark/3.5"}}),
            json!({"add": {"path": "part-0.parquet", "partitionValues": {}, "size": 1, "modificationTime": 1, "dataChange": true}}),
        ];
        for path in &entries {
            for line in self.text(path).await.lines() {
                let action: Value = serde_json::from_str(line).unwrap();
                if let Some(mut metadata) = action.get("metaData").cloned() {
                    metadata["schemaString"] = json!(r#"{"type":"struct","fields":[]}"#);
                    lines.push(json!({"metaData": metadata}));
                }
                if let Some(add) = action.get("add")
                    && lines.iter().all(|line| line.get("remove").is_none())
                {
                    lines.push(json!({"remove": {"path": add["path"], "deletionTimestamp": 1, "dataChange": true}}));
                }
            }
        }
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        let next = Path::from(format!("{table}/_delta_log/{:020}.json", entries.len()));
        self.location.store.put(&next, text.join("\n").into()).await.unwrap();
    }

    /// Adds the entries of a table to `shown`, with their names, a few of each operation.
    async fn show(&self, shown: &mut Vec<String>) {
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for path in files(&self.location, "", ".json").await {
            let text = self.text(&path).await;
            let operation = text
                .lines()
                .find_map(|line| {
                    let action: Value = serde_json::from_str(line).ok()?;
                    Some(action["commitInfo"]["operation"].as_str()?.to_owned())
                })
                .unwrap_or_default();
            let table = path.parts().next().unwrap().as_ref().to_owned();
            let count = counts.entry((table, operation)).or_default();
            *count += 1;
            if *count <= SHOWN && !text.contains("Apache-Spark") {
                shown.push(format!("== {path}\n{text}"));
            }
        }
    }
}

/// Replaces values that depend on the version of the Parquet encoder, and long texts of other
/// snapshots.
fn settings() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(
        LocalPath::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/store/snapshots"),
    );
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r#""(size|sizeInBytes)":\d+"#, r#""$1":[size]"#);
    settings.add_filter(r"\.c[0-9a-f]{8}\.parquet", ".c[crc].parquet");
    settings.add_filter(r"lakeplan/\d+\.\d+\.\d+", "lakeplan/[version]");
    settings.add_filter(
        r#""appId":"lakeplan-files","version":\d+"#,
        r#""appId":"lakeplan-files","version":[seal]"#,
    );
    settings.add_filter(r#""(description|schemaString)":"(\\.|[^"\\])*""#, r#""$1":"[text]""#);
    settings
}

#[tokio::test]
async fn the_bytes_of_every_entry_stay_the_same() {
    let lake = Lake::new().await;
    let store = Arc::clone(&lake.store);
    let project = json!({"name": "Payments", "key": "PAY"});
    let user = json!({"handle": "ana", "name": "Ana Souza"});
    lake.commit(json!([{"op": "create", "entity": "project", "fields": project}])).await;
    lake.commit(json!([{"op": "create", "entity": "user", "fields": user}])).await;
    for number in 0..10 {
        lake.commit(task(&format!("task {number}"))).await;
        lake.record_run(number).await;
        if number % 4 == 1 {
            store.fold().await.unwrap();
        }
    }
    for table in ["journal", "runs"] {
        lake.change_as_another_engine(table).await;
    }
    lake.commit(task("after another engine")).await;
    let service = Service {
        planner: Arc::new(OutlinePlanner),
        store: Arc::clone(&store) as Arc<dyn Store>,
        clock: Arc::new(ManualClock::new(noon(), TimeDelta::milliseconds(1))),
        random: random(3),
    };
    let ana = service.find_erasable(Entity::User, "@ana").await.unwrap().record;
    service.erase(ana, &author(&service)).await.unwrap();
    store.rewrite_erased_files().await.unwrap();
    // Two days later, all files of these days are compacted.
    lake.clock.advance(TimeDelta::days(2));
    store.maintain(Retention::default()).await.unwrap();
    lake.record_run(100).await;
    // A file is lost, and another log is unreadable.
    let run = files(&lake.location, "runs/date=2026-09-23", ".parquet").await;
    lake.location.store.put(&run[0], "no parquet".into()).await.unwrap();
    let broken = lake.entries("table_state").await;
    lake.location.store.put(broken.last().unwrap(), "{".into()).await.unwrap();
    store.rebuild(None).await.unwrap();
    let mut shown = Vec::new();
    // Compared with this time, everything in the storage is old.
    lake.clock.advance(TimeDelta::days(36_500));
    let now = Retention { files: TimeDelta::zero(), log: TimeDelta::days(365_000) };
    store.maintain(now).await.unwrap();
    lake.show(&mut shown).await;
    let target = root(Arc::new(InMemory::new()));
    copy(&lake.location, &target, None, lake.clock.as_ref(), &SeededRandom::new(4)).await.unwrap();
    let copied = Lake { location: target, ..lake };
    shown.push("= the copy".to_owned());
    copied.show(&mut shown).await;
    settings().bind(|| insta::assert_snapshot!("log_bytes", shown.join("\n")));
}
