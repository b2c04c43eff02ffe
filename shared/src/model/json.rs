//! Finds the bytes of a string that JSON escapes.

const WORD: usize = size_of::<u64>();

/// Returns how many bytes at the start of `text` a JSON string contains unescaped (RFC 8259, section 7). These are all
/// bytes before the first quote, backslash or control character.
///
/// Checks eight bytes per step, because ingest examines every byte of a file and every byte that it sends.
pub fn plain(text: &[u8]) -> usize {
    let mut words = text.chunks_exact(WORD);
    let mut length = 0;
    for word in &mut words {
        let special = special(word.try_into().map_or(0, u64::from_le_bytes));
        if special != 0 {
            return length + special.trailing_zeros() as usize / 8;
        }
        length += WORD;
    }
    let rest = words.remainder();
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    length + end.unwrap_or(rest.len())
}

/// Returns the highest bit of the first special byte, and possibly of later bytes; 0 if no byte is special.
const fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; WORD]);
    const HIGHEST: u64 = ONES << 7;
    /// The highest bit of the first byte that is 0. The borrow of the subtraction affects only later bytes.
    const fn zero(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & HIGHEST
    }
    zero(word ^ (ONES * b'"' as u64))
        | zero(word ^ (ONES * b'\\' as u64))
        | zero(word & (ONES * 0xE0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            let is_special = matches!(byte, b'"' | b'\\' | 0..0x20);
            for length in 0..20 {
                for place in 0..length {
                    let mut text = vec![b'a'; length];
                    text[place] = byte;
                    let expected = if is_special { place } else { length };
                    assert_eq!(plain(&text), expected, "{byte} at {place} of {length}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn it_ends_before_the_first_special_byte(text: Vec<u8>) {
            let first = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(plain(&text), first.unwrap_or(text.len()));
        }
    }
}
