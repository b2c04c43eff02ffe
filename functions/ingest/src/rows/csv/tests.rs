use std::borrow::Cow;

use proptest::prelude::*;

use super::{split::Columns, *};
use crate::rows::MAX_ROW_BYTES;

mod damage;
mod groups;

/// Returns the records of a file with this delimiter, and how many bytes were searched. `columns` is the number of cells that each must
/// have.
fn split(text: &[u8], delimiter: u8, columns: Option<usize>, chunk: usize) -> (Vec<Row>, usize) {
    let columns = columns.map(|columns| Columns {
        least: columns,
        most: columns,
    });
    let mut splitter = Splitter::new(delimiter);
    if let Some(columns) = columns {
        splitter.expect(columns);
    }
    let mut found = Vec::new();
    for chunk in text.chunks(chunk.max(1)) {
        splitter.push(chunk);
        found.extend(rows(&mut splitter));
        splitter.discard_before(splitter.position());
        assert!(splitter.held() <= MAX_ROW_BYTES, "memory is bounded");
    }
    splitter.complete();
    found.extend(rows(&mut splitter));
    assert_eq!(splitter.next(), None, "nothing follows the last record");
    assert_eq!(splitter.position(), text.len() as u64);
    found.retain(|row| !row.bytes.is_empty());
    (found, splitter.examined)
}

/// Takes the records that are complete.
fn rows(splitter: &mut Splitter) -> Vec<Row> {
    let mut found = Vec::new();
    while let Some(record) = splitter.next() {
        let mut row = Row::new(record.start, record.line, splitter.take(&record));
        row.framing_error = record.framing_error;
        found.push(row);
    }
    found
}

fn rows_of(text: &[u8], chunk: usize) -> Vec<Row> {
    split(text, b',', None, chunk).0
}

/// Returns the texts of a record's cells.
fn texts(record: &[u8], delimiter: u8) -> Option<Vec<String>> {
    let cells = cells(record, delimiter).ok()?;
    Some(cells.texts.into_iter().map(Cow::into_owned).collect())
}

/// Reads a file. Returns its rows and the reader.
fn read(text: &[u8], delimiter: char, chunk: usize) -> (Vec<Row>, Csv) {
    read_by(Csv::new(delimiter), text, chunk)
}

fn read_by(mut csv: Csv, text: &[u8], chunk: usize) -> (Vec<Row>, Csv) {
    let mut found = Vec::new();
    for chunk in text.chunks(chunk.max(1)) {
        csv.push(chunk);
        found.extend(std::iter::from_fn(|| csv.next()));
    }
    found.extend(std::iter::from_fn(|| csv.finish()));
    (found, csv)
}

/// Returns the fields of each row as JSON, or the code of its error.
fn fields_of(text: &[u8], delimiter: char) -> Vec<String> {
    let (rows, csv) = read(text, delimiter, 3);
    let fields = |row: &Row| {
        if let Some(error) = row.framing_error {
            return RowError::from(error).code.as_str().to_owned();
        }
        match csv.fields(row) {
            Ok(fields) => serde_json::to_string(&fields.map).unwrap(),
            Err(error) => error.code.as_str().to_owned(),
        }
    };
    rows.iter().map(fields).collect()
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
    let texts = |record: &str| texts(record.as_bytes(), b',').map(|cells| cells.join("|"));
    assert_eq!(texts("a\"b,c").as_deref(), Some("a\"b|c"));
    assert_eq!(
        texts("\"a,b\",\"c\"\"d\",\"\"").as_deref(),
        Some("a,b|c\"d|")
    );
    assert_eq!(texts("\"\"\"\"").as_deref(), Some("\""));
    assert_eq!(texts("a,").as_deref(), Some("a|"));
    assert_eq!(texts("\"a\"b"), None);
    // Whitespace around quotes is ignored.
    assert_eq!(texts(" \"a\" ,\t\" b\"\t").as_deref(), Some("a| b"));
    assert_eq!(texts(" a , b").as_deref(), Some(" a | b"));
    assert_eq!(texts("\"a\" b"), None);
    assert_eq!(texts("\"a\" \"b\""), None);
}

