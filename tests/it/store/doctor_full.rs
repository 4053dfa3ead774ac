//! Findings of `doctor` outside the records: field changes and files of another size, and with
//! `--full`, the event tables and the checkpoints.

use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use deltalake::arrow::compute::{concat_batches, filter_record_batch};
use deltalake::parquet::arrow::ArrowWriter;
use lakeplan::cli::hint::hint_text;
use lakeplan::store::Format;
use lakeplan::store::Retention;
use lakeplan::store::Store;
use lakeplan::store::delta::LakeLocation;
use lakeplan::store::doctor::{Checkup, Extent, examine_to};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::tables::read::batches;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use rstest::rstest;
use serde_json::json;

use super::doctor::{files, has_finding, lake, run_doctor};
use super::forge::keep_checksum;
use super::{committed, task};

async fn run_doctor_full(root: &LakeLocation) -> Checkup {
    let extent = Extent { is_full: true, ..Extent::usual(None) };
    examine_to(&root.store, "lake", &Format::default(), extent).await.unwrap()
}

/// Rewrites a file of a table with other rows.
async fn rewrite(root: &LakeLocation, path: &Path, change: impl Fn(RecordBatch) -> RecordBatch) {
    let bytes = root.store.get(path).await.unwrap().bytes().await.unwrap();
    let batch = change(batches("a table", bytes).unwrap().next().unwrap().unwrap());
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    root.store.put(path, keep_checksum(path, &file).into()).await.unwrap();
}

fn with(
    batch: &RecordBatch,
    name: &str,
    change: impl Fn(usize, Option<&str>) -> Option<String>,
) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        if field.name() != name {
            return Arc::clone(column);
        }
        let texts = column.as_string::<i32>();
        let changed =
            (0..texts.len()).map(|row| change(row, texts.is_valid(row).then(|| texts.value(row))));
        Arc::new(changed.collect::<StringArray>()) as ArrayRef
    });
    let columns = columns.collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

/// A change of the rows of a table.
type Forge = fn(RecordBatch) -> RecordBatch;

/// Replaces a value of the first row.
fn replaced(batch: &RecordBatch, column: &str, value: &str) -> RecordBatch {
    with(
        batch,
        column,
        |row, text| {
            if row == 0 { Some(value.to_owned()) } else { text.map(str::to_owned) }
        },
    )
}

fn without_the_first_row(batch: RecordBatch) -> RecordBatch {
    let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(row > 0)).collect();
    filter_record_batch(&batch, &kept).unwrap()
}

fn with_the_first_row_twice(batch: RecordBatch) -> RecordBatch {
    concat_batches(&batch.schema(), [&batch, &batch.slice(0, 1)]).unwrap()
}

#[rstest]
#[case::another_value(r#""to_value":"forged""#, |batch| replaced(&batch, "to_value", "forged"))]
#[case::another_actor(r#""actor":"someone""#, |batch| replaced(&batch, "actor", "someone"))]
#[case::a_row_too_few("is missing", without_the_first_row)]
#[case::a_row_too_many("missing from the journal or appears twice", with_the_first_row_twice)]
#[tokio::test]
async fn wrong_missing_and_duplicate_field_changes_are_found(
    #[case] what: &str,
    #[case] forge: Forge,
) {
    let (_, root) = lake().await;
    root.skip_check("rows are forged");
    let path = files(&root, "field_changes", ".parquet").await.remove(0);
    rewrite(&root, &path, forge).await;
    let found = run_doctor(&root, None).await;
    assert!(has_finding(&found, "field_changes", what), "{:?}", found.findings);
    assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    assert!(hint_text(&found.findings[0].advice).contains("lakeplan fold"));
}

