//! JSON of a row to values, numbers as they are written. Bounded in depth.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use shared::value::{Map, Value};

use super::Fault;

/// How deep a record may nest.
pub(crate) const MAX_DEPTH: usize = 32;
/// DynamoDB's limit of a number's digits.
const MAX_DIGITS: usize = 38;
/// DynamoDB's limit of a number's magnitude, as a power of ten.
const MAX_EXPONENT: i64 = 125;

/// An object's entries, in their order, the values unread.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some(Name(name)) = map.next_key()? {
                    entries.push((name, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Parses a row that holds one JSON object. The later of two fields with the same name stays.
pub(crate) fn object(row: &str) -> Result<Map, Fault> {
    let raw: &RawValue = serde_json::from_str(row).map_err(|error| {
        Fault::whole(
            "invalid_json",
            format!("JSON: the error is at byte {} of the row", column(&error)),
        )
    })?;
    match read(raw.get(), 1)? {
        Value::Map(map) => Ok(map),
        _ => Err(Fault::whole("not_an_object", "a JSON object")),
    }
}

fn read(text: &str, depth: usize) -> Result<Value, Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::whole(
            "too_deep",
            format!("at most {MAX_DEPTH} levels of nesting"),
        ));
    }
    let broken = |_| Fault::whole("invalid_json", "JSON with valid escapes");
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(text).map_err(broken)?;
            let fields = entries
                .into_iter()
                .map(|(name, raw)| Ok((name.into_owned(), read(raw.get(), depth + 1)?)));
            Value::Map(fields.collect::<Result<Map, Fault>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(broken)?;
            Value::List(
                items
                    .into_iter()
                    .map(|raw| read(raw.get(), depth + 1))
                    .collect::<Result<_, _>>()?,
            )
        }
        Some(b'"') => Value::Text(serde_json::from_str(text).map_err(broken)?),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ => Value::Number(number(text).ok_or_else(|| {
            Fault::whole(
                "invalid_value",
                format!("numbers of at most {MAX_DIGITS} digits"),
            )
        })?),
    })
}

/// The number as it is written, where DynamoDB can keep it exactly.
pub(crate) fn number(text: &str) -> Option<String> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty()
        && (fraction.is_empty() != digits.contains('.'))
        && whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit());
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0').len();
    let magnitude = i64::try_from(whole.trim_start_matches('0').len())
        .ok()?
        .checked_add(exponent)?;
    (is_number && significant <= MAX_DIGITS && magnitude.abs() <= MAX_EXPONENT)
        .then(|| text.to_owned())
}

fn column(error: &serde_json::Error) -> usize {
    error.column().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(row: &str) -> &'static str {
        object(row).unwrap_err().code
    }

    #[test]
    fn numbers_stay_as_written() {
        let map = object(r#"{"a": 12.50, "b": -0.1e2, "c": 100000000000000000000.5}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&map).unwrap(),
            r#"{"a":12.50,"b":-0.1e2,"c":100000000000000000000.5}"#
        );
        assert_eq!(
            code(&format!(r#"{{"a": {}}}"#, "1".repeat(39))),
            "invalid_value"
        );
        assert_eq!(code(r#"{"a": 1e126}"#), "invalid_value");
        assert_eq!(number("1."), None);
        assert_eq!(number(".5"), None);
        assert_eq!(number("1_000"), None);
        assert_eq!(number("+7"), Some("7".into()));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(code("[1]"), "not_an_object");
        assert_eq!(code(""), "invalid_json");
        assert_eq!(code(r#"{"a":1} {"#), "invalid_json");
        assert_eq!(code(r#"{"a":"\ud800"}"#), "invalid_json");
        assert_eq!(
            code(&format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33))),
            "too_deep"
        );
        assert!(object(&format!("{}1{}", r#"{"a":"#.repeat(31), "}".repeat(31))).is_ok());
    }

    proptest! {
        #[test]
        fn any_json_comes_back(text in "[a-z\"\\\\\u{1F600}\u{e9}]{0,12}", number in any::<i64>(), flag: bool) {
            let json = serde_json::json!({"b": [text, number, {"x": flag}], "a": null});
            let map = object(&json.to_string()).unwrap();
            prop_assert_eq!(serde_json::to_value(&map).unwrap(), json);
        }

        #[test]
        fn no_text_panics(text in "[{}\\[\\]\",:a0-9.eE+-]{0,40}") {
            let _ = object(&text);
        }
    }
}
