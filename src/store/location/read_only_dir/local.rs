//! Lists the files below a local folder. A symbolic link is followed only inside the folder: a link
//! out of it would add files that nobody meant to be read, and a link to a parent folder would
//! never end.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::text::visible::{path_text, visible_bytes};

/// Result of a walk.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files by their path from the folder, with `/` between its parts.
    pub files: Vec<String>,
    /// Skipped files that would otherwise be included, with the reason.
    pub passed: Vec<(String, String)>,
}

/// Returns the files with one of these endings, without names that begin with `.` or `_`. `root` is
/// a canonical path.
pub fn walk(root: &Path, endings: &[&str]) -> io::Result<Walked> {
    let mut walk = Walk {
        root,
        endings,
        above: vec![root.to_owned()],
        followed: BTreeSet::new(),
        walked: Walked::default(),
    };
    walk.folder(root, "")?;
    Ok(walk.walked)
}

struct Walk<'w> {
    root: &'w Path,
    endings: &'w [&'w str],
    /// Canonical paths of the current folder and its parents.
    above: Vec<PathBuf>,
    /// Folders reached through a link: a second link would add the same files again.
    followed: BTreeSet<PathBuf>,
    walked: Walked,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".")
                || name.as_encoded_bytes().starts_with(b"_")
            {
                continue;
            }
            let Some(name) = name
                .to_str()
                .filter(|name| !name.contains(|letter: char| letter.is_ascii_control()))
            else {
                let shown = format!("{prefix}{}", visible_bytes(name.as_encoded_bytes()));
                if entry.path().is_dir() || self.is_wanted(&name.to_string_lossy()) {
                    self.walked.passed.push((
                        shown,
                        "its name is not UTF-8 or holds a control character".to_owned(),
                    ));
                }
                continue;
            };
            self.entry(&entry.path(), entry.file_type()?.is_symlink(), &format!("{prefix}{name}"))?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, is_link: bool, name: &str) -> io::Result<()> {
        let is_wanted = self.is_wanted(name);
        let real = match path.canonicalize() {
            Ok(real) => real,
            // The link is dangling or a loop, or was removed since the folder was read.
            Err(err) if is_link => {
                if is_wanted {
                    self.walked
                        .passed
                        .push((name.to_owned(), format!("the link is broken: {err}")));
                }
                return Ok(());
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
        };
        let is_folder = real.is_dir();
        if is_link && !real.starts_with(self.root) {
            if is_folder || is_wanted {
                self.walked.passed.push((
                    name.to_owned(),
                    format!("the link points outside the folder, to {}", path_text(&real)),
                ));
            }
            return Ok(());
        }
        if !is_folder {
            // Other types, for example pipes, may have no end of file.
            if is_wanted && real.is_file() {
                self.walked.files.push(name.to_owned());
            }
            return Ok(());
        }
        if self.above.contains(&real) || (is_link && !self.followed.insert(real.clone())) {
            return Ok(());
        }
        self.above.push(real);
        let walked = self.folder(path, &format!("{name}/"));
        self.above.pop();
        walked
    }

    fn is_wanted(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        self.endings.iter().any(|ending| lower.ends_with(ending))
    }
}
