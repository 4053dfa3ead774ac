//! The house keeps its walls: which room may use which, which third-party crates may stand where, and that a command
//! is one file and one line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Room and what it may use; `app` and `main` may use everything.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("text", &["domain"]),
    ("planning", &["domain", "text"]),
    ("net", &["domain"]),
    ("runtime", &["domain"]),
    ("config", &["domain"]),
    ("store", &["domain", "text", "net", "runtime", "config"]),
    ("exchange", &["domain", "text", "net", "runtime", "config"]),
    ("analytics", &["domain", "text", "net", "store"]),
    (
        "service",
        &[
            "domain",
            "text",
            "planning",
            "net",
            "runtime",
            "config",
            "store",
            "exchange",
            "analytics",
        ],
    ),
    (
        "cli",
        &[
            "analytics",
            "domain",
            "text",
            "planning",
            "runtime",
            "config",
            "store",
            "exchange",
            "service",
            "app",
        ],
    ),
];

/// Third-party crate and the rooms it may stand in.
const WALLS: &[(&str, &[&str])] = &[
    ("deltalake", &["store", "analytics"]),
    ("datafusion", &["analytics"]),
    ("object_store", &["store", "analytics"]),
    ("plotters", &["analytics"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("comfy_table", &["cli"]),
    ("reqwest", &["net"]),
    ("tokio", &["net", "store", "analytics", "service", "cli"]),
    ("rand", &["runtime"]),
    ("toml", &["config", "planning"]),
    ("pulldown_cmark", &["planning", "text"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
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

/// Each source file with the room it is in and its code.
fn house() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let room = name.split(['/', '.']).next().unwrap().to_owned();
            let code: Vec<String> = fs::read_to_string(&path)
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(str::to_owned)
                .collect();
            (name, room, code.join("\n"))
        })
        .collect()
}

/// The first segments of the paths that begin with `prefix`, groups in braces opened.
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
fn every_room_uses_only_what_it_may() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut seen = 0;
    for (name, room, code) in house() {
        let Some(allowed) = allowed.get(room.as_str()) else {
            assert!(
                matches!(room.as_str(), "app" | "main" | "lib"),
                "{name} is in no room of the table"
            );
            continue;
        };
        for used in segments(&code, "crate::") {
            seen += 1;
            assert!(
                used == room || allowed.contains(&used.as_str()),
                "{name} uses crate::{used}, which {room} may not"
            );
        }
    }
    assert!(seen > 100, "only {seen} paths were read; the test looks in the wrong place");
}

#[test]
fn third_party_crates_stay_behind_their_walls() {
    for (name, room, code) in house() {
        for (foreign, rooms) in WALLS {
            let used = code.contains(&format!("{foreign}::"));
            assert!(
                !used || rooms.contains(&room.as_str()) || matches!(room.as_str(), "app" | "main"),
                "{name} uses {foreign}, which may stand only in {rooms:?}"
            );
        }
    }
}

#[test]
fn a_command_is_one_file_and_one_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let helpers = [
        "mod",
        "cancel",
        "error",
        "files",
        "limit",
        "log",
        "parse_error",
        "progress",
        "reply",
        "show",
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

/// The doc of a command's `Args`: its lines in one, each paragraph after a blank.
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

fn words_of(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn help_says_all_that_the_doc_of_a_command_says() {
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
        let (doc, help) = (words_of(doc.trim_end_matches('.')), words_of(&help));
        let is_whole = help.windows(doc.len()).any(|part| {
            let last = part.len() - 1;
            part[..last] == doc[..last] && part[last].trim_end_matches('.') == doc[last]
        });
        assert!(is_whole, "{name} --help does not hold its doc: {}", doc.join(" "));
        paragraphs += usize::from(source.contains("///\n/// "));
    }
    assert!(paragraphs > 10, "only {paragraphs} commands have more to say than one line");
}
