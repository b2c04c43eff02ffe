//! Damaged and unusual files. Every byte is in a row, is skipped or is given back, however the file arrives.

use super::*;

/// Returns the line, the number of rows and the skipped rows of each row, and the code of its error.
fn outline(rows: &[Row]) -> Vec<(u64, u64, u64, &'static str)> {
    let code = |row: &Row| {
        row.framing_error
            .map_or("", |error| RowError::from(error).code.as_str())
    };
    rows.iter()
        .map(|row| (row.line, row.rows, row.skipped, code(row)))
        .collect()
}

/// Reads a file in chunks of several sizes. All must have the same result.
fn read_in_chunks(text: &[u8], delimiter: char) -> (Vec<Row>, Csv) {
    let whole = read(text, delimiter, text.len());
    for chunk in [1 << 12, 1 << 16, (1 << 20) + 1] {
        let (rows, _) = read(text, delimiter, chunk);
        assert_eq!(outline(&rows), outline(&whole.0), "{chunk}");
        assert!(rows == whole.0, "{chunk}");
    }
    whole
}

const HEADER: &str = "purchase_id,products[0].name,products[0].quantity,note\n";

#[test]
fn limit_does_not_depend_on_chunks() {
    for fill in [
        MAX_ROW_BYTES - 10,
        MAX_ROW_BYTES,
        MAX_ROW_BYTES + 10,
        MAX_ROW_BYTES * 3 / 2,
    ] {
        let text = format!("a,b\n1,\"x\n{}\"\n2,y\n", "z".repeat(fill));
        let (rows, _) = read_in_chunks(text.as_bytes(), ',');
        let fits = fill + 6 <= MAX_ROW_BYTES;
        assert_eq!(rows[0].framing_error.is_none(), fits, "{fill}");
        let last = rows.last().unwrap();
        assert_eq!((last.line, &last.bytes[..]), (4, &b"2,y"[..]));
        let text = format!("a,b\n1,\"{}\nx\"\n2,y\n", "z".repeat(fill));
        read_in_chunks(text.as_bytes(), ',');
    }
}

#[test]
fn later_record_may_end_where_a_failed_one_ends() {
    // From line 2 on, the record has four cells. From line 3 on, it has two.
    let text = "a,b\nx,y,\"z\na\",\"b\nc\"\n1,2\n";
    let expected = [
        "wrong_cell_count".to_owned(),
        r#"{"a":"a\"","b":"b\nc"}"#.to_owned(),
        r#"{"a":"1","b":"2"}"#.to_owned(),
    ];
    assert_eq!(fields_of(text.as_bytes(), ','), expected);
}

#[test]
fn gives_back_every_line_of_a_rejected_order() {
    for (lines, name, end) in [
        (1_200, "a".to_owned(), "\n"),
        (2_500, "a".repeat(500), "\r\n"),
        (5, "a".repeat(MAX_ROW_BYTES / 2), "\r"),
    ] {
        let mut text = HEADER.replace('\n', end);
        for line in 0..lines {
            text += &format!("1,{name}{line},1,x{end}");
        }
        text += &format!("2,z,1,x{end}");
        let (rows, csv) = read_in_chunks(text.as_bytes(), ',');
        let (last, order) = rows.split_last().unwrap();
        assert_eq!(csv.fields(last).unwrap().map.text("purchase_id"), Some("2"));
        assert_eq!(order.iter().map(|row| row.rows).sum::<u64>(), lines);
        let mut given_back = Vec::new();
        for row in order {
            assert_eq!(row.framing_error, Some(FramingError::OrderTooLarge));
            assert!(row.bytes.len() <= MAX_ROW_BYTES);
            given_back.extend_from_slice(&row.bytes);
            given_back.extend_from_slice(end.as_bytes());
        }
        let start = order[0].offset as usize;
        let expected = &text.as_bytes()[start..last.offset as usize];
        assert!(given_back == expected, "{lines} lines");
    }
}

