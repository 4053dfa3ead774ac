//! Writes HTML by hand: everything from the lake passes through [`escape`] on its way into the
//! page.

use crate::text::visible::visible;

/// Escapes text for an element or a quoted attribute. Writes hidden characters out: HTML cannot
/// represent most controls, and direction marks would reorder the text around them.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in visible(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Table cell.
#[derive(Clone, Debug)]
pub enum Cell {
    Text(String),
    /// Right-aligned, so that digits line up.
    Number(String),
    /// Number that needs attention.
    Bad(String),
    /// Text that does not wrap.
    Short(String),
    /// Name, followed by its key or similar.
    Named(String, String),
    /// HTML that is already safe.
    Html(String),
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn short(text: impl Into<String>) -> Self {
        Self::Short(text.into())
    }

    pub fn number(text: impl Into<String>) -> Self {
        Self::Number(text.into())
    }
}

/// Returns a table that scrolls by itself if it is wider than the page.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    let rows: Vec<Vec<Cell>> = rows.into_iter().collect();
    let is_number = |at: usize| {
        !rows.is_empty()
            && rows.iter().all(|row| matches!(row.get(at), Some(Cell::Number(_) | Cell::Bad(_))))
    };
    let class = |number: bool| if number { " class=\"n\"" } else { "" };
    let mut html = String::from("<div class=\"scroll\"><table><thead><tr>");
    for (at, name) in header.iter().enumerate() {
        html.push_str(&format!("<th scope=\"col\"{}>{}</th>", class(is_number(at)), escape(name)));
    }
    html.push_str("</tr></thead><tbody>");
    for row in &rows {
        html.push_str("<tr>");
        for cell in row {
            match cell {
                Cell::Text(text) => html.push_str(&format!("<td>{}</td>", escape(text))),
                Cell::Number(text) => {
                    html.push_str(&format!("<td class=\"n\">{}</td>", escape(text)))
                }
                Cell::Bad(text) => {
                    html.push_str(&format!("<td class=\"n bad\"><b>{}</b></td>", escape(text)))
                }
                Cell::Short(text) => {
                    html.push_str(&format!("<td class=\"s\">{}</td>", escape(text)))
                }
                Cell::Named(name, key) => html.push_str(&format!(
                    "<td class=\"t\">{} <span class=\"key\">{}</span></td>",
                    escape(name),
                    escape(key)
                )),
                Cell::Html(safe) => html.push_str(&format!("<td>{safe}</td>")),
            }
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// Returns a section that the reader can expand.
pub fn details(summary: &str, inside: &str) -> String {
    format!("<details><summary>{}</summary>{inside}</details>\n", escape(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_the_lake_stays_text() {
        assert_eq!(
            escape("<b onclick='x'>\"&\u{1}"),
            r"&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\u{1}"
        );
        assert_eq!(escape("\u{202e}gpj\u{85}\u{7f}"), r"\u{202e}gpj\u{85}\u{7f}");
        let rendered = table(&["<h>"], [vec![Cell::text("<script>")], vec![Cell::number("<i>")]]);
        assert!(
            !rendered.contains("<script") && !rendered.contains("<i>") && !rendered.contains("<h>"),
            "{rendered}"
        );
    }
}
