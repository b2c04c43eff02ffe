//! Tallies warnings, reasons of rejects and unknown fields: how often each occurred, and where first.

use serde::{Deserialize, Serialize};

use crate::{
    record::UnknownField,
    rows::{RowError, Warning},
};

/// The maximum number of entries of each list. Further ones are counted under `other`.
pub(crate) const MAX_ENTRIES: usize = 50;

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
    /// The path of the field, without array indexes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) count: u64,
    /// The first place; `None` for a warning about the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<Place>,
}

/// An unknown field, and how often it occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnknownEntry {
    pub(crate) name: String,
    pub(crate) count: u64,
    /// The known field with a similar name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) like: Option<String>,
}

/// What an import has to tell about its rows.
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
    pub(crate) fn warn(&mut self, _warning: &Warning, _place: Option<Place>) {}

    /// Counts an error of a rejected row.
    pub(crate) fn reject(&mut self, _error: &RowError, _place: Place) {}

    /// Counts an unknown field.
    pub(crate) fn unknown(&mut self, _field: &UnknownField) {}

    /// Adds the tally of a later byte range.
    pub(crate) fn add(&mut self, _other: &Self) {}
}