#[test]
fn order_has_the_bytes_of_the_file() {
    let lines = "\u{feff}1,a,1,x\r\n,,,\r\n\r\n1,\"b\r\nb\",1,x\r\n1,c";
    let text = format!("{HEADER}{lines},1,x\r\n2,d,1,x");
    let (rows, csv) = read(text.as_bytes(), ',', 7);
    assert_eq!(outline(&rows), [(2, 3, 1, ""), (8, 1, 0, "")]);
    let start = rows[0].offset as usize;
    assert_eq!(
        rows[0].bytes,
        text.as_bytes()[start..start + rows[0].bytes.len()]
    );
    assert!(rows[0].bytes.ends_with(b"1,c,1,x"));
    assert_eq!(csv.fields(&rows[0]).unwrap().map.list("products").len(), 3);
}

#[test]
fn numbers_of_rows_do_not_end_an_order() {
    // A program has numbered the rows, in a column without a name.
    let text = format!(",{HEADER}0,1,a,1,x\n1,1,b,1,x\n2,1,b,1,x\n3,2,c,1,x\n");
    let (rows, csv) = read(text.as_bytes(), ',', 7);
    assert_eq!(outline(&rows), [(2, 3, 0, ""), (5, 1, 0, "")]);
    let fields = csv.fields(&rows[0]).unwrap();
    assert_eq!(fields.map.list("products").len(), 3);
    let kept = fields.map.map("invalid_fields").unwrap();
    assert_eq!(kept.text("column 1"), Some("0\n1\n2"));
    assert_eq!(fields.warnings.len(), 3);
}

#[test]
fn keeps_given_invalid_fields() {
    let read = fields_of(b"a,,invalid_fields.b\n1,x,y\n", ',');
    assert_eq!(
        read,
        [r#"{"a":"1","invalid_fields":{"b":"y","column 2":"x"}}"#]
    );
    let read = fields_of(b"a,,invalid_fields\n1,x,y\n", ',');
    assert_eq!(
        read,
        [r#"{"a":"1","invalid_fields":{"column 2":"x","invalid_fields":"y"}}"#]
    );
}

#[test]
fn skips_what_joining_leaves_between_files() {
    for (text, skipped) in [
        // A byte order mark that was written twice.
        ("\u{feff}\u{feff}a,b\n1,2\n\u{feff}\u{feff}a,b\n3,4\n", 1),
        ("sep=,\na,b\n1,2\nsep=,\n\u{feff}\"a\",b\n3,4\n", 2),
        ("sep=,,,\na,b\n1,2\n\"sep=,\"\na,b,,\n3,4\n", 2),
        (" , \na,b,\n1,2,\na,b\n3,4\n", 2),
        ("a,b\n1,2\n\u{a0},\u{3000}\n3,4\n", 1),
        ("\"a\"\"\",b\n1,2\n\"a\"\"\", b \n3,4\n", 1),
        (",b\n,1\n,b\n,2\n", 1),
    ] {
        let (rows, csv) = read(text.as_bytes(), ',', 3);
        assert_eq!(csv.error(), None, "{text:?}");
        let readable = rows.iter().filter(|row| csv.fields(row).is_ok()).count();
        assert_eq!((rows.len(), readable), (2, 2), "{text:?}");
        let sum = rows.iter().map(|row| row.skipped).sum::<u64>();
        assert_eq!(sum + csv.skipped_at_end(), skipped, "{text:?}");
    }
    // The header is not UTF-8.
    let (rows, csv) = read(b"\xE9t\xE9,b\n1,2\n\"\xE9t\xE9\",b\n3,4\n", ',', 3);
    assert_eq!(outline(&rows), [(2, 1, 0, ""), (4, 1, 1, "")]);
    assert_eq!(csv.fields(&rows[0]).unwrap().map.text("été"), Some("1"));
    // Values are not skipped.
    let (rows, _) = read(b"a,b\nsep=,x\nsep=x,\nsep,\n", ',', 3);
    assert_eq!(rows.len(), 3);
}

#[test]
fn ignores_empty_cells_of_unused_columns() {
    let unused = ",".repeat(16_000);
    let text = format!("a,b{unused}\n1,2{unused}\n3,4\n5,6{unused}x\n");
    let (rows, csv) = read(text.as_bytes(), ',', 1 << 16);
    assert_eq!(csv.error(), None);
    let read: Vec<_> = rows.iter().map(|row| csv.fields(row)).collect();
    assert!(read.iter().all(Result::is_ok));
    assert_eq!(read[2].as_ref().unwrap().warnings.len(), 1);
}

#[test]
fn quoted_empty_cells_do_not_break_an_order() {
    let text = format!("{HEADER}1,a,1,x,\"\", \"\" \n1,b,1,x,\"\"\n1,\"c\nc\",1,x,,\"\"\n");
    let (rows, csv) = read(text.as_bytes(), ',', 7);
    assert_eq!(outline(&rows), [(2, 3, 0, "")]);
    assert_eq!(csv.fields(&rows[0]).unwrap().map.list("products").len(), 3);
}

#[test]
fn counts_line_ends_within_cells() {
    for end in ["\n", "\r\n", "\r"] {
        let text = "a,b\n1,\"x\n\ny\"\n2,\"z\n3,4\n5,6".replace('\n', end);
        let (rows, _) = read_in_chunks(text.as_bytes(), ',');
        let lines: Vec<_> = rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 5, 6, 7], "{end:?}");
    }
}

