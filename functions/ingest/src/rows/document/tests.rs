use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{FramingError, MAX_ROW_BYTES},
    *,
};

mod paths;

fn rows_of(text: &[u8], records: RecordsField, chunk: usize) -> (Vec<Row>, Option<&'static str>) {
    let (found, document) = read(Document::new(records), text, chunk);
    (found, document.error().map(|broken| broken.kind.as_str()))
}

fn read(mut document: Document, text: &[u8], chunk: usize) -> (Vec<Row>, Document) {
    let mut found = Vec::new();
    for chunk in text.chunks(chunk.max(1)) {
        document.push(chunk);
        while let Some(row) = document.next() {
            found.push(row);
        }
        let held = match &document.reader {
            Reader::Values(values) => values.buffer.len(),
            _ => 0,
        };
        assert!(held <= MAX_ROW_BYTES, "what is held is bounded");
    }
    while let Some(row) = document.finish() {
        found.push(row);
    }
    (found, document)
}

/// Returns the rows as one line of text.
fn texts(text: &str, records: RecordsField) -> (String, bool) {
    let (rows, broken) = rows_of(text.as_bytes(), records, 3);
    let texts: Vec<_> = rows
        .iter()
        .map(|row| String::from_utf8_lossy(&row.bytes).replace('\n', "~"))
        .collect();
    (texts.join(" "), broken.is_some())
}

#[test]
fn the_content_tells_the_shape() {
    let ok = |text: &str| (text.to_owned(), false);
    for text in [
        "[1,{\"a\":[2]},\"]\"]",
        "\u{feff} [ 1 , {\"a\":[2]} ,\"]\" ] ",
        "{\"records\":[1,{\"a\":[2]},\"]\"]}",
        "{\"record_type\":\"unify\",\"records\":[1,{\"a\":[2]},\"]\"]}",
        "{\"made\":{\"records\":[7]},\n \"records\" : [1,{\"a\":[2]},\"]\"], \"more\": [3]}",
    ] {
        assert_eq!(
            texts(text, RecordsField::Rows),
            ok("1 {\"a\":[2]} \"]\""),
            "{text}"
        );
    }
    assert_eq!(
        texts("{\"a\":1}\n{\"a\":}\n", RecordsField::Rows),
        ok("{\"a\":1} {\"a\":}")
    );
    assert_eq!(texts("{\"a\":\n1}", RecordsField::Rows), ok("{\"a\":~1}"));
    assert_eq!(
        texts("{\"a\":\n1}{\"b\":\n2}\n", RecordsField::Rows),
        ok("{\"a\":~1} {\"b\":~2}")
    );
    assert_eq!(texts("[]", RecordsField::Rows), ok(""));
    assert_eq!(texts(" \n", RecordsField::Rows), ok(""));
    assert_eq!(texts("", RecordsField::Rows), ok(""));
    assert_eq!(texts("hello\n{}", RecordsField::Rows), ok("hello {}"));
}

#[test]
fn a_byte_order_mark_may_come_in_pieces() {
    // One object on two lines would be two rows in NDJSON.
    let text = "\u{feff}{\"a\":1,\n\"b\":2}".as_bytes();
    for chunk in 1..=text.len() {
        let (rows, broken) = rows_of(text, RecordsField::Rows, chunk);
        assert_eq!((rows.len(), rows[0].offset, broken), (1, 3, None));
    }
    let (rows, _) = rows_of(&text[..2], RecordsField::Rows, 1);
    assert_eq!(rows.len(), 1, "a file that ends in the middle of one");
}

#[test]
fn rows_with_records_of_their_own_have_no_envelope() {
    let unify = "{\"records\":[{\"email\":\"a\"},{\"mobile\":\"1\"}]}";
    assert_eq!(texts(unify, RecordsField::Links).0, unify);
    assert_eq!(
        texts(&format!("[{unify},{unify}]"), RecordsField::Links).0,
        format!("{unify} {unify}")
    );
    assert_eq!(texts(unify, RecordsField::Undecided).0, unify);
    let mixed = "{\"records\":[{\"record_type\":\"product\"},{\"record_type\":\"unify\"}]}";
    assert_eq!(
        texts(mixed, RecordsField::Undecided).0,
        "{\"record_type\":\"product\"} {\"record_type\":\"unify\"}"
    );
}

