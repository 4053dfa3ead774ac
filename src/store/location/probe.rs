//! Probes a location for a new lake.

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions};

use super::catalog::volume;
use super::root::LakeLocation;
use crate::runtime::{Clock, Random, uuid_v7};
use crate::store::error::StoreError;

/// Folder in which a new lake tests its storage.
pub const PROBE: &str = "_probe";

/// Checks that the storage creates a name only if it does not exist. Everything relies on this.
pub async fn probe(
    root: &LakeLocation,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<(), StoreError> {
    let name = Path::from(format!("{PROBE}/{}", uuid_v7(clock.now(), random)));
    let put = |what: &'static str| {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        root.store.put_opts(&name, what.into(), options)
    };
    let failed = |err: Error| StoreError::storage("writing to", root.url.to_string(), err);
    let in_volume = root.url.to_file_path().is_ok_and(|path| volume::of(&path).is_some());
    let not_once = || {
        let root = root.url.to_string();
        if in_volume {
            return StoreError::UnusableVolume { root };
        }
        let why = "it cannot stop two writers from creating the same file, which a lake requires";
        StoreError::UnusableRoot { root, why: why.to_owned() }
    };
    match put("the first").await {
        // A volume has no hard links, which exclusive creates need; it reports this with various
        // errors.
        Err(Error::Generic { .. } | Error::NotSupported { .. } | Error::NotImplemented { .. })
            if in_volume =>
        {
            return Err(not_once());
        }
        done => done.map_err(failed)?,
    };
    let second = put("the second").await;
    root.store.delete(&name).await.map_err(failed)?;
    match second {
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
        _ => Err(not_once()),
    }
}
