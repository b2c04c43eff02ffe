//! Values: the stored form of each kind of field, and the limits of arrays and times.

use serde_json::json;
use shared::model::identifier::{IdentifierRules, Notation};

use super::{
    Context, Fields, LINK, context, data, expect_fault, key, map_record, mapped, place_as,
    purchase, sort_keys, stored, version, warned,
};
use crate::rows::json::object;

#[test]
fn stores_values_in_the_form_of_their_kind() {
    for (given, expected) in [
        (
            r#""employee_flag":true"#,
            json!({"employee_flag": {"BOOL": true}}),
        ),
        (
            r#""employee_flag":" TRUE ""#,
            json!({"employee_flag": {"BOOL": true}}),
        ),
        (
            r#""employee_flag":"false""#,
            json!({"employee_flag": {"BOOL": false}}),
        ),
        (
            r#""date_of_birth":" 1985-12-31 ""#,
            json!({"date_of_birth": {"S": "1985-12-31"}}),
        ),
        (
            r#""updated_at":"2026-01-02T03:04:05+01:00""#,
            json!({"updated_at": {"S": "2026-01-02T02:04:05Z"}}),
        ),
        // A JSON number may have an exponent; a text with one was rounded.
        (
            r#""updated_at":1.7673278e9"#,
            json!({"updated_at": {"S": "2026-01-02T04:23:20Z"}}),
        ),
        (r#""postcode":6000"#, json!({"postcode": {"S": "6000"}})),
        (r#""city":null,"state":"WA""#, json!({"state": {"S": "WA"}})),
        // An unknown field is kept.
        (r#""shoe_size":43.5"#, json!({"shoe_size": {"N": "43.5"}})),
    ] {
        let row = format!("{{{LINK},{given}}}");
        assert_eq!(stored("customer_record", &row), expected, "{row}");
    }
    let place = r#""products":[],"store":{"type":"outlet","name":"n","location":{"coordinate":{"latitude":-90,"longitude":"179.5"}}}"#;
    let purchase = stored("purchase", &purchase(place));
    let coordinate = json!({"latitude": {"N": "-90"}, "longitude": {"N": "179.5"}});
    assert_eq!(
        purchase["store"]["M"]["location"]["M"]["coordinate"]["M"],
        coordinate
    );
    let options = r#"{"product_id":"1","name":"n","options":{"size":["S",42]}}"#;
    let product = stored("product", options);
    assert_eq!(
        product["options"],
        json!({"M": {"size": {"L": [{"S": "S"}, {"S": "42"}]}}})
    );
}

#[test]
fn converts_strings_and_numbers() {
    let row = purchase(
        r#""products":[{"price_paid":"12.50","quantity":"2"}],"currency":"aud","store":{"type":"Outlet","name":42}"#,
    );
    let purchase = stored("purchase", &row);
    let line = json!({"price_paid": {"N": "12.50"}, "quantity": {"N": "2"}});
    assert_eq!(purchase["products"]["L"], json!([{"M": line}]));
    assert_eq!(purchase["currency"]["S"], "AUD");
    let store = json!({"type": {"S": "outlet"}, "name": {"S": "42"}});
    assert_eq!(purchase["store"]["M"], store);
}

#[test]
fn ignores_null() {
    let row = r#"{"link":{"email":"jane@example.com","mobile":null},"first_name":null}"#;
    assert_eq!(sort_keys("customer_record", row), ["profile#record#pos"]);
}

#[test]
fn limits_the_length_of_arrays() {
    let lines = |count: usize| {
        let line = r#"{"price_paid":1,"quantity":1}"#;
        purchase(&format!(r#""products":[{}]"#, vec![line; count].join(",")))
    };
    assert!(place_as(Some("purchase"), &lines(1_000)).is_ok());
    expect_fault("purchase", &lines(1_001), "too_many", "products");
}

#[test]
fn accepts_namespaces_as_objects() {
    let row = format!(r#"{{{LINK},"attributes":{{"a":{{"x":1,"y":2}},"b.z":{{"value":3}}}}}}"#);
    let writes = place_as(Some("attributes"), &row).unwrap();
    let attributes: Vec<_> = writes
        .iter()
        .map(|write| data(write)["attributes"]["M"].clone())
        .collect();
    let expected = [
        json!({"x": {"N": "1"}, "y": {"N": "2"}}),
        json!({"z": {"M": {"value": {"N": "3"}}}}),
    ];
    assert_eq!(attributes, expected);
}

#[test]
fn limits_how_far_records_are_ahead() {
    for (record_type, rest) in [
        ("customer_record", r#""first_name":"Ann""#),
        ("attributes", r#""attributes":{"a.b":1}"#),
    ] {
        let row = |at: &str| format!(r#"{{{LINK},{rest},"updated_at":"{at}"}}"#);
        assert!(mapped(Some(record_type), &row("2026-09-23T14:13:20Z")).is_ok());
        for at in ["2026-09-23T14:13:21Z", "9999-12-31T23:59:59Z"] {
            let warnings = warned(record_type, &row(at));
            assert_eq!(warnings, [("invalid_field", "updated_at".to_owned())]);
        }
    }
}

/// In CSV, IDs of events and products follow the rules of identifiers.
#[test]
fn reads_ids_by_notation() {
    let key = key();
    let read = |record_type: &str, row: &str, notation| {
        let fields = Fields {
            map: object(row).unwrap(),
            notation,
            warnings: Vec::new(),
        };
        map_record(&context(&key, Some(record_type)), version(7), fields)
    };
    let order = |id: &str| {
        format!(
            r#"{{{LINK},"action_at":"2026-01-02","type":"physical","purchase_id":"{id}",
                "products":[{{"price_paid":1,"quantity":1,"product_reference":{{"id":"{id}"}}}}]}}"#
        )
    };
    let ids = |row: &str, notation| {
        let data = data(&read("purchase", row, notation).unwrap().writes[0]);
        let product = &data["products"]["L"][0]["M"]["product_reference"]["M"]["id"]["S"];
        assert_eq!(*product, data["purchase_id"]["S"], "{row}");
        product.as_str().unwrap().to_owned()
    };
    for (cell, id) in [
        ("1001.0", "1001"),
        (" 1001.00 ", "1001"),
        ("'00123", "00123"),
        ("=\\\"00123\\\"", "00123"),
        ("-5.0", "-5"),
        ("1001", "1001"),
        ("1001.10", "1001.10"),
        ("007.0", "007.0"),
        ("12e5", "12e5"),
        ("2E-10", "2E-10"),
        ("1.5E3", "1.5E3"),
        ("A-1.0", "A-1.0"),
        ("#1.5E+3", "#1.5E+3"),
    ] {
        assert_eq!(ids(&order(cell), Notation::Csv), id, "{cell}");
    }
    for text in ["1001.0", "6.09758E+12", "'1"] {
        assert_eq!(ids(&order(text), Notation::Json), text);
    }
    for cell in ["6.09758E+12", "6,09758E+12", "6E+10", "'6.09758E+12"] {
        let errors = read("purchase", &order(cell), Notation::Csv)
            .unwrap_err()
            .errors;
        let errors: Vec<_> = errors
            .iter()
            .map(|it| (it.code.as_str(), it.field.as_deref()))
            .collect();
        assert_eq!(
            errors,
            [("rounded_identifier", Some("purchase_id"))],
            "{cell}"
        );
    }
    // Fields that the row does not need are left out. A product needs one ID.
    let product = read("product", r#"{"sku":"1.2E+11","upc":"7.0"}"#, Notation::Csv).unwrap();
    let fields: Vec<_> = product
        .warnings
        .iter()
        .map(|it| it.field.as_deref())
        .collect();
    assert_eq!(fields, [Some("sku")]);
    assert_eq!(data(&product.writes[0])["upc"]["S"], "7");
    let errors = read("product", r#"{"sku":"1.2E+11"}"#, Notation::Csv)
        .unwrap_err()
        .errors;
    assert_eq!(errors[0].code.as_str(), "rounded_identifier");
    assert_eq!(errors[0].field.as_deref(), Some("sku"));
}

#[test]
fn reads_identifiers_by_notation() {
    let key = key();
    let context = Context {
        identifiers: IdentifierRules {
            calling_code: "61".parse().ok(),
        },
        ..context(&key, Some("customer_record"))
    };
    let partition = |link: &str, notation| {
        let map = object(&format!(r#"{{"link":{link}}}"#)).unwrap();
        let mapped = map_record(
            &context,
            version(7),
            Fields {
                map,
                notation,
                warnings: Vec::new(),
            },
        )
        .unwrap();
        mapped.writes[0].key().0.to_owned()
    };
    for (cell, text) in [
        (r#"{"customer_id":"1017.0"}"#, r#"{"customer_id":1017}"#),
        (r#"{"customer_id":"'00123"}"#, r#"{"customer_id":"00123"}"#),
        (
            r#"{"mobile":"=\"0491570156\""}"#,
            r#"{"mobile":"61491570156"}"#,
        ),
    ] {
        let expected = partition(text, Notation::Json);
        assert_eq!(partition(cell, Notation::Csv), expected, "{cell}");
    }
    assert_ne!(
        partition(r#"{"customer_id":"1017.0"}"#, Notation::Json),
        partition(r#"{"customer_id":"1017"}"#, Notation::Json)
    );
}
