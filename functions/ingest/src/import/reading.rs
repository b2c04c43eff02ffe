//! How the rows of a file become records: as they are, or by a mapping.

use std::sync::OnceLock;

use bytes::Bytes;
use shared::model::{
    identifier::{IdentifierRules, Notation},
    value::{Map, Value},
};

use crate::{
    import::{
        drop_key::{DropKey, Folder},
        plan::{Plan, Recognized},
    },
    mapping::{self, Binding, Context, FileName, Identifiers, Mapping},
    record::{self, RecordType},
    rows::{
        Fields, Layout, MappedInput, RecordsField, Row, RowError, RowErrorCode, Rows, Warning,
        WarningCode, flat_header,
    },
};

/// How the rows of a file become records.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Rows are records of this type; `None` if each row specifies its own.
    Records(Option<RecordType>),
    /// Rows are rejects of records that specify their own types.
    Rejects,
    /// A mapping makes the records.
    Mapped(Box<MappedReading>),
}

/// The records that a mapping makes of a row, in their order. None if it skips the row.
pub(crate) type Records = Vec<Result<Fields, RowError>>;

impl Reading {
    /// Returns how a planned import reads its rows.
    ///
    /// # Errors
    /// Another release planned the import with a mapping that this one cannot read.
    pub(crate) fn new(
        plan: &Plan,
        drop: &DropKey,
        rules: IdentifierRules,
    ) -> Result<Self, Vec<mapping::Fault>> {
        if let Some(planned) = &plan.mapping {
            let (mapping, _) = Mapping::read(planned.document.as_bytes())?;
            let file = FileName::new(&plan.object.key);
            let mut mapped = MappedReading::new(mapping, file, rules);
            mapped.is_of_rejects = plan.recognized == Some(Recognized::Rejects);
            return Ok(Self::Mapped(Box::new(mapped)));
        }
        Ok(match (&plan.recognized, drop.folder) {
            (Some(Recognized::Rejects), _) => Self::Rejects,
            (Some(Recognized::Type(name)), _) => Self::Records(name.parse().ok()),
            (None, Folder::RecordType(record_type)) => Self::Records(Some(record_type)),
            (None, Folder::Mixed | Folder::Auto | Folder::Mapping) => Self::Records(None),
        })
    }

    /// Returns whether a mapping makes the records, or made them before they were rejected.
    pub(crate) const fn is_mapped(&self) -> bool {
        matches!(self, Self::Rejects | Self::Mapped(_))
    }

    /// Returns the record type of all rows; `None` if each record specifies its own.
    pub(crate) fn record_type(&self) -> Option<RecordType> {
        match self {
            Self::Records(record_type) => *record_type,
            Self::Rejects | Self::Mapped(_) => None,
        }
    }

    /// Returns a reader of a whole file.
    pub(crate) fn rows(&self, layout: Layout) -> Rows {
        match self {
            Self::Records(record_type) => Rows::new(layout, records_field(*record_type)),
            Self::Rejects => Rows::new(layout, RecordsField::Rows),
            Self::Mapped(mapped) => mapped.rows(layout),
        }
    }

    /// Returns the record of a row, unless a mapping makes the records.
    ///
    /// # Errors
    /// The row cannot be read.
    pub(crate) fn record(&self, rows: &Rows, row: &Row) -> Result<Fields, RowError> {
        let fields = rows.fields(row)?;
        match self {
            Self::Rejects if !record::is_reject(&fields.map) => Err(RowError::whole(
                RowErrorCode::InvalidValue,
                "is not a reject, but the first row of the file is. Drop rejects and other rows as separate files.",
            )),
            Self::Rejects => own_type(fields, |_| false),
            Self::Records(_) | Self::Mapped(_) => record::unwrap_reject(fields),
        }
    }

    /// Returns the records of a row, however they are made.
    ///
    /// # Errors
    /// The row cannot be read.
    pub(crate) fn records(&self, rows: &Rows, row: &Row) -> Result<Records, RowError> {
        match self {
            Self::Records(_) | Self::Rejects => Ok(vec![self.record(rows, row)]),
            Self::Mapped(mapped) => mapped.records(rows, row),
        }
    }

    /// Returns the fields of the record that a row refers to, if they can be read.
    pub(crate) fn fields(&self, rows: &Rows, row: &Row) -> Option<Fields> {
        match self {
            Self::Records(_) | Self::Rejects => self.record(rows, row).ok(),
            Self::Mapped(mapped) => {
                let records = mapped.records(rows, row).ok()?;
                records.into_iter().nth(row.record?)?.ok()
            }
        }
    }