#[test]
fn rejects_order_around_rows_that_cannot_be_read() {
    let huge = format!("{}\n", "y".repeat(2 * MAX_ROW_BYTES));
    let many = "1,b\n".repeat(1_200);
    let large = format!("1,{}\n", "b".repeat(MAX_ROW_BYTES / 2)).repeat(3);
    for (unreadable, rows) in [("1,b\n", 1), (&huge, 1), (&many, 1_200), (&large, 3)] {
        let text = format!("{HEADER}1,a,1,x\n{unreadable}1,c,1,x\n2,d,1,x\n");
        let (found, _) = read_in_chunks(text.as_bytes(), ',');
        assert_eq!(found.iter().map(|row| row.rows).sum::<u64>(), rows + 3);
        let last_line = found.iter().rev().nth(1).unwrap();
        assert_eq!(last_line.framing_error, Some(FramingError::BrokenOrder));
        let text = format!("{HEADER}1,a,1,x\n{unreadable}2,d,1,x\n2,e,1,x\n");
        let (found, _) = read_in_chunks(text.as_bytes(), ',');
        assert_eq!(outline(&found[..1]), [(2, 1, 0, "")]);
        let (line, rows, skipped, code) = outline(&found)[found.len() - 1];
        assert_eq!((rows, skipped, code), (2, 0, ""), "line {line}");
    }
}

#[test]
fn holds_a_bounded_number_of_bytes_after_an_order() {
    for line in [",,,\n", "\n", "1,b\n", "1,\"b\n", HEADER] {
        let mut csv = Csv::new(',');
        csv.push(format!("{HEADER}1,a,1,x\n").as_bytes());
        let lines = line.repeat((1 << 16) / line.len());
        let mut rows = 0;
        for _ in 0..40 {
            csv.push(lines.as_bytes());
            while csv.next().is_some() {
                rows += 1;
            }
            assert!(csv.splitter.held() <= 2 * MAX_ROW_BYTES, "{line:?}");
        }
        csv.push(b"1,c,1,x\n");
        rows += std::iter::from_fn(|| csv.finish()).count();
        assert!(rows >= 2, "{line:?}");
    }
    let mut csv = Csv::new(',');
    csv.push(format!("{HEADER}1,a,1,x\n").as_bytes());
    for _ in 0..40 {
        csv.push(&[b'y'; 1 << 16]);
        assert_eq!(csv.next(), None);
        assert!(csv.splitter.held() <= 3 * MAX_ROW_BYTES);
    }
}

