//! Reads comma-separated values (RFC 4180), also with other delimiters. The first record names the columns.
//!
//! Blank records and records that repeat the header are skipped. Adjacent records of one order are one row. Keeps at most one record
//! and one order in memory, each of 1 MiB, and the records after it that cannot be read, of 1 MiB together.

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
mod header;
mod orders;
mod split;

use cells::{Cells, Split, cells, is_blank, is_whitespace};
use header::Header;
use orders::{Line, Orders};
use split::{Record, Splitter};

/// The field that keeps cells of columns without a name.
const INVALID_FIELDS: &str = "invalid_fields";
/// The array with the lines of an order.
const PRODUCTS: &str = "products";

/// Splits chunks into rows.
#[derive(Debug)]
pub(crate) struct Csv {
    delimiter: u8,
    splitter: Splitter,
    header: Option<Header>,
    /// The beginning of the header without quotes and whitespace, to recognize records that repeat the header.
    header_start: Vec<u8>,
    orders: Orders,
    /// The number of records that were skipped after the last row.
    skipped: u64,
    /// Why no rows follow, if the header is invalid.
    error: Option<FileError>,
}

impl Csv {
    /// Reads cells that are separated by `delimiter`, an ASCII character.
    pub(crate) fn new(delimiter: char) -> Self {
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        Self {
            delimiter,
            splitter: Splitter::new(delimiter),
            header: None,
            header_start: Vec::new(),
            orders: Orders::new(delimiter),
            skipped: 0,
            error: None,
        }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.splitter.push(chunk);
    }

    pub(crate) fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.orders.next() {
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
        self.orders.finish();
        self.orders.next()
    }

    pub(crate) fn error(&self) -> Option<&FileError> {
        self.error.as_ref()
    }

    pub(crate) fn position(&self) -> u64 {
        let waiting = self.orders.position();
        waiting.map_or_else(|| self.splitter.position(), |(offset, _)| offset)
    }

    pub(crate) fn line(&self) -> u64 {
        let waiting = self.orders.position();
        waiting.map_or_else(|| self.splitter.line(), |(_, line)| line)
    }

    /// Returns the number of records that were skipped after the last row.
    pub(crate) fn skipped_at_end(&self) -> u64 {
        self.skipped
    }

    /// Adds a record. Returns it as a row, unless it is the header, is skipped, or may be a line of an order.
    fn add(&mut self, record: &Record) -> Option<Row> {
        let Some(header) = &self.header else {
            self.read_preamble(record);
            return None;
        };
        let bytes = self.splitter.bytes(record);
        if bytes.is_empty() {
            self.limit_memory();
            return None;
        }
        if record.framing_error.is_none() && self.is_skipped(bytes, header) {
            self.skipped += 1;
            self.limit_memory();
            return None;
        }
        if !header.has_lines() {
            let bytes = self.splitter.take(record);
            return Some(self.row(record, bytes));
        }
        // The bytes before the record are part of an order that it may belong to.
        let before = self.splitter.bytes_before(record);
        let bytes = self.splitter.take_through(record);
        let line = Line {
            row: self.row(record, bytes.slice(before..)),
            is_readable: record.is_readable,
            bytes,
        };
        if let Some(header) = &self.header {
            self.orders.add(line, header);
        }
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

    /// Discards the bytes before the next record, unless they can be part of an order.
    fn limit_memory(&mut self) {
        let position = self.splitter.position();
        if self.orders.position().is_none() || self.splitter.kept() > MAX_ROW_BYTES {
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

    /// Returns whether a record is blank, repeats the header, or is a line `sep=;`, as in files that were joined.
    fn is_skipped(&self, record: &[u8], header: &Header) -> bool {
        let start = unquoted(record, self.delimiter);
        let repeats = |cells: Cells<'_>| header.is_repeated(&cells.texts);
        (start.starts_with(&self.header_start) && cells(record, self.delimiter).is_ok_and(repeats))
            || is_separator(record)
            || self.is_blank(record)
    }

    /// Builds the fields of a row from its cells, as the header specifies. The lines of an order are its products.
    pub(crate) fn fields(&self, row: &Row) -> Result<Fields, RowError> {
        let Some(header) = &self.header else {
            return Ok(Fields::from(Map::new()));
        };
        if row.rows == 1 {
            return self.record(&row.bytes, header, 0);
        }
        let mut splitter = Splitter::new(self.delimiter);
        splitter.expect(header.columns());
        splitter.push(&row.bytes);
        splitter.complete();
        let mut order: Option<Fields> = None;
        let mut products = Vec::new();
        let mut before = Bytes::new();
        while let Some(record) = splitter.next() {
            let bytes = splitter.take(&record);
            if bytes.is_empty() || self.is_skipped(&bytes, header) {
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
            (None, Ok(cells)) => Header::new(&cells.texts).map_err(|detail| invalid(&detail)),
        };
        match header {
            Ok(header) => {
                let start = unquoted(record, self.delimiter);
                let is_end =
                    |byte: &u8| *byte == self.delimiter || *byte == b'"' || is_whitespace(*byte);
                let end = start.iter().position(is_end).unwrap_or(start.len());
                // If the first column has no name, the record begins with the delimiter.
                self.header_start = start[..end.max(1).min(start.len())].to_vec();
                self.splitter.expect(header.columns());
                self.header = Some(header);
            }
            Err(error) => self.error = Some(error),
        }
    }
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
