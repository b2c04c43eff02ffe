//! Splits a `.json` file into rows. The content determines its shape: an array, an envelope `{"records":[…]}`, one or several
//! objects, or NDJSON. Several arrays or envelopes may follow one another.
//!
//! Keeps at most one row in memory, and up to 1 MiB until the shape is known.

use bytes::{Buf as _, Bytes, BytesMut};

use super::{
    FileError, FileErrorKind, FramingError, Lines, MAX_ROW_BYTES, RecordsField, Row, beginning,
    border::{self, Borders, MAX_WHITESPACE, RECORD_SEPARATOR},
    lines::Input,
};

mod shape;

use shape::{Scan, Shape};

/// Splits chunks into rows.
#[derive(Debug)]
pub(crate) struct Document {
    records: RecordsField,
    reader: Reader,
}

/// The reader for the shape of the file, or of what follows an array or envelope.
#[derive(Debug)]
enum Reader {
    Undecided(Undecided),
    Lines(Lines),
    Values(Values),
}

/// The bytes read before the shape is known, without whitespace in front of them.
#[derive(Debug)]
struct Undecided {
    buffer: BytesMut,
    /// Where the buffer begins in the object, in bytes.
    offset: u64,
    line: u64,
    /// Whether a record separator precedes the buffer.
    is_separated: bool,
}

impl Document {
    pub(crate) fn new(records: RecordsField) -> Self {
        Self {
            records,
            reader: Reader::Undecided(Undecided {
                buffer: BytesMut::new(),
                offset: 0,
                line: 1,
                is_separated: false,
            }),
        }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        match &mut self.reader {
            Reader::Undecided(undecided) => undecided.buffer.extend_from_slice(chunk),
            Reader::Lines(lines) => lines.push(chunk),
            Reader::Values(values) => values.buffer.extend_from_slice(chunk),
        }
    }

    pub(crate) fn next(&mut self) -> Option<Row> {
        self.split(Input::Partial)
    }

    /// Returns the next of the last rows. Call it until it returns `None`.
    pub(crate) fn finish(&mut self) -> Option<Row> {
        self.split(Input::Complete)
    }

    fn split(&mut self, input: Input) -> Option<Row> {
        loop {
            let row = match &mut self.reader {
                Reader::Undecided(undecided) => {
                    let reader = undecided.decide(self.records, input)?;
                    self.reader = reader;
                    continue;
                }
                Reader::Lines(lines) => return lines.split(input),
                Reader::Values(values) => values.split(input),
            };
            match (row, &mut self.reader) {
                (None, Reader::Values(values)) => {
                    self.reader = Reader::Undecided(values.take_rest()?);
                }
                (row, _) => return row,
            }
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
            Reader::Undecided(undecided) => undecided.offset,
            Reader::Lines(lines) => lines.position(),
            Reader::Values(values) => values.position(),
        }
    }

    pub(crate) fn line(&self) -> u64 {
        match &self.reader {
            Reader::Undecided(undecided) => undecided.line,
            Reader::Lines(lines) => lines.line(),
            Reader::Values(values) => values.line,
        }
    }
}

impl Undecided {
    /// Returns the reader for the shape, as soon as it is known.
    fn decide(&mut self, records: RecordsField, input: Input) -> Option<Reader> {
        let blanks = border::blanks(&self.buffer);
        let before = self.buffer.split_to(blanks);
        self.offset += blanks as u64;
        self.line += line_ends(&before);
        self.is_separated |= before.contains(&RECORD_SEPARATOR);
        let shape = shape::of(&self.buffer, records, input)?;
        let buffer = std::mem::take(&mut self.buffer);
        Some(match shape {
            // Values after record separators may take several lines.
            Shape::Lines if !self.is_separated => {
                let mut lines = Lines::at(self.offset, self.line);
                lines.push(&buffer);
                Reader::Lines(lines)
            }
            Shape::Lines | Shape::Sequence => Reader::Values(Values::new(self, buffer, List::Bare)),
            Shape::List { from } => {
                let list = if from == 1 {
                    List::Bracketed
                } else {
                    List::Enveloped
                };
                let mut values = Values::new(self, buffer, list);
                // Everything in front of the list is skipped.
                values.skip(from);
                Reader::Values(values)
            }
        })
    }
}

/// How values are separated, and how the list ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// Values follow one another, to the end of the file.
    Bare,
    /// Commas separate the values, and a closing bracket ends them.
    Bracketed,
    /// A bracketed list in an object, whose other fields are ignored.
    Enveloped,
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
    /// In the envelope, after the closing bracket.
    Envelope,
    /// After the array or the envelope.
    Over,
    /// After text that follows the array or the envelope and is not a value.
    Ignored,
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
    borders: Borders,
    /// Where the buffer begins in the object, in bytes.
    offset: u64,
    line: u64,
    /// The beginning of a value that is too large. The rest of the value is skipped.
    skipping: Option<Row>,
    /// Why no more values follow, if the file has an error.
    error: Option<FileError>,
}

impl Values {
    /// Starts at the first byte of the buffer.
    fn new(start: &Undecided, buffer: BytesMut, list: List) -> Self {
        Self {
            buffer,
            searched: 0,
            state: State::First,
            list,
            scan: Scan::default(),
            borders: Borders::default(),
            offset: start.offset,
            line: start.line,
            skipping: None,
            error: None,
        }
    }

    /// Returns where the next row begins at the earliest.
    fn position(&self) -> u64 {
        self.skipping.as_ref().map_or(self.offset, |row| row.offset)
    }

