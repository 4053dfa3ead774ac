//! A command line that is not run: help and version, which are answers, and what cannot be read as a command.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::Parser;
use clap::error::ErrorKind;

use super::summary::Summary;
use super::{Cli, CliError, Exit, summary_of_environment};
use crate::text::visible::visible_bytes;

/// Says why it is not run, and returns the exit code.
pub fn tell(words: &[OsString], err: clap::Error) -> Exit {
    let is = |word: &OsString, wanted: &str| word.to_str() == Some(wanted);
    let wants_json = words.iter().any(|word| is(word, "--json"))
        || words.windows(2).any(|pair| pair[0].to_str().is_some_and(|word| word.starts_with("-o")) && is(&pair[1], "json"));
    if !err.use_stderr() {
        return match err.print().and_then(|()| io::stdout().flush()) {
            // Whoever read it has seen enough of it.
            Err(err) if err.kind() != io::ErrorKind::BrokenPipe => CliError::Output(err).report(wants_json),
            _ => Exit::Ok,
        };
    }
    let told = readable(words, err);
    let text = told.as_ref().map_or_else(|told| told.clone(), |err| err.render().to_string());
    let usage = CliError::usage(text.trim_start_matches("error: ").trim_end());
    // A flag may be what cannot be read, so only the environment is asked.
    if let Some(Ok(summary)) = summary_of_environment().map(|file| Summary::begin("lakeplan", file, &[])) {
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

/// The same error of arguments that may be shown: clap repeats them as they are. Where clap has none for these, what is wrong
/// as a text.
fn readable(words: &[OsString], err: clap::Error) -> Result<clap::Error, String> {
    let shown: Vec<String> = words.iter().map(|word| visible_bytes(word.as_encoded_bytes())).collect();
    if err.kind() == ErrorKind::InvalidUtf8 {
        let odd = words.iter().zip(&shown).filter(|(word, _)| word.to_str().is_none()).map(|(_, shown)| shown.as_str());
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
