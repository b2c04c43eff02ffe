//! The same rows in each format: their positions, their contents, and the end of a file.

use super::*;

mod mapped;

/// Returns the rows of a file that is pushed `chunk` bytes at a time. Each row has the position and line after it. Also returns
/// the reader.
fn read(mut rows: Rows, text: &[u8], chunk: usize) -> (Vec<(Row, u64, u64)>, Rows) {
    let mut found = Vec::new();
    for chunk in text.chunks(chunk) {
        rows.push(chunk);
        while let Some(row) = rows.next() {
            found.push((row, rows.position(), rows.line()));
        }
    }
    while let Some(row) = rows.finish() {
        found.push((row, rows.position(), rows.line()));
    }
    (found, rows)
}

#[test]
fn every_format_says_where_its_rows_stand_and_what_they_hold() {
    let files = [
        (
            Format::Ndjson,
            "{\"a\":\"1\"}\n\n{\"a\":\"2\"}",
            [0, 11],
            [1, 3],
        ),
        (
            Format::Json,
            "[{\"a\":\"1\"},\n {\"a\":\"2\"}]",
            [1, 13],
            [1, 2],
        ),
        (Format::Csv, "a\n1\n\n2", [2, 5], [2, 4]),
    ];
    for (format, text, offsets, lines) in files {
        for chunk in [1, 3, 100] {
            let new = Rows::new(Layout::new(format), RecordsField::Rows);
            assert_eq!((new.position(), new.line()), (0, 1), "{format:?}");
            let (found, rows) = read(new, text.as_bytes(), chunk);
            assert_eq!((rows.error(), rows.is_over()), (None, false));
            let stand = |of: fn(&Row) -> u64| found.iter().map(|(row, ..)| of(row)).collect();
            let (at, on): (Vec<_>, Vec<_>) = (stand(|row| row.offset), stand(|row| row.line));
            assert_eq!((at.as_slice(), on.as_slice()), (&offsets[..], &lines[..]));
            for (place, (row, position, line)) in found.iter().enumerate() {
                let end = row.offset + row.bytes.len() as u64;
                assert!(
                    *position >= end && *position <= text.len() as u64,
                    "{format:?}"
                );
                assert!(*line >= row.line && *line <= 4, "{format:?}");
                let says = (place + 1).to_string();
                let fields = rows.fields(row).unwrap();
                assert_eq!(fields.map.text("a"), Some(says.as_str()), "{format:?}");
            }
        }
    }
}

#[test]
fn a_range_is_over_where_the_next_one_begins() {
    let text = b"{}\n{}\n{}";
    for (start, end, expected, over) in [
        (0_u64, Some(3), vec![0], true),
        (3, Some(6), vec![3], true),
        (3, None, vec![3, 6], false),
    ] {
        let rows = Rows::lines(Start::Cut(start), Some(7), end);
        assert_eq!((rows.line(), rows.is_over()), (7, false));
        let (found, rows) = read(rows, &text[start.saturating_sub(1) as usize..], 2);
        let offsets: Vec<_> = found.iter().map(|(row, ..)| row.offset).collect();
        assert_eq!((offsets, rows.is_over()), (expected, over), "from {start}");
    }
}

#[test]
fn a_file_that_breaks_off_says_so() {
    for (format, text, slug) in [
        (Format::Json, "[{\"a\":1},", "/problems/broken-json"),
        (Format::Csv, "a,a\n1,2\n", "/problems/invalid-csv-header"),
    ] {
        let (_, rows) = read(
            Rows::new(Layout::new(format), RecordsField::Rows),
            text.as_bytes(),
            100,
        );
        assert_eq!(rows.error().map(|broken| broken.kind.as_str()), Some(slug));
    }
}

#[test]
fn what_is_no_row_is_refused() {
    let rows = Rows::new(Layout::new(Format::Ndjson), RecordsField::Rows);
    let row = |bytes: &'static [u8], framing_error| Row {
        offset: 0,
        line: 1,
        bytes: Bytes::from_static(bytes),
        framing_error,
        rows: 1,
        skipped: 0,
        record: None,
    };
    for (row, code) in [
        (row(b"{}", Some(FramingError::TooLarge)), "record_too_large"),
        (
            row(b"{}", Some(FramingError::UnclosedQuote)),
            "unclosed_quote",
        ),
        (row(b"{\"\xC3\xA9\xff\":1}", None), "invalid_utf8"),
        (row(b"[]", None), "not_an_object"),
    ] {
        assert_eq!(rows.fields(&row).unwrap_err().code.as_str(), code);
    }
}

#[test]
fn reads_utf16() {
    let files = [
        (
            Format::Ndjson,
            "\u{feff}{\"a\":\"1\"}\n\n{\"a\":\"\u{1F600}\"}\n{\"a\":\"é\"}",
        ),
        (
            Format::Json,
            "[{\"a\":\"1\"},\n {\"a\":\"\u{1F600}\"}, {\"a\":\"é\"}]",
        ),
        (Format::Csv, "\u{feff}a;b\r\n1;\r\n\u{1F600};\r\n\"é\";"),
    ];
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        for (format, text) in files {
            let layout = Layout {
                format,
                encoding,
                delimiter: Some(';'),
            };
            let bytes = utf16::encode(text.as_bytes(), encoding);
            for chunk in [1, 2, 3, 100] {
                let new = Rows::new(layout, RecordsField::Rows);
                let (found, rows) = read(new, &bytes, chunk);
                let values = found.iter().map(|(row, ..)| rows.fields(row).unwrap());
                let values: Vec<_> = values
                    .map(|fields| fields.map.text("a").unwrap().to_owned())
                    .collect();
                assert_eq!(values, ["1", "\u{1F600}", "é"]);
                for (row, position, _) in &found {
                    // Offsets are those of the file.
                    let begin = usize::try_from(row.offset).unwrap();
                    let own = utf16::encode(&row.bytes, encoding);
                    assert_eq!(
                        bytes[begin..begin + own.len()],
                        own,
                        "{format:?} {encoding:?}"
                    );
                    assert!(*position >= row.offset + own.len() as u64 || format == Format::Csv);
                }
                assert!(found.last().unwrap().1 <= bytes.len() as u64);
            }
        }
    }
    // Half a surrogate pair.
    let mut bytes = utf16::encode(b"{\"a\":\"x\"}", Encoding::Utf16Le);
    bytes[12..14].copy_from_slice(&[0x00, 0xD8]);
    let layout = Layout {
        encoding: Encoding::Utf16Le,
        ..Layout::new(Format::Ndjson)
    };
    let (found, rows) = read(Rows::new(layout, RecordsField::Rows), &bytes, 3);
    let fields = rows.fields(&found[0].0).unwrap();
    assert_eq!(fields.map.text("a"), Some("\u{fffd}"));
    let warning = Warning::at(WarningCode::ReplacedCharacters, &"a");
    assert_eq!(fields.warnings, [warning]);
    // A replacement character of the file itself.
    let bytes = utf16::encode("{\"a\":\"\u{fffd}\"}".as_bytes(), Encoding::Utf16Le);
    let (found, rows) = read(Rows::new(layout, RecordsField::Rows), &bytes, 3);
    assert_eq!(rows.fields(&found[0].0).unwrap().warnings, []);
}
