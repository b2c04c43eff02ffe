//! Files that a mapping reads: flat headers, and groups of adjacent records.

use super::*;

/// Reads a file whose rows are grouped by these columns.
fn read_groups(text: &[u8], group: &[&str], chunk: usize) -> (Vec<Row>, Csv) {
    let group = group.iter().map(|name| (*name).to_owned()).collect();
    read_by(Csv::mapped(',', group), text, chunk)
}

/// Returns the records of each row as text, or the code of its error and the number of its records.
fn groups_of(text: &str, group: &[&str], chunk: usize) -> Vec<String> {
    let (rows, csv) = read_groups(text.as_bytes(), group, chunk);
    assert_eq!(csv.error(), None);
    rows.iter().map(|row| described(row, &csv)).collect()
}

fn described(row: &Row, csv: &Csv) -> String {
    let records = match row.framing_error {
        Some(error) => Err(RowError::from(error)),
        None => csv.records(row),
    };
    match records {
        Ok(records) => {
            assert_eq!(records.cells.len() as u64, row.rows);
            let records = records.cells.iter().map(|cells| cells.join("|"));
            records.collect::<Vec<_>>().join(" / ")
        }
        Err(error) => format!("{} {}", error.code.as_str(), row.rows),
    }
}

#[test]
fn adjacent_records_with_equal_key_are_one_row() {
    for (records, expected) in [
        ("1,a\n1,b\n2,c\n", &["1|a / 1|b", "2|c"][..]),
        // Whitespace and quotes around the key make no difference, and are kept.
        ("1,a\n 1 ,b\n\"1\",\"c\nc\"\n", &["1|a /  1 |b / 1|c\nc"]),
        // Identical records are all kept.
        ("1,a\n1,a\n1,a\n", &["1|a / 1|a / 1|a"]),
        // Records without a key are rows of their own.
        (",a\n,b\n1,c\n , d\n,e", &["|a", "|b", "1|c", " | d", "|e"]),
        // Blank records, repeated headers and empty cells at the end.
        ("1,a\n,\n\nKey,Value\n1,b,,\n", &["1|a / 1|b||"]),
        ("1,\n1,b\n", &["1| / 1|b"]),
        // A record that cannot be read, within a group and between two.
        ("1,a\n1,\"b\n1,c\n2,d\n", &["broken_order 3", "2|d"]),
        (
            "1,a\n1\n2,c\n2,d\n",
            &["1|a", "wrong_cell_count 1", "2|c / 2|d"],
        ),
        (",a\n1\n,b\n", &["|a", "wrong_cell_count 1", "|b"]),
        (
            "1,a,b\n1,\"a\"b\n",
            &["wrong_cell_count 1", "invalid_csv 1"],
        ),
    ] {
        let text = format!("Key,Value\n{records}");
        for chunk in [1, 4, 1000] {
            assert_eq!(groups_of(&text, &["Key"], chunk), expected, "{records:?}");
        }
    }
}

#[test]
fn key_may_have_several_columns() {
    let text = "A,V,B\n1,a,x\n1,b,x\n1,c,y\n,d,y\n,e,y\n,f,\n,g,\n1,h,\n1,i,\n";
    let expected = [
        "1|a|x / 1|b|x",
        "1|c|y",
        "|d|y / |e|y",
        "|f|",
        "|g|",
        "1|h| / 1|i|",
    ];
    assert_eq!(groups_of(text, &["B", "A"], 5), expected);
    let text = "K,V,K\n1,a,x\n2,b,x\n3,c,y\n";
    assert_eq!(groups_of(text, &[" K#2 "], 5), ["1|a|x / 2|b|x", "3|c|y"]);
    // Without a group, each record is a row.
    assert_eq!(groups_of("K\n1\n1\n", &[], 5), ["1", "1"]);
}

#[test]
fn rejects_group_whose_key_returns() {
    for (records, expected) in [
        (
            "1,a\n2,b\n1,c\n1,d\n3,e\n",
            &["1|a", "2|b", "group_not_adjacent 2", "3|e"][..],
        ),
        // Each time.
        (
            "1,a\n2,b\n1,c\n2,d\n 1,e\n",
            &[
                "1|a",
                "2|b",
                "group_not_adjacent 1",
                "group_not_adjacent 1",
                "group_not_adjacent 1",
            ],
        ),
        // After a group that was rejected, and after a record without a key.
        (
            "1,a\n1\n1,c\n2,d\n1,e\n",
            &["broken_order 3", "2|d", "group_not_adjacent 1"],
        ),
        (
            "1,a\n,b\n1,c\n,d\n",
            &["1|a", "|b", "group_not_adjacent 1", "|d"],
        ),
        // To correct the record would not suffice.
        (
            "1,a\n2,b\n1,c\n1\n1,d\n",
            &["1|a", "2|b", "group_not_adjacent 3"],
        ),
    ] {
        let text = format!("Key,Value\n{records}");
        for chunk in [1, 6, 1000] {
            assert_eq!(groups_of(&text, &["Key"], chunk), expected, "{records:?}");
        }
    }
    // Cells are compared one by one.
    let keys = "A,B\n1,2\n12,\n1,2\n";
    let expected = ["1|2", "12|", "group_not_adjacent 1"];
    assert_eq!(groups_of(keys, &["A", "B"], 5), expected);
}

