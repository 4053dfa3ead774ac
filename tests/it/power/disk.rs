//! The disk after a power cut.
//!
//! The model is harsher than any file system in use. A file's bytes are safe after a flush of the
//! file that began after the write has returned. A name, or its removal, is safe after a flush of
//! its directory that began after the change has returned. Everything else may be lost or kept,
//! each change separately and in any order: a name without the bytes of its file, a second rename
//! without the first, the names in a directory without the directory itself. A rename is one
//! change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt;
use rand::rngs::StdRng;

use super::strace::{Call, Event, Recording};
use super::tree::{Node, Tree};

#[derive(Clone, Debug)]
enum Effect {
    /// Names in a directory that now lead to another node or to none; all of them change, or none.
    Names {
        folder: usize,
        names: Vec<(String, Option<usize>)>,
    },
    Bytes {
        file: usize,
        at: u64,
        bytes: Arc<[u8]>,
    },
    Length {
        file: usize,
        length: u64,
    },
}

impl Effect {
    /// Returns the file or directory whose flush makes the effect safe.
    fn concerns(&self) -> usize {
        match self {
            Self::Names { folder, .. } => *folder,
            Self::Bytes { file, .. } | Self::Length { file, .. } => *file,
        }
    }
}

#[derive(Clone, Debug)]
struct Change {
    effect: Effect,
    is_safe: bool,
}

/// Flushes that the tester ignores on request, to verify that it notices their absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredFlushes {
    Nothing,
    OfFiles,
    OfFolders,
    /// Flushes of a directory save the names of files, but not those of directories.
    OfNewFolders,
}

/// Treatment of the unsafe changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutMode {
    Lost,
    Kept,
    /// Names are kept and bytes are lost.
    OnlyNames,
    /// Some changes are kept, chosen by a seed.
    Some(u64),
}

/// A directory with its contents, at the beginning of a recording, and the changes since.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
    /// The flushed state and the state that a process sees. The first node of each is the root.
    safe: Vec<Node>,
    seen: Vec<Node>,
    changes: Vec<Change>,
}

impl Disk {
    /// Reads a directory; all its contents are safe.
    pub fn read(root: &Path) -> Self {
        let nodes = Tree::read(root).nodes;
        Self { root: root.to_owned(), safe: nodes.clone(), seen: nodes, changes: Vec::new() }
    }

    /// Returns the disk after this number of events of a recording, and the acknowledgements until
    /// then.
    pub fn after(
        &self,
        recording: &Recording,
        events: usize,
        ignored: IgnoredFlushes,
    ) -> (Self, Vec<String>) {
        let (mut disk, mut acknowledged) = (self.clone(), Vec::new());
        // Calls in progress, with the number of changes before each.
        let mut running: BTreeMap<usize, usize> = BTreeMap::new();
        for event in &recording.events[..events] {
            match *event {
                Event::Started(call) => {
                    if let Call::Acknowledge(what) = &recording.calls[call] {
                        acknowledged.extend(what.iter().cloned());
                    }
                    running.insert(call, disk.changes.len());
                }
                Event::Ended(call) => {
                    let Some(before) = running.remove(&call) else { continue };
                    // Another thread saw the effect of this call before strace recorded its end.
                    if disk.do_call(&recording.calls[call], before, ignored).is_none() {
                        running.retain(|running, before| {
                            let call = &recording.calls[*running];
                            let is_done = !matches!(call, Call::Flush { .. })
                                && disk.do_call(call, *before, ignored).is_some();
                            !is_done
                        });
                        let done = disk.do_call(&recording.calls[call], before, ignored);
                        assert!(
                            done.is_some(),
                            "{:?} contradicts the calls recorded before it",
                            recording.calls[call]
                        );
                    }
                }
            }
        }
        for (call, before) in running {
            // It is unknown whether the call took effect; a flush that has not returned saves
            // nothing.
            if !matches!(recording.calls[call], Call::Flush { .. }) {
                let _ = disk.do_call(&recording.calls[call], before, ignored);
            }
        }
        (disk, acknowledged)
    }

