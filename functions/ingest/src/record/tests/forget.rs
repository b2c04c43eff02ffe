//! Forget records: the identities that they erase.

use super::{context, errors, json::object, key, map_record, mapped, version};
use crate::record::forget::ForgetKind;

#[test]
fn erases_one_identity_by_default() {
    let whole = |scope: &str| {
        let row = format!(r#"{{"link":{{"mobile":"5550001"}}{scope}}}"#);
        mapped(Some("forget"), &row)
            .unwrap()
            .forget
            .unwrap()
            .whole_profile
    };
    assert!(!whole(""));
    assert!(!whole(r#","scope":"identity""#));
    assert!(whole(r#","scope":"profile""#));
}

#[test]
fn erases_an_address_with_its_md5() {
    let identities = |row: &str| {
        mapped(Some("forget"), row)
            .unwrap()
            .forget
            .unwrap()
            .identities
    };
    let both = identities(r#"{"link":{"email":"Jane@example.com"}}"#);
    let md5 = identities(r#"{"link":{"email_md5":"9e26471d35a78862c17e467d87cddedf"}}"#);
    let sha = identities(
        r#"{"link":{"email_sha256":"8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"}}"#,
    );
    assert_eq!((both.len(), md5.len(), sha.len()), (2, 1, 1));
    assert!(both.contains(&md5[0]) && both.contains(&sha[0]));
    let forget = mapped(Some("forget"), r#"{"records":[{"mobile":"5550001"},{"link":{"mobile":"+5550001"}}],"scope":"profile","suppress":"true"}"#).unwrap().forget.unwrap();
    assert_eq!(
        (forget.identities.len(), forget.whole_profile, forget.kind),
        (1, true, ForgetKind::Suppress)
    );
}

#[test]
fn takes_ids_of_identities() {
    let id = "a".repeat(26);
    let row = format!(
        r#"{{"identity_ids":["{id}","{id}"],"suppress":true,"erased_at":"2026-01-01T00:00:00Z"}}"#
    );
    let mapped = mapped(Some("forget"), &row).unwrap();
    assert!(mapped.unknown.is_empty());
    let forget = mapped.forget.unwrap();
    assert_eq!(forget.identities, [id.parse().unwrap()]);
    assert_eq!(forget.kind, ForgetKind::Suppress);
    let ids = |count: usize| format!(r#"{{"identity_ids":{:?}}}"#, vec![&id; count]);
    for (row, code, field) in [
        (ids(0), "invalid_value", "identity_ids"),
        (ids(101), "invalid_value", "identity_ids"),
        (
            format!(r#"{{"identity_ids":"{id}"}}"#),
            "wrong_type",
            "identity_ids",
        ),
        (
            r#"{"identity_ids":["jane@example.com"]}"#.to_owned(),
            "invalid_value",
            "identity_ids[0]",
        ),
        (
            r#"{"identity_ids":[7]}"#.to_owned(),
            "invalid_value",
            "identity_ids[0]",
        ),
        (
            format!(r#"{{"identity_ids":["{id}"],"link":{{"mobile":"5550001"}}}}"#),
            "invalid_value",
            "identity_ids",
        ),
        (
            r#"{"identity_ids":null}"#.to_owned(),
            "missing_field",
            "link",
        ),
    ] {
        assert_eq!(errors("forget", &row), [(code, field.to_owned())], "{row}");
    }
}

/// A misspelled option would erase other data than the row means.
#[test]
fn rejects_misspelled_fields() {
    for (fields, unknown) in [
        (r#""reinstated":true"#, &["reinstated"][..]),
        (r#""supress":true,"Scope":"profile""#, &["Scope", "supress"]),
        (
            r#""suppressed":true,"reinstatement":1"#,
            &["reinstatement", "suppressed"],
        ),
        (r#""reason":"asked","case":{"id":7}"#, &[]),
        (r#""suppress":true,"note":null"#, &[]),
        (
            r#""record_type":"forget","erased_at":"2026-01-01T00:00:00Z","scope":null"#,
            &[],
        ),
    ] {
        let row = format!(r#"{{"link":{{"mobile":"5550001"}},{fields}}}"#);
        let rejection = map_record(
            &context(&key(), Some("forget")),
            version(7),
            object(&row).unwrap(),
        );
        let found = rejection.err().map(|rejection| rejection.errors);
        let found = found.unwrap_or_default().into_iter();
        let found: Vec<_> = found
            .map(|error| (error.code.as_str(), error.field.unwrap_or_default()))
            .collect();
        let expected: Vec<_> = unknown
            .iter()
            .map(|name| ("unknown_field", (*name).to_owned()))
            .collect();
        assert_eq!(found, expected, "{row}");
    }
    let error = mapped(
        Some("forget"),
        r#"{"link":{"mobile":"5550001"},"Scope":"profile"}"#,
    );
    assert_eq!(
        error.unwrap_err().problem,
        "is not a field of a forget row. Rename it to `scope`, or remove it. The fields are erased_at, identity_ids, link, record_type, \
         records, reinstate, scope, suppress."
    );
}
