//! The words of the code and its documents are those that Rust, Delta and Databricks engineers use.
//! The words here were replaced once and must not return.

use std::fs;
use std::path::{Path, PathBuf};

/// A part of an identifier that must not be used, and the standard word.
const IDENTIFIERS: &[(&str, &str)] = &[
    ("amiss", "findings"),
    ("anew", "rebuild"),
    ("bring", "load"),
    ("complained", "stderr"),
    ("fault", "err, error, violation"),
    ("faults", "errors, violations, failures"),
    ("gently", "throttled"),
    ("misfit", "invalid"),
    ("most", "max (for a constant)"),
    ("patience", "timeout"),
    ("said", "message, stated"),
    ("sleeper", "stale writer"),
    ("sought", "lookup"),
    ("tell", "render, report"),
    ("told", "message, rendered"),
];

/// A word that must not be used in comments and documents, and the standard word.
const PROSE: &[(&str, &str)] = &[
    ("aloud", "prints a message"),
    ("amiss", "wrong"),
    ("anew", "again, rebuild"),
    ("befall", "happen to"),
    ("gently", "throttled"),
    ("mend", "repair, fix"),
    ("misfit", "invalid value"),
    ("sought", "looked up"),
    ("told", "reported, returned, shown"),
    ("whoever", "the process that, the user who"),
];

/// Files that may say "fault", because they inject faults, which is the standard term.
const INJECTS_FAULTS: &[&str] = &["tests/it/store/", "tests/model/"];

/// Python scripts without an extension.
const SCRIPTS: &[&str] = &["jobs/run", "notebooks/run", "notebooks/dashboards/generate"];

/// The syntax of a source that matters here.
#[derive(Clone, Copy)]
struct Language {
    comment: &'static str,
    /// The delimiter of a text of several lines that is documentation.
    docstring: Option<&'static str>,
}

const RUST: Language = Language { comment: "//", docstring: None };
const PYTHON: Language = Language { comment: "#", docstring: Some("\"\"\"") };

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

/// Returns the words of a line: identifiers are split at `_` and before capitals.
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

/// Splits a line into its code and its comment. Texts in quotes are not part of the code.
fn split(line: &str, language: Language) -> (String, &str) {
    let (mut code, mut quote, mut is_escaped) = (String::new(), None, false);
    for (at, c) in line.char_indices() {
        if quote.is_none() && line[at..].starts_with(language.comment) {
            return (code, &line[at..]);
        }
        let is_quote = c == '"' || c == '\'' && language.docstring.is_some();
        if is_quote && !is_escaped && quote.is_none_or(|open| open == c) {
            quote = if quote.is_none() { Some(c) } else { None };
        }
        is_escaped = c == '\\' && !is_escaped;
        if quote.is_none() {
            code.push(c);
        }
    }
    (code, "")
}

/// Returns the places of banned words in a source.
fn in_source(name: &str, text: &str, language: Language) -> Vec<String> {
    let injects_faults = INJECTS_FAULTS.iter().any(|folder| name.starts_with(folder));
    let mut found = Vec::new();
    let mut is_docstring = false;
    for (number, line) in text.lines().enumerate() {
        let delimiters = language.docstring.map_or(0, |delimiter| line.matches(delimiter).count());
        if is_docstring || delimiters > 0 {
            is_docstring ^= delimiters % 2 == 1;
            found.extend(in_prose(name, number, line));
            continue;
        }
        let (code, comment) = split(line, language);
        for (word, standard) in IDENTIFIERS {
            let is_exempt = word.starts_with("fault") && injects_faults
                || *word == "most" && !code.contains("MOST");
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
    let mut rust = Vec::new();
    for folder in ["src", "tests", "benches"] {
        files(&root.join(folder), &["rs"], &mut rust);
    }
    rust.retain(|path| !path.ends_with("tests/it/words.rs"));
    let mut python: Vec<PathBuf> = SCRIPTS.iter().map(|script| root.join(script)).collect();
    for folder in ["tests", "benches", "jobs", "notebooks"] {
        files(&root.join(folder), &["py"], &mut python);
    }
    let pages =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/README.md"];
    let mut documents = pages.map(|page| root.join(page)).to_vec();
    files(&root.join("docs"), &["md"], &mut documents);
    let counts = (rust.len(), python.len(), documents.len());
    assert!(counts.0 > 300 && counts.1 > 50 && counts.2 > 5, "{counts:?}");

    let mut found = Vec::new();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        (name, fs::read_to_string(path).unwrap())
    };
    for (sources, language) in [(&rust, RUST), (&python, PYTHON)] {
        for (name, text) in sources.iter().map(read) {
            found.extend(in_source(&name, &text, language));
        }
    }
    for (name, text) in documents.iter().map(read) {
        found.extend(
            text.lines().enumerate().flat_map(|(number, line)| in_prose(&name, number, line)),
        );
    }
    assert!(found.is_empty(), "{} banned words:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_search_finds_banned_words() {
    let lines = |name: &str, text: &str, language: Language| -> Vec<String> {
        let found = in_source(name, text, language);
        found.iter().filter_map(|place| place.split(':').nth(1).map(str::to_owned)).collect()
    };
    let rust = "let fault = 1; // told\nfn is_told() {}\nlet a = \"told\";\nconst MOST_ROWS: u8 = 1;\nlet most = Misfit;";
    assert_eq!(lines("a.rs", rust, RUST), ["1", "1", "2", "4", "5"]);
    assert_eq!(lines("tests/it/store/a.rs", "let faults = Fault::new();", RUST), [""; 0]);
    let python = "\"\"\"It was told\nanew.\"\"\"\nfault = 'told'  # told\nx = \"# told\"\n# aloud";
    assert_eq!(lines("a.py", python, PYTHON), ["1", "2", "3", "3", "5"]);
}
