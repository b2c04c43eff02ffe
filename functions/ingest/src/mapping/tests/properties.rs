//! No document and no row panics, and unknown keys are always found.

use proptest::prelude::*;

use super::{support::*, *};

/// Any JSON that resembles a mapping.
fn document() -> impl Strategy<Value = serde_json::Value> {
    let words = prop::sample::select(vec![
        "from",
        "first",
        "const",
        "each",
        "as",
        "when",
        "template",
        "values",
        "other",
        "times",
        "minus",
        "split",
        "part",
        "json",
        "not",
        "present",
        "above",
        "starts",
        "contains",
        "same",
        "read",
        "time",
        "zone",
        "decimal",
        "absent",
        "records",
        "type",
        "record",
        "link",
        "email",
        "products",
        "quantity",
        "price_paid",
        "rows",
        "^rows",
        "a",
        "^a",
        "{a}",
        "{",
        "Item {n} ",
        "@stem",
        "purchase",
        "unify",
        "attributes",
        "skip",
        "group",
        "input",
        "mapping",
        "recognize",
        "columns",
        "%Y",
        "unix",
        "",
    ]);
    let leaf = prop_oneof![
        words.clone().prop_map(Into::into),
        any::<bool>().prop_map(Into::into),
        (-2_i64..3).prop_map(Into::into),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((words.clone(), inner), 0..5).prop_map(|entries| {
                entries
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            }),
        ]
    })
}

/// A mapping whose parts may be anything.
fn mapping_text() -> impl Strategy<Value = String> {
    (document(), document(), document(), document()).prop_map(|(skip, record, value, read)| {
        serde_json::json!({"mapping": 1, "skip": skip, "read": read, "group": "a", "records": [
            {"type": "attributes", "record": record},
            {"type": "attributes", "when": skip, "record": {"link": {"email": "a"}, "attributes": {"x": value}}},
        ]})
        .to_string()
    })
}

proptest! {
    #[test]
    fn no_document_panics(text in prop_oneof![mapping_text(), document().prop_map(|it| it.to_string()), ".{0,40}"], row in document()) {
        if let Ok((mapping, _)) = Mapping::read(text.as_bytes())
            && let Ok(row) = json::object(&row.to_string())
        {
            try_map_file(&mapping, "a.b", &File::Json(vec![row]));
        }
    }

    /// A part that is wrong may be inside of a mapping whose other parts are right.
    #[test]
    fn no_value_panics(value in document(), row in document()) {
        let text = serde_json::json!({"mapping": 1, "records": [
            {"type": "attributes", "record": {"link": {"email": "a"}, "attributes": {"x": value}}},
        ]});
        if let Ok((mapping, _)) = Mapping::read(text.to_string().as_bytes())
            && let Ok(row) = json::object(&row.to_string())
        {
            try_map_file(&mapping, "a.b", &File::Json(vec![row]));
        }
    }

    #[test]
    fn no_row_panics(cells in prop::collection::vec(prop_oneof!["[-$€0-9.,() '\"=a-z%]{0,12}", ".{0,6}"], 90), which in 0_usize..20) {
        let mapping = mapping(BUILT_IN[which].1);
        let header: Vec<String> = mapping.names.iter().map(str::to_owned).collect();
        let rows = vec![cells[..header.len().min(cells.len())].to_vec()];
        let header = header[..rows[0].len()].to_vec();
        if Binding::new(&mapping, &header).group(&mapping).is_ok() {
            try_map_file(&mapping, "a_b.csv", &File::Csv { header, rows });
        }
    }

    /// A key that no object may have is found wherever it is.
    #[test]
    fn unknown_keys_are_found(which in 0_usize..20, place in 0_usize..400) {
        let mut document: serde_json::Value = serde_json::from_str(BUILT_IN[which].1).unwrap();
        let mut objects = 0;
        count_forms(&mut document, &mut objects, usize::MAX);
        let place = place % objects;
        let mut seen = 0;
        count_forms(&mut document, &mut seen, place);
        let faults = Mapping::read(document.to_string().as_bytes()).unwrap_err();
        prop_assert!(faults.iter().any(|fault| fault.place.ends_with("zzz")), "{document:#}\n{faults:#?}");
    }
}

/// Counts the objects with keys of the language, and adds an unknown key to the one with this number.
fn count_forms(value: &mut serde_json::Value, count: &mut usize, place: usize) {
    const FORMS: [&str; 6] = ["from", "first", "const", "each", "template", "mapping"];
    match value {
        serde_json::Value::Object(map) => {
            if FORMS.iter().any(|form| map.contains_key(*form)) && !map.contains_key("link") {
                if *count == place {
                    map.insert("zzz".to_owned(), true.into());
                }
                *count += 1;
            }
            for (key, value) in map.iter_mut() {
                // Constants and tables have keys of their own.
                if key != "const" && key != "values" {
                    count_forms(value, count, place);
                }
            }
        }
        serde_json::Value::Array(list) => list
            .iter_mut()
            .for_each(|value| count_forms(value, count, place)),
        _ => {}
    }
}
