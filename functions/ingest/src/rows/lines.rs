//! Splits newline-delimited JSON into rows. Several values may be side by side on a line. Keeps at most one row in memory.

use bytes::{Buf as _, Bytes, BytesMut};

use super::{
    FramingError, MAX_ROW_BYTES, Row, beginning,
    border::{self, Borders, MAX_WHITESPACE},
};

/// The maximum number of bytes that are searched for the end of a row: the row, and whitespace after it.
const MAX_SEARCHED_BYTES: usize = MAX_ROW_BYTES + MAX_WHITESPACE;

/// Where reading starts in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The start of a byte range. It may be inside a line, which belongs to the previous range.
    Cut(u64),
    /// The start of a value or of a line, as an earlier reader returned it.
    Value(u64),
}

/// Whether more of a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// More bytes may follow.
    Partial,
    /// These are all bytes of the file.
    Complete,
}

/// The position of the start of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the start of a line.
    Line,
    /// Inside a line, at the start of a value.
    Value,
    /// Inside a line of the previous range.
    OtherRange,
    /// One byte before the known start of a line or value.
    BeforeStart,
}

/// Where a row ends in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At a line end.
    Line(usize),
    /// Inside a line.
    Value(usize),
}

/// Splits chunks into rows.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: BytesMut,
    /// How many bytes of the buffer are searched for the end of the row.
    searched: usize,
    borders: Borders,
    /// Where the buffer begins in the object, in bytes.
    offset: u64,
    /// The line at which the buffer begins, from 1.
    number: u64,
    place: Place,
    /// Lines that begin here or later belong to the next range.
    range_end: Option<u64>,
    /// The beginning of a row that is too large. The rest of the row is skipped.
    skipping: Option<Row>,
}

impl Lines {
    /// Splits a whole object.
    pub(crate) fn new() -> Self {
        Self::from(Start::Cut(0), 1, None)
    }

    /// Splits the rest of an object, from the start of a line or value on. The pushed bytes begin there.
    pub(super) fn at(offset: u64, number: u64) -> Self {
        Self {
            offset,
            number,
            ..Self::new()
        }
    }

