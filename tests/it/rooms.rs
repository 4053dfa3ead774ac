//! The architecture: which module may use which, which third-party crates may be used where, and
//! that a command is one file and one line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules it may use; `main` may use all of them.
const MODULES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("text", &["domain"]),
    ("planning", &["domain", "text"]),
    ("net", &["domain"]),
    ("runtime", &["domain"]),
    ("config", &["domain", "text"]),
    ("databricks", &["domain", "net", "runtime"]),
    ("store", &["domain", "text", "databricks", "runtime", "config"]),
    ("exchange", &["domain", "text", "runtime", "config"]),
    ("analytics", &["domain", "text", "databricks", "store"]),
    (
        "service",
        &[
            "domain",
            "text",
            "planning",
            "net",
            "databricks",
            "runtime",
            "config",
            "store",
            "exchange",
            "analytics",
        ],
    ),
    (
        "app",
        &[
            "domain",
            "text",
            "planning",
            "net",
            "databricks",
            "runtime",
            "config",
            "store",
            "exchange",
            "analytics",
            "service",
        ],
    ),
    (
        "cli",
        &[
            "analytics",
            "domain",
            "text",
            "planning",
            "databricks",
            "runtime",
            "config",
            "store",
            "exchange",
            "service",
            "app",
        ],
    ),
];

/// Third-party crates and the modules that may use them.
const CRATES: &[(&str, &[&str])] = &[
    ("deltalake", &["store", "analytics"]),
    ("datafusion", &["analytics"]),
    ("object_store", &["store", "analytics"]),
    ("askama", &["analytics", "cli"]),
    ("plotters", &["analytics"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("comfy_table", &["cli"]),
    ("flate2", &["net"]),
    ("reqwest", &["net"]),
    ("tokio", &["net", "databricks", "store", "analytics", "service", "cli"]),
    ("rand", &["runtime"]),
    ("figment2", &["config"]),
    ("toml", &["config", "planning"]),
    ("pulldown_cmark", &["planning", "text"]),
];

pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns each source file with its module and its code.
fn source_files() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let module = name.split(['/', '.']).next().unwrap().to_owned();
            let code: Vec<String> = fs::read_to_string(&path)
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(str::to_owned)
                .collect();
            (name, module, code.join("\n"))
        })
        .collect()
}

/// Returns the first segments of the paths that begin with `prefix`; groups in braces are expanded.
fn segments(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let group = rest.strip_prefix('{').map(|group| group.split('}').next().unwrap_or_default());
        let names: Vec<&str> = group.map_or_else(|| vec![rest], |group| group.split(',').collect());
        for name in names {
            let word: String = name
                .trim_start()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if !word.is_empty() && word.starts_with(|c: char| c.is_ascii_lowercase()) {
                found.push(word);
            }
        }
    }
    found
}

#[test]
fn modules_use_only_allowed_modules() {
    let allowed: BTreeMap<&str, &[&str]> = MODULES.iter().copied().collect();
    let mut seen = 0;
    for (name, module, code) in source_files() {
        let Some(allowed) = allowed.get(module.as_str()) else {
            assert!(
                matches!(module.as_str(), "main" | "lib"),
                "{name} is in no module of the table"
            );
            continue;
        };
        for used in segments(&code, "crate::") {
            seen += 1;
            assert!(
                used == module || allowed.contains(&used.as_str()),
                "{name} uses crate::{used}, which is not allowed in {module}"
            );
        }
    }
    assert!(seen > 100, "only {seen} paths were found; the search is broken");
}

#[test]
fn third_party_crates_are_used_only_where_allowed() {
    for (name, module, code) in source_files() {
        for (foreign, modules) in CRATES {
            let used = code.contains(&format!("{foreign}::"));
            assert!(
                !used
                    || modules.contains(&module.as_str())
                    || matches!(module.as_str(), "app" | "main"),
                "{name} uses {foreign}, which is only allowed in {modules:?}"
            );
        }
    }
}

#[test]
fn each_command_is_one_file_and_one_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let helpers = [
        "mod",
        "cancel",
        "context",
        "error",
        "files",
        "hint",
        "limit",
        "log",
        "parse_error",
        "progress",
        "reply",
        "show",
        "skipped",
        "summary",
    ];
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| !helpers.contains(&name.as_str()))
        .collect();
    files.sort();
    let mut listed: Vec<String> =
        lakeplan::cli::COMMANDS.iter().map(|(_, file)| (*file).to_owned()).collect();
    listed.sort();
    assert_eq!(files, listed, "src/cli and the list in src/cli/mod.rs disagree");
}

#[test]
fn every_command_has_help_with_an_example() {
    let mut checked = 0;
    let mut open = vec![lakeplan::cli::definition()];
    let mut top = true;
    while let Some(command) = open.pop() {
        assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        open.extend(command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned());
        checked += 1;
        top = false;
    }
    assert!(!top && checked > 20);
    for command in
        lakeplan::cli::definition().get_subcommands().filter(|sub| sub.get_name() != "help")
    {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.contains("lakeplan "), "{} shows no example", command.get_name());
    }
    lakeplan::cli::definition().debug_assert();
}

/// Returns the doc comment of a command's `Args`, joined with spaces.
fn doc_of(source: &str) -> String {
    let (before, _) = source.split_once("pub struct Args").unwrap();
    let lines: Vec<&str> = before.lines().collect();
    let last = lines.iter().rposition(|line| line.starts_with("///")).unwrap();
    let first =
        lines[..last].iter().rposition(|line| !line.starts_with("///")).map_or(0, |at| at + 1);
    lines[first..=last]
        .iter()
        .map(|line| line.trim_start_matches('/').trim())
        .collect::<Vec<_>>()
        .join(" ")
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn help_contains_the_whole_doc_of_a_command() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let mut definition = lakeplan::cli::definition();
    definition.build();
    let mut paragraphs = 0;
    for (variant, file) in lakeplan::cli::COMMANDS {
        let source = fs::read_to_string(folder.join(file).with_extension("rs")).unwrap();
        let doc = doc_of(&source);
        let name = file.replace('_', "-");
        let command = definition
            .find_subcommand_mut(&name)
            .unwrap_or_else(|| panic!("{variant}: no command {name}"));
        let help = command.render_long_help().to_string();
        let (doc, help) = (words(doc.trim_end_matches('.')), words(&help));
        let is_whole = help.windows(doc.len()).any(|part| {
            let last = part.len() - 1;
            part[..last] == doc[..last] && part[last].trim_end_matches('.') == doc[last]
        });
        assert!(is_whole, "{name} --help does not contain its doc: {}", doc.join(" "));
        paragraphs += usize::from(source.contains("///\n/// "));
    }
    assert!(paragraphs > 10, "only {paragraphs} commands have more than one line of doc");
}