    /// Returns a warning for each column that a file lacks, although the mapping computes, decides or names a currency with it. `rows` is
    /// the reader of the file, which has read the header.
    pub(crate) fn missing_columns(&self, rows: &Rows) -> Vec<Warning> {
        let (Self::Mapped(mapped), Some(header)) = (self, rows.header()) else {
            return Vec::new();
        };
        let columns = mapping::absent_columns(&mapped.mapping, mapped.binding(header));
        let columns = columns.iter();
        columns
            .map(|column| Warning::at(WarningCode::MissingColumn, column))
            .collect()
    }

    /// Returns what is given back of a rejected row: the row with its fields, or the record that a mapping made of it.
    pub(crate) fn rejected(&self, rows: &Rows, row: &Row) -> (Row, Option<Fields>) {
        let fields = self.fields(rows, row);
        match (self, fields) {
            (Self::Mapped(_), Some(fields)) => {
                let row = Row {
                    bytes: Bytes::new(),
                    ..row.clone()
                };
                let fields = Fields {
                    warnings: Vec::new(),
                    ..fields
                };
                (row, Some(fields))
            }
            (_, fields) => (row.clone(), fields),
        }
    }
}

/// Returns the meaning of a field `records` in the file's first object.
pub(crate) const fn records_field(record_type: Option<RecordType>) -> RecordsField {
    match record_type {
        Some(RecordType::Unify | RecordType::Forget) => RecordsField::Links,
        Some(_) => RecordsField::Rows,
        None => RecordsField::Undecided,
    }
}

/// Returns the record of a reject, which specifies its own type. Types that link or erase customers need permission.
fn own_type(reject: Fields, may_have: impl Fn(RecordType) -> bool) -> Result<Fields, RowError> {
    let fields = record::unwrap_reject(reject)?;
    let named = fields
        .map
        .text("record_type")
        .and_then(|name| name.parse().ok());
    match named {
        Some(RecordType::Forget | RecordType::Unify) if !named.is_some_and(&may_have) => {
            Err(RowError::at(
                &"record_type",
                RowErrorCode::InvalidValue,
                "must not be forget or unify here. Drop the record into the folder of its type.",
            ))
        }
        _ => Ok(fields),
    }
}

/// A mapping, and what the rows of its file have in common.
#[derive(Debug)]
pub(crate) struct MappedReading {
    mapping: Mapping,
    file: FileName,
    rules: IdentifierRules,
    /// Whether the file contains rejects, which are not written as the export is.
    pub(crate) is_of_rejects: bool,
    /// The columns of the mapping, once the header is read.
    binding: OnceLock<Binding>,
}

impl MappedReading {
    pub(crate) fn new(mapping: Mapping, file: FileName, rules: IdentifierRules) -> Self {
        Self {
            mapping,
            file,
            rules,
            is_of_rejects: false,
            binding: OnceLock::new(),
        }
    }

    fn rows(&self, layout: Layout) -> Rows {
        let input = if self.is_of_rejects {
            MappedInput::default()
        } else {
            self.mapping.input_of(layout.format)
        };
        Rows::mapped(layout, &input)
    }

    /// Returns the records that the mapping makes of a row.
    ///
    /// # Errors
    /// The row cannot be read.
    pub(crate) fn records(&self, rows: &Rows, row: &Row) -> Result<Records, RowError> {
        let Some(header) = rows.header() else {
            return self.records_of_json(rows, row);
        };
        let read = rows.records(row)?;
        let found: Vec<_> = read
            .cells
            .iter()
            .map(|cells| mapping::Row::Cells(cells))
            .collect();
        let binding = self.binding(header);
        let changed = |column: &str| {
            let column = flat_header(header).get(column).copied();
            let cells = read.cells.iter().filter_map(|cells| cells.get(column?));
            cells.map(|cell| cell.as_ref().to_owned()).collect()
        };
        self.map(binding, &found, Notation::Csv, &read.warnings, changed)
    }

    fn binding(&self, header: &[String]) -> &Binding {
        self.binding
            .get_or_init(|| Binding::new(&self.mapping, header))
    }

    fn records_of_json(&self, rows: &Rows, row: &Row) -> Result<Records, RowError> {
        let fields = rows.fields(row)?;
        if record::is_reject(&fields.map) {
            let fields = own_type(fields, |kind| self.mapping.may_make(kind))?;
            if fields.map.get("record_type").is_some() {
                return Ok(vec![Ok(fields)]);
            }
            return self.map_json(&fields);
        }
        self.map_json(&fields)
    }

    fn map_json(&self, fields: &Fields) -> Result<Records, RowError> {
        let binding = self.binding.get_or_init(Binding::default);
        let changed = |path: &str| {
            let value = mapping::find(&fields.map, path).and_then(Value::as_text);
            value.map(str::to_owned).into_iter().collect()
        };
        let rows = [mapping::Row::Json(&fields.map)];
        self.map(binding, &rows, fields.notation, &fields.warnings, changed)
    }

