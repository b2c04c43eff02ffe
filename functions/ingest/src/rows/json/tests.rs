use proptest::prelude::*;

use super::*;
use crate::rows::MAX_ROW_BYTES;

fn code(row: &str) -> &'static str {
    object(row).unwrap_err().code.as_str()
}

#[test]
fn numbers_stay_as_written() {
    let map = object(r#"{"a": 12.50, "b": -0.1e2, "c": 100000000000000000000.5}"#).unwrap();
    assert_eq!(
        serde_json::to_string(&map).unwrap(),
        r#"{"a":12.50,"b":-0.1e2,"c":100000000000000000000.5}"#
    );
    assert_eq!(number("1."), None);
    assert_eq!(number(".5"), None);
    assert_eq!(number("1_000"), None);
    assert_eq!(number("+7"), Some("7"));
}

#[test]
fn exponents_and_escapes_are_read() {
    for number in ["1e5", "1E5", "1e+5", "1e-5", "1.5E-2", "0e0"] {
        let map = object(&format!(r#"{{"a": {number}}}"#)).unwrap();
        assert_eq!(map.get("a"), Some(&Value::Number(number.to_owned())));
    }
    for (escaped, text) in [
        (r#"\"\\\/"#, "\"\\/"),
        (r"\b\f\n\r\t", "\u{8}\u{c}\n\r\t"),
        (r"a\u0041b\u00e9c\uFFfdd", "aAbéc\u{FFFD}d"),
        (r"\ud800\udc00\uDBFF\uDFFFe", "\u{10000}\u{10FFFF}e"),
        (r"\ud83d\ude00\u0031", "\u{1F600}1"),
    ] {
        let map = object(&format!(r#"{{"a":"{escaped}"}}"#)).unwrap();
        assert_eq!(map.text("a"), Some(text), "{escaped}");
    }
}

#[test]
fn what_is_no_object_is_refused() {
    assert_eq!(code("[1]"), "not_an_object");
    assert_eq!(code(""), "invalid_json");
    assert_eq!(code(r#"{"a":1} {"#), "invalid_json");
    for broken in [
        r#"{"a":"\u+123"}"#,
        r#"{"a":"\u00"}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":01}"#,
        r#"{"a":-}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":+1}"#,
        r#"{"a":nul}"#,
        r#"{"a":nan}"#,
        r#"{"a":Nan}"#,
        r#"{"a":Infinite}"#,
        r#"{"a":+Infinity}"#,
        r#"{"a":-NaN}"#,
        r#"{"a":--Infinity}"#,
        r#"{"a":"\ud800\u12"}"#,
        r#"{"a":'b'}"#,
        r#"{"a":1} // b"#,
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1 2]}"#,
        r#"{"a":"b"#,
        r#"{1:2}"#,
        "{",
    ] {
        assert_eq!(code(broken), "invalid_json", "{broken}");
    }
    let at = |row| object(row).unwrap_err().to_string();
    assert!(
        at(r#"{"a":1} {"#).contains("byte 8 "),
        "{}",
        at(r#"{"a":1} {"#)
    );
    assert_eq!(
        code(&format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33))),
        "too_deep"
    );
    assert!(object(&format!("{}1{}", r#"{"a":"#.repeat(31), "}".repeat(31))).is_ok());
    let nested = |depth| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(object(&nested(31)).is_ok());
    assert_eq!(code(&nested(32)), "too_deep");
}

/// Returns the fields of a row as JSON, and its warnings.
fn read(row: &[u8]) -> (String, Vec<String>) {
    let fields = fields(row).unwrap();
    let warnings = fields.warnings.iter().map(|warning| {
        let field = warning.field.as_deref().unwrap_or("-");
        format!("{} {field}", warning.code.as_str())
    });
    let map = serde_json::to_string(&fields.map).unwrap();
    (map, warnings.collect())
}

#[test]
fn replaces_half_surrogate_pairs() {
    for (escaped, text) in [
        (r"\ud83d", "\u{FFFD}"),
        (r"ok \ud83d", "ok \u{FFFD}"),
        (r"\ud83d\n", "\u{FFFD}\\n"),
        (r"\ude00!", "\u{FFFD}!"),
        (r"\ud83d\u0041", "\u{FFFD}A"),
        (r"\ud83d\ud83d\ude00", "\u{FFFD}\u{1F600}"),
        (r"\ud83d\ue000", "\u{FFFD}\u{E000}"),
        (r"\ud83d ude00", "\u{FFFD} ude00"),
    ] {
        let (map, warnings) = read(format!(r#"{{"a":[1,"{escaped}"]}}"#).as_bytes());
        assert_eq!(map, format!(r#"{{"a":[1,"{text}"]}}"#), "{escaped}");
        assert_eq!(warnings, ["replaced_characters a[1]"], "{escaped}");
    }
    let pair = read(br#"{"a":"ok \ud83d\ude00"}"#);
    assert_eq!(pair, ("{\"a\":\"ok \u{1F600}\"}".to_owned(), vec![]));
    assert_eq!(code(r#"{"\ud83d":1}"#), "invalid_utf8");
}

#[test]
fn leaves_out_what_is_not_a_number() {
    let (map, warnings) = read(
        br#"{"a":{"b":NaN,"c":[{"d":-Infinity},Infinity,[NaN]]},"e":1,"e":NaN,"f":NaN,"f":2}"#,
    );
    assert_eq!(map, r#"{"a":{"c":[{},null,[null]]},"f":2}"#);
    assert_eq!(
        warnings,
        [
            "not_a_number a.b",
            "not_a_number a.c[0].d",
            "not_a_number a.c[1]",
            "not_a_number a.c[2][0]",
            "not_a_number e",
            "not_a_number f"
        ]
    );
    assert_eq!(code("NaN"), "not_an_object");
}

#[test]
fn keeps_long_numbers_as_strings() {
    let long = "1".repeat(39);
    let (map, warnings) = read(format!(r#"{{"a":{long},"b":[-1E+126]}}"#).as_bytes());
    assert_eq!(map, format!(r#"{{"a":"{long}","b":["-1E+126"]}}"#));
    assert_eq!(warnings, ["number_as_text a", "number_as_text b[0]"]);
}

#[test]
fn keeps_control_characters() {
    let (map, warnings) = read(b"{\"a\":\"b\tc\x01\r\n\",\"d\":\"\x7F\"}");
    assert_eq!(map, "{\"a\":\"b\\tc\\u0001\\r\\n\",\"d\":\"\u{7f}\"}");
    assert_eq!(warnings, ["control_characters a"]);
}

#[test]
fn reads_strings_that_are_not_utf8() {
    let (map, warnings) =
        read(b"{\"a\":{\"Gr\xF6\xDFe\":\"\xC4\"},\"b\":[\"\xC3\xA9\xFF\",\"\xC3\xA9\"]}");
    assert_eq!(map, "{\"a\":{\"Größe\":\"Ä\"},\"b\":[\"é\u{FFFD}\",\"é\"]}");
    assert_eq!(
        warnings,
        [
            "windows_1252 a.Größe",
            "windows_1252 a.Größe",
            "replaced_characters b[0]"
        ]
    );
    for row in [
        &b"{\"\xC3\xA9\xFF\":1}"[..],
        b"{\"a\":{\"\xC3\xA9\xFF\":1}}",
    ] {
        assert_eq!(fields(row).unwrap_err().code.as_str(), "invalid_utf8");
    }
    assert_eq!(fields(b"{\xFF}").unwrap_err().code.as_str(), "invalid_json");
}

#[test]
fn limits_the_warnings_of_a_row() {
    let name = "é".repeat(MAX_ROW_BYTES / 4);
    let many = vec!["NaN"; 1000].join(",");
    let (_, warnings) = read(format!("{{\"{name}\":[{many},1e999,1e999]}}").as_bytes());
    assert_eq!(warnings.len(), MAX_WARNINGS + 2);
    assert_eq!(
        warnings[0],
        format!("not_a_number {}[0]", "é".repeat(MAX_NAME_BYTES / 2))
    );
    assert_eq!(
        warnings[MAX_WARNINGS..],
        ["not_a_number -", "number_as_text -"]
    );
}

proptest! {
    #[test]
    fn any_json_comes_back(text in "[a-z\"\\\\\u{1F600}\u{e9}]{0,12}", number in any::<i64>(), flag: bool) {
        let json = serde_json::json!({"b": [text, number, {"x": flag}], "a": null});
        let map = object(&json.to_string()).unwrap();
        prop_assert_eq!(serde_json::to_value(&map).unwrap(), json);
    }

    /// Another parser accepts the same texts and returns the same values, unless there is a warning.
    #[test]
    fn it_reads_as_another_parser_does(
        text in "(\\{|\\}|\\[|\\]|,|:|\"[a-zé]{0,2}\"|\"(\\\\([nt/u\"b]|u00e9|ud83d\\\\ude00|ud83d|ude00)){1,2}\"|-?[0-9]{1,3}|[0-9][.]?[0-9]?([eE][+-]?[0-9])?|true|null|nul|NaN|-?Infinity| |\n|\t|\u{1}){0,12}",
        object_around: bool,
    ) {
        let text = if object_around { format!("{{\"a\":{text}}}") } else { text };
        let own = fields(text.as_bytes());
        let other = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        match (own, other) {
            (Ok(own), Ok(other)) => {
                let map: serde_json::Value = serde_json::from_str(&serde_json::to_string(&own.map).unwrap()).unwrap();
                prop_assert_eq!(map, serde_json::Value::Object(other));
                prop_assert_eq!(own.warnings, []);
            }
            (Err(_), Err(_)) => {}
            (Ok(own), Err(_)) if !own.warnings.is_empty() => {}
            (own, other) => prop_assert!(false, "{text:?}: {own:?}, {other:?}"),
        }
    }

    #[test]
    fn no_bytes_panic(row in prop::collection::vec(prop::sample::select(b"{}[]\":,a\\\t0\xC3\xA9\xED\xA0\x80".to_vec()), 0..40)) {
        let _ = fields(&row);
    }

    #[test]
    fn no_text_panics(text in "[{}\\[\\]\",:a0-9.eE+-]{0,40}") {
        let _ = object(&text);
    }
}
