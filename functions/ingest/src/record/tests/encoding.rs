//! Rows with text that is damaged or not UTF-8: identifiers and IDs are rejected, other fields are accepted.

use super::*;

fn read(record_type: &str, row: &[u8]) -> Result<MappedRecord, RowError> {
    let fields = json::fields(row).and_then(unwrap_reject)?;
    map_record(&context(&key(), Some(record_type)), version(7), fields).map_err(first)
}

fn expect_unreadable(record_type: &str, row: &[u8], field: &str) {
    let error = read(record_type, row).unwrap_err();
    let found = (error.code.as_str(), error.field.unwrap_or_default());
    assert_eq!(found, ("invalid_utf8", field.to_owned()));
}

#[test]
fn reads_other_fields() {
    let row = b"{\"link\":{\"email\":\"zoe@example.com\"},\"first_name\":\"Zo\xEB\",\"custom_fields\":{\"Gr\xF6\xDFe\":\"\\ud83d\"}}";
    let mapped = read("customer_record", row).unwrap();
    let warnings: Vec<_> = mapped
        .warnings
        .iter()
        .map(|warning| {
            (
                warning.code.as_str(),
                warning.field.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        warnings,
        [
            ("windows_1252", "first_name"),
            ("windows_1252", "custom_fields.Größe"),
            ("replaced_characters", "custom_fields.Größe"),
        ]
    );
}

#[test]
fn rejects_identifiers_that_are_not_certain() {
    for id in [
        &b"Zo\xEB"[..],
        b"\xC3\xAB\xFF",
        b"a\\ud83d",
        "a\u{FFFD}".as_bytes(),
    ] {
        let row = [
            b"{\"link\":{\"customer_id\":\"",
            id,
            b"\"},\"first_name\":\"A\"}",
        ]
        .concat();
        expect_unreadable("customer_record", &row, "link.customer_id");
        // A reject, dropped again.
        let reject = [
            b"{\"offset\":0,\"code\":\"c\",\"message\":\"m\",\"record\":",
            &row[..],
            b"}",
        ]
        .concat();
        expect_unreadable("customer_record", &reject, "link.customer_id");
        let records = [
            b"{\"records\":[{\"mobile\":\"5550001\"},{\"link\":{\"customer_id\":\"",
            id,
            b"\"}}]}",
        ]
        .concat();
        expect_unreadable("unify", &records, "records[1].link.customer_id");
        expect_unreadable("forget", &records, "records[1].link.customer_id");
    }
    // Many warnings before the identifier.
    let many = vec!["NaN"; 100].join(",");
    let row = [
        format!("{{\"a\":[{many}],\"link\":{{\"customer_id\":\"").as_bytes(),
        b"Zo\xEB\"}}",
    ]
    .concat();
    expect_unreadable("customer_record", &row, "link.customer_id");
}

#[test]
fn leaves_out_an_identifier_of_three() {
    let row = b"{\"records\":[{\"mobile\":\"5550001\"},{\"customer_id\":\"Zo\xEB\"},{\"email\":\"a@example.com\"}]}";
    let mapped = read("unify", row).unwrap();
    assert_eq!(mapped.links.len(), 1);
    let codes: Vec<_> = mapped
        .warnings
        .iter()
        .map(|warning| warning.code.as_str())
        .collect();
    assert_eq!(codes, ["windows_1252", "identifier_left_out"]);
}

#[test]
fn rejects_ids_with_replaced_characters() {
    for id in [&b"\xC3\xAB\xFF"[..], b"a\\ud83d"] {
        let row = [
            b"{\"link\":{\"mobile\":\"5550001\"},\"action_at\":\"2026-01-02T00:00:00Z\",\"email_id\":\"",
            id,
            b"\"}",
        ]
        .concat();
        let error = read("email_open", &row).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.field.as_deref()),
            ("invalid_value", Some("email_id"))
        );
    }
}

#[test]
fn long_numbers_are_identifiers() {
    let digits = "9".repeat(40);
    let link = |id: &str| {
        read(
            "customer_record",
            format!(r#"{{"link":{{"customer_id":{id}}}}}"#).as_bytes(),
        )
    };
    let as_number = link(&digits).unwrap().writes;
    let as_text = link(&format!("\"{digits}\"")).unwrap().writes;
    assert_eq!(as_number[0].key(), as_text[0].key());
    assert_eq!(
        link("1.23e200").unwrap_err().code.as_str(),
        "rounded_identifier"
    );
}
