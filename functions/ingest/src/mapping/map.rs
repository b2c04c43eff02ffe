//! Maps rows to records. In: a row, or the rows of a group. Out: the records that they produce, before the rules of their types.

use std::cell::OnceCell;

use shared::model::{
    identifier::Notation,
    value::{Map, Value},
};

use super::{
    budget::Budget,
    document::{Entry, KindOfRecord},
    scope::{Context, Here, Row, Scope},
    target::Target,
};
use crate::{
    record::{RecordType, path::Path},
    rows::{Fields, RowError, RowErrorCode},
};

/// The minimum number of identifiers of a `unify` record.
const MIN_UNIFIED: usize = 2;

/// What a row produces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) records: Vec<Produced>,
    /// Whether the mapping skips the row.
    pub(crate) skipped: bool,
}

/// A record that a mapping produced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Produced {
    pub(crate) record_type: String,
    pub(crate) record: Map,
}

impl Produced {
    /// Returns the fields of the record with its type, as in a file of mixed types.
    ///
    /// # Errors
    /// The record would erase a customer.
    pub(crate) fn into_fields(self, notation: Notation) -> Result<Fields, RowError> {
        if self.record_type.parse() == Ok(RecordType::Forget) {
            return Err(RowError::at(
                &Path::Field(&Path::Record, "record_type"),
                RowErrorCode::InvalidValue,
                "must not be forget. Only rows of drop/forget/ and drop/mixed/ erase customers.",
            ));
        }
        let mut map = self.record;
        map.insert("record_type", self.record_type);
        Ok(Fields {
            map,
            notation,
            warnings: Vec::new(),
        })
    }
}

/// Maps a row, or the adjacent rows of a group.
///
/// # Errors
/// The records are too large, or a condition compares a cell that cannot be read as an amount.
pub(crate) fn map(context: &Context<'_>, rows: &[Row<'_>]) -> Result<Mapped, RowError> {
    let here = match rows {
        [] => return Ok(Mapped::default()),
        [row] if context.mapping.group.is_empty() => context.row(*row),
        rows => Here::Group(rows),
    };
    let budget = Budget::new();
    let error = OnceCell::new();
    let scope = Scope {
        here,
        outer: None,
        budget: &budget,
        error: &error,
    };
    let mapping = context.mapping;
    if mapping
        .skip
        .as_ref()
        .is_some_and(|skip| context.holds(&scope, skip))
    {
        return Ok(Mapped {
            records: Vec::new(),
            skipped: true,
        });
    }
    let mut records = Vec::new();
    for entry in &mapping.records {
        match entry.each {
            None => records.extend(record(context, &scope, entry)),
            Some(list) => {
                let elements = context.elements(&scope, list).into_iter();
                records.extend(elements.filter_map(|here| {
                    record(
                        context,
                        &Scope {
                            here,
                            outer: Some(&scope),
                            ..scope
                        },
                        entry,
                    )
                }));
            }
        }
    }
    if let Some(error) = error.into_inner() {
        return Err(error);
    }
    if budget.is_exceeded() {
        return Err(Budget::error());
    }
    // A row of a kind that no entry is about, such as a page view.
    let skipped = records.is_empty();
    Ok(Mapped { records, skipped })
}

/// Makes the record of an entry; `None` if its condition does not hold, or if nothing of it comes from the file.
fn record<'a>(context: &Context<'a>, scope: &Scope<'a>, entry: &Entry) -> Option<Produced> {
    if entry
        .when
        .as_ref()
        .is_some_and(|when| !context.holds(scope, when))
    {
        return None;
    }
    let (kind, record_type) = match &entry.kind {
        KindOfRecord::Fixed(kind, name) => (Some(*kind), name.clone()),
        KindOfRecord::Chosen(node) => {
            let Value::Text(name) = context.make(scope, node, Target::Any)?.value else {
                return None;
            };
            (name.parse().ok(), name)
        }
        KindOfRecord::Invalid => return None,
    };
    let target = kind.map_or(Target::Any, Target::Record);
    let Value::Map(record) = context.make(scope, &entry.record, target)?.value else {
        return None;
    };
    // Rows without attributes, and with one identifier only, state nothing.
    let states_nothing = match kind {
        Some(RecordType::Attributes) => record.get("attributes").is_none(),
        Some(RecordType::Unify) => record.list("records").len() < MIN_UNIFIED,
        _ => false,
    };
    (!states_nothing).then_some(Produced {
        record_type,
        record,
    })
}
