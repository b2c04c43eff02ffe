//! Recognizes records that name the columns again, as in files that were joined.

use std::{borrow::Cow, collections::HashSet};

use super::{cells::is_whitespace, unquoted};

/// How a record names the columns again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repetition {
    /// As the header does.
    Same,
    /// In another order, or with other columns. The cells of the following records are in other columns than the header names.
    Other,
}

/// The names of the columns, in the form in which records are compared with them.
#[derive(Debug)]
pub(super) struct ColumnNames {
    delimiter: u8,
    /// The names in lowercase.
    names: Vec<String>,
    /// The number of columns up to the last one with a name.
    least: usize,
    /// The names without repetitions. None is empty.
    known: HashSet<String>,
    /// The bytes with which a name can begin, in either case.
    first_bytes: [bool; 256],
    /// The first words of the names.
    words: Vec<Vec<u8>>,
}

impl ColumnNames {
    /// `least` is the number of columns up to the last one with a name.
    pub(super) fn new(names: &[String], least: usize, delimiter: u8) -> Self {
        let names: Vec<_> = names.iter().map(|name| name.to_lowercase()).collect();
        let mut first_bytes = [false; 256];
        for name in &names {
            match name.as_bytes().first() {
                None => first_bytes[usize::from(delimiter)] = true,
                // The case of other characters may change their bytes.
                Some(byte) if !byte.is_ascii() => first_bytes[128..].fill(true),
                Some(byte) => {
                    first_bytes[usize::from(*byte)] = true;
                    first_bytes[usize::from(byte.to_ascii_uppercase())] = true;
                }
            }
        }
        let filled = names.iter().filter(|name| !name.is_empty());
        Self {
            delimiter,
            least,
            known: filled.cloned().collect(),
            first_bytes,
            words: names
                .iter()
                .map(|name| first_word(name.as_bytes(), delimiter).to_vec())
                .collect(),
            names,
        }
    }

    /// Returns whether a record can name the columns again: it begins with the name of one. Costs almost nothing for other records.
    pub(super) fn may_begin(&self, record: &[u8]) -> bool {
        let start = unquoted(record, self.delimiter);
        let is_first = |byte: &u8| self.first_bytes[usize::from(*byte)];
        if !start.first().is_some_and(is_first) {
            return false;
        }
        let word = first_word(start, self.delimiter);
        let is_word = |name: &Vec<u8>| name.eq_ignore_ascii_case(word);
        self.words.iter().any(is_word)
    }

    /// Returns how cells name the columns again; `None` if they do not. Case, and empty cells after the last name, make no difference.
    ///
    /// Another header has no fewer columns than this one, and no cell without a name. Either it has the same names in another order, or most
    /// of its names are those of this header, among them a path such as `link.email`, which is not a value.
    pub(super) fn repetition(&self, cells: &[Cow<'_, str>]) -> Option<Repetition> {
        let cells: Vec<_> = cells
            .iter()
            .map(|cell| cell.trim().to_lowercase())
            .collect();
        let (names, others) = self.names.split_at(self.least);
        debug_assert!(others.iter().all(String::is_empty));
        if let Some((named, after)) = cells.split_at_checked(self.least)
            && named == names
            && after.iter().all(String::is_empty)
        {
            return Some(Repetition::Same);
        }
        let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
        let known: HashSet<_> = cells
            .iter()
            .filter(|cell| self.known.contains(*cell))
            .collect();
        let is_name = |cell: &String| !cell.contains(|c: char| c == '@' || c.is_numeric());
        let is_in_other_order = known.len() == filled && known.len() >= 3;
        let has_path = known.iter().any(|cell| cell.contains('.'));
        let is_like_header = has_path
            && 2 * known.len() > filled
            && cells
                .iter()
                .all(|cell| self.known.contains(cell) || is_name(cell));
        let is_other =
            filled >= self.known.len() && known.len() >= 2 && (is_in_other_order || is_like_header);
        is_other.then_some(Repetition::Other)
    }
}

/// Returns the beginning of a cell up to whitespace, a quote or a character that is not ASCII.
fn first_word(cell: &[u8], delimiter: u8) -> &[u8] {
    let is_end =
        |byte: &u8| *byte == delimiter || *byte == b'"' || is_whitespace(*byte) || !byte.is_ascii();
    &cell[..cell.iter().position(is_end).unwrap_or(cell.len())]
}
