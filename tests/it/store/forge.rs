//! Files forged so that their names still match: bytes that no reader uses restore the checksum.

use object_store::path::Path;

/// Returns the checksum in the name of a file.
fn checksum(name: &str) -> Option<u32> {
    u32::from_str_radix(name.strip_suffix(".parquet")?.rsplit_once(".c")?.1, 16).ok()
}

/// Adds four such bytes before the footer of the file.
pub fn keep_checksum(path: &Path, forged: &[u8]) -> Vec<u8> {
    let expected = checksum(path.filename().unwrap()).unwrap();
    let end = forged.len() - 8;
    let footer = u32::from_le_bytes(forged[end..end + 4].try_into().unwrap()) as usize;
    let at = end - footer;
    let longer = [&forged[..at], &[0; 4][..], &forged[at..]].concat();
    solve(longer, expected, (0..32).map(|bit| (at + bit / 8, 1 << (bit % 8))))
}

/// Keeps the size as well, by replacing the name of the program that wrote the file. A file without
/// a checksum in its name is returned unchanged.
pub fn keep_checksum_and_size(name: &str, mut forged: Vec<u8>) -> Vec<u8> {
    const NAME: usize = "parquet-rs".len();
    const AFTER: &[u8] = b" version ";
    let Some(expected) = checksum(name) else { return forged };
    let at = forged.windows(AFTER.len()).rposition(|bytes| bytes == AFTER).unwrap() - NAME;
    forged[at..at + NAME].fill(b'@');
    solve(forged, expected, (0..NAME * 5).map(|bit| (at + bit / 5, 1 << (bit % 5))))
}

/// Sets those of the bits, each given as a position and a mask, that produce the wanted checksum.
fn solve(mut bytes: Vec<u8>, expected: u32, bits: impl Iterator<Item = (usize, u8)>) -> Vec<u8> {
    let zero = crc32fast::hash(&bytes);
    // A checksum is linear in the bits: Gaussian elimination finds the bits that together make the
    // difference.
    let mut rows: Vec<(u32, Vec<(usize, u8)>)> = Vec::new();
    for (at, mask) in bits {
        bytes[at] ^= mask;
        rows.push((crc32fast::hash(&bytes) ^ zero, vec![(at, mask)]));
        bytes[at] ^= mask;
    }
    let (mut left, mut chosen) = (expected ^ zero, Vec::new());
    for bit in (0..32).rev() {
        let Some(at) = rows.iter().position(|(sum, _)| sum >> bit == 1) else { continue };
        let (pivot, made) = rows.swap_remove(at);
        for (sum, with) in &mut rows {
            if *sum >> bit & 1 == 1 {
                *sum ^= pivot;
                with.extend(&made);
            }
        }
        if left >> bit & 1 == 1 {
            left ^= pivot;
            chosen.extend(made);
        }
    }
    for (at, mask) in chosen {
        bytes[at] ^= mask;
    }
    assert_eq!(crc32fast::hash(&bytes), expected);
    bytes
}
