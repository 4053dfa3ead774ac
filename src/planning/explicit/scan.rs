//! Finds the form of each raw line: an item, a heading, a table row, text, or nothing to read.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::cells::{self, Column};
use crate::text::pattern;

/// A line with its form.
#[derive(Debug)]
pub(super) struct RawLine<'t> {
    /// 1-based.
    pub(super) number: usize,
    pub(super) form: Form<'t>,
}

#[derive(Debug)]
pub(super) enum Form<'t> {
    /// Blank, code, front matter, a comment or a table header.
    Nothing,
    Heading(Cow<'t, str>),
    Item(Item<'t>),
    /// A row of a table below its header.
    Cells {
        columns: Vec<Column>,
        cells: Vec<String>,
    },
    Text(Cow<'t, str>),
}

/// A list item, or a line that begins with a checkbox.
#[derive(Debug)]
pub(super) struct Item<'t> {
    /// The number as written, without its bracket or final dot.
    pub(super) number: Option<&'t str>,
    /// The character in the checkbox; a space if it is empty.
    pub(super) checkbox: Option<char>,
    /// The text behind number and checkbox, with code and link targets blanked.
    pub(super) content: Cow<'t, str>,
}

static ITEM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[ \t>]*(?:[-*+\x{2022}\x{25aa}\x{25e6}]|(?P<number>\d{1,3}(?:\.\d{1,3})+|\d{1,3})\\?(?P<end>[.)]?))[ \t]+(?P<content>\S.*)$",
    )
});
static CHECKBOX: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^[ \t>]*(?:\[(?P<mark>[^\[\]]?)\]|(?P<sign>[\x{2610}\x{2611}\x{2612}]))[ \t]+(?P<rest>\S.*)$",
    )
});
static HEADING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[ \t>]*#{1,6}[ \t]+(?P<content>.*?)[ \t#]*$"));

/// Returns the lines of a text with their forms.
pub(super) fn lines(text: &str) -> Vec<RawLine<'_>> {
    let raw: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let mut forms = Vec::with_capacity(raw.len());
    let mut hidden = Hidden::default();
    let mut table: Option<Vec<Column>> = None;
    for (at, line) in raw.iter().enumerate() {
        let form = if hidden.holds(at, line) {
            Form::Nothing
        } else {
            let next = raw.get(at + 1).copied().unwrap_or_default();
            form(line, next, &mut table)
        };
        forms.push(RawLine { number: at + 1, form });
    }
    forms
}

fn form<'t>(line: &'t str, next: &str, table: &mut Option<Vec<Column>>) -> Form<'t> {
    if cells::is_rule(line) && table.is_some() {
        return Form::Nothing;
    }
    if let Some(columns) = table {
        if line.contains('|') {
            return Form::Cells { columns: columns.clone(), cells: cells::split(line) };
        }
        *table = None;
    }
    if line.contains('|') && cells::is_rule(next) {
        *table = Some(cells::split(line).iter().map(|name| Column::of(name)).collect());
        return Form::Nothing;
    }
    if line.trim().is_empty() {
        return Form::Nothing;
    }
    if let Some(found) = HEADING.captures(line) {
        return Form::Heading(plain(found.name("content").map_or("", |content| content.as_str())));
    }
    let item = ITEM.captures(line).filter(|found| {
        // "3 people came" begins with a number, too.
        found.name("number").is_none_or(|number| {
            number.as_str().contains('.') || found.name("end").is_some_and(|end| !end.is_empty())
        })
    });
    let number = item.as_ref().and_then(|found| found.name("number")).map(|found| found.as_str());
    let content = item.as_ref().and_then(|found| found.name("content"));
    let content = content.map_or(line, |content| content.as_str());
    let checkbox = CHECKBOX.captures(content);
    let mark = checkbox.as_ref().map(|found| match (found.name("mark"), found.name("sign")) {
        (Some(mark), _) => mark.as_str().chars().next().unwrap_or(' '),
        (None, Some(sign)) if sign.as_str() == "\u{2610}" => ' ',
        (None, _) => 'x',
    });
    let rest = checkbox.as_ref().and_then(|found| found.name("rest"));
    if item.is_none() && mark.is_none() {
        return Form::Text(plain(line.trim()));
    }
    let content = plain(rest.map_or(content, |rest| rest.as_str()).trim());
    Form::Item(Item { number, checkbox: mark, content })
}

/// Blanks code and the targets of links, character for character, so that neither is read.
fn plain(text: &str) -> Cow<'_, str> {
    static HIDDEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"`[^`]*`|\]\([^)]*\)|https?://\S+"));
    if !HIDDEN.is_match(text) {
        return Cow::Borrowed(text);
    }
    let blank = |found: &regex::Captures<'_>| " ".repeat(found[0].chars().count());
    Cow::Owned(HIDDEN.replace_all(text, blank).into_owned())
}

/// Follows the parts of a text that hold no statements: code, front matter and comments.
#[derive(Default)]
struct Hidden {
    /// The fence that ends the code.
    fence: Option<String>,
    is_front_matter: bool,
    is_comment: bool,
}

impl Hidden {
    /// Returns whether a line is hidden. Lines must come in order.
    fn holds(&mut self, at: usize, line: &str) -> bool {
        let bare = line.trim().trim_start_matches(['>', ' ']);
        if let Some(fence) = &self.fence {
            if bare.starts_with(fence.as_str()) && bare.trim_start_matches(&fence[..1]).is_empty() {
                self.fence = None;
            }
            return true;
        }
        if self.is_front_matter {
            self.is_front_matter = bare != "---" && bare != "...";
            return true;
        }
        if self.is_comment {
            self.is_comment = !line.contains("-->");
            return true;
        }
        let sign = bare.chars().next().filter(|sign| matches!(sign, '`' | '~'));
        let length = sign.map_or(0, |sign| bare.chars().take_while(|c| *c == sign).count());
        if length >= 3 && !bare.chars().skip(length).any(|c| Some(c) == sign && c == '`') {
            self.fence = Some(bare.chars().take(length).collect());
            return true;
        }
        if at == 0 && bare == "---" {
            self.is_front_matter = true;
            return true;
        }
        if bare.starts_with("<!--") {
            self.is_comment = !bare.contains("-->");
            return true;
        }
        false
    }
}
