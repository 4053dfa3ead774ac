//! A disk as a power cut leaves it.
//!
//! The model is harder than any file system in use. A file's bytes are safe when a flush of the file that began after they
//! were written has returned; a name, or that it is gone, is safe when a flush of its folder that began after the change has
//! returned. Everything else may be lost or kept, each change by itself and in any order: a name without its file's bytes, a
//! second rename without the first, a folder's names without the folder's own. A rename is one change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt;
use rand::rngs::StdRng;

use super::strace::{Call, Event, Recording};
use super::tree::{Node, Tree};

#[derive(Clone, Debug)]
enum Effect {
    /// Names of a folder that lead somewhere else or nowhere from now on, all of them or none.
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
    /// The file or folder whose flush makes it safe.
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

/// Flushes that the tester ignores on request, to find out whether it would notice that they are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blind {
    Nothing,
    OfFiles,
    OfFolders,
    /// Flushes of a folder save the names of files and not those of folders.
    OfNewFolders,
}

/// What becomes of the changes that are not safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsafe {
    Lost,
    Kept,
    /// Names are kept and bytes are lost.
    OnlyNames,
    /// Some of each, by a seed.
    Some(u64),
}

/// A folder and what is below it, as it was when recording began and as it was changed since.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
    /// As everything that was flushed left it, and as a process sees it; the first node of each is the root.
    safe: Vec<Node>,
    seen: Vec<Node>,
    changes: Vec<Change>,
}

impl Disk {
    /// A folder as it is, all of it safe.
    pub fn read(root: &Path) -> Self {
        let nodes = Tree::read(root).nodes;
        Self { root: root.to_owned(), safe: nodes.clone(), seen: nodes, changes: Vec::new() }
    }

    /// The disk after so many events of a recording, and what was acknowledged until then.
    pub fn after(&self, recording: &Recording, events: usize, blind: Blind) -> (Self, Vec<String>) {
        let (mut disk, mut acknowledged) = (self.clone(), Vec::new());
        // What has begun and not ended, with how many changes were done before.
        let mut running: BTreeMap<usize, usize> = BTreeMap::new();
        for event in &recording.events[..events] {
            match *event {
                Event::Begun(call) => {
                    if let Call::Acknowledge(what) = &recording.calls[call] {
                        acknowledged.extend(what.iter().cloned());
                    }
                    running.insert(call, disk.changes.len());
                }
                Event::Ended(call) => {
                    let Some(before) = running.remove(&call) else { continue };
                    // Another thread saw what this call did before strace recorded its end.
                    if disk.do_call(&recording.calls[call], before, blind).is_none() {
                        running.retain(|running, before| {
                            let call = &recording.calls[*running];
                            let is_done = !matches!(call, Call::Flush { .. })
                                && disk.do_call(call, *before, blind).is_some();
                            !is_done
                        });
                        let done = disk.do_call(&recording.calls[call], before, blind);
                        assert!(
                            done.is_some(),
                            "{:?} does not fit what was recorded before it",
                            recording.calls[call]
                        );
                    }
                }
            }
        }
        for (call, before) in running {
            // Whether it was done nobody knows; a flush that has not returned saves nothing.
            if !matches!(recording.calls[call], Call::Flush { .. }) {
                let _ = disk.do_call(&recording.calls[call], before, blind);
            }
        }
        (disk, acknowledged)
    }

    /// Does a call; `None` where the names it speaks of are not there.
    fn do_call(&mut self, call: &Call, before: usize, blind: Blind) -> Option<()> {
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
            // One that a kill cut short, and that would have failed because the name is taken, did nothing.
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
                    "a rename from one folder into another is not in the model"
                );
                self.change(Effect::Names { folder, names: vec![(old, None), (new, Some(node))] });
            }
            Call::Remove { path } => {
                self.find(path)?;
                self.name(path, None)?;
            }
            Call::Flush { path } => {
                // What is gone needs no flush.
                let Some(node) = self.find(path) else { return Some(()) };
                let is_folder = matches!(self.seen[node], Node::Folder(_));
                if blind == Blind::OfFiles && !is_folder || blind == Blind::OfFolders && is_folder {
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
                    change.is_safe |= !(blind == Blind::OfNewFolders && is_of_folder);
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

    /// How many changes are not safe.
    pub fn at_risk(&self) -> usize {
        self.changes.iter().filter(|change| !change.is_safe).count()
    }

    /// What is there as long as the power stays.
    pub fn seen(&self) -> Tree {
        Tree { nodes: self.seen.clone() }
    }

    /// What is there when the power comes back.
    pub fn cut(&self, unsafes: Unsafe, random: &mut StdRng) -> Tree {
        let mut nodes = self.safe.clone();
        let share = [0.2, 0.5, 0.8][random.random_range(0..3)];
        for change in &self.changes {
            let is_name = matches!(change.effect, Effect::Names { .. });
            match unsafes {
                _ if change.is_safe => apply(&mut nodes, &change.effect),
                Unsafe::Lost => {}
                Unsafe::Kept => apply(&mut nodes, &change.effect),
                Unsafe::OnlyNames if is_name => apply(&mut nodes, &change.effect),
                Unsafe::OnlyNames => {}
                Unsafe::Some(_) if random.random_bool(share) => apply(&mut nodes, &change.effect),
                Unsafe::Some(_) => {
                    // A file may have got its length and not its bytes, or the first of them.
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
