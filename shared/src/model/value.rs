//! The value of an item's `data`: the types that JSON and DynamoDB have in common, with exact numbers. Conversions are
//! in the modules that need them (`table`, ingest's parser, serde).

use serde::{
    Serialize, Serializer,
    de::DeserializeOwned,
    ser::{Error as _, SerializeMap as _},
};

/// One value. A number keeps its decimal digits as a string, so that money is never rounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// JSON `null`, kept if a custom field contains it.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number as a decimal string of at most 38 significant digits.
    Number(String),
    /// A string.
    Text(String),
    /// Bytes, which JSON writes as base64. Records of files contain none.
    Bytes(Vec<u8>),
    /// An array.
    List(Vec<Value>),
    /// A map.
    Map(Map),
}

/// A map with its keys in order, so that equal maps are serialized equally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map(Vec<(String, Value)>);

impl Value {
    /// Returns the string, if the value is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the map, if the value is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the values of the array; empty for any other value.
    pub fn as_list(&self) -> &[Value] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    /// Returns the number of values: 1, and those inside of an array or a map.
    pub fn count(&self) -> usize {
        match self {
            Self::List(list) => list.iter().map(Self::count).fold(1, usize::saturating_add),
            Self::Map(map) => map.count().saturating_add(1),
            _ => 1,
        }
    }

    /// Returns the approximate memory that the value takes, in bytes.
    fn memory_bytes(&self) -> usize {
        let inside = match self {
            Self::Null | Self::Bool(_) => 0,
            Self::Number(text) | Self::Text(text) => allocated(text.len()),
            Self::Bytes(bytes) => allocated(bytes.len()),
            Self::List(list) => list.iter().map(Self::memory_bytes).sum(),
            Self::Map(map) => map.memory_bytes(),
        };
        size_of::<Self>() + inside
    }
}

/// Returns the memory of an allocation of this many bytes: the allocator adds a header and rounds up.
const fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=24 => 32,
        _ => (bytes + 8).next_multiple_of(16),
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl Map {
    /// Creates an empty map.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the value under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let at = self.position(key).ok()?;
        Some(&self.0[at].1)
    }

    /// Returns the value under `key` for changes.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let at = self.position(key).ok()?;
        Some(&mut self.0[at].1)
    }

    /// Returns the string under `key`, if the value is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// Returns the map under `key`, if the value is one.
    pub fn map(&self, key: &str) -> Option<&Map> {
        self.get(key)?.as_map()
    }

    /// Returns the values of the array under `key`; empty for any other value.
    pub fn list(&self, key: &str) -> &[Value] {
        self.get(key).map_or(&[], Value::as_list)
    }

    /// Returns the boolean under `key`, if the value is one.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Returns the exact number under `key`, if the value is one that fits 28 digits.
    pub fn decimal(&self, key: &str) -> Option<rust_decimal::Decimal> {
        match self.get(key)? {
            Value::Number(text) => decimal(text),
            _ => None,
        }
    }

    /// Stores `value` under `key` and replaces any earlier value.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.position(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// Removes the value under `key` and returns it.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.position(key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Returns the entries in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Returns the entries in key order. Their values can be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        self.0.iter_mut().map(|(key, value)| (key.as_str(), value))
    }

    /// Keeps the entries for which `keeps` returns `true`. It is called once for each entry, in key order.
    pub fn retain(&mut self, mut keeps: impl FnMut(&str, &mut Value) -> bool) {
        self.0.retain_mut(|(key, value)| keeps(key, value));
    }

    /// Returns the number of entries.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the number of values in the map, at any depth.
    pub fn count(&self) -> usize {
        let values = self.0.iter().map(|(_, value)| value.count());
        values.fold(0, usize::saturating_add)
    }

    /// Returns the approximate memory that the map takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let entries = self.0.iter();
        entries
            .map(|(name, value)| size_of::<String>() + allocated(name.len()) + value.memory_bytes())
            .sum()
    }

    /// Returns whether the map is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the index of `key`, or else the index at which it must be inserted.
    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| name.as_str().cmp(key))
    }
}

impl FromIterator<(String, Value)> for Map {
    /// Keeps the last of several entries with the same key, as in JSON.
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        let mut all: Vec<_> = entries.into_iter().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                std::mem::swap(later, kept);
            }
            is_same
        });
        Self(all)
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Parses an exact number, in plain notation or with an exponent.
pub fn decimal(text: &str) -> Option<rust_decimal::Decimal> {
    if text.contains(['e', 'E']) {
        rust_decimal::Decimal::from_scientific(text).ok()
    } else {
        rust_decimal::Decimal::from_str_exact(text).ok()
    }
}

/// Converts a value that serializes as an object to a map.
///
/// # Errors
/// The value does not serialize as an object.
pub fn to_map(value: &impl Serialize) -> Result<Map, serde_json::Error> {
    match serde_json::to_value(value)?.into() {
        Value::Map(map) => Ok(map),
        _ => Err(serde_json::Error::custom("expected an object")),
    }
}