const GOOD: &str = r#"{"record_type":"product","product_id":"1"}"#;

#[test]
fn an_odd_first_row_of_an_envelope_is_odd_alone() {
    for first in [
        r#"{"record_type":"customer_record","pr\u00e9nom":"x","link":{"email":"a@b.example"}}"#,
        r#"{"pr\u00e9nom":"x","record_type":"product"}"#,
        r#"{"record\u005ftype":"product"}"#,
        r#"{"\ud83d":1,"record_type":"product"}"#,
        r#"{"record_type":"product","price":NaN}"#,
        r#"{"price":NaN,"record_type":"product"}"#,
        r#"{"record_type":}"#,
        r#"{'record_type':'product'}"#,
        r#"{"link":{"email":"a@b.example"},"first_name":"x"}"#,
        r#"{"email":"a@b.example"}"#,
        r#"{"of":{"record_type":"product"}}"#,
        r#"{"a":"\"record_type\":"}"#,
        r#"{"records":[{"email":"a"},{"mobile":"1"}],"record_type":"unify"}"#,
        r#"["record_type"]"#,
        r#""record_type""#,
        "NaN",
        "{}",
    ] {
        for text in [
            format!(r#"{{"records":[{first},{GOOD},{GOOD}]}}"#),
            format!(r#"{{"r\u0065cords":[{first},{GOOD},{GOOD}],"more":[3]}}"#),
            format!(
                "\u{feff}\n{{ \"made\" : {{\"records\":[7]}},\r\n\"records\" :\n [ {first} ,\n{GOOD},\t{GOOD} ] }}\n"
            ),
        ] {
            let expected = (format!("{first} {GOOD} {GOOD}"), false);
            assert_eq!(texts(&text, RecordsField::Undecided), expected, "{text}");
        }
    }
}

#[test]
fn a_first_row_of_an_envelope_that_is_too_large_is_so_alone() {
    let long = "x".repeat(2 * MAX_ROW_BYTES);
    for first in [
        format!(r#"{{"record_type":"email_send","body":"{long}"}}"#),
        format!(r#"{{"body":"{long}","record_type":"email_send"}}"#),
        format!(r#"{{"link":{{"mobile":"1"}},"body":"{long}","record_type":"email_send"}}"#),
        format!(r#"{{"sku":"1","email":"{long}","record_type":"email_send"}}"#),
        format!(r#"{{"{long}":1,"record_type":"email_send"}}"#),
        format!("\"{long}\""),
    ] {
        let text = format!(r#"{{"records":[{first},{GOOD}]}}"#);
        let (rows, broken) = rows_of(text.as_bytes(), RecordsField::Undecided, 1 << 18);
        let flaws: Vec<_> = rows.iter().map(|row| row.framing_error).collect();
        assert_eq!(
            (flaws, broken),
            (vec![Some(FramingError::TooLarge), None], None)
        );
        assert_eq!(rows[1].bytes, GOOD);
    }
}

#[test]
fn links_are_no_rows_of_an_envelope() {
    for row in [
        r#"{"record_type":"unify","records":[{"email":"a"},{"mobile":"1"}]}"#,
        r#"{"record_type":"unify","records":[{"email":"a","note":"x"},{"mobile":"1"}]}"#,
        r#"{"records":[{"link":{"email":"a"}},{"link":{"mobile":"1"}}],"record_type":"unify"}"#,
        r#"{"records":[{"link_type":"email","link_value":"a"}],"record_type":"forget"}"#,
        r#"{"record_type":"forget","records":[]}"#,
        r#"{"records":[{"email":"a"}],"more":{"of":{"record_type":"x"}},"record_type":"forget"}"#,
        // Rows whose links are named, and have no other fields.
        r#"{"record_type" : "unify","records":[{"record_type":"customer_record","link":{"email":"a"}}]}"#,
        r#"{"record_type":"forget","records":[{"record_type":"product","link":{"email":"a"}}]}"#,
    ] {
        let text = format!("{row}\n{GOOD}\n");
        assert_eq!(
            texts(&text, RecordsField::Undecided),
            (format!("{row} {GOOD}"), false)
        );
    }
    for link in [r#"{"mobile":"1"},"#, r#"{"link":{"customer_id":"1"}},"#] {
        let links = link.repeat(2 * MAX_ROW_BYTES / link.len());
        let text = format!("{{\"records\":[{links}{{}}],\"record_type\":\"unify\"}}\n{GOOD}");
        let (rows, broken) = rows_of(text.as_bytes(), RecordsField::Undecided, 1 << 18);
        let flaws: Vec<_> = rows.iter().map(|row| row.framing_error).collect();
        assert_eq!(
            (flaws, broken),
            (vec![Some(FramingError::TooLarge), None], None)
        );
    }
}

#[test]
fn a_list_that_breaks_off_keeps_the_rows_before() {
    for (text, rows) in [
        ("[1][2", "1 2"),
        ("[{\"a\":1},{\"a\"", "{\"a\":1} {\"a\""),
        ("[{\"a\":1} {\"a\":2}]", "{\"a\":1}"),
        ("[{\"a\":1},,2]", "{\"a\":1}"),
        ("[1,2,]", "1 2"),
        ("[", ""),
        ("{\"records\":[1", "1"),
    ] {
        assert_eq!(
            texts(text, RecordsField::Rows),
            (rows.to_owned(), true),
            "{text}"
        );
    }
}

#[test]
fn a_value_too_large_is_cut_and_the_next_one_is_found() {
    let text = format!("[\"{}\",\n1]", "x".repeat(3 * MAX_ROW_BYTES));
    let (rows, broken) = rows_of(text.as_bytes(), RecordsField::Rows, 1 << 16);
    assert_eq!(
        (rows[0].line, rows[0].offset, rows[0].framing_error),
        (1, 1, Some(FramingError::TooLarge))
    );
    assert_eq!(
        (rows[1].line, rows[1].offset, rows[1].framing_error),
        (2, 3 * MAX_ROW_BYTES as u64 + 5, None)
    );
    assert_eq!((rows.len(), broken), (2, None));
    for (more, framing_error) in [(0, None), (1, Some(FramingError::TooLarge))] {
        let text = format!("[\"{}\"]", "x".repeat(MAX_ROW_BYTES - 2 + more));
        let (rows, _) = rows_of(text.as_bytes(), RecordsField::Rows, 1 << 16);
        assert_eq!((rows.len(), rows[0].framing_error), (1, framing_error));
    }
    let one = format!("{{\"a\":\n\"{}\"}}", "x".repeat(2 * MAX_ROW_BYTES));
    assert_eq!(
        rows_of(one.as_bytes(), RecordsField::Rows, 1 << 16).0[0].framing_error,
        Some(FramingError::TooLarge)
    );
}

#[test]
fn values_side_by_side_are_rows() {
    for (text, rows) in [
        (r#"{"a":1}{"b":{}} {"c":2}"#, r#"{"a":1} {"b":{}} {"c":2}"#),
        (
            "{\"a\":1}{\"b\":2}\n{\"c\":3}",
            r#"{"a":1} {"b":2} {"c":3}"#,
        ),
        (
            "\u{1E}{\"a\":1}\n\u{1E}{\"b\":\n2}\n",
            "{\"a\":1} {\"b\":~2}",
        ),
        (
            "{\"a\":\n1}\u{1E}{\"b\":2}\u{feff}{}",
            "{\"a\":~1} {\"b\":2} {}",
        ),
        ("\u{feff}\u{1E}\u{feff}{}", "{}"),
        // Broken values.
        (r#"{"a":}{"b":1}"#, r#"{"a":} {"b":1}"#),
        ("{\"a\":\n[{}}{\"b\":1}", "{\"a\":~[{}} {\"b\":1}"),
        ("{\"a\":\n\"x}\n{\"b\":1}", "{\"a\":~\"x} {\"b\":1}"),
        (
            "{\"a\":\n\"x}\n{\"b\":\"y}{\"c\":\"z\"}",
            "{\"a\":~\"x} {\"b\":\"y} {\"c\":\"z\"}",
        ),
        ("{\"a\":\n\u{1E}{\"b\":1}", "{\"a\": {\"b\":1}"),
        ("{\n}{\"a\":\"}{\"}", "{~} {\"a\":\"}{\"}"),
    ] {
        let expected = (rows.to_owned(), false);
        assert_eq!(texts(text, RecordsField::Rows), expected, "{text:?}");
    }
}

#[test]
fn arrays_and_envelopes_may_follow_one_another() {
    for (text, rows) in [
        ("[1,2][3]\n[]\u{feff}[4]", "1 2 3 4"),
        (r#"{"records":[1],"next":"]}["}{"records":[2]}[3]"#, "1 2 3"),
        ("[1]\n{\"a\":2}\n{\"a\":3}", "1 {\"a\":2} {\"a\":3}"),
        ("[1]\n{\"a\":\n2}", "1 {\"a\":~2}"),
        // Other text is ignored.
        ("[1];[2]", "1"),
        (r#"{"records":[1]},{"records":[2]}"#, "1"),
    ] {
        let expected = (rows.to_owned(), false);
        assert_eq!(texts(text, RecordsField::Rows), expected, "{text:?}");
    }
    let text = "\n[1]\n\n{\"a\":2}\n{\"a\":3}";
    let (rows, _) = rows_of(text.as_bytes(), RecordsField::Rows, 1);
    let places: Vec<_> = rows.iter().map(|row| (row.offset, row.line)).collect();
    assert_eq!(places, [(2, 2), (6, 4), (14, 5)]);
}

#[test]
fn what_follows_a_list_may_come_in_pieces() {
    for text in [
        // An escape, and a byte order mark before other text.
        "{\"records\":[1],\"a\":\"\\ \"}[2]",
        "[1,2]\u{feff}:",
        "[1]\u{feff}[2]\u{feff}",
    ] {
        for chunk in 1..=text.len() {
            let (rows, broken) = rows_of(text.as_bytes(), RecordsField::Rows, chunk);
            assert_eq!((rows.len(), broken), (2, None), "{text} {chunk}");
        }
    }
}

#[test]
fn a_value_of_a_sequence_that_is_too_large_is_so_alone() {
    let long = "x".repeat(2 * MAX_ROW_BYTES);
    for first in [
        format!("{{\"a\":\n\"{long}\"}}"),
        format!("{{\"a\":\n\"{long}}}"),
    ] {
        for chunk in [1 << 12, 1 << 23] {
            let text = format!("{first} {{\"b\":1}}{{\"c\":2}}");
            let (rows, _) = rows_of(text.as_bytes(), RecordsField::Rows, chunk);
            let errors: Vec<_> = rows.iter().map(|row| row.framing_error).collect();
            assert_eq!(errors, [Some(FramingError::TooLarge), None, None]);
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a\"\\\\\\]}{\\[,:\n]{0,6}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab\"]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Texts that are valid JSON only by chance.
fn text() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\"a\"",
        "{\"records\":[",
        "\"record_type\":",
        "\"unify\"",
        "\"email\":",
    ];
    prop_oneof![
        "\u{feff}?[{}\\[\\]\",:a1 \n\\\\\u{1E}\u{feff}]{0,40}",
        prop::collection::vec(prop::sample::select(PARTS), 0..24).prop_map(|parts| parts.concat()),
    ]
}

fn any_meaning() -> impl Strategy<Value = RecordsField> {
    prop_oneof![
        Just(RecordsField::Rows),
        Just(RecordsField::Links),
        Just(RecordsField::Undecided),
    ]
}

proptest! {
    #[test]
    fn values_of_a_list_come_back(values in prop::collection::vec(value(), 0..6), pretty: bool, chunk in 1_usize..40, enveloped: bool) {
        let all = if enveloped { json!({"records": values}) } else { json!(values) };
        let text = if pretty { serde_json::to_string_pretty(&all) } else { serde_json::to_string(&all) }.unwrap();
        let (rows, broken) = rows_of(text.as_bytes(), RecordsField::Rows, chunk);
        prop_assert_eq!(broken, None);
        let read: Vec<Value> = rows.iter().map(|row| serde_json::from_slice(&row.bytes).unwrap()).collect();
        prop_assert_eq!(read, values);
        for row in rows {
            prop_assert!(text.as_bytes()[row.offset as usize..].starts_with(&row.bytes));
            prop_assert_eq!(row.line, 1 + text[..row.offset as usize].matches('\n').count() as u64);
        }
    }

    #[test]
    fn no_text_panics_and_chunks_do_not_matter(text in text(), chunk in 1_usize..9, meaning in any_meaning()) {
        let whole = rows_of(text.as_bytes(), meaning, text.len());
        prop_assert_eq!(rows_of(text.as_bytes(), meaning, chunk), whole);
    }
}
