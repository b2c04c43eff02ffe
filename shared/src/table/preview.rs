//! Reads writes back without the table, to show what they would store.

use data_encoding::BASE64;
use serde_json::Value as Json;

use super::write::{EncodedMap, Write};
use crate::model::{
    find::Find,
    identifier::Identifier,
    item::Item,
    keys::SortKey,
    value::{Map, Value},
};

impl Write {
    /// Returns the item that the write stores. Returns `None` if it is not an item of an identity.
    pub fn to_item(&self) -> Option<Item> {
        let (partition, sort) = self.key();
        let link = self.link().and_then(decoded);
        Some(Item {
            identity: partition.parse().ok()?,
            key: SortKey::parse(sort)?,
            version: Some(self.version()),
            link: link.and_then(|link| Identifier::from_item(&link)),
            source: self.source().map(str::to_owned),
            data: decoded(self.data())?,
            expires_at: self.expires_at(),
            find: Find::default(),
        })
    }
}

fn decoded(map: &EncodedMap) -> Option<Map> {
    match serde_json::from_str(map.as_str()).ok()? {
        Json::Object(map) => map_of(map),
        _ => None,
    }
}

fn map_of(map: serde_json::Map<String, Json>) -> Option<Map> {
    let entries = map.into_iter();
    entries
        .map(|(name, json)| Some((name, value(json)?)))
        .collect()
}

/// Reads an attribute value, for example `{"S":"text"}`.
fn value(json: Json) -> Option<Value> {
    let Json::Object(attribute) = json else {
        return None;
    };
    let (kind, json) = attribute.into_iter().next()?;
    Some(match (kind.as_str(), json) {
        ("NULL", _) => Value::Null,
        ("BOOL", Json::Bool(flag)) => Value::Bool(flag),
        ("N", Json::String(number)) => Value::Number(number),
        ("S", Json::String(text)) => Value::Text(text),
        ("B", Json::String(bytes)) => Value::Bytes(BASE64.decode(bytes.as_bytes()).ok()?),
        ("L", Json::Array(items)) => {
            Value::List(items.into_iter().map(value).collect::<Option<_>>()?)
        }
        ("M", Json::Object(map)) => Value::Map(map_of(map)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::attribute::tests::any_value;

    proptest! {
        #[test]
        fn values_come_back(values in prop::collection::vec(("[a-z\u{e9}]{1,8}", any_value()), 0..4)) {
            let map: Map = values.into_iter().collect();
            prop_assert_eq!(decoded(&EncodedMap::of(&map)), Some(map));
        }
    }
}
