//! Each rule that a record can break, with the code and the field of its error.

use super::{LINK, expect_fault, place_as, purchase};

#[test]
fn faults_name_rule_and_field() {
    let line = |fields: &str| {
        purchase(&format!(
            r#""products":[{{"price_paid":1,"quantity":1}},{{{fields}}}]"#
        ))
    };
    expect_fault(
        "purchase",
        &line(r#""price_paid":1,"quantity":0"#),
        "invalid_value",
        "products[1].quantity",
    );
    expect_fault(
        "purchase",
        &line(r#""price_paid":1,"quantity":1.5"#),
        "invalid_value",
        "products[1].quantity",
    );
    expect_fault(
        "purchase",
        &line(r#""price_paid":-1,"quantity":1"#),
        "invalid_value",
        "products[1].price_paid",
    );
    expect_fault(
        "purchase",
        &line(r#""price_paid":"1,0","quantity":1"#),
        "invalid_value",
        "products[1].price_paid",
    );
    expect_fault(
        "purchase",
        &line(r#""price_paid":1e15,"quantity":1"#),
        "invalid_value",
        "products[1].price_paid",
    );
    expect_fault(
        "purchase",
        &line(r#""price_paid":true,"quantity":1"#),
        "wrong_type",
        "products[1].price_paid",
    );
    expect_fault(
        "purchase",
        &line(r#""quantity":1"#),
        "missing_field",
        "products[1].price_paid",
    );
    expect_fault(
        "purchase",
        &purchase(r#""products":{}"#),
        "wrong_type",
        "products",
    );
    expect_fault(
        "purchase",
        &purchase(r#""products":[],"currency":"$""#),
        "invalid_value",
        "currency",
    );
    expect_fault(
        "purchase",
        &purchase(
            r#""products":[],"store":{"type":"outlet","name":"n","location":{"coordinate":{"latitude":90,"longitude":0}}}"#,
        ),
        "invalid_value",
        "store.location.coordinate.latitude",
    );
    expect_fault(
        "return",
        &format!(
            r#"{{{LINK},"action_at":"2026-01-02","type":"physical","return_id":"r","products":[{{"price_paid":-1,"quantity":1}}]}}"#
        ),
        "invalid_value",
        "products[0].quantity",
    );
    expect_fault(
        "email_open",
        r#"{"action_at":"2026-01-02T03:04:05Z","email_id":"e"}"#,
        "missing_field",
        "link",
    );
    expect_fault(
        "email_open",
        &format!(r#"{{{LINK},"email_id":"e"}}"#),
        "missing_field",
        "action_at",
    );
    expect_fault(
        "email_open",
        &format!(r#"{{{LINK},"action_at":"soon","email_id":"e"}}"#),
        "invalid_value",
        "action_at",
    );
    expect_fault(
        "email_open",
        &format!(r#"{{{LINK},"action_at":"2099-01-01T00:00:00Z","email_id":"e"}}"#),
        "invalid_value",
        "action_at",
    );
    expect_fault(
        "email_open",
        &format!(r#"{{{LINK},"action_at":"2026-01-01T00:00:00Z","email_id":" "}}"#),
        "invalid_value",
        "email_id",
    );
    expect_fault(
        "email_open",
        r#"{"link":{"email":"a@b"},"action_at":"2026-01-01T00:00:00Z","email_id":"e"}"#,
        "invalid_value",
        "link.email",
    );
    expect_fault(
        "email_open",
        r#"{"link":{"phone":"1"},"action_at":"2026-01-01T00:00:00Z","email_id":"e"}"#,
        "unknown_field",
        "link.phone",
    );
    expect_fault(
        "email_subscribe",
        &format!(
            r#"{{{LINK},"action_at":"2026-01-01T00:00:00Z","email_id":"e","status":"maybe"}}"#
        ),
        "invalid_value",
        "status",
    );
    expect_fault(
        "customer_record",
        &format!(r#"{{{LINK},"date_of_birth":"31/12/1985"}}"#),
        "invalid_value",
        "date_of_birth",
    );
    expect_fault(
        "customer_record",
        &format!(r#"{{{LINK},"employee_flag":"perhaps"}}"#),
        "invalid_value",
        "employee_flag",
    );
    expect_fault(
        "customer_record",
        &format!(r#"{{{LINK},"record_type":"purchase"}}"#),
        "invalid_value",
        "record_type",
    );
    expect_fault("product", r#"{"sku":"s"}"#, "missing_field", "product_id");
    expect_fault(
        "product",
        r#"{"sku":"s","product_reference_type":"sku","images":["ftp://x"]}"#,
        "invalid_value",
        "images[0]",
    );
    expect_fault(
        "attributes",
        &format!(r#"{{{LINK},"attributes":{{"plain":1}}}}"#),
        "invalid_value",
        "attributes.plain",
    );
    expect_fault(
        "attributes",
        &format!(r#"{{{LINK},"attributes":{{"a.b":{{"value":1,"confidence":3}}}}}}"#),
        "invalid_value",
        "attributes.a.b.confidence",
    );
    for (row, code, field) in [
        ("{}", "missing_field", "link"),
        (r#"{"link":{"mobile":"x"}}"#, "invalid_value", "link.mobile"),
        (r#"{"records":[]}"#, "invalid_value", "records"),
        (
            r#"{"records":[{"mobile":"5550001"},{"email":"x"}]}"#,
            "invalid_value",
            "records[1].email",
        ),
        (
            r#"{"link":{"mobile":"5550001"},"records":[{"mobile":"5550001"}]}"#,
            "invalid_value",
            "records",
        ),
        (
            r#"{"link":{"mobile":"5550001"},"scope":"all"}"#,
            "invalid_value",
            "scope",
        ),
        (
            r#"{"link":{"mobile":"5550001"},"scope":"profile","reinstate":true}"#,
            "invalid_value",
            "scope",
        ),
        (
            r#"{"link":{"mobile":"5550001"},"suppress":true,"reinstate":true}"#,
            "invalid_value",
            "reinstate",
        ),
        (
            r#"{"link":{"mobile":"5550001"},"suppress":1}"#,
            "wrong_type",
            "suppress",
        ),
    ] {
        expect_fault("forget", row, code, field);
    }
    let many = format!(
        r#"{{"records":[{}]}}"#,
        vec![r#"{"mobile":"5550001"}"#; 101].join(",")
    );
    expect_fault("forget", &many, "invalid_value", "records");
}

#[test]
fn currencies_and_addresses_have_their_forms() {
    for currency in ["$", "AU", "AUDX", "A1D", "$$$"] {
        let row = purchase(&format!(r#""products":[],"currency":"{currency}""#));
        expect_fault("purchase", &row, "invalid_value", "currency");
    }
    let image = |url: &str| format!(r#"{{"product_id":"1","images":["{url}"]}}"#);
    for url in [
        "https://",
        "https:///a",
        "https://?a",
        "ftp://a",
        "https:a",
        "https://a b",
        "//a",
    ] {
        expect_fault("product", &image(url), "invalid_value", "images[0]");
    }
    for url in ["https://a", "HTTP://a/b?c#d"] {
        assert!(place_as(Some("product"), &image(url)).is_ok(), "{url}");
    }
}

#[test]
fn faults_state_problem_and_fix() {
    let line = |fields: &str| purchase(&format!(r#""products":[{{{fields}}}]"#));
    let place = |fields: &str| {
        purchase(&format!(
            r#""products":[],"store":{{"type":"outlet","name":"n","location":{{"coordinate":{{{fields}}}}}}}"#
        ))
    };
    let customer = |fields: &str| format!("{{{LINK},{fields}}}");
    let opened =
        |fields: &str| format!(r#"{{{LINK},"action_at":"2026-01-02T03:04:05Z",{fields}}}"#);
    for (record_type, row, expected) in [
        (
            "customer_record",
            customer(r#""city":[]"#),
            "must be a string.",
        ),
        (
            "email_open",
            opened(r#""email_id":"""#),
            "must be 1 to 256 bytes without control characters.",
        ),
        (
            "customer_record",
            customer(r#""employee_flag":1"#),
            "must be true or false.",
        ),
        (
            "purchase",
            line(r#""price_paid":1,"quantity":"x""#),
            "must be an integer of at least 1, with at most 15 digits.",
        ),
        (
            "purchase",
            line(r#""price_paid":"x","quantity":1"#),
            "must be a decimal of at least 0, with at most 15 digits before the point and 9 after it.",
        ),
        (
            "return",
            format!(
                r#"{{{LINK},"action_at":"2026-01-02","type":"physical","return_id":"r","products":[{{"price_paid":1,"quantity":-1}}]}}"#
            ),
            "must be a decimal of at most 0, with at most 15 digits before the point and 9 after it.",
        ),
        (
            "purchase",
            place(r#""latitude":91,"longitude":0"#),
            "must be a number of degrees from -90 to below 90.",
        ),
        (
            "purchase",
            place(r#""latitude":0,"longitude":180"#),
            "must be a number of degrees from -180 to below 180.",
        ),
        (
            "customer_record",
            customer(r#""date_of_birth":"x""#),
            "must be a date such as 1985-12-31.",
        ),
        (
            "customer_record",
            customer(r#""updated_at":"x""#),
            "must be a time such as 2026-10-31T23:59:59Z.",
        ),
        (
            "product",
            r#"{"product_id":"1","images":["x"]}"#.to_owned(),
            "must be an http or https URL.",
        ),
        (
            "purchase",
            purchase(r#""products":[],"currency":"x""#),
            "must be an ISO 4217 code of three letters, such as AUD.",
        ),
        (
            "product",
            r#"{"product_reference_type":"x"}"#.to_owned(),
            "must be one of product_id, sku, upc.",
        ),
        ("purchase", purchase(r#""products":7"#), "must be an array."),
        (
            "purchase",
            purchase(r#""products":[],"store":7"#),
            "must be an object.",
        ),
        (
            "purchase",
            purchase(r#""type":"physical""#),
            "is missing. Add an array.",
        ),
        (
            "purchase",
            purchase(&format!(
                r#""products":[{}]"#,
                vec![r#"{"price_paid":1,"quantity":1}"#; 1_200].join(",")
            )),
            "has 1,200 items; the limit is 1,000. Remove items or split the record.",
        ),
        (
            "email_open",
            r#"{"link":{"customer_id":"null"}}"#.to_owned(),
            "is a placeholder such as null, 0 or N/A. It would merge all customers who have it. Use another identifier of the \
             customer. If there is none, omit the row.",
        ),
        (
            "forget",
            r#"{"link":{"email":"noemail@example.com"}}"#.to_owned(),
            "is a placeholder address. It would merge all customers who have it. Use another identifier of the customer. If there \
             is none, omit the row.",
        ),
        (
            "unify",
            r#"{"records":[{"mobile":"5550001"},{"mobile":"0000000000"}]}"#.to_owned(),
            "is a placeholder of one repeated digit. It would merge all customers who have it. Use another identifier of the \
             customer.",
        ),
        (
            "forget",
            r#"{"link":{"mobile":"5550001"},"scope":"all"}"#.to_owned(),
            "must be identity or profile.",
        ),
        (
            "forget",
            r#"{"link":{"mobile":"5550001"},"scope":"profile","reinstate":true}"#.to_owned(),
            "must be identity in a `reinstate` row. Name each identity to reinstate.",
        ),
    ] {
        let error = place_as(Some(record_type), &row).unwrap_err();
        assert_eq!(error.problem, expected, "{row}");
    }
}

#[test]
fn rejects_reserved_namespaces() {
    for namespace in [
        "address", "contact", "custom", "customer", "figures", "other", "Customer",
    ] {
        for attributes in [
            format!(r#""{namespace}.employee_flag":true"#),
            format!(r#""{namespace}":{{"employee_flag":true}}"#),
            format!(r#""loyalty.tier":"gold"," {namespace} .employee_flag":{{"value":true}}"#),
        ] {
            let row = format!(r#"{{{LINK},"attributes":{{{attributes}}}}}"#);
            let error = place_as(Some("attributes"), &row).unwrap_err();
            assert_eq!(error.code.as_str(), "reserved_namespace", "{row}");
            assert!(error.problem.contains("customer_record"), "{error}");
        }
    }
    let row = format!(r#"{{{LINK},"attributes":{{"customers.a":1,"segments.b":true}}}}"#);
    assert!(place_as(Some("attributes"), &row).is_ok());
    expect_fault(
        "attributes",
        &format!(r#"{{{LINK},"attributes":{{"customer.a":1}}}}"#),
        "reserved_namespace",
        "attributes.customer.a",
    );
}

/// The fields that an attributes record repeats for each namespace are bounded. Fields that it stores once are not.
#[test]
fn rejects_attributes_that_repeat_too_much() {
    let row = |namespaces: usize, bytes: usize| {
        let attributes: Vec<_> = (0..namespaces)
            .map(|number| format!(r#""n{number}.a":1"#))
            .collect();
        let beside = "x".repeat(bytes);
        let attributes = attributes.join(",");
        format!(r#"{{{LINK},"beside":"{beside}","attributes":{{{attributes}}}}}"#)
    };
    for (namespaces, bytes) in [(1, 900_000), (2, 1_000_000), (100, 10_000), (11, 100_000)] {
        let items = place_as(Some("attributes"), &row(namespaces, bytes)).unwrap();
        assert_eq!(items.len(), namespaces);
    }
    for (namespaces, bytes) in [(100, 1_000_000), (100, 11_000), (12, 100_000), (3, 600_000)] {
        expect_fault(
            "attributes",
            &row(namespaces, bytes),
            "record_too_large",
            "",
        );
    }
    // Escaped, these bytes take six times the space.
    let controls = row(2, 0).replace(
        r#""beside":"""#,
        &format!(r#""beside":"{}""#, r"\u0001".repeat(170_000)),
    );
    assert_eq!(place_as(Some("attributes"), &controls).unwrap().len(), 2);
    let controls = row(3, 0).replace(
        r#""beside":"""#,
        &format!(r#""beside":"{}""#, r"\u0001".repeat(100_000)),
    );
    expect_fault("attributes", &controls, "record_too_large", "");
}
