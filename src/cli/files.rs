//! Local output files of a command: a page, its JSON, a summary. They never replace a file that
//! Lakeplan did not write, and never go into a lake or a Delta table, among the files that commits
//! refer to.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;

use super::CliError;
use crate::config::file::open;
use crate::service::ServiceError;
use crate::store::location::enclosing;
use crate::text::visible::path_text;

/// Number of bytes read to recognize a page; its head is shorter.
const HEAD: u64 = 16 << 10;

/// Refuses to write a page into a lake or over a file that is not a Lakeplan page, which is usually
/// a typing error. An empty file may be replaced.
pub fn check_page(path: &Path) -> Result<(), CliError> {
    check_outside_lake(path, "--out")?;
    let mut head = Vec::new();
    // A pipe or a device loses nothing when written to, and an unreadable file fails when it is
    // written.
    if std::fs::metadata(path).is_ok_and(|found| found.is_file())
        && let Ok(file) = std::fs::File::open(path)
    {
        let _ = file.take(HEAD).read_to_end(&mut head);
    }
    if head.is_empty() || is_own_page(&String::from_utf8_lossy(&head)) {
        return Ok(());
    }
    let message =
        "already exists and is not a page that lakeplan wrote, so it is not replaced".to_owned();
    let hint = Some("choose another file with --out, or move that one away".into());
    Err(ServiceError::Input { place: path_text(path), message, hint }.into())
}

/// Refuses to write a file inside a lake or a Delta table.
pub fn check_outside_lake(path: &Path, flag: &str) -> Result<(), CliError> {
    let Some((what, outer)) = enclosing::around(path) else { return Ok(()) };
    let message = format!("is inside the {what} at {outer}, which only commits may write");
    let hint = Some(format!("choose a file outside of it with {flag}").into());
    Err(ServiceError::Input { place: path_text(path), message, hint }.into())
}

/// Whether the head of a file is that of a page from this or an earlier version.
fn is_own_page(head: &str) -> bool {
    if !head.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype html")) {
        return false;
    }
    let head = head.split_once("</head>").map_or(head, |(head, _)| head);
    // Pages did not always have a generator tag. Pages of visualize had a one-word title; pages of
    // report had a policy before a title about the plan.
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

/// Generator tag in the head of every page.
const GENERATOR: &str = "<meta name=\"generator\" content=\"lakeplan ";

/// Writes a file atomically: the old content stays until the new file is complete.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let unwritten = |err: io::Error| ServiceError::Input {
        place: path_text(path),
        message: format!("cannot be written: {err}"),
        hint: Some("choose a file in an existing folder that you can write to".into()),
    };
    // Writes to a pipe, a device or the target of a link instead of replacing it; /dev/stdout is a
    // link.
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

/// Creates a new file next to this one.
fn new_beside(path: &Path) -> io::Result<(OsString, std::fs::File)> {
    let mut number = 0;
    loop {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.{number}.tmp", std::process::id()));
        match std::fs::File::create_new(&beside) {
            Ok(file) => return Ok((beside, file)),
            // It belongs to a killed process with the same id, or to the user.
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
        for template in [
            include_str!("../../templates/report/page.html"),
            include_str!("../../templates/visualize/page.html"),
        ] {
            assert!(template.contains(&format!("{GENERATOR}{{{{ ")), "{template}");
        }
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
