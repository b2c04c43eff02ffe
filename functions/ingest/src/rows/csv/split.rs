//! Splits bytes into the records of a CSV file (RFC 4180), without decoding their cells.
//!
//! A quote is special only at the beginning of a cell, or after whitespace there. A record ends with LF, CRLF or CR outside of
//! quotes.
//!
//! A record over several lines is held to be an error of its first line if it fails: if its quotes are not closed within 1 MiB, text
//! follows a closing quote, or it has the wrong number of cells. Only that line is rejected. Reading resumes at the next one.
//!
//! # Why this takes linear time
//!
//! A record over several lines crosses every line end but its last between quotes. What follows a line end that is crossed between
//! quotes depends on nothing before it. So all records that begin within a failed record, and run over several lines, join its path:
//! they reach the same end, or the same error. [`Path`] keeps what was found there, so that it is not searched again.
//!
//! Each byte is examined at most five times, however the quotes are placed:
//!
//! 1. on the path of a record. A path is extended, not searched again. The next one begins at the earliest in the line in which the last
//!    one ends, so two paths share at most one line,
//! 2. on the line that begins with it, to find out whether a record that begins there ends there too,
//! 3. on that line again, between quotes, to subtract its cells from those of the path,
//! 4. twice for each path, to count the empty cells at its end.
//!
//! At most 1 MiB and a chunk is kept, apart from what the caller has not taken.

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};

use super::{
    super::{BOM, FramingError, MAX_REJECT_BYTES, MAX_ROW_BYTES},
    cells::{Split, is_blank, is_whitespace},
};

/// The position of a byte within a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a cell, or in whitespace at its start.
    Start,
    /// In a cell without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote in a quoted cell. It closes the cell, or is the first of two that encode one quote.
    Quote,
    /// In whitespace after a closing quote.
    Closed,
    /// After an error on the first line. The rest of the line belongs to the record.
    Broken,
}

/// Why a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// All bytes are scanned.
    Bytes,
    /// The record ends here, at a line end.
    Record,
    /// Here is a line end between quotes.
    QuotedLine,
    /// The character here follows a closing quote.
    Invalid,
}

/// The state of a scan within a record.
#[derive(Clone, Copy, Debug)]
struct Scan {
    state: State,
    /// The number of delimiters so far.
    delimiters: usize,
}

/// A line end that a record crosses between quotes.
#[derive(Clone, Copy, Debug)]
struct Crossing {
    /// Where the line end is in the buffer.
    at: usize,
    /// The number of delimiters of the record before it.
    delimiters: usize,
}

/// What is known about the rest of a failed record, from the start of the current line on.
#[derive(Clone, Copy, Debug)]
struct Path {
    /// How far the path is searched, in bytes of the object.
    end: u64,
    /// The scan at that point. Its delimiters are those from the start of the current line on.
    scan: Scan,
    stop: Stop,
    /// The number of empty cells before the end of the record, if it was counted.
    empty_cells: Option<usize>,
}

/// The number of cells that a record must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// The last column with a name.
    pub(super) least: usize,
    /// The number of columns. Cells after the last column must be empty.
    pub(super) most: usize,
}

/// A record of the file. Its positions are bytes of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) start: u64,
    /// Where the record ends, without its line end. If it is too large, where the kept part ends.
    pub(super) end: u64,
    pub(super) line: u64,
    pub(super) framing_error: Option<FramingError>,
    /// Whether the record can be split into the expected number of cells.
    pub(super) is_readable: bool,
}

impl Scan {
    const START: Self = Self {
        state: State::Start,
        delimiters: 0,
    };

    /// Scans from `*at` on, until something is found there or the bytes end. Line ends between quotes are found only if `in_quotes`
    /// says so.
    fn run(&mut self, bytes: &[u8], at: &mut usize, in_quotes: LineEnds, delimiter: u8) -> Stop {
        while *at < bytes.len() {
            let rest = &bytes[*at..];
            match self.state {
                State::Plain => match memchr::memchr3(delimiter, b'\n', b'\r', rest) {
                    None => *at = bytes.len() - 1,
                    Some(found) => {
                        *at += found;
                        if rest[found] != delimiter {
                            return Stop::Record;
                        }
                        self.next_cell();
                    }
                },
                State::Quoted => {
                    let found = match in_quotes {
                        LineEnds::Find => memchr::memchr3(b'"', b'\n', b'\r', rest),
                        LineEnds::Ignore => memchr::memchr(b'"', rest),
                    };
                    match found {
                        None => *at = bytes.len() - 1,
                        Some(found) => {
                            *at += found;
                            if rest[found] != b'"' {
                                return Stop::QuotedLine;
                            }
                            self.state = State::Quote;
                        }
                    }
                }
                State::Broken => match memchr::memchr2(b'\n', b'\r', rest) {
                    None => *at = bytes.len() - 1,
                    Some(found) => {
                        *at += found;
                        return Stop::Record;
                    }
                },
                State::Start | State::Quote | State::Closed => match rest[0] {
                    byte if byte == delimiter => self.next_cell(),
                    b'\n' | b'\r' => return Stop::Record,
                    byte => match self.state.after(byte) {
                        Some(state) => self.state = state,
                        None => return Stop::Invalid,
                    },
                },
            }
            *at += 1;
        }
        Stop::Bytes
    }

