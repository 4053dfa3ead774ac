//! Names in a table's folder: log entries, checkpoints, and files with a checksum in their names.

/// File in which a log names its newest checkpoint.
pub const HINT: &str = "_delta_log/_last_checkpoint";

/// Highest version of a log. Delta counts on to 2^63, which nobody reaches; a file with a greater
/// number is stray, and no commit could follow it.
pub const LAST_VERSION: u64 = 1 << 53;

pub fn entry_path(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}

pub fn checkpoint_path(version: u64) -> String {
    format!("_delta_log/{version:020}.checkpoint.parquet")
}

/// Returns the version in a name of twenty digits and this ending; `None` if the number is not a
/// Delta version.
pub fn version_of(name: &str, ending: &str) -> Option<u64> {
    version_in(name).filter(|_| name.get(20..) == Some(ending))
}

/// Returns the version at the start of a name in the log.
pub fn version_in(name: &str) -> Option<u64> {
    let digits =
        name.get(..20).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|version| *version <= LAST_VERSION)
}

/// Returns the path of a file with the checksum of its bytes in its name: a name survives in every
/// log, checkpoint and reader.
pub fn checked_path(path: &str, bytes: &[u8]) -> String {
    format!(
        "{}.c{:08x}.parquet",
        path.strip_suffix(".parquet").unwrap_or(path),
        crc32fast::hash(bytes)
    )
}

/// Returns the checksum in a file name.
pub fn checksum_in(path: &str) -> Option<u32> {
    let (_, sum) = path.strip_suffix(".parquet")?.rsplit_once(".c")?;
    if sum.len() == 8 { u32::from_str_radix(sum, 16).ok() } else { None }
}
