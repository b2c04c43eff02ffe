//! A reader of whole files, in place of the streaming one, and the items that records store.

use super::*;

/// The seconds at which the files were last modified.
const LAST_MODIFIED: i64 = 1_800_000_000;

/// The rows of a file.
pub(super) enum File {
    Csv {
        header: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    Json(Vec<Map>),
}

pub(crate) fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/mapping/samples")
        .join(name)
}

pub(super) fn read(name: &str) -> String {
    let text = fs::read_to_string(sample(name)).unwrap();
    text.strip_prefix('\u{FEFF}').unwrap_or(&text).to_owned()
}

pub(super) fn mapping(text: &str) -> Mapping {
    Mapping::read(text.as_bytes())
        .map_err(|faults| format!("{faults:#?}"))
        .unwrap()
        .0
}

pub(super) fn file(name: &str, text: &str) -> File {
    if name.ends_with(".csv") {
        let delimiter = if text.lines().next().unwrap().contains(';') {
            ';'
        } else {
            ','
        };
        let mut rows = csv(text, delimiter).into_iter();
        return File::Csv {
            header: rows.next().unwrap(),
            rows: rows.collect(),
        };
    }
    if text.starts_with('[') {
        let list = json::value(text).unwrap();
        return File::Json(
            list.as_list()
                .iter()
                .map(|row| row.as_map().unwrap().clone())
                .collect(),
        );
    }
    File::Json(objects(text))
}

pub(super) fn objects(text: &str) -> Vec<Map> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| json::object(line).unwrap())
        .collect()
}

fn csv(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            c if quoted => cell.push(c),
            c if c == delimiter => row.push(std::mem::take(&mut cell)),
            '\r' => {}
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

/// Maps a JSON row.
pub(super) fn mapped_row(mapping: &Mapping, row: &Map) -> Result<Mapped, RowError> {
    let context = Context {
        mapping,
        binding: &Binding::default(),
        file: &FileName::new(""),
        identifiers: Identifiers {
            rules: IdentifierRules::default(),
            notation: Notation::Json,
        },
    };
    map(&context, &[Row::Json(row)])
}

/// Maps a whole file whose rows have no errors.
pub(super) fn map_file(mapping: &Mapping, name: &str, file: &File) -> Vec<Mapped> {
    let rows = try_map_file(mapping, name, file).into_iter();
    rows.map(Result::unwrap).collect()
}

/// Maps a whole file.
pub(super) fn try_map_file(
    mapping: &Mapping,
    name: &str,
    file: &File,
) -> Vec<Result<Mapped, RowError>> {
    let (binding, notation) = match file {
        File::Csv { header, .. } => (Binding::new(mapping, header), Notation::Csv),
        File::Json(_) => (Binding::default(), Notation::Json),
    };
    let name = FileName::new(name);
    let context = Context {
        mapping,
        binding: &binding,
        file: &name,
        identifiers: Identifiers {
            rules: IdentifierRules::default(),
            notation,
        },
    };
    match file {
        File::Json(rows) => rows
            .iter()
            .map(|row| map(&context, &[Row::Json(row)]))
            .collect(),
        File::Csv { rows, .. } => {
            let rows: Vec<Vec<Cow<'_, str>>> = rows
                .iter()
                .map(|row| row.iter().map(|cell| Cow::from(cell.as_str())).collect())
                .collect();
            let group = binding.group(mapping).unwrap();
            let key = |row: &[Cow<'_, str>]| -> Vec<String> {
                group
                    .iter()
                    .map(|column| row[*column].to_string())
                    .collect()
            };
            let is_same = |a: &Vec<Cow<'_, str>>, b: &Vec<Cow<'_, str>>| {
                !group.is_empty() && key(a) == key(b)
            };
            rows.chunk_by(is_same)
                .map(|rows| {
                    let rows: Vec<_> = rows.iter().map(|cells| Row::Cells(cells)).collect();
                    map(&context, &rows)
                })
                .collect()
        }
    }
}

/// Maps the fields of a record to items.
fn mapped_record(fields: Fields) -> Result<MappedRecord, Rejection> {
    let key = IdentityKey::new("key").unwrap();
    let context = RecordContext {
        key: &key,
        identifiers: IdentifierRules::default(),
        source: "export",
        record_type: None,
        last_modified: LAST_MODIFIED,
        erasures: Erasures::default(),
        retention: shared::model::retention::Retention::default(),
        denied: &[],
    };
    let version = Version::new(LAST_MODIFIED, "01", ImportId([1; 8]), 0);
    map_record(&context, version, fields)
}

/// Returns the errors of a record.
pub(super) fn errors(fields: Fields) -> Vec<RowError> {
    mapped_record(fields).map_or_else(|rejection| rejection.errors, |_| Vec::new())
}

/// Returns what a record stores: each item, or the error of the record.
pub(super) fn stored(fields: Fields) -> Result<Vec<String>, String> {
    let mapped = mapped_record(fields).map_err(|rejection| format!("{:?}", rejection.errors))?;
    assert_eq!(mapped.warnings, []);
    let links = mapped
        .links
        .iter()
        .flatten()
        .map(|item: &Item| format!("{item:?}"));
    let writes = mapped
        .body
        .iter()
        .chain(&mapped.writes)
        .map(|write: &Write| format!("{write:?}"));
    Ok(writes.chain(links).collect())
}

/// Returns the records of a file as they are stored.
pub(super) fn produced(
    mapping: &Mapping,
    name: &str,
    file: &File,
) -> Vec<Result<Vec<String>, String>> {
    let notation = match file {
        File::Csv { .. } => Notation::Csv,
        File::Json(_) => Notation::Json,
    };
    let records = map_file(mapping, name, file)
        .into_iter()
        .flat_map(|mapped| mapped.records);
    records
        .map(|record| stored(record.into_fields(notation).unwrap()))
        .collect()
}

/// Returns the records of a file as JSON, for messages.
pub(super) fn as_json(mapping: &Mapping, name: &str, file: &File) -> Vec<String> {
    let records = map_file(mapping, name, file)
        .into_iter()
        .flat_map(|mapped| mapped.records);
    records
        .map(|record| {
            let mut map = record.record;
            map.insert("record_type", record.record_type);
            serde_json::to_string(&map).unwrap()
        })
        .collect()
}

/// Returns the expected records as they are stored.
pub(super) fn expected(text: &str) -> Vec<Result<Vec<String>, String>> {
    objects(text)
        .into_iter()
        .map(|map| stored(Fields::from(map)))
        .collect()
}

pub(super) fn text_value(value: &str) -> Value {
    value.into()
}
