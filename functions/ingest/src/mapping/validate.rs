//! Checks the records of a mapping against the fields of their record types.

use shared::model::value::Value;

use super::{
    document::{Entry, FromCell, KindOfRecord, Make, Mapping, Node},
    fault::Faults,
    target::{Target, extra, needed},
};
use crate::record::{RecordType, path::Path, similar::similar};

/// The fields of an object that names a customer.
const IDENTIFIERS: [&str; 6] = [
    "email",
    "email_sha256",
    "email_md5",
    "mobile",
    "customer_id",
    "external_id",
];
const SYSTEM: &str = "system_name";

/// Reports what is wrong with the records of a mapping.
pub(super) fn validate(mapping: &Mapping, faults: &mut Faults) {
    let records = Path::Field(&Path::Record, "records");
    for (index, entry) in mapping.records.iter().enumerate() {
        let path = Path::Index(&records, index);
        check_entry(entry, &path, faults);
    }
}

fn check_entry(entry: &Entry, path: &Path<'_>, faults: &mut Faults) {
    let kinds = kinds(entry, &Path::Field(path, "type"), faults);
    let Make::Object(fields) = &entry.record.make else {
        return;
    };
    let path = Path::Field(path, "record");
    for (name, node) in fields {
        let field = Path::Field(&path, name);
        let known: Vec<_> = kinds.iter().filter(|kind| knows(**kind, name)).collect();
        match known.first() {
            Some(kind) => {
                let target = Target::Record(**kind).field(name);
                check_value(node, target, &field, faults);
            }
            // The types are known only from the rows.
            None if kinds.is_empty() => check_value(node, Target::Any, &field, faults),
            None => {
                let names = kinds.iter().flat_map(|kind| names(*kind));
                unknown(name, names, &field, faults);
                check_value(node, Target::Any, &field, faults);
            }
        }
    }
    let has = |name: &str| fields.iter().any(|(field, _)| field == name);
    let mut missing: Vec<&str> = Vec::new();
    for kind in &kinds {
        let required = kind
            .fields()
            .iter()
            .filter(|field| field.required)
            .map(|field| field.name);
        missing.extend(
            needed(*kind)
                .iter()
                .copied()
                .chain(required)
                .filter(|name| !has(name)),
        );
        if *kind == RecordType::Product && !["product_id", "sku", "upc"].iter().any(|id| has(id)) {
            missing.push("sku");
        }
    }
    missing.sort_unstable();
    missing.dedup();
    for name in missing {
        faults.error(
            &Path::Field(&path, name),
            "is missing. The record type requires it.",
        );
    }
}

/// Returns the record types that an entry may produce; none if only the rows name them.
fn kinds(entry: &Entry, path: &Path<'_>, faults: &mut Faults) -> Vec<RecordType> {
    let mut kinds = Vec::new();
    match &entry.kind {
        KindOfRecord::Fixed(kind, _) => kinds.push(*kind),
        KindOfRecord::Chosen(node) => {
            let mut names = Vec::new();
            if outcomes(node, &mut names).is_none() {
                // Checked only as far as the rest goes, since a row may name any type.
                names.clear();
            }
            for name in names {
                match name.as_text().map(str::parse) {
                    Some(Ok(kind)) => kinds.push(kind),
                    _ => faults.error(
                        path,
                        "yields a value that is not a record type. Use names such as purchase.",
                    ),
                }
            }
        }
        KindOfRecord::Invalid => {}
    }
    if kinds.contains(&RecordType::Forget) {
        let problem =
            "must not be forget. Only rows of drop/forget/ and drop/mixed/ erase customers.";
        faults.error(path, problem);
    }
    kinds
}

/// Collects the values that a node can yield. Returns `None` if it can yield any.
fn outcomes<'a>(node: &'a Node, values: &mut Vec<&'a Value>) -> Option<()> {
    match &node.make {
        Make::Const(value) => values.push(value),
        Make::First(nodes) => nodes.iter().try_for_each(|node| outcomes(node, values))?,
        Make::From(from) => {
            let lookup = from.steps.values.as_ref()?;
            values.extend(lookup.values.iter().map(|(_, value)| value));
            values.extend(lookup.other.iter().chain(&from.steps.default));
        }
        Make::Invalid => {}
        _ => return None,
    }
    Some(())
}

fn names(kind: RecordType) -> impl Iterator<Item = &'static str> {
    let fields = kind.fields().iter().map(|field| field.name);
    fields.chain(extra(kind).iter().copied())
}

fn knows(kind: RecordType, name: &str) -> bool {
    names(kind).any(|known| known == name)
}

/// Reports an unknown field: as an error if it resembles a known one, else as a warning, since records keep unknown fields.
fn unknown(
    name: &str,
    known: impl Iterator<Item = &'static str>,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    match similar(name, known) {
        Some(like) => faults.error(path, format!("is not a field of the record type. Did you mean `{like}`?")),
        None => faults.warning(
            path,
            "is not a field of the record type. It is stored, but no figure or page uses it. Consider `custom_fields`.",
        ),
    }
}