#[test]
fn key_may_return_after_window() {
    const WINDOW: usize = 65_536;
    for (others, is_rejected) in [(WINDOW - 1, true), (WINDOW, false)] {
        let others: String = (0..others).map(|other| format!("k{other},x\n")).collect();
        let text = format!("Key,Value\n1,a\n1,b\n{others}1,c\n");
        let (rows, _) = read_groups(text.as_bytes(), &["Key"], 1 << 14);
        let last = rows.last().unwrap();
        let expected = is_rejected.then_some(FramingError::GroupNotAdjacent);
        assert_eq!(last.framing_error, expected);
    }
}

#[test]
fn groups_have_a_limit() {
    let file = |first: &str, records: usize, value: &str| {
        let records: String = (0..records)
            .map(|number| format!("1,{value}{number}\n"))
            .collect();
        format!("Key,Value\n{first}{records}2,z\n")
    };
    let at_limit = groups_of(&file("", 1_000, "a"), &["Key"], 1 << 12);
    assert_eq!(at_limit[0].matches(" / ").count(), 999);
    assert_eq!(
        groups_of(&file("", 1_001, "a"), &["Key"], 1 << 12),
        ["order_too_large 1001", "2|z"]
    );
    let long = "a".repeat(MAX_ROW_BYTES / 2);
    // One row for each part of at most 1 MiB.
    let part = "order_too_large 1";
    assert_eq!(
        groups_of(&file("", 3, &long), &["Key"], 1 << 16),
        [part, part, part, "2|z"]
    );
    let returned = "group_not_adjacent 1";
    assert_eq!(
        groups_of(&file("1,x\n0,y\n", 3, &long), &["Key"], 1 << 16),
        ["1|x", "0|y", returned, returned, returned, "2|z"]
    );
}

#[test]
fn names_may_be_any_text() {
    let text =
        " a.b ,,a[x],\"Say \"\"hi\"\"\",a.b,Größe (cm), \n1,drop,2,3,4,5,6\n1,,2,3,4,5\n1,2\n";
    let (rows, csv) = read_groups(text.as_bytes(), &[], 7);
    let names = ["a.b", "", "a[x]", "Say \"hi\"", "a.b", "Größe (cm)", ""];
    assert_eq!(csv.header().unwrap(), names);
    let records: Vec<_> = rows.iter().map(|row| csv.records(row)).collect();
    let first = records[0].as_ref().unwrap();
    assert_eq!(first.cells, [["1", "drop", "2", "3", "4", "5", "6"]]);
    assert_eq!(first.warnings, []);
    assert_eq!(records[1].as_ref().unwrap().cells[0].len(), 6);
    let error = records[2].as_ref().unwrap_err();
    assert_eq!(error.code.as_str(), "wrong_cell_count");
}

#[test]
fn rejects_header_that_cannot_be_used() {
    let columns = |count: usize| (0..count).map(|n| format!("c{n},")).collect::<String>();
    for (header, problem) in [
        (format!("{}\n", columns(1_001)), "1,001 columns"),
        ("\"x\n1\n".to_owned(), "is not closed"),
        ("\"a\"b\n".to_owned(), "after a closing quote"),
        ("Name,Value\n".to_owned(), "no column `Key`"),
        ("Key#3,Value\n".to_owned(), "no column `Key`"),
    ] {
        let (rows, csv) = read_groups(header.as_bytes(), &["Key"], 100);
        let detail = &csv.error().unwrap().detail;
        assert!(detail.contains(problem), "{detail}");
        assert_eq!((rows.len(), csv.header()), (0, None));
    }
    let (_, csv) = read_groups(format!("{}\n", columns(1_000)).as_bytes(), &[], 100);
    assert_eq!(csv.error(), None);
}

#[test]
fn warnings_name_columns() {
    let text =
        b"Key,First\xE9,,First\xE9\n1,Zo\xEB,\xE9,x\n1,Zo\xC3\xAB,,\xEB\n1,y,,\xE9\xC3\xA9\n";
    let (rows, csv) = read_groups(text, &["Key"], 9);
    let records = csv.records(&rows[0]).unwrap();
    assert_eq!(records.cells[0], ["1", "Zoë", "é", "x"]);
    assert_eq!(records.cells[1], ["1", "Zoë", "", "ë"]);
    let (w1252, replaced) = (WarningCode::Windows1252, WarningCode::ReplacedCharacters);
    let expected = [
        Warning::at(w1252, &"Firsté"),
        Warning::at(w1252, &"Firsté#2"),
        Warning::at(replaced, &"Firsté#2"),
    ];
    assert_eq!(records.warnings, expected);
}

