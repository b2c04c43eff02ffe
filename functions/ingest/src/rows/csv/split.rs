//! Splits bytes into the records of a CSV file (RFC 4180), without decoding their cells. Keeps at most one record in memory.
//!
//! A quote is special only at the beginning of a cell, or after whitespace there. A record ends with LF, CRLF or CR outside of
//! quotes. If a record over several lines fails, only its first line is returned, with an error, and reading resumes at the
//! next line.

use bytes::{Buf as _, BytesMut};

use super::super::{BOM, FramingError, MAX_ROW_BYTES, Row, beginning};

/// The position of a byte within a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a cell, or after whitespace there.
    Start,
    /// In a cell without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote in a quoted cell. It closes the cell, or is the first of two that encode one quote.
    Quote,
    /// In whitespace after a closing quote.
    Closed,
}

/// The number of cells that a record must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// The last column with a name.
    pub(super) least: usize,
    /// The number of columns. Cells after the last column must be empty.
    pub(super) most: usize,
}

/// A record of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) row: Row,
    /// Whether the record can be split into the expected number of cells.
    pub(super) is_readable: bool,
}

/// The end of a record in the buffer.
struct End {
    /// The number of bytes in front of the line end.
    bytes: usize,
    /// Whether the record is complete. A record is incomplete at the end of the file, if a quote is open.
    is_complete: bool,
}

/// Splits chunks into records.
#[derive(Debug)]
pub(super) struct Splitter {
    buffer: BytesMut,
    delimiter: u8,
    /// How many bytes of the buffer have been searched.
    searched: usize,
    state: State,
    /// The number of delimiters in the record so far.
    delimiters: usize,
    /// Whether text follows a closing quote in the record.
    is_invalid: bool,
    /// The end of the record's first line, in bytes of the buffer, if the record has several lines.
    first_line: Option<usize>,
    /// A record that begins before this byte of the object and is open at the end of its first line fails. An earlier record has
    /// failed here. It was open at the end of that line too, so both would continue alike. This bounds the search: each byte
    /// is searched at most twice.
    failed_at: u64,
    /// Whether the last record ended with CR. An LF that follows belongs to the same line end.
    after_cr: bool,
    /// Whether a byte order mark may follow, because a line begins.
    at_line_start: bool,
    /// Where the buffer begins in the object, in bytes.
    pub(super) offset: u64,
    pub(super) line: u64,
    /// The beginning of a line that is too large. The rest of the line is skipped.
    skipping: Option<Row>,
    /// The number of bytes searched, to test that it is linear.
    #[cfg(test)]
    pub(super) examined: usize,
}

impl Splitter {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            buffer: BytesMut::new(),
            delimiter,
            searched: 0,
            state: State::Start,
            delimiters: 0,
            is_invalid: false,
            first_line: None,
            failed_at: 0,
            after_cr: false,
            at_line_start: true,
            offset: 0,
            line: 1,
            skipping: None,
            #[cfg(test)]
            examined: 0,
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Returns the number of bytes in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the next record that the chunks contain to its end. Lines without any byte are not records. `columns` is the number
    /// of cells that a record must have, if the header is known.
    pub(super) fn next(&mut self, columns: Option<Columns>) -> Option<Record> {
        loop {
            self.begin_line(false)?;
            let end = match self.find_end() {
                Some(end) => Some(end),
                None => self.limit(),
            };
            let end = end?;
            if let Some(record) = self.take(end, columns) {
                return Some(record);
            }
        }
    }

    /// Returns the next record at the end of the file. Call it until it returns `None`.
    pub(super) fn finish(&mut self, columns: Option<Columns>) -> Option<Record> {
        loop {
            self.begin_line(true);
            if self.buffer.is_empty() && self.skipping.is_none() {
                return None;
            }
            let end = self.find_end().unwrap_or(End {
                bytes: self.buffer.len(),
                is_complete: self.state != State::Quoted,
            });
            if let Some(record) = self.take(end, columns) {
                return Some(record);
            }
        }
    }

    /// Removes the rest of a line end and a byte order mark in front of a line. Returns `None` if more bytes are needed.
    fn begin_line(&mut self, is_whole: bool) -> Option<()> {
        if self.after_cr && !self.buffer.is_empty() {
            self.after_cr = false;
            if self.buffer[0] == b'\n' {
                self.drop(1);
            }
        }
        if !self.at_line_start {
            return Some(());
        }
        if self.buffer.starts_with(BOM) {
            self.drop(BOM.len());
        } else if !is_whole && BOM.starts_with(&self.buffer) {
            return None;
        }
        self.at_line_start = false;
        Some(())
    }

    /// Returns the end of the record, if the buffer contains it. A record that is known to fail ends after its first line.
    fn find_end(&mut self) -> Option<End> {
        #[cfg(test)]
        let from = self.searched;
        let end = self.search();
        #[cfg(test)]
        {
            self.examined += self.searched - from;
        }
        end
    }

