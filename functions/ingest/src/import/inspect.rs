//! Looks at the beginning of a dropped file before its import is planned: how it is written, what its rows are, and whether its header
//! fits.

use std::collections::BTreeSet;

use shared::model::value::Map;

use crate::{
    IngestError,
    import::{
        drop_key::{DropKey, is_allowed_source},
        mappings::Candidates,
        objects::{self, Beginning, RowsAt},
        reading::records_field,
    },
    mapping::{self, Binding, Mapping, Nearest, Shown},
    record::{self, RecordType, document, header},
    rows::{self, Format, Layout, MappedInput, RecordsField, Row, RowErrorCode, Rows},
    source::inflate::{Inflated, Peeked},
    source::{FileError, FileErrorKind},
};

/// The number of rows that are compared with the header, or from which a JSON file is recognized.
const SAMPLE_ROWS: u64 = 20;
/// The minimum number of rows that show that the header is wrong. A single row may be wrong itself.
const MIN_SAMPLE_ROWS: usize = 2;

/// What the folder of a file specifies about its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected<'a> {
    /// Records of one type; `None` if each row specifies its own.
    Records(Option<RecordType>),
    /// The rows of a mapping.
    Mapping(&'a Mapping),
    /// One of these, or records of one type.
    Recognizable(&'a Candidates),
}

/// What the beginning of a file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inspected {
    /// The file contains nothing but whitespace.
    Empty,
    /// The file has rows.
    Content(Layout, Contents),
}

/// What the rows of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// What the folder says.
    AsExpected,
    /// The rows of the mapping of this name.
    Mapping(String),
    /// What the folder says, in the list of this name in each JSON document.
    List(String),
    /// Records of the type of this name.
    Records(&'static str),
    /// Rejects of records that specify their own types, with their source if they name it.
    Rejects(Option<String>),
}

/// Inspects the beginning of a file. Its bytes are read again later. The inner error is that of the file.
pub(crate) async fn inspect(
    stream: &mut Inflated<'_>,
    drop: &DropKey,
    expected: Expected<'_>,
) -> Result<Result<Inspected, FileError>, IngestError> {
    let decided = stream.peek(|peeked| decide(drop, expected, peeked).transpose());
    let undecided = || {
        let layout = Layout::new(Format::Ndjson);
        Ok(Inspected::Content(layout, Contents::AsExpected))
    };
    Ok(decided.await?.unwrap_or_else(undecided))
}

/// Returns what the beginning of a file shows; `None` if more of the file is needed.
pub(crate) fn decide(
    drop: &DropKey,
    expected: Expected<'_>,
    peeked: Peeked<'_>,
) -> Result<Option<Inspected>, FileError> {
    let Peeked { start, extent, .. } = peeked;
    if extent.is_whole() && !peeked.is_broken && rows::is_blank(start) {
        return Ok(Some(Inspected::Empty));
    }
    if let Expected::Mapping(_) = expected {
        match rejects(drop, peeked) {
            Rejects::Undecided => return Ok(None),
            Rejects::Found(layout) => {
                return Ok(Some(Inspected::Content(layout, Contents::Rejects(None))));
            }
            Rejects::None => {}
        }
    }
    let Some(layout) = layout(drop, expected, peeked)? else {
        return Ok(None);
    };
    let found = match (expected, layout.format) {
        (Expected::Records(record_type), Format::Csv) => {
            records_in_table(layout, record_type, peeked)?
        }
        (Expected::Mapping(mapping), Format::Csv) => mapped_table(layout, mapping, peeked)?,
        (Expected::Mapping(mapping), _) => mapped_objects(layout, mapping, peeked)?,
        (Expected::Records(record_type), _) => records_in_json(layout, record_type, peeked)?,
        (Expected::Recognizable(candidates), Format::Csv) => table(layout, candidates, peeked)?,
        (Expected::Recognizable(candidates), _) => objects(layout, candidates, peeked)?,
    };
    Ok(found.map(|contents| Inspected::Content(layout.of(&contents), contents)))
}

impl Layout {
    /// Returns how a file with these contents is read. Lists are read from the start of the file.
    fn of(self, contents: &Contents) -> Self {
        match contents {
            Contents::List(_) => Self {
                format: Format::Json,
                ..self
            },
            _ => self,
        }
    }
}

