//! Reads comma-separated values (RFC 4180), also with other delimiters. The first record names the columns.
//!
//! Blank records and records that repeat the header are skipped. Adjacent records of one order are one row. Keeps at most one row
//! in memory.

use shared::model::{
    identifier::Notation,
    value::{Map, Value},
};

use super::layout::is_separator;
use super::{Fields, FileError, FileErrorKind, FramingError, Row, RowError, Warning, WarningCode};

mod cells;
mod header;
mod orders;
mod split;

use cells::{Cells, cells};
use header::Header;
use orders::Orders;
use split::{Splitter, is_whitespace};

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
    /// The beginning of the header's first name, to recognize records that repeat the header.
    first_name: Vec<u8>,
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
            first_name: Vec::new(),
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
            let columns = self.header.as_ref().map(Header::columns);
            let record = self.splitter.next(columns)?;
            if let Some(row) = self.add(record) {
                return Some(row);
            }
        }
    }

    pub(crate) fn finish(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.orders.next() {
                return Some(row);
            }
            if self.error.is_some() {
                return None;
            }
            let columns = self.header.as_ref().map(Header::columns);
            match self.splitter.finish(columns) {
                Some(record) => {
                    if let Some(row) = self.add(record) {
                        return Some(row);
                    }
                }
                None => {
                    self.orders.finish();
                    return self.orders.next();
                }
            }
        }
    }

    pub(crate) fn error(&self) -> Option<&FileError> {
        self.error.as_ref()
    }

    pub(crate) fn position(&self) -> u64 {
        let waiting = self.orders.position();
        waiting.map_or(self.splitter.offset, |(offset, _)| offset)
    }

    pub(crate) fn line(&self) -> u64 {
        let waiting = self.orders.position();
        waiting.map_or(self.splitter.line, |(_, line)| line)
    }

    /// Returns the number of records that were skipped after the last row.
    pub(crate) fn skipped_at_end(&self) -> u64 {
        self.skipped
    }

    /// Adds a record. Returns it as a row, unless it is the header, is skipped, or may be a line of an order.
    fn add(&mut self, mut record: split::Record) -> Option<Row> {
        let Some(header) = &self.header else {
            if !self.is_preamble(&record.row) {
                self.parse_header(&record.row);
            }
            return None;
        };
        if record.row.framing_error.is_none() && self.is_skipped(&record.row, header) {
            self.skipped += 1;
            return None;
        }
        record.row.skipped = std::mem::take(&mut self.skipped);
        if header.has_lines() {
            self.orders.add(record, header);
            return None;
        }
        Some(record.row)
    }

    /// Returns whether a record in front of the header is blank, or `sep=` with the delimiter, which Excel reads.
    fn is_preamble(&self, row: &Row) -> bool {
        is_separator(&row.bytes) || self.is_blank(row)
    }

    /// Returns whether all cells of a record are empty or whitespace.
    fn is_blank(&self, row: &Row) -> bool {
        let is_empty = |byte: &u8| *byte == self.delimiter || *byte == b'"' || is_whitespace(*byte);
        // Most records differ in the first byte.
        row.bytes.iter().all(is_empty)
            && cells(&row.bytes, self.delimiter)
                .is_ok_and(|cells| cells.texts.iter().all(|cell| cell.trim().is_empty()))
    }

    /// Returns whether a record is blank or repeats the header, as in files that were joined.
    fn is_skipped(&self, row: &Row, header: &Header) -> bool {
        let is_quote_or_whitespace = |byte: &&u8| **byte == b'"' || is_whitespace(**byte);
        let begin = row.bytes.iter().take_while(is_quote_or_whitespace).count();
        if row.bytes[begin..].starts_with(&self.first_name) {
            let repeats = |cells: Cells<'_>| {
                let names = header.names().iter().map(String::as_str);
                names.eq(cells.texts.iter().map(|cell| cell.trim()))
            };
            if cells(&row.bytes, self.delimiter).is_ok_and(repeats) {
                return true;
            }
        }
        self.is_blank(row)
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
        splitter.push(&row.bytes);
        let mut order: Option<Fields> = None;
        let mut products = Vec::new();
        let mut before = None;
        while let Some(line) = splitter.finish(Some(header.columns())) {
            if before.as_ref() == Some(&line.row.bytes) {
                let warnings = order.iter_mut().map(|order| &mut order.warnings);
                warnings.for_each(|all| all.push(Warning::whole(WarningCode::IdenticalRows)));
                continue;
            }
            let mut fields = self.record(&line.row.bytes, header, products.len())?;
            if let Some(Value::List(lines)) = fields.map.remove(PRODUCTS) {
                products.extend(lines);
            }
            match &mut order {
                Some(order) => order.warnings.append(&mut fields.warnings),
                None => order = Some(fields),
            }
            before = Some(line.row.bytes);
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
        if header.names().iter().any(String::is_empty) {
            let unnamed = texts.iter().enumerate();
            let unnamed = unnamed
                .filter(|(column, cell)| header.name(*column).is_none() && !cell.trim().is_empty());
            let kept: Map = unnamed
                .map(|(column, cell)| (position(column), Value::from(cell.as_ref())))
                .collect();
            for (path, _) in kept.iter() {
                warnings.push(Warning::at(WarningCode::UnnamedColumn, &path));
            }
            if !kept.is_empty() {
                map.insert(INVALID_FIELDS, Value::Map(kept));
            }
        }
        Ok(Fields {
            map,
            notation: Notation::Csv,
            warnings,
        })
    }

    /// Parses the first record as the header.
    fn parse_header(&mut self, row: &Row) {
        let invalid = |detail: &str| FileError::new(FileErrorKind::InvalidCsvHeader, detail);
        let header = match (row.framing_error, cells(&row.bytes, self.delimiter)) {
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
                let first = header.names().first();
                self.first_name = first.map_or_else(Vec::new, |name| name.as_bytes().to_vec());
                self.header = Some(header);
            }
            Err(error) => self.error = Some(error),
        }
    }
}

/// Returns the name of a column without a name in warnings and `invalid_fields`.
fn position(column: usize) -> String {
    format!("column {}", column + 1)
}

#[cfg(test)]
mod tests;
