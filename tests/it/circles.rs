//! No file of `src` uses a file that uses it back, directly or through others.
//!
//! A file uses the file that defines an item, also if a parent re-exports it. Declaring or
//! re-exporting a child is no use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::rooms::sources;

/// Path of a module or an item below the crate.
type Name = Vec<String>;

/// A module's own uses and re-exports, as absolute paths.
#[derive(Default)]
struct Module {
    uses: Vec<Name>,
    exports: BTreeMap<String, Name>,
}

fn name(text: &str) -> Name {
    text.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Returns the code without comments and without the tests in it.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    match code.find("#[cfg(test)]\nmod tests {") {
        Some(at) => code[..at].to_owned(),
        None => code,
    }
}

/// Expands a use tree such as `a::{b, c::{self, d as e}}` into its paths.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or_default().to_owned()];
    };
    let body = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in body.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&body[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&body[from..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(expand).map(|part| format!("{head}{part}")).collect()
}

/// Returns the absolute path of a path in a module; `None` if it is of another crate.
fn absolute(module: &Name, path: &Name, modules: &BTreeSet<Name>) -> Option<Name> {
    let join = |base: &[String], rest: &[String]| [base, rest].concat();
    match path.first().map(String::as_str)? {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some(join(module, &path[1..])),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            Some(join(&module[..module.len().checked_sub(up)?], &path[up..]))
        }
        child => {
            let own = join(module, &[child.to_owned()]);
            modules.contains(&own).then(|| join(module, path))
        }
    }
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

fn module(own: &Name, text: &str, modules: &BTreeSet<Name>) -> Module {
    let mut found = Module::default();
    let mut rest = String::new();
    for statement in code(text).split_inclusive(';') {
        let tree = statement
            .rfind("use ")
            .filter(|at| statement[..*at].ends_with([' ', '\n']) || *at == 0)
            .map(|at| (statement[..at].lines().last().unwrap_or_default(), &statement[at + 4..]));
        let Some((before, tree)) = tree.filter(|(_, tree)| tree.ends_with(';')) else {
            rest.push_str(statement);
            continue;
        };
        for path in expand(tree.trim_end_matches(';')) {
            let Some(path) = absolute(own, &name(&path), modules) else { continue };
            match path.last().filter(|_| before.trim_start().starts_with("pub")) {
                Some(item) => drop(found.exports.insert(item.clone(), path)),
                None => found.uses.push(path),
            }
        }
    }
    // A path that begins with a root or with a child, as in `child::function()`.
    for (at, _) in rest.match_indices("::") {
        let before = rest[..at].rfind(|c: char| !is_of_path(c)).map_or(0, |before| before + 1);
        let after = rest[at..].find(|c| !is_of_path(c)).map_or(rest.len(), |length| at + length);
        found.uses.extend(absolute(own, &name(&rest[before..after]), modules));
    }
    found
}

/// Returns the module that defines what a path names.
fn defining(path: &Name, modules: &BTreeMap<Name, Module>, depth: usize) -> Option<Name> {
    let (known, own) = (0..=path.len())
        .rev()
        .find_map(|length| modules.get(&path[..length]).map(|found| (length, found)))?;
    let exported = path.get(known).and_then(|item| own.exports.get(item));
    exported
        .filter(|_| depth < 8)
        .and_then(|to| defining(to, modules, depth + 1))
        .or_else(|| Some(path[..known].to_vec()))
}

/// Returns the groups of modules that use each other, directly or through others.
fn circles(files: &[(Name, String)]) -> Vec<BTreeSet<Name>> {
    let names: BTreeSet<Name> = files.iter().map(|(name, _)| name.clone()).collect();
    let modules: BTreeMap<Name, Module> =
        files.iter().map(|(name, text)| (name.clone(), module(name, text, &names))).collect();
    let uses: BTreeMap<&Name, BTreeSet<Name>> = modules
        .iter()
        .map(|(name, own)| {
            let used = own.uses.iter().filter_map(|path| defining(path, &modules, 0));
            (name, used.filter(|used| used != name && !used.is_empty()).collect())
        })
        .collect();
    let reached = |from: &Name| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(next) = open.pop() {
            for used in &uses[&next] {
                if seen.insert(used.clone()) {
                    open.push(used.clone());
                }
            }
        }
        seen
    };
    let reaches: BTreeMap<&Name, BTreeSet<Name>> =
        uses.keys().map(|name| (*name, reached(name))).collect();
    let circle = |name: &Name| -> BTreeSet<Name> {
        let back = reaches[name].iter().filter(|other| reaches[other].contains(name));
        back.cloned().collect()
    };
    let found: BTreeSet<BTreeSet<Name>> = uses.keys().map(|name| circle(name)).collect();
    found.into_iter().filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn no_files_use_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<(Name, String)> = sources(&root)
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let file = path.strip_prefix(&root).unwrap().with_extension("");
            let parts = file.iter().map(|part| part.to_string_lossy().into_owned());
            (parts.filter(|part| part != "mod" && part != "lib").collect(), text)
        })
        .collect();
    assert!(files.len() > 300, "only {} files were read", files.len());
    let found: Vec<Vec<String>> = circles(&files)
        .iter()
        .map(|circle| circle.iter().map(|name| name.join("/")).collect())
        .collect();
    assert!(found.is_empty(), "files that use each other: {found:#?}");
}

#[test]
fn a_circle_through_a_parent_and_an_inline_path_is_found() {
    let file = |path: &str, text: &str| (name(path), text.to_owned());
    let mut files = vec![
        file("", "mod room;"),
        file("room", "mod a;\nmod b;\nmod c;\npub use a::{A, nested as N};\n"),
        file(
            "room::a",
            "use super::b::{self, B};\n#[cfg(test)]\nmod tests {\n use super::c::C;\n}\n",
        ),
        file("room::b", "use std::fmt;\nfn of() { crate::room::c::one() }\n"),
        file("room::c", "// use super::A;\nuse std::fs;\n"),
    ];
    assert_eq!(circles(&files), []);
    files[4].1.push_str("use crate::room::{\n    A,\n};\n");
    let circle = ["room::a", "room::b", "room::c"].map(name);
    assert_eq!(circles(&files), [BTreeSet::from(circle)]);
}
