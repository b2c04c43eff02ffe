use proptest::prelude::*;

use super::*;

fn rows_of(text: &[u8], chunk: usize) -> Vec<Row> {
    let mut splitter = Splitter::new();
    let mut found = Vec::new();
    for chunk in text.chunks(chunk.max(1)) {
        splitter.buffer.extend_from_slice(chunk);
        while let Some(row) = splitter.next() {
            found.push(row);
        }
        assert!(
            splitter.buffer.len() <= MAX_ROW_BYTES,
            "what is held is bounded"
        );
    }
    found.extend(splitter.finish());
    assert_eq!(splitter.finish(), None, "nothing follows the last record");
    found
}

#[test]
fn records_know_their_place() {
    let text = b"a,b\r\n\n\"x\n\"\"y\",2\rlast,\"q\"";
    let rows: Vec<_> = rows_of(text, 2)
        .into_iter()
        .map(|row| {
            (
                row.offset,
                row.line,
                String::from_utf8(row.bytes.to_vec()).unwrap(),
            )
        })
        .collect();
    let row = |offset, line, text: &str| (offset, line, text.to_owned());
    assert_eq!(
        rows,
        [
            row(0, 1, "a,b"),
            row(6, 3, "\"x\n\"\"y\",2"),
            row(16, 5, "last,\"q\"")
        ]
    );
}

#[test]
fn quotes_are_special_only_where_a_cell_begins() {
    let cells = |record| cells(record).map(|cells| cells.join("|"));
    assert_eq!(cells("a\"b,c").as_deref(), Some("a\"b|c"));
    assert_eq!(
        cells("\"a,b\",\"c\"\"d\",\"\"").as_deref(),
        Some("a,b|c\"d|")
    );
    assert_eq!(cells("\"\"\"\"").as_deref(), Some("\""));
    assert_eq!(cells("a,").as_deref(), Some("a|"));
    assert_eq!(cells("\"a\"b"), None);
    assert_eq!(cells("\"a\" ,b"), None);
}

#[test]
fn an_unclosed_quote_is_one_record_to_the_end() {
    let rows = rows_of(b"a\n\"b\nc\nd", 3);
    assert_eq!(
        (rows.len(), rows[1].line, rows[1].framing_error),
        (2, 2, Some(FramingError::UnclosedQuote))
    );
    let mut long = b"a\n\"".to_vec();
    long.resize(3 * MAX_ROW_BYTES, b'x');
    let rows = rows_of(&long, 1 << 16);
    assert_eq!(
        (rows.len(), rows[1].framing_error),
        (2, Some(FramingError::UnclosedQuote))
    );
    assert!(rows[1].bytes.len() <= crate::rows::MAX_REJECT_BYTES);
}

#[test]
fn a_record_too_large_is_cut_and_the_next_one_is_found() {
    let mut text = b"\"".to_vec();
    text.resize(4 * MAX_ROW_BYTES, b'\n');
    text.extend_from_slice(b"\"\nnext");
    for chunk in [1 << 12, 1 << 18, 1 << 23] {
        let rows = rows_of(&text, chunk);
        assert_eq!(
            (rows[0].line, rows[0].framing_error),
            (1, Some(FramingError::TooLarge))
        );
        assert_eq!(
            (rows[1].offset, &rows[1].bytes[..]),
            (4 * MAX_ROW_BYTES as u64 + 2, &b"next"[..])
        );
        assert_eq!(rows[1].line, 4 * MAX_ROW_BYTES as u64 + 1);
    }
    for (bytes, framing_error) in [
        (MAX_ROW_BYTES, None),
        (MAX_ROW_BYTES + 1, Some(FramingError::TooLarge)),
    ] {
        let rows = rows_of(&vec![b'x'; bytes], 1 << 16);
        assert_eq!((rows.len(), rows[0].framing_error), (1, framing_error));
    }
}

#[test]
fn the_header_may_follow_a_byte_order_mark_and_breaks_the_file_if_it_is_none() {
    let mut csv = Csv::new();
    csv.push(b"\xEF\xBB\xBFlink.mobile,name\r\n1,Ann\r\n");
    let row = csv.next().unwrap();
    assert_eq!((row.line, row.offset), (2, 21));
    assert_eq!(csv.fields("1,Ann").unwrap().text("name"), Some("Ann"));
    assert_eq!((csv.next(), csv.finish()), (None, None));

    for text in ["a,a\n1,2\n", "a\"\n\"b\"c\n", "\"a\n1\n", "\"a\"b\n1\n"] {
        let mut csv = Csv::new();
        csv.push(text.as_bytes());
        let rows = std::iter::from_fn(|| csv.next()).count() + usize::from(csv.finish().is_some());
        assert_eq!(
            (csv.error().is_some(), rows),
            (
                text != "a\"\n\"b\"c\n",
                usize::from(text == "a\"\n\"b\"c\n")
            ),
            "{text}"
        );
    }
}

/// Compares with the results of Python's `csv` module, as `.ci/csv-cases.py` writes them. The cases are those of the repository,
/// or those of the file that `CSV_CASES` names.
#[test]
fn rows_are_those_of_pythons_csv_module() {
    let cases = match std::env::var("CSV_CASES") {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => include_str!("cases.jsonl").to_owned(),
    };
    let mut taken = 0;
    for (number, line) in cases.lines().enumerate() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        let read: Option<Vec<Vec<String>>> = rows_of(text.as_bytes(), 1 + number % 7)
            .iter()
            .map(|row| {
                let cells = cells(std::str::from_utf8(&row.bytes).unwrap())?;
                let cells = cells.into_iter().map(Cow::into_owned).collect();
                row.framing_error.is_none().then_some(cells)
            })
            .collect();
        assert_eq!(serde_json::json!(read), case["rows"], "{text:?}");
        taken += usize::from(read.is_some());
    }
    let refused = cases.lines().count() - taken;
    println!("{taken} texts taken, {refused} refused, as by Python");
    assert!(taken > 100 && refused > 100);
}

proptest! {
    #[test]
    fn chunks_do_not_matter(text in "[a,\"\n\r]{0,40}", chunk in 1_usize..9) {
        let whole = rows_of(text.as_bytes(), text.len());
        prop_assert_eq!(&rows_of(text.as_bytes(), chunk), &whole);
        for row in whole {
            prop_assert!(text.as_bytes()[row.offset as usize..].starts_with(&row.bytes));
        }
    }

    /// Rows that are written by the rules are read back unchanged.
    #[test]
    fn what_is_quoted_comes_back(rows in prop::collection::vec(prop::collection::vec("[a,\"\n\r ]{0,5}", 1..4), 0..6)) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n";
        let text: String = rows.iter().map(line).collect();
        let read: Vec<Vec<String>> = rows_of(text.as_bytes(), 7)
            .iter()
            .map(|row| cells(std::str::from_utf8(&row.bytes).unwrap()).unwrap().into_iter().map(Cow::into_owned).collect())
            .collect();
        prop_assert_eq!(read, rows);
    }
}
