//! Every dependency in `Cargo.toml` is used. The exceptions are in its section
//! `package.metadata.cargo-machete`, which the tool cargo-machete reads too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Returns the code of all files below a folder, without comments.
fn code(folder: &Path) -> String {
    let mut code = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            code.push_str(&self::code(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            code.extend(lines.flat_map(|line| [line, "\n"]));
        }
    }
    code
}

/// Packages whose crate has another name.
const RENAMED: [(&str, &str); 1] = [("md-5", "md5")];

/// Returns whether a path in the code begins with the name of a package's crate.
fn is_used(package: &str, code: &str) -> bool {
    let renamed = RENAMED.iter().find(|(name, _)| *name == package);
    let name = renamed.map_or_else(|| package.replace('-', "_"), |(_, name)| (*name).to_owned());
    Regex::new(&format!(r"\b{name}(::|;)|\buse {name} as ")).unwrap().is_match(code)
}

/// Returns the unused dependencies of a manifest and the exceptions that are not needed.
fn findings(manifest: &toml::Table, sources: &str, tests: &str) -> Vec<String> {
    let names = |section: &str| -> BTreeSet<String> {
        manifest
            .get(section)
            .into_iter()
            .flat_map(|found| found.as_table().unwrap().keys().cloned())
            .collect()
    };
    let exceptions: BTreeSet<String> = manifest["package"]["metadata"]["cargo-machete"]["ignored"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    let unused = names("dependencies").into_iter().filter(|name| !is_used(name, sources));
    let all = sources.to_owned() + tests;
    let mut unused: BTreeSet<String> = unused.collect();
    unused.extend(names("dev-dependencies").into_iter().filter(|name| !is_used(name, &all)));
    let mut found: Vec<String> =
        unused.difference(&exceptions).map(|name| format!("{name} is not used")).collect();
    found.extend(exceptions.difference(&unused).map(|name| format!("{name} needs no exception")));
    found
}

#[test]
fn every_dependency_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
    let tests = code(&root.join("tests")) + &code(&root.join("benches"));
    let found = findings(&manifest, &code(&root.join("src")), &tests);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_unused_dependency_and_a_needless_exception_are_found() {
    let manifest = r#"
        [package.metadata.cargo-machete]
        ignored = ["quiet", "needless"]
        [dependencies]
        used-crate = "1"
        quiet = "1"
        needless = "1"
        only-in-tests = "1"
        [dev-dependencies]
        of-tests = "1"
        forgotten = "1"
    "#;
    let sources = "use used_crate::Thing;\nneedless::call();";
    let tests = "only_in_tests::call(); of_tests::call(); not_forgotten::call();";
    let found = findings(&manifest.parse().unwrap(), sources, tests);
    assert_eq!(
        found,
        ["forgotten is not used", "only-in-tests is not used", "needless needs no exception"]
    );
}