fn check_value(node: &Node, target: Target, path: &Path<'_>, faults: &mut Faults) {
    match &node.make {
        Make::Object(fields) => check_object(fields, target, path, faults),
        Make::List(nodes) => {
            check_shape(target, Shape::List, path, faults);
            for (index, node) in nodes.iter().enumerate() {
                check_value(node, target.item(), &Path::Index(path, index), faults);
            }
        }
        Make::First(nodes) => {
            let path = Path::Field(path, "first");
            for (index, node) in nodes.iter().enumerate() {
                check_value(node, target, &Path::Index(&path, index), faults);
            }
        }
        Make::Each(each) => {
            check_shape(target, Shape::List, path, faults);
            check_value(&each.value, target.item(), &Path::Field(path, "as"), faults);
        }
        Make::Const(value) => check_const(value, target, path, faults),
        Make::From(from) => check_from(from, target, path, faults),
        Make::Template(_) => check_shape(target, Shape::Scalar, path, faults),
        // A name may yield a list or an object.
        Make::Name(_) | Make::Invalid => {}
    }
}

fn check_object(fields: &[(String, Node)], target: Target, path: &Path<'_>, faults: &mut Faults) {
    check_shape(target, Shape::Object, path, faults);
    for (name, node) in fields {
        let field = Path::Field(path, name);
        match target {
            Target::Object(known, _) if known.iter().all(|known| known.name != name) => {
                unknown(name, known.iter().map(|field| field.name), &field, faults);
            }
            Target::Link if name != SYSTEM && !IDENTIFIERS.contains(&name.as_str()) => {
                let problem = format!(
                    "is not an identifier. Use one of {}, with {SYSTEM} beside an id.",
                    IDENTIFIERS.join(", ")
                );
                faults.error(&field, problem);
            }
            _ => {}
        }
        check_value(node, target.field(name), &field, faults);
    }
    let has = |name: &str| fields.iter().any(|(field, _)| field == name);
    match target {
        Target::Object(known, _) => {
            for field in known
                .iter()
                .filter(|field| field.required && !has(field.name))
            {
                let problem = "is missing. The object requires it.";
                faults.error(&Path::Field(path, field.name), problem);
            }
        }
        Target::Link => {
            if IDENTIFIERS.iter().filter(|name| has(name)).count() != 1 {
                let problem = "must contain exactly one identifier. For alternatives, write {\"first\": [{…}, {…}]}.";
                faults.error(path, problem);
            }
            if has("external_id") && !has(SYSTEM) {
                faults.error(
                    &Path::Field(path, SYSTEM),
                    "is missing. Name the system that the `external_id` belongs to.",
                );
            }
        }
        _ => {}
    }
}

fn check_from(from: &FromCell, target: Target, path: &Path<'_>, faults: &mut Faults) {
    let steps = &from.steps;
    if steps.split.is_some() && steps.part.is_none() {
        check_shape(target, Shape::List, &Path::Field(path, "split"), faults);
    }
    if steps.is_number() && matches!(target, Target::Time | Target::Date | Target::Flag) {
        faults.error(
            path,
            "computes a number, but the field is not one. Remove times, plus, minus and negate.",
        );
    }
    let Some(lookup) = &steps.values else { return };
    let values = Path::Field(path, "values");
    for (cell, value) in &lookup.values {
        check_const(value, target, &Path::Field(&values, cell), faults);
    }
    if let Some(other) = &lookup.other {
        check_const(other, target, &Path::Field(path, "other"), faults);
    }
}

/// Checks a constant as far as its field accepts only some words.
fn check_const(value: &Value, target: Target, path: &Path<'_>, faults: &mut Faults) {
    let shape = match value {
        Value::Null => return,
        Value::List(_) => Shape::List,
        Value::Map(_) => Shape::Object,
        _ => Shape::Scalar,
    };
    check_shape(target, shape, path, faults);
    if let Target::OneOf(words) = target {
        let text = value.as_text().unwrap_or_default();
        if !words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(text.trim()))
        {
            faults.error(path, format!("must be one of {}.", words.join(", ")));
        }
    }
}

/// The shape of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Scalar,
    List,
    Object,
}

fn check_shape(target: Target, shape: Shape, path: &Path<'_>, faults: &mut Faults) {
    let expected = match target {
        Target::Any => return,
        Target::Record(_) | Target::Object(..) | Target::Link | Target::MapOf(_) => Shape::Object,
        Target::List(..) | Target::Links => Shape::List,
        _ => Shape::Scalar,
    };
    if shape != expected {
        let expected = match expected {
            Shape::Scalar => "a single value",
            Shape::List => "a list",
            Shape::Object => "an object",
        };
        faults.error(
            path,
            format!("must be {expected}, as the field of the record type."),
        );
    }
}
