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
    MappedRecord, Mapper, cards, check,
    findings::Findings,
    path::{Path, field_error},
    schema,
};
use crate::{
    rows::{RowError, RowErrorCode, json},
    text::grouped,
};

/// The fields that a record of attributes has besides its data.
const OWN: &[&str] = &["link", "record_type"];
/// The maximum number of namespaces of a record. Each is an item that repeats the record's other fields.
const MAX_NAMESPACES: usize = 100;
/// The maximum number of bytes that a record repeats: its fields except `attributes`, once for each namespace after the first.
const MAX_REPEATED_BYTES: usize = 1 << 20;

impl Mapper<'_> {
    /// Maps a record of attributes. Returns one write for each namespace that no erasure suppresses.
    pub(super) fn attributes(
        &self,
        mut fields: Map,
        findings: &mut Findings,
    ) -> Option<MappedRecord> {
        let link = findings.keep(self.link(&mut fields));
        self.check(schema::ATTRIBUTES, OWN, &mut fields, findings);
        let mut data = fields;
        let attributes = match data.remove("attributes") {
            Some(Value::Map(attributes)) => by_namespace(attributes, findings),
            // An error, which is noted already.
            _ => None,
        };
        let (link, namespaces) = (link?, attributes?);
        let repeats = namespaces.len() - 1;
        if repeats > 0 && repeats * Write::map_bytes(&data) > MAX_REPEATED_BYTES {
            findings.errors.push(RowError::whole(
                RowErrorCode::RecordTooLarge,
                "repeats more than 1 MiB, the limit: its fields except `attributes`, once for each namespace after the first. Split \
                 the row.",
            ));
        }
        if !findings.errors.is_empty() {
            return None;
        }
        let items = namespaces
            .into_iter()
            .filter_map(|(namespace, attributes)| {
                let mut data = data.clone();
                data.insert("attributes", attributes);
                // Only the first item contains them.
                findings.store_invalid(&mut data);
                let source = self.context.source.to_owned();
                self.write(self.item(&link, SortKey::Attributes { source, namespace }, data))
            });
        let writes: Vec<_> = items.collect();
        Some(writes.into())
    }
}

/// Checks attributes and groups them by their namespaces. Attributes that break a rule are left out while one remains. Returns
/// `None` if none remains, or if there are too many namespaces.
fn by_namespace(attributes: Map, findings: &mut Findings) -> Option<BTreeMap<String, Map>> {
    let parent = Path::Field(&Path::Record, "attributes");
    let mut namespaces: BTreeMap<String, Map> = BTreeMap::new();
    let mut invalid = Vec::new();
    for (name, mut value) in flattened(attributes) {
        let path = Path::Field(&parent, &name);
        match checked(&name, &mut value, &path) {
            Ok((namespace, name)) => {
                mask(&mut value, name, &path, findings);
                let attributes = namespaces.entry(namespace.to_owned()).or_default();
                attributes.insert(name, value);
            }
            Err(error) => invalid.push((name, value, error)),
        }
    }
    let problem = match namespaces.len() {
        0 if invalid.is_empty() => (
            RowErrorCode::InvalidValue,
            "is empty. Add at least one attribute.".to_owned(),
        ),
        0 => {
            let errors = invalid.into_iter().map(|(.., error)| error);
            findings.errors.extend(errors);
            return None;
        }
        1..=MAX_NAMESPACES => {
            for (name, value, _) in invalid {
                findings.leave_out(value, &Path::Field(&parent, &name));
            }
            return Some(namespaces);
        }
        count => (
            RowErrorCode::TooMany,
            format!(
                "has {} namespaces; the limit is {MAX_NAMESPACES}. Split the row.",
                grouped(count)
            ),
        ),
    };
    let error = field_error("attributes", problem.0, problem.1);
    findings.errors.push(error);
    None
}

/// Masks card numbers in the value of an attribute.
fn mask(value: &mut Value, name: &str, path: &Path<'_>, findings: &mut Findings) {
    match value {
        Value::Map(map) => {
            if let Some(value) = map.get_mut("value") {
                cards::mask_value(value, name, path, findings);
            }
        }
        value => cards::mask_value(value, name, path, findings),
    }
}

/// Checks an attribute, and converts its value to its stored form. Returns its namespace and its name.
fn checked<'a>(
    name: &'a str,
    value: &mut Value,
    path: &Path<'_>,
) -> Result<(&'a str, &'a str), RowError> {
    let parts = name
        .split_once('.')
        .and_then(|(namespace, name)| Some((check::id(namespace)?, check::id(name)?)));
    let (namespace, name) = parts.ok_or_else(|| {
        RowError::at(
            path,
            RowErrorCode::InvalidValue,
            "must have a name such as sizes.top: a namespace, a dot and a name.",
        )
    })?;
    if is_reserved(namespace) {
        return Err(reserved(path));
    }
    attribute_value(value, path)?;
    Ok((namespace, name))
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

/// Checks an attribute: a plain value, or an object with a value and the source's confidence in it. The value stays unchanged if
/// it breaks a rule.
fn attribute_value(value: &mut Value, path: &Path<'_>) -> Result<(), RowError> {
    let Value::Map(map) = value else {
        return Ok(());
    };
    if map.get("value").is_none() {
        let problem = "has no `value`. Add it.";
        return Err(RowError::at(path, RowErrorCode::MissingField, problem));
    }
    let is_known = |name: &str| matches!(name, "value" | "confidence");
    if let Some((unknown, _)) = map.iter().find(|(name, _)| !is_known(name)) {
        return Err(RowError::at(
            &Path::Field(path, unknown),
            RowErrorCode::UnknownField,
            "is not a field of an attribute. Use `value` and `confidence`.",
        ));
    }
    let Some(confidence) = map.get_mut("confidence") else {
        return Ok(());
    };
    let number = match &*confidence {
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
    *confidence = Value::Number(sure.to_owned());
    Ok(())
}