#[test]
fn reads_other_delimiters() {
    for (text, delimiter) in [
        ("a;b\n1,5;\"x;y\"\n", ';'),
        ("a\tb\n1,5\t\"x;y\"\n", '\t'),
        ("a|b\n1,5|x;y\n", '|'),
        ("sep=;\r\na;b\r\n1,5;x;y\r\n", ';'),
        ("\"SEP=;\"\r\na;b\r\n1,5;\"x;y\"\r\n", ';'),
        ("\u{feff}sep=;\na;b\n1,5;\"x;y\"\n", ';'),
        ("sep=;;;\na;b\n1,5;\"x;y\"\n", ';'),
        ("\n;;\na;b\n1,5;\"x;y\" \n", ';'),
    ] {
        let read = fields_of(text.as_bytes(), delimiter);
        let expected = if text.contains("x;y\r") {
            "wrong_cell_count"
        } else {
            r#"{"a":"1,5","b":"x;y"}"#
        };
        assert_eq!(read, [expected], "{text:?}");
    }
}

#[test]
fn skips_blank_rows_and_repeated_headers() {
    let text = "\u{feff}a, b\n1,2\n,\n \n\"a\" ,b\n\u{feff}a,b\n3,4\n\"\",\"\"\n\n,,,\n";
    for chunk in [1, 4, 100] {
        let (rows, csv) = read(text.as_bytes(), ',', chunk);
        let read: Vec<_> = rows
            .iter()
            .map(|row| (row.line, row.skipped, row.bytes.to_vec()))
            .collect();
        assert_eq!(read, [(2, 0, b"1,2".to_vec()), (7, 4, b"3,4".to_vec())]);
        assert_eq!(csv.skipped_at_end(), 2);
    }
    // A row that only begins like the header is not skipped.
    assert_eq!(
        fields_of(b"a,b\na,c\nab,b\n", ','),
        [r#"{"a":"a","b":"c"}"#, r#"{"a":"ab","b":"b"}"#]
    );
}

#[test]
fn columns_without_a_name_may_be_empty() {
    let (rows, csv) = read(b"a,,c,\n1,,2\n1,x,2,y\n1,,2,,\n1,,2,,z\n1\n", ',', 100);
    let read: Vec<_> = rows.iter().map(|row| csv.fields(row)).collect();
    assert_eq!(read[0], read[2]);
    assert_eq!(read[0].as_ref().unwrap().warnings, []);
    let kept = read[1].as_ref().unwrap();
    assert_eq!(
        serde_json::to_string(&kept.map).unwrap(),
        r#"{"a":"1","c":"2","invalid_fields":{"column 2":"x","column 4":"y"}}"#
    );
    let warnings =
        ["column 2", "column 4"].map(|path| Warning::at(WarningCode::UnnamedColumn, &path));
    assert_eq!(kept.warnings, warnings);
    for wrong in &read[3..] {
        assert_eq!(
            wrong.as_ref().unwrap_err().code.as_str(),
            "wrong_cell_count"
        );
    }
}

#[test]
fn a_stray_quote_costs_its_own_line() {
    let rows = rows_of(b"a\n\"b\nc\nd", 3);
    let lines: Vec<_> = rows
        .iter()
        .map(|row| (row.line, row.offset, row.framing_error))
        .collect();
    let unclosed = Some(FramingError::UnclosedQuote);
    assert_eq!(
        lines,
        [(1, 0, None), (2, 2, unclosed), (3, 5, None), (4, 7, None)]
    );

    let ok = |n: u32| format!(r#"{{"a":"{n}","b":"x"}}"#);
    for (text, expected) in [
        // In the last row, and in the only one.
        ("a,b\n1,x\n2,\"y", vec![ok(1), "unclosed_quote".into()]),
        ("a,b\n\"", vec!["unclosed_quote".into()]),
        // Closed by a quote of a later row, on which other text follows.
        (
            "a,b\n1,\"y\n2,x\n3,\"x\"\n4,x\n",
            vec!["unclosed_quote".into(), ok(2), ok(3), ok(4)],
        ),
        // Closed by a later row, with a wrong number of cells.
        (
            "a,b\n1,\"y\n\"2\",x\n3,x\n",
            vec!["unclosed_quote".into(), ok(2), ok(3)],
        ),
        (
            "a,b\n\"1,y\n2\",x,z\n3,x\n",
            vec!["wrong_cell_count".into(), "wrong_cell_count".into(), ok(3)],
        ),
        // Two rows with stray quotes.
        (
            "a,b\n1,\"y\n2,x\n3,\"z\n4,x\n",
            vec![
                "unclosed_quote".into(),
                ok(2),
                "unclosed_quote".into(),
                ok(4),
            ],
        ),
        // Not stray: a cell over several lines.
        (
            "a,b\n1,\"y\n2,x\"\n3,x\n",
            vec![r#"{"a":"1","b":"y\n2,x"}"#.into(), ok(3)],
        ),
    ] {
        assert_eq!(fields_of(text.as_bytes(), ','), expected, "{text:?}");
    }
}

#[test]
fn unclosed_quotes_take_linear_time() {
    // Each line opens a quote, and each quote of an earlier line stays open over it.
    for line in [
        "x,\"y\"\"\n",
        "a\",\"\n",
        "\"\n",
        "\",\"\n",
        "1,\"a\"\"b\n",
        "\" ,\"\n",
    ] {
        let text = line.repeat(MAX_ROW_BYTES / 8);
        for columns in [None, Some(2), Some(7)] {
            let (rows, examined) = split(text.as_bytes(), b',', columns, 1 << 16);
            assert!(!rows.is_empty());
            let most = 3 * text.len() + MAX_ROW_BYTES;
            assert!(
                examined <= most,
                "{line:?} {columns:?}: {examined} of {}",
                text.len()
            );
        }
    }
}

#[test]
fn a_line_that_is_too_large_is_cut_and_the_next_one_is_found() {
    for first in [&b"x"[..], b"\"", b"x,\""] {
        let mut text = first.to_vec();
        text.resize(4 * MAX_ROW_BYTES, b'y');
        text.extend_from_slice(b"\nnext");
        for chunk in [1 << 12, 1 << 18, 1 << 23] {
            let rows = rows_of(&text, chunk);
            assert_eq!(
                (rows[0].line, rows[0].framing_error),
                (1, Some(FramingError::TooLarge))
            );
            assert!(rows[0].bytes.len() <= crate::rows::MAX_REJECT_BYTES);
            let last = (rows[1].offset, rows[1].line, &rows[1].bytes[..]);
            assert_eq!(last, (4 * MAX_ROW_BYTES as u64 + 1, 2, &b"next"[..]));
        }
    }
    // A quote that is open for more than the limit costs its line.
    let mut text = b"\"x".to_vec();
    text.resize(2 * MAX_ROW_BYTES, b'\n');
    text.extend_from_slice(b"\"\nnext");
    for chunk in [1 << 12, 1 << 18] {
        let rows = rows_of(&text, chunk);
        let read: Vec<_> = rows
            .iter()
            .map(|row| (&row.bytes[..], row.framing_error))
            .collect();
        let unclosed = Some(FramingError::UnclosedQuote);
        assert_eq!(
            read,
            [(&b"\"x"[..], unclosed), (b"\"", unclosed), (b"next", None)]
        );
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
    let (rows, csv) = read(b"\xEF\xBB\xBFlink.mobile,name\r\n1,Ann\r\n", ',', 100);
    assert_eq!((rows.len(), rows[0].line, rows[0].offset), (1, 2, 21));
    assert_eq!(csv.fields(&rows[0]).unwrap().map.text("name"), Some("Ann"));
    for (text, is_broken) in [
        ("a,a\n1,2\n", true),
        ("a\"\n\"b\"c\n", false),
        ("\"a\n1\n", true),
        ("\"a\"b\n1\n", true),
        (",,\n", false),
    ] {
        let (_, csv) = read(text.as_bytes(), ',', 100);
        assert_eq!(csv.error().is_some(), is_broken, "{text}");
    }
}

#[test]
fn reads_cells_that_are_not_utf8() {
    let (rows, csv) = read(b"\xEFd,name,products[0].name,products[0].quantity\n1,Zo\xEB,\xE9,1\n1,Zo\xEB,x,2\n1,Zo\xEB,y\xE9\xC3\xA9,3\n", ',', 100);
    let fields = csv.fields(&rows[0]).unwrap();
    assert_eq!(rows[0].rows, 3);
    assert_eq!(fields.map.text("ïd"), Some("1"));
    assert_eq!(fields.map.text("name"), Some("Zoë"));
    let (w1252, replaced) = (WarningCode::Windows1252, WarningCode::ReplacedCharacters);
    let expected = [
        Warning::at(w1252, &"name"),
        Warning::at(w1252, &"products[0].name"),
        Warning::at(w1252, &"name"),
        Warning::at(w1252, &"name"),
        Warning::at(replaced, &"products[2].name"),
    ];
    assert_eq!(fields.warnings, expected);
}

/// Returns the products of each row, the number of its lines, and the number of warnings.
fn orders_of(text: &str, chunk: usize) -> Vec<(String, u64, usize)> {
    let (rows, csv) = read(text.as_bytes(), ',', chunk);
    let order = |row: &Row| {
        let fields = match row.framing_error {
            Some(error) => Err(error.into()),
            None => csv.fields(row),
        };
        match fields {
            Ok(fields) => {
                let lines = fields.map.list("products").iter();
                let names = lines.map(|line| {
                    line.as_map()
                        .unwrap()
                        .text("name")
                        .unwrap_or("-")
                        .to_owned()
                });
                (
                    names.collect::<Vec<_>>().join(" "),
                    row.rows,
                    fields.warnings.len(),
                )
            }
            Err(error) => (error.code.as_str().to_owned(), row.rows, 0),
        }
    };
    rows.iter().map(order).collect()
}

#[test]
fn adjacent_rows_of_one_order_are_one_row() {
    let head = "purchase_id,products[0].name,products[0].quantity,note\n";
    for (rows, expected) in [
        (
            "1,a,1,x\n1,b,1,x\n2,c,1,x\n",
            vec![("a b", 2, 0), ("c", 1, 0)],
        ),
        // Another cell differs.
        ("1,a,1,x\n1,b,1,y\n", vec![("a", 1, 0), ("b", 1, 0)]),
        // Not adjacent.
        (
            "1,a,1,x\n2,b,1,x\n1,c,1,x\n",
            vec![("a", 1, 0), ("b", 1, 0), ("c", 1, 0)],
        ),
        // Identical rows count once.
        ("1,a,1,x\n1,a,1,x\n1,b,1,x\n", vec![("a b", 3, 1)]),
        ("1,a,1,x\n1,a,1,x\n1,a,1,x\n", vec![("a", 3, 2)]),
        // Blank rows and headers inside an order.
        ("1,a,1,x\n,,,\n\n1,b,1,x\n", vec![("a b", 2, 0)]),
        // An unreadable row inside an order, and between two.
        (
            "1,a,1,x\n1,\"b,1\n1,c,1,x\n2,d,1,x\n",
            vec![("broken_order", 3, 0), ("d", 1, 0)],
        ),
        (
            "1,a,1,x\n1,b\n2,c,1,x\n2,d,1,x\n",
            vec![("a", 1, 0), ("wrong_cell_count", 1, 0), ("c d", 2, 0)],
        ),
        (
            "1,b\n1,a,1,x\n1,b\n",
            vec![
                ("wrong_cell_count", 1, 0),
                ("a", 1, 0),
                ("wrong_cell_count", 1, 0),
            ],
        ),
        // Quotes and line ends in cells.
        ("1,\"a\nb\",1,x\n\"1\",c,1, x \n", vec![("a\nb c", 2, 0)]),
        // A line without any cell of its own.
        ("1,,,x\n1,b,1,x\n", vec![("b", 2, 0)]),
    ] {
        let text = format!("{head}{rows}");
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(names, rows, warnings)| (names.to_owned(), rows, warnings))
            .collect();
        for chunk in [1, 5, 1000] {
            assert_eq!(orders_of(&text, chunk), expected, "{rows:?}");
        }
    }
    // Several items in one row: each row is an order.
    let wide = "purchase_id,products[0].name,products[1].name\n1,a,b\n1,a,b\n";
    assert_eq!(
        orders_of(wide, 9),
        [("a b".to_owned(), 1, 0), ("a b".to_owned(), 1, 0)]
    );
}

#[test]
fn orders_have_a_limit() {
    let file = |lines: usize, name: &str| {
        let line = |number| format!("1,{name}{number},1\n");
        let lines: String = (0..lines).map(line).collect();
        format!("purchase_id,products[0].name,products[0].quantity\n{lines}2,z,1\n")
    };
    let orders = orders_of(&file(1_000, "a"), 1 << 16);
    assert_eq!(orders[0].1, 1_000);
    assert!(orders[0].0.starts_with("a0 a1 "));
    let too_many = [
        ("order_too_large".to_owned(), 1_001, 0),
        ("z".to_owned(), 1, 0),
    ];
    assert_eq!(orders_of(&file(1_001, "a"), 1 << 16), too_many);
    let long = "a".repeat(MAX_ROW_BYTES / 2);
    // One row for each part of at most 1 MiB.
    let part = ("order_too_large".to_owned(), 1, 0);
    let too_large = [part.clone(), part.clone(), part, ("z".to_owned(), 1, 0)];
    assert_eq!(orders_of(&file(3, &long), 1 << 16), too_large);
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
        let delimiter = case["delimiter"].as_str().unwrap().as_bytes()[0];
        let read: Option<Vec<Vec<String>>> =
            split(text.as_bytes(), delimiter, None, 1 + number % 7)
                .0
                .iter()
                .map(|row| texts(&row.bytes, delimiter).filter(|_| row.framing_error.is_none()))
                .map(|cells| {
                    let cells = cells?.into_iter();
                    Some(
                        cells
                            .map(|cell| cell.trim_start_matches(' ').to_owned())
                            .collect(),
                    )
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
    fn chunks_do_not_matter(text in "[a,\" \n\r]{0,40}", columns in prop::option::of(1_usize..4), chunk in 1_usize..9) {
        let whole = split(text.as_bytes(), b',', columns, text.len()).0;
        prop_assert_eq!(&split(text.as_bytes(), b',', columns, chunk).0, &whole);
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
        let read: Vec<_> = rows_of(text.as_bytes(), 7).iter().map(|row| texts(&row.bytes, b',').unwrap()).collect();
        prop_assert_eq!(read, rows);
    }

    /// A continuation that skips the rows before a stored offset reads the rest, whatever the file contains.
    #[test]
    fn rows_are_the_same_from_any_position(lines in prop::collection::vec("([12],[ab],x|\"1|,,|1,a|p,products\\[0\\]\\.name,n)", 0..12), chunk in 1_usize..40) {
        let text = format!("p,products[0].name,n\n{}\n", lines.join("\n"));
        let (whole, csv) = read(text.as_bytes(), ',', text.len());
        let (in_chunks, in_chunks_csv) = read(text.as_bytes(), ',', chunk);
        prop_assert_eq!(&whole, &in_chunks);
        prop_assert_eq!(csv.skipped_at_end(), in_chunks_csv.skipped_at_end());
        let read_rows: u64 = whole.iter().map(|row| row.rows + row.skipped).sum();
        prop_assert_eq!(read_rows + csv.skipped_at_end(), lines.len() as u64);
        // After each row, the position is where the next one begins or before it.
        let mut csv = Csv::new(',');
        csv.push(text.as_bytes());
        let mut rows = whole.iter();
        while let Some(row) = csv.next().or_else(|| csv.finish()) {
            prop_assert_eq!(Some(&row), rows.next());
            let position = csv.position();
            prop_assert!(position > row.offset);
            let next = rows.clone().next();
            prop_assert!(next.is_none_or(|next| position <= next.offset));
        }
    }

    /// An order is the same, however its lines are written.
    #[test]
    fn orders_keep_their_sums(orders in prop::collection::vec(prop::collection::vec(1_u32..500, 1..7), 1..20)) {
        let mut text = "purchase_id,products[0].name,products[0].price_paid,currency\n".to_owned();
        let mut spent = 0_u64;
        for (order, prices) in orders.iter().enumerate() {
            for (line, price) in prices.iter().enumerate() {
                text += &format!("{order},n{line},{price},AUD\n");
                spent += u64::from(*price);
            }
        }
        let (rows, csv) = read(text.as_bytes(), ',', 64);
        prop_assert_eq!(rows.len(), orders.len());
        let price = |line: &Value| line.as_map().unwrap().text("price_paid").unwrap().parse::<u64>().unwrap();
        let read: u64 = rows.iter().flat_map(|row| csv.fields(row).unwrap().map.list("products").iter().map(price).collect::<Vec<_>>()).sum();
        prop_assert_eq!(read, spent);
    }
}