/// Whether a file contains rejects.
enum Rejects {
    /// The file contains rejects, in this layout.
    Found(Layout),
    None,
    /// More of the file is needed.
    Undecided,
}

/// Returns whether a file contains rejects: its first row is one. Rejects are JSON, whatever a mapping specifies about its export.
fn rejects(drop: &DropKey, peeked: Peeked<'_>) -> Rejects {
    let layout = match Layout::detect(drop.format, peeked.start, peeked.extent) {
        Ok(Some(layout)) if layout.format == Format::Csv => return Rejects::None,
        Ok(Some(layout)) => layout,
        Ok(None) => return Rejects::Undecided,
        Err(_) => return Rejects::None,
    };
    let mut rows = Rows::new(layout, RecordsField::Rows);
    rows.push(peeked.start);
    let first = rows
        .next()
        .or_else(|| peeked.ahead().is_whole().then(|| rows.finish())?);
    match first.map(|row| rows.fields(&row)) {
        Some(Ok(fields)) if record::is_reject(&fields.map) => Rejects::Found(layout),
        None if !peeked.ahead().is_whole() && rows.error().is_none() => Rejects::Undecided,
        _ => Rejects::None,
    }
}

/// Returns how the file is written; `None` if more of it is needed. What a mapping specifies applies.
fn layout(
    drop: &DropKey,
    expected: Expected<'_>,
    peeked: Peeked<'_>,
) -> Result<Option<Layout>, FileError> {
    let Peeked { start, extent, .. } = peeked;
    let Expected::Mapping(mapping) = expected else {
        return Layout::detect(drop.format, start, extent);
    };
    let input = &mapping.input;
    // The lines before a header look like any text.
    let table = (input.skip_lines > 0).then_some(Format::Csv);
    let named = input.format.or(drop.format).or(table);
    let Some(mut layout) = Layout::detect(named, start, extent)? else {
        return Ok(None);
    };
    if input.skip_lines > 0 {
        layout.format = input.format.unwrap_or(layout.format);
    }
    match layout.format {
        // Rejects are JSON, whatever the format of the file that they come from.
        Format::Json | Format::Ndjson if input.format == Some(Format::Csv) => {
            return Ok(Some(layout));
        }
        // Such files are not divided into ranges.
        Format::Ndjson if input.rows.is_some() || input.skip_lines > 0 => {
            layout.format = Format::Json
        }
        Format::Json | Format::Ndjson => {}
        Format::Csv => {
            let found = layout.delimited_after(input.skip_lines, start, peeked.ahead());
            let Some(found) = found.transpose()? else {
                return Ok(None);
            };
            layout.delimiter = input.delimiter.or(found.delimiter);
        }
    }
    layout.encoding = input.encoding.unwrap_or(layout.encoding);
    Ok(Some(layout))
}

/// Checks the header of a CSV file of records. Returns `None` if more of the file is needed.
///
/// # Errors
/// No column can name the customer, or the header has another number of columns than each of the first rows.
fn records_in_table(
    layout: Layout,
    record_type: Option<RecordType>,
    peeked: Peeked<'_>,
) -> Result<Option<Contents>, FileError> {
    let Some(columns) = layout.columns(peeked.start, peeked.ahead()) else {
        return Ok(None);
    };
    header::check(&columns, record_type)?;
    let rows = Rows::new(layout, records_field(record_type));
    let is_checked = has_fitting_rows(rows, &columns, peeked)?;
    Ok(is_checked.then_some(Contents::AsExpected))
}

/// Checks that the rows of a JSON file of records are read. Returns `None` if more of the file is needed.
///
/// # Errors
/// The rows are in a list that is not read, or are joined by commas.
fn records_in_json(
    layout: Layout,
    record_type: Option<RecordType>,
    peeked: Peeked<'_>,
) -> Result<Option<Contents>, FileError> {
    let known = document::known_fields(record_type);
    match layout.unread_rows(peeked.start, peeked.ahead(), &known) {
        None => Ok(None),
        Some(None) => Ok(Some(Contents::AsExpected)),
        Some(Some(unread)) => Err(document::unread(&unread, record_type)),
    }
}

