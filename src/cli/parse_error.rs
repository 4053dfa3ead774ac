//! Handles a command line that does not run: help, version, and arguments that do not parse.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::error::ErrorKind;

use super::summary::{self, Summary};
use super::{CliError, Exit};
use crate::text::masked::masked;
use crate::text::visible::visible_bytes;

/// Prints the reason and returns the exit code. `again` parses a command line again and returns its
/// error.
pub fn reply(
    words: &[OsString],
    err: clap::Error,
    again: impl Fn(&[String]) -> Option<clap::Error>,
) -> Exit {
    let wants_json = json_from_flags(words).unwrap_or_else(json_from_environment);
    if !err.use_stderr() {
        return match err.print().and_then(|()| io::stdout().flush()) {
            // A reader that closed the pipe has seen enough.
            Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
                CliError::Output(err).report(wants_json)
            }
            _ => Exit::Ok,
        };
    }
    let parsed = readable(words, err, again);
    let text = parsed.as_ref().map_or_else(|parsed| parsed.clone(), |err| err.render().to_string());
    let usage = CliError::usage(text.trim_start_matches("error: ").trim_end());
    // The flags may be what does not parse, so only the environment is checked.
    if let Some(Ok(summary)) =
        summary::file_from_environment().map(|file| Summary::begin("lakeplan", file, &[]))
    {
        summary.write(Err(&usage), None);
    }
    match parsed {
        Ok(err) if !wants_json => {
            // If standard error is closed, nothing more can be done.
            let _ = err.print();
            Exit::Usage
        }
        _ => usage.report(wants_json),
    }
}

/// Whether the environment requests JSON, for errors before the settings are read.
pub fn json_from_environment() -> bool {
    crate::config::variable("LAKEPLAN_OUTPUT").as_deref() == Some("json")
}

/// Whether the flags request JSON, in any spelling that clap accepts; `None` if no flag does. The
/// last one wins.
fn json_from_flags(words: &[OsString]) -> Option<bool> {
    let mut output = None;
    let mut words = words
        .iter()
        .skip(1)
        .map(|word| word.to_str().unwrap_or_default())
        .take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        let format = match word {
            "--json" => Some("json"),
            "--output" | "-o" => words.next(),
            word => word.strip_prefix("--output=").or_else(|| {
                let format = word.strip_prefix("-o")?;
                Some(format.strip_prefix('=').unwrap_or(format))
            }),
        };
        output = format.map(|format| format == "json").or(output);
    }
    output
}

/// Returns the same error for display; clap repeats arguments as they are. If clap has no such
/// error for the displayed arguments, returns a text.
fn readable(
    words: &[OsString],
    err: clap::Error,
    again: impl Fn(&[String]) -> Option<clap::Error>,
) -> Result<clap::Error, String> {
    let shown: Vec<String> = words
        .iter()
        .map(|word| masked(&visible_bytes(word.as_encoded_bytes())).into_owned())
        .collect();
    if err.kind() == ErrorKind::InvalidUtf8 {
        let odd = words
            .iter()
            .zip(&shown)
            .filter(|(word, _)| word.to_str().is_none())
            .map(|(_, shown)| shown.as_str());
        let odd: Vec<&str> = odd.collect();
        return Err(format!("the argument must be UTF-8 text: {}", odd.join(", ")));
    }
    let are_plain = words.iter().zip(&shown).all(|(word, shown)| word.to_str() == Some(shown));
    if are_plain {
        return Ok(err);
    }
    match again(&shown) {
        Some(err) if err.use_stderr() => Ok(err),
        // The error was in the hidden characters.
        _ => Err(format!("these arguments cannot be read: {}", shown[1..].join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_output_is_read() {
        let output = |line: &str| {
            let words: Vec<OsString> =
                std::iter::once("lakeplan").chain(line.split(' ')).map(OsString::from).collect();
            json_from_flags(&words)
        };
        for line in [
            "--json x",
            "--output=json x",
            "--output json x",
            "-ojson x",
            "-o=json x",
            "-o json x",
            "x -o text -o json",
        ] {
            assert_eq!(output(line), Some(true), "{line}");
        }
        for line in ["--output=text x", "-o text json", "-otext", "--output text"] {
            assert_eq!(output(line), Some(false), "{line}");
        }
        for line in ["x", "x -- --json", "task json", "--out json"] {
            assert_eq!(output(line), None, "{line}");
        }
    }
}
