//! Detects how a file is written: its format, encoding and delimiter. The plan of an import contains the result.
//!
//! The result depends only on the content, not on how much of it is passed: what is detected from some bytes is detected from more bytes
//! too.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    BOM, KnownFields, Outline, UnreadRows, document::unread_rows, lines::Input, skip::SkippedLines,
};
use crate::{
    names::named,
    source::{
        FileError, FileErrorKind,
        inflate::{Extent, MAX_PEEKED_BYTES},
        signature,
    },
};

mod json;
mod table;
#[cfg(test)]
mod tests;

pub(super) use table::is_separator;

/// The number of bytes without which nothing is detected, unless the content ends before: a block of a tar archive.
const MIN_START_BYTES: usize = 512;
/// The number of bytes in which the encoding is detected.
const ENCODING_BYTES: usize = 32;
/// The separator before each value of a JSON text sequence (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1E;

named! {
    /// The format of a file, which defines how its rows are separated.
    Format {
        /// One or more JSON objects per line.
        Ndjson = "ndjson",
        /// JSON. The content determines the shape: an array, an envelope, one object, or NDJSON.
        Json = "json",
        /// Comma-separated values. The first record names the columns.
        Csv = "csv",
    }
}

named! {
    /// The encoding of a file. Cells and strings of a UTF-8 file may still be Windows-1252.
    Encoding {
        Utf8 = "utf-8",
        Utf16Le = "utf-16le",
        Utf16Be = "utf-16be",
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) encoding: Encoding,
    /// The character between cells: a comma, a semicolon, a tab or a vertical bar. `None` unless the format is CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delimiter: Option<char>,
}

impl Layout {
    /// Returns the layout of a UTF-8 file whose cells, if any, are separated by commas.
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            encoding: Encoding::Utf8,
            delimiter: (format == Format::Csv).then_some(','),
        }
    }

    /// Detects the layout from the beginning of the decompressed content. `format` is the one that the file's extension specifies.
    /// Returns `None` if more of the content is needed.
    ///
    /// # Errors
    /// The content is in no known format, or is encoded in UTF-32.
    pub(crate) fn detect(
        format: Option<Format>,
        start: &[u8],
        extent: Extent,
    ) -> Result<Option<Self>, FileError> {
        let start = &start[..start.len().min(MAX_PEEKED_BYTES)];
        let extent = extent.ahead(start);
        if start.len() < MIN_START_BYTES && !extent.is_whole() {
            return Ok(None);
        }
        if let Some(error) = signature::unreadable(start) {
            return Err(error);
        }
        let encoding = encoding(start)?;
        let text = decoded(encoding, start);
        let text = Text {
            bytes: &text,
            extent,
        };
        let Some(format) = text.format(format)? else {
            return Ok(None);
        };
        let delimiter = match format {
            Format::Ndjson | Format::Json => None,
            Format::Csv => match table::delimiter(text) {
                Some(delimiter) => Some(char::from(delimiter?)),
                None => return Ok(None),
            },
        };
        Ok(Some(Self {
            format,
            encoding,
            delimiter,
        }))
    }
}

impl Layout {
    /// Returns the cells of the header from the beginning of the decompressed content; `None` if more of it is needed.
    pub(crate) fn columns(self, start: &[u8], extent: Extent) -> Option<Vec<String>> {
        let text = decoded(self.encoding, start);
        let text = Text {
            bytes: &text,
            extent,
        };
        let delimiter = self
            .delimiter
            .and_then(|delimiter| u8::try_from(delimiter).ok());
        table::columns(text, delimiter.unwrap_or(b','))
    }

    /// Returns the fields of the object that a JSON file begins with, after `skip_lines` lines.
    pub(crate) fn outline(self, skip_lines: u64, start: &[u8]) -> Outline {
        let text = decoded(self.encoding, start);
        let skipped = SkippedLines::new(skip_lines).skip(&text);
        Outline::of(&text[skipped..])
    }

    /// Returns why the rows of a JSON file would not be read, from the beginning of the decompressed content. The outer value is `None` if
    /// more of it is needed.
    pub(crate) fn unread_rows(
        self,
        start: &[u8],
        extent: Extent,
        known: &KnownFields,
    ) -> Option<Option<UnreadRows>> {
        let input = if extent.is_whole() {
            Input::Complete
        } else {
            Input::Partial
        };
        unread_rows(&decoded(self.encoding, start), input, known)
    }

    /// Returns the layout of a CSV file whose header follows `skip_lines` lines, with the delimiter of that header. `start` and
    /// `extent` are those of [`Self::columns`]. Returns `None` if more of the content is needed.
    ///
    /// # Errors
    /// The line `sep=` specifies an unsupported separator.
    pub(crate) fn delimited_after(
        self,
        skip_lines: u64,
        start: &[u8],
        extent: Extent,
    ) -> Option<Result<Self, FileError>> {
        let text = decoded(self.encoding, start);
        let skipped = SkippedLines::new(skip_lines).skip(&text);
        let text = Text {
            bytes: &text[skipped..],
            extent,
        };
        let layout = |delimiter| Self {
            delimiter: Some(char::from(delimiter)),
            ..self
        };
        table::delimiter(text).map(|delimiter| delimiter.map(layout))
    }
}

