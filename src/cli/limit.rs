//! How many of something a command shows or does.

/// Reads a limit for clap: none at all would show nothing and pass for an answer.
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
