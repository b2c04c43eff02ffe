//! How items stand in DynamoDB: `PK`, `SK`, `version`, `link`, `data`, `expires_at`.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use data_encoding::BASE64;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::Row;
use crate::{
    identifier::Identifier,
    item::Item,
    keys::SortKey,
    value::{Map, Value},
    version::Version,
};

/// A primary key.
pub(super) fn key(partition: &str, sort: &str) -> Row {
    HashMap::from([
        ("PK".to_owned(), AttributeValue::S(partition.to_owned())),
        ("SK".to_owned(), AttributeValue::S(sort.to_owned())),
    ])
}

/// The whole of an item.
pub(super) fn row(item: &Item) -> Row {
    row_of(
        (item.identity.as_str(), &item.key.to_text()),
        item.version.as_ref(),
        item.link.as_ref().map(Identifier::to_item).as_ref(),
        &item.data,
        item.expires_at,
    )
}

/// An item, of its parts.
pub(super) fn row_of(
    (partition, sort): (&str, &str),
    version: Option<&Version>,
    link: Option<&Map>,
    data: &Map,
    expires_at: Option<i64>,
) -> Row {
    let mut row = key(partition, sort);
    if let Some(version) = version {
        row.insert("version".to_owned(), self::version(version));
    }
    if let Some(link) = link {
        row.insert("link".to_owned(), map(link));
    }
    row.insert("data".to_owned(), map(data));
    if let Some(end) = expires_at {
        row.insert("expires_at".to_owned(), AttributeValue::N(end.to_string()));
    }
    row
}

/// Reads an item of an identity's partition; `None` for what is not one.
pub(super) fn item(mut row: Row) -> Option<Item> {
    Some(Item {
        identity: row.get("PK")?.as_s().ok()?.parse().ok()?,
        key: SortKey::parse(row.get("SK")?.as_s().ok()?)?,
        version: held_version(&row),
        link: row
            .remove("link")
            .and_then(|link| Identifier::from_item(&read_map(link)?)),
        data: row.remove("data").and_then(read_map).unwrap_or_default(),
        expires_at: row
            .get("expires_at")
            .and_then(|at| at.as_n().ok()?.parse().ok()),
    })
}

/// Partition key and data of an item of any partition.
pub(super) fn partition_and_data(mut row: Row) -> Option<(String, Map)> {
    let data = read_map(row.remove("data")?)?;
    match row.remove("PK")? {
        AttributeValue::S(partition) => Some((partition, data)),
        _ => None,
    }
}

/// The version that a row holds.
pub(super) fn held_version(row: &Row) -> Option<Version> {
    Version::from_bytes(row.get("version")?.as_b().ok()?.as_ref())
}

pub(super) fn version(version: &Version) -> AttributeValue {
    AttributeValue::B(Blob::new(version.as_bytes()))
}

pub(super) fn map(map: &Map) -> AttributeValue {
    AttributeValue::M(
        map.iter()
            .map(|(key, value)| (key.to_owned(), attribute(value)))
            .collect(),
    )
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(text) => AttributeValue::N(text.clone()),
        Value::Text(text) => AttributeValue::S(text.clone()),
        Value::Bytes(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
        Value::List(list) => AttributeValue::L(list.iter().map(attribute).collect()),
        Value::Map(inner) => map(inner),
    }
}

/// A value as DynamoDB's JSON spells it, `{"S": "text"}`; of a map its entries.
pub(super) struct Spelt<'a, T>(pub(super) &'a T);

impl Serialize for Spelt<'_, Map> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, Spelt(value))))
    }
}

impl Serialize for Spelt<'_, Value> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut one = serializer.serialize_map(Some(1))?;
        match self.0 {
            Value::Null => one.serialize_entry("NULL", &true),
            Value::Bool(flag) => one.serialize_entry("BOOL", flag),
            Value::Number(text) => one.serialize_entry("N", text),
            Value::Text(text) => one.serialize_entry("S", text),
            Value::Bytes(bytes) => one.serialize_entry("B", &BASE64.encode(bytes)),
            Value::List(list) => one.serialize_entry("L", &Spelt(list)),
            Value::Map(map) => one.serialize_entry("M", &Spelt(map)),
        }?;
        one.end()
    }
}

impl Serialize for Spelt<'_, Vec<Value>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Spelt))
    }
}

fn read_map(value: AttributeValue) -> Option<Map> {
    match value {
        AttributeValue::M(map) => Some(
            map.into_iter()
                .map(|(key, value)| (key, read(value)))
                .collect(),
        ),
        _ => None,
    }
}

fn read(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::N(text) => Value::Number(text),
        AttributeValue::S(text) => Value::Text(text),
        AttributeValue::B(bytes) => Value::Bytes(bytes.into_inner()),
        AttributeValue::L(list) => Value::List(list.into_iter().map(read).collect()),
        map @ AttributeValue::M(_) => read_map(map).map_or(Value::Null, Value::Map),
        // Sets are never written.
        _ => Value::Null,
    }
}