    fn search(&mut self) -> Option<End> {
        let delimiter = self.delimiter;
        let is_line_end = |byte| matches!(byte, b'\n' | b'\r');
        let complete = |bytes| {
            Some(End {
                bytes,
                is_complete: true,
            })
        };
        while self.searched < self.buffer.len() {
            let rest = &self.buffer[self.searched..];
            let byte = rest[0];
            match self.state {
                State::Plain => match memchr::memchr3(delimiter, b'\n', b'\r', rest) {
                    None => self.searched = self.buffer.len() - 1,
                    Some(at) => {
                        self.searched += at;
                        if rest[at] != delimiter {
                            return complete(self.searched);
                        }
                        self.delimiters += 1;
                        self.state = State::Start;
                    }
                },
                State::Quoted => {
                    if self.skipping.is_some() {
                        // A quote that is not closed must not extend a line that is too large.
                        self.state = State::Plain;
                        continue;
                    }
                    let quote = memchr::memchr(b'"', rest);
                    if self.first_line.is_none() {
                        let text = &rest[..quote.unwrap_or(rest.len())];
                        if let Some(at) = memchr::memchr2(b'\n', b'\r', text) {
                            let first_line = self.searched + at;
                            self.first_line = Some(first_line);
                            if self.offset + (first_line as u64) < self.failed_at {
                                self.searched = first_line;
                                return Some(End {
                                    bytes: first_line,
                                    is_complete: false,
                                });
                            }
                        }
                    }
                    match quote {
                        None => self.searched = self.buffer.len() - 1,
                        Some(at) => {
                            self.searched += at;
                            self.state = State::Quote;
                        }
                    }
                }
                _ if is_line_end(byte) => return complete(self.searched),
                State::Start | State::Quote | State::Closed if byte == delimiter => {
                    self.delimiters += 1;
                    self.state = State::Start;
                }
                State::Start if is_whitespace(byte) => {}
                State::Start if byte == b'"' => self.state = State::Quoted,
                State::Start => self.state = State::Plain,
                State::Quote if byte == b'"' => self.state = State::Quoted,
                State::Quote | State::Closed if is_whitespace(byte) => self.state = State::Closed,
                State::Quote | State::Closed => {
                    self.is_invalid = true;
                    self.state = State::Plain;
                    if self.first_line.is_some() {
                        return Some(End {
                            bytes: self.searched,
                            is_complete: false,
                        });
                    }
                }
            }
            self.searched += 1;
        }
        None
    }

    /// Ends a record that has grown too large before its end is read. If it has one line, skips the line.
    fn limit(&mut self) -> Option<End> {
        if self.buffer.len() <= MAX_ROW_BYTES {
            return None;
        }
        if self.first_line.is_some() {
            return Some(End {
                bytes: self.buffer.len(),
                is_complete: false,
            });
        }
        let dropped = self.buffer.split();
        if self.skipping.is_none() {
            self.skipping = Some(Row {
                framing_error: Some(FramingError::TooLarge),
                ..Row::new(self.offset, self.line, beginning(&dropped))
            });
        }
        self.offset += dropped.len() as u64;
        self.searched = 0;
        None
    }

    /// Takes the record that ends at `end`, or the first line of a record that failed. Returns `None` for an empty line.
    fn take(&mut self, end: End, columns: Option<Columns>) -> Option<Record> {
        let fits = columns.is_none_or(|columns| self.has_cells(columns, end.bytes));
        let is_readable = end.is_complete && !self.is_invalid && fits;
        let first_line = self.first_line.filter(|_| !is_readable);
        if first_line.is_some() {
            self.failed_at = self.failed_at.max(self.offset + end.bytes as u64);
        }
        let framing_error = match first_line {
            Some(_) if end.is_complete && !self.is_invalid => Some(FramingError::WrongCellCount),
            Some(_) => Some(FramingError::UnclosedQuote),
            None => (!end.is_complete).then_some(FramingError::UnclosedQuote),
        };
        let record = self
            .buffer
            .split_to(first_line.unwrap_or(end.bytes))
            .freeze();
        let mut row = Row::new(self.offset, self.line, record.clone());
        self.offset += record.len() as u64;
        self.line += line_ends(&record);
        self.begin_record();
        row.framing_error = framing_error;
        if let Some(skipped) = self.skipping.take() {
            row = skipped;
        } else if record.is_empty() {
            return None;
        } else if record.len() > MAX_ROW_BYTES {
            row.framing_error = Some(FramingError::TooLarge);
        }
        if row.framing_error.is_some() {
            row.bytes = beginning(&row.bytes);
        }
        Some(Record {
            is_readable: is_readable && row.framing_error.is_none(),
            row,
        })
    }

    /// Returns whether the record, which ends at `end`, has as many cells as it must.
    fn has_cells(&self, columns: Columns, end: usize) -> bool {
        let cells = self.delimiters + 1;
        if cells <= columns.most {
            return cells >= columns.least;
        }
        let bytes = self.buffer[..end].iter().rev();
        let empty = bytes.take_while(|byte| **byte == self.delimiter || is_whitespace(**byte));
        let empty = empty.filter(|byte| **byte == self.delimiter).count();
        cells - empty <= columns.most
    }

    /// Removes the line end and begins the next record.
    fn begin_record(&mut self) {
        if let Some(end) = self.buffer.first() {
            self.after_cr = *end == b'\r';
            self.drop(1);
            self.line += 1;
        }
        (self.searched, self.state) = (0, State::Start);
        (self.delimiters, self.is_invalid, self.first_line) = (0, false, None);
        self.at_line_start = true;
    }

    fn drop(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.offset += bytes as u64;
    }
}

/// Returns whether a byte may surround a quoted cell. A tab that is the delimiter is handled before.
pub(super) const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Counts line ends in a record: LF, CRLF and CR.
fn line_ends(record: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', record).count() as u64
}
