//! Splits a record into cells and decodes them.

use std::borrow::Cow;

use super::super::{RowError, RowErrorCode, WarningCode, encoding};

/// The cells of a record, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cells<'a> {
    pub(super) texts: Vec<Cow<'a, str>>,
    /// The columns of cells that are not UTF-8, and how they were read.
    pub(super) changed: Vec<(usize, WarningCode)>,
}

/// Splits a record into cells and decodes them.
///
/// # Errors
/// Something else than a delimiter follows a closing quote.
pub(super) fn cells(record: &[u8], delimiter: u8) -> Result<Cells<'_>, RowError> {
    let mut cells = Cells::default();
    for cell in Split::new(record, delimiter) {
        let cell = cell.ok_or_else(|| {
            RowError::whole(
                RowErrorCode::InvalidCsv,
                "has a character after a closing quote. Only a delimiter or a line end may follow. Double each quote inside a cell.",
            )
        })?;
        let (text, change) = decoded(cell);
        if let Some(change) = change {
            cells.changed.push((cells.texts.len(), change));
        }
        cells.texts.push(text);
    }
    Ok(cells)
}

fn decoded(cell: Cow<'_, [u8]>) -> (Cow<'_, str>, Option<WarningCode>) {
    match cell {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), None),
            Err(_) => encoding::cell(bytes),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => (Cow::Owned(text), None),
            Err(error) => {
                let (text, change) = encoding::cell(error.as_bytes());
                (Cow::Owned(text.into_owned()), change)
            }
        },
    }
}

/// Returns whether a byte may surround a quoted cell. A tab that is the delimiter is handled before.
pub(super) const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Returns whether a cell is empty or contains only whitespace.
pub(super) fn is_blank(cell: &[u8]) -> bool {
    cell.is_empty() || std::str::from_utf8(cell).is_ok_and(|text| text.trim().is_empty())
}

/// Splits one record, without its line end, into cells. An item is `None`, and the last one, if something else than a delimiter
/// follows a closing quote.
pub(super) struct Split<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

impl<'a> Split<'a> {
    pub(super) const fn new(record: &'a [u8], delimiter: u8) -> Self {
        Self {
            rest: Some(record),
            delimiter,
        }
    }

    /// Returns the bytes without whitespace in front of them. A tab that is the delimiter is not whitespace.
    fn trimmed(&self, bytes: &'a [u8]) -> &'a [u8] {
        let is_end = |byte: &u8| !is_whitespace(*byte) || *byte == self.delimiter;
        let end = bytes.iter().position(is_end);
        &bytes[end.unwrap_or(bytes.len())..]
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = Option<Cow<'a, [u8]>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let (cell, after) = match self.trimmed(rest).split_first() {
            Some((b'"', quoted)) => match quoted_cell(quoted) {
                Some((cell, after)) => (cell, self.trimmed(after)),
                None => return Some(None),
            },
            _ => {
                let end = memchr::memchr(self.delimiter, rest).unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        match after.split_first() {
            None => Some(Some(cell)),
            Some((byte, rest)) if *byte == self.delimiter => {
                self.rest = Some(rest);
                Some(Some(cell))
            }
            Some(_) => Some(None),
        }
    }
}

/// Returns the bytes of a quoted cell, after its opening quote and up to its closing one, and the rest of the record; `None` if the
/// quote is not closed.
fn quoted_cell(quoted: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut text = Cow::Borrowed(&quoted[..0]);
    let mut rest = quoted;
    loop {
        let quote = memchr::memchr(b'"', rest)?;
        if text.is_empty() {
            text = Cow::Borrowed(&rest[..quote]);
        } else {
            text.to_mut().extend_from_slice(&rest[..quote]);
        }
        let after = &rest[quote + 1..];
        let Some(more) = after.strip_prefix(b"\"") else {
            return Some((text, after));
        };
        text.to_mut().push(b'"');
        rest = more;
    }
}