/// Converts a map to a deserializable value.
///
/// # Errors
/// A field is missing or has another type.
pub fn from_map<T: DeserializeOwned>(map: &Map) -> Result<T, serde_json::Error> {
    serde_json::from_value(json_map(map))
}

fn json_map(map: &Map) -> serde_json::Value {
    map.iter()
        .map(|(key, value)| (key.to_owned(), json(value)))
        .collect()
}

/// Converts a value to JSON. A number that fits neither `u64`, `i64` nor `f64` becomes a string.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        // The number parser of `serde_json` may round the last digit of a float.
        Value::Number(text) => {
            let whole = text.parse::<u64>().map(Into::into);
            let whole = whole.or_else(|_| text.parse::<i64>().map(Into::into));
            let float = || serde_json::Number::from_f64(text.parse().ok()?).map(Into::into);
            whole
                .ok()
                .or_else(float)
                .unwrap_or_else(|| text.as_str().into())
        }
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => data_encoding::BASE64.encode(bytes).into(),
        Value::List(list) => list.iter().map(json).collect(),
        Value::Map(map) => json_map(map),
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Bool(flag),
            // `Display` of `f64` writes no exponent, and no decimal places for a whole number.
            serde_json::Value::Number(number) => Self::Number(match number.as_f64() {
                Some(float) if number.is_f64() => float.to_string(),
                _ => number.to_string(),
            }),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(list) => {
                Self::List(list.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(map) => Self::Map(
                map.into_iter()
                    .map(|(key, value)| (key, value.into()))
                    .collect(),
            ),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Number(text) => match serde_json::value::RawValue::from_string(text.clone()) {
                Ok(number) => number.serialize(serializer),
                Err(_) => serializer.serialize_str(text),
            },
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_str(&data_encoding::BASE64.encode(bytes)),
            Self::List(list) => list.serialize(serializer),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            out.serialize_entry(key, value)?;
        }
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_two_entries_stays() {
        let map: Map = [("b", "1"), ("a", "2"), ("b", "3")]
            .map(|(k, v)| (k.to_owned(), Value::from(v)))
            .into_iter()
            .collect();
        assert_eq!(map.text("b"), Some("3"));
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"a":"2","b":"3"}"#);
    }

    #[test]
    fn numbers_print_as_they_are() {
        let number = Value::Number("12345678901234567890.125".into());
        assert_eq!(
            serde_json::to_string(&number).unwrap(),
            "12345678901234567890.125"
        );
        assert_eq!(decimal("1E+2"), decimal("100"));
    }

    #[test]
    fn converts_serializable_values() {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Sample {
            most: u64,
            least: i64,
            share: f64,
            names: Vec<Option<String>>,
        }
        let sample = Sample {
            most: u64::MAX,
            least: i64::MIN,
            share: 2.0,
            names: vec![Some("a".into()), None],
        };
        let map = to_map(&sample).unwrap();
        for (name, number) in [
            ("most", "18446744073709551615"),
            ("least", "-9223372036854775808"),
            ("share", "2"),
        ] {
            assert_eq!(map.get(name), Some(&Value::Number(number.into())), "{name}");
        }
        assert_eq!(map.list("names"), [Value::from("a"), Value::Null]);
        assert_eq!(from_map::<Sample>(&map).unwrap(), sample);
        assert!(from_map::<Sample>(&Map::new()).is_err());
        assert!(to_map(&7).is_err());
    }

    #[test]
    fn values_are_what_they_are_and_nothing_else() {
        let bytes = Value::Bytes(b"hi".to_vec());
        assert_eq!(serde_json::to_string(&bytes).unwrap(), "\"aGk=\"");
        let mut map = Map::new();
        assert!(map.is_empty());
        map.insert("flag", true);
        map.insert("list", Value::List(vec![Value::Null]));
        map.insert("map", Map::new());
        map.insert("number", Value::Number("1.50".into()));
        map.insert("text", String::from("t"));
        assert!(!map.is_empty());
        for (name, _) in map.iter() {
            assert_eq!(map.flag(name), (name == "flag").then_some(true), "{name}");
            assert_eq!(map.list(name).len(), usize::from(name == "list"), "{name}");
            assert_eq!(map.map(name).is_some(), name == "map", "{name}");
            assert_eq!(map.decimal(name).is_some(), name == "number", "{name}");
            assert_eq!(map.text(name), (name == "text").then_some("t"), "{name}");
        }
        assert_eq!(map.decimal("number"), decimal("1.5"));
        assert!(map.get_mut("none").is_none());
        if let Some(text) = map.get_mut("text") {
            *text = "u".into();
        }
        let last = map.clone().into_iter().last();
        assert_eq!(last, Some(("text".to_owned(), "u".into())));
        assert_eq!(map.remove("flag"), Some(Value::Bool(true)));
        assert_eq!((map.remove("flag"), map.iter().count()), (None, 4));
        assert_eq!(decimal("1e400"), None);
        assert_eq!(decimal("x"), None);
    }
}
