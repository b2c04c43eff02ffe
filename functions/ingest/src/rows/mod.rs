//! Splits files into rows. In: a file's bytes, chunk by chunk, in any format. Out: its rows, one at a time, and the fields of
//! each. `record` defines their meaning.

use bytes::Bytes;
use shared::model::{identifier::Notation, value::Map};

use crate::source::{FileError, FileErrorKind};

mod border;
mod csv;
mod document;
mod encoding;
mod error;
pub(crate) mod json;
mod layout;
mod lines;
mod mapped;
mod skip;
#[cfg(test)]
mod tests;
mod utf16;
mod warning;

use csv::Csv;
pub(crate) use csv::{Records, flat_header};
use document::Document;
pub(crate) use document::{KnownFields, Outline, UnreadRows};
pub(crate) use error::{RowError, RowErrorCode};
pub(crate) use layout::{Encoding, Format, Layout, is_blank};
use lines::Lines;
pub(crate) use lines::Start;
pub(crate) use mapped::MappedInput;
use skip::SkippedLines;
use utf16::Transcoder;
pub(crate) use warning::{Warning, WarningCode};

/// The maximum size of a row, in bytes.
pub(crate) const MAX_ROW_BYTES: usize = 1 << 20;
/// The byte order mark in UTF-8, which some programs write at the beginning of a file.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The meaning of a field `records` in a JSON object that a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordsField {
    /// The rows of the file: the object is an envelope.
    Rows,
    /// Links of the object, which is a row.
    Links,
    /// One of both, because each row specifies its own type. The content decides.
    Undecided,
}

/// One row, or the adjacent CSV rows of one order or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where the row begins in the decompressed object, in bytes.
    pub(crate) offset: u64,
    /// The line on which the row begins, from 1.
    pub(crate) line: u64,
    /// The row's bytes without its line end. If the row has a framing error, only its first 64 KiB.
    pub(crate) bytes: Bytes,
    /// Why the row is invalid, as far as splitting detects it.
    pub(crate) framing_error: Option<FramingError>,
    /// The number of rows of the file in this one: 1, or the lines of an order or group.
    pub(crate) rows: u64,
    /// The number of rows directly before this one that are skipped, because they are blank or repeat the header.
    pub(crate) skipped: u64,
    /// The number of a record among those that a mapping makes of the row, from 0; `None` if the row is not mapped.
    pub(crate) record: Option<usize>,
}

impl Row {
    /// Creates a single row.
    pub(crate) const fn new(offset: u64, line: u64, bytes: Bytes) -> Self {
        Self {
            offset,
            line,
            bytes,
            framing_error: None,
            rows: 1,
            skipped: 0,
            record: None,
        }
    }

    /// Returns the number that a report adds for this row: 1 for a record that a mapping made, otherwise the number of rows of the file.
    pub(crate) const fn count(&self) -> u64 {
        match self.record {
            Some(_) => 1,
            None => self.rows,
        }
    }
}

/// An error in a row that is found before its fields are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramingError {
    /// The row is larger than 1 MiB.
    TooLarge,
    /// CSV: a quoted cell is not closed, or is closed on a later line on which other text follows.
    UnclosedQuote,
    /// CSV: a record over several lines has another number of cells than the header.
    WrongCellCount,
    /// CSV: a record between the lines of an order, or between the records of a group, cannot be read.
    BrokenOrder,
    /// CSV: an order or a group has more than 1,000 lines, or more than 1 MiB.
    OrderTooLarge,
    /// CSV: an earlier group has the same key, and other groups are between them.
    GroupNotAdjacent,
}

/// The maximum number of bytes of a row that a reject contains if the row could not be parsed.
pub(crate) const MAX_REJECT_BYTES: usize = 64 * 1024;
/// The notation of a rejected CSV row. If the row is dropped again as JSON, its identifiers are still read as cells.
pub(crate) const CSV_NOTATION: &str = "csv";

/// The fields of a row, and their notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) map: Map,
    pub(crate) notation: Notation,
    /// What reading changed or left out.
    pub(crate) warnings: Vec<Warning>,
}

