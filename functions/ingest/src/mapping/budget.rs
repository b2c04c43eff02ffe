//! Limits what a mapping makes of a row. Lists inside of lists multiply, and records repeat what they share.

use std::cell::Cell;

use shared::model::value::{Map, Value};

use crate::{
    rows::{RowError, RowErrorCode},
    text::grouped,
};

/// The maximum size of the records of a row, in bytes. A row has at most 1 MiB.
const MAX_MADE_BYTES: usize = 64 << 20;
/// What a value counts in addition to its text, in bytes. Small values take far more memory than their text.
const VALUE_BYTES: usize = 64;

/// What the records of a row may still contain, in bytes; 0 if the limit is exceeded.
#[derive(Debug)]
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(Cell::new(MAX_MADE_BYTES))
    }

    /// Returns whether the limit is exceeded, so that nothing more is made.
    pub(super) fn is_exceeded(&self) -> bool {
        self.0.get() == 0
    }

    /// Counts a value with those inside of it.
    pub(super) fn add(&self, value: &Value) {
        self.add_bytes(size(value));
    }

    /// Counts the elements of a list, whatever is made of them. Returns whether they are within the limit.
    pub(super) fn add_elements(&self, count: usize) -> bool {
        self.add_bytes(count.saturating_mul(VALUE_BYTES));
        !self.is_exceeded()
    }

    fn add_bytes(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes));
    }

    /// Returns the error of a row that exceeds the limit.
    pub(super) fn error() -> RowError {
        let problem = format!(
            "makes records of more than {} bytes, the limit. Split the row or its group, or remove lists inside of lists from the mapping.",
            grouped(MAX_MADE_BYTES)
        );
        RowError::whole(RowErrorCode::RecordTooLarge, problem)
    }
}

fn size(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(text) | Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.iter().map(size).sum(),
        Value::Map(map) => size_of_map(map),
    };
    VALUE_BYTES + inside
}

fn size_of_map(map: &Map) -> usize {
    let entries = map.iter().map(|(name, value)| name.len() + size(value));
    entries.sum()
}
