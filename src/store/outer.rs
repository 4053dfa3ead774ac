//! What a place for a new lake or file lies in: a table or a lake further up would take the files of the lake for its own,
//! and vacuum them.

use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::text::visible::path_text;

/// How many links may lead on from one to the next, as on Linux.
const MOST_LINKS: usize = 40;

/// Refuses a folder of this machine that is or lies in a Delta table, or lies in a lake. The folder need not be there yet.
///
/// A storage URL is not looked at: the credentials for a lake in a cloud are often of its own folder alone, and each
/// folder further up would take two requests.
pub fn refuse_within(name: &str, path: &Path) -> Result<(), StoreError> {
    match around(path) {
        Some((what, outer)) => Err(StoreError::Within { root: name.to_owned(), what, outer }),
        None => Ok(()),
    }
}

/// The lake or Delta table that a path of this machine lies in, as a word and where it is; a table may be the path itself.
/// Links are followed, and nothing need be there yet.
pub fn around(path: &Path) -> Option<(&'static str, String)> {
    let path = real(path);
    path.ancestors().find_map(|outer| {
        let is_table = outer.join("_delta_log").is_dir();
        // A lake at the place itself is found, and told, by who makes one.
        let is_lake = outer != path && outer.join("journal/_delta_log").is_dir();
        (is_table || is_lake)
            .then(|| (if is_lake { "lake" } else { "Delta table" }, path_text(outer)))
    })
}

/// The path as it really is, as far as it is there, and then as it is said.
pub fn real(path: &Path) -> PathBuf {
    let mut full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // A link that leads to nothing yet is where a file would be made.
    for _ in 0..MOST_LINKS {
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
