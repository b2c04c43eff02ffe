//! Maps attributes records to items: one for each namespace that a record names.

use std::collections::BTreeMap;

use shared::{
    model::{
        keys::SortKey,
        value::{Map, Value, decimal},
    },
    profile::attributes::{RESERVED, is_reserved},
    table::Write,
};

use super::{
    Mapper,
    check::{self, Path, field_error},
    schema,
};
use crate::{
    rows::{RowError, RowErrorCode, json},
    text::grouped,
};

/// The maximum number of namespaces of a record. Each is an item that repeats the record's other fields.
const MAX_NAMESPACES: usize = 100;
/// The maximum number of bytes that a record repeats: its fields except `attributes`, once for each namespace after the first.
const MAX_REPEATED_BYTES: usize = 1 << 20;

impl Mapper<'_> {
    /// Maps a record of attributes. Returns one write for each namespace that no erasure suppresses.
    pub(super) fn attributes(&self, mut fields: Map) -> Result<Vec<Write>, RowError> {
        let link = self.link(&mut fields)?;
        let mut data = check::fields(schema::ATTRIBUTES, fields, &Path::Record)?;
        self.not_ahead(&data, "updated_at")?;
        let Some(Value::Map(attributes)) = data.remove("attributes") else {
            return Err(field_error(
                "attributes",
                RowErrorCode::MissingField,
                "is missing. Add an object of attributes.",
            ));
        };
        let namespaces = by_namespace(attributes)?;
        let repeats = namespaces.len() - 1;
        if repeats > 0 && repeats * Write::map_bytes(&data) > MAX_REPEATED_BYTES {
            return Err(RowError::whole(
                RowErrorCode::RecordTooLarge,
                "repeats more than 1 MiB, the limit: its fields except `attributes`, once for each namespace after the first. Split \
                 the row.",
            ));
        }
        let items = namespaces
            .into_iter()
            .filter_map(|(namespace, attributes)| {
                let mut data = data.clone();
                data.insert("attributes", attributes);
                let source = self.context.source.to_owned();
                self.write(self.item(&link, SortKey::Attributes { source, namespace }, data))
            });
        Ok(items.collect())
    }
}

/// Checks attributes and groups them by their namespaces.
fn by_namespace(attributes: Map) -> Result<BTreeMap<String, Map>, RowError> {
    let mut namespaces: BTreeMap<String, Map> = BTreeMap::new();
    for (name, value) in flattened(attributes) {
        let path = Path::Field(&Path::Record, "attributes");
        let path = Path::Field(&path, &name);
        let parts = name
            .split_once('.')
            .and_then(|(namespace, name)| Some((check::id(namespace)?, check::id(name)?)));
        let (namespace, name) = parts.ok_or_else(|| {
            RowError::at(
                &path,
                RowErrorCode::InvalidValue,
                "must have a name such as sizes.top: a namespace, a dot and a name.",
            )
        })?;
        if is_reserved(namespace) {
            return Err(reserved(&path));
        }
        let value = attribute_value(value, &path)?;
        namespaces
            .entry(namespace.to_owned())
            .or_default()
            .insert(name, value);
    }
    if namespaces.len() > MAX_NAMESPACES {
        return Err(field_error(
            "attributes",
            RowErrorCode::TooMany,
            format!(
                "has {} namespaces; the limit is {MAX_NAMESPACES}. Split the row.",
                grouped(namespaces.len())
            ),
        ));
    }
    if namespaces.is_empty() {
        return Err(field_error(
            "attributes",
            RowErrorCode::InvalidValue,
            "is empty. Add at least one attribute.",
        ));
    }
    Ok(namespaces)
}

/// Creates the error of an attribute in a reserved namespace.
fn reserved(path: &Path<'_>) -> RowError {
    let names = RESERVED.join(", ");
    let problem = format!(
        "is in a reserved namespace ({names}). Use another namespace, or send a customer's fields as a customer_record."
    );
    RowError::at(path, RowErrorCode::ReservedNamespace, problem)
}

/// Returns attributes by `namespace.name`. A namespace that is an object, such as from CSV columns, is flattened.
fn flattened(attributes: Map) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (name, value) in attributes {
        match value {
            Value::Map(inner) if !name.contains('.') => {
                flat.extend(
                    inner
                        .into_iter()
                        .map(|(attribute, value)| (format!("{name}.{attribute}"), value)),
                );
            }
            value => flat.push((name, value)),
        }
    }
    flat
}

/// Checks an attribute: a plain value, or an object with a value and the source's confidence in it.
fn attribute_value(value: Value, path: &Path<'_>) -> Result<Value, RowError> {
    let Value::Map(mut map) = value else {
        return Ok(value);
    };
    let given = map
        .remove("value")
        .ok_or_else(|| RowError::at(path, RowErrorCode::MissingField, "has no `value`. Add it."))?;
    let confidence = map.remove("confidence");
    if let Some((unknown, _)) = map.iter().next() {
        return Err(RowError::at(
            &Path::Field(path, unknown),
            RowErrorCode::UnknownField,
            "is not a field of an attribute. Use `value` and `confidence`.",
        ));
    }
    let mut kept = Map::new();
    kept.insert("value", given);
    if let Some(confidence) = confidence {
        let number = match &confidence {
            Value::Number(text) | Value::Text(text) => json::number(text.trim()),
            _ => None,
        };
        let sure = number
            .filter(|text| decimal(text).is_some_and(|sure| sure >= 0.into() && sure <= 2.into()));
        let Some(sure) = sure else {
            return Err(RowError::at(
                &Path::Field(path, "confidence"),
                RowErrorCode::InvalidValue,
                "must be a number from 0 to 2.",
            ));
        };
        kept.insert("confidence", Value::Number(sure.to_owned()));
    }
    Ok(Value::Map(kept))
}
