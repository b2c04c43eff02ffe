//! Splits comma-separated values (RFC 4180) into rows. Keeps at most one record in memory.
//!
//! The rules are those of the strict mode of Python's `csv`. A quote is special only at the beginning of a cell. A line ends with
//! LF, CRLF or CR. Only a comma or the line's end may follow a closing quote. Empty lines are not records.

use std::borrow::Cow;

use bytes::{Buf as _, BytesMut};
use shared::model::value::Map;

use super::{BOM, FileError, FileErrorKind, FramingError, MAX_ROW_BYTES, Row, beginning};
use crate::rows::{RowError, RowErrorCode};

mod header;

use header::Header;

/// The position of a byte within a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a cell.
    Start,
    /// In a cell without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote in a quoted cell. It closes the cell, or is the first of two that encode one quote.
    Quote,
}

/// Splits chunks into records. The first record is the header.
#[derive(Debug)]
pub(crate) struct Csv {
    splitter: Splitter,
    header: Option<Header>,
    /// Why no rows follow, if the header is invalid.
    error: Option<FileError>,
}

impl Csv {
    pub(crate) fn new() -> Self {
        Self {
            splitter: Splitter::new(),
            header: None,
            error: None,
        }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.splitter.buffer.extend_from_slice(chunk);
    }

    pub(crate) fn next(&mut self) -> Option<Row> {
        if self.error.is_some() {
            return None;
        }
        let row = self.splitter.next()?;
        if self.header.is_some() {
            return Some(row);
        }
        self.parse_header(&row);
        self.next()
    }

    pub(crate) fn finish(&mut self) -> Option<Row> {
        if self.error.is_some() {
            return None;
        }
        let row = self.splitter.finish()?;
        if self.header.is_some() {
            return Some(row);
        }
        self.parse_header(&row);
        None
    }

    pub(crate) fn error(&self) -> Option<&FileError> {
        self.error.as_ref()
    }

    pub(crate) fn position(&self) -> u64 {
        self.splitter.offset
    }

    pub(crate) fn line(&self) -> u64 {
        self.splitter.line
    }

    /// Builds the fields of a record from its cells, as the header specifies.
    pub(crate) fn fields(&self, record: &str) -> Result<Map, RowError> {
        let cells = cells(record).ok_or_else(|| {
            RowError::whole(
                RowErrorCode::InvalidCsv,
                "has a character after a closing quote. Only a comma or a line end may follow. Double each quote inside a cell.",
            )
        })?;
        let header = self.header.as_ref();
        header.map_or_else(|| Ok(Map::new()), |header| header.fields(&cells))
    }

    /// Parses the first record as the header.
    fn parse_header(&mut self, row: &Row) {
        let invalid = |detail: &str| FileError::new(FileErrorKind::InvalidCsvHeader, detail);
        let bytes = row.bytes.strip_prefix(BOM).unwrap_or(&row.bytes);
        let header = match (row.framing_error, std::str::from_utf8(bytes).map(cells)) {
            (Some(FramingError::TooLarge), _) => Err(invalid(
                "The header is larger than 1 MiB, the limit. Shorten it.",
            )),
            (Some(FramingError::UnclosedQuote), _) => {
                Err(invalid("A quote in the header is not closed. Close it."))
            }
            (None, Err(_)) => Err(invalid(
                "The header is not valid UTF-8. Save the file as UTF-8.",
            )),
            (None, Ok(None)) => Err(invalid(
                "The header has a character after a closing quote. Only a comma or a line end may follow.",
            )),
            (None, Ok(Some(cells))) => Header::new(&cells).map_err(|detail| invalid(&detail)),
        };
        match header {
            Ok(header) => self.header = Some(header),
            Err(error) => self.error = Some(error),
        }
    }
}

/// Splits chunks into records, without parsing their cells.
#[derive(Debug)]
struct Splitter {
    buffer: BytesMut,
    /// How many bytes of the buffer have been searched.
    searched: usize,
    state: State,
    /// Whether the last record ended with CR. An LF that follows belongs to the same line end.
    after_cr: bool,
    /// Where the buffer begins in the object, in bytes.
    offset: u64,
    line: u64,
    /// The beginning of a record that is too large, and the number of line ends in it so far. The rest of the record is skipped.
    skipping: Option<(Row, u64)>,
}

