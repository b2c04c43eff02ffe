//! Rows of newline-delimited JSON, cut out of a stream of chunks. Holds at most one row at a time.

use bytes::{Buf as _, Bytes, BytesMut};

/// The most bytes of a row.
pub(crate) const MAX_ROW: usize = 1 << 20;
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where the row begins in the decompressed object, in bytes.
    pub(crate) offset: u64,
    /// The line, from 1.
    pub(crate) number: u64,
    /// The row's bytes without its line end, cut short where it is too large.
    pub(crate) bytes: Bytes,
    /// Whether the row has more than 1 MiB.
    pub(crate) too_large: bool,
}

/// Cuts rows out of chunks.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    /// Where the buffer begins in the object.
    offset: u64,
    number: u64,
    /// The start of a row that is too large, whose rest is being skipped.
    skipping: Option<Line>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            offset: 0,
            number: 1,
            skipping: None,
        }
    }

    /// Takes the next chunk of the object in.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole row, if the chunks so far hold one. Blank lines are no rows.
    pub(crate) fn next(&mut self) -> Option<Line> {
        loop {
            let end = self.buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| end + self.searched) else {
                self.searched = self.buffer.len();
                self.skip_if_too_large();
                return None;
            };
            let row = self.buffer.split_to(end).freeze();
            self.buffer.advance(1);
            self.searched = 0;
            let line = self.line(row);
            self.offset += end as u64 + 1;
            self.number += 1;
            if line.is_some() {
                return line;
            }
        }
    }

    /// The last row, where the object does not end with a line end.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        self.searched = 0;
        let row = self.buffer.split().freeze();
        self.line(row)
    }

    fn line(&mut self, row: Bytes) -> Option<Line> {
        if let Some(line) = self.skipping.take() {
            return Some(line);
        }
        let line = self.trimmed(row);
        (!line.bytes.is_empty()).then_some(line)
    }

    fn trimmed(&self, mut row: Bytes) -> Line {
        let mut offset = self.offset;
        if offset == 0 && row.starts_with(BOM) {
            row.advance(BOM.len());
            offset = BOM.len() as u64;
        }
        let leading = row.len() - row.trim_ascii_start().len();
        let length = row.trim_ascii().len();
        let bytes = row.slice(leading..leading + length);
        Line {
            offset: offset + leading as u64,
            number: self.number,
            too_large: bytes.len() > MAX_ROW,
            bytes,
        }
    }

    /// Lets go of a row that has grown too large; its line end is still to come.
    fn skip_if_too_large(&mut self) {
        if self.buffer.len() <= MAX_ROW + BOM.len() {
            return;
        }
        let dropped = self.buffer.split().freeze();
        if self.skipping.is_none() {
            let mut line = self.trimmed(dropped.clone());
            // A copy: a slice would hold all of the chunk.
            line.bytes =
                Bytes::copy_from_slice(&line.bytes[..line.bytes.len().min(crate::report::MAX_RAW)]);
            line.too_large = true;
            self.skipping = Some(line);
        }
        self.offset += dropped.len() as u64;
        self.searched = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &[u8], chunk: usize) -> Vec<Line> {
        let mut lines = Lines::new();
        let mut found = Vec::new();
        for chunk in text.chunks(chunk) {
            lines.push(chunk);
            while let Some(line) = lines.next() {
                found.push(line);
            }
        }
        found.extend(lines.finish());
        assert_eq!(lines.next(), None, "nothing follows the last row");
        found
    }

    #[test]
    fn rows_know_their_place() {
        let rows: Vec<_> = cut(b"\xEF\xBB\xBF{}\r\n\n  [1] \nlast", 3)
            .into_iter()
            .map(|line| (line.offset, line.number, line.bytes))
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
        let mut text = vec![b'x'; 3 * MAX_ROW];
        text.extend_from_slice(b"\n{}\n");
        for chunk in [1 << 12, 1 << 18, 1 << 23] {
            let rows = cut(&text, chunk);
            assert_eq!(
                (rows[0].offset, rows[0].number, rows[0].too_large),
                (0, 1, true)
            );
            assert_eq!(
                (rows[1].offset, rows[1].number, rows[1].too_large),
                (3 * MAX_ROW as u64 + 1, 2, false)
            );
            assert_eq!(rows.len(), 2);
        }
        assert!(!cut(&vec![b'x'; MAX_ROW], 1 << 18)[0].too_large);
    }

    proptest! {
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
