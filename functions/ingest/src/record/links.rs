//! Parses the identifiers of records: one in `link`, or several in `records`.

use std::borrow::Cow;

use shared::model::{
    identifier::{Identifier, IdentifierError, IdentifierErrorCode, Scalar},
    value::{Map, Value},
};

use super::{Mapper, path::Path};
use crate::rows::{RowError, RowErrorCode, Warning, WarningCode};

/// The errors for which a `unify` row leaves an identifier out, if two remain: it is absent, or its value cannot be used. Other
/// errors are mistakes of the file's layout.
const LEFT_OUT: [RowErrorCode; 5] = [
    RowErrorCode::MissingField,
    RowErrorCode::InvalidUtf8,
    RowErrorCode::InvalidValue,
    RowErrorCode::PlaceholderIdentifier,
    RowErrorCode::RoundedIdentifier,
];

impl Mapper<'_> {
    /// Removes and parses the identifier of a record's customer.
    pub(super) fn link(&self, fields: &mut Map) -> Result<Identifier, RowError> {
        let path = Path::Field(&Path::Record, "link");
        match fields.remove("link") {
            None | Some(Value::Null) => Err(RowError::at(
                &path,
                RowErrorCode::MissingField,
                "is missing. Add exactly one identifier.",
            )),
            Some(value) => self.only_identifier(value, &path),
        }
    }

    /// Parses the `link` of a record. Without this identifier, the row has no customer, so its error suggests to omit the row.
    pub(super) fn only_identifier(
        &self,
        value: Value,
        path: &Path<'_>,
    ) -> Result<Identifier, RowError> {
        self.identifier(value, path).map_err(|mut error| {
            if error.code == RowErrorCode::PlaceholderIdentifier {
                error.problem += " If there is none, omit the row.";
            }
            error
        })
    }

    /// Parses the identifiers of a `unify` row. Also returns the errors of those that are left out.
    pub(super) fn unified(
        &self,
        records: Vec<Value>,
    ) -> Result<(Vec<Identifier>, Vec<RowError>), RowError> {
        let path = Path::Field(&Path::Record, "records");
        let mut identifiers = Vec::with_capacity(records.len());
        let mut left_out = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            match self.named(record, &Path::Index(&path, index)) {
                Ok(identifier) => identifiers.push(identifier),
                Err(error) if LEFT_OUT.contains(&error.code) => left_out.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok((identifiers, left_out))
    }

    /// Parses one of a record's identifiers: the identifier object itself, or one under `link`.
    pub(super) fn named(&self, value: Value, path: &Path<'_>) -> Result<Identifier, RowError> {
        match value {
            Value::Null => Err(RowError::at(
                path,
                RowErrorCode::MissingField,
                "is missing. Add exactly one identifier.",
            )),
            Value::Map(mut map) if map.get("link").is_some() => {
                let path = Path::Field(path, "link");
                self.identifier(map.remove("link").unwrap_or(Value::Null), &path)
            }
            value => self.identifier(value, path),
        }
    }

    /// Parses an identifier object.
    fn identifier(&self, value: Value, path: &Path<'_>) -> Result<Identifier, RowError> {
        let Value::Map(map) = value else {
            return Err(RowError::at(
                path,
                RowErrorCode::WrongType,
                "must be an object with exactly one identifier.",
            ));
        };
        let row_error = |error: IdentifierError| match &error.field {
            Some(field) => {
                RowError::at(&Path::Field(path, field), error.code.into(), error.problem)
            }
            None => RowError::at(path, error.code.into(), error.problem),
        };
        let is_scalar =
            |value: &Value| matches!(value, Value::Null | Value::Text(_) | Value::Number(_));
        if let Some((name, _)) = map.iter().find(|(_, value)| !is_scalar(value)) {
            return Err(row_error(IdentifierError::not_scalar(name)));
        }
        let warned = self.warned_fields(&map, path)?;
        let fields = map.iter().filter_map(|(name, value)| {
            let scalar = match value {
                // A number that was too long to be kept as one.
                Value::Text(text) if warned.contains(&name) => Scalar::Number(Cow::Borrowed(text)),
                // Exports write an empty string for an identifier that the customer does not have.
                Value::Text(text) if text.trim().is_empty() => return None,
                Value::Text(text) => Scalar::Text(Cow::Borrowed(text)),
                Value::Number(number) => Scalar::Number(Cow::Borrowed(number)),
                _ => return None,
            };
            Some((name, scalar))
        });
        let identifier = Identifier::from_fields(fields, self.notation, self.context.identifiers);
        identifier.map_err(row_error)
    }
}

impl Mapper<'_> {
    /// Returns the fields of an identifier object that are numbers which reading kept as strings.
    ///
    /// # Errors
    /// Reading guessed or replaced characters of the identifier, so it may name another customer.
    fn warned_fields<'a>(&self, map: &'a Map, path: &Path<'_>) -> Result<Vec<&'a str>, RowError> {
        let mut numbers = Vec::new();
        for (name, value) in map.iter() {
            let has_replaced = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
            let mut is_unreadable = has_replaced(name) || value.as_text().is_some_and(has_replaced);
            if !self.reading.is_empty() {
                let path = Path::Field(path, name).to_string();
                // A warning without a field covers all fields beyond the limit of a row's warnings.
                let concerns =
                    |warning: &&Warning| warning.field.as_ref().is_none_or(|field| *field == path);
                for warning in self.reading.iter().filter(concerns) {
                    match warning.code {
                        WarningCode::NumberAsText if warning.field.is_some() => numbers.push(name),
                        WarningCode::Windows1252 | WarningCode::ReplacedCharacters => {
                            is_unreadable = true;
                        }
                        _ => {}
                    }
                }
            }
            if is_unreadable {
                return Err(RowError::at(
                    &Path::Field(path, name),
                    RowErrorCode::InvalidUtf8,
                    "has characters that are not valid UTF-8, so it may name another customer. Save the file as UTF-8.",
                ));
            }
        }
        Ok(numbers)
    }
}

impl From<IdentifierErrorCode> for RowErrorCode {
    fn from(code: IdentifierErrorCode) -> Self {
        match code {
            IdentifierErrorCode::UnknownField => Self::UnknownField,
            IdentifierErrorCode::MissingField => Self::MissingField,
            IdentifierErrorCode::Ambiguous => Self::AmbiguousIdentifier,
            IdentifierErrorCode::WrongType => Self::WrongType,
            IdentifierErrorCode::Invalid => Self::InvalidValue,
            IdentifierErrorCode::Placeholder => Self::PlaceholderIdentifier,
            IdentifierErrorCode::Rounded => Self::RoundedIdentifier,
        }
    }
}
