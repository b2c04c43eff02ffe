//! Unify records: the links between identifiers, and the identifiers that are left out.

use std::collections::BTreeSet;

use super::{data, expect_fault, mapped, place_as};

#[test]
fn links_every_pair_on_both_sides() {
    let row = r#"{"records":[{"email":"a@example.com"},{"mobile":"5550001"},{"link":{"customer_id":"7"}},{"email":"A@example.com"}]}"#;
    let writes = place_as(Some("unify"), row).unwrap();
    let pairs: BTreeSet<_> = writes
        .iter()
        .map(|write| {
            (
                write.key().0.to_owned(),
                write
                    .key()
                    .1
                    .trim_start_matches("profile#link#pos#")
                    .to_owned(),
            )
        })
        .collect();
    assert_eq!((writes.len(), pairs.len()), (6, 6));
    for (from, to) in &pairs {
        assert!(pairs.contains(&(to.clone(), from.clone())));
    }
    expect_fault(
        "unify",
        r#"{"records":[{"mobile":"5550001"}]}"#,
        "invalid_value",
        "records",
    );
    expect_fault(
        "unify",
        r#"{"records":[{"mobile":"5550001"},{"mobile":"+5550001"}]}"#,
        "invalid_value",
        "records",
    );
    expect_fault(
        "unify",
        r#"{"records":[{"mobile":"5550001"},{"mobile":"x"}]}"#,
        "invalid_value",
        "records[1].mobile",
    );
    expect_fault(
        "unify",
        r#"{"link":{"mobile":"5550001"}}"#,
        "missing_field",
        "records",
    );
}

#[test]
fn unlink_is_a_boolean_or_a_string() {
    let unify = |unlink: &str| {
        let records = r#"[{"email":"a@example.com"},{"mobile":"5550001"}]"#;
        let row = format!(r#"{{"records":{records},"unlink":{unlink}}}"#);
        place_as(Some("unify"), &row)
    };
    for (unlink, is_live) in [
        ("false", true),
        ("null", true),
        (r#""false""#, true),
        ("true", false),
        (r#""true""#, false),
    ] {
        let sides = unify(unlink).unwrap();
        assert_eq!(sides.len(), 2);
        for side in &sides {
            assert_eq!(data(side)["live"]["BOOL"], is_live, "{unlink}");
        }
    }
    for wrong in ["1", r#""yes""#] {
        let error = unify(wrong).unwrap_err();
        assert_eq!(error.code.as_str(), "wrong_type", "{wrong}");
    }
}

#[test]
fn leaves_out_unusable_identifiers() {
    let row = r#"{"records":[{"email":"a@example.com"},{"customer_id":"null"},null,{"mobile":"12"},{"link":{"customer_id":"1.2E+11"}},{"customer_id":"7"}]}"#;
    let mapped = mapped(Some("unify"), row).unwrap();
    assert_eq!(mapped.links.len(), 1);
    let warnings: Vec<_> = mapped
        .warnings
        .iter()
        .map(|warning| {
            let field = warning.field.as_deref().unwrap_or_default();
            (warning.code.as_str(), field)
        })
        .collect();
    assert_eq!(
        warnings,
        [
            "records[1].customer_id",
            "records[2]",
            "records[3].mobile",
            "records[4].link.customer_id",
        ]
        .map(|field| ("identifier_left_out", field))
    );
    for (records, code, field) in [
        (
            r#"[{"email":"a@example.com"},{"customer_id":"N/A"}]"#,
            "placeholder_identifier",
            "records[1].customer_id",
        ),
        (
            r#"[null,{"email":"a@example.com"}]"#,
            "missing_field",
            "records[0]",
        ),
        // A mistake of the file's layout concerns every row.
        (
            r#"[{"email":"a@example.com"},{"customer_id":"7"},{"phone":"5550001"}]"#,
            "unknown_field",
            "records[2].phone",
        ),
        (
            r#"[{"email":"a@example.com"},{"customer_id":"7"},{"mobile":"5550001","email":"b@example.com"}]"#,
            "ambiguous_identifier",
            "records[2]",
        ),
    ] {
        expect_fault("unify", &format!(r#"{{"records":{records}}}"#), code, field);
    }
}
