//! Reads comma-separated values (RFC 4180), also with other delimiters. The first record names the columns.
//!
//! Blank records and records that repeat the header are skipped. A header with other columns ends the file. Adjacent records of one order
//! or group are one row. Keeps at most one record and one group in memory, each of 1 MiB, and the records after it that cannot be read, of
//! 1 MiB together.

use std::borrow::Cow;

use bytes::Bytes;
use shared::model::{
    identifier::Notation,
    value::{Map, Value},
};

use super::{
    Fields, FileError, FileErrorKind, FramingError, MAX_ROW_BYTES, Row, RowError, Warning,
    WarningCode, beginning, layout::is_separator,
};

mod cells;
mod flat;
mod groups;
mod header;
mod records;
mod repeated;
mod split;
mod window;

use cells::{Cells, Split, cells, is_blank, is_whitespace};
pub(crate) use flat::flat_header;
use groups::{Groups, Key, Line};
use header::Header;
pub(crate) use records::Records;
use repeated::{ColumnNames, Repetition};
use split::{Record, Splitter};

/// The field that keeps cells of columns without a name.
const INVALID_FIELDS: &str = "invalid_fields";
/// The array with the lines of an order.
const PRODUCTS: &str = "products";

/// What the names of the columns mean.
#[derive(Debug)]
enum Names {
    /// Fields of a record, such as `products[0].price_paid`.
    Fields,
    /// Any text, for a mapping. Adjacent records with equal cells in the columns `group` are one row.
    Any { group: Vec<String> },
}

/// What a record after the header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Row,
    /// It is blank, repeats the header, or is a line `sep=;`, as in files that were joined.
    Skipped,
    /// The header of a file with other columns, which was joined to this one.
    OtherHeader,
}

/// Splits chunks into rows.
#[derive(Debug)]
pub(crate) struct Csv {
    delimiter: u8,
    names: Names,
    splitter: Splitter,
    header: Option<Header>,
    /// The names of the columns, to recognize records that name them again.
    column_names: Option<ColumnNames>,
    groups: Groups,
    /// The number of records that were skipped after the last row.
    skipped: u64,
    /// Why no rows follow, if the header is invalid, or another header follows.
    error: Option<FileError>,
}

impl Csv {
    /// Reads cells that are separated by `delimiter`, an ASCII character.
    pub(crate) fn new(delimiter: char) -> Self {
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        Self {
            delimiter,
            names: Names::Fields,
            splitter: Splitter::new(delimiter),
            header: None,
            column_names: None,
            groups: Groups::new(delimiter),
            skipped: 0,
            error: None,
        }
    }

    /// Reads the cells of a file for a mapping. Adjacent records with equal cells in the columns `group` are one row; if it is empty, each
    /// record is a row.
    pub(crate) fn mapped(delimiter: char, group: Vec<String>) -> Self {
        Self {
            names: Names::Any { group },
            ..Self::new(delimiter)
        }
    }

    /// Begins at a position, before anything is pushed.
    pub(crate) const fn begin_at(&mut self, offset: u64, line: u64) {
        self.splitter.begin_at(offset, line);
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.splitter.push(chunk);
    }

