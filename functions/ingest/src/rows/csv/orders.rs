//! Joins adjacent records that are lines of one order: they agree in everything except the columns `products[0]…`.
//!
//! A record that cannot be read may be a line of the order around it. It waits for the next record that can be read. If that one
//! belongs to the order too, the order is incomplete, and is rejected with all its records.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::{
    super::{FramingError, MAX_ROW_BYTES, Row},
    cells::Split,
    header::Header,
};

/// The maximum number of lines of an order, and of records that cannot be read and may be lines of an order.
const MAX_LINES: u64 = 1_000;

/// A record of the file.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) row: Row,
    /// The bytes from the end of the record before to the end of this one. Only defined if they are not more than 1 MiB.
    pub(super) bytes: Bytes,
    pub(super) is_readable: bool,
}

/// The order whose lines are being read.
#[derive(Debug)]
struct Order {
    /// The first line, with which others are compared.
    model: Bytes,
    /// The lines that wait; `None` if no line waits, because all so far are rejected.
    lines: Option<Lines>,
    /// Why the order is rejected.
    framing_error: Option<FramingError>,
}

/// The lines of an order, or the last part of them.
#[derive(Debug)]
struct Lines {
    /// The first line, with the number of lines so far.
    row: Row,
    /// The bytes after the first line, up to the end of the last one.
    more: Vec<Bytes>,
    /// Records after the last line that cannot be read. The next line shows whether they are part of the order.
    unreadable: Vec<Line>,
    unreadable_bytes: usize,
}

/// Joins records.
#[derive(Debug)]
pub(super) struct Orders {
    delimiter: u8,
    order: Option<Order>,
    /// The rows that are complete.
    ready: VecDeque<Row>,
}

impl Orders {
    pub(super) const fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            order: None,
            ready: VecDeque::new(),
        }
    }

    /// Returns the next complete row.
    pub(super) fn next(&mut self) -> Option<Row> {
        self.ready.pop_front()
    }

    /// Returns where the first row that was not returned begins: its offset and its line.
    pub(super) fn position(&self) -> Option<(u64, u64)> {
        let lines = self.order.as_ref().and_then(|order| order.lines.as_ref());
        let row = self.ready.front().or_else(|| Some(&lines?.row));
        row.map(|row| (row.offset, row.line))
    }

    /// Adds the next record of the file.
    pub(super) fn add(&mut self, line: Line, header: &Header) {
        if !line.is_readable {
            self.add_unreadable(line);
            return;
        }
        let delimiter = self.delimiter;
        let order = self.order.as_mut();
        match order.filter(|order| is_same(&order.model, &line.row.bytes, header, delimiter)) {
            Some(order) => order.add(line, &mut self.ready),
            None => {
                self.finish();
                self.order = Some(Order {
                    model: line.row.bytes.clone(),
                    lines: Some(Lines::new(line.row)),
                    framing_error: None,
                });
            }
        }
    }

    fn add_unreadable(&mut self, line: Line) {
        let Some(order) = &mut self.order else {
            self.ready.push_back(line.row);
            return;
        };
        let Some(lines) = &mut order.lines else {
            self.ready.push_back(line.row);
            return;
        };
        lines.unreadable_bytes += line.bytes.len();
        lines.unreadable.push(line);
        if lines.unreadable.len() as u64 > MAX_LINES || lines.unreadable_bytes > MAX_ROW_BYTES {
            // No other line of the order is expected. If there is one, it is rejected.
            order.complete(&mut self.ready);
            order.framing_error = Some(FramingError::BrokenOrder);
        }
    }

    /// Completes the order at the end of the file.
    pub(super) fn finish(&mut self) {
        if let Some(mut order) = self.order.take() {
            order.complete(&mut self.ready);
        }
    }
}

impl Order {
    /// Adds a line. If the lines are too large together, those before become ready as a part of the rejected order, so that a bounded
    /// number of bytes is in memory and all of them are given back.
    fn add(&mut self, line: Line, ready: &mut VecDeque<Row>) {
        let end = line.row.offset + line.row.bytes.len() as u64;
        let Some(lines) = &mut self.lines else {
            self.lines = Some(Lines::new(line.row));
            return;
        };
        if !lines.unreadable.is_empty() {
            self.framing_error = Some(FramingError::BrokenOrder);
        }
        if end - lines.row.offset > MAX_ROW_BYTES as u64 {
            self.framing_error
                .get_or_insert(FramingError::OrderTooLarge);
            self.complete(ready);
            self.lines = Some(Lines::new(line.row));
            return;
        }
        for unreadable in std::mem::take(&mut lines.unreadable) {
            lines.join(unreadable);
        }
        lines.join(line);
        if lines.row.rows > MAX_LINES {
            self.framing_error
                .get_or_insert(FramingError::OrderTooLarge);
        }
    }

    /// Moves the lines, and the records after them that cannot be read, to the rows that are ready.
    fn complete(&mut self, ready: &mut VecDeque<Row>) {
        if let Some(lines) = self.lines.take() {
            ready.push_back(Row {
                bytes: joined(&lines.row.bytes, &lines.more),
                framing_error: self.framing_error,
                ..lines.row
            });
            ready.extend(lines.unreadable.into_iter().map(|line| line.row));
        }
    }
}

impl Lines {
    const fn new(row: Row) -> Self {
        Self {
            row,
            more: Vec::new(),
            unreadable: Vec::new(),
            unreadable_bytes: 0,
        }
    }

    fn join(&mut self, line: Line) {
        self.row.rows += 1;
        self.row.skipped += line.row.skipped;
        self.more.push(line.bytes);
        self.unreadable_bytes = 0;
    }
}

/// Returns the bytes of all lines.
fn joined(first: &Bytes, more: &[Bytes]) -> Bytes {
    if more.is_empty() {
        return first.clone();
    }
    let length = first.len() + more.iter().map(Bytes::len).sum::<usize>();
    let mut bytes = BytesMut::with_capacity(length);
    bytes.extend_from_slice(first);
    more.iter().for_each(|line| bytes.extend_from_slice(line));
    bytes.freeze()
}

/// Returns whether two records agree in all cells except those of an order's lines and those of columns without a name.
fn is_same(before: &[u8], record: &[u8], header: &Header, delimiter: u8) -> bool {
    let mut before = Split::new(before, delimiter);
    let mut record = Split::new(record, delimiter);
    for column in 0..header.columns().least {
        let (Some(Some(before)), Some(Some(cell))) = (before.next(), record.next()) else {
            return false;
        };
        if header.is_of_record(column) && before.trim_ascii() != cell.trim_ascii() {
            return false;
        }
    }
    true
}
