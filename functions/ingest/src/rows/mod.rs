//! Rows: cut out of a stream of chunks, whatever the format, one at a time. What a row says is `record`'s matter.

use bytes::Bytes;
use shared::{identifier::Notation, value::Map};

use crate::source::FileError;

mod csv;
mod document;
mod error;
pub(crate) mod json;
mod lines;
#[cfg(test)]
mod tests;

use csv::Csv;
use document::Document;
pub(crate) use error::RowError;
use lines::Lines;

/// The most bytes of a row.
pub(crate) const MAX_ROW: usize = 1 << 20;
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How a file's rows are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object a line.
    Ndjson,
    /// Told by its content: an array, an envelope, one object, or NDJSON.
    Json,
    /// Comma-separated values, the first record of which names the columns.
    Csv,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where the row begins in the decompressed object, in bytes.
    pub(crate) offset: u64,
    /// The line that it begins on, from 1.
    pub(crate) line: u64,
    /// The row's bytes without its line end; only its first ones where `flaw` says that it is too large.
    pub(crate) bytes: Bytes,
    /// What makes it no row, as far as cutting tells.
    pub(crate) flaw: Option<Flaw>,
}

/// What can be wrong with a row before its fields are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It has more than 1 MiB.
    TooLarge,
    /// CSV: a quoted cell is not closed; all that follows it may be part of it.
    UnclosedQuote,
}

/// The most bytes of a rejected row that could not be parsed.
pub(crate) const MAX_RAW_BYTES: usize = 64 * 1024;
/// The notation of a rejected row of CSV: dropped again as JSON, its identifiers are still read as cells.
pub(crate) const CSV_NOTATION: &str = "csv";

/// The fields of a row, and how they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) map: Map,
    pub(crate) notation: Notation,
}

/// Fields of JSON.
impl From<Map> for Fields {
    fn from(map: Map) -> Self {
        Self {
            map,
            notation: Notation::Json,
        }
    }
}

/// The rows of one file.
#[derive(Debug)]
pub(crate) enum Rows {
    Lines(Lines),
    Csv(Csv),
    Document(Box<Document>),
}

impl Rows {
    /// The rows of a whole file. `bare_records` says that its rows hold `records` of their own, so that an object
    /// with a field of that name is a row and not an envelope; `None` where each row names its own type.
    pub(crate) fn new(format: Format, bare_records: Option<bool>) -> Self {
        match format {
            Format::Ndjson => Self::Lines(Lines::new()),
            Format::Csv => Self::Csv(Csv::new()),
            Format::Json => Self::Document(Box::new(Document::new(bare_records))),
        }
    }

    /// The lines that begin at `start` or after it, and before `end`. What is pushed begins a byte before `start`, if
    /// there is one: whether that ends a line says whether one begins at `start`.
    pub(crate) fn lines(start: u64, line: Option<u64>, end: Option<u64>) -> Self {
        Self::Lines(Lines::from(start, line.unwrap_or(1), end))
    }

    /// Where the next row begins at the earliest, in bytes.
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.position(),
            Self::Csv(csv) => csv.position(),
            Self::Document(document) => document.position(),
        }
    }

    /// The line of that position, from 1.
    pub(crate) fn line(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.line(),
            Self::Csv(csv) => csv.line(),
            Self::Document(document) => document.line(),
        }
    }

    /// Whether the end of the range is reached.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.is_over(),
            Self::Csv(_) | Self::Document(_) => false,
        }
    }

    /// Takes the next chunk of the object in.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        match self {
            Self::Lines(lines) => lines.push(chunk),
            Self::Csv(csv) => csv.push(chunk),
            Self::Document(document) => document.push(chunk),
        }
    }

    /// The next whole row, if the chunks so far hold one.
    pub(crate) fn next(&mut self) -> Option<Row> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Csv(csv) => csv.next(),
            Self::Document(document) => document.next(),
        }
    }

    /// The last row, where the object does not end with a row's end. To be called until there is none.
    pub(crate) fn finish(&mut self) -> Option<Row> {
        match self {
            Self::Lines(lines) => lines.finish(),
            Self::Csv(csv) => csv.finish(),
            Self::Document(document) => document.finish(),
        }
    }

    /// Why there are no more rows, where the file broke off.
    pub(crate) fn broken(&self) -> Option<&FileError> {
        match self {
            Self::Lines(_) => None,
            Self::Csv(csv) => csv.broken(),
            Self::Document(document) => document.broken(),
        }
    }

    /// The fields of a row that was cut here.
    pub(crate) fn fields(&self, row: &Row) -> Result<Fields, RowError> {
        match row.flaw {
            Some(Flaw::TooLarge) => {
                return Err(RowError::whole(
                    "record_too_large",
                    "a record of at most 1 MiB",
                ));
            }
            Some(Flaw::UnclosedQuote) => {
                return Err(RowError::whole(
                    "unclosed_quote",
                    "a closing quote: without one the record runs to the end of the file",
                ));
            }
            None => {}
        }
        let text = std::str::from_utf8(&row.bytes)
            .map_err(|_| RowError::whole("invalid_utf8", "UTF-8"))?;
        match self {
            Self::Csv(csv) => Ok(Fields {
                map: csv.fields(text)?,
                notation: Notation::Csv,
            }),
            Self::Lines(_) | Self::Document(_) => json::object(text).map(Fields::from),
        }
    }
}

/// Takes a byte order mark off, and blanks around; answers how many bytes went in front.
fn trimmed(mut bytes: Bytes, at_start: bool) -> (usize, Bytes) {
    let mut front = 0;
    if at_start && bytes.starts_with(BOM) {
        bytes = bytes.slice(BOM.len()..);
        front = BOM.len();
    }
    let leading = bytes.len() - bytes.trim_ascii_start().len();
    let length = bytes.trim_ascii().len();
    (front + leading, bytes.slice(leading..leading + length))
}

/// The beginning of a row that is too large, as much of it as a reject shows. A copy: a slice would hold all.
fn beginning(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&bytes[..bytes.len().min(MAX_RAW_BYTES)])
}
