//! What a place for a new lake lies in: a table or a lake further up would take the files of the lake for its own, and
//! vacuum them.

use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::text::visible::path_text;

/// Refuses a folder of this machine that is or lies in a Delta table, or lies in a lake. The folder need not be there yet.
///
/// A storage URL is not looked at: the credentials for a lake in a cloud are often of its own folder alone, and each
/// folder further up would take two requests.
pub fn refuse_within(name: &str, path: &Path) -> Result<(), StoreError> {
    let path = real(path);
    for outer in path.ancestors() {
        let is_table = outer.join("_delta_log").is_dir();
        // A lake at the place itself is found, and told, by who makes one.
        let is_lake = outer != path && outer.join("journal/_delta_log").is_dir();
        if is_table || is_lake {
            return Err(StoreError::Within {
                root: name.to_owned(),
                what: if is_lake { "lake" } else { "Delta table" },
                outer: path_text(outer),
            });
        }
    }
    Ok(())
}

/// The path as it really is, as far as it is there, and then as it is said.
fn real(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in full.ancestors() {
        if let (Ok(real), Ok(rest)) = (there.canonicalize(), full.strip_prefix(there)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    full
}
