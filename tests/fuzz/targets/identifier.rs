//! Identifiers: any JSON object is an identifier, or an error that names its field. A stored identifier is read as the
//! same one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::model::{identifier::Identifier, identity::IdentityKey};

#[derive(arbitrary::Arbitrary, Debug)]
enum Input<'a> {
    Any(&'a str),
    Fields(Vec<(u8, &'a str)>),
}

const NAMES: [&str; 10] = [
    "email",
    "email_sha256",
    "email_md5",
    "mobile",
    "customer_id",
    "system_name",
    "external_id",
    "link_type",
    "link_value",
    "id_type",
];

fuzz_target!(|input: Input<'_>| {
    let object = match input {
        Input::Any(text) => match serde_json::from_str(text) {
            Ok(serde_json::Value::Object(object)) => object,
            _ => return,
        },
        Input::Fields(fields) => fields
            .iter()
            .map(|(name, value)| {
                (
                    NAMES[usize::from(*name) % NAMES.len()].to_owned(),
                    (*value).into(),
                )
            })
            .collect(),
    };
    let identifier = match Identifier::from_json(&object) {
        Ok(identifier) => identifier,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(!identifier.value().is_empty() && identifier.value().len() <= 256);
    assert!(!identifier.value().chars().any(char::is_control));
    let key = IdentityKey::new("key").expect("a key");
    let stored = Identifier::from_item(&identifier.to_item());
    assert_eq!(stored.as_ref(), Some(&identifier));
    let id = key.identity(&identifier);
    assert_eq!(id.as_str().parse(), Ok(id.clone()));
    if let Some(md5) = identifier.as_md5() {
        assert_ne!(key.identity(&md5), id);
    }
});
