//! Joins adjacent records that form a group: the lines of an order, which agree in everything except the columns `products[0]…`, or
//! the records with equal cells in the columns that a mapping groups by.
//!
//! A record that cannot be read may be part of the group around it. It waits for the next record that can be read. If that one
//! belongs to the group too, the group is incomplete, and is rejected with all its records.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use bytes::{Bytes, BytesMut};

use super::{
    super::{FramingError, MAX_ROW_BYTES, Row},
    cells::{Split, is_blank},
    header::Header,
    window::Window,
};

/// The maximum number of records of a group, and of records that cannot be read and may be part of a group.
const MAX_LINES: u64 = 1_000;

/// The columns whose cells decide whether adjacent records are a group.
#[derive(Debug)]
pub(super) struct Key {
    /// Whether the cells of a column must be equal, up to the last column for which that is required.
    columns: Vec<bool>,
    /// The keys of the last groups, which must not return. `None` for orders, of which any number may be the same.
    window: Option<Window>,
}

/// A record of the file.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) row: Row,
    /// The bytes from the end of the record before to the end of this one. Only defined if they are not more than 1 MiB.
    pub(super) bytes: Bytes,
    pub(super) is_readable: bool,
}

/// The group whose records are being read.
#[derive(Debug)]
struct Group {
    /// The first record, with which others are compared.
    model: Bytes,
    /// The records that wait; `None` if no record waits, because all so far are rejected.
    lines: Option<Lines>,
    /// Why the group is rejected.
    framing_error: Option<FramingError>,
}

/// The records of a group, or the last part of them.
#[derive(Debug)]
struct Lines {
    /// The first record, with the number of records so far.
    row: Row,
    /// The bytes after the first record, up to the end of the last one.
    more: Vec<Bytes>,
    /// Records after the last one that cannot be read. The next record shows whether they are part of the group.
    unreadable: Vec<Line>,
    unreadable_bytes: usize,
}

/// Joins records.
#[derive(Debug)]
pub(super) struct Groups {
    delimiter: u8,
    /// What the records of a group have in common; `None` if each record is a row.
    key: Option<Key>,
    group: Option<Group>,
    /// The rows that are complete.
    ready: VecDeque<Row>,
}

impl Key {
    /// Joins the lines of an order: all cells are equal, except those of its lines and those in columns without a name.
    pub(super) fn of_order(header: &Header) -> Self {
        let columns = 0..header.columns().least;
        Self {
            columns: columns.map(|column| header.is_of_record(column)).collect(),
            window: None,
        }
    }

    /// Joins the records whose cells in these columns are equal. A key of empty cells joins nothing.
    pub(super) fn of_columns(columns: &[usize]) -> Self {
        let last = columns.iter().max().map_or(0, |last| last + 1);
        Self {
            columns: (0..last).map(|column| columns.contains(&column)).collect(),
            window: Some(Window::default()),
        }
    }

    /// Returns whether two records belong to one group. Whitespace around cells makes no difference.
    fn is_same(&self, before: &[u8], record: &[u8], delimiter: u8) -> bool {
        let mut before = Split::new(before, delimiter);
        let mut record = Split::new(record, delimiter);
        // Orders may be equal in empty cells only.
        let mut is_present = self.window.is_none();
        for is_compared in &self.columns {
            let (Some(Some(before)), Some(Some(cell))) = (before.next(), record.next()) else {
                return false;
            };
            if *is_compared {
                if before.trim_ascii() != cell.trim_ascii() {
                    return false;
                }
                is_present |= !is_blank(&cell);
            }
        }
        is_present
    }

    /// Adds the group that a record begins. Returns whether its key returned.
    fn returns(&mut self, record: &[u8], delimiter: u8) -> bool {
        let Some(window) = &mut self.window else {
            return false;
        };
        // Its keys are constants, so that each invocation computes the same hash.
        let mut hasher = DefaultHasher::new();
        let mut is_present = false;
        let cells = Split::new(record, delimiter).flatten();
        for (cell, is_compared) in cells.zip(&self.columns) {
            if *is_compared {
                cell.trim_ascii().hash(&mut hasher);
                is_present |= !is_blank(&cell);
            }
        }
        is_present && window.add(hasher.finish())
    }
}

impl Groups {
    pub(super) const fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            key: None,
            group: None,
            ready: VecDeque::new(),
        }
    }

    /// Joins the records after the header by a key.
    pub(super) fn join_by(&mut self, key: Option<Key>) {
        self.key = key;
    }

    /// Returns whether records may be joined.
    pub(super) const fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Returns the next complete row.
    pub(super) fn next(&mut self) -> Option<Row> {
        self.ready.pop_front()
    }

    /// Returns where the first row that was not returned begins: its offset and its line.
    pub(super) fn position(&self) -> Option<(u64, u64)> {
        let lines = self.group.as_ref().and_then(|group| group.lines.as_ref());
        let row = self.ready.front().or_else(|| Some(&lines?.row));
        row.map(|row| (row.offset, row.line))
    }

    /// Adds the next record of the file.
    pub(super) fn add(&mut self, line: Line) {
        let Some(key) = &mut self.key else {
            self.ready.push_back(line.row);
            return;
        };
        if !line.is_readable {
            self.add_unreadable(line);
            return;
        }
        let record = &line.row.bytes;
        let group = self.group.as_mut();
        match group.filter(|group| key.is_same(&group.model, record, self.delimiter)) {
            Some(group) => group.add(line, &mut self.ready),
            None => {
                let returns = key.returns(record, self.delimiter);
                self.finish();
                self.group = Some(Group {
                    model: line.row.bytes.clone(),
                    lines: Some(Lines::new(line.row)),
                    framing_error: returns.then_some(FramingError::GroupNotAdjacent),
                });
            }
        }
    }

    fn add_unreadable(&mut self, line: Line) {
        let Some(group) = &mut self.group else {
            self.ready.push_back(line.row);
            return;
        };
        let Some(lines) = &mut group.lines else {
            self.ready.push_back(line.row);
            return;
        };
        lines.unreadable_bytes += line.bytes.len();
        lines.unreadable.push(line);
        if lines.unreadable.len() as u64 > MAX_LINES || lines.unreadable_bytes > MAX_ROW_BYTES {
            // No other record of the group is expected. If there is one, it is rejected.
            group.complete(&mut self.ready);
            group.framing_error = Some(broken(group.framing_error));
        }
    }

    /// Completes the group at the end of the file.
    pub(super) fn finish(&mut self) {
        if let Some(mut group) = self.group.take() {
            group.complete(&mut self.ready);
        }
    }
}

impl Group {
    /// Adds a record. If the records are too large together, those before become ready as a part of the rejected group, so that a
    /// bounded number of bytes is in memory and all of them are given back.
    fn add(&mut self, line: Line, ready: &mut VecDeque<Row>) {
        let end = line.row.offset + line.row.bytes.len() as u64;
        let Some(lines) = &mut self.lines else {
            self.lines = Some(Lines::new(line.row));
            return;
        };
        if !lines.unreadable.is_empty() {
            self.framing_error = Some(broken(self.framing_error));
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

    /// Moves the records, and those after them that cannot be read, to the rows that are ready.
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

/// Returns the error of a group with a record that cannot be read. If the group's key returned, that stays the error: to correct the
/// record would not suffice.
const fn broken(before: Option<FramingError>) -> FramingError {
    match before {
        Some(FramingError::GroupNotAdjacent) => FramingError::GroupNotAdjacent,
        _ => FramingError::BrokenOrder,
    }
}

/// Returns the bytes of all records.
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
