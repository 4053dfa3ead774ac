//! A command line that is not run: help and version, which are answers, and what cannot be read as a command.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::Parser;
use clap::error::ErrorKind;

use super::summary::Summary;
use super::{Cli, CliError, Exit, environment_says_json, summary_of_environment};
use crate::text::masked::masked;
use crate::text::visible::visible_bytes;

/// Says why it is not run, and returns the exit code.
pub fn tell(words: &[OsString], err: clap::Error) -> Exit {
    let wants_json = says_json(words).unwrap_or_else(environment_says_json);
    if !err.use_stderr() {
        return match err.print().and_then(|()| io::stdout().flush()) {
            // Whoever read it has seen enough of it.
            Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
                CliError::Output(err).report(wants_json)
            }
            _ => Exit::Ok,
        };
    }
    let told = readable(words, err);
    let text = told.as_ref().map_or_else(|told| told.clone(), |err| err.render().to_string());
    let usage = CliError::usage(text.trim_start_matches("error: ").trim_end());
    // A flag may be what cannot be read, so only the environment is asked.
    if let Some(Ok(summary)) =
        summary_of_environment().map(|file| Summary::begin("lakeplan", file, &[]))
    {
        summary.write(Err(&usage), None);
    }
    match told {
        Ok(err) if !wants_json => {
            // If standard error is closed there is no one left to tell.
            let _ = err.print();
            Exit::Usage
        }
        _ => usage.report(wants_json),
    }
}

/// Whether the flags ask for JSON, in each spelling that clap takes; `None` where none of them says. The last one holds.
fn says_json(words: &[OsString]) -> Option<bool> {
    let mut said = None;
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
        said = format.map(|format| format == "json").or(said);
    }
    said
}

/// The same error of arguments that may be shown: clap repeats them as they are. Where clap has none for these, what is wrong
/// as a text.
fn readable(words: &[OsString], err: clap::Error) -> Result<clap::Error, String> {
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
    match Cli::try_parse_from(&shown) {
        Err(again) if again.use_stderr() => Ok(again),
        // Whatever was wrong with them, it was what is hidden in them.
        _ => Err(format!("these arguments cannot be read: {}", shown[1..].join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_output_is_read() {
        let said = |line: &str| {
            let words: Vec<OsString> =
                std::iter::once("lakeplan").chain(line.split(' ')).map(OsString::from).collect();
            says_json(&words)
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
            assert_eq!(said(line), Some(true), "{line}");
        }
        for line in ["--output=text x", "-o text json", "-otext", "--output text"] {
            assert_eq!(said(line), Some(false), "{line}");
        }
        for line in ["x", "x -- --json", "task json", "--out json"] {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
