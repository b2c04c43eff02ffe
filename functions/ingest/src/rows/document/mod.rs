//! Splits a `.json` file into rows. The content determines its shape: an array, an envelope `{"records":[…]}`, one or several
//! objects, or NDJSON.
//!
//! Keeps at most one row in memory, and up to 1 MiB until the shape is known.

use bytes::{Buf as _, BytesMut};

use super::{
    BOM, FileError, FileErrorKind, FramingError, Lines, MAX_ROW_BYTES, RecordsField, Row, beginning,
};

mod shape;

use shape::{Input, Scan, Shape};

/// Splits chunks into rows.
#[derive(Debug)]
pub(crate) struct Document {
    records: RecordsField,
    reader: Reader,
}

/// The reader for the shape of the file.
#[derive(Debug)]
enum Reader {
    /// The bytes read before the shape was known.
    Undecided(BytesMut),
    Lines(Lines),
    Values(Values),
}

impl Document {
    pub(crate) fn new(records: RecordsField) -> Self {
        Self {
            records,
            reader: Reader::Undecided(BytesMut::new()),
        }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        match &mut self.reader {
            Reader::Undecided(buffer) => buffer.extend_from_slice(chunk),
            Reader::Lines(lines) => lines.push(chunk),
            Reader::Values(values) => values.buffer.extend_from_slice(chunk),
        }
    }

    pub(crate) fn next(&mut self) -> Option<Row> {
        self.decide(Input::Partial);
        match &mut self.reader {
            Reader::Undecided(_) => None,
            Reader::Lines(lines) => lines.next(),
            Reader::Values(values) => values.next(),
        }
    }

    pub(crate) fn finish(&mut self) -> Option<Row> {
        self.decide(Input::Complete);
        match &mut self.reader {
            Reader::Undecided(_) => None,
            Reader::Lines(lines) => lines.next().or_else(|| lines.finish()),
            Reader::Values(values) => values.next().or_else(|| values.finish()),
        }
    }

    pub(crate) fn error(&self) -> Option<&FileError> {
        match &self.reader {
            Reader::Values(values) => values.error.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn position(&self) -> u64 {
        match &self.reader {
            Reader::Undecided(_) => 0,
            Reader::Lines(lines) => lines.position(),
            Reader::Values(values) => values.offset,
        }
    }

    pub(crate) fn line(&self) -> u64 {
        match &self.reader {
            Reader::Undecided(_) => 1,
            Reader::Lines(lines) => lines.line(),
            Reader::Values(values) => values.line,
        }
    }

    /// Chooses the reader, as soon as the shape is known.
    fn decide(&mut self, input: Input) {
        let Reader::Undecided(buffer) = &mut self.reader else {
            return;
        };
        let Some(shape) = shape::of(buffer, self.records, input) else {
            return;
        };
        let buffer = std::mem::take(buffer);
        self.reader = match shape {
            Shape::Lines => {
                let mut lines = Lines::new();
                lines.push(&buffer);
                Reader::Lines(lines)
            }
            Shape::Sequence => Reader::Values(Values::new(buffer, 0, List::Bare)),
            // Everything in front of the list is skipped.
            Shape::List { from } => Reader::Values(Values::new(buffer, from, List::Bracketed)),
        };
    }
}

/// How values are separated, and how the list ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// Values follow one another, to the end of the file.
    Bare,
    /// Commas separate the values, and a closing bracket ends them. Everything after the bracket belongs to the envelope and is
    /// ignored.
    Bracketed,
}

/// The position in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first value.
    First,
    /// Before another value, which must follow.
    Next,
    /// Inside a value.
    Value,
    /// After a value.
    After,
    /// After the closing bracket.
    Over,
}

/// Splits a list into values.
#[derive(Debug)]
struct Values {
    buffer: BytesMut,
    /// How many bytes of the buffer belong to the current value.
    searched: usize,
    state: State,
    list: List,
    scan: Scan,
    /// Where the buffer begins in the object, in bytes.
    offset: u64,
    line: u64,
    /// The beginning of a value that is too large. The rest of the value is skipped.
    skipping: Option<Row>,
    /// Why no more values follow, if the file has an error.
    error: Option<FileError>,
}