#[test]
fn stops_at_header_with_other_columns() {
    let header = "link.customer_id,Link.System,first_name";
    for other in [
        "link.customer_id,first_name,link.system",
        "FIRST_NAME , \"link.customer_id\",link.system",
        "\u{feff}link.customer_id,last_name,first_name",
        "link.customer_id,link.system,first_name,last_name",
        "link.customer_id,first_name,link.system,,",
    ] {
        let text = format!("{header}\n1,shop,Ann\n{other}\n2,Bea,shop\n");
        for chunk in [1, 4, 1000] {
            let (rows, csv) = read(text.as_bytes(), ',', chunk);
            assert_eq!(rows.len(), 1, "{other}");
            assert_eq!(&rows[0].bytes[..], b"1,shop,Ann");
            let error = csv.error().unwrap();
            assert_eq!(error.kind, FileErrorKind::InvalidCsvHeader);
            let expected = "Line 3 names the columns again, but in another order";
            assert!(error.detail.starts_with(expected), "{}", error.detail);
            assert!(!error.detail.contains("last_name"), "{}", error.detail);
        }
    }
    for row in [
        "LINK.customer_id,link.system , first_name,,",
        "\"Link.Customer_Id\",link.system,FIRST_NAME",
    ] {
        let text = format!("{header}\n{row}\n2,shop,Bea\n");
        let (rows, csv) = read(text.as_bytes(), ',', 7);
        assert_eq!(csv.error(), None, "{row}");
        assert_eq!(outline(&rows), [(3, 1, 1, "")], "{row}");
    }
    for row in [
        // Values may be names of columns.
        "first_name,shop,Ann",
        "first_name,link.system,",
        "first_name,first_name,first_name",
        "1,first_name,link.system",
        "link.customer_id,,",
    ] {
        let text = format!("{header}\n{row}\n2,shop,Bea\n");
        let (rows, csv) = read(text.as_bytes(), ',', 7);
        assert_eq!(csv.error(), None, "{row}");
        assert_eq!(rows.len(), 2, "{row}");
    }
    // Surveys have a column for each choice, which contains its name.
    for text in [
        "Newsletter,Offers,Events,Email\nNewsletter,Offers,Events,jane@x.com\nNewsletter,,,bob@x.com\n",
        "Newsletter,Offers,Events\nNewsletter,Offers,yes\nOffers,,\n",
        "from,to\nto,from\nfrom,x\n",
    ] {
        let (rows, csv) = read(text.as_bytes(), ',', 7);
        assert_eq!(csv.error(), None, "{text}");
        assert_eq!(rows.len(), 2, "{text}");
    }
}

/// The rows of an order before another header are not lost.
#[test]
fn header_with_other_columns_ends_an_order() {
    let text =
        "purchase_id,products[0].name,n\n1,a,x\n1,b,x\nn,purchase_id,products[0].name\n1,c,x\n";
    for chunk in [1, 9, 1000] {
        let (rows, csv) = read(text.as_bytes(), ',', chunk);
        assert_eq!(outline(&rows), [(2, 2, 0, "")]);
        assert!(csv.error().unwrap().detail.starts_with("Line 4 names"));
    }
}

/// A shop exports 10,000 orders with one to six lines, one row per line.
#[test]
fn shop_keeps_its_spend() {
    const ORDERS: u64 = 10_000;
    let header = "link.email,action_at,purchase_id,note,products[0].name,products[0].quantity,products[0].price_paid\r\n";
    let (mut text, mut cents, mut rows) = (header.to_owned(), 0, 0);
    // A generator of Lehmer.
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state * 48_271 % 0x7fff_ffff;
        state % below
    };
    for order in 0..ORDERS {
        let note = [
            "",
            "leave at the door",
            "\"two\r\nlines\"",
            "\"a, \"\"b\"\"\"",
        ][order as usize % 4];
        for line in 0..=random(6) {
            let price = 100 + random(90_000);
            let (whole, part) = (price / 100, price % 100);
            text += &format!(
                "c{}@example.com,2026-01-01,{order},{note},item {line},1,{whole}.{part:02}\r\n",
                order % 977
            );
            (cents, rows) = (cents + price, rows + 1);
        }
        match random(100) {
            0 => text += header,
            1..3 => text += ",,,,,,\r\n",
            _ => {}
        }
    }
    let (found, csv) = read(text.as_bytes(), ',', 1 << 13);
    assert_eq!(found.len() as u64, ORDERS);
    assert_eq!(found.iter().map(|row| row.rows).sum::<u64>(), rows);
    let mut read_cents = 0;
    for row in &found {
        let fields = csv.fields(row).unwrap();
        assert_eq!(fields.map.list("products").len() as u64, row.rows);
        for line in fields.map.list("products") {
            let price = line.as_map().unwrap().text("price_paid").unwrap();
            read_cents += price.replace('.', "").parse::<u64>().unwrap();
        }
    }
    assert_eq!(read_cents, cents);
}

