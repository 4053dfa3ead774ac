//! The name that a user probably meant.

use strsim::levenshtein;

/// Returns the known name that is a small edit distance away, in whatever case.
pub fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_lowercase();
    let (distance, near) = names.map(|other| (levenshtein(&name, other), other)).min()?;
    (distance <= name.chars().count().div_ceil(2).min(4)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_offered_only_if_it_is_near() {
        let nearest = |name| nearest(name, ["lake", "actor", "query_memory"].into_iter());
        assert_eq!(nearest("lakee"), Some("lake"));
        assert_eq!(nearest("Query-Memory"), Some("query_memory"));
        assert_eq!(nearest("password"), None);
    }
}
