//! Splits a `.json` file into rows. The content determines its shape: an array, an envelope `{"records":[…]}`, one or several
//! objects, or NDJSON. Several arrays or envelopes may follow one another. A mapping may instead specify the path of the list of rows
//! in each document.
//!
//! Keeps at most one row in memory, and up to 1 MiB until the shape is known.

use bytes::BytesMut;

use super::{
    FileError, Lines, RecordsField, Row,
    border::{self, RECORD_SEPARATOR},
    lines::Input,
};

mod outline;
mod search;
mod shape;
mod unread;
mod values;

pub(crate) use outline::Outline;
use search::{Found, Search};
use shape::Shape;
pub(super) use unread::unread_rows;
pub(crate) use unread::{KnownFields, UnreadRows};
use values::{List, Values};

/// Splits chunks into rows.
#[derive(Debug)]
pub(crate) struct Document {
    place: Place,
    reader: Reader,
    /// Why no more documents follow, if a document lacks the list at the path.
    error: Option<FileError>,
}

/// Where a file contains its rows.
#[derive(Debug)]
enum Place {
    /// Its shape decides.
    Shape(RecordsField),
    /// In a list at a path of each document.
    Path(Search),
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
        Self::of(Place::Shape(records))
    }

    /// Reads the rows in the lists at `path`, such as `data.items`, of all documents of a file.
    pub(crate) fn with_list_at(path: &str) -> Self {
        Self::of(Place::Path(Search::new(path)))
    }

    fn of(place: Place) -> Self {
        Self {
            place,
            reader: Reader::Undecided(Undecided {
                buffer: BytesMut::new(),
                offset: 0,
                line: 1,
                is_separated: false,
            }),
            error: None,
        }
    }

    /// Begins at a position, before anything is pushed.
    pub(super) fn begin_at(&mut self, offset: u64, line: u64) {
        if let Reader::Undecided(undecided) = &mut self.reader {
            (undecided.offset, undecided.line) = (offset, line);
        }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        match &mut self.reader {
            Reader::Undecided(undecided) => undecided.buffer.extend_from_slice(chunk),
            Reader::Lines(lines) => lines.push(chunk),
            Reader::Values(values) => values.push(chunk),
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
        while self.error.is_none() {
            let row = match &mut self.reader {
                Reader::Undecided(undecided) => {
                    let reader = match &mut self.place {
                        Place::Shape(records) => undecided.decide(*records, input),
                        Place::Path(search) => {
                            undecided.find(search, input).unwrap_or_else(|error| {
                                self.error = Some(error);
                                None
                            })
                        }
                    };
                    self.reader = reader?;
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
        None
    }

    pub(crate) fn error(&self) -> Option<&FileError> {
        match &self.reader {
            Reader::Values(values) => values.error(),
            _ => self.error.as_ref(),
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
            Reader::Values(values) => values.line(),
        }
    }
}

impl Undecided {
    /// Returns the reader for the shape, as soon as it is known.
    fn decide(&mut self, records: RecordsField, input: Input) -> Option<Reader> {
        let before = self.skip(border::blanks(&self.buffer));
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

    /// Returns the reader for the list at a path in the next document, as soon as it is found.
    ///
    /// # Errors
    /// The next document does not have the list.
    fn find(&mut self, search: &mut Search, input: Input) -> Result<Option<Reader>, FileError> {
        if !search.has_begun() {
            self.skip(border::blanks(&self.buffer));
            match self.buffer.first() {
                None => return Ok(None),
                Some(_) if input == Input::Partial && border::is_part_of_mark(&self.buffer) => {
                    return Ok(None);
                }
                _ => search.begin(self.offset, self.line),
            }
        }
        let (scanned, found) = search.scan(&self.buffer);
        self.skip(scanned);
        match found {
            Some(Found::List { depth, is_null }) => {
                let buffer = std::mem::take(&mut self.buffer);
                let mut values = Values::new(self, buffer, List::AtPath { depth });
                if is_null {
                    values.end_list();
                }
                Ok(Some(Reader::Values(values)))
            }
            Some(Found::Error(error)) => Err(error),
            None if input == Input::Complete => Err(search.unfinished()),
            None => Ok(None),
        }
    }

    /// Removes bytes from the start of the buffer, and counts them and their line ends. Returns them.
    fn skip(&mut self, bytes: usize) -> BytesMut {
        let skipped = self.buffer.split_to(bytes);
        self.offset += bytes as u64;
        self.line += line_ends(&skipped);
        skipped
    }
}

/// Counts line ends.
fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests;
