//! The identifiers that records name: one in `link`, or several in `records`.

use shared::{
    identifier::Identifier,
    value::{Map, Value},
};

use super::{Fault, check::Path};

pub(super) fn link(fields: &mut Map) -> Result<Identifier, Fault> {
    let path = Path::Field(&Path::Record, "link");
    match fields.remove("link") {
        None | Some(Value::Null) => {
            Err(Fault::at(&path, "missing_field", "exactly one identifier"))
        }
        Some(value) => identifier(value, &path),
    }
}

/// One of the links of a unify record: the identifier object itself, or one under `link`.
pub(super) fn unified(value: Value, path: &Path<'_>) -> Result<Identifier, Fault> {
    match value {
        Value::Map(mut map) if map.get("link").is_some() => {
            let path = Path::Field(path, "link");
            identifier(map.remove("link").unwrap_or(Value::Null), &path)
        }
        value => identifier(value, path),
    }
}

pub(super) fn identifier(value: Value, path: &Path<'_>) -> Result<Identifier, Fault> {
    let Value::Map(map) = value else {
        return Err(Fault::at(
            path,
            "wrong_type",
            "an object with exactly one identifier",
        ));
    };
    let mut parts = Vec::new();
    for (name, value) in map.iter() {
        match value {
            Value::Null => {}
            Value::Text(text) | Value::Number(text) => {
                parts.push((name.into(), text.as_str().into()));
            }
            _ => return Err(Fault::at(&Path::Field(path, name), "wrong_type", "a text")),
        }
    }
    Identifier::from_fields(parts).map_err(|error| match &error.field {
        Some(field) => Fault::at(&Path::Field(path, field), error.code, error.expected),
        None => Fault::at(path, error.code, error.expected),
    })
}