    pub(crate) fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.groups.next() {
                return Some(row);
            }
            if self.error.is_some() {
                return None;
            }
            let Some(record) = self.splitter.next() else {
                self.limit_memory();
                return None;
            };
            if let Some(row) = self.add(&record) {
                return Some(row);
            }
        }
    }

    pub(crate) fn finish(&mut self) -> Option<Row> {
        self.splitter.complete();
        let row = self.next();
        if row.is_some() || self.error.is_some() {
            return row;
        }
        self.groups.finish();
        self.groups.next()
    }

    pub(crate) fn error(&self) -> Option<&FileError> {
        self.error.as_ref()
    }

    pub(crate) fn position(&self) -> u64 {
        let waiting = self.groups.position();
        waiting.map_or_else(|| self.splitter.position(), |(offset, _)| offset)
    }

    pub(crate) fn line(&self) -> u64 {
        let waiting = self.groups.position();
        waiting.map_or_else(|| self.splitter.line(), |(_, line)| line)
    }

    /// Returns the number of records that were skipped after the last row.
    pub(crate) fn skipped_at_end(&self) -> u64 {
        self.skipped
    }

    /// Adds a record. Returns it as a row, unless it is the header, is skipped, or may be part of a group.
    fn add(&mut self, record: &Record) -> Option<Row> {
        if self.header.is_none() {
            self.read_preamble(record);
            return None;
        }
        let bytes = self.splitter.bytes(record);
        if bytes.is_empty() {
            self.limit_memory();
            return None;
        }
        let meaning = match record.framing_error {
            None => self.meaning(bytes),
            Some(_) => Meaning::Row,
        };
        match meaning {
            Meaning::Row => {}
            Meaning::Skipped => {
                self.skipped += 1;
                self.limit_memory();
                return None;
            }
            Meaning::OtherHeader => {
                self.error = Some(other_header(record.line));
                self.groups.finish();
                return None;
            }
        }
        if !self.groups.has_key() {
            let bytes = self.splitter.take(record);
            return Some(self.row(record, bytes));
        }
        // The bytes before the record are part of a group that it may belong to.
        let before = self.splitter.bytes_before(record);
        let bytes = self.splitter.take_through(record);
        let line = Line {
            row: self.row(record, bytes.slice(before..)),
            is_readable: record.is_readable,
            bytes,
        };
        self.groups.add(line);
        self.limit_memory();
        None
    }

    /// Creates the row of a record with these bytes.
    fn row(&mut self, record: &Record, bytes: Bytes) -> Row {
        let mut row = Row::new(record.start, record.line, bytes);
        row.framing_error = record.framing_error;
        if row.framing_error.is_some() {
            row.bytes = beginning(&row.bytes);
        }
        row.skipped = std::mem::take(&mut self.skipped);
        row
    }

    /// Discards the bytes before the next record, unless they can be part of a group.
    fn limit_memory(&mut self) {
        let position = self.splitter.position();
        if self.groups.position().is_none() || self.splitter.kept() > MAX_ROW_BYTES {
            self.splitter.discard_before(position);
        }
    }

    /// Handles a record in front of the first row: the header, a blank record, or `sep=` with the delimiter, which Excel reads.
    fn read_preamble(&mut self, record: &Record) {
        let bytes = self.splitter.take(record);
        if record.framing_error.is_none() {
            if self.is_blank(&bytes) {
                self.skipped += u64::from(!bytes.is_empty());
                return;
            }
            if is_separator(&bytes) {
                return;
            }
        }
        self.parse_header(record.framing_error, &bytes);
    }

    /// Returns whether all cells of a record are empty or whitespace.
    fn is_blank(&self, record: &[u8]) -> bool {
        let is_empty =
            |byte: &&u8| **byte == self.delimiter || **byte == b'"' || is_whitespace(**byte);
        // Most records differ in the first byte. Bytes that are not ASCII may be whitespace.
        match record.iter().find(|byte| !is_empty(byte)) {
            Some(byte) if byte.is_ascii_graphic() => false,
            _ => Split::new(record, self.delimiter)
                .all(|cell| cell.is_some_and(|cell| is_blank(&cell))),
        }
    }

    /// Returns what a record after the header is.
    fn meaning(&self, record: &[u8]) -> Meaning {
        let names = self.column_names.as_ref();
        if let Some(names) = names.filter(|names| names.may_begin(record))
            && let Ok(Cells { texts, .. }) = cells(record, self.delimiter)
            && let Some(repetition) = names.repetition(&texts)
        {
            return match repetition {
                Repetition::Same => Meaning::Skipped,
                Repetition::Other => Meaning::OtherHeader,
            };
        }
        if is_separator(record) || self.is_blank(record) {
            Meaning::Skipped
        } else {
            Meaning::Row
        }
    }

    /// Builds the fields of a row from its cells, as the header specifies. The lines of an order are its products.
    pub(crate) fn fields(&self, row: &Row) -> Result<Fields, RowError> {
        let Some(header) = &self.header else {
            return Ok(Fields::from(Map::new()));
        };
        if row.rows == 1 {
            return self.record(&row.bytes, header, 0);
        }
        let mut splitter = self.splitter_of(row, header);
        let mut order: Option<Fields> = None;
        let mut products = Vec::new();
        let mut before = Bytes::new();
        while let Some(record) = splitter.next() {
            let bytes = splitter.take(&record);
            if bytes.is_empty() || self.meaning(&bytes) == Meaning::Skipped {
                continue;
            }
            let cells = |record| Split::new(record, self.delimiter);
            if let Some(order) = &mut order
                && cells(&before).eq(cells(&bytes))
            {
                order
                    .warnings
                    .push(Warning::whole(WarningCode::IdenticalRows));
                continue;
            }
            let mut fields = self.record(&bytes, header, products.len())?;
            if let Some(Value::List(lines)) = fields.map.remove(PRODUCTS) {
                products.extend(lines);
            }
            match &mut order {
                Some(order) => {
                    keep_unnamed(order, &fields, header);
                    order.warnings.append(&mut fields.warnings);
                }
                None => order = Some(fields),
            }
            before = bytes;
        }
        let mut order = order.unwrap_or_else(|| Fields::from(Map::new()));
        if !products.is_empty() {
            order.map.insert(PRODUCTS, Value::List(products));
        }
        Ok(order)
    }

    /// Returns a splitter for the records of a row, without the rest of the file.
    fn splitter_of(&self, row: &Row, header: &Header) -> Splitter {
        let mut splitter = Splitter::new(self.delimiter);
        splitter.expect(header.columns());
        splitter.push(&row.bytes);
        splitter.complete();
        splitter
    }

    /// Builds the fields of one record. `line` is the number of the order's line, from 0, for the paths of warnings.
    fn record(&self, record: &[u8], header: &Header, line: usize) -> Result<Fields, RowError> {
        let Cells { texts, changed } = cells(record, self.delimiter)?;
        let mut map = header.fields(&texts)?;
        let mut warnings = Vec::new();
        for (column, change) in changed {
            let path = match header.name(column) {
                Some(name) if header.is_line(column) => {
                    name.replacen("[0]", &format!("[{line}]"), 1)
                }
                Some(name) => name.to_owned(),
                None => position(column),
            };
            warnings.push(Warning::at(change, &path));
        }
        if header.has_unnamed() {
            let unnamed = texts.iter().enumerate();
            let unnamed = unnamed
                .filter(|(column, cell)| header.name(*column).is_none() && !cell.trim().is_empty());
            for (column, cell) in unnamed {
                let path = position(column);
                warnings.push(Warning::at(WarningCode::UnnamedColumn, &path));
                insert_invalid(&mut map, path, cell);
            }
        }
        Ok(Fields {
            map,
            notation: Notation::Csv,
            warnings,
        })
    }

    /// Parses the first record as the header.
    fn parse_header(&mut self, framing_error: Option<FramingError>, record: &[u8]) {
        let invalid = |detail: &str| FileError::new(FileErrorKind::InvalidCsvHeader, detail);
        let header = match (framing_error, cells(record, self.delimiter)) {
            (Some(FramingError::TooLarge), _) => Err(invalid(
                "The header is larger than 1 MiB, the limit. Shorten it.",
            )),
            (Some(_), _) => Err(invalid("A quote in the header is not closed. Close it.")),
            (None, Err(_)) => Err(invalid(
                "The header has a character after a closing quote. Only a delimiter or a line end may follow.",
            )),
            (None, Ok(cells)) => self
                .header_of(&cells.texts)
                .map_err(|detail| invalid(&detail)),
        };
        match header {
            Ok((header, key)) => {
                let least = header.columns().least;
                self.column_names = Some(ColumnNames::new(header.names(), least, self.delimiter));
                self.splitter.expect(header.columns());
                self.groups.join_by(key);
                self.header = Some(header);
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Parses the cells of the header. Also returns by what records are joined.
    ///
    /// # Errors
    /// The header cannot be used. The message contains the reason.
    fn header_of(&self, cells: &[Cow<'_, str>]) -> Result<(Header, Option<Key>), String> {
        let Names::Any { group } = &self.names else {
            let header = Header::new(cells)?;
            let key = header.has_lines().then(|| Key::of_order(&header));
            return Ok((header, key));
        };
        let header = Header::flat(cells)?;
        let columns = flat_header(header.names());
        let columns: Vec<_> = group
            .iter()
            .map(|name| {
                let column = columns.get(name.trim()).copied();
                column.ok_or_else(|| {
                    format!(
                        "The header has no column `{name}`, by which the mapping groups rows. Export the file with this column."
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        let key = (!columns.is_empty()).then(|| Key::of_columns(&columns));
        Ok((header, key))
    }
}

/// Creates the error of a file in which another header follows at a line.
fn other_header(line: u64) -> FileError {
    let detail = format!(
        "Line {line} names the columns again, but in another order or with other columns than the header. The rows before it were imported. \
         The rest was not read, because its values would be stored in the wrong fields. Drop the rest, from line {line} on, as a file of \
         its own."
    );
    FileError::new(FileErrorKind::InvalidCsvHeader, detail)
}

/// Adds the cells of a further line of an order in columns without a name to those of the lines before.
fn keep_unnamed(order: &mut Fields, line: &Fields, header: &Header) {
    let Some(kept) = line
        .map
        .map(INVALID_FIELDS)
        .filter(|_| header.has_unnamed())
    else {
        return;
    };
    for path in header.unnamed().map(position) {
        let Some(cell) = kept.text(&path) else {
            continue;
        };
        let before = order.map.map(INVALID_FIELDS);
        let text = match before.and_then(|before| before.text(&path)) {
            Some(before) => format!("{before}\n{cell}"),
            None => cell.to_owned(),
        };
        insert_invalid(&mut order.map, path, &text);
    }
}

/// Keeps a text that has no place in the record. The file may have the field, too.
fn insert_invalid(map: &mut Map, path: String, text: &str) {
    let mut kept = match map.remove(INVALID_FIELDS) {
        Some(Value::Map(kept)) => kept,
        Some(other) => Map::from_iter([(INVALID_FIELDS.to_owned(), other)]),
        None => Map::new(),
    };
    kept.insert(path, text);
    map.insert(INVALID_FIELDS, kept);
}

/// Returns a record without quotes and whitespace at its start.
fn unquoted(record: &[u8], delimiter: u8) -> &[u8] {
    let is_start = |byte: &&u8| (**byte == b'"' || is_whitespace(**byte)) && **byte != delimiter;
    &record[record.iter().take_while(is_start).count()..]
}

/// Returns the name of a column without a name in warnings and `invalid_fields`.
fn position(column: usize) -> String {
    format!("column {}", column + 1)
}

#[cfg(test)]
mod tests;
