//! Collects what mapping a row finds: errors, warnings, unknown fields, and the values of invalid fields. Empty for a clean row,
//! which then allocates nothing here.

use shared::model::{
    card,
    value::{Map, Value},
};

use super::{UnknownField, path::Path};
use crate::rows::{RowError, Warning, WarningCode};

/// The field that contains the values of invalid fields as strings, by their paths.
pub(super) const INVALID_FIELDS: &str = "invalid_fields";
/// The maximum size of a value in `invalid_fields`, in bytes. A longer one is cut.
const MAX_TEXT_BYTES: usize = 1024;
/// The maximum number of values in `invalid_fields`. Further ones are left out with their warning alone.
const MAX_INVALID: usize = 100;
/// The maximum size of all paths and values in `invalid_fields`, in bytes.
const MAX_INVALID_BYTES: usize = 16 * 1024;
/// The maximum number of unknown fields of a row that are reported.
const MAX_UNKNOWN: usize = 64;
/// The maximum size of the path of an unknown field, in bytes. A longer one is cut.
const MAX_NAME_BYTES: usize = 256;

/// What mapping a row has found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The errors that reject the row, in the order of the fields.
    pub(super) errors: Vec<RowError>,
    pub(super) warnings: Vec<Warning>,
    pub(super) unknown: Vec<UnknownField>,
    invalid: Map,
    invalid_bytes: usize,
}

impl Findings {
    /// Returns the value of a result, or adds its error.
    pub(super) fn keep<T>(&mut self, result: Result<T, RowError>) -> Option<T> {
        result.map_err(|error| self.errors.push(error)).ok()
    }

    pub(super) fn warn(&mut self, code: WarningCode, path: &Path<'_>) {
        self.warnings.push(Warning::at(code, path));
    }

    /// Adds a value that is left out of its place because it breaks its rule.
    pub(super) fn leave_out(&mut self, value: Value, path: &Path<'_>) {
        self.warn(WarningCode::InvalidField, path);
        self.add_invalid(path.to_string(), value);
    }

    /// Adds a field that no rule names. A field of several items of an array is added once.
    pub(super) fn add_unknown(&mut self, path: &Path<'_>, like: Option<&'static str>) {
        let name = cut(path.without_indexes(), MAX_NAME_BYTES);
        let is_listed = self.unknown.iter().any(|field| field.name == name);
        if is_listed || self.unknown.len() >= MAX_UNKNOWN {
            return;
        }
        if like.is_some() {
            self.warn(WarningCode::SimilarField, path);
        }
        self.unknown.push(UnknownField { name, like });
    }

    /// Removes `invalid_fields` of a row and adds its values. A reader adds it for cells without a column, and an exported
    /// record contains it. Its values become strings like those found here.
    pub(super) fn take_given(&mut self, fields: &mut Map) {
        match fields.remove(INVALID_FIELDS) {
            None | Some(Value::Null) => {}
            Some(Value::Map(given)) => {
                for (path, value) in given {
                    self.add_invalid(path, value);
                }
            }
            Some(other) => self.leave_out(other, &Path::Field(&Path::Record, INVALID_FIELDS)),
        }
    }

    /// Adds `invalid_fields` to the data of an item, if there are any.
    pub(super) fn store_invalid(&mut self, data: &mut Map) {
        if !self.invalid.is_empty() {
            data.insert(INVALID_FIELDS, std::mem::take(&mut self.invalid));
        }
    }

    fn add_invalid(&mut self, path: String, value: Value) {
        let text = cut(text_of(value), MAX_TEXT_BYTES);
        let text = match card::mask(&text) {
            (_, 0) => text,
            (masked, _) => masked.into_owned(),
        };
        let bytes = path.len() + text.len();
        if self.invalid.len() < MAX_INVALID && self.invalid_bytes + bytes <= MAX_INVALID_BYTES {
            self.invalid_bytes += bytes;
            self.invalid.insert(path, text);
        }
    }
}

/// Returns a value as a string: an array or object as JSON.
fn text_of(value: Value) -> String {
    match value {
        Value::Text(text) | Value::Number(text) => text,
        other => serde_json::to_string(&other).unwrap_or_default(),
    }
}

/// Cuts a text after at most `most` bytes, and marks the cut with an ellipsis.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('\u{2026}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(findings: &mut Findings) -> Map {
        let mut data = Map::new();
        findings.store_invalid(&mut data);
        data.map(INVALID_FIELDS).cloned().unwrap_or_default()
    }

    #[test]
    fn bounds_what_it_keeps() {
        let mut findings = Findings::default();
        for number in 0..200 {
            let name = format!("field_{number}");
            let value = Value::Text("é".repeat(2_000));
            findings.leave_out(value, &Path::Field(&Path::Record, &name));
        }
        assert_eq!(findings.warnings.len(), 200);
        let kept = stored(&mut findings);
        assert!(kept.len() < 20, "{}", kept.len());
        assert_eq!(kept.text("field_0").unwrap().chars().count(), 513);

        let mut findings = Findings::default();
        for number in 0..200 {
            let name = number.to_string();
            findings.leave_out(true.into(), &Path::Field(&Path::Record, &name));
        }
        assert_eq!(stored(&mut findings).len(), MAX_INVALID);
    }

    #[test]
    fn keeps_values_as_strings() {
        let mut given = Map::new();
        given.insert("2", Value::List(vec![Value::Null, true.into()]));
        given.insert("3", Value::Number("1.50".to_owned()));
        given.insert("4", "card 4111 1111 1111 1111");
        let mut row = Map::new();
        row.insert(INVALID_FIELDS, given);
        let mut findings = Findings::default();
        findings.take_given(&mut row);
        assert!(row.is_empty() && findings.warnings.is_empty());
        let kept = stored(&mut findings);
        for (path, text) in [
            ("2", "[null,true]"),
            ("3", "1.50"),
            ("4", "card **** **** **** 1111"),
        ] {
            assert_eq!(kept.text(path), Some(text));
        }
        let mut row = Map::new();
        row.insert(INVALID_FIELDS, "x");
        findings.take_given(&mut row);
        assert_eq!(stored(&mut findings).text(INVALID_FIELDS), Some("x"));
        assert_eq!(findings.warnings.len(), 1);
    }
}
