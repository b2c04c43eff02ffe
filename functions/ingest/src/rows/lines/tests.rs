use proptest::prelude::*;

use super::*;

fn cut(text: &[u8], chunk: usize) -> Vec<Row> {
    let mut lines = Lines::new();
    let mut found = Vec::new();
    for chunk in text.chunks(chunk) {
        lines.push(chunk);
        while let Some(line) = lines.next() {
            found.push(line);
        }
        assert!(
            lines.buffer.len() <= MAX_SEARCHED_BYTES,
            "what is held is bounded"
        );
    }
    while let Some(row) = lines.finish() {
        found.push(row);
    }
    assert_eq!(lines.next(), None, "nothing follows the last row");
    found
}

#[test]
fn rows_know_their_place() {
    let rows: Vec<_> = cut(b"\xEF\xBB\xBF{}\r\n\n  [1] \nlast", 3)
        .into_iter()
        .map(|line| (line.offset, line.line, line.bytes))
        .collect();
    assert_eq!(
        rows,
        [
            (3, 1, "{}".into()),
            (10, 3, "[1]".into()),
            (15, 4, Bytes::from("last"))
        ]
    );
    assert_eq!(cut(b"", 1), []);
}

#[test]
fn a_row_too_large_is_cut_and_the_next_one_is_found() {
    let mut text = vec![b'x'; 3 * MAX_ROW_BYTES];
    text.extend_from_slice(b"\n{}\n");
    for chunk in [1 << 12, 1 << 18, 1 << 23] {
        let rows = cut(&text, chunk);
        assert_eq!(
            (rows[0].offset, rows[0].line, rows[0].framing_error),
            (0, 1, Some(FramingError::TooLarge))
        );
        assert_eq!(
            (rows[1].offset, rows[1].line, rows[1].framing_error),
            (3 * MAX_ROW_BYTES as u64 + 1, 2, None)
        );
        assert_eq!(rows.len(), 2);
    }
    for (bytes, framing_error) in [
        (MAX_ROW_BYTES, None),
        (MAX_ROW_BYTES + 1, Some(FramingError::TooLarge)),
    ] {
        assert_eq!(
            cut(&vec![b'x'; bytes], 1 << 18)[0].framing_error,
            framing_error
        );
    }
}

/// Returns the rows of one range of a text.
fn range(text: &[u8], start: usize, end: Option<usize>, chunk: usize) -> Vec<Row> {
    let mut lines = Lines::from(Start::Cut(start as u64), 1, end.map(|end| end as u64));
    let mut found = Vec::new();
    for chunk in text[start.saturating_sub(1)..].chunks(chunk) {
        lines.push(chunk);
        while let Some(row) = lines.next() {
            found.push(row);
        }
    }
    while let Some(row) = lines.finish() {
        found.push(row);
    }
    found
}

#[test]
fn a_long_line_belongs_to_the_range_that_it_begins_in() {
    let mut text = b"a\n".to_vec();
    text.resize(3 * MAX_ROW_BYTES, b'x');
    text.extend_from_slice(b"\nb");
    let middle = MAX_ROW_BYTES;
    let rows = range(&text, 0, Some(middle), 1 << 16);
    assert_eq!(
        (rows.len(), rows[1].framing_error),
        (2, Some(FramingError::TooLarge))
    );
    assert_eq!(range(&text, middle, Some(2 * middle), 1 << 16), []);
    assert_eq!(range(&text, 2 * middle, None, 1 << 16).len(), 1);
}

/// Returns the texts of the rows.
fn texts(text: &str) -> Vec<String> {
    let rows = cut(text.as_bytes(), 2).into_iter();
    rows.map(|row| String::from_utf8(row.bytes.to_vec()).unwrap())
        .collect()
}

