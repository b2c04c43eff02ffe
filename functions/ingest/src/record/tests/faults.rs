//! Each rule that a record can break, with the code and the field of its error.

use super::{
    LINK, context, errors, expect_fault, json, key, map_record, place_as, purchase, version,
};

#[test]
fn faults_name_rule_and_field() {
    let line = |fields: &str| {
        purchase(&format!(
            r#""products":[{{"price_paid":1,"quantity":1}},{{{fields}}}]"#
        ))
    };
    expect_fault(
        "purchase",
        &line(r#""price_paid":1,"quantity":-1"#),
        "invalid_value",
        "products[1].quantity",
    );
    expect_fault(
        "purchase",
        &line(r#""price_paid":1,"quantity":"2 pcs""#),
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
        "return",
        &format!(
            r#"{{{LINK},"action_at":"2026-01-02","type":"physical","return_id":"r","products":[{{"price_paid":-1,"quantity":1}}]}}"#
        ),
        "invalid_value",
        "products[0].price_paid",
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
        "missing_field",
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
        &format!(r#"{{{LINK},"record_type":"purchase"}}"#),
        "invalid_value",
        "record_type",
    );
    expect_fault("product", r#"{"name":"s"}"#, "missing_field", "product_id");
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
fn currencies_have_their_form() {
    for currency in ["$", "AU", "AUDX", "A1D", "$$$"] {
        let row = purchase(&format!(r#""products":[],"currency":"{currency}""#));
        expect_fault("purchase", &row, "invalid_value", "currency");
    }
}

#[test]
fn faults_state_problem_and_fix() {
    let line = |fields: &str| purchase(&format!(r#""products":[{{{fields}}}]"#));
    let opened =
        |fields: &str| format!(r#"{{{LINK},"action_at":"2026-01-02T03:04:05Z",{fields}}}"#);
    for (record_type, row, expected) in [
        (
            "email_open",
            opened(r#""email_id":"\u0001""#),
            "must be 1 to 256 bytes without control characters and U+FFFD.",
        ),
        (
            "purchase",
            line(r#""price_paid":1,"quantity":"x""#),
            "must be a decimal with at most 15 digits before the point.",
        ),
        (
            "purchase",
            line(r#""price_paid":"x","quantity":1"#),
            "must be a decimal with at most 15 digits before the point.",
        ),
        (
            "purchase",
            line(r#""price_paid":"1,234.56","quantity":1"#),
            "has a thousands separator. Write it without, such as 1234.56.",
        ),
        (
            "purchase",
            line(r#""price_paid":-1,"quantity":1"#),
            "is negative, but `quantity` is positive. For returned goods, make both negative. For a discount, lower the price of its line.",
        ),
        (
            "purchase",
            line(r#""price_paid":-1,"quantity":-1"#),
            "is negative in every line, so nothing was bought. Send a `return` instead.",
        ),
        (
            "return",
            format!(
                r#"{{{LINK},"action_at":"2026-01-02","type":"physical","return_id":"r","products":[{{"price_paid":1,"quantity":1}}]}}"#
            ),
            "is positive in every line, so nothing was returned. Make price and quantity negative, or send a `purchase` instead.",
        ),
        (
            "email_open",
            format!(r#"{{{LINK},"action_at":"20/11/2026","email_id":"e"}}"#),
            "has a form that can be read in several ways. Write the year, the month and the day in this order, such as 2026-11-20.",
        ),
        (
            "email_open",
            format!(r#"{{{LINK},"action_at":"2026-11-20 10:00 AEST","email_id":"e"}}"#),
            "names a time zone. Write its offset instead, such as 2026-11-20T01:15:00+10:00.",
        ),
        (
            "email_open",
            format!(r#"{{{LINK},"action_at":"1.77E+09","email_id":"e"}}"#),
            "is a rounded number such as 1.77E+09, so digits are missing. Format the column as text, and export it again.",
        ),
        (
            "email_open",
            format!(
                r#"{{{LINK},"action_at":"2026-01-02","replaces_action_at":"1,7727E+12","email_id":"e"}}"#
            ),
            "is a rounded number such as 1.77E+09, so digits are missing. Format the column as text, and export it again.",
        ),
        (
            "email_open",
            format!(r#"{{{LINK},"action_at":"1970-01-01","email_id":"e"}}"#),
            "is before 1971, which means that the time is unknown. Send the time of the event.",
        ),
        (
            "purchase",
            purchase(r#""products":[],"currency":"x""#),
            "must be an ISO 4217 code of three letters, such as AUD.",
        ),
        (
            "email_subscribe",
            opened(r#""email_id":"e","status":"x""#),
            "must be one of subscribed, unsubscribed, transactional, undeliverable.",
        ),
        ("purchase", purchase(r#""products":7"#), "must be an array."),
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
            r#"{"link":{"link":{"customer_id":"7"}}}"#.to_owned(),
            "is not a field of an identifier. Use email, email_sha256, email_md5, mobile, customer_id or external_id, and system_name \
             for the last two. Do not nest them in another object.",
        ),
        (
            "email_open",
            r#"{"link":{"customer_id":["7"]}}"#.to_owned(),
            "must be a string. Leave out a field that has no value.",
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
            "is a placeholder: one repeated digit, or 1234567890. It would merge all customers who have it. Use another identifier of the \
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
            format!(r#""plain":"gold"," {namespace} .employee_flag":{{"value":true}}"#),
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

/// A row that is corrected once has no error left.
#[test]
fn lists_all_errors_of_a_row() {
    let row = r#"{"link":{"email":"a@b"},"action_at":"soon","replaces_action_at":"later","products":[{"price_paid":"x"},{"price_paid":"1","quantity":"2 pcs"}],"currency":"$"}"#;
    let found = errors("purchase", row);
    let found: Vec<_> = found
        .iter()
        .map(|(code, field)| (*code, field.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("invalid_value", "link.email"),
            ("invalid_value", "action_at"),
            ("invalid_value", "replaces_action_at"),
            ("missing_field", "purchase_id"),
            ("invalid_value", "products[0].price_paid"),
            ("missing_field", "products[0].quantity"),
            ("invalid_value", "products[1].quantity"),
            ("invalid_value", "currency"),
        ]
    );
    for (record_type, row, count) in [
        ("customer_record", r#"{"link":{"email":"x"}}"#, 1),
        (
            "attributes",
            r#"{"link":{"email":"x"},"attributes":{"a":1,"b":2}}"#,
            3,
        ),
        (
            "unify",
            r#"{"records":[{"mobile":"x"},{"email":"x"}],"unlink":1}"#,
            3,
        ),
        ("forget", r#"{"suppress":1,"scope":"all"}"#, 3),
    ] {
        assert_eq!(errors(record_type, row).len(), count, "{row}");
    }
}

#[test]
fn bounds_the_values_of_a_record() {
    let row = |nulls: usize| {
        let nulls = vec!["null"; nulls].join(",");
        format!(r#"{{{LINK},"x":[{nulls}]}}"#)
    };
    // The link, its identifier and the array are values too.
    let key = key();
    let mapped = |nulls: usize| {
        let fields = json::object(&row(nulls)).unwrap();
        map_record(&context(&key, Some("customer_record")), version(7), fields)
    };
    assert!(mapped(19_997).is_ok());
    assert_eq!(
        mapped(19_998).unwrap_err().errors[0].to_string(),
        "The row has 20,001 values; the limit is 20,000. Split the row, or remove fields."
    );
}