impl Values {
    /// Starts at byte `from` of the buffer, which contains the object's beginning.
    fn new(mut buffer: BytesMut, from: usize, list: List) -> Self {
        let from = if from == 0 && buffer.starts_with(BOM) {
            BOM.len()
        } else {
            from
        };
        let line = 1 + line_ends(&buffer[..from]);
        buffer.advance(from);
        Self {
            buffer,
            searched: 0,
            state: State::First,
            list,
            scan: Scan::default(),
            offset: from as u64,
            line,
            skipping: None,
            error: None,
        }
    }

    fn next(&mut self) -> Option<Row> {
        while self.error.is_none() {
            if self.state == State::Value {
                while self.searched < self.buffer.len() {
                    match self.scan.step(self.buffer[self.searched]) {
                        shape::Step::Inside => self.searched += 1,
                        shape::Step::EndsAfter => {
                            self.searched += 1;
                            return self.take();
                        }
                        shape::Step::EndsBefore => return self.take(),
                    }
                }
                self.skip_if_too_large();
                return None;
            }
            self.skip_whitespace();
            let byte = *self.buffer.first()?;
            self.between(byte);
        }
        None
    }

    /// Returns the last value, if the file ends in the middle of it.
    fn finish(&mut self) -> Option<Row> {
        if self.error.is_some() {
            return None;
        }
        let row = if self.state == State::Value {
            self.take()
        } else {
            None
        };
        if self.list == List::Bracketed && self.state != State::Over {
            self.fail("ends without its closing bracket");
        }
        row
    }

    /// Handles a byte between values.
    fn between(&mut self, byte: u8) {
        match (self.list, self.state, byte) {
            (_, State::Over, _) => {
                let rest = self.buffer.len();
                self.skip(rest);
            }
            (List::Bracketed, State::First | State::After, b']') => {
                self.skip(1);
                self.state = State::Over;
            }
            (List::Bracketed, State::After, b',') => {
                self.skip(1);
                self.state = State::Next;
            }
            (List::Bracketed, State::After, _) => {
                self.fail("lacks a comma or a closing bracket after a value")
            }
            (List::Bracketed, _, b',' | b']') => self.fail("lacks a value"),
            _ => {
                self.scan = Scan::default();
                self.state = State::Value;
            }
        }
    }

    /// Ends the list with an error at the current position.
    fn fail(&mut self, what: &str) {
        self.error = Some(FileError::new(
            FileErrorKind::BrokenJson,
            format!(
                "The JSON array {what}, at byte {}, line {}. Only the rows before it were processed. Correct the array and drop \
                 the file again.",
                self.offset, self.line
            ),
        ));
    }

    /// Skips whitespace between values.
    fn skip_whitespace(&mut self) {
        let is_whitespace = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let count = self
            .buffer
            .iter()
            .take_while(|byte| is_whitespace(byte))
            .count();
        self.skip(count);
    }

    /// Removes bytes from the start of the buffer, and counts them and their line ends.
    fn skip(&mut self, bytes: usize) {
        self.line += line_ends(&self.buffer[..bytes]);
        self.offset += bytes as u64;
        self.buffer.advance(bytes);
        self.searched = 0;
    }

    /// Takes the value that ends at `searched`.
    fn take(&mut self) -> Option<Row> {
        let value = self.buffer.split_to(self.searched).freeze();
        let (offset, line) = (self.offset, self.line);
        self.offset += value.len() as u64;
        self.line += line_ends(&value);
        self.searched = 0;
        self.state = State::After;
        if self.list == List::Bare {
            self.state = State::First;
        }
        if let Some(row) = self.skipping.take() {
            return Some(row);
        }
        let too_large = value.len() > MAX_ROW_BYTES;
        Some(Row {
            offset,
            line,
            bytes: if too_large { beginning(&value) } else { value },
            framing_error: too_large.then_some(FramingError::TooLarge),
            rows: 1,
            skipped: 0,
        })
    }

    /// Discards a value that has grown too large, before its end is read.
    fn skip_if_too_large(&mut self) {
        if self.buffer.len() <= MAX_ROW_BYTES {
            return;
        }
        let dropped = self.buffer.split();
        if self.skipping.is_none() {
            self.skipping = Some(Row {
                offset: self.offset,
                line: self.line,
                bytes: beginning(&dropped),
                framing_error: Some(FramingError::TooLarge),
                rows: 1,
                skipped: 0,
            });
        }
        self.offset += dropped.len() as u64;
        self.line += line_ends(&dropped);
        self.searched = 0;
    }
}

/// Counts line ends.
fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests;
