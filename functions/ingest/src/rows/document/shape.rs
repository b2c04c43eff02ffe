//! The shape of a `.json` file, told by its first bytes; and how far a JSON value reaches. Whether a value is
//! valid is not looked at here: its row is parsed later.

use super::super::{BOM, MAX_ROW};

/// How a file holds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One row a line.
    Lines,
    /// Values one after another.
    Sequence,
    /// A list whose first value, or end, follows at the byte `from`.
    List { from: usize },
}

/// Tells the shape; `None` if more of the file is needed.
pub(super) fn of(start: &[u8], bare_records: Option<bool>, at_end: bool) -> Option<Shape> {
    if !at_end && start.len() < BOM.len() && BOM.starts_with(start) {
        return None;
    }
    let bom = if start.starts_with(BOM) { BOM.len() } else { 0 };
    let blanks = start[bom..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let from = bom + blanks;
    match start.get(from) {
        None => at_end.then_some(Shape::Lines),
        Some(b'[') => Some(Shape::List { from: from + 1 }),
        Some(b'{') => object(start, from, bare_records)
            .or_else(|| (at_end || start.len() > MAX_ROW).then_some(Shape::Sequence)),
        Some(_) => Some(Shape::Lines),
    }
}

/// The shape of a file that begins with an object.
fn object(start: &[u8], from: usize, bare_records: Option<bool>) -> Option<Shape> {
    let mut scan = Scan::default();
    let mut last_string = (0, 0);
    let mut string_began = 0;
    let mut after_records = false;
    for (at, byte) in start.iter().enumerate().skip(from) {
        if after_records && !byte.is_ascii_whitespace() && *byte != b':' {
            after_records = false;
            if *byte == b'[' {
                match envelope(&start[at + 1..], bare_records) {
                    Some(true) => return Some(Shape::List { from: at + 1 }),
                    Some(false) => {}
                    None => return None,
                }
            }
        }
        let was_string = scan.in_string;
        let step = scan.step(*byte);
        if scan.in_string && !was_string {
            string_began = at + 1;
        }
        if was_string && !scan.in_string {
            last_string = (string_began, at);
        }
        if *byte == b':' && scan.depth == 1 && !was_string {
            after_records = &start[last_string.0..last_string.1] == b"records";
        }
        if step == Step::EndsAfter {
            // One object on its line is one row of many; one on several lines is written by hand.
            let one_line = !start[from..at].contains(&b'\n');
            return Some(if one_line {
                Shape::Lines
            } else {
                Shape::Sequence
            });
        }
    }
    None
}

/// Whether a list called `records` holds rows; its first value follows.
fn envelope(list: &[u8], bare_records: Option<bool>) -> Option<bool> {
    if let Some(bare) = bare_records {
        return Some(!bare);
    }
    // Each row names its own type: what does so is a row, what doesn't is one of the links of a row.
    let mut scan = Scan::default();
    let first = list.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if list[first] != b'{' {
        return Some(false);
    }
    let end = list[first..]
        .iter()
        .position(|byte| scan.step(*byte) == Step::EndsAfter)?;
    let row = &list[first..=first + end];
    let fields: Option<std::collections::HashMap<&str, &serde_json::value::RawValue>> =
        serde_json::from_slice(row).ok();
    Some(fields.is_some_and(|fields| fields.contains_key("record_type")))
}

/// How far a value reaches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
    began: bool,
}

/// What a byte is to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Inside,
    /// It is the value's last.
    EndsAfter,
    /// It is none of the value's.
    EndsBefore,
}

impl Scan {
    /// Takes the value's next byte in.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        let first = !std::mem::replace(&mut self.began, true);
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    return if self.depth == 0 {
                        Step::EndsAfter
                    } else {
                        Step::Inside
                    };
                }
                _ => {}
            }
            return Step::Inside;
        }
        match byte {
            b'"' if self.depth > 0 || first => self.in_string = true,
            b'{' | b'[' if self.depth > 0 || first => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Step::EndsAfter;
                }
            }
            _ if self.depth > 0 || first => {}
            // A number or a word, and what ends it.
            b',' | b']' | b'}' | b'"' | b'{' | b'[' | b' ' | b'\t' | b'\n' | b'\r' => {
                return Step::EndsBefore;
            }
            _ => {}
        }
        Step::Inside
    }
}
