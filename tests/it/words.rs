//! The words of the code and its documents are those that Rust, Delta and Databricks engineers use. The words here were
//! replaced once and must not return.

use std::fs;
use std::path::{Path, PathBuf};

/// A part of an identifier that must not be used, and the standard word.
const IDENTIFIERS: &[(&str, &str)] = &[
    ("amiss", "findings"),
    ("anew", "rebuild"),
    ("bring", "load"),
    ("fault", "err, error, violation"),
    ("gently", "throttled"),
    ("misfit", "invalid"),
    ("most", "max (for a constant)"),
    ("patience", "timeout"),
    ("said", "message, stated"),
    ("sought", "lookup"),
    ("tell", "render, report"),
    ("told", "message, rendered"),
];

/// A word that must not be used in comments and documents, and the standard word.
const PROSE: &[(&str, &str)] = &[
    ("anew", "again, rebuild"),
    ("gently", "throttled"),
    ("misfit", "invalid value"),
    ("sought", "looked up"),
    ("told", "reported, returned, shown"),
];

/// Files that may say "fault", because they inject faults, which is the standard term.
fn injects_faults(file: &Path) -> bool {
    let name = file.to_string_lossy();
    ["tests/it/store/", "tests/it/power/", "tests/it/databricks/", "tests/it/clouds/"]
        .iter()
        .any(|part| name.contains(part))
}

fn files(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extensions, found);
        } else if path
            .extension()
            .is_some_and(|own| extensions.iter().any(|extension| own == *extension))
        {
            found.push(path);
        }
    }
}

/// The words of a line: identifiers are split at `_` and before capitals.
fn words(line: &str) -> impl Iterator<Item = String> + '_ {
    line.split(|c: char| !c.is_alphanumeric()).flat_map(|word| {
        let mut parts: Vec<String> = vec![String::new()];
        let mut was_lower = false;
        for c in word.chars() {
            if c.is_uppercase() && was_lower {
                parts.push(String::new());
            }
            was_lower = c.is_lowercase();
            parts.last_mut().unwrap().extend(c.to_lowercase());
        }
        parts
    })
}

/// The code of a Rust line and its comment. Texts in quotes are left out of the code.
fn split(line: &str) -> (String, &str) {
    let (mut code, mut quoted, mut escaped) = (String::new(), false, false);
    for (at, c) in line.char_indices() {
        if !quoted && line[at..].starts_with("//") {
            return (code, &line[at..]);
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        if !quoted {
            code.push(c);
        }
    }
    (code, "")
}

/// The places of banned words in a Rust source.
fn in_source(name: &str, text: &str, may_fault: bool) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (code, comment) = split(line);
        for (word, standard) in IDENTIFIERS {
            let is_exempt =
                (*word == "fault" && may_fault) || *word == "most" && !code.contains("MOST");
            if !is_exempt && words(&code).any(|own| own == *word) {
                found.push(format!(
                    "{name}:{}: {word} in an identifier; the word is {standard}",
                    number + 1
                ));
            }
        }
        found.extend(in_prose(name, number, comment));
    }
    found
}

fn in_prose(name: &str, number: usize, line: &str) -> Vec<String> {
    let banned = PROSE.iter().filter(|(word, _)| words(line).any(|own| own == *word));
    banned
        .map(|(word, standard)| format!("{name}:{}: {word}; the word is {standard}", number + 1))
        .collect()
}

#[test]
fn banned_words_do_not_return() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches"] {
        files(&root.join(folder), &["rs"], &mut sources);
    }
    let mut found = Vec::new();
    for path in sources.iter().filter(|path| !path.ends_with("tests/it/words.rs")) {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        found.extend(in_source(&name, &fs::read_to_string(path).unwrap(), injects_faults(path)));
    }
    let mut documents =
        vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("CHANGELOG.md")];
    files(&root.join("docs"), &["md"], &mut documents);
    for path in &documents {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let text = fs::read_to_string(path).unwrap();
        found.extend(
            text.lines().enumerate().flat_map(|(number, line)| in_prose(&name, number, line)),
        );
    }
    assert!(
        sources.len() > 300 && documents.len() > 5,
        "{} sources, {} documents",
        sources.len(),
        documents.len()
    );
    assert!(found.is_empty(), "{} banned words:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_test_finds_what_it_looks_for() {
    let text = "let fault = 1; // told\nfn is_told() {}\nlet a = \"told\";\nconst MOST_ROWS: u8 = 1;\nlet most = Misfit;";
    let found = in_source("a.rs", text, false);
    let lines: Vec<&str> = found.iter().filter_map(|place| place.split(':').nth(1)).collect();
    assert_eq!(lines, ["1", "1", "2", "4", "5"], "{found:?}");
}