    /// Maps a row, or the rows of a group. `changed` returns the cells with a name of which a warning is.
    fn map(
        &self,
        binding: &Binding,
        rows: &[mapping::Row<'_>],
        notation: Notation,
        warnings: &[Warning],
        changed: impl Fn(&str) -> Vec<String>,
    ) -> Result<Records, RowError> {
        let context = Context {
            mapping: &self.mapping,
            binding,
            file: &self.file,
            identifiers: Identifiers {
                rules: self.rules,
                notation,
            },
        };
        let mapped = mapping::map(&context, rows)?;
        let warnings = changes(warnings, changed);
        let records = mapped.records.into_iter().map(|record| {
            let mut fields = record.into_fields(notation)?;
            for (warning, texts) in &warnings {
                carry(warning, texts, &mut fields);
            }
            Ok(fields)
        });
        Ok(records.collect())
    }
}

/// Returns each warning once, although several rows of a group may have it, with the lowercase texts of its cells.
fn changes(
    warnings: &[Warning],
    changed: impl Fn(&str) -> Vec<String>,
) -> Vec<(&Warning, Vec<String>)> {
    let mut found: Vec<(&Warning, Vec<String>)> = Vec::new();
    for warning in warnings {
        if found.iter().any(|(known, _)| *known == warning) {
            continue;
        }
        let cells = warning.field.as_deref().map(&changed).unwrap_or_default();
        let mut texts: Vec<_> = cells
            .iter()
            .map(|cell| cell.trim().to_lowercase())
            .collect();
        texts.retain(|text| !text.is_empty());
        texts.sort_unstable();
        texts.dedup();
        found.push((warning, texts));
    }
    found
}

/// Adds the warning about cells to the fields of the record that contain their texts.
fn carry(warning: &Warning, texts: &[String], fields: &mut Fields) {
    if warning.field.is_none() {
        fields.warnings.push(warning.clone());
        return;
    }
    let mut places = Vec::new();
    find_texts(&fields.map, texts, "", &mut places);
    let found = places.iter().map(|place| Warning::at(warning.code, place));
    fields.warnings.extend(found);
}

/// Finds the fields that contain one of these texts, whatever its case.
fn find_texts(map: &Map, texts: &[String], path: &str, found: &mut Vec<String>) {
    for (name, value) in map.iter() {
        let path = match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        find_texts_in(value, texts, &path, found);
    }
}

fn find_texts_in(value: &Value, texts: &[String], path: &str, found: &mut Vec<String>) {
    match value {
        Value::Text(field) => {
            let field = field.to_lowercase();
            if texts.iter().any(|text| field.contains(text)) {
                found.push(path.to_owned());
            }
        }
        Value::Map(map) => find_texts(map, texts, path, found),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                find_texts_in(item, texts, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Format;

    /// Returns the warnings of the first record that a mapping makes of a CSV file.
    fn warnings(document: &str, file: &[u8]) -> Vec<String> {
        let (mapping, _) = Mapping::read(document.as_bytes()).unwrap();
        let file_name = FileName::new("drop/pos/a.csv");
        let mapped = MappedReading::new(mapping, file_name, IdentifierRules::default());
        let mut rows = mapped.rows(Layout::new(Format::Csv));
        rows.push(file);
        let row = rows.next().or_else(|| rows.finish()).unwrap();
        let record = mapped.records(&rows, &row).unwrap().remove(0).unwrap();
        let warnings = record.warnings.into_iter();
        warnings.map(|it| it.field.unwrap_or_default()).collect()
    }

    const ORDERS: &str = r#"{"mapping": 1, "group": "No", "records": [{"type": "purchase", "record": {
        "link": {"email": "Mail"}, "action_at": "At", "purchase_id": "No", "type": {"const": "physical"},
        "products": {"each": "rows", "as": {"name": "Item", "quantity": {"const": 1}, "price_paid": {"const": 2}}}}}]}"#;

    #[test]
    fn warnings_of_groups_name_each_field_once() {
        let file =
            b"No,Mail,At,Item\n1,a@example.com,2026-01-01,Caf\xe9\n1,,,Th\xe9\n1,,,Caf\xe9\n";
        let fields = ["products[0].name", "products[1].name", "products[2].name"];
        assert_eq!(warnings(ORDERS, file), fields);
    }

    /// A group whose rows all have a warning takes no more than a group without.
    #[test]
    fn warnings_of_large_groups_are_found_in_time() {
        let mut file = b"No,Mail,At,Item\n".to_vec();
        for line in 0..1_000 {
            let at = if line == 0 {
                "a@example.com,2026-01-01"
            } else {
                ","
            };
            file.extend(format!("1,{at},Caf").bytes());
            file.push(0xe9);
            file.extend(format!(" {line}\n").bytes());
        }
        let found = warnings(ORDERS, &file);
        assert_eq!(found.len(), 1_000);
    }
}
