//! Finds rows that a later row of the same byte range replaces, because both have the same item.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use shared::{
    model::value::{Map, Value},
    table::Write,
};

use crate::{
    record::{MappedRecord, Rejection},
    rows::Row,
};

/// The number of preceding rows that a row is compared with.
const WINDOW: usize = 16_384;
/// The maximum number of fields that are named when two adjacent rows differ.
pub(crate) const MAX_FIELDS: usize = 10;

/// The preceding rows of a byte range.
#[derive(Debug, Default)]
pub(crate) struct Preceding {
    last: Option<Last>,
    /// The hashes of the items of the rows before the last one, in their order and for the search.
    order: VecDeque<u64>,
    hashes: HashSet<u64>,
}

/// The last row.
#[derive(Debug)]
struct Last {
    item: u64,
    bytes: u64,
    /// The row itself; `None` if an earlier invocation read it.
    row: Option<Row>,
}

/// The relation of a row to the rows before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// No row with the same item is known.
    New,
    /// The row before has the same item and the same bytes.
    Identical,
    /// The row before has the same item and is replaced; `None` if an earlier invocation read it.
    Adjacent(Option<Row>),
    /// An earlier row has the same item and is replaced.
    Earlier,
}

impl Preceding {
    /// Continues after the row that [`Self::to_text`] described.
    pub(crate) fn from_text(text: Option<&str>) -> Self {
        let parse = |text: &str| {
            let (item, bytes) = text.split_once('-')?;
            Some(Last {
                item: u64::from_str_radix(item, 16).ok()?,
                bytes: u64::from_str_radix(bytes, 16).ok()?,
                row: None,
            })
        };
        Self {
            last: text.and_then(parse),
            ..Self::default()
        }
    }

    /// Describes the last row for the next invocation.
    pub(crate) fn to_text(&self) -> Option<String> {
        let last = self.last.as_ref()?;
        let bytes = last.row.as_ref().map_or(last.bytes, hash_of_bytes);
        Some(format!("{:x}-{bytes:x}", last.item))
    }

    /// Adds a row with the key of its item. Returns its relation to the rows before it.
    pub(crate) fn add(&mut self, row: &Row, key: (&str, &str)) -> Relation {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let item = hasher.finish();
        let last = self.last.replace(Last {
            item,
            bytes: 0,
            row: Some(row.clone()),
        });
        let Some(last) = last else {
            return Relation::New;
        };
        if last.item == item {
            let is_identical = match &last.row {
                Some(before) => before.bytes == row.bytes,
                None => last.bytes == hash_of_bytes(row),
            };
            return if is_identical {
                Relation::Identical
            } else {
                Relation::Adjacent(last.row)
            };
        }
        if self.hashes.insert(last.item) {
            self.order.push_back(last.item);
        }
        if self.order.len() > WINDOW
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        if self.hashes.contains(&item) {
            Relation::Earlier
        } else {
            Relation::New
        }
    }
}

fn hash_of_bytes(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&row.bytes);
    hasher.finish()
}

/// Removes the items that a later record of the same row replaces. Returns the numbers of the records without their main items.
pub(crate) fn keep_last(records: &mut [Result<MappedRecord, Rejection>]) -> Vec<usize> {
    let mut replaced = Vec::new();
    for number in (0..records.len().saturating_sub(1)).rev() {
        let (before, after) = records.split_at_mut(number + 1);
        let Some(Ok(record)) = before.last_mut() else {
            continue;
        };
        let later = || after.iter().flatten().flat_map(|record| &record.writes);
        let is_replaced = |write: &Write| later().any(|later| later.key() == write.key());
        if record.writes.first().is_some_and(is_replaced) {
            record.body = None;
            replaced.push(number);
        }
        record.writes.retain(|write| !is_replaced(write));
    }
    replaced
}

/// Returns the paths of the fields in which two records differ, at most [`MAX_FIELDS`].
pub(crate) fn different_fields(before: &Map, after: &Map) -> Vec<String> {
    let mut paths = Vec::new();
    compare_maps("", before, after, &mut paths);
    paths.truncate(MAX_FIELDS);
    paths
}

fn compare_maps(path: &str, before: &Map, after: &Map, paths: &mut Vec<String>) {
    let names = before.iter().chain(after.iter()).map(|(name, _)| name);
    let names: std::collections::BTreeSet<_> = names.collect();
    for name in names {
        let path = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        compare(&path, before.get(name), after.get(name), paths);
    }
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, paths: &mut Vec<String>) {
    if before == after || paths.len() >= MAX_FIELDS {
        return;
    }
    match (before, after) {
        (Some(Value::Map(before)), Some(Value::Map(after))) => {
            compare_maps(path, before, after, paths);
        }
        (Some(Value::List(before)), Some(Value::List(after))) => {
            for index in 0..before.len().max(after.len()) {
                let path = format!("{path}[{index}]");
                compare(&path, before.get(index), after.get(index), paths);
            }
        }
        _ => paths.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::rows::json;

    fn row(text: &'static str) -> Row {
        Row::new(0, 1, Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn relates_rows_by_item() {
        let mut preceding = Preceding::default();
        let mut add = |text, item| preceding.add(&row(text), ("p", item));
        assert_eq!(add("1", "a"), Relation::New);
        assert_eq!(add("1", "a"), Relation::Identical);
        assert_eq!(add("2", "a"), Relation::Adjacent(Some(row("1"))));
        assert_eq!(add("3", "b"), Relation::New);
        assert_eq!(add("4", "a"), Relation::Earlier);
        assert_eq!(add("5", "b"), Relation::Earlier);
    }

    #[test]
    fn remembers_last_row_across_invocations() {
        let mut preceding = Preceding::default();
        assert_eq!(preceding.to_text(), None);
        preceding.add(&row("1"), ("p", "a"));
        let text = preceding.to_text();
        let next = |text, item| {
            Preceding::from_text(text).add(&row(if item == "a" { "1" } else { "2" }), ("p", "a"))
        };
        assert_eq!(next(text.as_deref(), "a"), Relation::Identical);
        assert_eq!(next(text.as_deref(), "b"), Relation::Adjacent(None));
        assert_eq!(next(None, "a"), Relation::New);
        // An invocation that reads no row passes the description on.
        assert_eq!(Preceding::from_text(text.as_deref()).to_text(), text);
    }

    #[test]
    fn forgets_rows_outside_the_window() {
        let mut preceding = Preceding::default();
        for number in 0..WINDOW + 2 {
            let relation = preceding.add(&row("1"), ("p", &number.to_string()));
            assert_eq!(relation, Relation::New);
        }
        assert_eq!(preceding.add(&row("1"), ("p", "0")), Relation::New);
        assert_eq!(preceding.add(&row("1"), ("p", "9")), Relation::Earlier);
        assert!(preceding.order.len() <= WINDOW);
        assert_eq!(preceding.order.len(), preceding.hashes.len());
    }

    #[test]
    fn names_different_fields() {
        let fields = |before, after| {
            different_fields(
                &json::object(before).unwrap(),
                &json::object(after).unwrap(),
            )
        };
        assert_eq!(
            fields(
                r#"{"a":1,"b":{"c":[1,{"d":2}],"e":3},"f":4}"#,
                r#"{"a":1,"b":{"c":[1,{"d":5},6],"e":"3"}}"#
            ),
            ["b.c[1].d", "b.c[2]", "b.e", "f"]
        );
        assert_eq!(fields("{}", "{}"), [""; 0]);
    }
}
