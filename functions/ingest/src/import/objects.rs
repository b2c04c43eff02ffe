//! Decides where a JSON file contains the rows of its mapping, from its first objects.

use std::collections::BTreeMap;

use shared::model::value::{Map, Value};

use crate::{
    mapping::{Binding, Mapping, missing_columns},
    record::{self, header},
    source::{FileError, FileErrorKind},
};

/// Where a JSON file contains the rows of its mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowsAt {
    /// Where the mapping expects them.
    Expected,
    /// In the list of this name in each document.
    List(String),
}

/// The beginning of a JSON file.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    /// The first objects in which the mapping expects rows, as far as they can be read.
    pub(crate) objects: Vec<Map>,
    /// The fields of the first object, also if it is too large for a row.
    pub(crate) fields: Map,
    /// The only list of objects in the first object, with the first of its elements.
    pub(crate) list: Option<(String, Vec<Map>)>,
    /// Whether further objects follow the first ones.
    pub(crate) is_part: bool,
}

/// Returns where a file contains the rows: in the only list of its documents, if the documents lack fields that the records need, and
/// elements of the list have more fields that the mapping reads.
///
/// # Errors
/// The objects are the whole file, and have no field that the mapping reads.
pub(crate) fn rows_at(mapping: &Mapping, beginning: Beginning) -> Result<RowsAt, FileError> {
    let Beginning {
        objects,
        fields,
        list,
        is_part,
    } = beginning;
    if objects.iter().any(record::is_reject) {
        return Ok(RowsAt::Expected);
    }
    // A large document has no object that can be read.
    let documents = if objects.is_empty() {
        vec![fields]
    } else {
        objects
    };
    let most_read = |objects: &[Map]| {
        let counts = objects.iter().map(|object| mapping.fields_read_of(object));
        counts.max().unwrap_or_default()
    };
    let read = most_read(&documents);
    let are_rows = documents.iter().any(|document| fits(mapping, document));
    if let Some((name, elements)) = list
        && !are_rows
        && most_read(&elements) > read
    {
        return Ok(RowsAt::List(name));
    }
    let reads_none = mapping.fields_of_rows().next().is_none();
    if read > 0 || is_part || reads_none || documents.iter().all(is_empty_page) {
        return Ok(RowsAt::Expected);
    }
    Err(FileError::new(
        FileErrorKind::Unrecognized,
        foreign(mapping, &documents),
    ))
}

/// Returns whether an object has the fields of which the mapping makes its records. Fields inside of others are not compared.
pub(crate) fn fits(mapping: &Mapping, object: &Map) -> bool {
    let fields: Vec<_> = object.iter().map(|(name, _)| name).collect();
    missing_columns(mapping, &Binding::new(mapping, &fields)).is_empty()
}

/// Returns whether an object contains nothing, as the response of an API that found nothing: it has no field, or an empty list, or null.
fn is_empty_page(object: &Map) -> bool {
    let mut fields = object.iter().map(|(_, value)| value);
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        _ => false,
    };
    object.iter().next().is_none() || fields.any(is_empty)
}

/// Describes objects that have no field of the mapping, and how to correct the file.
fn foreign(mapping: &Mapping, objects: &[Map]) -> String {
    let fields: BTreeMap<&str, &Value> = objects.iter().flat_map(Map::iter).collect();
    let has_objects = |value: &Value| value.as_list().iter().any(|item| item.as_map().is_some());
    let is_plain = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let lists = fields
        .iter()
        .filter(|(name, value)| has_objects(value) && is_plain(name));
    let lists: Vec<_> = lists.map(|(name, _)| (*name).to_owned()).collect();
    let fix = match lists.first() {
        Some(list) => format!(
            "If the rows are in a list ({}), drop its elements as a file of their own, such as the output of `jq -c '.{list}[]'`. Or set \
             \"input\": {{\"rows\": \"{list}\"}} in a mapping of your own.",
            header::listed(&lists)
        ),
        None => {
            "Drop the file into another folder, or correct the names in the mapping.".to_owned()
        }
    };
    let needed: Vec<_> = mapping.fields_of_rows().map(str::to_owned).collect();
    let found: Vec<_> = fields.into_keys().map(str::to_owned).collect();
    format!(
        "None of the first rows has a field that the mapping reads: {}. Fields found: {}. {fix}",
        header::listed(&needed),
        header::listed(&found)
    )
}
