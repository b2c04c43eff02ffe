//! Decodes text that is not UTF-8.

use std::borrow::Cow;

use super::WarningCode;

/// The characters of Windows-1252 for the bytes 0x80 to 0x9F, as the WHATWG Encoding Standard defines them. All other bytes are
/// the characters with the same numbers.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Decodes a cell or string, and returns how it was changed.
///
/// Text that is not UTF-8 is Windows-1252, unless it also contains characters of several bytes in UTF-8. In that case, the bytes
/// that cannot be read become U+FFFD.
pub(super) fn cell(bytes: &[u8]) -> (Cow<'_, str>, Option<WarningCode>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), None);
    }
    let is_mixed = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    if is_mixed {
        let text = String::from_utf8_lossy(bytes);
        return (text, Some(WarningCode::ReplacedCharacters));
    }
    let text: String = bytes.iter().map(|byte| windows_1252(*byte)).collect();
    (Cow::Owned(text), Some(WarningCode::Windows1252))
}

/// Returns the character of a byte in Windows-1252.
fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_windows_1252() {
        for (bytes, text) in [
            (&b"Zo\xEB"[..], "Zoë"),
            (b"\x80 10 \x93x\x94", "€ 10 “x”"),
            (b"\x81\xFF", "\u{81}ÿ"),
        ] {
            let expected = (Cow::Borrowed(text), Some(WarningCode::Windows1252));
            assert_eq!(cell(bytes), expected);
        }
        assert_eq!(cell("Zoë".as_bytes()), ("Zoë".into(), None));
    }

    #[test]
    fn replaces_bytes_in_utf8() {
        let mixed = [&b"Zo\xEB "[..], "Zoë".as_bytes()].concat();
        let expected = (
            "Zo\u{fffd} Zoë".into(),
            Some(WarningCode::ReplacedCharacters),
        );
        assert_eq!(cell(&mixed), expected);
    }
}
