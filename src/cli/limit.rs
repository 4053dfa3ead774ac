//! Parses limits on the number of items.

/// Parses a limit for clap. Refuses 0, which would show nothing and look like an empty result.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "must be a whole number, 1 or more".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_one_at_least() {
        assert_eq!(at_least_one("1"), Ok(1));
        assert_eq!(at_least_one(&usize::MAX.to_string()), Ok(usize::MAX));
        for text in ["0", "-1", "", "1.5", "many"] {
            assert!(at_least_one(text).is_err(), "{text}");
        }
    }
}
