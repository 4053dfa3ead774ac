//! Files of this machine that a command writes: a page, its numbers, a summary. None takes the place of a file that Lakeplan
//! did not write, and none goes into a lake or a Delta table, where it would stand among files that commits rest on.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;

use super::CliError;
use crate::config::file::open;
use crate::service::ServiceError;
use crate::store::outer;
use crate::text::visible::path_text;

/// How much of a page is read to tell whose it is: its head ends before.
const HEAD: u64 = 16 << 10;

/// Refuses to write a page into a lake, or over a file that is no page of Lakeplan, which most often is a slip of the
/// keyboard. An empty file loses nothing.
pub fn refuse_page(path: &Path) -> Result<(), CliError> {
    refuse_in_lake(path, "--out")?;
    let mut head = Vec::new();
    // A pipe or a device is written to and loses nothing, and what cannot be read says so when it is written.
    if std::fs::metadata(path).is_ok_and(|found| found.is_file())
        && let Ok(file) = std::fs::File::open(path)
    {
        let _ = file.take(HEAD).read_to_end(&mut head);
    }
    if head.is_empty() || is_own_page(&String::from_utf8_lossy(&head)) {
        return Ok(());
    }
    let message =
        "is there already and is no page that lakeplan wrote, so it is not replaced by one"
            .to_owned();
    let hint = Some("name another file with --out, or move that one away".to_owned());
    Err(ServiceError::Input { place: path_text(path), message, hint }.into())
}

/// Refuses to write a file where it would lie in a lake or a Delta table.
pub fn refuse_in_lake(path: &Path, flag: &str) -> Result<(), CliError> {
    let Some((what, outer)) = outer::around(path) else { return Ok(()) };
    let message = format!("lies in the {what} at {outer}, which is written by commits alone");
    let hint = Some(format!("name a file outside of it with {flag}"));
    Err(ServiceError::Input { place: path_text(path), message, hint }.into())
}

/// Whether the head of a file is that of a page of this version or an earlier one.
fn is_own_page(head: &str) -> bool {
    if !head.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype html")) {
        return false;
    }
    let head = head.split_once("</head>").map_or(head, |(head, _)| head);
    // Pages did not always name what made them: those of visualize had a title of one word, those of report a policy
    // before a title that speaks of the plan.
    let title =
        head.split_once("<title>").and_then(|(_, rest)| Some(rest.split_once("</title>")?.0));
    let is_of_report =
        |title: &str| title.starts_with("Plan report") || title.ends_with("· plan report");
    let is_earlier = title.is_some_and(|title| {
        title == "Lakeplan" && head.contains("name=\"color-scheme\"")
            || is_of_report(title)
                && head.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\"")
    });
    is_earlier || head.contains(GENERATOR)
}

/// What every page says in its head.
const GENERATOR: &str = "<meta name=\"generator\" content=\"lakeplan ";

/// Writes a file whole: what stood there stays until the new one is complete.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let unwritten = |err: io::Error| ServiceError::Input {
        place: path_text(path),
        message: format!("cannot be written: {err}"),
        hint: Some("name a file in a folder that exists and that you may write to".to_owned()),
    };
    // A pipe or a device is written to, never replaced, and so is what a link leads to: /dev/stdout is one.
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        let options = OpenOptions::new().write(true).create(true).truncate(true).clone();
        return Ok(open(&options, path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(unwritten)?);
    }
    let (beside, mut file) = new_beside(path).map_err(unwritten)?;
    let written = file.write_all(bytes).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|cause| {
        // A second error would hide the first.
        let _ = std::fs::remove_file(&beside);
        unwritten(cause).into()
    })
}

/// A file beside this one that was not there before.
fn new_beside(path: &Path) -> io::Result<(OsString, std::fs::File)> {
    let mut number = 0;
    loop {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.{number}.tmp", std::process::id()));
        match std::fs::File::create_new(&beside) {
            Ok(file) => return Ok((beside, file)),
            // Of a killed process with the same number, or somebody's own.
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            Err(err) => return Err(err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_what_its_head_says() {
        let page =
            |head: &str| format!("<!doctype html>\n<html><head>{head}</head><body></body></html>");
        let generator = format!("{GENERATOR}0.1.0\">");
        assert!(
            include_str!("visualize/page.html").contains(&format!("{GENERATOR}{{version}}\">"))
        );
        assert!(is_own_page(&page(&generator)));
        assert!(is_own_page(&page(
            "<meta name=\"color-scheme\" content=\"light dark\"><title>Lakeplan</title>"
        )));
        let policy = "<meta content=\"default-src 'none'; style-src 'unsafe-inline'\">";
        for title in ["Plan report", "Plan report · PAY", "Payments · plan report"] {
            assert!(is_own_page(&page(&format!("{policy}<title>{title}</title>"))), "{title}");
        }
        for foreign in [
            page("<title>Home</title>"),
            page("<title>Lakeplan</title>"),
            generator.clone(),
            String::new(),
        ] {
            assert!(!is_own_page(&foreign), "{foreign}");
        }
        let page_body =
            format!("<!doctype html><html><head></head><body>{generator}</body></html>");
        assert!(!is_own_page(&page_body), "a body may speak of it");
    }
}
