//! Reads sentences that promise work.

use super::blocks::Block;
use super::draft::Row;
use super::items;
use super::keywords::Keywords;
use super::lines::{first_word, join};
use super::list_classifier::starts_with_verb;
use super::titles;
use super::walker::{WalkContext, Walker};

impl Walker<'_> {
    /// Reads sentences that promise work, in a work section without lists.
    pub(super) fn sentences(&mut self, blocks: &[Block], place: WalkContext, only_promises: bool) {
        for block in blocks {
            let Block::Paragraph { lines, .. } = block else {
                continue;
            };
            let whole = join(lines);
            let mut rest = whole.text.as_str();
            while !rest.trim().is_empty() {
                let sentence = titles::first_sentence(rest);
                rest = &rest[sentence.len()..];
                let task = sentence.trim();
                if promises_work(self.keywords, task, only_promises) {
                    let head = items::head(self.keywords, self.options, place.year, task, 0);
                    let mut row = Row::of_head(head, whole.span.clone(), whole.span.clone());
                    row.description.push(sentence.trim().to_owned());
                    if self.add(row, place).is_some() {
                        self.draft.skips.retain(|skip| {
                            skip.span != whole.span && skip.span.start != whole.span.start
                        });
                    }
                }
            }
        }
    }
}

/// Whether a sentence promises work, after "we will" or as an imperative.
fn promises_work(keywords: &Keywords, sentence: &str, only_promises: bool) -> bool {
    const MIN_WORDS: usize = 3;
    let stated = items::after_sequence_word(keywords, sentence);
    if stated.ends_with([':', '?']) || stated.split_whitespace().count() < MIN_WORDS {
        return false;
    }
    if items::commitment(keywords, stated) > 0 {
        return true;
    }
    !only_promises
        && starts_with_verb(keywords, stated)
        && !keywords.statements.not_work.contains(&first_word(stated))
}