    fn split(&mut self, input: Input) -> Option<Row> {
        let is_complete = input == Input::Complete;
        while self.error.is_none() {
            if self.state == State::Value {
                match self.find_end() {
                    Some(end) => self.searched = end,
                    None if is_complete => self.searched = self.borders.end(&self.buffer),
                    None => return None,
                }
                return Some(self.take());
            }
            self.skip(border::blanks(&self.buffer));
            match self.buffer.first() {
                Some(_) if !is_complete && border::is_part_of_mark(&self.buffer) => return None,
                // Another value, with a shape of its own.
                Some(b'{' | b'[') if self.state == State::Over => return None,
                Some(byte) => self.between(*byte),
                None if is_complete && self.list != List::Bare && !self.has_ended() => {
                    self.fail("ends without its closing bracket");
                }
                None => return None,
            }
        }
        None
    }

    /// Returns what follows the array or the envelope, if it is another value.
    fn take_rest(&mut self) -> Option<Undecided> {
        let is_value = self.state == State::Over && !self.buffer.is_empty();
        is_value.then(|| Undecided {
            buffer: self.buffer.split(),
            offset: self.offset,
            line: self.line,
            is_separated: false,
        })
    }

    /// Returns whether the list has ended.
    const fn has_ended(&self) -> bool {
        matches!(self.state, State::Envelope | State::Over | State::Ignored)
    }

    /// Returns where the current value ends, if the buffer contains its end.
    fn find_end(&mut self) -> Option<usize> {
        while self.searched < self.buffer.len() {
            let at = self.searched;
            let byte = self.buffer[at];
            if byte == b'{'
                && self.list == List::Bare
                && border::follows_value(&self.buffer[..at])
                && let Some(end) = self.border(at)
            {
                return Some(end);
            }
            let end = match self.scan.step(byte) {
                shape::Step::Inside => {
                    self.searched += 1;
                    continue;
                }
                shape::Step::EndsAfter => at + 1,
                shape::Step::EndsBefore => at,
            };
            let limit = self.limit(end);
            return limit.or_else(|| Some(self.borders.end(&self.buffer[..end])));
        }
        let limit = self.limit(self.buffer.len());
        if self.skipping.is_some() {
            // A border can be recognized by these bytes.
            let rest = self.buffer.len().saturating_sub(MAX_WHITESPACE);
            self.skip(rest);
            self.searched = self.buffer.len();
        }
        limit
    }

    /// Returns where the current value ends, if the border at `at` ends it.
    fn border(&mut self, at: usize) -> Option<usize> {
        let limit = self.limit(at);
        if limit.is_none() && self.skipping.is_some() {
            return Some(at);
        }
        limit.or_else(|| self.borders.end_at(at, &self.buffer))
    }

    /// Limits the size of a value that reaches to `at` or beyond. If it is too large, it ends at the first border in a string. If
    /// there is none, it is skipped.
    fn limit(&mut self, at: usize) -> Option<usize> {
        if at <= MAX_ROW_BYTES || self.skipping.is_some() {
            return None;
        }
        let border = self.borders.first_in_string();
        if border.is_none() {
            self.skipping = Some(Row {
                bytes: beginning(&self.buffer),
                framing_error: Some(FramingError::TooLarge),
                ..Row::new(self.offset, self.line, Bytes::new())
            });
        }
        border
    }

    /// Handles a byte between values.
    fn between(&mut self, byte: u8) {
        match (self.list, self.state, byte) {
            (_, State::Envelope, _) => self.skip_envelope(),
            (_, State::Over | State::Ignored, _) => {
                self.state = State::Ignored;
                self.skip(self.buffer.len());
            }
            (List::Bare, ..) => self.begin_value(),
            (_, State::First | State::After, b']') => {
                self.skip(1);
                self.state = State::Over;
                if self.list == List::Enveloped {
                    self.state = State::Envelope;
                    self.scan = Scan::in_object();
                }
            }
            (_, State::After, b',') => {
                self.skip(1);
                self.state = State::Next;
            }
            (_, State::After, _) => self.fail("lacks a comma or a closing bracket after a value"),
            (_, _, b',' | b']') => self.fail("lacks a value"),
            _ => self.begin_value(),
        }
    }

    fn begin_value(&mut self) {
        self.scan = Scan::default();
        self.borders = Borders::default();
        self.state = State::Value;
    }

    /// Skips the rest of the envelope, as far as the buffer contains it.
    fn skip_envelope(&mut self) {
        let mut count = 0;
        for byte in &self.buffer {
            count += 1;
            if self.scan.step(*byte) == shape::Step::EndsAfter {
                self.state = State::Over;
                break;
            }
        }
        self.skip(count);
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

    /// Removes bytes from the start of the buffer, and counts them and their line ends.
    fn skip(&mut self, bytes: usize) {
        self.line += line_ends(&self.buffer[..bytes]);
        self.offset += bytes as u64;
        self.buffer.advance(bytes);
        self.searched = 0;
    }

    /// Takes the value that ends at `searched`.
    fn take(&mut self) -> Row {
        let text = self.buffer.split_to(self.searched).freeze();
        let (offset, line) = (self.offset, self.line);
        self.offset += text.len() as u64;
        self.line += line_ends(&text);
        self.searched = 0;
        self.state = if self.list == List::Bare {
            State::First
        } else {
            State::After
        };
        if let Some(row) = self.skipping.take() {
            return row;
        }
        let (_, value) = border::trim(&text);
        Row::new(offset, line, text.slice(..value.len()))
    }
}

/// Counts line ends.
fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests;