#[tokio::test]
async fn missing_and_resized_files_are_found_in_every_table() {
    for table in ["runs", "table_state", "tasks", "projects", "field_changes"] {
        let (store, root) = lake().await;
        root.skip_check("a file is removed or resized");
        let run = json!({
            "run_id": "a", "started_at": "2026-09-21T12:00:00Z", "duration_ms": 1, "command": "task", "actor": "ana", "seq": 1,
            "version": "0.1.0",
        });
        store.append(&RUNS, vec![run.as_object().cloned().unwrap()]).await.unwrap();
        assert_eq!(run_doctor_full(&root).await.findings, []);
        let path = files(&root, table, ".parquet").await.remove(0);
        // The same rows, written by another writer.
        rewrite(&root, &path, |batch| batch).await;
        let found = run_doctor(&root, None).await;
        assert!(
            has_finding(&found, path.as_ref(), "bytes, but the log says"),
            "{table}: {:?}",
            found.findings
        );
        assert_eq!(found.findings.len(), 1, "{table}: {:?}", found.findings);
        root.store.delete(&path).await.unwrap();
        let found = run_doctor(&root, None).await;
        assert!(has_finding(&found, table, "missing"), "{table}: {:?}", found.findings);
    }
}

#[tokio::test]
async fn only_a_full_check_reads_the_event_tables() {
    for (forge, what) in [(0, "damaged"), (1, "the log says")] {
        let (_, root) = lake().await;
        let path = files(&root, "table_state", ".parquet").await.remove(0);
        let size = root.store.head(&path).await.unwrap().size;
        if forge == 0 {
            root.store.put(&path, vec![7; size as usize].into()).await.unwrap();
        } else {
            // The size in the log matches, so it reveals nothing.
            rewrite(&root, &path, |batch| batch.slice(0, 1)).await;
            let new = root.store.head(&path).await.unwrap().size;
            let log = files(&root, "table_state/_delta_log", ".json").await;
            for entry in log {
                let text = String::from_utf8(
                    root.store.get(&entry).await.unwrap().bytes().await.unwrap().to_vec(),
                )
                .unwrap();
                root.store
                    .put(
                        &entry,
                        text.replace(&format!("\"size\":{size}"), &format!("\"size\":{new}"))
                            .into(),
                    )
                    .await
                    .unwrap();
            }
        }
        assert_eq!(run_doctor(&root, None).await.findings, []);
        let found = run_doctor_full(&root).await;
        assert!(has_finding(&found, path.as_ref(), what), "{:?}", found.findings);
        assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_contradicts_its_entries_is_found() {
    let (store, root) = lake().await;
    let _ = committed(store.as_ref(), task("later")).await;
    store.maintain(Retention::default()).await.unwrap();
    let _ = committed(store.as_ref(), task("later still")).await;
    store.fold().await.unwrap();
    assert_eq!(run_doctor_full(&root).await.findings, []);
    let checkpoint = files(&root, "tasks/_delta_log", ".checkpoint.parquet").await.remove(0);
    let intact = root.store.get(&checkpoint).await.unwrap().bytes().await.unwrap();

    // A checkpoint of another version under this name lacks a file and has an older fold mark.
    let first: u64 = checkpoint.filename().unwrap()[..20].parse().unwrap();
    store.maintain(Retention::default()).await.unwrap();
    let second = files(&root, "tasks/_delta_log", ".checkpoint.parquet").await.pop().unwrap();
    assert_ne!(checkpoint, second);
    root.store.put(&second, intact.into()).await.unwrap();
    let found = run_doctor_full(&root).await;
    let result = found
        .findings
        .iter()
        .find(|finding| finding.place == second.as_ref())
        .unwrap_or_else(|| panic!("{:?}", found.findings));
    assert!(
        result.what.contains("with the entries up to it")
            && hint_text(&result.advice).contains("_last_checkpoint"),
        "{result:?}"
    );

    // Following the advice helps.
    root.store.delete(&second).await.unwrap();
    root.store.delete(&Path::from("tasks/_delta_log/_last_checkpoint")).await.unwrap();
    assert_eq!(run_doctor_full(&root).await.findings, []);

    // If the entries before the first checkpoint are deleted, the next checkpoints are compared
    // with it.
    for version in 0..first {
        let _ =
            root.store.delete(&Path::from(format!("tasks/_delta_log/{version:020}.json"))).await;
    }
    assert_eq!(run_doctor_full(&root).await.findings, []);
}