impl Splitter {
    fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            state: State::Start,
            after_cr: false,
            offset: 0,
            line: 1,
            skipping: None,
        }
    }

    fn next(&mut self) -> Option<Row> {
        loop {
            if self.after_cr && !self.buffer.is_empty() {
                self.after_cr = false;
                if self.buffer[0] == b'\n' {
                    self.drop(1);
                }
            }
            let Some(end) = self.find_end() else {
                self.skip_if_too_large();
                return None;
            };
            let row = self.take(end);
            self.after_cr = self.buffer[0] == b'\r';
            self.drop(1);
            self.line += 1;
            if row.is_some() {
                return row;
            }
        }
    }

    fn finish(&mut self) -> Option<Row> {
        let is_unclosed = self.state == State::Quoted;
        let row = self.take(self.buffer.len())?;
        let framing_error = if is_unclosed {
            Some(FramingError::UnclosedQuote)
        } else {
            row.framing_error
        };
        let bytes = if is_unclosed {
            beginning(&row.bytes)
        } else {
            row.bytes
        };
        Some(Row {
            bytes,
            framing_error,
            ..row
        })
    }

    /// Returns where in the buffer the record ends, if it does.
    fn find_end(&mut self) -> Option<usize> {
        while self.searched < self.buffer.len() {
            let rest = &self.buffer[self.searched..];
            match self.state {
                State::Start => match rest[0] {
                    b'"' => self.state = State::Quoted,
                    b',' => {}
                    b'\n' | b'\r' => return Some(self.searched),
                    _ => self.state = State::Plain,
                },
                State::Plain => match memchr::memchr3(b',', b'\n', b'\r', rest) {
                    None => self.searched = self.buffer.len() - 1,
                    Some(at) => {
                        self.searched += at;
                        if rest[at] != b',' {
                            return Some(self.searched);
                        }
                        self.state = State::Start;
                    }
                },
                State::Quoted => match memchr::memchr(b'"', rest) {
                    None => self.searched = self.buffer.len() - 1,
                    Some(at) => {
                        self.searched += at;
                        self.state = State::Quote;
                    }
                },
                State::Quote => match rest[0] {
                    b'"' => self.state = State::Quoted,
                    b',' => self.state = State::Start,
                    b'\n' | b'\r' => return Some(self.searched),
                    _ => self.state = State::Plain,
                },
            }
            self.searched += 1;
        }
        None
    }

    /// Takes the record that ends at `end`; `None` if it is an empty line.
    fn take(&mut self, end: usize) -> Option<Row> {
        let record = self.buffer.split_to(end).freeze();
        (self.searched, self.state) = (0, State::Start);
        let (offset, line) = (self.offset, self.line);
        self.offset += end as u64;
        let line_ends = memchr::memchr_iter(b'\n', &record).count() as u64;
        if let Some((row, lines)) = self.skipping.take() {
            self.line += lines + line_ends;
            return Some(row);
        }
        self.line += line_ends;
        let too_large = record.len() > MAX_ROW_BYTES;
        (!record.is_empty()).then(|| Row {
            offset,
            line,
            bytes: if too_large {
                beginning(&record)
            } else {
                record
            },
            framing_error: too_large.then_some(FramingError::TooLarge),
            rows: 1,
            skipped: 0,
        })
    }

    fn drop(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.offset += bytes as u64;
    }

    /// Discards a record that has grown too large, before its end is read.
    fn skip_if_too_large(&mut self) {
        if self.buffer.len() <= MAX_ROW_BYTES {
            return;
        }
        let dropped = self.buffer.split();
        let lines = memchr::memchr_iter(b'\n', &dropped).count() as u64;
        match &mut self.skipping {
            Some((_, before)) => *before += lines,
            None => {
                let row = Row {
                    offset: self.offset,
                    line: self.line,
                    bytes: beginning(&dropped),
                    framing_error: Some(FramingError::TooLarge),
                    rows: 1,
                    skipped: 0,
                };
                self.skipping = Some((row, lines));
            }
        }
        self.offset += dropped.len() as u64;
        self.searched = 0;
    }
}

/// Splits one record, without its line end, into cells; `None` if anything else than a comma follows a closing quote.
fn cells(record: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut cells = Vec::new();
    let mut rest = record;
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted)?,
            None => {
                let end = memchr::memchr(b',', rest.as_bytes()).unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        cells.push(cell);
        if after.is_empty() {
            return Some(cells);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// Returns the text of a quoted cell, after its opening quote and up to its closing one, and the rest of the record; `None` if the quote is not closed.
fn quoted_cell(quoted: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut text = Cow::Borrowed("");
    let mut rest = quoted;
    loop {
        let quote = memchr::memchr(b'"', rest.as_bytes())?;
        if text.is_empty() {
            text = Cow::Borrowed(&rest[..quote]);
        } else {
            text.to_mut().push_str(&rest[..quote]);
        }
        let after = &rest[quote + 1..];
        let Some(more) = after.strip_prefix('"') else {
            return Some((text, after));
        };
        text.to_mut().push('"');
        rest = more;
    }
}

#[cfg(test)]
mod tests;
