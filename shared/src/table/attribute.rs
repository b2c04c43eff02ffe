//! Converts items to and from DynamoDB attributes: `PK`, `SK`, `version`, `link`, `source`, `data`, `expires_at` and
//! `Find1` to `Find4`.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

use super::Row;
use crate::model::{
    find::Find,
    identifier::Identifier,
    item::Item,
    keys::SortKey,
    value::{Map, Value},
    version::Version,
};

/// Builds the attributes of a primary key.
pub(super) fn key(partition: &str, sort: &str) -> Row {
    HashMap::from([
        ("PK".to_owned(), AttributeValue::S(partition.to_owned())),
        ("SK".to_owned(), AttributeValue::S(sort.to_owned())),
    ])
}

/// Converts an item to a row with all of its attributes.
pub(super) fn row(item: &Item) -> Row {
    let mut row = key(item.identity.as_str(), &item.key.to_text());
    if let Some(version) = &item.version {
        row.insert("version".to_owned(), self::version(version));
    }
    if let Some(link) = &item.link {
        row.insert("link".to_owned(), map(&link.to_item()));
    }
    if let Some(source) = &item.source {
        row.insert("source".to_owned(), AttributeValue::S(source.clone()));
    }
    row.insert("data".to_owned(), map(&item.data));
    if let Some(end) = item.expires_at {
        row.insert("expires_at".to_owned(), AttributeValue::N(end.to_string()));
    }
    for (name, value) in item.find.slots() {
        if let Some(value) = value {
            row.insert(name.to_owned(), AttributeValue::S(value.to_string()));
        }
    }
    row
}

/// Reads an item of an identity's partition. Returns `None` if the row is not such an item.
pub(super) fn item(mut row: Row) -> Option<Item> {
    Some(Item {
        identity: row.get("PK")?.as_s().ok()?.parse().ok()?,
        key: sort_key(&row)?,
        version: version_of(&row),
        link: row
            .remove("link")
            .and_then(|link| Identifier::from_item(&read_map(link)?)),
        source: row
            .get("source")
            .and_then(|source| Some(source.as_s().ok()?.clone())),
        data: row.remove("data").and_then(read_map).unwrap_or_default(),
        expires_at: row
            .get("expires_at")
            .and_then(|at| at.as_n().ok()?.parse().ok()),
        find: Find::default(),
    })
}

/// Reads the sort key of an item, or of a page boundary, in an identity's partition.
pub(super) fn sort_key(row: &Row) -> Option<SortKey> {
    SortKey::parse(row.get("SK")?.as_s().ok()?)
}

/// Returns the partition key and the data of an item of any partition.
pub(super) fn partition_and_data(mut row: Row) -> Option<(String, Map)> {
    let data = read_map(row.remove("data")?)?;
    match row.remove("PK")? {
        AttributeValue::S(partition) => Some((partition, data)),
        _ => None,
    }
}

/// Reads the version of a row. Returns `None` if it has no valid one, for example after a manual repair.
pub(super) fn version_of(row: &Row) -> Option<Version> {
    Version::from_bytes(row.get("version")?.as_b().ok()?.as_ref())
}

/// Converts a version to its attribute.
pub(super) fn version(version: &Version) -> AttributeValue {
    AttributeValue::B(Blob::new(version.as_bytes()))
}

/// Converts a map to its attribute.
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

/// Reads a list. `collect` converts it in place, and keeps the allocation of the attributes, which are larger than values.
fn read_list(list: Vec<AttributeValue>) -> Vec<Value> {
    let mut values: Vec<_> = list.into_iter().map(read).collect();
    values.shrink_to_fit();
    values
}

fn read(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::N(text) => Value::Number(text),
        AttributeValue::S(text) => Value::Text(text),
        AttributeValue::B(bytes) => Value::Bytes(bytes.into_inner()),
        AttributeValue::L(list) => Value::List(read_list(list)),
        map @ AttributeValue::M(_) => read_map(map).map_or(Value::Null, Value::Map),
        // Sets are never written.
        _ => Value::Null,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_keep_no_spare_memory() {
        let nulls = vec![AttributeValue::Null(true); 1_000];
        assert_eq!(read_list(nulls).capacity(), 1_000);
    }

    pub(in crate::table) fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|number| Value::Number(number.to_string())),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|entries| Value::Map(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_map_comes_back(value in any_value()) {
            let mut map = Map::new();
            map.insert("a", value);
            prop_assert_eq!(read_map(self::map(&map)), Some(map));
        }
    }
}
