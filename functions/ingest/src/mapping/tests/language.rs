//! Each construct of the language.

use super::{support::*, *};
use crate::record::RecordType;

/// Maps one JSON row with one entry of attributes, and returns the attributes of the namespace `a` as JSON.
fn attributes(values: &str, row: &str) -> String {
    attributes_with("", values, row)
}

fn attributes_with(settings: &str, values: &str, row: &str) -> String {
    let text = format!(
        r#"{{"mapping": 1, {settings} "records": [{{"type": "attributes",
            "record": {{"link": {{"email": {{"const": "a@b.co"}}}}, "attributes": {{"a": {values}}}}}}}]}}"#
    );
    made(&text, "", row, "attributes.a")
}

/// Maps one JSON row and returns the value at a path of the first record.
fn made(text: &str, name: &str, row: &str, path: &str) -> String {
    let rows = File::Json(vec![json::object(row).unwrap()]);
    let mapped = map_file(&mapping(text), name, &rows).remove(0);
    let record = mapped.records.into_iter().next();
    let value = record
        .as_ref()
        .and_then(|record| super::name::find(&record.record, path));
    value.map_or("absent".to_owned(), |value| {
        serde_json::to_string(value).unwrap()
    })
}

#[test]
fn steps_change_cells() {
    let row = r#"{"t": " ab-cd-ef ", "n": "1,240.50", "q": 3, "l": "x, y,,z", "j": "[1, {\"k\": 2}]", "b": true, "e": "",
        "list": ["p", "q"], "guard": "'007", "bad": "12 apples", "name": "Jane van Dyk", "z": "0.00", "color": "RosÉ"}"#;
    for (value, expected) in [
        (r#""t""#, r#""ab-cd-ef""#),
        (r#"{"from": "t", "after": "-"}"#, r#""cd-ef""#),
        (r#"{"from": "t", "before": "-"}"#, r#""ab""#),
        (r#"{"from": "t", "after": "-", "before": "-"}"#, r#""cd""#),
        (r#"{"from": "name", "after": "|"}"#, r#""Jane van Dyk""#),
        (r#"{"from": "name", "after": " "}"#, r#""van Dyk""#),
        (r#"{"from": "l", "split": ","}"#, r#"["x","y","z"]"#),
        (r#"{"from": "l", "split": ",", "part": 2}"#, r#""y""#),
        (
            r#"{"from": "l", "split": ",", "part": 9, "default": "d"}"#,
            r#""d""#,
        ),
        (
            r#"{"from": "l", "split": ",", "values": {"X": 1, "z": 2}}"#,
            "[1,2]",
        ),
        (r#"{"from": "j", "json": true}"#, r#"[1,{"k":2}]"#),
        (r#"{"from": "t", "json": true}"#, r#""ab-cd-ef""#),
        (r#"{"from": ["e", "t"]}"#, r#""ab-cd-ef""#),
        (r#"{"from": "e", "default": 5}"#, "absent"),
        (
            r#"{"from": "t", "values": {"AB-CD-EF": "found"}}"#,
            r#""found""#,
        ),
        (r#"{"from": "t", "values": {"x": "found"}}"#, "absent"),
        (
            r#"{"from": "t", "values": {"x": "found"}, "other": "else"}"#,
            r#""else""#,
        ),
        (
            r#"{"from": "e", "values": {"x": "found"}, "other": "else"}"#,
            "absent",
        ),
        (r#"{"from": "b", "values": {"true": "yes"}}"#, r#""yes""#),
        (r#"{"from": "color", "values": {"ROSÉ": 1}}"#, "1"),
        (r#"{"from": "n", "times": "q"}"#, "3721.50"),
        (
            r#"{"from": "n", "times": 2, "plus": "q", "minus": ["q", 1, "nothing"]}"#,
            "2480.00",
        ),
        (r#"{"from": "n", "negate": true}"#, "-1240.50"),
        (r#"{"from": "q", "negate": true}"#, "-3"),
        (r#"{"from": "z", "negate": true}"#, "0.00"),
        (
            r#"{"from": "bad", "times": 2}"#,
            r#""not computed: 12 apples""#,
        ),
        (
            r#"{"from": "q", "times": "bad"}"#,
            r#""not computed: 12 apples""#,
        ),
        (r#"{"template": "{t}/{q}"}"#, r#""ab-cd-ef/3""#),
        (r#"{"template": "{t}/{e}"}"#, "absent"),
        (r#""list""#, r#"["p","q"]"#),
        (r#""list[1]""#, r#""q""#),
        (r#""guard""#, r#""007""#),
        (
            r#"{"first": ["e", {"from": "t", "when": {"q": 4}}, "guard"]}"#,
            r#""007""#,
        ),
        (r#""t", "c": {"const": 1}"#, r#""ab-cd-ef""#),
    ] {
        let values = format!(r#"{{"x": {value}, "always": "q"}}"#);
        let made = attributes(&values, row);
        let object = json::object(&made).unwrap();
        let found = object.get("x").map_or("absent".to_owned(), |value| {
            serde_json::to_string(value).unwrap()
        });
        // A default does not come from the file, but stays where something else does.
        let expected = if value.contains("\"default\": 5") {
            "5"
        } else {
            expected
        };
        assert_eq!(found, expected, "{value}");
    }
}

#[test]
fn constants_do_not_come_from_the_file() {
    assert_eq!(attributes(r#"{"x": {"const": 1}}"#, "{}"), "absent");
    assert_eq!(
        attributes(r#"{"x": {"const": 1}, "y": "b"}"#, r#"{"b": "2"}"#),
        r#"{"x":1,"y":"2"}"#
    );
    assert_eq!(
        attributes(r#"{"x": [{"const": 1}, "b"]}"#, r#"{"b": null}"#),
        "absent"
    );
    assert_eq!(
        attributes(r#"{"x": {"y": {"const": 1}}, "z": "b"}"#, r#"{"b": "2"}"#),
        r#"{"z":"2"}"#
    );
}

#[test]
fn conditions_hold() {
    let row = r#"{"s": "Paid", "n": "$40.00", "i": 7, "b": true, "e": "", "same": 7, "list": [1], "digit": "7", "umlaut": "Äb"}"#;
    for (condition, holds) in [
        (r#"{"s": "paid"}"#, true),
        (r#"{"s": ["x", "PAID"]}"#, true),
        (r#"{"s": ["x", null]}"#, false),
        (r#"{"e": null}"#, true),
        (r#"{"e": [null, "x"]}"#, true),
        (r#"{"s": null}"#, false),
        (r#"{"s": {"present": true}}"#, true),
        (r#"{"e": {"present": true}}"#, false),
        (r#"{"e": {"present": false}}"#, true),
        (r#"{"n": {"above": 39.99}}"#, true),
        (r#"{"n": {"above": 40}}"#, false),
        (r#"{"n": {"above": 0, "below": 40.5}}"#, true),
        (r#"{"n": {"below": 40}}"#, false),
        (r#"{"digit": "7.0"}"#, false),
        (r#"{"digit": 7.0}"#, true),
        (r#"{"umlaut": "äB"}"#, true),
        (r#"{"umlaut": "öb"}"#, false),
        (r#"{"s": {"above": 0}}"#, false),
        (r#"{"s": {"starts": "PA"}}"#, true),
        (r#"{"s": {"starts": "AI"}}"#, false),
        (r#"{"s": {"contains": "AI"}}"#, true),
        (r#"{"s": {"contains": "id "}}"#, false),
        (r#"{"umlaut": {"contains": "ä"}}"#, true),
        (r#"{"i": {"contains": "7"}}"#, true),
        (r#"{"e": {"contains": "x"}}"#, false),
        (r#"{"list": {"contains": "1"}}"#, false),
        (r#"{"i": {"same": "same"}}"#, true),
        (r#"{"e": {"same": "nothing"}}"#, false),
        (r#"{"i": "7.0"}"#, true),
        (r#"{"b": true}"#, true),
        (r#"{"b": "true"}"#, true),
        (r#"{"not": {"s": "paid"}}"#, false),
        (r#"{"s": "paid", "i": 8}"#, false),
        (r#"[{"i": 8}, {"s": "paid"}]"#, true),
        (r#"{"list": "1"}"#, false),
    ] {
        let made = attributes(
            &format!(r#"{{"x": {{"from": "s", "when": {condition}}}}}"#),
            row,
        );
        assert_eq!(made != "absent", holds, "{condition}");
    }
}

/// A row is rejected only if the outcome of a condition depends on an amount that cannot be read.
#[test]
fn conditions_need_amounts_that_can_be_read() {
    let row = json::object(
        r#"{"E": "a@b.co", "comma": "40,00", "unit": "40.00 eur", "dash": "-", "free": "n/a", "five": 5, "s": "x", "huge": 1e40, "list": [7]}"#,
    );
    let row = row.unwrap();
    let map_with = |settings: &str, key: &str| {
        let text = format!(
            r#"{{"mapping": 1, {settings} "records": [{{"type": "customer_record", {key}
                "record": {{"link": {{"email": "E"}}, "city": {{"from": "s", "when": {{"five": {{"above": 4}}}}}}}}}}]}}"#
        );
        mapped_row(&mapping(&text), &row)
    };
    let entry = |condition: &str| map_with("", &format!(r#""when": {condition},"#));
    for (condition, records) in [
        (r#"{"dash": {"above": 0}}"#, 0),
        (r#"{"free": {"below": 0}}"#, 0),
        (r#"{"list": {"above": 0}}"#, 0),
        (r#"{"nothing": {"above": 0}}"#, 0),
        (r#"{"five": {"above": 4, "below": 6}}"#, 1),
        // Another part decides.
        (r#"{"comma": {"above": 0}, "s": "y"}"#, 0),
        (r#"[{"comma": {"above": 0}}, {"s": "x"}]"#, 1),
        (r#"{"not": [{"comma": {"above": 0}}, {"s": "x"}]}"#, 0),
    ] {
        let mapped = entry(condition).unwrap();
        assert_eq!(mapped.records.len(), records, "{condition}");
    }
    for (condition, field, fix) in [
        (r#"{"comma": {"above": 0}}"#, "comma", r#"`"decimal": ","`"#),
        (r#"{"unit": {"below": 0}}"#, "unit", "`absent`"),
        (r#"{"huge": {"above": 0}}"#, "huge", "`absent`"),
        (r#"{"not": {"unit": {"above": 0}}}"#, "unit", "`absent`"),
        (
            r#"{"comma": {"above": 0}, "s": "x"}"#,
            "comma",
            "decimal comma",
        ),
        (
            r#"[{"s": "y"}, {"comma": {"above": 0}}]"#,
            "comma",
            "decimal comma",
        ),
    ] {
        let error = entry(condition).unwrap_err();
        assert_eq!(error.code.as_str(), "invalid_value", "{condition}");
        assert_eq!(error.field.as_deref(), Some(field), "{condition}");
        assert!(error.problem.contains(fix), "{condition}: {error}");
    }
    let point = map_with(
        r#""read": {"decimal": ","}, "#,
        r#""when": {"unit": {"above": 0}},"#,
    );
    assert!(point.is_err());
    let skip = map_with(r#""skip": {"comma": {"above": 0}},"#, "");
    assert_eq!(skip.unwrap_err().field.as_deref(), Some("comma"));
    let mapped = map_with(
        r#""read": {"decimal": ","},"#,
        r#""when": {"comma": {"above": 0}},"#,
    );
    assert_eq!(mapped.unwrap().records.len(), 1);
}

#[test]
fn lists_make_values() {
    let row = r#"{"id": 1, "off": true, "items": [{"n": "a", "parts": [{"p": 1}, {"p": 2}]}, {"n": ""}, {"n": "c", "off": true}, 5]}"#;
    for (value, expected) in [
        (r#"{"each": "items", "as": "n"}"#, r#"["a","c"]"#),
        (
            r#"{"each": "items", "as": "n", "when": {"off": null}}"#,
            r#"["a"]"#,
        ),
        (
            r#"{"each": "items", "as": {"n": "n", "id": "^id", "c": {"const": 0}}}"#,
            r#"[{"c":0,"id":1,"n":"a"},{"c":0,"id":1},{"c":0,"id":1,"n":"c"},{"c":0,"id":1}]"#,
        ),
        (
            r#"{"each": "items", "as": {"each": "parts", "as": {"template": "{^^id}{^n}{p}"}}}"#,
            r#"[["1a1","1a2"]]"#,
        ),
        (r#"{"each": "nothing", "as": "n"}"#, "absent"),
    ] {
        assert_eq!(
            attributes(&format!(r#"{{"x": {value}}}"#), row),
            if expected == "absent" {
                expected.to_owned()
            } else {
                format!(r#"{{"x":{expected}}}"#)
            },
            "{value}"
        );
    }
}

#[test]
fn columns_are_numbered_and_repeated() {
    let text = r#"{"mapping": 1, "records": [{"type": "attributes", "record": {"link": {"email": "E"},
        "attributes": {"a": {"items": {"each": "Item {n} ", "as": {"name": "Name", "price": "Price", "of": "^E"}}, "second": "T#2", "dots": "a.b[0]"}}}}]}"#;
    let file = file(
        "x.csv",
        "E,Item 2 Name,Item 1 Name,Item 1 Price,T,T,a.b[0]\na@b.co,two,one,1,x,y,z\na@b.co,,,,,,\n",
    );
    let made = as_json(&mapping(text), "x.csv", &file);
    assert_eq!(made.len(), 2);
    let first = json::object(&made[0]).unwrap();
    let values = super::name::find(&first, "attributes.a").unwrap();
    assert_eq!(
        serde_json::to_string(values).unwrap(),
        r#"{"dots":"z","items":[{"name":"one","of":"a@b.co","price":"1"},{"name":"two","of":"a@b.co"}],"second":"y"}"#
    );
}

#[test]
fn optional_objects_without_a_required_field_are_left_out() {
    let text = r#"{"mapping": 1, "records": [{"type": "purchase", "record": {"link": {"email": "E"}, "action_at": "T",
        "type": {"const": "physical"}, "purchase_id": "I", "store": {"type": {"const": "outlet"}, "name": "S", "store_id": "Z"},
        "products": [{"quantity": {"const": 1}, "price_paid": "P", "product_reference": {"id": "K", "id_type": {"const": "sku"}}}, {"quantity": "Q", "price_paid": "P2"}]}}]}"#;
    let row = r#"{"E": "a@b.co", "T": "2026-01-01", "I": "1", "P": "2", "Z": "9", "Q": "1.0"}"#;
    assert_eq!(made(text, "", row, "store"), "absent");
    // A line of a required list stays, so that its record is rejected instead of counted without it.
    assert_eq!(
        made(text, "", row, "products"),
        r#"[{"price_paid":"2","quantity":1},{"quantity":1}]"#
    );
}

/// Damaged IDs in CSV give the ID of the undamaged ones, or are rejected, also inside of templates.
#[test]
fn ids_of_cells_follow_the_rules_of_identifiers() {
    let text = r#"{"mapping": 1, "records": [{"type": "return", "record": {
        "link": {"customer_id": {"template": "shop-{I}"}}, "action_at": "T", "type": {"const": "physical"}, "return_id": {"template": "{I}-refund"},
        "order_number": "I", "products": [{"quantity": {"const": -1}, "price_paid": "P"}]}}]}"#;
    let stored_of = |id: &str| {
        let text_of_file = format!("I,T,P\n{id},2026-01-02,-5.00\n");
        produced(&mapping(text), "x.csv", &file("x.csv", &text_of_file)).remove(0)
    };
    let expected = stored_of("1001").unwrap();
    for id in ["1001.0", "'1001", "'1001.00"] {
        assert_eq!(stored_of(id).unwrap(), expected, "{id}");
    }
    assert_ne!(stored_of("1001.5").unwrap(), expected);
    let error = stored_of("6.09758E+12").unwrap_err();
    for field in ["link.customer_id", "return_id"] {
        assert!(error.contains(field), "{error}");
    }
    assert_eq!(error.matches("RoundedIdentifier").count(), 2, "{error}");
}

/// A field that requires a list may have an empty one. Optional fields are absent.
#[test]
fn required_lists_may_be_empty() {
    let order = |products: &str| {
        format!(
            r#"{{"mapping": 1, "records": [{{"type": "purchase", "record": {{"link": {{"email": "mail"}}, "action_at": "at",
            "type": {{"const": "physical"}}, "purchase_id": "id", "products": {products},
            "payment_types": {{"each": "paid", "as": {{"name": "kind"}}}}}}}}]}}"#
        )
    };
    let items = r#"{"each": "items", "as": {"quantity": "q", "price_paid": "p"}}"#;
    let first = format!(r#"{{"first": ["lines", {items}]}}"#);
    let when = items.replace("\"as\"", "\"when\": {\"q\": {\"above\": 5}}, \"as\"");
    let line = r#"[{"price_paid":2,"quantity":1}]"#;
    for (products, fields, expected) in [
        (items, r#""items": []"#, "[]"),
        (r#""items""#, r#""items": []"#, "[]"),
        (r#""data.items""#, r#""data": {"items": []}"#, "[]"),
        (r#"{"from": ["none", "items"]}"#, r#""items": []"#, "[]"),
        (r#"{"from": "text", "json": true}"#, r#""text": "[]""#, "[]"),
        (&first, r#""items": []"#, "[]"),
        (&first, r#""lines": [], "items": [{"q": 1, "p": 2}]"#, line),
        (items, r#""items": null"#, "absent"),
        (items, r#""items": {}"#, "absent"),
        (items, r#""other": []"#, "absent"),
        (&when, r#""items": [{"q": 1, "p": 2}]"#, "absent"),
        (r#""items""#, r#""items": """#, "absent"),
    ] {
        let row = format!(
            r#"{{"mail": "a@b.co", "at": "2026-05-01T10:00:00Z", "id": "1", "paid": [], {fields}}}"#
        );
        let document = order(products);
        assert_eq!(
            made(&document, "", &row, "products"),
            expected,
            "{products} {fields}"
        );
        assert_eq!(made(&document, "", &row, "payment_types"), "absent");
        if expected != "absent" {
            let row = json::object(&row).unwrap();
            let mapped = mapped_row(&mapping(&document), &row)
                .unwrap()
                .records
                .remove(0);
            assert_eq!(errors(mapped.into_fields(Notation::Json).unwrap()), []);
        }
    }
}

#[test]
fn file_names_are_cells() {
    let text = r#"{"mapping": 1, "records": [{"type": "attributes", "record": {"link": {"email": "E"},
        "attributes": {"a": {"f": "@file", "s": {"from": "@stem", "before": "_"}}}}}]}"#;
    let made = made(
        text,
        "drop/x/1_a.csv.gz",
        r#"{"E": "a@b.co"}"#,
        "attributes.a",
    );
    assert_eq!(made, r#"{"f":"1_a.csv.gz","s":"1"}"#);
}

#[test]
fn groups_share_first_cells() {
    let text = r#"{"mapping": 1, "group": ["G", "H"], "skip": {"S": "x"}, "records": [{"type": "attributes", "each": "rows", "when": {"V": {"present": true}},
        "record": {"link": {"email": "^E"}, "attributes": {"a": {"v": "V", "shared": "^E", "own": "E", "all": {"each": "^rows", "as": "V"}}}}}]}"#;
    let file = file(
        "x.csv",
        "G,H,E,V,S\n1,1,,a,\n1,1,a@b.co,,\n1,1,b@b.co,c,\n1,2,c@b.co,d,x\n",
    );
    let mapped = map_file(&mapping(text), "x.csv", &file);
    assert_eq!(
        mapped.iter().map(|it| it.skipped).collect::<Vec<_>>(),
        [false, true]
    );
    let made: Vec<_> = mapped[0]
        .records
        .iter()
        .map(|it| serde_json::to_string(it.record.get("attributes").unwrap()).unwrap())
        .collect();
    assert_eq!(
        made,
        [
            r#"{"a":{"all":["a","c"],"shared":"a@b.co","v":"a"}}"#,
            r#"{"a":{"all":["a","c"],"own":"b@b.co","shared":"a@b.co","v":"c"}}"#,
        ]
    );
}

#[test]
fn groups_number_the_columns_of_their_first_row() {
    let text = r#"{"mapping": 1, "group": ["I"], "records": [{"type": "attributes", "record": {"link": {"email": "E"},
        "attributes": {"a": {"items": {"each": "Item {n} ", "as": "Name"}}}}}]}"#;
    let header = ["I", "E", "Item 1 Name", "Item 2 Name"].map(str::to_owned);
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let file = File::Csv {
        header: header.to_vec(),
        rows: vec![
            row(["1", "a@b.co", "x", "y"]),
            row(["1", "a@b.co", "z", ""]),
        ],
    };
    let made = map_file(&mapping(text), "", &file)
        .remove(0)
        .records
        .remove(0);
    let items = super::name::find(&made.record, "attributes.a.items");
    assert_eq!(serde_json::to_string(&items).unwrap(), r#"["x","y"]"#);
}

#[test]
fn json_numbers_have_a_point() {
    let settings = r#""read": {"decimal": ","},"#;
    let row = r#"{"n": 1.5, "t": "1,5"}"#;
    for (value, expected) in [
        (r#"{"from": "n", "plus": 1}"#, "2.5"),
        (r#"{"from": "n", "plus": "n"}"#, "3.0"),
        (r#"{"from": "t", "plus": "n"}"#, "3.0"),
        (r#"{"from": "n", "before": ".", "plus": 1}"#, "2"),
    ] {
        let made = attributes_with(settings, &format!(r#"{{"x": {value}}}"#), row);
        assert_eq!(made, format!(r#"{{"x":{expected}}}"#), "{value}");
    }
}

/// The rules of records name the decimal mark with which a cell can be read.
#[test]
fn numbers_that_are_not_computed_name_their_decimal_mark() {
    for (mark, cell, expected) in [
        (".", "89,95", "not computed: 89,95 (has a decimal comma)"),
        (
            ".",
            "1.240,50 €",
            "not computed: 1.240,50 € (has a decimal comma)",
        ),
        (".", "n/a", "not computed: n/a"),
        (
            ",",
            "1,240.50",
            "not computed: 1,240.50 (has a decimal point)",
        ),
    ] {
        let settings = format!(r#""read": {{"decimal": "{mark}"}},"#);
        let row = format!(r#"{{"c": "{cell}", "n": 2}}"#);
        for value in [
            r#"{"from": "c", "times": "n"}"#,
            r#"{"from": "n", "minus": "c"}"#,
        ] {
            let made = attributes_with(&settings, &format!(r#"{{"x": {value}}}"#), &row);
            assert_eq!(made, format!(r#"{{"x":"{expected}"}}"#), "{value}");
        }
    }
}

#[test]
fn rows_are_a_column_without_groups() {
    assert_eq!(
        attributes(r#"{"x": "rows"}"#, r#"{"rows": 5}"#),
        r#"{"x":5}"#
    );
}

#[test]
fn records_that_erase_are_refused() {
    let text = r#"{"mapping": 1, "records": [{"type": {"from": "K"}, "record": {"link": {"email": "E"}}}]}"#;
    let rows = File::Json(vec![
        json::object(r#"{"K": "forget", "E": "a@b.co"}"#).unwrap(),
    ]);
    let record = map_file(&mapping(text), "", &rows)
        .remove(0)
        .records
        .remove(0);
    let error = record.into_fields(Notation::Json).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("record_type"));
}

#[test]
fn absent_cells_are_configured() {
    let settings = r#""read": {"absent": ["-1", "0/0/00"]},"#;
    let row = r#"{"a": "-1", "b": " 0/0/00", "c": "1", "d": -1}"#;
    assert_eq!(
        attributes_with(settings, r#"{"a": "a", "b": "b", "c": "c", "d": "d"}"#, row),
        r#"{"c":"1"}"#
    );
    let own = r#"{"a": {"from": "a", "read": {"absent": ["1"]}}, "c": "c"}"#;
    assert_eq!(attributes_with(settings, own, row), r#"{"a":"-1","c":"1"}"#);
}

#[test]
fn missing_columns_are_named() {
    let missing = |built_in_name: &str, header: &str| {
        let mapping = mapping(built_in(built_in_name).unwrap());
        let header: Vec<_> = header.split(',').collect();
        missing_columns(&mapping, &Binding::new(&mapping, &header)).join(",")
    };
    let old = "Name,Email,Financial Status,Created at,Currency,Lineitem quantity,Lineitem name,Lineitem price";
    assert_eq!(missing("shopify-orders", old), "Id");
    assert_eq!(missing("shopify-orders", &format!("{old},Id")), "");
    assert_eq!(
        missing("shopify-orders", "Email,Id"),
        "Name,Created at,Lineitem price,Lineitem quantity"
    );
    assert_eq!(
        missing("klaviyo-suppressions", "Email"),
        "Suppressed At,Reason"
    );
    // Entries whose condition cannot hold need nothing.
    assert_eq!(missing("klaviyo-lists", "Email,Klaviyo ID"), "");
    assert_eq!(missing("klaviyo-lists", "Klaviyo ID"), "Email,Phone Number");
    assert_eq!(missing("mailchimp-clicks", "Email,Url"), "Timestamp");
}

/// Columns that decide what a record contains are named if they are absent, unless they would not be used.
#[test]
fn absent_columns_with_an_effect_are_named() {
    let document = r#"{"mapping": 1, "skip": {"Training": "yes"}, "records": [
        {"type": "purchase", "when": {"not": {"Kind": "return"}}, "record": {
            "link": {"first": [{"email": "Mail"}, {"mobile": "Phone"}]}, "action_at": "At", "type": {"const": "physical"}, "purchase_id": "No",
            "currency": {"from": ["Money", "Coin"], "default": "EUR"},
            "order_number": {"first": [{"from": "Long No", "when": {"Is long": true}}, "No"]},
            "store": {"type": {"const": "physical"}, "name": {"from": "Shop", "when": {"Open": true}}},
            "products": {"each": "Item {n} ", "when": {"Void": null, "^Kind": "sale"}, "as": {
                "quantity": {"first": ["Pieces", {"const": 1}]},
                "price_paid": {"from": "Price", "times": "Pieces", "minus": ["Rebate", 0.5]},
                "discount": {"from": "Off", "minus": "More off"}}}}},
        {"type": "attributes", "when": {"Tier": {"same": "Level"}}, "record": {"link": {"email": "Mail"}, "attributes": {"a": {"b":
            {"from": "B", "plus": "C"}}}}}]}"#;
    let mapping = mapping(document);
    let all = "Training,Kind,Mail,Phone,At,No,Money,Coin,Long No,Is long,Shop,Open,Item 1 Void,Item 1 Pieces,Item 1 Price,Item 1 Rebate,Item 1 Off,\
               Item 1 More off,Tier,Level,B,C";
    for (without, expected) in [
        ("", ""),
        ("Training", "Training"),
        ("Kind", "Kind"),
        ("Mail,Long No", ""),
        ("Money", ""),
        ("Money,Coin", "Money,Coin"),
        ("Is long", "Is long"),
        ("Is long,Long No", ""),
        ("Shop,Open", ""),
        ("Open", "Open"),
        ("Item 1 Void,Item 1 Rebate", "Item {n} Void,Item {n} Rebate"),
        ("Item 1 Pieces", "Item {n} Pieces"),
        ("Item 1 More off", "Item {n} More off"),
        ("Item 1 Off,Item 1 More off", ""),
        ("Tier", "Tier"),
        // Without its condition, the entry gives nothing, so its other columns have no effect.
        ("Level,C", "Level"),
        ("C", "C"),
    ] {
        let without: Vec<_> = without.split(',').collect();
        let header: Vec<_> = all
            .split(',')
            .filter(|name| !without.contains(name))
            .collect();
        let binding = Binding::new(&mapping, &header);
        assert_eq!(missing_columns(&mapping, &binding), [""; 0], "{without:?}");
        assert_eq!(
            absent_columns(&mapping, &binding).join(","),
            expected,
            "{without:?}"
        );
    }
}

#[test]
fn one_field_of_an_open_object_is_enough() {
    let text = r#"{"mapping": 1, "records": [
        {"type": "attributes", "record": {"link": {"email": "E"}, "attributes": {"a": {"x": "A", "y": "B"}}}},
        {"type": "customer_record", "when": {"C": "c"}, "record": {"link": {"email": "E"}}}]}"#;
    let mapping = mapping(text);
    let missing =
        |header: &[&str]| missing_columns(&mapping, &Binding::new(&mapping, header)).join(",");
    assert_eq!(missing(&["E", "A"]), "");
    assert_eq!(missing(&["E"]), "C");
}

#[test]
fn each_missing_column_is_named_once() {
    let text = r#"{"mapping": 1, "records": [{"type": "email_send",
        "record": {"link": {"email": "E"}, "action_at": "T", "email_id": "E"}}]}"#;
    let mapping = mapping(text);
    let missing = missing_columns(&mapping, &Binding::new(&mapping, &["T"]));
    assert_eq!(missing, ["E"]);
}

#[test]
fn numbered_columns_are_missing_by_their_own_names() {
    let text = r#"{"mapping": 1, "records": [{"type": "purchase", "record": {"link": {"email": "E"}, "action_at": "T",
        "type": {"const": "physical"}, "purchase_id": "I",
        "products": {"each": "Item {n} ", "as": {"quantity": "Quantity", "price_paid": "^P"}}}}]}"#;
    let mapping = mapping(text);
    let missing = |columns: &[&str]| {
        let header = [&["E", "P"], columns].concat();
        missing_columns(&mapping, &Binding::new(&mapping, &header)).join(",")
    };
    assert_eq!(missing(&["T", "I", "Item 1 Quantity"]), "");
    assert_eq!(missing(&["T", "I"]), "Item ");
    assert_eq!(missing(&["Item 1 Quantity"]), "T,I");
}

#[test]
fn records_have_the_types_of_their_entries() {
    let may_make = |entry: &str| {
        let mapping = mapping(&format!(r#"{{"mapping": 1, "records": [{entry}]}}"#));
        let types = [RecordType::Unify, RecordType::Product, RecordType::Forget];
        types.map(|record_type| mapping.may_make(record_type))
    };
    let unify = r#"{"type": "unify", "record": {"records": [{"email": "A"}, {"mobile": "B"}]}}"#;
    assert_eq!(may_make(unify), [true, false, false]);
    let chosen = r#"{"type": {"from": "A", "values": {"s": "email_send"}},
        "record": {"link": {"email": "E"}, "action_at": "T", "email_id": "I"}}"#;
    assert_eq!(may_make(chosen), [true, true, false]);
}

#[test]
fn absent_columns_may_meet_a_condition() {
    for (condition, expected) in [
        (r#"{"present": false}"#, ""),
        ("null", ""),
        (r#"["c", null]"#, ""),
        (r#"{"present": true}"#, "C"),
        (r#""c""#, "C"),
    ] {
        let text = format!(
            r#"{{"mapping": 1, "records": [{{"type": "customer_record", "when": {{"C": {condition}}}, "record": {{"link": {{"email": "E"}}}}}}]}}"#
        );
        let mapping = mapping(&text);
        let missing = missing_columns(&mapping, &Binding::new(&mapping, &["E"])).join(",");
        assert_eq!(missing, expected, "{condition}");
    }
}

#[test]
fn options_of_the_file_are_read() {
    let text = r#"{"mapping": 1, "source": "my-shop", "recognize": {"columns": ["A", "B"], "exact": true},
        "input": {"format": "csv", "delimiter": ";", "encoding": "utf-16le", "skip_lines": 2},
        "records": [{"type": "unify", "record": {"records": [{"email": "A"}, {"mobile": "B"}]}}]}"#;
    let mapping = mapping(text);
    assert_eq!(mapping.source.as_deref(), Some("my-shop"));
    assert_eq!(mapping.input_of(Format::Csv).skip_lines, 2);
    let recognize = mapping.recognize.unwrap();
    let columns = vec!["A".to_owned(), "B".to_owned()];
    assert_eq!(recognize.by, super::document::RecognizeBy::Columns(columns));
    assert!(recognize.exact);
    assert_eq!(mapping.input.format, Some(Format::Csv));
    assert_eq!(mapping.input.delimiter, Some(';'));
    assert_eq!(mapping.input.encoding, Some(Encoding::Utf16Le));
    assert_eq!((mapping.input.skip_lines, mapping.input.rows), (2, None));
}

/// Lists inside of lists multiply. A row whose records would be too large is rejected, however many lists there are.
#[test]
fn records_of_a_row_are_limited() {
    let count = 1_500;
    let row = format!(r#"{{"l": [{}]}}"#, vec![r#"{"v": "x"}"#; count].join(","));
    let row = json::object(&row).unwrap();
    let levels = |levels: usize| {
        let mut value = r#"{"v": "v"}"#.to_owned();
        for level in (0..levels).rev() {
            let list = format!("{}l", "^".repeat(level));
            value = format!(r#"{{"each": "{list}", "as": {value}}}"#);
        }
        let text = format!(
            r#"{{"mapping": 1, "records": [{{"type": "attributes",
                "record": {{"link": {{"email": {{"const": "a@b.co"}}}}, "attributes": {{"a": {{"x": {value}}}}}}}}}]}}"#
        );
        mapped_row(&mapping(&text), &row)
    };
    let records = levels(1).unwrap().records;
    assert_eq!(records[0].record.count(), 2 * count + 3);
    for more in [2, 3, 12] {
        let error = levels(more).unwrap_err();
        assert_eq!(error.code.as_str(), "record_too_large", "{error}");
    }
}