/// Checks the header of a CSV file that a mapping reads. Returns `None` if more of the file is needed.
///
/// # Errors
/// Columns that the records need are missing, or the header has another number of columns than each of the first rows.
fn mapped_table(
    layout: Layout,
    mapping: &Mapping,
    peeked: Peeked<'_>,
) -> Result<Option<Contents>, FileError> {
    let skip_lines = mapping.input.skip_lines;
    let Some(columns) = layout.columns_after(skip_lines, peeked.start, peeked.ahead()) else {
        return Ok(None);
    };
    if columns.is_empty() {
        // Reading the file reports the error of the header.
        return Ok(Some(Contents::AsExpected));
    }
    check_columns(&columns, mapping)?;
    let rows = Rows::mapped(layout, &mapping.input_of(layout.format));
    let is_checked = has_fitting_rows(rows, &columns, peeked)?;
    Ok(is_checked.then_some(Contents::AsExpected))
}

/// Checks that the records of a mapping can be made of these columns.
///
/// # Errors
/// Columns are missing.
fn check_columns(columns: &[String], mapping: &Mapping) -> Result<(), FileError> {
    let binding = Binding::new(mapping, columns);
    let missing = mapping::missing_columns(mapping, &binding);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    let detail = format!(
        "The mapping needs columns that are missing: {}. {} Export the file with them, or drop it into another folder.",
        names.join(", "),
        header::found(columns)
    );
    Err(FileError::new(FileErrorKind::InvalidCsvHeader, detail))
}

/// Finds the rows of a JSON file that a mapping reads. Returns `None` if more of the file is needed.
///
/// # Errors
/// The first rows have no field that the mapping reads.
fn mapped_objects(
    layout: Layout,
    mapping: &Mapping,
    peeked: Peeked<'_>,
) -> Result<Option<Contents>, FileError> {
    let input = mapping.input_of(layout.format);
    let (objects, is_enough) = sample_objects(layout, &input, peeked);
    let outline = layout.outline(input.skip_lines, peeked.start);
    // A path of rows needs JSON.
    let is_json = mapping.input.format.is_none_or(|it| it == Format::Json);
    let list = match outline.lists.as_slice() {
        [name] if is_json && input.rows.is_none() => Some(name),
        _ => None,
    };
    let is_row = |object: &Map| match list {
        Some(_) => objects::fits(mapping, object),
        None => mapping.fields_read_of(object) > 0,
    };
    // One row is enough to know that the others are where the mapping expects them. The outline of a row whose end is not known may lack a
    // list.
    if objects.iter().any(is_row) || is_enough && is_row(&outline.fields) {
        return Ok(Some(Contents::AsExpected));
    }
    let list = list.map(|name| {
        let rows = Some(name.clone());
        let input = MappedInput { rows, ..input };
        (name.clone(), sample_objects(layout, &input, peeked))
    });
    let list = match list {
        Some((name, (elements, true))) if is_enough => Some((name, elements)),
        None if is_enough => None,
        _ => return Ok(None),
    };
    let is_part =
        objects.len() as u64 >= SAMPLE_ROWS || !objects.is_empty() && !peeked.extent.is_whole();
    let beginning = Beginning {
        objects,
        fields: outline.fields,
        list,
        is_part,
    };
    Ok(Some(match objects::rows_at(mapping, beginning)? {
        RowsAt::Expected => Contents::AsExpected,
        RowsAt::List(name) => Contents::List(name),
    }))
}

/// Returns the first objects of a JSON file that can be read as rows, and whether they are all that is inspected.
fn sample_objects(layout: Layout, input: &MappedInput, peeked: Peeked<'_>) -> (Vec<Map>, bool) {
    let mut rows = Rows::mapped(layout, input);
    let (sample, is_enough) = begin(&mut rows, peeked);
    let fields = sample.iter().filter_map(|row| rows.fields(row).ok());
    (fields.map(|fields| fields.map).collect(), is_enough)
}

/// Recognizes a CSV file from its header. Returns `None` if more of the file is needed.
fn table(
    layout: Layout,
    candidates: &Candidates,
    peeked: Peeked<'_>,
) -> Result<Option<Contents>, FileError> {
    let Some(columns) = layout.columns(peeked.start, peeked.ahead()) else {
        return Ok(None);
    };
    let contents = recognized(Shown::Columns(&columns), candidates)?;
    let checked = match &contents {
        Contents::Mapping(name) => {
            let check = |mapping: &Mapping| mapped_table(layout, mapping, peeked);
            match candidates.with(name, check) {
                Some(checked) => checked?,
                None => Some(Contents::AsExpected),
            }
        }
        Contents::Records(name) => records_in_table(layout, name.parse().ok(), peeked)?,
        Contents::AsExpected | Contents::List(_) | Contents::Rejects(_) => {
            Some(Contents::AsExpected)
        }
    };
    Ok(checked.map(|_| contents))
}

