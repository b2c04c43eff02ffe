//! Formats, encodings and delimiters, with and without an extension, from as few bytes as possible.

use proptest::prelude::*;

use super::*;
use Format::{Csv, Json, Ndjson};

fn detect(format: Option<Format>, text: &[u8]) -> Result<Layout, FileErrorKind> {
    Layout::detect(format, text, Extent::Whole)
        .map(Option::unwrap)
        .map_err(|error| error.kind)
}

fn format(named: Option<Format>, text: &str) -> Result<Format, FileErrorKind> {
    detect(named, text.as_bytes()).map(|layout| layout.format)
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn content_without_extension_decides() {
    for (text, expected) in [
        ("{\"a\":1}\n{\"a\":2}\n", Ndjson),
        ("{\"a\":1}", Ndjson),
        (" \r\n\u{1E}{\"a\":\"}\\\"\"}\n\u{1E}{}\n", Ndjson),
        ("\u{feff}{}\n", Ndjson),
        ("{\"a\":1}{\"a\":2}", Ndjson),
        ("{\n  \"a\": 1\n}\n", Json),
        ("{\"a\":\n1}", Json),
        ("{\"records\":[{\"a\":1}]}\n", Json),
        ("{\"records\":[]}\n{\"records\":[]}\n", Ndjson),
        ("{\"a\":{\"records\":[]}}\n", Ndjson),
        ("{\"records\":1}\n", Ndjson),
        ("{\"n\":0,\"records\" : [{\"a\":1}", Json),
        ("[{\"a\":1},{\"a\":2}]", Json),
        ("[\n{\"a\":1}\n]\n\n", Json),
        ("[]", Json),
        ("[{\"a\":1}]\n[{\"a\":2}]\n", Ndjson),
        ("[", Json),
        ("link.email,first_name\na@b.c,Ann\n", Csv),
        ("link.email\na@b.c\n", Csv),
        ("\"Email\";\"Name\"\n", Csv),
        ("sep=;\nlink.email;x\n", Csv),
        ("\u{fc}ber,link.email\n", Csv),
        (",link.email\n0,a@b.c\n", Csv),
        ("\"Phone\nnumber\",Name\n1,Ann\n", Csv),
        (
            "Name;\"Date\r\n(UTC)\";\"E-mail\n\naddress\"\r\nAnn;1;2\r\n",
            Csv,
        ),
        ("\"Name, first\",\"Total\n(incl. tax)\"", Csv),
        ("", Ndjson),
        (" \n", Ndjson),
    ] {
        assert_eq!(format(None, text), Ok(expected), "{text}");
    }
    for text in [
        "hello there",
        "1,2\n3,4\n",
        "\"1\n2\",3\n",
        "1,\"a\nb\"\n",
        "\"one\ncolumn\"\nx\n",
        "1,\"never closed\nx,y\n",
        "{a:1}",
        "a\0b,c\n",
        "<x>",
        "{\u{1}\n",
        "---\nx: y\n",
    ] {
        assert_eq!(
            format(None, text),
            Err(FileErrorKind::UnsupportedFormat),
            "{text}"
        );
    }
}

#[test]
fn content_overrules_extension_if_clear() {
    for (named, text, expected) in [
        (Ndjson, "[{\"a\":1},\n{\"a\":2}]", Json),
        (Ndjson, "[\n  {\"a\":1}\n]", Json),
        (Ndjson, "{\n  \"a\": 1\n}", Json),
        (Ndjson, "{\"records\":[{\"a\":1}]}", Json),
        (Ndjson, "link.email,first_name\na@b.c,Ann\n", Csv),
        (Csv, "{\"a\":1}\n{\"a\":2}\n", Ndjson),
        (Csv, "[{\"a\":1}]", Json),
        (Csv, "{\n\"a\":1}", Json),
        (Json, "sep=;\na;b\n", Csv),
        (Json, "link.email;first_name\na@b.c;Ann\n", Csv),
        // Only a row is broken.
        (Ndjson, "[]\n{\"a\":1}\n", Ndjson),
        (Ndjson, "no row, at all\n{\"a\":1}\n", Ndjson),
        (Ndjson, "no row\n", Ndjson),
        (Ndjson, "{\"a\":1\n{\"a\":2}\n", Ndjson),
        (Ndjson, "{a:1}\n", Ndjson),
        (Ndjson, "7\n", Ndjson),
        (Json, "{\"a\":1}\n{\"a\":2}\n", Json),
        (Json, "null", Json),
        (Csv, "{x},[y]\n1,2\n", Csv),
        (Csv, "[Order ID],[Email]\n1,2\n", Csv),
        (Csv, "hello there", Csv),
    ] {
        assert_eq!(format(Some(named), text), Ok(expected), "{named:?} {text}");
    }
}

#[test]
fn rejects_other_content_whatever_its_name() {
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    for (start, kind) in [
        (&b"PK\x03\x04rest"[..], FileErrorKind::Archive),
        (&tar, FileErrorKind::Archive),
        (b"%PDF-1.4", FileErrorKind::UnsupportedFormat),
        (
            b"  <?xml version=\"1.0\"?>",
            FileErrorKind::UnsupportedFormat,
        ),
        (b"\xEF\xBB\xBF<html>", FileErrorKind::UnsupportedFormat),
        (
            &utf16("\u{feff}<?xml ", u16::to_le_bytes),
            FileErrorKind::UnsupportedFormat,
        ),
        (b"\xFF\xFE\0\0a\0\0\0", FileErrorKind::UnsupportedEncoding),
        (b"\0\0\xFE\xFF\0\0\0a", FileErrorKind::UnsupportedEncoding),
        (b"a\0\0\0,\0\0\0b\0\0\0", FileErrorKind::UnsupportedEncoding),
        (b"\0\0\0a\0\0\0,\0\0\0b", FileErrorKind::UnsupportedEncoding),
    ] {
        for named in [None, Some(Ndjson), Some(Json), Some(Csv)] {
            assert_eq!(detect(named, start), Err(kind), "{named:?} {start:?}");
        }
    }
}

#[test]
fn detects_encoding() {
    for text in [
        "{\"a\":1}\n",
        "link.email,first_name\na@b.c,\u{1F600}\n",
        "{}",
        "link.email,\u{e9}\u{e8}\n\u{6f22}\u{5b57}",
    ] {
        for (bytes, expected) in [
            (text.as_bytes().to_vec(), Encoding::Utf8),
            (format!("\u{feff}{text}").into_bytes(), Encoding::Utf8),
            (utf16(text, u16::to_le_bytes), Encoding::Utf16Le),
            (utf16(text, u16::to_be_bytes), Encoding::Utf16Be),
            (
                utf16(&format!("\u{feff}{text}"), u16::to_le_bytes),
                Encoding::Utf16Le,
            ),
            (
                utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
                Encoding::Utf16Be,
            ),
        ] {
            let utf8 = detect(None, text.as_bytes()).unwrap();
            let layout = detect(None, &bytes).unwrap();
            assert_eq!(
                layout,
                Layout {
                    encoding: expected,
                    ..utf8
                },
                "{text}"
            );
        }
    }
    // The readers recognize Windows-1252, cell by cell.
    let layout = detect(Some(Csv), b"link.email;stra\xDFe\n").unwrap();
    assert_eq!(
        (layout.encoding, layout.delimiter),
        (Encoding::Utf8, Some(';'))
    );
}

#[test]
fn detects_delimiter() {
    for (text, expected) in [
        ("a,b,c\n1;2;3;4;5\n", ','),
        ("a;b;c\n1,2,3,4,5\n", ';'),
        ("a\tb\n", '\t'),
        ("a|b\r", '|'),
        ("a\n", ','),
        ("", ','),
        ("\"a,b,c\";\"d\"\n", ';'),
        ("\"a\n,,,\";b\n", ';'),
        ("a;b,c;d\n", ';'),
        ("a;b,c\n", ','),
        ("a;b\tc\n", ';'),
        ("\"a;b,c\nx,y,z\n", ','),
        ("\n\r\n  \na;b\n", ';'),
        (",,,\n;;\na|b\n", '|'),
        ("sep=;\na,b,c\n", ';'),
        ("SEP=|\r\na,b,c\r\n", '|'),
        ("sep=,\na;b;c\n", ','),
        ("\"sep=;\"\na,b\n", ';'),
        ("sep=\t\na,b\n", '\t'),
        ("sep=,,,\na;b\n", ','),
        ("\u{feff}sep=;\na,b\n", ';'),
        ("sep=;", ';'),
        ("sep=\na|b\n", '|'),
        ("\"sep=\"\na|b\n", '|'),
        ("\"sep=;\";;\na,b\n", ';'),
        ("sep=xyz;b\n", ';'),
        ("separator;b\n", ';'),
    ] {
        let layout = detect(Some(Csv), text.as_bytes()).unwrap();
        assert_eq!(layout.delimiter, Some(expected), "{text:?}");
        if !text.starts_with('\u{feff}') {
            let bytes = utf16(&format!("\u{feff}{text}"), u16::to_be_bytes);
            assert_eq!(
                detect(Some(Csv), &bytes).unwrap().delimiter,
                Some(expected),
                "{text:?}"
            );
        }
    }
    assert_eq!(
        detect(Some(Csv), b"sep=^\na^b\n"),
        Err(FileErrorKind::InvalidCsvHeader)
    );
}

#[test]
fn knows_blank_content() {
    for content in [
        &b""[..],
        b" \r\n\t",
        b"\xEF\xBB\xBF\n",
        b"\xFF\xFE",
        b"\xFE\xFF\0\n",
        b"\r\0\n\0",
    ] {
        assert!(is_blank(content), "{content:?}");
    }
    for content in [&b"a"[..], b"\0\0", b"{}", b"\xFF\xFEa\0"] {
        assert!(!is_blank(content), "{content:?}");
    }
}

#[test]
fn looks_at_one_mebibyte_at_most() {
    let long = |text: &str, filler: &str| {
        let mut all = text.to_owned();
        all += &filler.repeat(MAX_PEEKED_BYTES / filler.len() + 1);
        Layout::detect(None, all.as_bytes(), Extent::Beginning)
    };
    let format = |text: &str, filler: &str| long(text, filler).unwrap().unwrap().format;
    assert_eq!(format("", " "), Ndjson);
    assert_eq!(format("{\"records\":[", "{\"a\":1},"), Json);
    assert_eq!(format("[", "{\"a\":1},"), Json);
    assert_eq!(format("[{}]", "\n"), Json);
    assert_eq!(format("a,", "b,"), Csv);
    assert!(long("\"a", "\n\0").is_err());
}

#[test]
fn blank_line_is_not_the_header() {
    let layout = Layout::new(Csv);
    for start in ["\n", ";;\n", "\r\n \n", "sep=;\n\n"] {
        assert_eq!(
            layout.columns(start.as_bytes(), Extent::Beginning),
            None,
            "{start:?}"
        );
        let filled = format!("{}{start}", "\n".repeat(MIN_START_BYTES));
        let partial = Layout::detect(Some(Csv), filled.as_bytes(), Extent::Beginning);
        let expected = start.starts_with("sep").then_some(Layout {
            delimiter: Some(';'),
            ..layout
        });
        assert_eq!(partial, Ok(expected), "{start:?}");
    }
}

proptest! {
    /// A result is not changed by the bytes that follow, so it does not depend on the size of chunks.
    #[test]
    fn more_bytes_do_not_change_result(
        named in prop::sample::select(vec![None, Some(Ndjson), Some(Json), Some(Csv)]),
        parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", "\"", ":", ",", ";", "\t", "|", "\n", "\r\n", " ", "a", "records", "link.email", "sep=", "\u{feff}", "\u{e9}", "\\", "1", "\u{1E}", "<html",
        ]), 0..40),
        filler in prop::sample::select(vec!["", "x", " ", "\n", "1,2;", "{\"a\":1}\n"]),
        encoding in 0_u8..3,
    ) {
        let mut text = parts.concat();
        text += &filler.repeat(600);
        let bytes = match encoding {
            0 => text.into_bytes(),
            1 => utf16(&text, u16::to_le_bytes),
            _ => utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
        };
        let whole = Layout::detect(named, &bytes, Extent::Whole);
        prop_assert!(!matches!(whole, Ok(None)));
        for end in (0..bytes.len()).step_by(7) {
            match Layout::detect(named, &bytes[..end], Extent::Beginning) {
                Ok(None) => {}
                partial => {
                    prop_assert_eq!(&partial, &whole);
                    break;
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_detected_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Layout::detect(None, &bytes, Extent::Whole);
        let _ = is_blank(&bytes);
    }
}