    /// Applies a call; returns `None` if its names do not exist.
    fn do_call(&mut self, call: &Call, before: usize, ignored: IgnoredFlushes) -> Option<()> {
        match call {
            Call::Acknowledge(_) => {}
            Call::Create { path, empties } => match self.find(path) {
                Some(file) if *empties => self.change(Effect::Length { file, length: 0 }),
                Some(_) => {}
                None => {
                    let file = self.new_node(Node::File { bytes: Arc::default(), modified: None });
                    self.name(path, Some(file))?;
                }
            },
            // A call that a kill interrupted did nothing if its name was already taken.
            Call::MakeFolder { path: to } | Call::Link { to, .. } if self.find(to).is_some() => {}
            Call::MakeFolder { path } => {
                let folder = self.new_node(Node::Folder(BTreeMap::new()));
                self.name(path, Some(folder))?;
            }
            Call::Write { path, at, bytes } => {
                let file = self.find(path)?;
                self.change(Effect::Bytes { file, at: *at, bytes: Arc::clone(bytes) });
            }
            Call::Truncate { path, length } => {
                let file = self.find(path)?;
                self.change(Effect::Length { file, length: *length });
            }
            Call::Link { from, to } => {
                let file = self.find(from)?;
                self.name(to, Some(file))?;
            }
            Call::Rename { from, to } => {
                let node = self.find(from)?;
                let ((folder, old), (other, new)) = (self.place(from)?, self.place(to)?);
                assert_eq!(
                    folder, other,
                    "the model does not support a rename from one folder into another"
                );
                self.change(Effect::Names { folder, names: vec![(old, None), (new, Some(node))] });
            }
            Call::Remove { path } => {
                self.find(path)?;
                self.name(path, None)?;
            }
            Call::Flush { path } => {
                // A deleted node needs no flush.
                let Some(node) = self.find(path) else { return Some(()) };
                let is_folder = matches!(self.seen[node], Node::Folder(_));
                if ignored == IgnoredFlushes::OfFiles && !is_folder
                    || ignored == IgnoredFlushes::OfFolders && is_folder
                {
                    return Some(());
                }
                for change in self
                    .changes
                    .iter_mut()
                    .take(before)
                    .filter(|change| change.effect.concerns() == node)
                {
                    let leads_to_folder = |node: &Option<usize>| {
                        node.is_some_and(|node| matches!(self.seen[node], Node::Folder(_)))
                    };
                    let is_of_folder = match &change.effect {
                        Effect::Names { names, .. } => {
                            names.iter().any(|(_, node)| leads_to_folder(node))
                        }
                        _ => false,
                    };
                    change.is_safe |= !(ignored == IgnoredFlushes::OfNewFolders && is_of_folder);
                }
            }
        }
        Some(())
    }

    fn new_node(&mut self, node: Node) -> usize {
        self.safe.push(node.clone());
        self.seen.push(node);
        self.seen.len() - 1
    }

    fn name(&mut self, path: &Path, to: Option<usize>) -> Option<()> {
        let (folder, name) = self.place(path)?;
        self.change(Effect::Names { folder, names: vec![(name, to)] });
        Some(())
    }

    fn change(&mut self, effect: Effect) {
        apply(&mut self.seen, &effect);
        self.changes.push(Change { effect, is_safe: false });
    }

    fn place(&self, path: &Path) -> Option<(usize, String)> {
        Some((self.find(path.parent()?)?, path.file_name()?.to_string_lossy().into_owned()))
    }

    fn find(&self, path: &Path) -> Option<usize> {
        let below = path.strip_prefix(&self.root).ok()?;
        below.components().try_fold(0, |at, part| match &self.seen[at] {
            Node::Folder(names) => names.get(part.as_os_str().to_string_lossy().as_ref()).copied(),
            Node::File { .. } => None,
        })
    }

    /// Returns the number of unsafe changes.
    pub fn at_risk(&self) -> usize {
        self.changes.iter().filter(|change| !change.is_safe).count()
    }

    /// Returns the contents while the power stays on.
    pub fn seen(&self) -> Tree {
        Tree { nodes: self.seen.clone() }
    }

    /// Returns the contents after a power cut.
    pub fn cut(&self, mode: CutMode, random: &mut StdRng) -> Tree {
        let mut nodes = self.safe.clone();
        let share = [0.2, 0.5, 0.8][random.random_range(0..3)];
        for change in &self.changes {
            let is_name = matches!(change.effect, Effect::Names { .. });
            match mode {
                _ if change.is_safe => apply(&mut nodes, &change.effect),
                CutMode::Lost => {}
                CutMode::Kept => apply(&mut nodes, &change.effect),
                CutMode::OnlyNames if is_name => apply(&mut nodes, &change.effect),
                CutMode::OnlyNames => {}
                CutMode::Some(_) if random.random_bool(share) => apply(&mut nodes, &change.effect),
                CutMode::Some(_) => {
                    // A file may have its new length without the bytes, or with only the first
                    // bytes.
                    if let Effect::Bytes { file, at, bytes } = &change.effect {
                        let kept = random.random_range(0..=bytes.len());
                        let part: Vec<u8> = match random.random_range(0..3) {
                            0 => bytes[..kept].to_vec(),
                            1 => vec![0; bytes.len()],
                            _ => continue,
                        };
                        apply(
                            &mut nodes,
                            &Effect::Bytes { file: *file, at: *at, bytes: part.into() },
                        );
                    }
                }
            }
        }
        Tree { nodes }
    }
}

fn apply(nodes: &mut [Node], effect: &Effect) {
    let concerned = effect.concerns();
    match (&mut nodes[concerned], effect) {
        (Node::Folder(known), Effect::Names { names, .. }) => {
            for (name, node) in names {
                match node {
                    Some(node) => drop(known.insert(name.clone(), *node)),
                    None => drop(known.remove(name)),
                }
            }
        }
        (Node::File { bytes: known, modified }, Effect::Bytes { at, bytes, .. }) => {
            let (known, at) = (Arc::make_mut(known), *at as usize);
            known.resize(known.len().max(at + bytes.len()), 0);
            known[at..at + bytes.len()].copy_from_slice(bytes);
            *modified = None;
        }
        (Node::File { bytes: known, .. }, Effect::Length { length, .. }) => {
            Arc::make_mut(known).resize(*length as usize, 0)
        }
        (node, effect) => panic!("{effect:?} of {node:?}"),
    }
}
