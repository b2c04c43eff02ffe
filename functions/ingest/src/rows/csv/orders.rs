//! Joins adjacent records that are lines of one order: they agree in everything except the columns `products[0]…`.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::{
    super::{FramingError, MAX_ROW_BYTES, Row},
    cells::Split,
    header::Header,
    split::Record,
};

/// The maximum number of lines of an order.
const MAX_LINES: u64 = 1_000;

/// The order whose lines are being read.
#[derive(Debug)]
struct Order {
    /// The first line, with the number of lines so far.
    row: Row,
    /// The bytes of all lines, if there are several. A line feed separates them.
    joined: BytesMut,
    /// The last line, with which the next one is compared.
    last: Row,
    /// Records after the last line that cannot be read. The next line shows whether they are part of the order.
    unreadable: Vec<Row>,
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
        let order = self.order.as_ref().map(|order| &order.row);
        self.ready
            .front()
            .or(order)
            .map(|row| (row.offset, row.line))
    }

    /// Adds the next record of the file.
    pub(super) fn add(&mut self, record: Record, header: &Header) {
        let Record { row, is_readable } = record;
        let Some(order) = &mut self.order else {
            self.begin(row, is_readable);
            return;
        };
        if !is_readable {
            // The next readable record shows whether this one is inside the order.
            let held = order.joined.len()
                + order
                    .unreadable
                    .iter()
                    .map(|row| row.bytes.len())
                    .sum::<usize>();
            if order.unreadable.len() as u64 >= MAX_LINES || held > MAX_ROW_BYTES {
                self.finish();
                self.begin(row, false);
            } else {
                order.unreadable.push(row);
            }
            return;
        }
        if !is_same_order(&order.last, &row, header, self.delimiter) {
            self.finish();
            self.begin(row, true);
            return;
        }
        if !order.unreadable.is_empty() {
            order.row.framing_error = Some(FramingError::BrokenOrder);
        }
        for unreadable in std::mem::take(&mut order.unreadable) {
            order.join(&unreadable);
        }
        order.join(&row);
        order.last = row;
    }

    /// Completes the order at the end of the file.
    pub(super) fn finish(&mut self) {
        let Some(order) = self.order.take() else {
            return;
        };
        let mut row = order.row;
        if !order.joined.is_empty() {
            row.bytes = order.joined.freeze();
        }
        self.ready.push_back(row);
        self.ready.extend(order.unreadable);
    }

    fn begin(&mut self, row: Row, is_readable: bool) {
        if !is_readable {
            self.ready.push_back(row);
            return;
        }
        self.order = Some(Order {
            last: row.clone(),
            row,
            joined: BytesMut::new(),
            unreadable: Vec::new(),
        });
    }
}

impl Order {
    /// Adds a line.
    fn join(&mut self, line: &Row) {
        self.row.rows += 1;
        self.row.skipped += line.skipped;
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&self.row.bytes);
        }
        if self.row.rows > MAX_LINES || self.joined.len() + line.bytes.len() >= MAX_ROW_BYTES {
            self.row.framing_error = Some(FramingError::OrderTooLarge);
            return;
        }
        self.joined.extend_from_slice(b"\n");
        self.joined.extend_from_slice(&line.bytes);
    }
}

/// Returns whether two records agree in all cells except those of an order's lines.
fn is_same_order(before: &Row, row: &Row, header: &Header, delimiter: u8) -> bool {
    let mut before = Split::new(&before.bytes, delimiter);
    let mut row = Split::new(&row.bytes, delimiter);
    for column in 0..header.columns().least {
        let (Some(Some(before)), Some(Some(cell))) = (before.next(), row.next()) else {
            return false;
        };
        if !header.is_line(column) && before.trim_ascii() != cell.trim_ascii() {
            return false;
        }
    }
    true
}