/// Marks fields as parsed from JSON.
impl From<Map> for Fields {
    fn from(map: Map) -> Self {
        Self {
            map,
            notation: Notation::Json,
            warnings: Vec::new(),
        }
    }
}

/// The rows of one file.
#[derive(Debug)]
pub(crate) struct Rows {
    reader: Reader,
    /// The lines before the header or the first row, which the reader does not get.
    skipped_lines: SkippedLines,
    /// Converts the file, if it is UTF-16. The reader's positions are then those of the UTF-8 text.
    transcoder: Option<Transcoder>,
}

/// The reader for the format of a file.
#[derive(Debug)]
enum Reader {
    /// NDJSON, or a byte range of it.
    Lines(Lines),
    /// CSV.
    Csv(Box<Csv>),
    /// JSON.
    Document(Box<Document>),
}

impl Rows {
    /// Splits a whole file.
    pub(crate) fn new(layout: Layout, records: RecordsField) -> Self {
        let reader = match layout.format {
            Format::Ndjson => Reader::Lines(Lines::new()),
            Format::Csv => Reader::Csv(Box::new(Csv::new(layout.delimiter.unwrap_or(',')))),
            Format::Json => Reader::Document(Box::new(Document::new(records))),
        };
        Self {
            reader,
            skipped_lines: SkippedLines::default(),
            transcoder: Transcoder::new(layout.encoding),
        }
    }

    /// Splits the lines from `start` on that begin before `end`. Unless the start is 0, the pushed bytes begin one byte before it: if
    /// that byte ends a line, another line begins at `start`.
    pub(crate) fn lines(start: Start, line: Option<u64>, end: Option<u64>) -> Self {
        Self {
            reader: Reader::Lines(Lines::from(start, line.unwrap_or(1), end)),
            skipped_lines: SkippedLines::default(),
            transcoder: None,
        }
    }

    /// Returns the earliest byte at which the next row can begin.
    pub(crate) fn position(&self) -> u64 {
        self.original(self.reader.position())
    }

    /// Returns the position in the file of a position in the text that the reader reads.
    fn original(&self, position: u64) -> u64 {
        let transcoder = self.transcoder.as_ref();
        transcoder.map_or(position, |transcoder| transcoder.original(position))
    }

    /// Returns the line of that position, from 1.
    pub(crate) fn line(&self) -> u64 {
        match &self.reader {
            Reader::Lines(lines) => lines.line(),
            Reader::Csv(csv) => csv.line(),
            Reader::Document(document) => document.line(),
        }
    }

    /// Returns whether the end of the byte range is reached.
    pub(crate) fn is_over(&self) -> bool {
        match &self.reader {
            Reader::Lines(lines) => lines.is_over(),
            Reader::Csv(_) | Reader::Document(_) => false,
        }
    }

