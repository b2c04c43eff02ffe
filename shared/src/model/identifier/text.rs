//! Normal forms common to all identifiers. In: a value as written. Out: NFC without leading and trailing whitespace,
//! invisible characters and the guards of spreadsheets.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{CodePointMapData, props::GeneralCategory};

use super::{MAX_PART_BYTES, Notation, Refusal};

const LENGTH: Refusal = Refusal::invalid("must be 1 to 256 bytes of UTF-8.");
const CONTROL: Refusal = Refusal::invalid("contains control characters. Remove them.");
const REPLACEMENT: Refusal = Refusal::invalid(
    "contains U+FFFD, which replaces characters that were lost. Export the file again as UTF-8.",
);

/// Returns the normal form of a component of an identifier.
pub(super) fn normal_form(value: &str, notation: Notation) -> Result<Cow<'_, str>, Refusal> {
    if value.is_ascii() {
        // Hot path of ingest: ASCII has nothing to compose and no invisible characters.
        let text = trimmed(value, notation);
        check_length(text)?;
        return if text.bytes().any(|byte| byte.is_ascii_control()) {
            Err(CONTROL)
        } else {
            Ok(Cow::Borrowed(text))
        };
    }
    let composed = compose(value);
    let rest = trimmed(&composed, notation);
    let text = if rest.len() == composed.len() {
        composed
    } else {
        Cow::Owned(rest.to_owned())
    };
    check_length(&text)?;
    if text.chars().any(char::is_control) {
        return Err(CONTROL);
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(REPLACEMENT);
    }
    Ok(text)
}

/// Returns the text in NFC, without invisible characters.
pub(super) fn compose(text: &str) -> Cow<'_, str> {
    let is_invisible = |c: char| !c.is_ascii() && category(c) == GeneralCategory::Format;
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    if text.contains(is_invisible) {
        let visible = text.replace(is_invisible, "");
        return Cow::Owned(nfc.normalize(&visible).into_owned());
    }
    nfc.normalize(text)
}

/// Returns whether the character is a mark that belongs to the letter before it.
pub(super) fn is_mark(c: char) -> bool {
    matches!(
        category(c),
        GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark
    )
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// Refuses a normal form that is empty or longer than [`MAX_PART_BYTES`].
pub(super) fn check_length(text: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > MAX_PART_BYTES {
        return Err(LENGTH);
    }
    Ok(())
}

/// Removes whitespace at both ends. In CSV, it also removes the guards that keep spreadsheets from reading a cell as a
/// number or a formula: `'00123` and `="00123"`.
pub(super) fn trimmed(text: &str, notation: Notation) -> &str {
    let mut text = text.trim();
    if notation == Notation::Json {
        return text;
    }
    loop {
        let formula = || text.strip_prefix("=\"")?.strip_suffix('"');
        match text.strip_prefix('\'').or_else(formula) {
            Some(rest) => text = rest.trim(),
            None => return text,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(value: &str) -> Cow<'_, str> {
        normal_form(value, Notation::Json).unwrap()
    }

    #[test]
    fn composes_letters_and_removes_what_is_invisible() {
        assert_eq!(json("Cafe\u{301}-1"), "Caf\u{e9}-1");
        assert_eq!(json("\u{1100}\u{1161}"), "\u{ac00}");
        for invisible in [
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{202a}',
            '\u{2060}',
            '\u{feff}',
            '\u{fff9}',
            '\u{110bd}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
        ] {
            assert_eq!(json(&format!("{invisible}a{invisible}b {invisible}")), "ab");
            assert_eq!(json(&format!("e{invisible}\u{301}")), "\u{e9}");
        }
        assert_eq!(json("\u{a0}\u{3000}a b\u{2003}\t"), "a b");
    }

    #[test]
    fn ascii_is_borrowed() {
        for value in ["C1042", " C1042\t", "a'b"] {
            assert!(matches!(json(value), Cow::Borrowed(_)), "{value}");
        }
        assert!(matches!(json("\u{e9}"), Cow::Borrowed(_)));
    }

    #[test]
    fn guards_are_removed_from_cells_only() {
        let cell = |value| normal_form(value, Notation::Csv).unwrap();
        for (value, expected) in [
            ("'00123", "00123"),
            (" ' 00123", "00123"),
            ("=\"00123\"", "00123"),
            ("'=\"1\"", "1"),
            ("=\"'1\"", "1"),
            ("'+61491570156", "+61491570156"),
            ("'\u{e9}1", "\u{e9}1"),
            ("o'neil", "o'neil"),
            ("=1", "=1"),
            ("=\"1", "=\"1"),
        ] {
            assert_eq!(cell(value), expected, "{value}");
        }
        for value in ["'00123", "=\"00123\""] {
            assert_eq!(json(value), value);
        }
        assert!(normal_form("'", Notation::Csv).is_err());
    }

    #[test]
    fn refuses_what_can_not_be_read() {
        for (value, refusal) in [
            ("", LENGTH),
            (" \u{200b} ", LENGTH),
            ("a\tb", CONTROL),
            ("a\u{0}", CONTROL),
            ("a\u{7f}", CONTROL),
            ("a\u{9b}b", CONTROL),
            ("M\u{fffd}ller", REPLACEMENT),
        ] {
            assert_eq!(
                normal_form(value, Notation::Json),
                Err(refusal),
                "{value:?}"
            );
        }
        let long = |bytes: usize| "\u{e9}".repeat(bytes / 2);
        assert!(normal_form(&long(MAX_PART_BYTES), Notation::Json).is_ok());
        assert_eq!(
            normal_form(&long(MAX_PART_BYTES + 2), Notation::Json),
            Err(LENGTH)
        );
        // The limit applies to the normal form.
        let decomposed = "e\u{301}".repeat(MAX_PART_BYTES / 2);
        assert!(normal_form(&decomposed, Notation::Json).is_ok());
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(value in "(\\PC|[ '=\"\u{200b}\u{301}\u{307}\u{1100}-\u{11ff}\u{1e00}-\u{1eff}]){0,12}") {
            for notation in [Notation::Json, Notation::Csv] {
                if let Ok(text) = normal_form(&value, notation) {
                    for spelling in [text.to_string(), format!(" \u{feff}{value}\u{2060}\n")] {
                        let normal = normal_form(&spelling, notation).unwrap();
                        prop_assert_eq!(&normal, &text);
                    }
                }
            }
        }
    }
}
