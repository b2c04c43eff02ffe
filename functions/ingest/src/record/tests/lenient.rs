//! Rows that are accepted although fields are missing, invalid, unknown or changed: what is stored, and the warnings.

use serde_json::{Value as Json, json};

use super::{
    Fields, LINK, context, data, errors, expect_fault, json::object, key, map_record, mapped,
    place_as, purchase, stored, version, warned,
};

/// Returns the codes and fields of the warnings as one text each.
fn warnings(record_type: &str, row: &str) -> Vec<String> {
    let warnings = warned(record_type, row).into_iter();
    warnings
        .map(|(code, field)| format!("{code} {field}"))
        .collect()
}

/// Returns the values of invalid fields in stored data, by their paths.
fn invalid_fields(data: &Json) -> Vec<(&str, &str)> {
    let fields = data["invalid_fields"]["M"]
        .as_object()
        .into_iter()
        .flatten();
    fields
        .map(|(path, value)| (path.as_str(), value["S"].as_str().unwrap()))
        .collect()
}

/// Each value is left out of its field, and kept as a string under its path.
#[test]
fn leaves_out_invalid_fields() {
    let customer = |fields: &str| format!("{{{LINK},{fields}}}");
    let order = |fields: &str| purchase(&format!(r#""products":[],{fields}"#));
    let line = |fields: &str| {
        purchase(&format!(
            r#""products":[{{"price_paid":1,"quantity":1,{fields}}}]"#
        ))
    };
    let message = |fields: &str| {
        format!(
            r#"{{{LINK},"action_at":"2026-01-02","message_id":"1","channel":"x","direction":"inbound",{fields}}}"#
        )
    };
    let product = |fields: &str| format!(r#"{{"product_id":"1",{fields}}}"#);
    for (record_type, row, path, text) in [
        (
            "customer_record",
            customer(r#""date_of_birth":"0000-00-00""#),
            "date_of_birth",
            "0000-00-00",
        ),
        (
            "customer_record",
            customer(r#""date_of_birth":"31/12/1985""#),
            "date_of_birth",
            "31/12/1985",
        ),
        (
            "customer_record",
            customer(r#""date_of_birth":"0001-01-01""#),
            "date_of_birth",
            "0001-01-01",
        ),
        (
            "customer_record",
            customer(r#""date_of_birth":"1879-12-31""#),
            "date_of_birth",
            "1879-12-31",
        ),
        (
            "customer_record",
            customer(r#""date_of_birth":"2096-02-29""#),
            "date_of_birth",
            "2096-02-29",
        ),
        (
            "customer_record",
            customer(r#""employee_flag":"perhaps""#),
            "employee_flag",
            "perhaps",
        ),
        (
            "customer_record",
            customer(r#""employee_flag":1"#),
            "employee_flag",
            "1",
        ),
        (
            "customer_record",
            customer(r#""city":["Perth",null]"#),
            "city",
            r#"["Perth",null]"#,
        ),
        (
            "customer_record",
            customer(r#""custom_fields":"x""#),
            "custom_fields",
            "x",
        ),
        (
            "customer_record",
            customer(r#""updated_at":"0001-01-01T00:00:00""#),
            "updated_at",
            "0001-01-01T00:00:00",
        ),
        (
            "customer_record",
            customer(r#""updated_at":"soon""#),
            "updated_at",
            "soon",
        ),
        (
            "customer_record",
            customer(r#""updated_at":"1.77E+09""#),
            "updated_at",
            "1.77E+09",
        ),
        (
            "customer_record",
            customer(r#""invalid_fields":["x"]"#),
            "invalid_fields",
            r#"["x"]"#,
        ),
        ("purchase", order(r#""store":7"#), "store", "7"),
        (
            "purchase",
            order(r#""store":{"type":"tent","name":"n"}"#),
            "store.type",
            "tent",
        ),
        (
            "purchase",
            order(
                r#""store":{"type":"outlet","name":"n","location":{"coordinate":{"latitude":90,"longitude":0}}}"#,
            ),
            "store.location.coordinate.latitude",
            "90",
        ),
        (
            "purchase",
            order(r#""payment_types":[{"name":"visa","total":"$5"}]"#),
            "payment_types[0].total",
            "$5",
        ),
        (
            "purchase",
            order(r#""payment_types":["visa",{"name":"cash"}]"#),
            "payment_types[0]",
            "visa",
        ),
        (
            "purchase",
            order(r#""adjustments":[{"price_adjustment":1,"adjusted_at":"1970-01-01"}]"#),
            "adjustments[0].adjusted_at",
            "1970-01-01",
        ),
        (
            "purchase",
            line(r#""discount":"n/a""#),
            "products[0].discount",
            "n/a",
        ),
        (
            "purchase",
            line(r#""product_reference":"P-1""#),
            "products[0].product_reference",
            "P-1",
        ),
        (
            "message",
            message(r#""direction":"sideways""#),
            "direction",
            "sideways",
        ),
        (
            "message",
            message(r#""attachments":[{"url":true}]"#),
            "attachments[0].url",
            "true",
        ),
        ("message", message(r#""author":"Jane""#), "author", "Jane"),
        ("product", product(r#""price":"$5""#), "price", "$5"),
        (
            "product",
            product(r#""inventory":{"quantity":1.5}"#),
            "inventory.quantity",
            "1.5",
        ),
        (
            "product",
            product(r#""options":{"size":"L"}"#),
            "options.size",
            "L",
        ),
        (
            "product",
            product(r#""images":["https://a.example/1",7.5,["x"]]"#),
            "images[2]",
            r#"["x"]"#,
        ),
        (
            "product",
            product(r#""product_reference_type":"isbn""#),
            "product_reference_type",
            "isbn",
        ),
        ("product", product(r#""upc":"a\u0001""#), "upc", "a\u{1}"),
    ] {
        let data = stored(record_type, &row);
        assert_eq!(invalid_fields(&data), [(path, text)], "{row}");
        assert_eq!(
            warnings(record_type, &row),
            [format!("invalid_field {path}")],
            "{row}"
        );
        let mut names = path.split(['.', '[']);
        if let (Some(name), None) = (names.next(), names.next()) {
            assert!(
                name == "invalid_fields" || data.get(name).is_none(),
                "{row}"
            );
        }
    }
}

#[test]
fn stores_rows_without_required_fields() {
    for (record_type, row, missing) in [
        (
            "purchase",
            format!(
                r#"{{{LINK},"action_at":"2026-01-02","purchase_id":"1","products":[],"store":{{}}}}"#
            ),
            vec!["type", "store.type", "store.name"],
        ),
        (
            "message",
            format!(
                r#"{{{LINK},"action_at":"2026-01-02","message_id":"1","account":{{"id":"a"}}}}"#
            ),
            vec!["channel", "direction", "account.name"],
        ),
        (
            "email_open",
            format!(
                r#"{{{LINK},"action_at":"2026-01-02","email_id":"1","list":{{"name":"n"}},"from":{{}}}}"#
            ),
            vec!["list.id", "from.email"],
        ),
        (
            "email_subscribe",
            format!(
                r#"{{{LINK},"action_at":"2026-01-02","email_id":"1","status":"subscribed","list":{{"id":"n"}}}}"#
            ),
            vec!["list.name"],
        ),
        (
            "product",
            r#"{"product_reference_type":"sku","upc":"1"}"#.to_owned(),
            vec!["sku"],
        ),
    ] {
        let expected: Vec<_> = missing
            .iter()
            .map(|path| format!("missing_field {path}"))
            .collect();
        assert_eq!(warnings(record_type, &row), expected, "{row}");
    }
    // The ID of a subscription's list is part of the event's key.
    let row = format!(
        r#"{{{LINK},"action_at":"2026-01-02","email_id":"1","status":"subscribed","list":{{"name":"n"}}}}"#
    );
    expect_fault("email_subscribe", &row, "missing_field", "list.id");
}

#[test]
fn reads_empty_strings_as_absent() {
    let row = purchase(
        r#""products":[{"price_paid":1,"quantity":1,"discount":"","full_price":" "}],"currency":"","store":"","custom_fields":[],"adjustments":"","replaces_action_at":"""#,
    );
    assert_eq!(warnings("purchase", &row), Vec::<String>::new());
    let line = json!({"M": {"price_paid": {"N": "1"}, "quantity": {"N": "1"}}});
    assert_eq!(
        stored("purchase", &row),
        json!({"products": {"L": [line]}, "purchase_id": {"S": "p1"}, "type": {"S": "physical"}})
    );
    let row = format!(r#"{{{LINK},"first_name":"","date_of_birth":"","employee_flag":""}}"#);
    assert_eq!(
        stored("customer_record", &row),
        json!({"first_name": {"S": ""}})
    );
    let row = r#"{"link":{"email":"jane@example.com","mobile":"","customer_id":" ","system_name":""},"first_name":"Jane"}"#;
    assert_eq!(
        stored("customer_record", row),
        json!({"first_name": {"S": "Jane"}})
    );
    let row = r#"{"link":{"email":"","mobile":null}}"#;
    expect_fault("customer_record", row, "missing_field", "link");
    let row = purchase(r#""products":[{"price_paid":"","quantity":1}]"#);
    expect_fault("purchase", &row, "missing_field", "products[0].price_paid");
}

#[test]
fn merges_given_invalid_fields() {
    let row =
        format!(r#"{{{LINK},"date_of_birth":"x","invalid_fields":{{"column 7":"a","b":7}}}}"#);
    let data = stored("customer_record", &row);
    let expected = [("b", "7"), ("column 7", "a"), ("date_of_birth", "x")];
    assert_eq!(invalid_fields(&data), expected);
    assert_eq!(
        warnings("customer_record", &row),
        ["invalid_field date_of_birth"]
    );
}

#[test]
fn leaves_out_invalid_attributes_while_one_remains() {
    let row = format!(
        r#"{{{LINK},"attributes":{{"plain":1,"custom.a":2,"a.b":{{"value":3,"confidence":3}},"a.c":{{"confidence":1}},"a.d":{{"value":1,"x":1}},"sizes.top":"M","loyalty.tier":"gold"}}}}"#
    );
    let writes = place_as(Some("attributes"), &row).unwrap();
    assert_eq!(writes.len(), 2);
    let first = data(&writes[0]);
    let paths: Vec<_> = invalid_fields(&first)
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    let expected = [
        "attributes.a.b",
        "attributes.a.c",
        "attributes.a.d",
        "attributes.custom.a",
        "attributes.plain",
    ];
    assert_eq!(paths, expected);
    assert!(data(&writes[1]).get("invalid_fields").is_none());
    assert_eq!(warnings("attributes", &row).len(), 5);
    let row = format!(r#"{{{LINK},"attributes":{{"plain":1,"custom.a":2}}}}"#);
    assert_eq!(errors("attributes", &row).len(), 2);
}

#[test]
fn names_unknown_fields() {
    let unknown = |record_type: &str, row: &str| {
        let mapped = mapped(Some(record_type), row).unwrap();
        let fields = mapped.unknown.into_iter();
        fields
            .map(|field| format!("{} {}", field.name, field.like.unwrap_or("-")))
            .collect::<Vec<_>>()
    };
    let row = purchase(
        r#""Currency":"EUR","products":[{"price_paid":1,"quantity":1,"sku":"x"},{"price_paid":1,"quantity":1,"sku":"y","Discount":1}],"store":{"type":"outlet","name":"n","location":{"floor":2}},"actionAt":1,"note":"n","custom_fields":{"any":1}"#,
    );
    let expected = [
        "products[].sku -",
        "products[].Discount discount",
        "store.location.floor -",
        "Currency currency",
        "actionAt action_at",
        "note -",
    ];
    assert_eq!(unknown("purchase", &row), expected);
    let similar = ["products[1].Discount", "Currency", "actionAt"];
    let similar: Vec<_> = similar
        .iter()
        .map(|path| format!("similar_field {path}"))
        .collect();
    assert_eq!(warnings("purchase", &row), similar);
    // They stay as they are.
    assert_eq!(stored("purchase", &row)["Currency"]["S"], "EUR");
    let row = format!(r#"{{{LINK},"firstname":"A","emial":"x","shoe_size":43}}"#);
    let expected = ["emial email", "firstname first_name", "shoe_size -"];
    assert_eq!(unknown("customer_record", &row), expected);
    let row = r#"{"records":[{"mobile":"5550001"},{"customer_id":"7"}],"Unlink":true}"#;
    assert_eq!(unknown("unify", row), ["Unlink unlink"]);
    // A rejected row names them too: they may be the reason.
    let fields = object(r#"{"Link":{"mobile":"5550001"}}"#).unwrap();
    let rejection = map_record(
        &context(&key(), Some("customer_record")),
        version(7),
        fields,
    );
    assert_eq!(rejection.unwrap_err().unknown[0].like, Some("link"));
}

#[test]
fn keeps_addresses_of_any_scheme() {
    let row = r#"{"sku":"1","images":["//cdn.example.com/a.jpg"," https://cdn.example.com/a b.jpg ","javascript:alert(1)"],"url":"/products/lamp"}"#;
    let data = stored("product", row);
    let images = [
        "//cdn.example.com/a.jpg",
        "https://cdn.example.com/a b.jpg",
        "javascript:alert(1)",
    ];
    assert_eq!(
        data["images"]["L"],
        json!(images.map(|url| json!({"S": url})))
    );
    assert_eq!(warnings("product", row), Vec::<String>::new());
    for url in [
        "tel:+611300000000",
        "mailto:help@example.com",
        "cid:part1",
        "?q=1",
    ] {
        let row = format!(
            r#"{{{LINK},"action_at":"2026-01-02","email_id":"1","clicked_link":{{"url":"{url}"}}}}"#
        );
        assert_eq!(
            stored("email_click", &row)["clicked_link"]["M"]["url"]["S"],
            url
        );
    }
}

#[test]
fn rounds_amounts() {
    let row = purchase(
        r#""products":[{"price_paid":59.699999999999996,"quantity":1.5,"discount":2.8421709430404007e-14},{"price_paid":0,"quantity":0}]"#,
    );
    let data = stored("purchase", &row);
    let line = &data["products"]["L"][0]["M"];
    assert_eq!(line["price_paid"]["N"], "59.700000000");
    assert_eq!(
        (&line["discount"]["N"], &line["quantity"]["N"]),
        (&json!("0"), &json!("1.5"))
    );
    let expected = [
        "rounded_amount products[0].price_paid",
        "rounded_amount products[0].discount",
    ];
    assert_eq!(warnings("purchase", &row), expected);
}

#[test]
fn accepts_exchanges() {
    let lines = |lines: &str| purchase(&format!(r#""products":[{lines}]"#));
    let bought = r#"{"price_paid":"80.00","quantity":1}"#;
    let returned = r#"{"price_paid":"-60.00","quantity":-1}"#;
    for accepted in [
        format!("{bought},{returned}"),
        format!(r#"{returned},{{"price_paid":0,"quantity":1}}"#),
        format!(r#"{bought},{{"price_paid":-5,"quantity":0}},{{"price_paid":5,"quantity":0}}"#),
        r#"{"price_paid":0,"quantity":0}"#.to_owned(),
        String::new(),
    ] {
        assert_eq!(
            warnings("purchase", &lines(&accepted)),
            Vec::<String>::new(),
            "{accepted}"
        );
    }
    expect_fault(
        "purchase",
        &lines(returned),
        "invalid_value",
        "products[0].price_paid",
    );
    let back = |lines: &str| {
        format!(
            r#"{{{LINK},"action_at":"2026-01-02","type":"physical","return_id":"r","products":[{lines}]}}"#
        )
    };
    for accepted in [
        returned,
        &format!("{returned},{bought}"),
        r#"{"price_paid":0,"quantity":-1}"#,
        "",
    ] {
        assert_eq!(
            warnings("return", &back(accepted)),
            Vec::<String>::new(),
            "{accepted}"
        );
    }
    expect_fault(
        "return",
        &back(bought),
        "invalid_value",
        "products[0].price_paid",
    );
}

#[test]
fn reads_times_of_files() {
    let row = |at: &str| format!(r#"{{{LINK},"action_at":{at},"email_id":"e"}}"#);
    let noon = [
        "\"2026-01-20 01:15:00 UTC\"",
        "1768871700",
        "\"1768871700000\"",
        "\"Tue, 20 Jan 2026 01:15:00 GMT\"",
    ];
    let keys: Vec<_> = noon
        .iter()
        .map(|at| super::sort_keys("email_open", &row(at)))
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    for at in [
        "0",
        "\"0001-01-01T00:00:00\"",
        "\"1899-12-30\"",
        "\"1970-12-31T23:59:59Z\"",
    ] {
        expect_fault("email_open", &row(at), "invalid_value", "action_at");
    }
    // An event that was stored with a placeholder before can be moved.
    let moved = row("\"2026-01-20\"").replace(
        r#""email_id""#,
        r#""replaces_action_at":"1970-01-01","email_id""#,
    );
    assert_eq!(super::sort_keys("email_open", &moved).len(), 2);
    let born = |date: &str| {
        stored(
            "customer_record",
            &format!(r#"{{{LINK},"date_of_birth":"{date}"}}"#),
        )
    };
    for (given, expected) in [
        ("1897-05-01", "1897-05-01"),
        ("2000-02-29T00:00:00Z", "2000-02-29"),
        ("2026/09/21", "2026-09-21"),
    ] {
        assert_eq!(born(given)["date_of_birth"]["S"], expected);
    }
}

#[test]
fn masks_card_numbers() {
    let card = "4111 1111 1111 1111";
    let row = purchase(&format!(
        r#""products":[],"adjustments":[{{"price_adjustment":1,"reason":"card {card}"}}],"custom_fields":{{"note":"{card}","receipt_number":"4111111111111111"}},"comment":"{card}","purchase_id":"4111111111111111""#
    ));
    let data = stored("purchase", &row);
    assert_eq!(
        data["adjustments"]["L"][0]["M"]["reason"]["S"],
        "card **** **** **** 1111"
    );
    assert_eq!(
        data["custom_fields"]["M"]["note"]["S"],
        "**** **** **** 1111"
    );
    assert_eq!(
        data["custom_fields"]["M"]["receipt_number"]["S"],
        "4111111111111111"
    );
    assert_eq!(data["comment"]["S"], "**** **** **** 1111");
    assert_eq!(data["purchase_id"]["S"], "4111111111111111");
    let expected = ["adjustments[0].reason", "custom_fields.note", "comment"];
    let expected: Vec<_> = expected
        .iter()
        .map(|path| format!("masked_card {path}"))
        .collect();
    assert_eq!(warnings("purchase", &row), expected);
    let row = format!(
        r#"{{{LINK},"action_at":"2026-01-02","email_id":"1","subject":"{card}","body":"<p>{card}</p>","campaign_id":"4111111111111111"}}"#
    );
    assert_eq!(
        warnings("email_send", &row),
        ["masked_card subject", "masked_card body"]
    );
    let row = format!(
        r#"{{{LINK},"attributes":{{"a.note":"{card}","a.order_id":"4111111111111111","b":{{"note":{{"value":"{card}"}}}}}}}}"#
    );
    assert_eq!(
        warnings("attributes", &row),
        [
            "masked_card attributes.a.note",
            "masked_card attributes.b.note"
        ]
    );
}

#[test]
fn keeps_the_warnings_of_reading() {
    let code = crate::rows::WarningCode::Windows1252;
    let fields = Fields {
        warnings: vec![crate::rows::Warning::at(code, &"first_name")],
        ..object(&format!(r#"{{{LINK},"date_of_birth":"x"}}"#))
            .unwrap()
            .into()
    };
    let mapped = map_record(
        &context(&key(), Some("customer_record")),
        version(7),
        fields,
    )
    .unwrap();
    let codes: Vec<_> = mapped
        .warnings
        .iter()
        .map(|warning| warning.code.as_str())
        .collect();
    assert_eq!(codes, ["windows_1252", "invalid_field"]);
}
