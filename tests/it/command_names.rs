//! Only `src/cli` names commands and flags of the command line. Every other module also serves
//! interfaces that have neither, and states what to do as a `Hint`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::rooms::sources;

/// Files that may name commands or flags, each with the beginnings of these texts.
const EXCEPTIONS: &[(&str, &[&str])] = &[
    // Origins of settings that a flag can set.
    ("config/origin.rs", &["--memory"]),
    ("config/tests.rs", &["--actor", "--memory"]),
    // Documentation of a table, stored in the table for its readers.
    (
        "store/inbox/mod.rs",
        &["Change requests submitted through SQL.", "The requested change, as JSON"],
    ),
    // A command of another program.
    ("store/location/cloud/location.rs", &["set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"]),
];

/// Macros whose texts are for the operator of the process, who runs it from a command line.
const LOGS: &[&str] = &["tracing::error!(", "tracing::warn!(", "tracing::info!("];

/// Returns the string literals of a source, with their lines, except those in logs, comments and
/// unit tests.
fn literals(source: &str) -> Vec<(usize, String)> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    // Number of open parentheses in a log macro.
    let (mut at, mut log) = (0, 0);
    while at < source.len() {
        let rest = &source[at..];
        let raw = rest.starts_with("r\"") || rest.starts_with("r#");
        let begins_word = !source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with('"') || raw && begins_word {
            let (length, text) = literal(rest);
            if log == 0 {
                found.push((source[..at].matches('\n').count() + 1, text));
            }
            at += length;
        } else if let Some(length) = character(rest) {
            at += length;
        } else if let Some(name) = LOGS.iter().find(|name| log == 0 && rest.starts_with(**name)) {
            log = 1;
            at += name.len();
        } else {
            match rest.chars().next() {
                Some('(') if log > 0 => log += 1,
                Some(')') if log > 0 => log -= 1,
                _ => {}
            }
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// Returns the length of the literal at the beginning of a source, and its text.
fn literal(source: &str) -> (usize, String) {
    if let Some(rest) = source.strip_prefix('r') {
        let hashes: String = rest.chars().take_while(|c| *c == '#').collect();
        let begin = 1 + hashes.len() + 1;
        let end = format!("\"{hashes}");
        let length = source.get(begin..).and_then(|text| text.find(&end)).unwrap_or_default();
        return (begin + length + end.len(), source[begin..begin + length].to_owned());
    }
    let mut is_escaped = false;
    let end = source[1..].find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    let length = end.unwrap_or(source.len() - 1);
    ((length + 2).min(source.len()), source[1..=length].to_owned())
}

/// Returns the length of the character literal at the beginning of a source, if there is one.
fn character(source: &str) -> Option<usize> {
    let rest = source.strip_prefix('\'')?;
    let first = rest.chars().next()?;
    let length = match first {
        '\\' => 2 + rest.get(2..)?.find('\'')?,
        first => first.len_utf8(),
    };
    rest.get(length..)?.starts_with('\'').then_some(length + 2)
}

/// Returns whether a text names a flag, or a command after the name of the binary.
fn names_command(text: &str, commands: &BTreeSet<String>) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let has_flag = text.match_indices("--").any(|(at, _)| {
        !text[..at].ends_with(is_word)
            && text[at + 2..].starts_with(|c: char| c.is_ascii_lowercase())
    });
    has_flag
        || text.match_indices("lakeplan ").any(|(at, name)| {
            let rest = &text[at + name.len()..];
            commands.contains(&rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())])
        })
}

fn commands() -> BTreeSet<String> {
    lakeplan::cli::COMMANDS.iter().map(|(_, file)| file.replace('_', "-")).collect()
}

#[test]
fn only_the_command_line_names_commands_and_flags() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let commands = commands();
    let (mut read, mut found, mut exempt) = (0, Vec::new(), BTreeSet::new());
    for path in sources(&root) {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        if name.starts_with("cli/") {
            continue;
        }
        let allowed = EXCEPTIONS.iter().filter(|(file, _)| *file == name);
        let allowed: Vec<&str> = allowed.flat_map(|(_, texts)| texts.iter().copied()).collect();
        for (line, text) in literals(&fs::read_to_string(&path).unwrap()) {
            read += 1;
            if !names_command(&text, &commands) {
                continue;
            }
            match allowed.iter().find(|begin| text.starts_with(**begin)) {
                Some(begin) => drop(exempt.insert((name.clone(), *begin))),
                None => found.push(format!("{name}:{line}: {text}")),
            }
        }
    }
    assert!(read > 3000, "only {read} texts were found; the search is broken");
    assert!(
        found.is_empty(),
        "{} texts name a command or a flag:\n{}",
        found.len(),
        found.join("\n")
    );
    let stated: usize = EXCEPTIONS.iter().map(|(_, texts)| texts.len()).sum();
    assert_eq!(exempt.len(), stated, "an exception is no longer needed; left: {exempt:?}");
}

#[test]
fn the_search_finds_commands_in_texts() {
    let source = r##"
// "lakeplan undo"
let quote = '"';
let (a, b) = ("run lakeplan restore-lake", "a \" lakeplan task");
tracing::warn!(%err, "f() {} lakeplan fold", path(")"));
let c = r#"use "--lake""#;
fn life<'a>(text: &'a str) -> char { '\'' }
let d = "lakeplan tasks, lakeplan that, a -- b, a--b";
let e = "
 --id";
#[cfg(test)]
mod tests { "lakeplan undo" }
"##;
    let commands = commands();
    let found: Vec<usize> = literals(source)
        .into_iter()
        .filter(|(_, text)| names_command(text, &commands))
        .map(|(line, _)| line)
        .collect();
    assert_eq!(found, [4, 4, 6, 9]);
    assert_eq!(literals(source).len(), 5);
}
