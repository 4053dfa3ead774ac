use std::fs;
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use object_store::ObjectStoreExt;

use super::*;
use crate::domain::time::Instant;

fn put(mode: PutMode) -> PutOptions {
    PutOptions { mode, ..PutOptions::default() }
}

#[tokio::test]
async fn puts_and_deletes_leave_no_temporary_file_and_no_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = DurableLocal::new(folder.path().to_owned()).unwrap();
    let (name, other) = (Path::from("a/b/object"), Path::from("a/hint"));
    store.put_opts(&name, "one".into(), put(PutMode::Create)).await.unwrap();
    let taken = store.put_opts(&name, "two".into(), put(PutMode::Create)).await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })), "{taken:?}");
    store.put(&other, "one".into()).await.unwrap();
    store.put(&other, "two".into()).await.unwrap();
    assert_eq!(store.get(&name).await.unwrap().bytes().await.unwrap(), "one");
    assert_eq!(store.get(&other).await.unwrap().bytes().await.unwrap(), "two");
    let names = |folder: &std::path::Path| fs::read_dir(folder).unwrap().count();
    assert_eq!((names(&folder.path().join("a")), names(&folder.path().join("a/b"))), (2, 1));
    store.delete(&name).await.unwrap();
    assert!(matches!(store.delete(&name).await, Err(Error::NotFound { .. })));
    assert!(!folder.path().join("a/b").exists());
    // The folder is created again, although it is known.
    store.put_opts(&name, "three".into(), put(PutMode::Create)).await.unwrap();
    assert_eq!(store.get(&name).await.unwrap().bytes().await.unwrap(), "three");
}

#[tokio::test]
async fn what_nothing_uses_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = DurableLocal::new(folder.path().to_owned()).unwrap();
    let (from, to) = (Path::from("from"), Path::from("to"));
    store.put(&from, "one".into()).await.unwrap();
    assert!(store.put_multipart(&to).await.is_err());
    assert!(store.copy(&from, &to).await.is_err());
    assert!(store.rename(&from, &to).await.is_err());
}

#[test]
fn only_old_temporary_files_of_named_folders_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (day, hour) = (Duration::from_secs(24 * 3600), Duration::from_secs(3600));
    #[expect(clippy::disallowed_methods, reason = "the file system has its own clock")]
    let now = SystemTime::now();
    let files = [
        ("tasks/bucket=1/x.parquet#12", day + hour, false),
        ("tasks/_delta_log/_last_checkpoint#1", day + hour, false),
        ("tasks/_delta_log/y.json#7", day - hour, true),
        ("tasks/bucket=1/x.parquet", day * 30, true),
        ("tasks/bucket=1/a#b", day * 30, true),
        ("tasks/bucket=1/#5", day * 30, true),
        ("notes/x#12", day * 30, true),
        ("x#12", day * 30, true),
        ("tasks/new.json", Duration::ZERO, true),
    ];
    for (name, age, _) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "12345").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(now - age).unwrap();
    }
    // A clock that is a year ahead does not age the files.
    let ahead = Instant::from(now) + TimeDelta::days(365);
    let removed = remove_temporaries(folder.path(), &["tasks", "missing"], ahead).unwrap();
    assert_eq!(removed, Temporaries { files: 2, bytes: 10 });
    for (name, _, stays) in files {
        assert_eq!(folder.path().join(name).exists(), stays, "{name}");
    }
}