#[test]
fn splits_values_side_by_side() {
    for (text, rows) in [
        (
            r#"{"a":1}{"b":{}}{"c":[{},{}]}"#,
            &[r#"{"a":1}"#, r#"{"b":{}}"#, r#"{"c":[{},{}]}"#][..],
        ),
        (
            "{\"a\":1} \t{\"b\":2}\r\n{\"c\":3}",
            &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"],
        ),
        ("\u{1E}{}\n\u{1E}{}\n", &["{}", "{}"]),
        ("\u{1E}{}\u{1E}{} \u{1E} {}\u{1E}", &["{}", "{}", "{}"]),
        (
            "\u{feff}{}\n\u{feff}{}{}\u{feff}{}\n\u{feff}\n",
            &["{}", "{}", "{}", "{}"],
        ),
        // Within a string.
        (
            r#"{"a":"}{ \"}{"}{"b":"}{"}"#,
            &[r#"{"a":"}{ \"}{"}"#, r#"{"b":"}{"}"#],
        ),
        ("{\"a\":\"\u{1E}{\"}", &["{\"a\":\"\u{1E}{\"}"]),
    ] {
        assert_eq!(texts(text), rows, "{text}");
    }
}

#[test]
fn a_broken_value_costs_only_itself() {
    for (text, rows) in [
        (r#"{"a":}{"b":1}"#, &[r#"{"a":}"#, r#"{"b":1}"#][..]),
        (r#"{"a":1}garbage"#, &[r#"{"a":1}garbage"#]),
        (r#"{"a":1}garbage{"b":1}"#, &[r#"{"a":1}garbage{"b":1}"#]),
        (r#"garbage}{"b":1}"#, &["garbage}", r#"{"b":1}"#]),
        // A bracket is missing.
        (
            r#"{"a":[{"b":1}{"c":2}{"d":3}"#,
            &[r#"{"a":[{"b":1}"#, r#"{"c":2}"#, r#"{"d":3}"#],
        ),
        ("{\"a\":\u{1E}{\"b\":1}", &["{\"a\":", "{\"b\":1}"]),
        // A quote is missing.
        (r#"{"a":"x}{"b":1}"#, &[r#"{"a":"x}"#, r#"{"b":1}"#]),
        (
            r#"{"a":"x}{"b":"y"}{"c":"z"}"#,
            &[r#"{"a":"x}"#, r#"{"b":"y"}"#, r#"{"c":"z"}"#],
        ),
        (
            r#"{"a":"x}{"b":"y"}{"c":"z}"#,
            &[r#"{"a":"x}"#, r#"{"b":"y"}"#, r#"{"c":"z}"#],
        ),
        (r#"{"a":\"x}{"b":"y"}"#, &[r#"{"a":\"x}"#, r#"{"b":"y"}"#]),
    ] {
        assert_eq!(texts(text), rows, "{text}");
    }
}

#[test]
fn a_value_too_large_ends_at_the_next_border() {
    let long = "x".repeat(3 * MAX_ROW_BYTES);
    for first in [
        format!(r#"{{"a":"{long}"}}"#),
        format!(r#"{{"a":"{long}}}"#),
    ] {
        let text = format!(r#"{first} {{"b":"y"}}{{"c":"z"}}"#);
        for chunk in [1 << 12, 1 << 18, 1 << 23] {
            let rows = cut(text.as_bytes(), chunk);
            let errors: Vec<_> = rows.iter().map(|row| row.framing_error).collect();
            assert_eq!(errors, [Some(FramingError::TooLarge), None, None]);
            assert_eq!(rows[0].bytes.len(), crate::rows::MAX_REJECT_BYTES);
            assert_eq!(rows[1].offset, first.len() as u64 + 1);
        }
    }
    // A quote is missing in a small value of a long line.
    let good = r#"{"b":"y"}"#.repeat(300_000);
    for chunk in [1 << 12, 1 << 23] {
        let rows = cut(format!(r#"{{"a":"x}}{good}"#).as_bytes(), chunk);
        assert_eq!(
            (rows.len(), &*rows[0].bytes),
            (300_001, &br#"{"a":"x}"#[..])
        );
    }
}

#[test]
fn whitespace_is_not_kept() {
    let blanks = " ".repeat(3 * MAX_ROW_BYTES);
    let text = format!("{blanks}{{}}\n{blanks}\n{blanks}\u{feff}{{}} {{}}");
    for chunk in [1 << 12, 1 << 23] {
        let rows = cut(text.as_bytes(), chunk);
        let places: Vec<_> = rows
            .iter()
            .map(|row| (row.line, row.framing_error))
            .collect();
        assert_eq!(places, [(1, None), (3, None), (3, None)]);
        assert_eq!(rows[0].offset, blanks.len() as u64);
    }
    // The line belongs to the range that it begins in.
    let middle = MAX_ROW_BYTES;
    assert_eq!(range(text.as_bytes(), 0, Some(middle), 1 << 12).len(), 1);
    let rows = range(text.as_bytes(), middle, Some(2 * middle), 1 << 12);
    assert_eq!(rows, []);
}

#[test]
fn takes_linear_time() {
    for unit in [
        r#"{"}"#,
        r#"{\"}"#,
        r#"{"\"}"#,
        r#"{""\"}"#,
        "{[}",
        "{{}",
        "}{",
        "\u{1E}{",
        "\u{1E}{\"",
        "\u{feff}{",
        " {",
    ] {
        let text = unit.repeat((MAX_ROW_BYTES / 4) / unit.len());
        let began = std::time::Instant::now();
        assert!(!cut(text.as_bytes(), 1 << 16).is_empty(), "{unit}");
        // Quadratic time would be minutes.
        assert!(began.elapsed().as_secs() < 20, "{unit}");
    }
}

/// Reads a range in several steps. Each continues at the position after a row.
fn continued(text: &[u8], start: usize, end: Option<usize>, chunk: usize) -> Vec<Row> {
    let mut found = Vec::new();
    let (mut from, mut number) = (Start::Cut(start as u64), 1);
    loop {
        let mut lines = Lines::from(from, number, end.map(|end| end as u64));
        let (Start::Cut(at) | Start::Value(at)) = from;
        let mut row = None;
        for chunk in text[(at as usize).saturating_sub(1)..].chunks(chunk) {
            lines.push(chunk);
            row = lines.next();
            if row.is_some() {
                break;
            }
        }
        let Some(row) = row.or_else(|| lines.finish()) else {
            return found;
        };
        found.push(row);
        (from, number) = (Start::Value(lines.position()), lines.line());
    }
}

/// Lines with values side by side, and broken ones.
const VALUES: &str =
    "(\\{|\\}|\\{\"a\":1\\}|\\{\"\\}\\{\"\\}|\"|\\\\|\u{1E}|\u{FEFF}|x| |\n|\r){0,30}";

proptest! {
    #[test]
    fn values_do_not_depend_on_chunks_and_ranges(text in VALUES, cuts in prop::collection::vec(0_usize..60, 0..4), chunk in 1_usize..9) {
        let text = text.as_bytes();
        let whole = cut(text, text.len().max(1));
        prop_assert_eq!(&cut(text, chunk), &whole);
        prop_assert_eq!(&continued(text, 0, None, chunk), &whole);
        for row in &whole {
            prop_assert!(text[row.offset as usize..].starts_with(&row.bytes));
            let before = &text[..row.offset as usize];
            prop_assert_eq!(row.line, 1 + memchr::memchr_iter(b'\n', before).count() as u64);
        }
        let mut starts: Vec<_> = cuts.into_iter().filter(|cut| *cut < text.len()).chain([0]).collect();
        starts.sort_unstable();
        let places = |rows: Vec<Row>| rows.into_iter().map(|row| (row.offset, row.bytes)).collect::<Vec<_>>();
        let (mut found, mut in_steps) = (Vec::new(), Vec::new());
        for (at, start) in starts.iter().enumerate() {
            let end = starts.get(at + 1).copied();
            found.extend(places(range(text, *start, end, chunk)));
            in_steps.extend(places(continued(text, *start, end, chunk)));
        }
        prop_assert_eq!(&found, &places(whole));
        prop_assert_eq!(in_steps, found);
    }

    /// Nothing but whitespace and separators is lost between the rows.
    #[test]
    fn rows_contain_every_byte(text in VALUES) {
        let is_text = |byte: &u8| !border::is_blank(*byte) && !b"\xEF\xBB\xBF".contains(byte);
        let rows = cut(text.as_bytes(), 3);
        let found: Vec<u8> = rows.iter().flat_map(|row| row.bytes.to_vec()).filter(is_text).collect();
        let expected: Vec<u8> = text.bytes().filter(is_text).collect();
        prop_assert_eq!(found, expected);
    }

    /// Valid objects are found, however they are separated.
    #[test]
    fn finds_objects(names in prop::collection::vec("[a}{\"\\\\ \u{1F600}]{0,6}", 0..6), separators in prop::collection::vec("( |\n|\u{1E}|\u{FEFF}|\t\r\n){0,3}", 7), chunk in 1_usize..9) {
        let objects: Vec<_> = names.iter().map(|name| serde_json::json!({"b": [{name.as_str(): name.as_str()}, {}]}).to_string()).collect();
        let mut text = separators[6].clone();
        for (object, separator) in objects.iter().zip(&separators) {
            text += object;
            text += separator;
        }
        let rows: Vec<_> = cut(text.as_bytes(), chunk).into_iter().map(|row| row.bytes).collect();
        prop_assert_eq!(rows, objects);
    }

    /// The rows of any number of ranges, divided anywhere, are those of the whole.
    #[test]
    fn ranges_share_out_the_rows(text in "[ab \n\r]{0,60}", cuts in prop::collection::vec(0_usize..60, 0..4), chunk in 1_usize..9) {
        let text = text.as_bytes();
        let mut starts: Vec<_> = cuts.into_iter().filter(|cut| *cut < text.len()).chain([0]).collect();
        starts.sort_unstable();
        let places = |rows: Vec<Row>| rows.into_iter().map(|row| (row.offset, row.bytes)).collect::<Vec<_>>();
        let mut found = Vec::new();
        for (at, start) in starts.iter().enumerate() {
            found.extend(places(range(text, *start, starts.get(at + 1).copied(), chunk)));
        }
        prop_assert_eq!(found, places(cut(text, text.len().max(1))));
    }

    #[test]
    fn chunks_do_not_matter(text in "[ab \n\r]{0,60}", chunk in 1_usize..9) {
        let whole = cut(text.as_bytes(), text.len().max(1));
        prop_assert_eq!(&cut(text.as_bytes(), chunk), &whole);
        let rows: Vec<_> = text.split('\n').map(|row| row.trim_ascii()).filter(|row| !row.is_empty()).collect();
        let bytes: Vec<_> = whole.iter().map(|line| line.bytes.clone()).collect();
        prop_assert_eq!(bytes, rows);
        for line in whole {
            prop_assert!(text.as_bytes()[line.offset as usize..].starts_with(&line.bytes));
        }
    }
}
