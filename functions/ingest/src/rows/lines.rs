//! Splits newline-delimited JSON into rows. Keeps at most one row in memory.

use bytes::{Buf as _, Bytes, BytesMut};

use super::{BOM, FramingError, MAX_ROW_BYTES, Row, beginning};

/// Splits chunks into rows.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: BytesMut,
    /// How many bytes of the buffer are known to contain no line end.
    searched: usize,
    /// Where the buffer begins in the object, in bytes.
    offset: u64,
    /// The line at which the buffer begins, from 1.
    number: u64,
    /// Whether the buffer begins inside a line of the previous range.
    starts_inside_line: bool,
    /// Lines that begin here or later belong to the next range.
    end: Option<u64>,
    /// The beginning of a row that is too large. The rest of the row is skipped.
    skipping: Option<Row>,
}

impl Lines {
    /// Splits a whole object.
    pub(crate) fn new() -> Self {
        Self::from(0, 1, None)
    }

    /// Splits the lines that begin at `start` or after it, and before `end`. Unless `start` is 0, the pushed bytes begin one byte
    /// before it.
    pub(crate) fn from(start: u64, number: u64, end: Option<u64>) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            offset: start.saturating_sub(1),
            number,
            starts_inside_line: start > 0,
            end,
            skipping: None,
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.offset
    }

    pub(crate) fn line(&self) -> u64 {
        self.number
    }

    /// Returns whether the next line belongs to the next range. A line that is being skipped belongs to this one.
    pub(crate) fn is_over(&self) -> bool {
        self.skipping.is_none() && self.end.is_some_and(|end| self.offset >= end)
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Returns the next complete row. Lines of whitespace are not rows.
    pub(crate) fn next(&mut self) -> Option<Row> {
        while !self.is_over() {
            let end = memchr::memchr(b'\n', &self.buffer[self.searched..]);
            let Some(end) = end.map(|end| end + self.searched) else {
                self.searched = self.buffer.len();
                self.skip_if_too_large();
                return None;
            };
            let line = self.buffer.split_to(end).freeze();
            self.buffer.advance(1);
            self.searched = 0;
            let is_own = !std::mem::replace(&mut self.starts_inside_line, false);
            let row = if is_own { self.row(line) } else { None };
            self.offset += end as u64 + 1;
            self.number += u64::from(is_own);
            if row.is_some() {
                return row;
            }
        }
        None
    }

    pub(crate) fn finish(&mut self) -> Option<Row> {
        if self.starts_inside_line || self.is_over() {
            return None;
        }
        self.searched = 0;
        let line = self.buffer.split().freeze();
        let length = line.len() as u64;
        let row = self.row(line);
        self.offset += length;
        row
    }

    /// Returns a line as a row; `None` if it contains only whitespace.
    fn row(&mut self, line: Bytes) -> Option<Row> {
        if let Some(row) = self.skipping.take() {
            return Some(row);
        }
        let row = self.trimmed(line);
        (!row.bytes.is_empty()).then_some(row)
    }

    /// Returns a line as a row, without a byte order mark and surrounding whitespace.
    fn trimmed(&self, line: Bytes) -> Row {
        let is_marked = self.offset == 0 && line.starts_with(BOM);
        let text = &line[if is_marked { BOM.len() } else { 0 }..];
        let front = line.len() - text.trim_ascii_start().len();
        let bytes = line.slice(front..front + text.trim_ascii().len());
        let too_large = bytes.len() > MAX_ROW_BYTES;
        Row {
            offset: self.offset + front as u64,
            line: self.number,
            bytes: if too_large { beginning(&bytes) } else { bytes },
            framing_error: too_large.then_some(FramingError::TooLarge),
            rows: 1,
            skipped: 0,
        }
    }

    /// Discards a row that has grown too large, before its line end is read.
    fn skip_if_too_large(&mut self) {
        if self.buffer.len() <= MAX_ROW_BYTES + BOM.len() {
            return;
        }
        let dropped = self.buffer.split().freeze();
        if self.skipping.is_none() && !self.starts_inside_line {
            // Whitespace alone is not a row, however long it is.
            let row = self.trimmed(dropped.clone());
            if !row.bytes.is_empty() {
                self.skipping = Some(Row {
                    bytes: beginning(&row.bytes),
                    framing_error: Some(FramingError::TooLarge),
                    ..row
                });
            }
        }
        self.offset += dropped.len() as u64;
        self.searched = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &[u8], chunk: usize) -> Vec<Row> {
        let mut lines = Lines::new();
        let mut found = Vec::new();
        for chunk in text.chunks(chunk) {
            lines.push(chunk);
            while let Some(line) = lines.next() {
                found.push(line);
            }
            assert!(
                lines.buffer.len() <= MAX_ROW_BYTES + BOM.len(),
                "what is held is bounded"
            );
        }
        found.extend(lines.finish());
        assert_eq!(lines.next(), None, "nothing follows the last row");
        found
    }

    #[test]
    fn rows_know_their_place() {
        let rows: Vec<_> = cut(b"\xEF\xBB\xBF{}\r\n\n  [1] \nlast", 3)
            .into_iter()
            .map(|line| (line.offset, line.line, line.bytes))
            .collect();
        assert_eq!(
            rows,
            [
                (3, 1, "{}".into()),
                (10, 3, "[1]".into()),
                (15, 4, Bytes::from("last"))
            ]
        );
        assert_eq!(cut(b"", 1), []);
    }

    #[test]
    fn a_row_too_large_is_cut_and_the_next_one_is_found() {
        let mut text = vec![b'x'; 3 * MAX_ROW_BYTES];
        text.extend_from_slice(b"\n{}\n");
        for chunk in [1 << 12, 1 << 18, 1 << 23] {
            let rows = cut(&text, chunk);
            assert_eq!(
                (rows[0].offset, rows[0].line, rows[0].framing_error),
                (0, 1, Some(FramingError::TooLarge))
            );
            assert_eq!(
                (rows[1].offset, rows[1].line, rows[1].framing_error),
                (3 * MAX_ROW_BYTES as u64 + 1, 2, None)
            );
            assert_eq!(rows.len(), 2);
        }
        for (bytes, framing_error) in [
            (MAX_ROW_BYTES, None),
            (MAX_ROW_BYTES + 1, Some(FramingError::TooLarge)),
        ] {
            assert_eq!(
                cut(&vec![b'x'; bytes], 1 << 18)[0].framing_error,
                framing_error
            );
        }
    }

    /// Returns the rows of one range of a text.
    fn range(text: &[u8], start: usize, end: Option<usize>, chunk: usize) -> Vec<Row> {
        let mut lines = Lines::from(start as u64, 1, end.map(|end| end as u64));
        let mut found = Vec::new();
        for chunk in text[start.saturating_sub(1)..].chunks(chunk) {
            lines.push(chunk);
            while let Some(row) = lines.next() {
                found.push(row);
            }
        }
        found.extend(lines.finish());
        found
    }

    #[test]
    fn a_long_line_belongs_to_the_range_that_it_begins_in() {
        let mut text = b"a\n".to_vec();
        text.resize(3 * MAX_ROW_BYTES, b'x');
        text.extend_from_slice(b"\nb");
        let middle = MAX_ROW_BYTES;
        let rows = range(&text, 0, Some(middle), 1 << 16);
        assert_eq!(
            (rows.len(), rows[1].framing_error),
            (2, Some(FramingError::TooLarge))
        );
        assert_eq!(range(&text, middle, Some(2 * middle), 1 << 16), []);
        assert_eq!(range(&text, 2 * middle, None, 1 << 16).len(), 1);
    }

    proptest! {
        /// The rows of any number of ranges, divided anywhere, are those of the whole.
        #[test]
        fn ranges_share_out_the_rows(text in "[ab \n\r]{0,60}", cuts in prop::collection::vec(0_usize..60, 0..4), chunk in 1_usize..9) {
            let text = text.as_bytes();
            let mut starts: Vec<_> = cuts.into_iter().filter(|cut| *cut < text.len()).chain([0]).collect();
            starts.sort_unstable();
            let places = |rows: Vec<Row>| rows.into_iter().map(|row| (row.offset, row.bytes)).collect::<Vec<_>>();
            let mut found = Vec::new();
            for (at, start) in starts.iter().enumerate() {
                found.extend(places(range(text, *start, starts.get(at + 1).copied(), chunk)));
            }
            prop_assert_eq!(found, places(cut(text, text.len().max(1))));
        }

        #[test]
        fn chunks_do_not_matter(text in "[ab \n\r]{0,60}", chunk in 1_usize..9) {
            let whole = cut(text.as_bytes(), text.len().max(1));
            prop_assert_eq!(&cut(text.as_bytes(), chunk), &whole);
            let rows: Vec<_> = text.split('\n').map(|row| row.trim_ascii()).filter(|row| !row.is_empty()).collect();
            let bytes: Vec<_> = whole.iter().map(|line| line.bytes.clone()).collect();
            prop_assert_eq!(bytes, rows);
            for line in whole {
                prop_assert!(text.as_bytes()[line.offset as usize..].starts_with(&line.bytes));
            }
        }
    }
}
