//! Documents that have their rows in a list at a path.

use super::*;

/// Returns the rows as one line of text, and the detail of the file's error.
fn at_path(path: &str, text: &str) -> (String, Option<String>) {
    let texts = |chunk| {
        let (rows, document) = read(Document::with_list_at(path), text.as_bytes(), chunk);
        let texts: Vec<_> = rows
            .iter()
            .map(|row| String::from_utf8_lossy(&row.bytes).replace('\n', "~"))
            .collect();
        let error = document.error().map(|error| error.detail.clone());
        (texts.join(" "), error)
    };
    let whole = texts(text.len());
    for chunk in 1..20 {
        assert_eq!(texts(chunk), whole, "{text}");
    }
    whole
}

#[test]
fn finds_list_at_path() {
    for (path, text, rows) in [
        (
            "tickets",
            r#"{"tickets":[1,{"a":[2]},"]"],"count":3}"#,
            r#"1 {"a":[2]} "]""#,
        ),
        (
            "tickets",
            "\u{feff}\n{ \"n\" : [ 0 ] ,\n\"tickets\"\n:\t[ 1 , 2 ] }\n",
            "1 2",
        ),
        (
            "data.items",
            r#"{"data":{"items":[1,2],"items":[3]},"data":{"items":[4]}}"#,
            "1 2",
        ),
        // Names elsewhere, in strings and in values, do not matter.
        (
            "data.items",
            r#"{"items":[0],"a":"\"data\":{\"items\":[0]}","b":{"data":{"items":[0]}},"c":[{"data":{"items":[0]}}],"data":{"x":["items"],"y":"items","items":[1]}}"#,
            "1",
        ),
        (
            "a",
            r#"{"b":"a","c":["a"],"d":{"a":[0]},"a":[1],"e":{"a":[0]}}"#,
            "1",
        ),
        // Names may contain dots, quotes and escapes. The whole path may be one name.
        ("a.b", r#"{"a.b":[1]}"#, "1"),
        ("a.b.c", r#"{"a":{"b":0},"a.b":{"c":[1]}}"#, "1"),
        ("a.b.c", r#"{"a":{"b.x":0,"b.c":[1]}}"#, "1"),
        (
            "a.b",
            r#"{"a":{"c":{"b":[0]}},"a":[{"b":[0]}],"a":{"b":[1]}}"#,
            "1",
        ),
        (
            "d\u{e9}\"\u{1F600}",
            r#"{"d\u00e9\"\ud83d\ude00":[1]}"#,
            "1",
        ),
        ("é", "{\"\\u00E9\":[1]}", "1"),
        ("a b.", r#"{"a b":{"":[1]}}"#, "1"),
        // What is not a list at the path is passed over.
        (
            "a",
            r#"{"a":{"a":[0]},"a":"[0]","a":1,"a":true,"a":[1]}"#,
            "1",
        ),
        ("a", r#"{"a":null}"#, ""),
        (
            "a.b",
            r#"{"a":{"b": null, "c":[0]},"d":"]}"}{"a":{"b":[1]}}"#,
            "1",
        ),
        ("a", r#"{"a":[]}"#, ""),
        ("a", "", ""),
        ("a", " \n\u{1E}\n", ""),
    ] {
        assert_eq!(at_path(path, text), (rows.to_owned(), None), "{text}");
    }
}

#[test]
fn documents_may_follow_one_another() {
    for text in [
        "{\"t\":[1,2],\"next\":\"{\\\"t\\\":[0]}\"}\n{\"next\":null,\"t\":[]}\n\n{\"t\":[{\"a\":\n3}]}\n",
        "{\"t\":[1]}{\"t\":[2,{\"a\":\n3}]}",
        "\u{1E}{\"t\":[1,2]}\n\u{1E}{\"t\":[{\"a\":\n3}]}\n",
        "{\"t\":[1,2]}\r\n\u{feff}{\"t\":null}{\"t\":[{\"a\":\n3}]}",
    ] {
        let rows = "1 2 {\"a\":~3}".to_owned();
        assert_eq!(at_path("t", text), (rows, None), "{text}");
    }
    let text = "\n{\"n\":\n0,\"t\":[1,\n\n2]}\n{\"t\":[3]}";
    let (rows, _) = read(Document::with_list_at("t"), text.as_bytes(), 2);
    let places: Vec<_> = rows.iter().map(|row| (row.offset, row.line)).collect();
    assert_eq!(places, [(14, 3), (18, 5), (28, 6)]);
}

#[test]
fn error_names_missing_path() {
    for (path, text, rows, detail) in [
        (
            "t",
            r#"{"a":[1]}"#,
            "",
            "at byte 0, line 1 does not have the list `t`",
        ),
        (
            "a.t",
            r#"{"a":[1],"t":[2]}"#,
            "",
            "does not have the list `a.t`",
        ),
        ("a.t", r#"{"a":null}"#, "", "does not have the list `a.t`"),
        ("t", r#"{"t":{"u":[1]}}"#, "", "does not have the list `t`"),
        ("t", "{}", "", "does not have the list"),
        (
            "t",
            "{\"t\":[1]}\n{\"u\":[2]}\n{\"t\":[3]}",
            "1",
            "at byte 10, line 2 does not have the list",
        ),
        (
            "t",
            "{\"t\":[1]}\n[2]",
            "1",
            "at byte 10, line 2 is not an object",
        ),
        (
            "t",
            r#"{"t":[1]},{"t":[2]}"#,
            "1",
            "at byte 9, line 1 is not an object",
        ),
        ("t", "[{\"t\":[1]}]", "", "is not an object"),
        ("t", "t", "", "is not an object"),
        ("t", r#"{"t""#, "", "ends before the list `t`"),
        (
            "t",
            r#"{"t":[1]}{"a":"#,
            "1",
            "at byte 9, line 1 ends before the list",
        ),
        (
            "t",
            r#"{"t":[1,2"#,
            "1 2",
            "array ends without its closing bracket",
        ),
        (
            "t",
            r#"{"t":[1,2]"#,
            "1 2",
            "document ends without its closing bracket",
        ),
        (
            "t",
            "{\"t\":[1]\n{\"t\":[2]}",
            "1",
            "document ends without its closing bracket",
        ),
        ("t", r#"{"t":[1 2]}"#, "1", "array lacks a comma"),
    ] {
        let (found, error) = at_path(path, text);
        let error = error.unwrap();
        assert_eq!(found, rows, "{text}");
        assert!(error.contains(detail), "{error}");
    }
}

#[test]
fn memory_does_not_grow_before_and_after_list() {
    let long = "x\\\"{[".repeat(1 << 18);
    let text = format!("{{\"a\":\"{long}\",\"{long}\":[[\"{long}\"]],\"t\":[1],\"b\":\"{long}\"}}");
    let mut document = Document::with_list_at("t");
    let mut found = Vec::new();
    for chunk in text.as_bytes().chunks(1 << 12) {
        document.push(chunk);
        found.extend(std::iter::from_fn(|| document.next()));
        let held = match &document.reader {
            Reader::Undecided(undecided) => undecided.buffer.len(),
            Reader::Values(values) => values.buffer.len(),
            Reader::Lines(_) => 0,
        };
        assert!(held <= 1 << 12, "{held}");
    }
    assert_eq!(document.finish(), None);
    assert_eq!((found.len(), document.error()), (1, None));
    // A row that is too large is so alone.
    let text = format!("{{\"t\":[\"{long}\",1]}}");
    let (rows, document) = read(Document::with_list_at("t"), text.as_bytes(), 1 << 16);
    let errors: Vec<_> = rows.iter().map(|row| row.framing_error).collect();
    assert_eq!(errors, [Some(FramingError::TooLarge), None]);
    assert_eq!(document.error(), None);
}

proptest! {
    /// The rows are those of the list, however the document is written, and whatever is around it.
    #[test]
    fn rows_of_a_path_come_back(
        rows in prop::collection::vec(value(), 0..5),
        before in prop::collection::vec(("[ab\"]{1,2}", value()), 0..4),
        after in value(),
        names in prop::collection::vec("[xyé. ]{1,3}", 1..4),
        pages in 1_usize..3,
        pretty: bool,
        chunk in 1_usize..40,
    ) {
        // No name in `before` and `after` begins like one of the path.
        let mut document = json!(rows);
        for name in names.iter().rev() {
            let mut object: serde_json::Map<_, _> = before.iter().cloned().collect();
            object.insert(name.clone(), document);
            object.insert("~".to_owned(), after.clone());
            document = Value::Object(object);
        }
        let page = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        let text = vec![page; pages].join("\n");
        let (found, document) = read(Document::with_list_at(&names.join(".")), text.as_bytes(), chunk);
        prop_assert_eq!(document.error(), None);
        let expected = rows.len() * pages;
        prop_assert_eq!(found.len(), expected);
        for (row, expected) in found.iter().zip(rows.iter().cycle()) {
            prop_assert_eq!(&serde_json::from_slice::<Value>(&row.bytes).unwrap(), expected);
            prop_assert!(text.as_bytes()[row.offset as usize..].starts_with(&row.bytes));
            prop_assert_eq!(row.line, 1 + text[..row.offset as usize].matches('\n').count() as u64);
        }
    }

    #[test]
    fn no_text_panics_at_a_path(text in text(), path in "(records|a|a\\.records)", chunk in 1_usize..9) {
        let of = |chunk| {
            let (rows, document) = read(Document::with_list_at(&path), text.as_bytes(), chunk);
            (rows, document.error().cloned())
        };
        prop_assert_eq!(of(text.len()), of(chunk));
    }
}
