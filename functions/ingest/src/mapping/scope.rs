//! Looks up names: in a row, in a group of rows, in an element of a list, and in what is around it.

use std::{borrow::Cow, cell::OnceCell};

use shared::model::value::{Map, Value};

use super::{
    binding::{Binding, Columns},
    budget::Budget,
    cell::Cell,
    document::{List, Mapping},
    name::{Name, NameOf, find},
    read::{Identifiers, Read},
};
use crate::rows::RowError;

/// Endings that are not part of a file's name proper.
const EXTENSIONS: [&str; 8] = [
    ".gz", ".gzip", ".zst", ".csv", ".tsv", ".txt", ".json", ".ndjson",
];

/// A row of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Row<'a> {
    /// The cells of a CSV row.
    Cells(&'a [Cow<'a, str>]),
    /// A JSON row.
    Json(&'a Map),
}

/// The name of a file, without its folders.
#[derive(Clone, Debug)]
pub(crate) struct FileName {
    name: String,
    stem: String,
}

impl FileName {
    /// Creates the name from an object key.
    pub(crate) fn new(key: &str) -> Self {
        let name = key.rsplit('/').next().unwrap_or_default();
        let mut stem = name;
        let is_extension = |stem: &str| {
            let dot = stem.rfind('.').filter(|dot| *dot > 0)?;
            let ending = stem[dot..].to_ascii_lowercase();
            (EXTENSIONS.contains(&ending.as_str()) || ending == ".jsonl").then_some(dot)
        };
        while let Some(dot) = is_extension(stem) {
            stem = &stem[..dot];
        }
        Self {
            name: name.to_owned(),
            stem: stem.to_owned(),
        }
    }
}

/// What the rows of a file have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) binding: &'a Binding,
    pub(crate) file: &'a FileName,
    pub(crate) identifiers: Identifiers,
}

/// Where names are looked up, and the scope around it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) here: Here<'a>,
    pub(super) outer: Option<&'a Scope<'a>>,
    pub(super) budget: &'a Budget,
    /// The first error that rejects the row.
    pub(super) error: &'a OnceCell<RowError>,
}

/// Where names are looked up.
#[derive(Clone, Copy)]
pub(super) enum Here<'a> {
    Cells(&'a [Cow<'a, str>], &'a Columns),
    Json(&'a Map),
    /// The rows of a group: a name is the first present cell.
    Group(&'a [Row<'a>]),
    /// An element of a list that is not an object.
    Nothing,
}

impl<'a> Context<'a> {
    /// Returns where the names of a row are looked up.
    pub(super) fn row(&self, row: Row<'a>) -> Here<'a> {
        match row {
            Row::Cells(cells) => Here::Cells(cells, &self.binding.columns),
            Row::Json(map) => Here::Json(map),
        }
    }

    /// Returns the cell of a name, if it is present.
    pub(super) fn cell(&self, scope: &Scope<'a>, name: Name, read: &Read) -> Option<Cell<'a>> {
        match name.of {
            NameOf::File => Some(Cell::Text(&self.file.name)),
            NameOf::Stem => Some(Cell::Text(&self.file.stem)),
            NameOf::Rows => None,
            NameOf::Cell(index) => self.cell_in(scope.outward(name.up)?.here, index, read),
        }
    }

    fn cell_in(&self, here: Here<'a>, name: usize, read: &Read) -> Option<Cell<'a>> {
        let cell = match here {
            Here::Cells(cells, columns) => {
                let column = columns.get(name).copied().flatten()?;
                Cell::Text(cells.get(column)?)
            }
            Here::Json(map) => Cell::new(find(map, self.mapping.names.text(name))?)?,
            Here::Group(rows) => {
                let mut cells = rows
                    .iter()
                    .map(|row| self.cell_in(self.row(*row), name, read));
                return cells.find_map(|cell| cell);
            }
            Here::Nothing => return None,
        };
        read.present(cell)
    }

    /// Returns whether a name leads to an empty list of a JSON row.
    pub(super) fn is_empty_list(&self, scope: &Scope<'a>, name: Name) -> bool {
        let place = scope.outward(name.up).map(|scope| scope.here);
        let (NameOf::Cell(index), Some(Here::Json(map))) = (name.of, place) else {
            return false;
        };
        let list = find(map, self.mapping.names.text(index));
        matches!(list, Some(Value::List(items)) if items.is_empty())
    }

    /// Returns the elements of a list; none if they exceed the limit of the row.
    pub(super) fn elements(&self, scope: &Scope<'a>, list: List) -> Vec<Here<'a>> {
        let elements = self.all_elements(scope, list);
        if scope.budget.add_elements(elements.len()) {
            elements
        } else {
            Vec::new()
        }
    }

    fn all_elements(&self, scope: &Scope<'a>, list: List) -> Vec<Here<'a>> {
        match list {
            List::Numbered(index) => {
                let cells = match scope.here {
                    Here::Cells(cells, _) => cells,
                    Here::Group([Row::Cells(cells), ..]) => *cells,
                    _ => return Vec::new(),
                };
                let numbers = self.binding.numbered.get(index).into_iter().flatten();
                numbers.map(|columns| Here::Cells(cells, columns)).collect()
            }
            List::Name(name) if name.of == NameOf::Rows => match scope.outward(name.up) {
                Some(Scope {
                    here: Here::Group(rows),
                    ..
                }) => rows.iter().map(|row| self.row(*row)).collect(),
                _ => Vec::new(),
            },
            List::Name(name) => match self.cell(scope, name, &self.mapping.read) {
                Some(Cell::Other(Value::List(items))) => {
                    let items = items
                        .iter()
                        .map(|item| item.as_map().map_or(Here::Nothing, Here::Json));
                    items.collect()
                }
                _ => Vec::new(),
            },
        }
    }
}

impl<'a> Scope<'a> {
    fn outward(&self, levels: usize) -> Option<&Scope<'a>> {
        let mut scope = self;
        for _ in 0..levels {
            scope = scope.outer?;
        }
        Some(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_lack_extensions() {
        for (key, stem) in [
            ("drop/x/2026/a_b.csv", "a_b"),
            ("a.b.csv.gz", "a.b"),
            ("1759723711909.gz", "1759723711909"),
            ("v1.2 list.CSV", "v1.2 list"),
            (".csv", ".csv"),
            ("", ""),
        ] {
            assert_eq!(FileName::new(key).stem, stem, "{key}");
        }
    }
}
