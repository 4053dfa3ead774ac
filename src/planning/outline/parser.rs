//! Splits text into blocks.
//!
//! Markdown is parsed as Markdown. Plain text follows the same rules, which fit it well except for
//! indentation (prose there, code here). Two common habits are repaired: bullets typed as "•", and
//! tables with broken fences.

use std::borrow::Cow;

use pulldown_cmark::{Options, Parser};

use super::blocks::Block;
use super::builder::Builder;
use super::labels;
use super::layout;
use super::nesting::nested;
use super::pasted;
use super::repair::repaired;

/// Splits the text into blocks, in order.
pub(super) fn read(text: &str) -> Vec<Block> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offset = text.len() - body.len();
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut builder = Builder::new(text, is_markdown(body));
    let body = layout::without_html(body);
    let body = without_tag_lines(&body);
    let (body, mut pasted) = pasted::tables(&body);
    let (body, laid_out) = layout::blocks(&body);
    pasted.extend(laid_out);
    for block in &mut pasted {
        block.shift(offset);
    }
    let body = labels::as_numbers(&body);
    for (event, span) in Parser::new_ext(&body, options).into_offset_iter() {
        builder.event(event, span.start + offset..span.end + offset);
    }
    let mut blocks = nested(text, repaired(builder.finish()));
    blocks.extend(pasted);
    blocks.sort_by_key(|block| block.span().start);
    blocks
}

/// Blanks the fences around texts, byte for byte: "```markdown". `None` if there are none.
pub(super) fn without_text_fences(text: &str) -> Option<String> {
    const TEXTS: [&str; 5] = ["markdown", "md", "text", "txt", "plaintext"];
    let mut is_inside = false;
    let mut has_fences = false;
    let lines = text.split_inclusive('\n').map(|line| {
        let bare = line.trim();
        let is_fence = match bare.strip_prefix("```") {
            Some(name) if is_inside => name.is_empty(),
            Some(name) => TEXTS.contains(&name.trim().to_lowercase().as_str()),
            None => false,
        };
        is_inside ^= is_fence;
        has_fences |= is_fence;
        if is_fence { line.replace(|c: char| !c.is_whitespace(), " ") } else { line.to_owned() }
    });
    let bare: String = lines.collect();
    has_fences.then_some(bare)
}

/// Blanks lines that contain only a tag, byte for byte.
///
/// Prompt templates wrap their sections in `<context>`; Markdown would treat the text after such a
/// line as HTML.
fn without_tag_lines(text: &str) -> Cow<'_, str> {
    let is_tag = |line: &str| {
        let name = line.trim().trim_start_matches(['<', '/']).trim_end_matches('>');
        line.trim().starts_with('<')
            && line.trim().ends_with('>')
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if !text.lines().any(is_tag) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n').map(|line| {
        if is_tag(line) { line.replace(|c: char| !c.is_whitespace(), " ") } else { line.to_owned() }
    });
    Cow::Owned(lines.collect())
}

/// Whether the text uses any Markdown beyond lists and underlined titles.
fn is_markdown(text: &str) -> bool {
    text.lines().any(|line| {
        line.starts_with("# ")
            || line.starts_with("## ")
            || line.starts_with("### ")
            || line.starts_with("```")
            || line.starts_with("~~~")
            || line.contains("**")
            || line.starts_with("|-")
            || line.contains("](")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item_texts(block: &Block) -> Vec<&str> {
        let Block::List { items, .. } = block else {
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| match item.blocks.first() {
                Some(Block::Paragraph { lines, .. }) => {
                    lines.first().map(|line| line.text.as_str())
                }
                _ => None,
            })
            .collect()
    }

    #[test]
    fn tight_and_loose_items_both_have_paragraphs() {
        for text in ["- one\n- two\n", "- one\n\n- two\n"] {
            assert_eq!(item_texts(&read(text)[0]), ["one", "two"], "{text:?}");
        }
    }

    #[test]
    fn checkboxes_numbers_and_strikes_are_kept() {
        let blocks = read("3. [x] ship\n4. [ ] ~~sail~~\n");
        let Block::List { items, .. } = &blocks[0] else { unreachable!() };
        assert_eq!((items[0].number, items[0].checked), (Some(3), Some(true)));
        assert_eq!((items[1].number, items[1].checked), (Some(4), Some(false)));
        assert!(matches!(&items[1].blocks[0], Block::Paragraph { lines, .. } if lines[0].struck));
    }

    #[test]
    fn typed_bullets_become_a_list() {
        let blocks = read("Plan:\n\u{2022} dig\n\u{2022} sow\n");
        assert_eq!(item_texts(&blocks[1]), ["dig", "sow"]);
    }

    #[test]
    fn a_table_with_blank_lines_inside_is_one_table() {
        let blocks = read("| Task | Days |\n\n| Dig | 2 |\n\n| Sow | 1 |\n");
        assert_eq!(blocks.len(), 1);
        assert!(matches!(&blocks[0], Block::Table { rows, .. } if rows.len() == 2));
    }

    #[test]
    fn spans_survive_a_byte_order_mark_and_wide_characters() {
        let text = "\u{feff}# \u{8ba1}\u{5212}\r\n\r\n- \u{1f680} go\r\n";
        for block in read(text) {
            assert!(text.get(block.span()).is_some_and(|slice| !slice.trim().is_empty()));
        }
    }

    #[test]
    fn plain_indented_text_is_not_code() {
        assert!(matches!(read("Plan\n\n    dig the hole\n")[1], Block::Paragraph { .. }));
        assert!(matches!(read("# Plan\n\n    dig()\n")[1], Block::Code { .. }));
    }
}
