//! Rejects that are dropped again.

use shared::model::identifier::Notation;

use super::{Fields, json, unwrap_reject};

#[test]
fn unwraps_rejects() {
    let object = |text: &str| json::object(text).unwrap();
    let reject = |record: &str| {
        format!(
            r#"{{"code":"invalid_value","field":"f","line":1,"message":"m","offset":0,"record":{record}}}"#
        )
    };
    let row = r#"{"email_id":"e"}"#;
    let as_text = serde_json::to_string(row).unwrap();
    for given in [
        row.to_owned(),
        reject(row),
        reject(&as_text),
        reject(&reject(row)),
        reject(&reject(&as_text)),
    ] {
        let expected = Fields::from(object(row));
        assert_eq!(unwrap_reject(object(&given)), Ok(expected), "{given}");
    }
    // A row with one more or one less field than a reject is not a reject.
    for own in [
        r#"{"code":"c","message":"m","offset":0,"record":{},"more":1}"#,
        r#"{"code":"c","message":"m","record":{}}"#,
    ] {
        assert_eq!(unwrap_reject(object(own)), Ok(object(own).into()), "{own}");
    }
    let of_csv = reject(row).replace(r#""offset""#, r#""notation":"csv","offset""#);
    for given in [of_csv.clone(), reject(&of_csv)] {
        assert_eq!(
            unwrap_reject(object(&given)).unwrap().notation,
            Notation::Csv,
            "{given}"
        );
    }
    // The bytes of a row in base64: {"email_id":"e"}
    let of_bytes = r#"{"code":"c","message":"m","offset":0,"errors":[],"record_base64":"eyJlbWFpbF9pZCI6ImUifQ=="}"#;
    let expected = Fields::from(object(row));
    assert_eq!(unwrap_reject(object(of_bytes)), Ok(expected));
    let broken = of_bytes.replace("==", "");
    assert_eq!(
        unwrap_reject(object(&broken)).unwrap_err().code.as_str(),
        "invalid_value"
    );
    for (record, code) in [("7", "wrong_type"), ("\"{\"", "invalid_json")] {
        let error = unwrap_reject(object(&reject(record))).unwrap_err();
        assert_eq!(error.code.as_str(), code, "{record}");
    }
}