/// Splits a small file as the rules say, without any care for time.
fn reference(text: &[u8], columns: Option<usize>) -> Vec<(usize, Vec<u8>, bool)> {
    let is_end = |byte: u8| matches!(byte, b'\n' | b'\r');
    let after_end = |at: usize| {
        at + if text[at..].starts_with(b"\r\n") {
            2
        } else {
            1
        }
    };
    let mut found = Vec::new();
    let mut start = 0;
    while start < text.len() {
        if text[start..].starts_with(BOM) {
            start += BOM.len();
            continue;
        }
        let (mut at, mut cells, mut is_valid) = (start, 0, true);
        let mut filled = 0;
        // One cell in each step.
        loop {
            let is_blank = |at: usize| matches!(text.get(at), Some(b' ' | b'\t'));
            let mut quote = at;
            let mut content = at..at;
            cells += 1;
            while is_blank(quote) {
                quote += 1;
            }
            if text.get(quote) == Some(&b'"') {
                at = quote + 1;
                while at < text.len() && (text[at] != b'"' || text.get(at + 1) == Some(&b'"')) {
                    at += if text[at] == b'"' { 2 } else { 1 };
                }
                is_valid = at < text.len();
                content = quote + 1..at.min(text.len());
                at = (at + 1).min(text.len());
                while is_blank(at) {
                    at += 1;
                }
            } else {
                while at < text.len() && text[at] != b',' && !is_end(text[at]) {
                    at += 1;
                }
                content.end = at;
            }
            if !content.clone().all(is_blank) {
                filled = cells;
            }
            match text.get(at) {
                Some(b',') => at += 1,
                Some(byte) if !is_end(*byte) => is_valid = false,
                _ => break,
            }
            if !is_valid {
                break;
            }
        }
        is_valid &= columns.is_none_or(|columns| cells >= columns && filled <= columns);
        let line = text[start..].iter().position(|byte| is_end(*byte));
        let line = line.map_or(text.len(), |line| start + line);
        let end = if is_valid { at } else { line };
        if end > start {
            found.push((start, text[start..end].to_vec(), is_valid));
        }
        start = if end < text.len() {
            after_end(end)
        } else {
            end
        };
    }
    found
}

const BOM: &[u8] = crate::rows::BOM;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn splits_as_the_reference(parts in prop::collection::vec("(a|,|\"| |\n|\r|\r\n|\",\"|\n\"|\"\n|\u{feff}|a\",\"|,\"\"|\"\"\")", 0..24), columns in prop::option::of(1_usize..5), chunk in 1_usize..9) {
        let text = parts.concat();
        let expected: Vec<_> = reference(text.as_bytes(), columns);
        let mut splitter = Splitter::new(b',');
        if let Some(columns) = columns {
            splitter.expect(Columns { least: columns, most: columns });
        }
        let mut found = Vec::new();
        let mut take = |splitter: &mut Splitter| while let Some(record) = splitter.next() {
            let bytes = splitter.take(&record);
            if !bytes.is_empty() {
                found.push((record.start as usize, bytes.to_vec(), record.is_readable));
            }
        };
        for chunk in text.as_bytes().chunks(chunk) {
            splitter.push(chunk);
            take(&mut splitter);
        }
        splitter.complete();
        take(&mut splitter);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn takes_linear_time(lines in prop::collection::vec("[a,\" ]{0,6}", 1..8), columns in prop::option::of(1_usize..40)) {
        let text = (lines.join("\n") + "\n").repeat(200);
        let (rows, examined) = split(text.as_bytes(), b',', columns, 512);
        prop_assert!(examined <= 5 * text.len(), "{} of {}", examined, text.len());
        prop_assert!(rows.iter().map(|row| row.bytes.len()).sum::<usize>() <= text.len());
    }
}
