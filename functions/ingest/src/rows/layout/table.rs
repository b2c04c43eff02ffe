//! Detects tables: whether text begins with a header, and its delimiter.

use super::{Format, Text};
use crate::source::{FileError, FileErrorKind, signature};

/// The delimiters, in the order in which they are preferred.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Returns the format of content that does not begin with a JSON object or array; `None` if more bytes are needed.
///
/// # Errors
/// The name specifies no format, and the first record is not a header.
pub(super) fn format(text: Text<'_>, named: Option<Format>) -> Result<Option<Format>, FileError> {
    if named == Some(Format::Csv) {
        return Ok(named);
    }
    let Some((line, rest)) = text.first_line() else {
        return Ok(None);
    };
    if separator(line).is_some() {
        return Ok(Some(Format::Csv));
    }
    if named.is_none() {
        if is_header(line, is_column) {
            return Ok(Some(Format::Csv));
        }
        // The first cells may have line breaks in quotes.
        let Some(record) = header(text) else {
            return Ok(None);
        };
        return match is_header(record, is_column) {
            true => Ok(Some(Format::Csv)),
            false => Err(signature::unsupported("not in a known format")),
        };
    }
    // The name may be wrong. But a broken line is not a header, if a row follows.
    if !is_header(line, is_name) || cells(line).count() < 2 {
        return Ok(named);
    }
    Ok(rest.first_visible().map(|next| match next {
        Some(b'{' | b'[') => named.unwrap_or(Format::Csv),
        _ => Format::Csv,
    }))
}

/// Returns the delimiter of the header: the one in a line `sep=;`, or the most frequent one outside of quotes. Returns `None` if more
/// bytes are needed.
pub(super) fn delimiter(text: Text<'_>) -> Option<Result<u8, FileError>> {
    let text = without_blank_lines(text)?;
    let (line, rest) = text.first_line()?;
    match separator(line) {
        None => header(text).map(most_frequent).map(Ok),
        Some([]) => header(without_blank_lines(rest)?)
            .map(most_frequent)
            .map(Ok),
        Some(value) => Some(match DELIMITERS.iter().find(|byte| value.contains(byte)) {
            Some(delimiter) => Ok(*delimiter),
            None => Err(FileError::new(
                FileErrorKind::InvalidCsvHeader,
                "The line `sep=` specifies an unsupported separator. Separate cells by commas, semicolons, tabs or vertical bars.",
            )),
        }),
    }
}

/// Returns the cells of the header; `None` if more bytes are needed.
pub(super) fn columns(text: Text<'_>, delimiter: u8) -> Option<Vec<String>> {
    let mut text = without_blank_lines(text)?;
    let (line, rest) = text.first_line()?;
    if separator(line).is_some() {
        text = without_blank_lines(rest)?;
    }
    let mut columns = vec![Vec::new()];
    let mut is_quoted = false;
    for byte in header(text)? {
        is_quoted ^= *byte == b'"';
        if *byte == delimiter && !is_quoted {
            columns.push(Vec::new());
        } else if let Some(column) = columns.last_mut() {
            column.push(*byte);
        }
    }
    let texts = columns.iter().map(|column| {
        let text = String::from_utf8_lossy(column);
        let text = text.trim();
        let inner = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        inner.map_or_else(
            || text.to_owned(),
            |text| text.replace("\"\"", "\"").trim().to_owned(),
        )
    });
    Some(texts.collect())
}

/// Skips lines of whitespace and empty cells at the beginning; `None` if more bytes are needed.
fn without_blank_lines(mut text: Text<'_>) -> Option<Text<'_>> {
    let is_blank = |byte: &u8| DELIMITERS.contains(byte) || b" \"\r\n".contains(byte);
    loop {
        let (line, rest) = text.first_line()?;
        if !line.iter().all(is_blank) {
            return Some(text);
        }
        if rest.bytes.is_empty() {
            return text.extent.is_whole().then_some(text);
        }
        text = rest;
    }
}

/// Returns the first record, which may contain line ends in quotes; `None` if more bytes are needed.
fn header(text: Text<'_>) -> Option<&[u8]> {
    let mut is_quoted = false;
    for (at, byte) in text.bytes.iter().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' if !is_quoted => return Some(&text.bytes[..at]),
            _ => {}
        }
    }
    // If a quote is not closed, the record is probably the first line.
    text.extent
        .is_whole()
        .then(|| text.first_line().map(|(line, _)| line))
        .flatten()
}

/// Returns the delimiter that occurs most in a header outside of quotes; a comma if none does.
fn most_frequent(header: &[u8]) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut is_quoted = false;
    for byte in header {
        is_quoted ^= *byte == b'"';
        let known = DELIMITERS.iter().position(|delimiter| delimiter == byte);
        if let Some(index) = known.filter(|_| !is_quoted) {
            counts[index] += 1;
        }
    }
    let mut best = 0;
    for (index, count) in counts.iter().enumerate() {
        if *count > counts[best] {
            best = index;
        }
    }
    DELIMITERS[best]
}

/// Returns what a line such as `sep=;`, which Excel reads and writes, specifies; `None` if the line is another one.
fn separator(line: &[u8]) -> Option<&[u8]> {
    // Programs that save the line again put it into quotes, or add empty cells.
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (name, value) = line.split_at_checked(4)?;
    let value = value.strip_suffix(b"\"").unwrap_or(value);
    let (value, rest) = value.split_at(value.len().min(1));
    let is_padding =
        |byte: &u8| value.contains(byte) || *byte == b'"' || byte.is_ascii_whitespace();
    (name.eq_ignore_ascii_case(b"sep=") && rest.iter().all(is_padding)).then_some(value)
}

/// Returns whether a record in front of the header only specifies the delimiter.
pub(in crate::rows) fn is_separator(record: &[u8]) -> bool {
    separator(record).is_some()
}

/// Returns whether all cells of a line or record can be names of columns, as `is_valid` defines, or are empty.
fn is_header(line: &[u8], is_valid: fn(&[u8]) -> bool) -> bool {
    let count = cells(line).filter(|cell| !cell.is_empty()).count();
    let is_text = |byte: &u8| b"\t\r\n".contains(byte) || !byte.is_ascii_control();
    let is_one_word = || is_name(line) && !line.contains(&b' ');
    line.iter().all(is_text)
        && cells(line).all(|cell| cell.is_empty() || is_valid(cell))
        && (count > 1 || (count == 1 && (cells(line).count() > 1 || is_one_word())))
}

/// Returns the cells of a line without whitespace and quotes around them.
fn cells(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let delimiter = most_frequent(line);
    line.split(move |byte| *byte == delimiter)
        .map(|cell| cell.trim_ascii().trim_ascii_start())
        .map(|cell| cell.strip_prefix(b"\"").unwrap_or(cell))
        .map(|cell| cell.strip_suffix(b"\"").unwrap_or(cell))
}

/// Returns whether a cell begins like the name of a column.
fn is_column(cell: &[u8]) -> bool {
    cell.first()
        .is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_' || !first.is_ascii())
}

/// Returns whether a cell contains only characters of names such as `products[0].quantity`.
fn is_name(cell: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.[] -".contains(byte);
    is_column(cell) && cell.iter().all(is_part)
}
