//! Decodes text that should be UTF-8 and is not. Only text that fails the check for UTF-8 arrives here.

use std::borrow::Cow;

use super::WarningCode;

/// The characters of the bytes 0x80 to 0x9F in Windows-1252 (WHATWG Encoding Standard). Five bytes without a character become
/// control characters. All other bytes are the character of their number.
const WINDOWS_1252: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2C6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];

/// Decodes a cell of a CSV file or a string of a JSON file. Returns what was changed, if its bytes are not UTF-8.
///
/// Bytes that contain no character of several bytes in UTF-8 are Windows-1252. Otherwise the text is damaged UTF-8, and each part that
/// cannot be read becomes U+FFFD.
pub(super) fn cell(bytes: &[u8]) -> (Cow<'_, str>, Option<WarningCode>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) if is_damaged_utf8(bytes) => (
            Cow::Owned(replaced(bytes)),
            Some(WarningCode::ReplacedCharacters),
        ),
        Err(_) => (
            Cow::Owned(windows_1252(bytes)),
            Some(WarningCode::Windows1252),
        ),
    }
}

/// The text of a JSON row that is not UTF-8.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// The strings that were changed, in their order.
    pub(super) changes: Vec<Change>,
}

/// A string that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Where the string begins in the text, after its quote.
    pub(super) at: usize,
    pub(super) code: WarningCode,
}

/// Decodes a JSON row. Each string is decoded for itself, as [`cell`] does.
pub(super) fn json(row: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    let mut rest = row;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        let (outside, string) = rest.split_at(quote + 1);
        decoded.text.push_str(&replaced(outside));
        let (string, after) = string.split_at(string_end(string));
        let (text, code) = cell(string);
        let at = decoded.text.len();
        decoded.changes.extend(code.map(|code| Change { at, code }));
        decoded.text.push_str(&text);
        // The closing quote.
        decoded
            .text
            .push_str(if after.is_empty() { "" } else { "\"" });
        rest = after.get(1..).unwrap_or_default();
    }
    decoded.text.push_str(&replaced(rest));
    decoded
}

/// Returns where the closing quote of a JSON string is; the end if there is none.
fn string_end(string: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &string[at..]) {
        if string[at + found] == b'"' {
            return at + found;
        }
        at = (at + found + 2).min(string.len());
    }
    string.len()
}

/// Returns whether text that is not UTF-8 contains a character of several bytes in UTF-8, or half of a surrogate pair. A reader of
/// UTF-16 encodes a half that has no other one in this way, so that it is not lost.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let is_character = |valid: &str| !valid.is_ascii();
    bytes.utf8_chunks().any(|chunk| is_character(chunk.valid()))
        || bytes.windows(SURROGATE_BYTES).any(is_surrogate)
}

/// The number of bytes of half a surrogate pair.
const SURROGATE_BYTES: usize = 3;

/// Returns whether the bytes begin with half a surrogate pair, encoded as if it were a character.
fn is_surrogate(bytes: &[u8]) -> bool {
    matches!(bytes, [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..])
}

/// Decodes UTF-8. Each part that cannot be read becomes U+FFFD.
fn replaced(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(chunk) = rest.utf8_chunks().next() {
        text.push_str(chunk.valid());
        let (_, bad) = rest.split_at(chunk.valid().len());
        if !bad.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        let length = if is_surrogate(bad) {
            SURROGATE_BYTES
        } else {
            chunk.invalid().len()
        };
        rest = &bad[length..];
    }
    text
}

/// Decodes Windows-1252, in which every sequence of bytes is valid.
fn windows_1252(bytes: &[u8]) -> String {
    let decode = |byte: &u8| match byte {
        0x80..=0x9F => WINDOWS_1252[usize::from(byte - 0x80)],
        byte => char::from(*byte),
    };
    bytes.iter().map(decode).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> (String, Option<&'static str>) {
        let (text, code) = cell(bytes);
        (text.into_owned(), code.map(WarningCode::as_str))
    }

    #[test]
    fn reads_windows_1252() {
        let cases: [(&[u8], &str); 5] = [
            (b"Zo\xEB", "Zoë"),
            (b"\x80 9", "€ 9"),
            (b"\x93quoted\x94 \x96 \x99", "“quoted” – ™"),
            (b"\x81\x8D\x8F\x90\x9D", "\u{81}\u{8D}\u{8F}\u{90}\u{9D}"),
            // An unfinished character at the end, as UTF-8 would see it.
            (b"Caf\xE9", "Café"),
        ];
        for (bytes, text) in cases {
            assert_eq!(read(bytes), (text.to_owned(), Some("windows_1252")));
        }
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let (text, _) = read(&all);
        assert_eq!(text.chars().count(), 256);
        assert!(text.ends_with("ýþÿ"), "{text}");
    }

    #[test]
    fn replaces_damage_in_utf8() {
        let cases: [(&[u8], &str); 5] = [
            (b"Zo\xC3\xAB Br\xFCckner", "Zoë Br\u{FFFD}ckner"),
            (b"\xE2\x82\xAC \xE2\x82", "€ \u{FFFD}"),
            // Half a surrogate pair.
            (b"ok \xED\xA0\xBD!", "ok \u{FFFD}!"),
            (b"\xED\xA0\xBD\xED\xB8\x80", "\u{FFFD}\u{FFFD}"),
            (b"\xED\xA0\xBD\xFF\xF0\x9F", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ];
        for (bytes, text) in cases {
            assert_eq!(read(bytes), (text.to_owned(), Some("replaced_characters")));
        }
    }

    #[test]
    fn keeps_utf8() {
        for text in ["", "a", "Zoë", "\u{FFFD}", "\0"] {
            assert_eq!(read(text.as_bytes()), (text.to_owned(), None));
        }
    }

    #[test]
    fn decodes_each_string_of_a_row() {
        let row = b"{\"a\":\"Zo\xEB\",\"b\":\"Zo\xC3\xAB\",\"\\\"\xE4\":\"\xC3\xAB\xFF\"}\xFE";
        let decoded = json(row);
        assert_eq!(
            decoded.text,
            "{\"a\":\"Zoë\",\"b\":\"Zoë\",\"\\\"ä\":\"ë\u{FFFD}\"}\u{FFFD}"
        );
        let changes: Vec<_> = decoded
            .changes
            .iter()
            .map(|change| (&decoded.text[change.at..][..2], change.code))
            .collect();
        assert_eq!(
            changes,
            [
                ("Zo", WarningCode::Windows1252),
                ("\\\"", WarningCode::Windows1252),
                ("ë", WarningCode::ReplacedCharacters),
            ]
        );
        assert_eq!(json(b"\"\xE4").text, "\"ä");
        assert_eq!(json(b"\"\\").text, "\"\\");
    }

    proptest! {
        #[test]
        fn reads_any_bytes(bytes: Vec<u8>) {
            let (text, code) = cell(&bytes);
            match code {
                None => prop_assert_eq!(text.as_bytes(), &bytes),
                Some(WarningCode::Windows1252) => prop_assert_eq!(text.chars().count(), bytes.len()),
                Some(_) => prop_assert!(text.contains(char::REPLACEMENT_CHARACTER)),
            }
        }

        #[test]
        fn valid_rows_stay(text in "[a\"\\\\é{}:,\u{1F600}]{0,30}") {
            let decoded = json(text.as_bytes());
            prop_assert_eq!(decoded, Decoded { text, changes: Vec::new() });
        }
    }
}
