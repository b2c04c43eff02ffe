//! How items stand in DynamoDB: `PK`, `SK`, `version`, `link`, `data`, `expires_at`.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

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
    let mut row = key(item.identity.as_str(), &item.key.to_text());
    if let Some(version) = &item.version {
        row.insert("version".to_owned(), self::version(version));
    }
    if let Some(link) = &item.link {
        row.insert("link".to_owned(), map(&link.to_item()));
    }
    row.insert("data".to_owned(), map(&item.data));
    if let Some(expires_at) = item.expires_at {
        row.insert(
            "expires_at".to_owned(),
            AttributeValue::N(expires_at.to_string()),
        );
    }
    row
}

/// Reads an item of an identity's partition; `None` for what is not one.
pub(super) fn item(row: &Row) -> Option<Item> {
    Some(Item {
        identity: row.get("PK")?.as_s().ok()?.parse().ok()?,
        key: SortKey::parse(row.get("SK")?.as_s().ok()?)?,
        version: held_version(row),
        link: row
            .get("link")
            .and_then(|link| Identifier::from_item(&read_map(link)?)),
        data: row.get("data").and_then(read_map).unwrap_or_default(),
        expires_at: row
            .get("expires_at")
            .and_then(|at| at.as_n().ok()?.parse().ok()),
    })
}

/// Partition key and data of an item of any partition.
pub(super) fn partition_and_data(row: &Row) -> Option<(String, Map)> {
    Some((
        row.get("PK")?.as_s().ok()?.clone(),
        read_map(row.get("data")?)?,
    ))
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

fn read_map(value: &AttributeValue) -> Option<Map> {
    let map = value.as_m().ok()?;
    Some(
        map.iter()
            .map(|(key, value)| (key.clone(), read(value)))
            .collect(),
    )
}

fn read(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(flag) => Value::Bool(*flag),
        AttributeValue::N(text) => Value::Number(text.clone()),
        AttributeValue::S(text) => Value::Text(text.clone()),
        AttributeValue::B(bytes) => Value::Bytes(bytes.as_ref().to_vec()),
        AttributeValue::L(list) => Value::List(list.iter().map(read).collect()),
        AttributeValue::M(map) => Value::Map(
            map.iter()
                .map(|(key, value)| (key.clone(), read(value)))
                .collect(),
        ),
        // Sets are never written.
        _ => Value::Null,
    }
}
