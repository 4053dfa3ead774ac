//! Parts of a section: its heading, figures, paragraphs and shortened lists.

use super::super::format;
use super::super::html::{details, escape};

/// Returns a section with its heading.
pub fn section(id: &str, heading: &str, inside: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{inside}</section>\n", escape(heading))
}

/// Returns a chart with a sentence on what it shows, and its numbers for readers who expand them.
pub fn figure(heading: &str, says: &str, svg: &str, numbers: &str) -> String {
    let heading =
        if heading.is_empty() { String::new() } else { format!("<h3>{}</h3>", escape(heading)) };
    let numbers = details("Numbers", numbers);
    format!(
        "<figure><figcaption>{heading}<p>{}</p></figcaption>\n{svg}{numbers}</figure>\n",
        escape(says)
    )
}

/// Returns a paragraph of plain text.
pub fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

/// Returns the first `most` items, and a note on how many others there are.
pub fn first<T>(all: &[T], most: usize) -> (&[T], String) {
    let shown = &all[..all.len().min(most)];
    let rest = all.len() - shown.len();
    let note = if rest == 0 {
        String::new()
    } else {
        paragraph(&format!(
            "And {} more. The JSON file next to this page contains all of them.",
            format::thousands(rest as i64)
        ))
    };
    (shown, note)
}
