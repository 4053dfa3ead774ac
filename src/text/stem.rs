//! Splits text into stemmed content words.

use rust_stemmers::{Algorithm, Stemmer};

/// Words without a topic of their own.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been",
    "before", "both", "but", "by", "can", "could", "do", "does", "each", "etc", "for", "from",
    "had", "has", "have", "if", "in", "into", "is", "it", "its", "may", "more", "must", "no",
    "not", "of", "off", "on", "once", "only", "or", "other", "our", "out", "over", "own", "per",
    "shall", "should", "so", "some", "such", "than", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "those", "to", "up", "upon", "us", "use", "using", "via",
    "was", "we", "well", "were", "when", "where", "which", "while", "will", "with", "within",
    "without", "would", "you", "your",
];

/// Returns the stemmed content words in order of appearance, with duplicates.
///
/// Words are runs of alphanumeric characters, lower-cased. Stop words and single ASCII letters are
/// omitted; single digits are kept.
pub fn content_words(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    words(text)
        .filter(|word| STOP_WORDS.binary_search(&word.as_str()).is_err())
        .filter(|word| word.len() > 1 || word.chars().all(|c| c.is_numeric()))
        .map(|word| stemmer.stem(&word).into_owned())
        .collect()
}

/// Returns the lower-cased words, including stop words.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_for_the_binary_search() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn inflections_share_a_stem() {
        assert_eq!(content_words("Importing the files"), content_words("import file"));
    }

    #[test]
    fn text_without_words_gives_none() {
        assert!(content_words(" -- \u{1f680} ").is_empty());
    }
}