/// Recognizes a JSON file from its first rows. Returns `None` if more of the file is needed.
fn objects(
    layout: Layout,
    candidates: &Candidates,
    peeked: Peeked<'_>,
) -> Result<Option<Contents>, FileError> {
    let mut rows = Rows::new(layout, RecordsField::Rows);
    let Some(sample) = sample(&mut rows, peeked) else {
        return Ok(None);
    };
    let fields: Vec<_> = sample.iter().map(|row| rows.fields(row)).collect();
    if fields.iter().all(Result::is_err)
        && let Some(Err(error)) = fields.first()
    {
        return Err(FileError::new(
            FileErrorKind::Unrecognized,
            format!(
                "None of the first rows can be read. {error} Correct the file, and drop it again."
            ),
        ));
    }
    let fields: Vec<_> = fields.into_iter().flatten().collect();
    let is_reject = fields.iter().any(|fields| record::is_reject(&fields.map));
    let sources: BTreeSet<_> = fields
        .iter()
        .filter_map(|fields| fields.map.text("source"))
        .map(str::to_owned)
        .collect();
    let records = fields
        .into_iter()
        .filter_map(|fields| record::unwrap_reject(fields).ok());
    let records: Vec<Map> = records.map(|fields| fields.map).collect();
    if is_reject
        && records
            .iter()
            .any(|record| record.get("record_type").is_some())
    {
        return source_of_rejects(sources).map(|source| Some(Contents::Rejects(source)));
    }
    recognized(Shown::Rows(&records), candidates).map(Some)
}

/// Returns the source of rejects.
///
/// # Errors
/// They name several sources, or one that files cannot have.
fn source_of_rejects(mut sources: BTreeSet<String>) -> Result<Option<String>, FileError> {
    let source = sources.pop_first();
    if sources.is_empty() && source.as_deref().is_none_or(is_allowed_source) {
        return Ok(source);
    }
    Err(FileError::new(
        FileErrorKind::InvalidSource,
        "The rejects name several sources, or one that files cannot have. Drop those of each source as a file of their own.",
    ))
}

/// Recognizes what a file shows of itself.
///
/// # Errors
/// The file fits nothing, or several things equally well.
fn recognized(shown: Shown<'_>, candidates: &Candidates) -> Result<Contents, FileError> {
    let unrecognized = |detail: String| Err(FileError::new(FileErrorKind::Unrecognized, detail));
    match mapping::recognize(shown, &candidates.all) {
        mapping::Recognized::Mapping(name) => Ok(Contents::Mapping(name)),
        mapping::Recognized::RecordType(name) => Ok(Contents::Records(name)),
        mapping::Recognized::Ambiguous(names) => unrecognized(format!(
            "The file fits {} equally well. Drop it into the folder of one of them.",
            names.join(" and ")
        )),
        mapping::Recognized::Nothing(None) => unrecognized(
            "The file fits no mapping and no record type. Drop it into the folder of a record type, or write a mapping.".to_owned(),
        ),
        mapping::Recognized::Nothing(Some(Nearest { mapping, missing })) => {
            let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
            unrecognized(format!(
                "The file fits no mapping and no record type. The nearest mapping is {mapping}, for which {} missing: {}. If the file is such \
                 an export, drop it into drop/{mapping}/. Otherwise, write a mapping.",
                if names.len() == 1 { "this name is" } else { "these names are" },
                names.join(", ")
            ))
        }
    }
}

/// Returns the first rows of a file; `None` if more of the file is needed.
fn sample(rows: &mut Rows, peeked: Peeked<'_>) -> Option<Vec<Row>> {
    let (sample, is_enough) = begin(rows, peeked);
    is_enough.then_some(sample)
}

/// Reads the first rows of a file. Returns them, and whether more of the file adds none that is inspected.
fn begin(rows: &mut Rows, peeked: Peeked<'_>) -> (Vec<Row>, bool) {
    rows.push(peeked.start);
    let (mut sample, mut read) = (Vec::new(), 0);
    while read < SAMPLE_ROWS {
        let row = rows
            .next()
            .or_else(|| peeked.extent.is_whole().then(|| rows.finish())?);
        let Some(row) = row else { break };
        read += row.rows;
        sample.push(row);
    }
    let is_enough = read >= SAMPLE_ROWS || peeked.ahead().is_whole() || rows.error().is_some();
    (sample, is_enough)
}