/// Returns whether content contains nothing but whitespace and a byte order mark.
pub(crate) fn is_blank(content: &[u8]) -> bool {
    let Ok(encoding) = encoding(content) else {
        return false;
    };
    decoded(encoding, content).trim_ascii().is_empty()
}

/// Detects the encoding by the byte order mark. Without one, by the zeros of ASCII characters in UTF-16, at every second byte.
///
/// # Errors
/// The content is encoded in UTF-32.
fn encoding(start: &[u8]) -> Result<Encoding, FileError> {
    if start.starts_with(b"\xFF\xFE\0\0") || start.starts_with(b"\0\0\xFE\xFF") {
        return Err(utf32());
    }
    if start.starts_with(b"\xFF\xFE") {
        return Ok(Encoding::Utf16Le);
    }
    if start.starts_with(b"\xFE\xFF") {
        return Ok(Encoding::Utf16Be);
    }
    let start = &start[..start.len().min(ENCODING_BYTES)];
    let zeros_at = |place: usize, of: usize| {
        let bytes = start.iter().skip(place).step_by(of);
        bytes.filter(|byte| **byte == 0).count()
    };
    let units = start.len() / 2;
    let is_text = |others: usize, zeros: usize| units >= 2 && others == 0 && 4 * zeros >= 3 * units;
    let (even, odd) = (zeros_at(0, 2), zeros_at(1, 2));
    if is_text(even, odd) {
        return Ok(Encoding::Utf16Le);
    }
    if is_text(odd, even) {
        return Ok(Encoding::Utf16Be);
    }
    let quarters = start.len() / 4;
    let mut zeros = [0, 1, 2, 3].map(|place| zeros_at(place, 4));
    zeros.sort_unstable();
    if quarters >= 2 && zeros[0] == 0 && zeros[1] >= quarters {
        return Err(utf32());
    }
    Ok(Encoding::Utf8)
}

fn utf32() -> FileError {
    FileError::new(
        FileErrorKind::UnsupportedEncoding,
        "The file is encoded in UTF-32. Save it as UTF-8.",
    )
}

/// Converts the beginning of a file to UTF-8, without a byte order mark. Bytes that are not UTF-8 stay as they are.
fn decoded(encoding: Encoding, start: &[u8]) -> Cow<'_, [u8]> {
    let unit: fn([u8; 2]) -> u16 = match encoding {
        Encoding::Utf8 => return Cow::Borrowed(start.strip_prefix(BOM).unwrap_or(start)),
        Encoding::Utf16Le => u16::from_le_bytes,
        Encoding::Utf16Be => u16::from_be_bytes,
    };
    let (units, _) = start.as_chunks::<2>();
    let text: String = char::decode_utf16(units.iter().copied().map(unit))
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    Cow::Owned(text.as_bytes().to_vec())
}

/// The beginning of a file, in UTF-8 or another encoding in which ASCII characters are single bytes.
#[derive(Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    /// Whole if no more bytes are examined.
    extent: Extent,
}

impl<'a> Text<'a> {
    /// Returns the format; `None` if more bytes are needed. The content decides if `named` is `None` or contradicts it.
    fn format(self, named: Option<Format>) -> Result<Option<Format>, FileError> {
        let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == RECORD_SEPARATOR;
        let blank = self.bytes.iter().take_while(|byte| is_blank(byte)).count();
        let text = self.from(blank);
        let Some(first) = text.bytes.first() else {
            return Ok(self
                .extent
                .is_whole()
                .then_some(named.unwrap_or(Format::Ndjson)));
        };
        if let Some(error) = signature::markup(text.bytes) {
            return Err(error);
        }
        let Some(after) = text.from(1).first_visible() else {
            return Ok(self
                .extent
                .is_whole()
                .then_some(named.unwrap_or(Format::Ndjson)));
        };
        Ok(match (first, after) {
            (b'{', Some(b'"' | b'}')) => json::object(text, named),
            (b'[', Some(b'{' | b'[' | b']')) => json::array(text, named),
            (b'{' | b'[', None) => Some(named.unwrap_or(Format::Json)),
            _ => table::format(text, named)?,
        })
    }

    /// Returns the text without its first `count` bytes.
    fn from(self, count: usize) -> Self {
        Self {
            bytes: &self.bytes[count..],
            ..self
        }
    }

    /// Returns the first byte that is not whitespace, or `Some(None)` if there is none; `None` if more bytes are needed.
    fn first_visible(self) -> Option<Option<u8>> {
        match self.bytes.trim_ascii_start().first() {
            None => self.extent.is_whole().then_some(None),
            byte => Some(byte.copied()),
        }
    }

    /// Returns the first line without its end, and the text after it; `None` if more bytes are needed.
    fn first_line(self) -> Option<(&'a [u8], Self)> {
        match memchr::memchr2(b'\n', b'\r', self.bytes) {
            Some(end) => Some((&self.bytes[..end], self.from(end + 1))),
            None => self
                .extent
                .is_whole()
                .then(|| (self.bytes, self.from(self.bytes.len()))),
        }
    }
}
