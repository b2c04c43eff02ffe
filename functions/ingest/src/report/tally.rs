//! Tallies warnings, reasons of rejects and unknown fields: how often each occurred, and where first.

use serde::{Deserialize, Serialize};

use crate::{
    record::{UnknownField, mask::masked},
    rows::{RowError, Warning},
};

/// The maximum number of entries of each list. Everything else is counted in one more entry, `other`.
const MAX_ENTRIES: usize = 50;
/// The code or name of the entry that counts what has no entry of its own.
const OTHER: &str = "other";
/// The maximum length of a field's path, in characters. Names of fields come from the file.
const MAX_PATH_CHARS: usize = 128;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The line, from 1; `None` if it is unknown.
    pub(crate) line: Option<u64>,
    /// The position in the decompressed content, in bytes.
    pub(crate) offset: u64,
}

/// A warning or the reason of rejects, and how often it occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) code: String,
    /// The path of the field, with `[]` for array indexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) count: u64,
    /// The first place; `None` for a warning about the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<Place>,
}

/// An unknown field, and how often it occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnknownEntry {
    pub(crate) name: String,
    pub(crate) count: u64,
    /// The known field with a similar name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) like: Option<String>,
}

/// The warnings, reasons of rejects and unknown fields of an import or a byte range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unknown_fields: Vec<UnknownEntry>,
}

impl Tally {
    /// Counts a warning. `place` is `None` if it concerns the file.
    pub(crate) fn warn(&mut self, warning: &Warning, place: Option<Place>) {
        count(
            &mut self.warnings,
            Entry {
                code: warning.code.as_str().to_owned(),
                field: warning.field.as_deref().map(shown),
                count: 1,
                first: place,
            },
        );
    }

    /// Counts an error of a rejected row, or of an order of several rows.
    pub(crate) fn reject(&mut self, error: &RowError, rows: u64, place: Place) {
        count(
            &mut self.reasons,
            Entry {
                code: error.code.as_str().to_owned(),
                field: error.field.as_deref().map(shown),
                count: rows,
                first: Some(place),
            },
        );
    }

    /// Counts an unknown field.
    pub(crate) fn unknown(&mut self, field: &UnknownField) {
        let name = shown(&field.name);
        count_unknown(
            &mut self.unknown_fields,
            UnknownEntry {
                name,
                count: 1,
                like: field.like.map(str::to_owned),
            },
        );
    }

    /// Adds the tally of another byte range.
    pub(crate) fn add(&mut self, other: &Self) {
        for entry in &other.warnings {
            count(&mut self.warnings, entry.clone());
        }
        for entry in &other.reasons {
            count(&mut self.reasons, entry.clone());
        }
        for entry in &other.unknown_fields {
            count_unknown(&mut self.unknown_fields, entry.clone());
        }
    }

    /// Sorts warnings and reasons by their first place. Warnings about the file come first.
    pub(crate) fn sort(&mut self) {
        for entries in [&mut self.warnings, &mut self.reasons] {
            entries.sort_by_key(|entry| entry.first.map(|place| place.offset));
        }
    }
}

/// Adds an entry to those with the same code and field.
fn count(entries: &mut Vec<Entry>, mut entry: Entry) {
    let known = entries
        .iter()
        .position(|known| known.code == entry.code && known.field == entry.field);
    let index = known.or_else(|| {
        let is_full = entries.len() >= MAX_ENTRIES;
        is_full.then(|| entries.iter().position(|known| known.code == OTHER))?
    });
    if let Some(known) = index.and_then(|index| entries.get_mut(index)) {
        known.count += entry.count;
        let earlier = |first: &Place| known.first.is_none_or(|known| first.offset < known.offset);
        if let Some(first) = entry.first.filter(earlier) {
            known.first = Some(first);
        }
        return;
    }
    if entries.len() >= MAX_ENTRIES {
        (entry.code, entry.field) = (OTHER.to_owned(), None);
    }
    entries.push(entry);
}

/// Adds an unknown field to those with the same name.
fn count_unknown(entries: &mut Vec<UnknownEntry>, mut entry: UnknownEntry) {
    let is_full = entries.len() >= MAX_ENTRIES;
    let index = entries
        .iter()
        .position(|known| known.name == entry.name)
        // The entry for all others is the last one.
        .or((entries.len() > MAX_ENTRIES).then_some(MAX_ENTRIES));
    if let Some(known) = index.and_then(|index| entries.get_mut(index)) {
        known.count += entry.count;
        return;
    }
    if is_full {
        (entry.name, entry.like) = (OTHER.to_owned(), None);
    }
    entries.push(entry);
}

/// Returns a path as a report contains it: with `[]` for array indexes, so that all items of an array share an entry, without names
/// that identify a customer, and not too long.
fn shown(path: &str) -> String {
    let path = without_indexes(path);
    masked(&path).chars().take(MAX_PATH_CHARS).collect()
}