    /// Splits the lines from `start` on that begin before `range_end`. Unless the start is 0, the pushed bytes begin one byte before
    /// it.
    pub(crate) fn from(start: Start, number: u64, range_end: Option<u64>) -> Self {
        let (start, place) = match start {
            Start::Cut(0) | Start::Value(0) => (0, Place::Line),
            Start::Cut(start) => (start, Place::OtherRange),
            Start::Value(start) => (start, Place::BeforeStart),
        };
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            borders: Borders::default(),
            offset: start.saturating_sub(1),
            number,
            place,
            range_end,
            skipping: None,
        }
    }

    /// Begins at a position of the object, before anything is pushed.
    pub(super) const fn begin_at(&mut self, offset: u64, number: u64) {
        self.offset = offset;
        self.number = number;
    }

    /// Returns where the next row begins at the earliest.
    pub(crate) fn position(&self) -> u64 {
        self.skipping.as_ref().map_or(self.offset, |row| row.offset)
    }

    pub(crate) fn line(&self) -> u64 {
        self.number
    }

    /// Returns whether the next line belongs to the next range. All values of a line belong to the range in which the line begins.
    pub(crate) fn is_over(&self) -> bool {
        self.place == Place::Line
            && self.skipping.is_none()
            && self.range_end.is_some_and(|end| self.offset >= end)
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Returns the next complete row. Lines of whitespace are not rows.
    pub(crate) fn next(&mut self) -> Option<Row> {
        self.split(Input::Partial)
    }

    /// Returns the next of the last rows. Call it until it returns `None`.
    pub(crate) fn finish(&mut self) -> Option<Row> {
        self.split(Input::Complete)
    }

    /// Returns the next row.
    pub(super) fn split(&mut self, input: Input) -> Option<Row> {
        self.skip_to_start();
        while !self.is_over() && !matches!(self.place, Place::OtherRange | Place::BeforeStart) {
            let row = match self.find_end() {
                Some(end) => self.take(end),
                None if input == Input::Complete && !self.buffer.is_empty() => {
                    let end = self.borders.end(&self.buffer);
                    self.take(End::Value(end))
                }
                None if input == Input::Complete => return self.skipping.take(),
                None => return None,
            };
            if row.is_some() {
                return row;
            }
        }
        None
    }

    /// Skips bytes before the first row.
    fn skip_to_start(&mut self) {
        let count = match self.place {
            Place::Line | Place::Value => return,
            Place::BeforeStart => 1,
            Place::OtherRange => {
                let line_end = memchr::memchr(b'\n', &self.buffer);
                line_end.map_or(self.buffer.len(), |end| end + 1)
            }
        };
        if count == 0 || self.buffer.len() < count {
            return;
        }
        self.place = match (self.buffer[count - 1], self.place) {
            (b'\n', _) => Place::Line,
            (_, Place::BeforeStart) => Place::Value,
            (_, place) => place,
        };
        self.discard(count);
    }

    /// Returns where the next row ends, if the buffer contains its end.
    fn find_end(&mut self) -> Option<End> {
        while let Some(found) = memchr::memchr2(b'\n', b'{', &self.buffer[self.searched..]) {
            let at = self.searched + found;
            if self.discard_whitespace(at) {
                continue;
            }
            if let Some(border) = self.limit(at) {
                return Some(End::Value(border));
            }
            self.searched = at + 1;
            if self.buffer[at] == b'\n' {
                let end = self.borders.end(&self.buffer[..at]);
                return Some(if end == at {
                    End::Line(at)
                } else {
                    End::Value(end)
                });
            }
            if !border::follows_value(&self.buffer[..at]) {
                continue;
            }
            if self.skipping.is_some() {
                return Some(End::Value(at));
            }
            if let Some(end) = self.borders.end_at(at, &self.buffer) {
                return Some(End::Value(end));
            }
        }
        self.searched = self.buffer.len();
        self.discard_whitespace(self.buffer.len());
        let border = self.limit(self.buffer.len());
        if self.skipping.is_some() {
            // A border can be recognized by these bytes.
            self.discard(self.buffer.len().saturating_sub(MAX_WHITESPACE));
        }
        border.map(End::Value)
    }

    /// Removes whitespace before a row that reaches to `at` or beyond, if the row may be too large. Returns whether there was any.
    fn discard_whitespace(&mut self, at: usize) -> bool {
        if at <= MAX_SEARCHED_BYTES || self.skipping.is_some() {
            return false;
        }
        let count = border::blanks(&self.buffer[..at]);
        if count == 0 {
            return false;
        }
        self.discard(count);
        self.borders.shift(count);
        self.place = Place::Value;
        true
    }

    /// Limits the size of a row that reaches to `at` or beyond. If it is too large, it ends at the first border in a string. If there is
    /// none, it is skipped up to the next border of any kind.
    fn limit(&mut self, at: usize) -> Option<usize> {
        if at <= MAX_SEARCHED_BYTES || self.skipping.is_some() {
            return None;
        }
        let border = self.borders.first_in_string();
        if border.is_none() {
            self.skipping = Some(Row {
                bytes: beginning(&self.buffer),
                framing_error: Some(FramingError::TooLarge),
                ..Row::new(self.offset, self.number, Bytes::new())
            });
        }
        border
    }

    /// Takes a row; `None` if it contains only whitespace.
    fn take(&mut self, end: End) -> Option<Row> {
        let (End::Line(length) | End::Value(length)) = end;
        let text = self.buffer.split_to(length).freeze();
        let skipped = self.skipping.take();
        let row = skipped.or_else(|| self.row(&text));
        self.offset += length as u64;
        self.searched = 0;
        self.borders = Borders::default();
        self.place = Place::Value;
        if matches!(end, End::Line(_)) {
            self.discard(1);
            self.number += 1;
            self.place = Place::Line;
        }
        row
    }

    /// Returns a text at the start of the buffer as a row; `None` if it contains only whitespace.
    fn row(&self, text: &Bytes) -> Option<Row> {
        let (front, value) = border::trim(text);
        if value.is_empty() {
            return None;
        }
        let too_large = value.len() > MAX_ROW_BYTES;
        let bytes = if too_large {
            beginning(value)
        } else {
            text.slice(front..front + value.len())
        };
        Some(Row {
            framing_error: too_large.then_some(FramingError::TooLarge),
            ..Row::new(self.offset + front as u64, self.number, bytes)
        })
    }

    /// Removes bytes from the start of the buffer.
    fn discard(&mut self, count: usize) {
        self.buffer.advance(count);
        self.offset += count as u64;
        self.searched = self.searched.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests;
