//! Files that a mapping reads, in each format.

use proptest::prelude::*;

use super::*;
use crate::source::inflate::Extent;

fn options(skip_lines: u64, rows: Option<&str>, group: &[&str]) -> MappedInput {
    MappedInput {
        group: group.iter().map(|name| (*name).to_owned()).collect(),
        skip_lines,
        rows: rows.map(str::to_owned),
    }
}

/// Returns the content of a row as text.
fn content(row: &Row, rows: &Rows) -> String {
    if rows.header().is_none() {
        let fields = rows.fields(row).unwrap();
        return serde_json::to_string(&fields.map).unwrap();
    }
    let records = rows.records(row).unwrap();
    let records = records.cells.iter().map(|cells| cells.join("|"));
    records.collect::<Vec<_>>().join(" / ")
}

#[test]
fn reads_each_format() {
    for (format, input, text, expected, places) in [
        (
            Format::Csv,
            options(2, None, &["Id"]),
            "Report of \"May\nhalf\r\n\u{feff}Id;No. [x]\r\n1;a\r\n1;b\n\n2;c",
            ["1|a / 1|b", "2|c"],
            [(36, 4), (46, 7)],
        ),
        (
            Format::Ndjson,
            options(0, None, &[]),
            "{\"a\":1}\n{\"records\":[{}]}",
            [r#"{"a":1}"#, r#"{"records":[{}]}"#],
            [(0, 1), (8, 2)],
        ),
        (
            Format::Ndjson,
            options(2, None, &[]),
            "{\"a\":\r\n[\r\n\n{\"a\":1}\n{\"a\":2}",
            [r#"{"a":1}"#, r#"{"a":2}"#],
            [(11, 4), (19, 5)],
        ),
        (
            Format::Json,
            options(0, None, &[]),
            "[{\"a\":1},\n{\"records\":[{}]}]",
            [r#"{"a":1}"#, r#"{"records":[{}]}"#],
            [(1, 1), (10, 2)],
        ),
        (
            Format::Json,
            options(2, None, &[]),
            "// \"\n\n[{\"a\":1},\n{\"a\":2}]",
            [r#"{"a":1}"#, r#"{"a":2}"#],
            [(7, 3), (16, 4)],
        ),
        (
            Format::Ndjson,
            options(0, Some("t"), &[]),
            "{\"n\":2,\"t\":[{\"a\":1}]}\n{\"t\":[],\"n\":0}\n{\"t\":[{\"a\":2}]}",
            [r#"{"a":1}"#, r#"{"a":2}"#],
            [(12, 1), (43, 3)],
        ),
    ] {
        let layout = Layout {
            delimiter: Some(';'),
            ..Layout::new(format)
        };
        for chunk in [1, 3, 100] {
            let new = Rows::mapped(layout, &input);
            let (found, rows) = read(new, text.as_bytes(), chunk);
            assert_eq!(rows.error(), None, "{text}");
            let contents: Vec<_> = found.iter().map(|(row, ..)| content(row, &rows)).collect();
            assert_eq!(contents, expected, "{text}");
            let found_at: Vec<_> = found
                .iter()
                .map(|(row, ..)| (row.offset, row.line))
                .collect();
            assert_eq!(found_at, places, "{text}");
            for (row, position, _) in &found {
                let end = row.offset + row.bytes.len() as u64;
                assert!(*position >= end && *position <= text.len() as u64, "{text}");
            }
        }
    }
}

#[test]
fn reads_mapped_utf16() {
    let csv = "\u{feff}Title \u{1F600}\r\nId\tNäme\r\n1\ta\r\n1\t\u{1F600}\r\n2\té";
    let json = "\u{feff}// \u{1F600}\n{\"é\":\"\u{1F600}\",\"d\":{\"t\":[{\"a\":\"\u{1F600}\"},\n{\"a\":\"é\"}]}}";
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        for (format, text, input, expected) in [
            (
                Format::Csv,
                csv,
                options(1, None, &["Id"]),
                ["1|a / 1|\u{1F600}", "2|é"],
            ),
            (
                Format::Json,
                json,
                options(1, Some("d.t"), &[]),
                ["{\"a\":\"\u{1F600}\"}", "{\"a\":\"é\"}"],
            ),
        ] {
            let layout = Layout {
                format,
                encoding,
                delimiter: Some('\t'),
            };
            let bytes = utf16::encode(text.as_bytes(), encoding);
            for chunk in [1, 2, 3, 100] {
                let (found, rows) = read(Rows::mapped(layout, &input), &bytes, chunk);
                let contents: Vec<_> = found.iter().map(|(row, ..)| content(row, &rows)).collect();
                assert_eq!(contents, expected);
                for (row, ..) in &found {
                    // Offsets are those of the file.
                    let begin = usize::try_from(row.offset).unwrap();
                    let own = utf16::encode(&row.bytes, encoding);
                    assert_eq!(bytes[begin..begin + own.len()], own, "{encoding:?}");
                }
            }
        }
    }
}

#[test]
fn position_follows_skipped_lines() {
    let mut rows = Rows::mapped(Layout::new(Format::Csv), &options(3, None, &[]));
    for (chunk, position, line) in [
        ("a\r", 2, 2),
        ("\nb", 4, 2),
        ("\nc\r", 7, 4),
        ("\n", 8, 4),
        ("\n", 8, 4),
        ("x\n", 9, 5),
        ("1\n", 11, 6),
    ] {
        rows.push(chunk.as_bytes());
        assert_eq!(
            (rows.position(), rows.line()),
            (position, line),
            "{chunk:?}"
        );
        if chunk != "1\n" {
            assert_eq!(rows.next(), None);
        }
    }
    let row = rows.next().unwrap();
    assert_eq!((row.offset, row.line), (11, 6));
}

#[test]
fn file_may_end_in_skipped_lines() {
    for format in Format::ALL {
        for text in ["", "a", "a\n", "a\nb"] {
            let new = Rows::mapped(Layout::new(*format), &options(2, None, &[]));
            let (found, rows) = read(new, text.as_bytes(), 1);
            assert_eq!((found.len(), rows.error()), (0, None), "{text}");
            assert_eq!(rows.position(), text.len() as u64);
        }
    }
}

#[test]
fn finds_columns_after_skipped_lines() {
    let text = "Report of \"May\r\n\n\r\nsep=;\n;;\n\"Id\";\"a\nb\";5' 10\";Id;\n1;2;3;4;\n";
    let columns = ["Id", "a\nb", "5' 10\"", "Id", ""];
    for encoding in [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be] {
        let layout = Layout {
            encoding,
            ..Layout::new(Format::Csv)
        };
        let bytes = match encoding {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            _ => utf16::encode(text.as_bytes(), encoding),
        };
        let layout = layout
            .delimited_after(2, &bytes, Extent::Whole)
            .unwrap()
            .unwrap();
        assert_eq!(layout.delimiter, Some(';'));
        assert_eq!(
            layout.columns_after(2, &bytes, Extent::Whole).unwrap(),
            columns
        );
        // What some bytes show, more bytes show too.
        for end in 0..bytes.len() {
            let start = &bytes[..end];
            let partial = layout.columns_after(2, start, Extent::Beginning);
            assert!(partial.is_none_or(|partial| partial == columns), "{end}");
            let partial = layout.delimited_after(2, start, Extent::Beginning);
            assert!(partial.is_none_or(|partial| partial == Ok(layout)), "{end}");
        }
    }
    let layout = Layout::new(Format::Csv);
    for (text, expected) in [
        ("a,b", &["a", "b"][..]),
        ("", &[]),
        (",,\n", &[]),
        ("\"a\nb\n", &[]),
        ("\"a\"b\nc", &[]),
    ] {
        let found = layout
            .columns_after(0, text.as_bytes(), Extent::Whole)
            .unwrap();
        assert_eq!(found, expected, "{text:?}");
    }
    assert_eq!(
        layout.columns_after(3, b"a\nb\n", Extent::Whole),
        Some(Vec::new())
    );
    assert_eq!(layout.columns_after(3, b"a\nb\n", Extent::Beginning), None);
    assert_eq!(layout.columns_after(0, b"a,b", Extent::Beginning), None);
}

proptest! {
    /// The rows do not depend on chunks, and their offsets are those of their first bytes.
    #[test]
    fn chunks_do_not_matter(
        text in "(x\"?\r?\n){0,3}(Id,V\r?\n)?([12]?,\"?[ab]\"?\r?\n|\n|\\{\"t\":\\[|\\{\\}|,|\\]|\\}){0,12}",
        skip_lines in 0_u64..4,
        is_grouped: bool,
        has_path: bool,
        format in prop::sample::select(&[Format::Csv, Format::Json, Format::Ndjson][..]),
        chunk in 1_usize..9,
    ) {
        let group: &[&str] = if is_grouped { &["Id"] } else { &[] };
        let input = options(skip_lines, has_path.then_some("t"), group);
        let new = || Rows::mapped(Layout::new(format), &input);
        let rows_of = |found: &[(Row, u64, u64)]| found.iter().map(|(row, ..)| row.clone()).collect::<Vec<_>>();
        let (whole, rows) = read(new(), text.as_bytes(), text.len().max(1));
        let (in_chunks, in_chunks_rows) = read(new(), text.as_bytes(), chunk);
        prop_assert_eq!(rows_of(&whole), rows_of(&in_chunks));
        prop_assert_eq!((rows.error(), rows.header()), (in_chunks_rows.error(), in_chunks_rows.header()));
        for (row, position, _) in whole.iter().chain(&in_chunks) {
            prop_assert!(text.as_bytes()[row.offset as usize..].starts_with(&row.bytes));
            prop_assert_eq!(row.line, 1 + text[..row.offset as usize].matches('\n').count() as u64);
            prop_assert!(*position >= row.offset);
        }
    }
}
