use proptest::prelude::*;

use super::{IdentifierErrorCode as Code, *};
use crate::model::identity::IdentityKey;

fn parse(json: &str) -> Result<Identifier, IdentifierError> {
    let object: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).unwrap();
    Identifier::from_raw_json(&object, IdentifierRules::default())
}

/// Returns the code and the field of the error.
fn fault(json: &str) -> (Code, String) {
    let error = parse(json).unwrap_err();
    (error.code, error.field.unwrap_or_default())
}

/// Returns the normal form of a field's value.
fn value(name: &str, text: &str, notation: Notation) -> Result<String, IdentifierError> {
    let fields = [(name, Scalar::Text(text.into()))];
    let identifier = Identifier::from_fields(fields, notation, IdentifierRules::default());
    identifier.map(|identifier| identifier.value)
}

#[test]
fn normal_forms() {
    let email = parse(r#"{"email":"  Jane@Fake.com "}"#).unwrap();
    assert_eq!(
        (email.kind(), email.value()),
        (IdentifierType::Email, "jane@fake.com")
    );
    assert_eq!(
        parse(r#"{"mobile":"+61400000000"}"#).unwrap(),
        parse(r#"{"mobile":61400000000}"#).unwrap()
    );
    assert_eq!(
        parse(r#"{"link_type":"customer_id","link_value":"A1"}"#).unwrap(),
        parse(r#"{"customer_id":"A1"}"#).unwrap()
    );
    assert_eq!(
        parse(r#"{"link_type":"external_id","link_value":"A1","id_type":"pos"}"#).unwrap(),
        parse(r#"{"external_id":"A1","system_name":"pos"}"#).unwrap()
    );
    assert_eq!(
        parse(r#"{"customer_id":"Cafe\u0301","system_name":" we\u200bb"}"#).unwrap(),
        parse(r#"{"customer_id":"Caf\u00e9","system_name":"web"}"#).unwrap()
    );
}

#[test]
fn faults_name_their_field() {
    for (json, code, field) in [
        ("{}", Code::MissingField, ""),
        (r#"{"email":"a@b.c","mobile":"1"}"#, Code::Ambiguous, ""),
        (r#"{"email":"a@b"}"#, Code::Invalid, "email"),
        (r#"{"email":"a b@c.d"}"#, Code::Invalid, "email"),
        (r#"{"email":"a@b@c.d"}"#, Code::Invalid, "email"),
        (r#"{"external_id":"1"}"#, Code::MissingField, "system_name"),
        (
            r#"{"email":"a@b.c","system_name":"x"}"#,
            Code::UnknownField,
            "system_name",
        ),
        (r#"{"phone":"1"}"#, Code::UnknownField, "phone"),
        (r#"{"link":{"email":"a@b.c"}}"#, Code::UnknownField, "link"),
        (r#"{"phone":null}"#, Code::UnknownField, "phone"),
        (r#"{"mobile":"12a"}"#, Code::Invalid, "mobile"),
        (r#"{"customer_id":"a\u0000"}"#, Code::Invalid, "customer_id"),
        (
            r#"{"customer_id":"7","system_name":"a\nb"}"#,
            Code::Invalid,
            "system_name",
        ),
        (
            r#"{"link_type":"customer_id","link_value":"7","id_type":"a\nb"}"#,
            Code::Invalid,
            "id_type",
        ),
        (r#"{"email":["a@b.c"]}"#, Code::WrongType, "email"),
        (r#"{"email":true}"#, Code::WrongType, "email"),
        (r#"{"email":null}"#, Code::WrongType, "email"),
        (
            r#"{"customer_id":"7","system_name":null}"#,
            Code::WrongType,
            "system_name",
        ),
        (r#"{"customer_id":"\ud800"}"#, Code::Invalid, "customer_id"),
        (
            r#"{"customer_id":"Null"}"#,
            Code::Placeholder,
            "customer_id",
        ),
        (r#"{"customer_id":0}"#, Code::Placeholder, "customer_id"),
        (r#"{"customer_id":-0.0}"#, Code::Placeholder, "customer_id"),
        (
            r#"{"link_type":"engage.id","link_value":"N/A"}"#,
            Code::Placeholder,
            "link_value",
        ),
        (
            r#"{"external_id":"guest","system_name":"x"}"#,
            Code::Placeholder,
            "external_id",
        ),
        (
            r#"{"email_md5":"D41D8CD98F00B204E9800998ECF8427E"}"#,
            Code::Placeholder,
            "email_md5",
        ),
        (
            r#"{"customer_id":"1.23457E+11"}"#,
            Code::Rounded,
            "customer_id",
        ),
        (
            r#"{"customer_id":1.23457E+11}"#,
            Code::Rounded,
            "customer_id",
        ),
        (r#"{"mobile":6.1E+10}"#, Code::Rounded, "mobile"),
        (r#"{"mobile":61e9}"#, Code::Rounded, "mobile"),
        (r#"{"mobile":614915701.5}"#, Code::Invalid, "mobile"),
    ] {
        assert_eq!(fault(json), (code, field.to_owned()), "{json}");
    }
}

#[test]
fn messages_do_not_repeat_the_value() {
    for (json, value) in [
        (r#"{"email":"Jo <secret@example.com>"}"#, "secret"),
        (r#"{"email":"mailto:secret@example.com"}"#, "secret"),
        (r#"{"customer_id":"[object Object]"}"#, "object"),
        (r#"{"mobile":"0491570157"}"#, "0491570157"),
        (r#"{"customer_id":"9.87654E+11"}"#, "9.87"),
    ] {
        let message = parse(json).unwrap_err().to_string();
        assert!(!message.is_empty() && !message.contains(value), "{message}");
    }
}

#[test]
fn numbers_keep_their_digits() {
    for (number, text) in [
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.10", "1.10"),
        ("1e3", "1000"),
        ("1000.0", "1000"),
        ("7", "7"),
    ] {
        assert_eq!(
            parse(&format!(r#"{{"customer_id":{number}}}"#)).unwrap(),
            parse(&format!(r#"{{"customer_id":"{text}"}}"#)).unwrap(),
            "{number}"
        );
    }
    let long = "9".repeat(MAX_PART_BYTES);
    assert!(parse(&format!(r#"{{"customer_id":{long}}}"#)).is_ok());
    assert!(parse(&format!(r#"{{"customer_id":{long}9}}"#)).is_err());
}

#[test]
fn cells_are_read_as_spreadsheets_write_them() {
    for (name, cell, expected) in [
        ("customer_id", "1017.0", "1017"),
        ("customer_id", "'1017.0", "1017"),
        ("customer_id", "'00123", "00123"),
        ("customer_id", "=\"00123\"", "00123"),
        ("customer_id", "1017.5", "1017.5"),
        ("mobile", "'+61 491 570 156", "61491570156"),
        ("mobile", "=\"61491570156\"", "61491570156"),
        ("mobile", "61491570156.0", "61491570156"),
        ("email", "'jane@example.com", "jane@example.com"),
        ("email", "=\"Jane@example.com\"", "jane@example.com"),
    ] {
        assert_eq!(
            value(name, cell, Notation::Csv).as_deref(),
            Ok(expected),
            "{cell}"
        );
    }
    for (cell, code) in [
        ("0.0", Code::Placeholder),
        ("'null", Code::Placeholder),
        ("=\"N/A\"", Code::Placeholder),
        ("1,23457E+11", Code::Rounded),
        ("'", Code::Invalid),
    ] {
        let error = value("customer_id", cell, Notation::Csv).unwrap_err();
        assert_eq!(error.code, code, "{cell}");
    }
    // JSON strings have no guards and are used as they are.
    for text in ["1017.0", "'00123", "=\"00123\"", "1e3", "12E5"] {
        assert_eq!(
            value("customer_id", text, Notation::Json).as_deref(),
            Ok(text)
        );
    }
}

#[test]
fn items_keep_identifiers() {
    for json in [
        r#"{"email":"jane@fake.com"}"#,
        r#"{"customer_id":"7","system_name":"pos"}"#,
        r#"{"link_type":"engage.id","link_value":"9"}"#,
    ] {
        let identifier = parse(json).unwrap();
        assert_eq!(
            Identifier::from_item(&identifier.to_item()),
            Some(identifier)
        );
    }
}

#[test]
fn the_old_form_is_whole_or_refused() {
    let missing = |name: &str| (Code::MissingField, name.to_owned());
    assert_eq!(fault(r#"{"link_type":"email"}"#), missing("link_value"));
    assert_eq!(fault(r#"{"link_value":"1"}"#), missing("link_type"));
    assert_eq!(fault(r#"{"id_type":"pos"}"#), missing("link_type"));
    for beside in [r#""mobile":"1""#, r#""system_name":"pos""#] {
        let both = format!(r#"{{"link_type":"customer_id","link_value":"1",{beside}}}"#);
        assert_eq!(fault(&both).0, Code::Ambiguous, "{both}");
    }
    let old = |id_type| {
        let json =
            format!(r#"{{"link_type":"customer_id","link_value":"1","id_type":"{id_type}"}}"#);
        parse(&json).unwrap().system().map(str::to_owned)
    };
    assert_eq!(
        (old("pos"), old(" default ")),
        (Some("pos".to_owned()), None)
    );
    let address = parse(r#"{"link_type":"email","link_value":"a@b.c","id_type":"pos"}"#).unwrap();
    assert_eq!(address, parse(r#"{"email":"a@b.c"}"#).unwrap());
}

#[test]
fn hashes_and_ids_have_their_letters() {
    let taken = |name, text: &str| value(name, text, Notation::Json).is_ok();
    for (name, digits) in [("email_sha256", 64), ("email_md5", 32)] {
        assert!(taken(name, &"aB3".repeat(22)[..digits]));
        assert!(!taken(name, &"aB3".repeat(22)[..digits - 1]));
        assert!(!taken(name, &"aG3".repeat(22)[..digits]));
    }
    assert!(taken("customer_id", &"x".repeat(MAX_PART_BYTES)));
    assert!(!taken("customer_id", &"x".repeat(MAX_PART_BYTES + 1)));
    assert!(!taken("customer_id", " ") && !taken("customer_id", "a\tb"));
    assert!(!taken("engage.id", "1"), "of the old form alone");
}

#[test]
fn only_an_address_has_an_md5() {
    let address = parse(r#"{"email":"Jane@fake.com"}"#).unwrap();
    let md5 = address.as_md5().unwrap();
    assert_eq!(md5.kind(), IdentifierType::EmailMd5);
    let digest = md5::Md5::digest("jane@fake.com");
    assert_eq!(md5.value(), data_encoding::HEXLOWER.encode(&digest));
    assert_eq!(md5.as_md5(), None);
}

#[test]
fn digests_are_of_the_normal_form() {
    let address = parse(r#"{"email":"Kim@bücher.example"}"#).unwrap();
    let digest = Sha256::digest("kim@xn--bcher-kva.example");
    let digest = data_encoding::HEXLOWER.encode(&digest);
    let sha256 = parse(&format!(r#"{{"email_sha256":"{digest}"}}"#)).unwrap();
    let key = IdentityKey::new("key").unwrap();
    assert_eq!(key.identity(&address), key.identity(&sha256));
}

const NAMES: [&str; 6] = [
    "email",
    "email_sha256",
    "email_md5",
    "mobile",
    "customer_id",
    "link_value",
];

proptest! {
    #[test]
    fn a_normal_form_is_its_own(name in 0..5_usize, text in "(\\PC|[0-9a-zA-Z@.+ '=\"-]|[\u{300}-\u{30f}]|\u{200b}|\u{130}){0,16}") {
        for notation in [Notation::Json, Notation::Csv] {
            if let Ok(normal) = value(NAMES[name], &text, notation) {
                prop_assert!(!normal.is_empty() && normal.len() <= MAX_PART_BYTES);
                prop_assert!(!normal.chars().any(char::is_control));
                prop_assert_eq!(value(NAMES[name], &normal, notation), Ok(normal.clone()));
                let spelled = format!("\u{feff} {text}\u{200e}\t");
                prop_assert_eq!(value(NAMES[name], &spelled, notation), Ok(normal));
            }
        }
    }

    #[test]
    fn no_field_panics(name in 0..6_usize, text in "\\PC{0,24}", number in "-?(0|[1-9][0-9]{0,30})([.][0-9]{1,9})?([eE][+-]?[0-9]{1,9})?") {
        let text = serde_json::to_string(&text).unwrap();
        for value in [&text, &number] {
            let _ = parse(&format!(r#"{{"{}":{value}}}"#, NAMES[name]));
            let _ = parse(&format!(r#"{{"customer_id":{value},"system_name":{value}}}"#));
        }
    }
}
