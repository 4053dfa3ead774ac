//! Files and folders in memory: read from a file system, compared, and recreated.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A file, which may have several names, or a folder with its names.
#[derive(Clone, Debug)]
pub enum Node {
    File { bytes: Arc<Vec<u8>>, modified: Option<SystemTime> },
    Folder(BTreeMap<String, usize>),
}

/// The contents of a folder. The first node is the folder itself.
pub struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    pub fn read(root: &Path) -> Self {
        let mut nodes = vec![Node::Folder(BTreeMap::new())];
        read(root, 0, &mut nodes, &mut HashMap::new());
        Self { nodes }
    }

    /// Returns every path below the root with its node, folders before their contents.
    fn paths(&self) -> Vec<(PathBuf, usize)> {
        let (mut found, mut waiting) = (Vec::new(), vec![(PathBuf::new(), 0)]);
        while let Some((path, node)) = waiting.pop() {
            if let Node::Folder(names) = &self.nodes[node] {
                waiting.extend(names.iter().map(|(name, node)| (path.join(name), *node)));
            }
            found.push((path, node));
        }
        found.sort();
        found
    }

    /// Returns everything by path: the bytes of a file, `None` for a folder.
    pub fn contents(&self) -> BTreeMap<PathBuf, Option<Arc<Vec<u8>>>> {
        let of = |node: usize| match &self.nodes[node] {
            Node::File { bytes, .. } => Some(Arc::clone(bytes)),
            Node::Folder(_) => None,
        };
        self.paths().into_iter().map(|(path, node)| (path, of(node))).collect()
    }

    /// Returns a hash that distinguishes trees.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut first: HashMap<usize, usize> = HashMap::new();
        for (at, (path, node)) in self.paths().into_iter().enumerate() {
            path.hash(&mut hasher);
            first.entry(node).or_insert(at).hash(&mut hasher);
            match &self.nodes[node] {
                Node::File { bytes, .. } => bytes.hash(&mut hasher),
                Node::Folder(_) => hasher.write_u8(0),
            }
        }
        hasher.finish()
    }

    /// Creates the tree below a folder; several names of one file become hard links.
    pub fn write(&self, root: &Path) {
        let mut written: HashMap<usize, PathBuf> = HashMap::new();
        for (path, node) in self.paths() {
            let path = root.join(path);
            match (&self.nodes[node], written.get(&node)) {
                (Node::Folder(_), _) => std::fs::create_dir_all(&path).unwrap(),
                (Node::File { .. }, Some(other)) => std::fs::hard_link(other, &path).unwrap(),
                (Node::File { bytes, modified }, None) => {
                    std::fs::write(&path, bytes.as_slice()).unwrap();
                    if let Some(modified) = modified {
                        std::fs::File::options()
                            .write(true)
                            .open(&path)
                            .unwrap()
                            .set_modified(*modified)
                            .unwrap();
                    }
                    written.insert(node, path);
                }
            }
        }
    }
}

fn read(folder: &Path, at: usize, nodes: &mut Vec<Node>, known: &mut HashMap<u64, usize>) {
    let mut names = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (meta, path) = (entry.metadata().unwrap(), entry.path());
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        let node = if meta.is_dir() {
            nodes.push(Node::Folder(BTreeMap::new()));
            let node = nodes.len() - 1;
            read(&path, node, nodes, known);
            node
        } else {
            *known.entry(inode).or_insert_with(|| {
                nodes.push(Node::File {
                    bytes: Arc::new(std::fs::read(&path).unwrap()),
                    modified: meta.modified().ok(),
                });
                nodes.len() - 1
            })
        };
        names.insert(entry.file_name().to_string_lossy().into_owned(), node);
    }
    nodes[at] = Node::Folder(names);
}
