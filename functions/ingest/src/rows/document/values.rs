//! Splits a list into values, whatever is around it.

use bytes::{Buf as _, Bytes, BytesMut};

use super::{
    super::{
        FileError, FileErrorKind, FramingError, MAX_ROW_BYTES, Row, beginning,
        border::{self, Borders, MAX_WHITESPACE},
        lines::Input,
    },
    Undecided, line_ends,
    shape::{self, Scan},
};

/// How values are separated, and how the list ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Values follow one another, to the end of the file.
    Bare,
    /// Commas separate the values, and a closing bracket ends them.
    Bracketed,
    /// A bracketed list in an object, whose other fields are ignored.
    Enveloped,
    /// A bracketed list at the path of a mapping, in `depth` nested objects, whose other fields are ignored.
    AtPath { depth: u64 },
}

impl List {
    /// Returns the number of objects around the list.
    const fn depth(self) -> u64 {
        match self {
            Self::Bare | Self::Bracketed => 0,
            Self::Enveloped => 1,
            Self::AtPath { depth } => depth,
        }
    }

    /// Returns whether bytes after the list and the objects around it are the start of another list or document.
    const fn is_followed_by(self, byte: u8) -> bool {
        matches!((self, byte), (Self::AtPath { .. }, _) | (_, b'{' | b'['))
    }
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
    /// In an object around the list, after the closing bracket.
    Envelope,
    /// After the array or the envelope.
    Over,
    /// After text that follows the array or the envelope and is not a value.
    Ignored,
}

/// Splits a list into values.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) buffer: BytesMut,
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
    pub(super) fn new(start: &Undecided, buffer: BytesMut, list: List) -> Self {
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

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Returns why no more values follow, if the file has an error.
    pub(super) const fn error(&self) -> Option<&FileError> {
        self.error.as_ref()
    }

    /// Returns the line of the next byte, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Returns where the next row begins at the earliest.
    pub(super) fn position(&self) -> u64 {
        self.skipping.as_ref().map_or(self.offset, |row| row.offset)
    }

    pub(super) fn split(&mut self, input: Input) -> Option<Row> {
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
            // A string in the envelope may begin in an earlier chunk, so its whitespace is not skipped.
            if self.state != State::Envelope {
                self.skip(border::blanks(&self.buffer));
            }
            match self.buffer.first() {
                Some(_) if !is_complete && border::is_part_of_mark(&self.buffer) => return None,
                // Another value, with a shape of its own.
                Some(byte) if self.state == State::Over && self.list.is_followed_by(*byte) => {
                    return None;
                }
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
    pub(super) fn take_rest(&mut self) -> Option<Undecided> {
        let is_value = self.state == State::Over
            && self
                .buffer
                .first()
                .is_some_and(|byte| self.list.is_followed_by(*byte));
        is_value.then(|| Undecided {
            buffer: self.buffer.split(),
            offset: self.offset,
            line: self.line,
            is_separated: false,
        })
    }

    /// Returns whether the list has ended. The end of a document with a path must be there too, because another document may follow.
    const fn has_ended(&self) -> bool {
        match self.state {
            State::Over | State::Ignored => true,
            State::Envelope => !matches!(self.list, List::AtPath { .. }),
            State::First | State::Next | State::Value | State::After => false,
        }
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
                self.end_list();
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

    /// Moves on to what is around the list.
    pub(super) fn end_list(&mut self) {
        let depth = self.list.depth();
        self.scan = Scan::in_objects(depth);
        self.state = if depth == 0 {
            State::Over
        } else {
            State::Envelope
        };
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
        let subject = match self.state {
            State::Envelope => "document",
            _ => "array",
        };
        self.error = Some(FileError::new(
            FileErrorKind::BrokenJson,
            format!(
                "The JSON {subject} {what}, at byte {}, line {}. Only the rows before it were processed. Correct the {subject} and \
                 drop the file again.",
                self.offset, self.line
            ),
        ));
    }

    /// Removes bytes from the start of the buffer, and counts them and their line ends.
    pub(super) fn skip(&mut self, bytes: usize) {
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