    const fn next_cell(&mut self) {
        self.state = State::Start;
        self.delimiters += 1;
    }
}

/// Whether a scan stops at line ends between quotes.
#[derive(Clone, Copy, Debug)]
enum LineEnds {
    Find,
    Ignore,
}

impl State {
    /// Returns the state after a byte at the start of a cell or after a quote, which is neither a delimiter nor a line end; `None` if
    /// the byte must not follow.
    const fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Start | Self::Quote, b'"') => Some(Self::Quoted),
            (Self::Start, byte) if is_whitespace(byte) => Some(Self::Start),
            (Self::Start, _) => Some(Self::Plain),
            (_, byte) if is_whitespace(byte) => Some(Self::Closed),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Splitter {
    delimiter: u8,
    /// The number of cells of a record; `None` before the header is known.
    columns: Option<Columns>,
    buffer: BytesMut,
    /// Where the buffer begins in the object, in bytes.
    offset: u64,
    /// Where the current record begins in the buffer.
    start: usize,
    line: u64,
    /// How far the buffer is scanned, and the state there.
    scanned: usize,
    scan: Scan,
    /// The first line end of the record that is crossed between quotes.
    crossing: Option<Crossing>,
    path: Option<Path>,
    /// Whether the last record ended with CR. An LF that follows belongs to the same line end.
    after_cr: bool,
    /// Whether the current line is too large, and its rest is left out.
    is_discarding: bool,
    /// Whether all bytes of the object are pushed.
    is_complete: bool,
    /// The number of examined bytes.
    #[cfg(test)]
    pub(super) examined: usize,
}

