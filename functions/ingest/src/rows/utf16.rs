//! Converts UTF-16 to UTF-8, and maps positions in the UTF-8 text back to positions in the original bytes.

use bytes::{Buf as _, BytesMut};

use super::Encoding;

/// The maximum number of bytes that are kept to map positions. Rows are smaller, except those that are skipped.
const MAX_KEPT_BYTES: usize = 4 << 20;

/// Converts a file, chunk by chunk.
#[derive(Debug)]
pub(super) struct Transcoder {
    is_big_endian: bool,
    /// The bytes of a unit or surrogate pair that the next chunk completes.
    incomplete: Vec<u8>,
    /// The UTF-8 text from `start` on.
    text: BytesMut,
    /// The position of `text`.
    start: Position,
    /// The position before `text` that may still be asked for: the start of a row that is skipped.
    skipped_from: Position,
    /// The number of original bytes so far.
    bytes: u64,
}

/// A position in a file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    utf8: u64,
    original: u64,
}

impl Transcoder {
    /// Returns the converter for an encoding; `None` for UTF-8.
    pub(super) fn new(encoding: Encoding) -> Option<Self> {
        let is_big_endian = match encoding {
            Encoding::Utf8 => return None,
            Encoding::Utf16Le => false,
            Encoding::Utf16Be => true,
        };
        Some(Self {
            is_big_endian,
            incomplete: Vec::new(),
            text: BytesMut::new(),
            start: Position::default(),
            skipped_from: Position::default(),
            bytes: 0,
        })
    }

    /// Converts the next chunk. `position` is the earliest position in the UTF-8 text that will be asked for.
    pub(super) fn push(&mut self, chunk: &[u8], position: u64) -> String {
        self.forget(position);
        self.bytes += chunk.len() as u64;
        let mut bytes = std::mem::take(&mut self.incomplete);
        bytes.extend_from_slice(chunk);
        let mut whole = bytes.len() / 2 * 2;
        let last = whole
            .checked_sub(2)
            .and_then(|at| self.units(&bytes[at..whole]).next());
        if last.is_some_and(|unit| (0xd800..0xdc00).contains(&unit)) {
            whole -= 2;
        }
        self.incomplete = bytes.split_off(whole);
        self.convert(&bytes)
    }

    /// Converts what the last chunk left incomplete.
    pub(super) fn finish(&mut self) -> String {
        let bytes = std::mem::take(&mut self.incomplete);
        let mut text = self.convert(&bytes[..bytes.len() / 2 * 2]);
        if bytes.len() % 2 == 1 {
            text.push(char::REPLACEMENT_CHARACTER);
            let mark = char::REPLACEMENT_CHARACTER.to_string();
            self.text.extend_from_slice(mark.as_bytes());
        }
        text
    }

    /// Returns the position in the original bytes of a position in the UTF-8 text.
    pub(super) fn original(&self, utf8: u64) -> u64 {
        let Some(length) = utf8.checked_sub(self.start.utf8) else {
            return self.skipped_from.original;
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let text = &self.text[..length.min(self.text.len())];
        (self.start.original + 2 * units_of(text)).min(self.bytes)
    }

    fn units<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = u16> + use<'a> {
        let is_big_endian = self.is_big_endian;
        bytes.as_chunks().0.iter().map(move |unit| {
            if is_big_endian {
                u16::from_be_bytes(*unit)
            } else {
                u16::from_le_bytes(*unit)
            }
        })
    }

    fn convert(&mut self, bytes: &[u8]) -> String {
        let characters = char::decode_utf16(self.units(bytes));
        let text: String = characters
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        self.text.extend_from_slice(text.as_bytes());
        text
    }

    /// Removes the text before a position. If a row that is being skipped begins there, removes most of its text too.
    fn forget(&mut self, position: u64) {
        let length = position.saturating_sub(self.start.utf8);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.advance(length.min(self.text.len()));
        if self.text.len() > MAX_KEPT_BYTES {
            if position >= self.start.utf8 {
                self.skipped_from = self.start;
            }
            let mut length = self.text.len() - MAX_KEPT_BYTES / 2;
            while self.text.get(length).is_some_and(|byte| !is_start(byte)) {
                length += 1;
            }
            self.advance(length);
        }
    }

    fn advance(&mut self, length: usize) {
        self.start.original += 2 * units_of(&self.text[..length]);
        self.start.utf8 += length as u64;
        self.text.advance(length);
    }
}

/// Returns whether a byte of UTF-8 begins a character.
const fn is_start(byte: &u8) -> bool {
    *byte & 0xc0 != 0x80
}

/// Returns the number of UTF-16 units of a UTF-8 text.
fn units_of(text: &[u8]) -> u64 {
    let units = |byte: &u8| u64::from(is_start(byte)) + u64::from(*byte >= 0xf0);
    text.iter().map(units).sum()
}

/// Encodes a text in UTF-16.
#[cfg(any(test, fuzzing))]
pub(super) fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    let bytes = |unit: u16| match encoding {
        Encoding::Utf16Be => unit.to_be_bytes(),
        Encoding::Utf8 | Encoding::Utf16Le => unit.to_le_bytes(),
    };
    text.encode_utf16().flat_map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replaces_what_is_no_character() {
        for (bytes, text) in [
            (&b"\x00\xD8a\x00"[..], "\u{fffd}a"),
            (b"a\x00\x00\xDC", "a\u{fffd}"),
            (b"a\x00b", "a\u{fffd}"),
            (b"\x3D\xD8", "\u{fffd}"),
        ] {
            for chunk in 1..5 {
                let mut transcoder = Transcoder::new(Encoding::Utf16Le).unwrap();
                let mut read: String = bytes
                    .chunks(chunk)
                    .map(|chunk| transcoder.push(chunk, 0))
                    .collect();
                read += &transcoder.finish();
                assert_eq!(read, text);
                assert_eq!(transcoder.original(text.len() as u64), bytes.len() as u64);
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut transcoder = Transcoder::new(Encoding::Utf16Be).unwrap();
        let chunk = encode(&"é".repeat(1 << 19), Encoding::Utf16Be);
        let first = transcoder.push(&encode("ab", Encoding::Utf16Be), 0).len() as u64;
        for _ in 0..20 {
            transcoder.push(&chunk, first);
            assert!(transcoder.text.len() <= MAX_KEPT_BYTES + chunk.len());
        }
        assert_eq!(transcoder.original(first), 4);
        let end = first + 20 * (1 << 20);
        assert_eq!(transcoder.original(end), 4 + 20 * (1 << 20));
    }

    proptest! {
        #[test]
        fn maps_every_position(text in "[a-z é€\u{10000}\u{1F600}\n]{0,40}", chunk in 1_usize..9, is_big: bool, asked in 0_usize..40) {
            let encoding = if is_big { Encoding::Utf16Be } else { Encoding::Utf16Le };
            let bytes = encode(&text, encoding);
            let mut transcoder = Transcoder::new(encoding).unwrap();
            let mut read = String::new();
            let starts: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            let asked = starts.get(asked).copied().unwrap_or(0);
            for chunk in bytes.chunks(chunk) {
                let position = asked.min(read.len());
                read += &transcoder.push(chunk, position as u64);
            }
            read += &transcoder.finish();
            prop_assert_eq!(&read, &text);
            for at in starts.into_iter().filter(|at| *at >= asked) {
                let expected = encode(&text[..at], encoding).len() as u64;
                prop_assert_eq!(transcoder.original(at as u64), expected);
            }
        }
    }
}