    /// Adds the next chunk of the object.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        match &mut self.transcoder {
            None => self.read(chunk),
            Some(transcoder) => {
                let text = transcoder.push(chunk, self.reader.position());
                self.read(&text);
            }
        }
    }

    /// Passes text to the reader, without the lines that are skipped.
    fn read(&mut self, text: &[u8]) {
        let skipped = self.skipped_lines.skip(text);
        if skipped > 0 {
            let offset = self.reader.position() + skipped as u64;
            self.reader.begin_at(offset, self.skipped_lines.line());
        }
        self.reader.push(&text[skipped..]);
    }

    /// Returns the next complete row, if the chunks so far contain one.
    pub(crate) fn next(&mut self) -> Option<Row> {
        let row = match &mut self.reader {
            Reader::Lines(lines) => lines.next(),
            Reader::Csv(csv) => csv.next(),
            Reader::Document(document) => document.next(),
        }?;
        Some(self.placed(row))
    }

    /// Returns the last row, if the object does not end with a row's end. Call it until it returns `None`.
    pub(crate) fn finish(&mut self) -> Option<Row> {
        if let Some(transcoder) = &mut self.transcoder {
            let text = transcoder.finish();
            self.read(&text);
        }
        let row = match &mut self.reader {
            Reader::Lines(lines) => lines.finish(),
            Reader::Csv(csv) => csv.finish(),
            Reader::Document(document) => document.finish(),
        }?;
        Some(self.placed(row))
    }

    /// Returns a row with its position in the file.
    fn placed(&mut self, row: Row) -> Row {
        let offset = self.original(row.offset);
        if let Some(transcoder) = &mut self.transcoder {
            transcoder.forget(self.reader.position());
        }
        Row { offset, ..row }
    }

    /// Returns why no more rows follow, if the file has an error.
    pub(crate) fn error(&self) -> Option<&FileError> {
        match &self.reader {
            Reader::Lines(_) => None,
            Reader::Csv(csv) => csv.error(),
            Reader::Document(document) => document.error(),
        }
    }

    /// Returns the number of rows that are skipped after the last row. Valid after [`Self::finish`] returned `None`.
    pub(crate) fn skipped_at_end(&self) -> u64 {
        match &self.reader {
            Reader::Csv(csv) => csv.skipped_at_end(),
            Reader::Lines(_) | Reader::Document(_) => 0,
        }
    }

    /// Returns why a row that this value returned cannot be parsed.
    pub(crate) fn error_of(&self, row: &Row) -> Option<RowError> {
        match self.header() {
            Some(_) => self.records(row).err(),
            None => self.fields(row).err(),
        }
    }

    /// Parses the fields of a row that this value returned.
    ///
    /// # Errors
    /// The row cannot be parsed.
    pub(crate) fn fields(&self, row: &Row) -> Result<Fields, RowError> {
        if let Some(error) = row.framing_error {
            return Err(error.into());
        }
        match &self.reader {
            Reader::Csv(csv) => csv.fields(row),
            Reader::Lines(_) | Reader::Document(_) => json::fields(&row.bytes),
        }
    }
}

impl Reader {
    fn position(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.position(),
            Self::Csv(csv) => csv.position(),
            Self::Document(document) => document.position(),
        }
    }

    /// Begins at a position, before anything is pushed.
    fn begin_at(&mut self, offset: u64, line: u64) {
        match self {
            Self::Lines(lines) => lines.begin_at(offset, line),
            Self::Csv(csv) => csv.begin_at(offset, line),
            Self::Document(document) => document.begin_at(offset, line),
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        match self {
            Self::Lines(lines) => lines.push(chunk),
            Self::Csv(csv) => csv.push(chunk),
            Self::Document(document) => document.push(chunk),
        }
    }
}

impl From<FramingError> for RowError {
    fn from(error: FramingError) -> Self {
        let (code, problem) = match error {
            FramingError::TooLarge => (
                RowErrorCode::RecordTooLarge,
                "is larger than 1 MiB, the limit. Shorten or split it.",
            ),
            FramingError::UnclosedQuote => (
                RowErrorCode::UnclosedQuote,
                "has a quote that is not closed. Close it, or double it if it is part of the text.",
            ),
            FramingError::WrongCellCount => (
                RowErrorCode::WrongCellCount,
                "has a quote that is closed on a later line, but not as many cells as the header. Close the quote, or double it if it \
                 is part of the text.",
            ),
            FramingError::BrokenOrder => (
                RowErrorCode::BrokenOrder,
                "is an order or group with a line that cannot be read. Correct the line, and drop all lines of the order or group \
                 again.",
            ),
            FramingError::OrderTooLarge => (
                RowErrorCode::OrderTooLarge,
                "is an order or group with more than 1,000 lines or 1 MiB, the limit. Split it.",
            ),
            FramingError::GroupNotAdjacent => (
                RowErrorCode::GroupNotAdjacent,
                "belongs to the group of earlier rows, but other groups are between them. Sort the file by the column that the mapping \
                 groups by, and drop it again.",
            ),
        };
        Self::whole(code, problem)
    }
}

/// Returns the bytes that a row has in a file with this encoding.
#[cfg(fuzzing)]
pub(crate) fn in_file(row: &[u8], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => row.to_vec(),
        Encoding::Utf16Le | Encoding::Utf16Be => utf16::encode(row, encoding),
    }
}

/// Returns the beginning of a row, as much as a reject contains. It is a copy, because a slice would keep the whole row in
/// memory.
fn beginning(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&bytes[..bytes.len().min(MAX_REJECT_BYTES)])
}