/// Replaces array indexes in a path by `[]`.
fn without_indexes(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        text += before;
        text += "[";
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rows::{RowErrorCode, WarningCode};

    fn place(offset: u64) -> Place {
        Place {
            line: Some(offset + 1),
            offset,
        }
    }

    fn error(path: &str) -> RowError {
        RowError::at(&path, RowErrorCode::WrongType, "must be a string.")
    }

    #[test]
    fn counts_by_code_and_field() {
        let mut tally = Tally::default();
        tally.reject(&error("products[1].quantity"), 4, place(9));
        tally.reject(&error("products[12].quantity"), 1, place(3));
        tally.reject(&error("purchase_id"), 1, place(4));
        tally.warn(&Warning::whole(WarningCode::NewSource), None);
        tally.warn(
            &Warning::at(WarningCode::InvalidField, &"a[0][7]"),
            Some(place(5)),
        );
        tally.warn(
            &Warning::at(WarningCode::InvalidField, &"x".repeat(200)),
            Some(place(6)),
        );
        let expected = serde_json::json!({
            "warnings": [
                {"code": "new_source", "count": 1},
                {"code": "invalid_field", "field": "a[][]", "count": 1, "first": {"line": 6, "offset": 5}},
                {"code": "invalid_field", "field": "x".repeat(128), "count": 1, "first": {"line": 7, "offset": 6}},
            ],
            "reasons": [
                {"code": "wrong_type", "field": "products[].quantity", "count": 5, "first": {"line": 4, "offset": 3}},
                {"code": "wrong_type", "field": "purchase_id", "count": 1, "first": {"line": 5, "offset": 4}},
            ],
        });
        assert_eq!(serde_json::json!(tally), expected);
        assert_eq!(serde_json::from_value::<Tally>(expected).unwrap(), tally);
    }

    #[test]
    fn counts_unknown_fields() {
        let mut tally = Tally::default();
        for name in ["Currency", "loyalty", "Currency", &"n".repeat(200)] {
            tally.unknown(&UnknownField {
                name: name.to_owned(),
                like: (name == "Currency").then_some("currency"),
            });
        }
        let expected = serde_json::json!([
            {"name": "Currency", "count": 2, "like": "currency"},
            {"name": "loyalty", "count": 1},
            {"name": "n".repeat(128), "count": 1},
        ]);
        assert_eq!(serde_json::json!(tally.unknown_fields), expected);
    }

    /// A file whose objects are keyed by addresses or numbers must not put these into its report.
    #[test]
    fn masks_names_that_identify() {
        let mut tally = Tally::default();
        for name in ["jane.a@x.example", "+61491570157", "shoe_size"] {
            tally.unknown(&UnknownField {
                name: name.to_owned(),
                like: None,
            });
        }
        tally.reject(&error("link.jane.doe@x.example"), 1, place(1));
        let path = "records[1234567].jane@x.example";
        tally.warn(&Warning::at(WarningCode::InvalidField, &path), None);
        let expected = serde_json::json!({
            "warnings": [{"code": "invalid_field", "field": "records[].***", "count": 1}],
            "reasons": [{"code": "wrong_type", "field": "link.***", "count": 1, "first": {"line": 2, "offset": 1}}],
            "unknown_fields": [{"name": "***", "count": 2}, {"name": "shoe_size", "count": 1}],
        });
        assert_eq!(serde_json::json!(tally), expected);
    }

    #[test]
    fn limits_entries() {
        let mut tally = Tally::default();
        for number in 0..60 {
            tally.reject(&error(&format!("f{number}")), 1, place(number));
            tally.unknown(&UnknownField {
                name: format!("f{number}"),
                like: None,
            });
        }
        tally.reject(&error("f7"), 1, place(99));
        assert_eq!(tally.reasons.len(), MAX_ENTRIES + 1);
        let last = serde_json::json!(tally.reasons.last());
        let expected =
            serde_json::json!({"code": "other", "count": 10, "first": {"line": 51, "offset": 50}});
        assert_eq!(last, expected);
        assert_eq!(tally.reasons[7].count, 2);
        let last = serde_json::json!(tally.unknown_fields.last());
        assert_eq!(last, serde_json::json!({"name": "other", "count": 10}));
    }

    proptest! {
        /// Any division into ranges has the same sums.
        #[test]
        fn adds_ranges(rows in prop::collection::vec((0_u8..80, 0_u64..1000), 0..200), cut in 0_usize..200) {
            let tally = |rows: &[(u8, u64)]| {
                let mut tally = Tally::default();
                for (field, offset) in rows {
                    tally.reject(&error(&format!("f{field}")), 1, place(*offset));
                }
                tally
            };
            let (before, after) = rows.split_at(cut.min(rows.len()));
            let mut sum = tally(before);
            sum.add(&tally(after));
            let total = |tally: &Tally| tally.reasons.iter().map(|entry| entry.count).sum::<u64>();
            prop_assert_eq!(total(&sum), rows.len() as u64);
            prop_assert!(sum.reasons.len() <= MAX_ENTRIES + 1);
            if rows.iter().all(|(field, _)| usize::from(*field) < MAX_ENTRIES) {
                prop_assert_eq!(sum, tally(&rows));
            }
        }
    }
}