#[test]
fn group_has_the_bytes_of_the_file() {
    let records = "\u{feff}1,a\r\n,\r\n\r\nKey,Value\r\n1,\"b\r\nb\"\r\n1,c";
    let text = format!("Key,Value\r\n{records}\r\n2,d");
    for chunk in [1, 7, 1000] {
        let (rows, csv) = read_groups(text.as_bytes(), &["Key"], chunk);
        let places: Vec<_> = rows
            .iter()
            .map(|row| (row.line, row.rows, row.skipped))
            .collect();
        assert_eq!(places, [(2, 3, 2), (9, 1, 0)]);
        let start = rows[0].offset as usize;
        assert_eq!(
            rows[0].bytes,
            text.as_bytes()[start..][..rows[0].bytes.len()]
        );
        assert!(rows[0].bytes.starts_with(b"1,a") && rows[0].bytes.ends_with(b"1,c"));
        assert_eq!(described(&rows[0], &csv), "1|a / 1|b\r\nb / 1|c");
    }
}

#[test]
fn memory_is_bounded() {
    for line in [",\n", "1\n", ",b\n"] {
        let mut csv = Csv::mapped(',', vec!["Key".to_owned()]);
        csv.push(b"Key,Value\n1,a\n");
        let lines = line.repeat((1 << 16) / line.len());
        for _ in 0..40 {
            csv.push(lines.as_bytes());
            while csv.next().is_some() {}
            assert!(csv.splitter.held() <= 2 * MAX_ROW_BYTES, "{line:?}");
        }
    }
}

/// Groups the rows of a small file, given as pairs of key and value, as the rules say.
fn reference(rows: &[(String, String)]) -> Vec<String> {
    let mut before: Vec<&str> = Vec::new();
    let is_same = |a: &(String, String), b: &(String, String)| !a.0.is_empty() && a.0 == b.0;
    let groups = rows.chunk_by(is_same).map(|rows| {
        let key = rows[0].0.as_str();
        if !key.is_empty() && before.contains(&key) {
            return format!("group_not_adjacent {}", rows.len());
        }
        before.push(key);
        let records = rows.iter().map(|(key, value)| format!("{key}|{value}"));
        records.collect::<Vec<_>>().join(" / ")
    });
    groups.collect()
}

proptest! {
    #[test]
    fn groups_as_the_reference(rows in prop::collection::vec(("[ab\"]{0,1}", "[x,\"\n ]{0,3}"), 0..20), chunk in 1_usize..30) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        // Blank records are skipped.
        let rows: Vec<_> = rows.into_iter().filter(|(key, value)| !format!("{key}{value}").trim().is_empty()).collect();
        let lines: String = rows.iter().map(|(key, value)| format!("{},{}\r\n", quoted(key), quoted(value))).collect();
        let text = format!("Key,Value\r\n{lines}");
        prop_assert_eq!(groups_of(&text, &["Key"], chunk), reference(&rows));
    }

    /// A continuation that skips the rows before a stored offset reads the rest, whatever the file contains.
    #[test]
    fn rows_are_the_same_from_any_position(lines in prop::collection::vec("([12]?,[ab]|\"1|,|1,a,b|1,\"a\nb\"|Key,V| \u{feff}|)", 0..16), chunk in 1_usize..40, is_grouped: bool) {
        let text = format!("Key,V\n{}\n", lines.join("\n"));
        let text = text.as_bytes();
        let group: &[&str] = if is_grouped { &["Key"] } else { &[] };
        let (whole, csv) = read_groups(text, group, text.len());
        let (in_chunks, in_chunks_csv) = read_groups(text, group, chunk);
        prop_assert_eq!(&whole, &in_chunks);
        prop_assert_eq!(csv.skipped_at_end(), in_chunks_csv.skipped_at_end());
        let mut rest = Csv::mapped(',', group.iter().map(|name| (*name).to_owned()).collect());
        rest.push(text);
        let mut rows = whole.iter();
        while let Some(row) = rest.next().or_else(|| rest.finish()) {
            prop_assert_eq!(Some(&row), rows.next());
            let start = row.offset as usize;
            prop_assert!(text[start..].starts_with(&row.bytes));
            prop_assert_eq!(row.line, 1 + text[..start].iter().filter(|byte| **byte == b'\n').count() as u64);
            let position = rest.position();
            prop_assert!(position > row.offset);
            let next = rows.clone().next();
            prop_assert!(next.is_none_or(|next| position <= next.offset));
            described(&row, &csv);
        }
    }
}
