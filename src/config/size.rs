//! Parses memory sizes as users write them.

/// Minimum memory that a query can work with, in bytes.
const MIN_QUERY_MEMORY: u64 = 16 << 20;

/// Parses a size such as `512MiB` into bytes; `None` if it is invalid or too small to work with.
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let each = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "tib" | "t" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(each).filter(|bytes| *bytes >= MIN_QUERY_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(
            ["512MiB", "2 GiB", "64mb", "16777216"].map(bytes),
            [512 << 20, 2 << 30, 64_000_000, 16 << 20].map(Some)
        );
        for wrong in ["", "GiB", "-1GiB", "1.5GiB", "0", "1MiB", "99999999999999999TiB", "much"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