/// Returns whether the header of a CSV file fits one of the first rows; `false` if more of the file is needed.
///
/// # Errors
/// The header has another number of columns than each of the first rows.
fn has_fitting_rows(
    mut rows: Rows,
    columns: &[String],
    peeked: Peeked<'_>,
) -> Result<bool, FileError> {
    let Some(sample) = sample(&mut rows, peeked) else {
        return Ok(false);
    };
    if rows.error().is_some() {
        // Reading the file reports the error.
        return Ok(true);
    }
    let errors = sample.iter().map(|row| (row.line, rows.error_of(row)));
    let mut mismatches = errors.map_while(|(line, error)| {
        let error = error.filter(|error| error.code == RowErrorCode::WrongCellCount)?;
        Some((line, error))
    });
    let first = mismatches.next();
    let count = 1 + mismatches.count();
    match first {
        Some((line, error)) if count >= MIN_SAMPLE_ROWS && count == sample.len() => {
            Err(header::mismatch(columns, line, &error))
        }
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::{
        FileErrorKind,
        inflate::{Extent, MAX_PEEKED_BYTES},
    };

    fn peeked(start: &[u8], extent: Extent) -> Peeked<'_> {
        Peeked {
            start,
            extent,
            is_broken: false,
        }
    }

    fn inspected(key: &str, text: &str) -> Result<Inspected, FileError> {
        let drop = DropKey::parse(&format!("drop/{key}")).unwrap();
        let expected = Expected::Records(drop.record_type());
        decide(&drop, expected, peeked(text.as_bytes(), Extent::Whole)).map(Option::unwrap)
    }

    fn format(key: &str, text: &str) -> Option<Format> {
        match inspected(key, text).unwrap() {
            Inspected::Empty => None,
            Inspected::Content(layout, _) => Some(layout.format),
        }
    }

    #[test]
    fn tells_empty_files() {
        for name in ["a.csv", "a.json", "a.ndjson", "a"] {
            for text in ["", " \r\n", "\u{feff}\n"] {
                assert_eq!(format(&format!("purchase/{name}"), text), None, "{name}");
            }
        }
        // What could not be decompressed is not empty.
        let broken = Peeked {
            is_broken: true,
            ..peeked(b"", Extent::Whole)
        };
        let drop = DropKey::parse("drop/purchase/a.gz").unwrap();
        let layout = Layout::new(Format::Ndjson);
        let found = Inspected::Content(layout, Contents::AsExpected);
        let expected = Expected::Records(drop.record_type());
        assert_eq!(decide(&drop, expected, broken), Ok(Some(found)));
    }

    #[test]
    fn tells_format() {
        assert_eq!(format("purchase/a", "{\"a\":1}\n"), Some(Format::Ndjson));
        assert_eq!(
            format("purchase/a.txt", "link.email\ta\n"),
            Some(Format::Csv)
        );
        assert_eq!(format("purchase/a.csv", "[{}]"), Some(Format::Json));
        let unknown = inspected("purchase/a.log", "12:00 started").unwrap_err();
        assert_eq!(unknown.kind, FileErrorKind::UnsupportedFormat);
    }

    #[test]
    fn rejects_rows_that_are_not_read() {
        let row = r#"{"link":{"email":"a@b.c"}}"#;
        let many = vec![row; 60_000].join(",");
        for (text, fix) in [
            (
                format!(r#"{{"data":[{row},{row}]}}"#),
                "jq -c '.data[]' FILE",
            ),
            (
                format!(r#"{{"status":"ok","Records":[{row}]}}"#),
                "its list `Records`",
            ),
            (format!(r#"{{"data":[{many}]}}"#), "its list `data`"),
            (format!("{row},{row}"), "joined by commas"),
            (many.clone(), "joined by commas"),
        ] {
            for name in ["a.json", "a.ndjson", "a", "a.csv"] {
                let drop = DropKey::parse(&format!("drop/customer_record/{name}")).unwrap();
                let start = &text.as_bytes()[..text.len().min(MAX_PEEKED_BYTES)];
                let extent = if start.len() == text.len() {
                    Extent::Whole
                } else {
                    Extent::Beginning
                };
                let expected = Expected::Records(drop.record_type());
                let error = decide(&drop, expected, peeked(start, extent)).unwrap_err();
                assert_eq!(error.kind, FileErrorKind::BrokenJson, "{name}");
                assert!(error.detail.contains(fix), "{}", error.detail);
            }
        }
        for text in [
            r#"{"products":[{"price_paid":1}],"purchase_id":"1"}"#,
            r#"{"records":[{"link":{"email":"a@b.c"}}]}"#,
            r#"{"link":{"email":"a@b.c"},"lines":[{"a":1}]}"#,
            r#"{"code":"wrong_type","message":"x","offset":0,"errors":[{"code":"x"}],"record":{"a":1}}"#,
        ] {
            assert!(format("purchase/a.json", text).is_some(), "{text}");
        }
    }

    #[test]
    fn rejects_header_without_customer() {
        for (key, text, fix) in [
            (
                "customer_record/a.csv",
                "Email,Name\na@b.c,Ann\n",
                "Rename `Email` to `link.email`",
            ),
            (
                "customer_record/a.csv",
                "sep=;\nE-Mail;Name\n",
                "Rename `E-Mail` to `link.email`",
            ),
            (
                "customer_record/a.csv",
                "\"phone\nnumber\";Name\n",
                "Add a column",
            ),
            (
                "customer_record/a.csv",
                "a@b.c,Ann\n",
                "values instead of names",
            ),
            (
                "product/a.tsv",
                "Barcode\tName\n1\tx\n",
                "Rename `Barcode` to `upc`",
            ),
        ] {
            let error = inspected(key, text).unwrap_err();
            assert_eq!(error.kind, FileErrorKind::InvalidCsvHeader, "{text}");
            assert!(error.detail.contains(fix), "{}", error.detail);
        }
        for (key, text) in [
            ("mixed/a.csv", "record_type,Email\n"),
            ("product/a.csv", "sku,Name\n"),
            ("purchase/a.csv", "link.email\n"),
        ] {
            assert_eq!(format(key, text), Some(Format::Csv), "{text}");
        }
    }

    #[test]
    fn rejects_header_that_fits_no_row() {
        for text in [
            "link.email,name\na@b.c,Ann,x\nb@b.c,Bea,y\n",
            "link.email,name,city\na@b.c,Ann\nb@b.c,Bea",
            &format!("link.email,name\n{}", "a@b.c,Ann,x\n".repeat(30)),
            "link.email;name\na@b.c;Ann;x\nb@b.c;Bea;y\n",
        ] {
            let error = inspected("customer_record/a.csv", text).unwrap_err();
            assert_eq!(error.kind, FileErrorKind::InvalidCsvHeader);
            assert!(
                error.detail.contains("the row at line 2 has"),
                "{}",
                error.detail
            );
            assert!(
                error.detail.contains("`link.email`, `name`"),
                "{}",
                error.detail
            );
        }
        for text in [
            // A single row may be wrong itself, and so may several.
            "link.email,name\na@b.c,Ann,x\n",
            "link.email,name\na@b.c,Ann,x\nb@b.c,Bea\n",
            &format!("link.email,name\nb@b.c,Bea\n{}", "a@b.c,Ann,x\n".repeat(30)),
            // Cells after the last column are empty.
            "link.email,name\na@b.c,Ann,,\nb@b.c,Bea,,\n",
            "link.email,name\n\"a\"x,Ann,x\n\"b\"y,Bea,y\n",
        ] {
            assert_eq!(
                format("customer_record/a.csv", text),
                Some(Format::Csv),
                "{text}"
            );
        }
    }

    /// The reader reports an error in the syntax of the header.
    #[test]
    fn leaves_malformed_header_to_reader() {
        for text in ["link.email,link.email\n1,2\n1,2\n", "link.email,\"x\n"] {
            assert_eq!(format("purchase/a.csv", text), Some(Format::Csv), "{text}");
        }
    }

    /// Where a JSON file contains the rows of a mapping does not depend on how much of it is read ahead.
    #[test]
    fn more_bytes_do_not_change_rows_of_mappings() {
        let document = br#"{"mapping": 1, "records": [{"type": "customer_record", "record": {"link": {"email": "mail"}, "first_name": "name"}}]}"#;
        let (mapping, _) = Mapping::read(document).unwrap();
        let row = r#"{"mail": "a@b.co", "tags": [{"mail": "x"}]}"#;
        let rows = format!("{row}, ").repeat(30);
        let foreign = "{\"id\": 1, \"tags\": [{\"id\": 2}]}\n";
        let list = |name: &str| Ok(Contents::List(name.to_owned()));
        let padding = "x".repeat(2 << 20);
        for (text, expected) in [
            (format!("{row}\n").repeat(30), Ok(Contents::AsExpected)),
            (
                format!("{}{row}\n", foreign.repeat(19)),
                Ok(Contents::AsExpected),
            ),
            (foreign.repeat(19), Err(FileErrorKind::Unrecognized)),
            (
                format!("[{}]", foreign.replace('\n', ",").repeat(19)),
                Err(FileErrorKind::Unrecognized),
            ),
            // Later rows may have fields of the mapping.
            (foreign.repeat(30), Ok(Contents::AsExpected)),
            (
                format!("{{\"page\": 1, \"data\": [{rows}{row}]}}"),
                list("data"),
            ),
            (
                format!("{{\"data\": [\n{row}\n]\n}}\n").repeat(3),
                list("data"),
            ),
            // The document has a field of the rows, before their list.
            (
                format!(
                    "{{\"name\": \"page\", \"data\": [{}{row}]}}",
                    r#"{"mail": "a@b.co", "name": "Ann"}, "#.repeat(30)
                ),
                list("data"),
            ),
            (
                format!("{{\"data\": [{row}], \"more\": [{row}]}}"),
                Err(FileErrorKind::Unrecognized),
            ),
            (
                format!("{{\"data\": [{row}], \"next\": \"{padding}\"}}"),
                list("data"),
            ),
            // A row that is too large is rejected alone.
            (
                format!("{{\"mail\": null, \"data\": [{row}], \"next\": \"{padding}\"}}"),
                Ok(Contents::AsExpected),
            ),
            ("{\"data\": []}".to_owned(), Ok(Contents::AsExpected)),
            ("{\"mail\"".to_owned(), Ok(Contents::AsExpected)),
        ] {
            let start = &text.as_bytes()[..text.len().min(1 << 20)];
            for name in ["a.json", "a.ndjson", "a"] {
                let drop = DropKey::parse(&format!("drop/pos/{name}")).unwrap();
                let found = |end: usize, extent| {
                    let found = decide(
                        &drop,
                        Expected::Mapping(&mapping),
                        peeked(&start[..end], extent),
                    );
                    found.map_err(|error| error.kind)
                };
                let whole = found(start.len(), Extent::Whole);
                let contents = whole.clone().map(|whole| match whole {
                    Some(Inspected::Content(_, contents)) => contents,
                    other => panic!("{other:?}"),
                });
                assert_eq!(contents, expected, "{name} {}", &text[..40.min(text.len())]);
                for end in (0..start.len()).step_by((start.len() / 40).max(1)) {
                    let partial = found(end, Extent::Beginning);
                    assert!(
                        partial == Ok(None) || partial == whole,
                        "{name} {end}: {partial:?}"
                    );
                }
            }
        }
    }

    proptest! {
        /// What is found in some bytes is found in more bytes too.
        #[test]
        fn more_bytes_do_not_change_result(
            rows in prop::collection::vec(prop::sample::select(vec!["a@b.c,Ann", "a@b.c,Ann,x", "a", "\"x\ny\",z", "", "link.email,name"]), 0..60),
            header in prop::sample::select(vec!["link.email,name", "Email,name", "{\"a\":1}", "link.email,link.email"]),
            name in prop::sample::select(vec!["a.csv", "a", "a.ndjson"]),
        ) {
            let text = format!("{header}\n{}\n", rows.join("\n"));
            let drop = DropKey::parse(&format!("drop/purchase/{name}")).unwrap();
            let expected = Expected::Records(drop.record_type());
            let whole = decide(&drop, expected, peeked(text.as_bytes(), Extent::Whole));
            for end in (0..text.len()).step_by(5) {
                let partial = decide(&drop, expected, peeked(&text.as_bytes()[..end], Extent::Beginning));
                if partial != Ok(None) {
                    prop_assert_eq!(partial, whole.clone());
                }
            }
        }
    }
}
