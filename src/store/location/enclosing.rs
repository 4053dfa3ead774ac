//! Checks what encloses the location of a new lake or file: a table or a lake further up would
//! treat the lake's files as its own, and vacuum them.

use std::path::{Path, PathBuf};

use crate::store::error::StoreError;
use crate::text::visible::path_text;

/// Maximum length of a chain of symlinks, as on Linux.
const MAX_SYMLINKS: usize = 40;

/// Fails if a local folder is or is in a Delta table, or is in a lake. The folder need not exist
/// yet.
///
/// Storage URLs are not checked: the credentials for a lake in a cloud often cover only its own
/// folder, and each folder further up would take two requests.
pub fn check_not_within(name: &str, path: &Path) -> Result<(), StoreError> {
    match around(path) {
        Some((what, outer)) => Err(StoreError::Within { root: name.to_owned(), what, outer }),
        None => Ok(()),
    }
}

/// Returns the lake or Delta table that contains a local path, as a word and its path; a table may
/// be the path itself. Links are followed, and the path need not exist yet.
pub fn around(path: &Path) -> Option<(&'static str, String)> {
    let path = real(path);
    path.ancestors().find_map(|outer| {
        let is_table = outer.join("_delta_log").is_dir();
        // The caller that creates a lake finds and reports one at the path itself.
        let is_lake = outer != path && outer.join("journal/_delta_log").is_dir();
        (is_table || is_lake)
            .then(|| (if is_lake { "lake" } else { "Delta table" }, path_text(outer)))
    })
}

/// Resolves the existing part of a path, and appends the rest as given.
pub fn real(path: &Path) -> PathBuf {
    let mut full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // A new file would be created at the target of a dangling link.
    for _ in 0..MAX_SYMLINKS {
        let Ok(to) = full
            .read_link()
            .map(|to| full.parent().map_or_else(|| to.clone(), |folder| folder.join(&to)))
        else {
            break;
        };
        full = to;
    }
    for there in full.ancestors() {
        if let (Ok(real), Ok(rest)) = (there.canonicalize(), full.strip_prefix(there)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    full
}
