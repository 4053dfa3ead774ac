//! Nests items by the style of their labels, where people did not indent them.

use super::blocks::{Block, Item};
use super::labels::{Style, style};

/// Joins adjacent lists whose labels differ in style into one list, and nests its items: "1.1" below
/// "1.", "a)" below "1.1", and bullets below the number before them.
pub(super) fn nested(text: &str, blocks: Vec<Block>) -> Vec<Block> {
    let mut result: Vec<Block> = Vec::with_capacity(blocks.len());
    for block in blocks {
        let block = match block {
            Block::List { ordered, items, span } => {
                let items = items
                    .into_iter()
                    .map(|item| Item { blocks: nested(text, item.blocks), ..item });
                Block::List { ordered, items: items.collect(), span }
            }
            other => other,
        };
        match (result.last_mut(), block) {
            (
                Some(Block::List { items, span, ordered }),
                Block::List { items: more, span: end, .. },
            ) if is_continued(text, *ordered, items, &more) => {
                items.extend(more);
                span.end = end.end;
            }
            (_, block) => result.push(block),
        }
    }
    for block in &mut result {
        if let Block::List { items, .. } = block {
            *items = by_style(text, std::mem::take(items));
        }
    }
    result
}

/// Whether a list goes on in the next one: its labels belong to the same outline, or its items stand
/// below the last number without a blank line.
fn is_continued(text: &str, ordered: bool, items: &[Item], more: &[Item]) -> bool {
    let of = |item: Option<&Item>| item.and_then(|item| style(&text[item.span.clone()]));
    let (Some(last), Some(next)) = (items.last(), of(more.first())) else { return false };
    let is_known = items.iter().any(|item| of(Some(item)) == Some(next));
    let gap =
        more.first().map_or("", |item| &text[last.span.end.min(item.span.start)..item.span.start]);
    let is_adjacent = !text[last.span.clone()].ends_with("\n\n") && !gap.contains('\n');
    let has_stars = items.iter().any(|item| matches!(of(Some(item)), Some(Style::Stars(_))));
    match next {
        Style::Stars(_) => true,
        Style::Bullet(_) if has_stars => is_known,
        _ if !ordered => false,
        Style::Bullet(_) => is_adjacent && last.blocks.len() == 1,
        Style::Numbers(1) => is_known && items.len() > 1,
        _ => true,
    }
}

/// Nests items by their styles: a new style opens a level, a known one returns to its level.
fn by_style(text: &str, items: Vec<Item>) -> Vec<Item> {
    let styles: Vec<Option<Style>> =
        items.iter().map(|item| style(&text[item.span.clone()])).collect();
    if styles.windows(2).all(|pair| pair[0] == pair[1]) || styles.contains(&None) {
        return items;
    }
    let mut open: Vec<(Style, Vec<Item>)> = Vec::new();
    for (item, style) in items.into_iter().zip(styles.into_iter().flatten()) {
        let known = open.iter().position(|(known, _)| is_sibling(*known, style));
        if let Some(level) = known {
            while open.len() > level + 1 {
                close(&mut open);
            }
        } else {
            open.push((style, Vec::new()));
        }
        if let Some((_, level)) = open.last_mut() {
            level.push(item);
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().map(|(_, items)| items).unwrap_or_default()
}

fn is_sibling(known: Style, style: Style) -> bool {
    match (known, style) {
        (Style::Numbers(one), Style::Numbers(other)) => one == other,
        _ => known == style,
    }
}

/// Puts the items of the deepest level below the last item of the level above.
fn close(open: &mut Vec<(Style, Vec<Item>)>) {
    let Some((_, items)) = open.pop() else { return };
    let Some(parent) = open.last_mut().and_then(|(_, items)| items.last_mut()) else { return };
    let (Some(first), Some(last)) = (items.first(), items.last()) else { return };
    let span = first.span.start..last.span.end;
    parent.span.end = parent.span.end.max(span.end);
    parent.blocks.push(Block::List { ordered: first.number.is_some(), items, span });
}