impl Splitter {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            columns: None,
            buffer: BytesMut::new(),
            offset: 0,
            start: 0,
            line: 1,
            scanned: 0,
            scan: Scan::START,
            crossing: None,
            path: None,
            after_cr: false,
            is_discarding: false,
            is_complete: false,
            #[cfg(test)]
            examined: 0,
        }
    }

    /// Begins at a position of the object, before anything is pushed.
    pub(super) const fn begin_at(&mut self, offset: u64, line: u64) {
        self.offset = offset;
        self.line = line;
    }

    /// Sets the number of cells that the records after the header have.
    pub(super) const fn expect(&mut self, columns: Columns) {
        self.columns = Some(columns);
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        // Rows that were taken may share the memory of the buffer, which is then copied. Room for as much again keeps the copies linear.
        if self.buffer.capacity() - self.buffer.len() < chunk.len() {
            self.buffer.reserve(chunk.len().max(self.buffer.len()));
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// Declares that all bytes are pushed. The last record may then end without a line end.
    pub(super) const fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Returns where the next record begins at the earliest, in bytes of the object.
    pub(super) const fn position(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// Returns the line of that position, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Returns the number of bytes before the next record that are neither taken nor discarded.
    pub(super) const fn kept(&self) -> usize {
        self.start
    }

    /// Returns how many of these bytes are before a record.
    pub(super) const fn bytes_before(&self, record: &Record) -> usize {
        self.index(record.start)
    }

    /// Returns the number of bytes in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Returns where a record is in the bytes that are neither taken nor discarded.
    pub(super) const fn range(&self, record: &Record) -> Range<usize> {
        self.index(record.start)..self.index(record.end)
    }

    /// Returns the bytes of a record that is not taken.
    pub(super) fn bytes(&self, record: &Record) -> &[u8] {
        &self.buffer[self.range(record)]
    }

    /// Takes the bytes of a record, and discards those before it.
    pub(super) fn take(&mut self, record: &Record) -> Bytes {
        self.discard_before(record.start);
        self.take_through(record)
    }

    /// Takes the bytes from those that were taken last, up to the end of a record.
    pub(super) fn take_through(&mut self, record: &Record) -> Bytes {
        let length = self.index(record.end);
        self.moved(length);
        self.buffer.split_to(length).freeze()
    }

    /// Discards the bytes before a position.
    pub(super) fn discard_before(&mut self, position: u64) {
        let length = self.index(position);
        self.moved(length);
        self.buffer.advance(length);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the positions are within the buffer"
    )]
    const fn index(&self, position: u64) -> usize {
        (position - self.offset) as usize
    }

    /// Adjusts the places in the buffer after bytes before the current record are removed.
    const fn moved(&mut self, length: usize) {
        self.offset += length as u64;
        self.start -= length;
        self.scanned -= length;
        if let Some(crossing) = &mut self.crossing {
            crossing.at -= length;
        }
    }

    /// Returns the next record, if it is complete. Empty lines are records too.
    pub(super) fn next(&mut self) -> Option<Record> {
        if self.scanned == self.start && !self.begin() {
            return None;
        }
        loop {
            // One byte more, in which the longest record has its line end.
            let limit = self.buffer.len().min(self.start + MAX_ROW_BYTES + 1);
            let line_ends = match self.crossing {
                None => LineEnds::Find,
                Some(_) => LineEnds::Ignore,
            };
            #[cfg(test)]
            let before = self.scanned;
            let stop = self.scan.run(
                &self.buffer[..limit],
                &mut self.scanned,
                line_ends,
                self.delimiter,
            );
            #[cfg(test)]
            {
                self.examined += self.scanned - before;
            }
            match stop {
                Stop::QuotedLine => {
                    if let Some(stop) = self.cross()
                        && let Some(record) = self.stop(stop)
                    {
                        return Some(record);
                    }
                }
                Stop::Bytes if self.scanned - self.start > MAX_ROW_BYTES => {
                    return Some(self.too_large());
                }
                Stop::Bytes if !self.is_complete => return None,
                stop => {
                    if let Some(record) = self.stop(stop) {
                        return Some(record);
                    }
                }
            }
        }
    }

    /// Moves to the start of a record: behind a line that is too large, the rest of a line end, and byte order marks. Returns `false`
    /// if more bytes are needed, or none are left.
    fn begin(&mut self) -> bool {
        if self.is_discarding {
            let rest = &self.buffer[self.start..];
            let found = memchr::memchr2(b'\n', b'\r', rest);
            self.start += found.unwrap_or(rest.len());
            if found.is_some() {
                self.is_discarding = false;
                self.end_line(self.start);
            } else {
                self.scanned = self.start;
            }
        }
        if self.after_cr && self.start < self.buffer.len() {
            self.after_cr = false;
            self.start += usize::from(self.buffer[self.start] == b'\n');
        }
        while self.buffer[self.start..].starts_with(BOM) {
            self.start += BOM.len();
        }
        self.scanned = self.start;
        let rest = &self.buffer[self.start..];
        let may_be_mark = rest.len() < BOM.len() && BOM.starts_with(rest);
        !rest.is_empty() && (self.is_complete || !may_be_mark)
    }

    /// Crosses a line end between quotes. If the path of a failed record is known from there on, moves to its end and returns why it
    /// stopped.
    fn cross(&mut self) -> Option<Stop> {
        self.crossing = Some(Crossing {
            at: self.scanned,
            delimiters: self.scan.delimiters,
        });
        self.scanned += 1;
        let path = self.path_from(self.scanned)?;
        self.scan = Scan {
            state: path.scan.state,
            delimiters: self.scan.delimiters + path.scan.delimiters,
        };
        self.scanned = self.index(path.end);
        // The search of an unfinished path continues.
        (path.stop != Stop::Bytes).then_some(path.stop)
    }

    /// Returns the path from `line_end` on, which is behind the end of the current line; `None` if no path is known there.
    fn path_from(&mut self, line_end: usize) -> Option<Path> {
        let path = self.path.take()?;
        if path.end < self.offset + line_end as u64 {
            return None;
        }
        let mut line = Scan {
            state: State::Quoted,
            delimiters: 0,
        };
        let mut at = self.start;
        line.run(
            &self.buffer[..line_end],
            &mut at,
            LineEnds::Ignore,
            self.delimiter,
        );
        #[cfg(test)]
        {
            self.examined += at - self.start;
        }
        let path = Path {
            scan: Scan {
                delimiters: path.scan.delimiters - line.delimiters,
                ..path.scan
            },
            ..path
        };
        self.path = Some(path);
        Some(path)
    }

    /// Handles what was found at `scanned`. Returns `None` if the record continues.
    fn stop(&mut self, stop: Stop) -> Option<Record> {
        let Some(crossing) = self.crossing else {
            return self.stop_on_first_line(stop);
        };
        let error = match (stop, self.scan.state) {
            (Stop::Invalid, _) | (Stop::Bytes, State::Quoted) => FramingError::UnclosedQuote,
            _ if self.has_columns() => return Some(self.end_record(stop)),
            _ => FramingError::WrongCellCount,
        };
        Some(self.fail(crossing, error, stop))
    }

    /// Handles what was found before the record has crossed a line end.
    fn stop_on_first_line(&mut self, stop: Stop) -> Option<Record> {
        if stop == Stop::Invalid {
            self.scan.state = State::Broken;
            return None;
        }
        let is_unclosed = stop == Stop::Bytes && self.scan.state == State::Quoted;
        let is_readable = !is_unclosed && self.scan.state != State::Broken && self.has_columns();
        // A path that ends behind this line is kept for the next one.
        let line_end = self.scanned + usize::from(stop != Stop::Bytes);
        self.path_from(line_end);
        Some(Record {
            framing_error: is_unclosed.then_some(FramingError::UnclosedQuote),
            is_readable,
            ..self.end_record(stop)
        })
    }

    /// Returns whether the record that ends at `scanned` has as many cells as it must.
    fn has_columns(&mut self) -> bool {
        let Some(Columns { least, most }) = self.columns else {
            return true;
        };
        let cells = self.scan.delimiters + 1;
        if cells <= most {
            return cells >= least;
        }
        // A record that has crossed a line end and has a path ends as that path does.
        let path = self.path.filter(|_| self.crossing.is_some());
        let known = path.and_then(|path| path.empty_cells);
        let empty = known.unwrap_or_else(|| self.count_empty_cells());
        if let Some(path) = path {
            self.path = Some(Path {
                empty_cells: Some(empty),
                ..path
            });
        }
        cells - empty <= most
    }

    /// Returns the number of empty cells at the end of the record that ends at `scanned`.
    fn count_empty_cells(&mut self) -> usize {
        #[cfg(test)]
        {
            self.examined += self.scanned - self.start;
        }
        let record = &self.buffer[self.start..self.scanned];
        // A cell over several lines is not empty, so that the number is the same for all records on a path.
        let is_empty =
            |cell: &[u8]| is_blank(cell) && memchr::memchr2(b'\n', b'\r', cell).is_none();
        let cells = Split::new(record, self.delimiter).map_while(|cell| cell);
        cells.fold(0, |empty, cell| if is_empty(&cell) { empty + 1 } else { 0 })
    }

    /// Ends the record at `scanned`.
    fn end_record(&mut self, stop: Stop) -> Record {
        let record = self.record(self.scanned);
        self.line += self.crossing.map_or(0, |_| line_ends(self.bytes(&record)));
        match stop {
            Stop::Bytes => self.restart(self.scanned),
            _ => self.end_line(self.scanned),
        }
        record
    }

    /// Rejects the first line of the current record, and keeps what is known about the lines after it.
    fn fail(&mut self, crossing: Crossing, error: FramingError, stop: Stop) -> Record {
        let empty_cells = self.path.and_then(|path| path.empty_cells);
        self.path = Some(Path {
            end: self.offset + self.scanned as u64,
            scan: Scan {
                state: self.scan.state,
                delimiters: self.scan.delimiters - crossing.delimiters,
            },
            stop,
            empty_cells,
        });
        let record = Record {
            framing_error: Some(error),
            is_readable: false,
            ..self.record(crossing.at)
        };
        self.end_line(crossing.at);
        record
    }

    /// Handles a record that is larger than the limit.
    fn too_large(&mut self) -> Record {
        if let Some(crossing) = self.crossing {
            return self.fail(crossing, FramingError::UnclosedQuote, Stop::Bytes);
        }
        // No path is longer than this line.
        self.path = None;
        let record = Record {
            framing_error: Some(FramingError::TooLarge),
            is_readable: false,
            ..self.record(self.start + MAX_REJECT_BYTES)
        };
        self.is_discarding = true;
        self.restart(self.scanned);
        record
    }

    /// Returns a readable record that ends at `end`.
    const fn record(&self, end: usize) -> Record {
        Record {
            start: self.position(),
            end: self.offset + end as u64,
            line: self.line,
            framing_error: None,
            is_readable: true,
        }
    }

    /// Moves behind the line end at `at`.
    fn end_line(&mut self, at: usize) {
        self.after_cr = self.buffer[at] == b'\r';
        self.line += 1;
        self.restart(at + 1);
    }

    /// Begins a record at `start`.
    const fn restart(&mut self, start: usize) {
        self.start = start;
        self.scanned = start;
        self.scan = Scan::START;
        self.crossing = None;
    }
}

/// Returns the number of line ends in a record.
fn line_ends(bytes: &[u8]) -> u64 {
    let found = memchr::memchr2_iter(b'\n', b'\r', bytes);
    found
        .filter(|at| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n'))
        .count() as u64
}
