//! Converts UTF-16 to UTF-8, and maps positions in the UTF-8 text back to positions in the original bytes.
//!
//! Half a surrogate pair is encoded as if it were a character. The result is not valid UTF-8, so the string that contains it is
//! decoded later like other damaged text, with a warning at its field.

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
    pub(super) fn push(&mut self, chunk: &[u8], position: u64) -> Vec<u8> {
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
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.incomplete);
        if let [.., b'\0' | b'\n' | b'\r' | b' '] = bytes[bytes.len() / 2 * 2..] {
            // A tool that does not know the encoding added a line end of one byte.
            bytes.pop();
        }
        if bytes.len() % 2 == 1 {
            // Half a unit becomes half a surrogate pair, which is not a character either.
            bytes.pop();
            bytes.extend(self.bytes_of(FIRST_SURROGATE));
        }
        self.convert(&bytes)
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

    const fn bytes_of(&self, unit: u16) -> [u8; 2] {
        if self.is_big_endian {
            unit.to_be_bytes()
        } else {
            unit.to_le_bytes()
        }
    }

    fn convert(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(bytes.len());
        for character in char::decode_utf16(self.units(bytes)) {
            match character {
                Ok(character) => {
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Err(half) => text.extend(half_pair(half.unpaired_surrogate())),
            }
        }
        self.text.extend_from_slice(&text);
        text
    }

    /// Removes the text before a position. If a row that is being skipped begins there, removes most of its text too.
    pub(super) fn forget(&mut self, position: u64) {
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

/// The first of the units that are halves of surrogate pairs.
const FIRST_SURROGATE: u16 = 0xd800;

/// Encodes half a surrogate pair as if it were a character.
fn half_pair(unit: u16) -> [u8; 3] {
    let [high, low] = (unit & 0xfff).to_be_bytes();
    [0xed, 0x80 | high << 2 | low >> 6, 0x80 | low & 0x3f]
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

/// Encodes a text in UTF-16. It may contain halves of surrogate pairs, as a [`Transcoder`] writes them.
#[cfg(any(test, fuzzing))]
pub(super) fn encode(text: &[u8], encoding: Encoding) -> Vec<u8> {
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(chunk) = rest.utf8_chunks().next() {
        units.extend(chunk.valid().encode_utf16());
        rest = &rest[chunk.valid().len()..];
        if let [0xed, high, low, after @ ..] = rest {
            let bits = u16::from(*high & 0x3f) << 6 | u16::from(*low & 0x3f);
            units.push(0xd000 | bits);
            rest = after;
        } else {
            // The end of a row that is cut.
            rest = &rest[chunk.invalid().len()..];
        }
    }
    let bytes = |unit: u16| match encoding {
        Encoding::Utf16Be => unit.to_be_bytes(),
        Encoding::Utf8 | Encoding::Utf16Le => unit.to_le_bytes(),
    };
    units.into_iter().flat_map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_halves_of_surrogate_pairs() {
        for (bytes, text) in [
            (&b"\x00\xD8a\x00"[..], &b"\xED\xA0\x80a"[..]),
            (b"a\x00\x00\xDC", b"a\xED\xB0\x80"),
            (b"\xFF\xDF\xFF\xDB", b"\xED\xBF\xBF\xED\xAF\xBF"),
            (b"\x3D\xD8\x3D\xD8\x00\xDE", b"\xED\xA0\xBD\xF0\x9F\x98\x80"),
            (b"a\x00b", b"a\xED\xA0\x80"),
            (b"\x3D\xD8", b"\xED\xA0\xBD"),
            (b"a\x00\n", b"a"),
        ] {
            for chunk in 1..5 {
                let mut transcoder = Transcoder::new(Encoding::Utf16Le).unwrap();
                let chunks = bytes.chunks(chunk);
                let mut read: Vec<u8> =
                    chunks.flat_map(|chunk| transcoder.push(chunk, 0)).collect();
                read.extend(transcoder.finish());
                assert_eq!(read, text);
                if bytes.len() % 2 == 0 {
                    assert_eq!(encode(&read, Encoding::Utf16Le), bytes);
                }
                let end = transcoder.original(text.len() as u64);
                assert_eq!(
                    end,
                    (bytes.len() - usize::from(bytes.ends_with(b"\n"))) as u64
                );
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut transcoder = Transcoder::new(Encoding::Utf16Be).unwrap();
        let chunk = encode("é".repeat(1 << 19).as_bytes(), Encoding::Utf16Be);
        let first = transcoder.push(&encode(b"ab", Encoding::Utf16Be), 0).len() as u64;
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
            let bytes = encode(text.as_bytes(), encoding);
            let mut transcoder = Transcoder::new(encoding).unwrap();
            let mut read = Vec::new();
            let starts: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            let asked = starts.get(asked).copied().unwrap_or(0);
            for chunk in bytes.chunks(chunk) {
                let position = asked.min(read.len());
                read.extend(transcoder.push(chunk, position as u64));
            }
            read.extend(transcoder.finish());
            prop_assert_eq!(&read, text.as_bytes());
            for at in starts.into_iter().filter(|at| *at >= asked) {
                let expected = encode(&text.as_bytes()[..at], encoding).len() as u64;
                prop_assert_eq!(transcoder.original(at as u64), expected);
            }
        }
    }
}
